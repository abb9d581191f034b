"""What each format holds, and what it would lose of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from restoretk.image_files.record import ImageFile, Refusal

_EXIF, _ICC, _XMP, _RESOLUTION, _TEXT = "EXIF", "ICC profile", "XMP", "resolution", "text"
_LARGEST_JPEG_SEGMENT = 65533  # bytes; ITU T.81, B.1.1.4
_XMP_HEADER = 29  # bytes before a packet in a JPEG; XMP specification part 3, 1.1.3


@dataclass(frozen=True)
class Format:
    """Dtypes in grey and in colour, best last (None: every integer and float), alpha, stacks, metadata."""

    grey: tuple[str, ...] | None
    colour: tuple[str, ...] | None
    alpha: bool
    stacks: bool
    metadata: tuple[str, ...]


_FITS = ("uint8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64")  # unsigned through BZERO

FORMATS = {
    "PNG": Format(("uint8", "uint16"), ("uint8", "uint16"), True, False, (_EXIF, _ICC, _XMP, _RESOLUTION, _TEXT)),
    "JPEG": Format(("uint8",), ("uint8",), False, False, (_EXIF, _ICC, _XMP, _RESOLUTION, _TEXT)),
    "WEBP": Format(("uint8",), ("uint8",), True, False, (_EXIF, _ICC, _XMP, _RESOLUTION)),
    "BMP": Format(("uint8",), ("uint8",), False, False, (_RESOLUTION,)),
    "PPM": Format(("uint8", "uint16"), ("uint8", "uint16"), False, False, ()),
    "TIFF": Format(None, None, True, True, (_EXIF, _ICC, _XMP, _RESOLUTION)),
    "NPY": Format(None, None, False, True, ()),
    "FITS": Format(_FITS, _FITS, False, True, ()),
}


def dtype_for(name: str, wanted: np.dtype[Any], like: ImageFile, *, allow_loss: bool) -> tuple[np.dtype[Any], str]:
    """The dtype to write, and what is lost by it: the wanted one, or with ``allow_loss`` the best that there is."""
    holds = FORMATS[name]
    colour = like.channel_axis is not None
    allowed = holds.colour if colour else holds.grey
    if wanted.kind not in "iuf" or wanted.itemsize > 8:
        raise Refusal(f"cannot hold {wanted}: the dtype must be an integer or a float of at most 64 bits")
    if allowed is None or wanted.name in allowed:
        return wanted, ""
    if allow_loss:
        best = np.dtype(allowed[-1] if wanted.itemsize > 1 else allowed[0])
        return best, f"the depth of {wanted} (written as {best})"
    raise Refusal(
        f"cannot hold {'colour' if colour else 'grey'} of dtype {wanted}: as {name} it holds {' or '.join(allowed)}; "
        f"write .tif, or ask for the dtype {allowed[-1]}, or allow the loss (--allow-loss)"
    )


def check_shape(name: str, like: ImageFile) -> None:
    """Raise Refusal for an array that the format cannot hold at all."""
    holds, channel = FORMATS[name], like.channel_axis
    if holds.stacks:
        return
    if like.image.ndim != 2 + (channel is not None):
        raise Refusal(f"cannot hold an array of shape {like.image.shape} as {name}: write .tif or .npy")
    if channel is not None and like.image.shape[channel] != 3:
        raise Refusal(f"cannot hold {like.image.shape[channel]} channels as {name}: write .tif or .npy")


def losses(name: str, like: ImageFile, *, strip: bool = False) -> tuple[str, ...]:
    """What a picture has and the format cannot hold, by name: transparency and, unless stripped, what stands beside."""
    holds = FORMATS[name]
    lost = []
    if like.alpha is not None and not holds.alpha and (like.alpha < 1).any():
        lost.append("transparency")
    if strip:
        return tuple(lost)
    beside = {_EXIF: like.exif, _ICC: like.icc_profile, _XMP: like.xmp, _RESOLUTION: like.dpi}
    too_long = {_EXIF: like.exif, _XMP: bytes(_XMP_HEADER) + like.xmp if like.xmp else None} if name == "JPEG" else {}
    for kind, value in beside.items():
        if not value:
            continue
        if kind not in holds.metadata:
            lost.append(kind)
        elif kind in too_long and len(too_long[kind] or b"") > _LARGEST_JPEG_SEGMENT:
            lost.append(f"{kind} of more than 64 KiB")
    return tuple(lost)


def only_said(name: str, like: ImageFile, dtype: np.dtype[Any]) -> tuple[str, ...]:
    """What is lost without asking, since it says nothing about this picture alone or was not read, by name."""
    lost = list(like.left_behind)
    if like.bit_depth == 1:
        lost.append(f"the depth of 1 bit (written as {dtype})")
    if like.microscopy is not None and not (name == "TIFF" and like.microscopy.fits(dtype, like.axes)):
        lost.append("the description of its microscope")
    kept = [key for key in like.text if name == "PNG" or key == "restoretk" or (name == "JPEG" and key == "Comment")]
    lost += [f"text ({key})" for key in like.text if key not in kept]
    if like.png_chunks and name != "PNG":
        lost.append(f"PNG chunks ({', '.join(like.png_chunks)})")
    if like.header and name != "FITS":
        lost.append("the FITS header")
    return tuple(lost)
