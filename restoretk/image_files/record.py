"""What was read from an image file, what was written to one, and the formats there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.image_files.microscopy import Microscopy

#: Which format a file name asks for. What a file *is* is told by its first bytes, never by its name.
SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".pgm": "PPM",
    ".ppm": "PPM",
    ".pnm": "PPM",
    ".pbm": "PPM",
    ".pfm": "PPM",
    ".npy": "NPY",
    ".fits": "FITS",
    ".fit": "FITS",
    ".fts": "FITS",
    ".heic": "HEIF",
    ".heif": "HEIF",
}

#: The formats that are also written.
WRITTEN = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "PPM", "NPY", "FITS")


_HIGHEST_LIGHT = 10.0  # floats in light stay under it, but for lamps and the sun


class ImageFileError(ValueError):
    """A file that cannot be read or written without losing something; the message is one line and names the file."""


class Refusal(ValueError):  # noqa: N818 - it never leaves the package; outside it is an ImageFileError
    """Why a file is refused, without its name: the door that knows the name turns this into an ImageFileError."""


def shown(path: object) -> str:
    """A path as one printable line: control characters and bytes that are no text are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(path))


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
    exif, icc_profile, xmp : bytes or None
        As they stood in the file, with the orientation set to 1 because it was applied.
    dpi : (float, float) or None
        Pixels an inch along a row and along a column.
    png_chunks : mapping
        The chunks of a PNG that say what its numbers mean as light (gAMA, cHRM, sRGB, cICP).
    text : mapping
        Text beside the picture by its keyword: of a PNG, the comment of a JPEG or GIF.
    mode : str
        The kind of pixels in the file in the words of its decoder: RGB, P (palette), CMYK, 1 (bits), float32, ...
    bit_depth : int
        Bits of one number in the file.
    palette : bool
        Whether the file stored indices into a palette.
    pages : int
        Pages, slices or frames in the file.
    orientation : int
        The EXIF orientation before it was applied, 1 to 8.
    header : str
        The cards of a FITS header.
    microscope : bool
        Whether the metadata of a TIFF are those of a microscope's program (ImageJ, OME, ...).
    microscopy : Microscopy or None
        What ImageJ or OME says beside the pixels, their sizes among it.
    notes : tuple of str
        Sentences about how the file was read, where there is more than one way to.
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
    xmp: bytes | None = None
    text: Mapping[str, str] = field(default_factory=dict)
    mode: str = ""
    bit_depth: int = 0
    palette: bool = False
    pages: int = 1
    orientation: int = 1
    header: str = ""
    microscope: bool = False
    microscopy: Microscopy | None = None
    png_chunks: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def unscaled(self) -> str:
        """A sentence where the floats of the file look like levels of 8 or 16 bits, and not like light up to 1; else empty.

        Floats are never scaled: filters do not mind, but a noise level, a metric and an integer output do.
        """
        if self.dtype.kind != "f" or not (highest := float(np.nanmax(self.image))) > _HIGHEST_LIGHT:
            return ""
        depth = next((f": divide by {top} if that is white" for top in (255, 65535) if highest <= top), "")
        return f"holds floats up to {highest:.6g}, which are never scaled, and white is 1{depth}"


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """The pixels as they stand in the file, before the numerical door: what each decoder hands over.

    ``alpha`` says that the last sample of the axis "S" is transparency; ``assumed`` what the file leaves open, in words.
    """

    pixels: Array
    axes: str | None
    alpha: bool = False
    orientation: int = 1
    exif: bytes | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    left_behind: tuple[str, ...] = ()
    xmp: bytes | None = None
    text: Mapping[str, str] = field(default_factory=dict)
    mode: str = ""
    bit_depth: int = 0
    palette: bool = False
    pages: int = 1
    header: str = ""
    microscope: bool = False
    microscopy: Microscopy | None = None
    png_chunks: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    assumed: str = ""


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
        What the source held and this file does not, by name.
    data_bytes : int
        The size of the file.
    """

    path: Path
    format: str
    dtype: np.dtype[Any]
    pixels: int
    clipped: int
    lost: tuple[str, ...]
    data_bytes: int = 0
