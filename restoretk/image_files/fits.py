"""FITS by astropy (the extra ``astro``): the right way up, in native byte order, its scaling applied."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.image_files.limits import Limits
from restoretk.image_files.record import Decoded, Refusal

# What says how the numbers of the old file are stored; astropy writes its own.
_OF_STORAGE = ("BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM", "PCOUNT", "GCOUNT", "XTENSION", "EXTEND")


def decode_fits(data: bytes, limits: Limits, hdu: int | str | None) -> Decoded:
    """The picture in one header and data unit: the one asked for by number or name, else the first that holds one.

    FITS counts rows from the bottom; here row 0 is the top one, unless the header says ROWORDER = 'TOP-DOWN'. Blank
    integers become NaN, which are refused unless the caller masks them.
    """
    fits = _astropy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=".*truncated.*")
        with fits.open(io.BytesIO(data), memmap=False, lazy_load_hdus=True, disable_image_compression=False) as units:
            unit, index = _chosen(units, hdu, limits)
            alone = index == 0 and not _has(units, 1)
            shape = tuple(int(length) for length in unit.shape)
            limits.check_picture(shape[-2], shape[-1])
            bits = abs(int(unit.header["BITPIX"]))
            limits.check_size(
                values=math.prod(shape),
                item_bytes=bits // 8,
                file_bytes=len(data),
                frames=math.prod(shape[:-2]),
            )
            pixels = np.asarray(unit.data)
            header = unit.header
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    pixels = pixels.reshape([n for n in pixels.shape[:-2] if n > 1] + list(pixels.shape[-2:]))
    axes, assumed = _axes(pixels, header)
    bottom_up = _bottom_up(header)
    notes = (
        f"FITS unit {index} ({unit.name or 'without a name'})",
        "row 0 is the top one: FITS counts from the bottom" if bottom_up else "the header says ROWORDER = TOP-DOWN",
    )
    return Decoded(
        pixels=np.ascontiguousarray(pixels[..., ::-1, :]) if bottom_up else pixels,
        axes=axes,
        mode=str(pixels.dtype),
        bit_depth=bits,
        pages=math.prod(shape[:-2]),
        header=header.tostring(sep="\n"),
        notes=notes,
        assumed=assumed,
        left_behind=() if alone else ("the other units and their headers",),
    )


def encode_fits(pixels: Array, axes: str | None, header: str, made_by: str) -> bytes:
    """One unit with the cards of ``header`` and, as HISTORY, how it was made."""
    fits = _astropy()
    cards = fits.Header.fromstring(header, sep="\n") if header else fits.Header()
    for name in _OF_STORAGE:
        cards.remove(name, ignore_missing=True, remove_all=True)
    if axes is not None and axes.endswith("S"):
        pixels = np.moveaxis(pixels, -1, 0)
        cards["CTYPE3"] = ("RGB", "planes of colour")
    if _bottom_up(cards):
        pixels = pixels[..., ::-1, :]
    if made_by:
        cards.add_history(made_by)
    target = io.BytesIO()
    fits.PrimaryHDU(np.ascontiguousarray(pixels), header=cards).writeto(target)
    return target.getvalue()


def _bottom_up(header: Any) -> bool:
    return str(header.get("ROWORDER", "")).strip().upper() != "TOP-DOWN"


def _chosen(units: Any, hdu: int | str | None, limits: Limits) -> tuple[Any, int]:
    """A unit that holds a picture, and its number."""
    if hdu is None:
        for index, unit in enumerate(units):
            limits.check_size(values=0, item_bytes=1, file_bytes=1, frames=index + 1)
            if unit.is_image and len(unit.shape) >= 2 and math.prod(unit.shape):
                return unit, index
        raise Refusal("holds no picture: none of its FITS units is an array of two axes or more")
    try:
        index = units.index_of(hdu)
        unit = units[index]
    except (KeyError, IndexError):
        names = ", ".join(f"{number} {unit.name}".strip() for number, unit in enumerate(units))
        raise Refusal(f"holds no FITS unit {hdu!r}: it has {names}") from None
    if not (unit.is_image and len(unit.shape) >= 2 and math.prod(unit.shape)):
        raise Refusal(f"holds no picture in its FITS unit {hdu!r}")
    return unit, index


def _has(units: Any, index: int) -> bool:
    """Whether there is a unit of that number; none after it is looked for."""
    try:
        return units[index] is not None
    except IndexError:
        return False


def _axes(pixels: Array, header: Any) -> tuple[str, str]:
    """The axes, and what was assumed: three planes that the header does not name are colours."""
    if pixels.ndim > 5:
        raise Refusal(f"holds an array of {pixels.ndim} axes")
    if pixels.ndim == 3 and pixels.shape[0] == 3 and "CTYPE3" not in header:
        return "SYX", "holds 3 planes, taken for RGB and not for a stack of slices; CTYPE3 in its header says otherwise"
    if pixels.ndim == 3 and "RGB" in str(header.get("CTYPE3", "")):
        return "SYX", ""
    return "QTZYX"[-pixels.ndim :], ""


def _astropy() -> Any:
    try:
        from astropy.io import fits
    except ImportError as error:
        raise Refusal('is a FITS file, which needs astropy: pip install "restoretk[astro]"') from error
    return fits
