"""TIFF as every reader opens it: uncompressed, with its axes, its profile and what stood beside the pixels."""

from __future__ import annotations

import io
import json
from typing import Any

from restoretk._arrays import Array
from restoretk.image_files import exif
from restoretk.image_files.record import ImageFile

_PLAIN = ("YX", "YXS", "SYX")  # what the tags of TIFF say by themselves
_XMP = 700  # XMP specification part 3, 3.2.1
_BYTE = 1


def encode_tiff(pixels: Array, axes: str | None, *, alpha: bool, like: ImageFile, made_by: str = "") -> bytes:
    """The file; the axis "S", if there is one, is the last or before "YX" (planar).

    A stack says its axes in the description, as JSON by tifffile; there ``made_by``, records in JSON one a line, stands too.
    """
    import tifffile

    samples = 1 if axes is None or "S" not in axes else pixels.shape[axes.index("S")]
    options: dict[str, Any] = {"photometric": "rgb" if samples - alpha == 3 else "minisblack", "byteorder": "<"}
    if samples > 1:
        options["planarconfig"] = "contig" if axes is not None and axes.endswith("S") else "separate"
    if alpha:
        options["extrasamples"] = ["unassalpha"]
    if like.dpi is not None:
        options |= {"resolution": like.dpi, "resolutionunit": "INCH"}
    if like.xmp:
        options["extratags"] = [(_XMP, _BYTE, len(like.xmp), like.xmp, True)]
    microscopy = like.microscopy if like.microscopy is not None and like.microscopy.fits(pixels.dtype, axes) else None
    plain = axes in _PLAIN and microscopy is None
    if microscopy is not None and axes is not None:
        options |= microscopy.options(pixels, axes, made_by, like.dtype)
    elif not plain and axes is not None:
        records = [json.loads(line) for line in made_by.splitlines()]
        options["metadata"] = {"axes": axes} | ({"restoretk": records} if records else {})
    else:
        options["metadata"] = None
    target = io.BytesIO()
    tifffile.imwrite(target, pixels, iccprofile=like.icc_profile, software=False, **options)
    data = target.getvalue()
    if like.exif and data[2:4] == b"*\0":
        data = exif.into_tiff(data, like.exif, but=() if plain else (exif.DESCRIPTION,))
    return data
