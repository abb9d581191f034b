"""What was read from an image file, what was written to one, and the formats there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array

#: Which format a file name asks for. What a file *is* is told by its first bytes, never by its name.
SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".npy": "NPY",
}


class ImageFileError(ValueError):
    """A file that cannot be read or written without losing something; the message is one line and names the file."""


class Refusal(ValueError):  # noqa: N818 - it never leaves the package; outside it is an ImageFileError
    """Why a file is refused, without its name: the door that knows the name turns this into an ImageFileError."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageFile:
    """The pixels of a file and everything that is needed to write a changed picture back as the same kind of file.

    Attributes
    ----------
    image : array
        Floats: fractions of the full range for integer files (so in [0, 1] when unsigned), the values themselves for
        float files. float32 for files of 8 and 16 bits, without alpha, upright (EXIF orientation applied).
    channel_axis : int or None
        The colour axis, None for grey.
    alpha : array or None
        Transparency in [0, 1], of the picture's rows and columns. It is carried, never filtered.
    dtype : numpy.dtype
        The dtype of the pixels in the file.
    format : str
        One of the values of ``SUFFIXES``.
    path : Path or None
        Where it was read from, so that writing can refuse to overwrite it.
    axes : str or None
        One letter an axis of ``image`` as in TIFF: Y rows, X columns, S or C colour, Z, T, I (pages), Q (unknown).
    exif, icc_profile : bytes or None
        As they stood in the file, with the EXIF orientation set to 1 because it was applied.
    dpi : (float, float) or None
        Pixels an inch along a row and along a column.
    left_behind : tuple of str
        What the file holds and this record does not, by name.
    """

    image: Array
    channel_axis: int | None
    dtype: np.dtype[Any]
    format: str
    alpha: Array | None = None
    path: Path | None = None
    axes: str | None = None
    exif: bytes | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    left_behind: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """The pixels as they stand in the file, before the numerical door: what each decoder hands over.

    ``alpha`` says that the last sample of the axis "S" is transparency.
    """

    pixels: Array
    axes: str | None
    alpha: bool = False
    orientation: int = 1
    exif: bytes | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    left_behind: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WrittenFile:
    """What was written, and what it cost.

    Attributes
    ----------
    path : Path
        The file.
    format : str
        One of the values of ``SUFFIXES``.
    dtype : numpy.dtype
        The dtype of the pixels in the file.
    pixels : int
        The number of pixels (colours counted once).
    clipped : int
        How many of them lay outside what the dtype holds (for unsigned integers [0, 1]) in at least one channel.
    lost : tuple of str
        Metadata of the source that this file does not hold, by name.
    """

    path: Path
    format: str
    dtype: np.dtype[Any]
    pixels: int
    clipped: int
    lost: tuple[str, ...]
