"""Everything about a file in plain words and numbers: what it holds, how it was made, what which format would lose."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from restoretk.image_files import exif
from restoretk.image_files.microscopy import Microscopy
from restoretk.image_files.record import WRITTEN, ImageFile, shown
from restoretk.image_files.writing import what_is_lost

_LONGEST = 200  # characters of a text from a file


def describe(file: ImageFile) -> dict[str, Any]:
    """The record of a file as strings, numbers, lists and mappings; texts from the file are printable and cut."""
    axes = file.axes or ""
    image = np.ma.masked_invalid(file.image)
    return {
        "format": file.format,
        "shape": list(file.image.shape),
        "axes": file.axes,
        "rows": file.image.shape[axes.index("Y")] if "Y" in axes else None,
        "columns": file.image.shape[axes.index("X")] if "X" in axes else None,
        "channels": 1 if file.channel_axis is None else file.image.shape[file.channel_axis],
        "pages": file.pages,
        "dtype": str(file.dtype),
        "bit_depth": file.bit_depth,
        "mode": file.mode,
        "palette": file.palette,
        "transparency": _transparency(file),
        "orientation": file.orientation,
        "dpi": None if file.dpi is None else [round(float(value), 3) for value in file.dpi],
        "calibration": {} if file.microscopy is None else _calibration(file.microscopy),
        "lowest": None if image.mask.all() else float(image.min()),
        "highest": None if image.mask.all() else float(image.max()),
        "missing_values": int(np.count_nonzero(image.mask)),
        "icc_profile": None if file.icc_profile is None else _profile_name(file.icc_profile),
        "exif": {} if file.exif is None else _exif_words(file.exif),
        "xmp_bytes": len(file.xmp or b""),
        "text": {_printable(key): _printable(value) for key, value in file.text.items() if key != "restoretk"},
        "header": [_printable(line) for line in file.header.splitlines() if line.strip()],
        "made_by": made_by_of(file),
        "notes": [_printable(note) for note in file.notes],
        "not_read": [_printable(what) for what in file.left_behind],
        "lost_in": {name: [_printable(what) for what in what_is_lost(file, name)] for name in WRITTEN},
    }


def made_by_of(file: ImageFile) -> list[dict[str, Any]]:
    """How the picture was made, one record for each time that this program wrote it, as far as the file says."""
    lines = file.text.get("restoretk", "").splitlines()
    lines += exif.text_of(file.exif, exif.DESCRIPTION).decode("ascii", "replace").splitlines()
    history = "".join(line[8:].ljust(72) for line in file.header.splitlines() if line.startswith("HISTORY "))
    lines += [part.strip() for part in history.replace('{"restoretk"', '\n{"restoretk"').splitlines()]
    records = []
    for line in lines:
        if line.startswith('{"restoretk"'):
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                continue  # a text that only begins like a record
    return records


def _calibration(microscopy: Microscopy) -> dict[str, Any]:
    found = microscopy.calibration().items()
    return {_printable(key): _printable(value) if isinstance(value, str) else value for key, value in found}


def _transparency(file: ImageFile) -> str:
    if file.alpha is None:
        return "none"
    return "all opaque" if (file.alpha == 1).all() else f"{(file.alpha < 1).mean():.1%} of the pixels"


def _profile_name(icc_profile: bytes) -> str:
    import io

    from PIL import ImageCms

    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc_profile)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return f"{len(icc_profile)} bytes that are no profile"
    return _printable(name.strip()) or "without a name"


def _exif_words(block: bytes) -> dict[str, str]:
    from PIL import ExifTags

    words = {}
    for tag, text in exif.readable(block):
        known = ExifTags.TAGS.get(tag) or ExifTags.GPSTAGS.get(tag)
        words[known or f"tag {tag}"] = _printable(text)
    return words


def _printable(text: object) -> str:
    whole = shown(str(text)[: _LONGEST + 1])
    return whole if len(whole) <= _LONGEST else whole[:_LONGEST] + "..."
