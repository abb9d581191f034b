"""What a file is, by its first bytes; its name is only compared with them."""

from __future__ import annotations

from pathlib import Path

from restoretk.image_files.record import SUFFIXES

READABLE = "PNG, JPEG, TIFF, WebP, BMP, GIF, PGM/PPM, NPY, FITS, HEIC or camera raw"

#: Names of raw files, most of which are TIFF by their bytes.
RAW_SUFFIXES = (".nef", ".cr2", ".cr3", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw")

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"\x93NUMPY": "NPY",
    b"SIMPLE  =": "FITS",
    b"FUJIFILMCCD-RAW": "RAW",
    b"IIRO": "RAW",  # Olympus
    b"IIRS": "RAW",
    b"IIU\0": "RAW",  # Panasonic
}
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def format_of(data: bytes, name: str = "") -> str | None:
    """The format of a file, None if it is none that is read.

    Examples
    --------
    >>> format_of(b"GIF89a....", "photo.png"), format_of(b"%!PS-Adobe")
    ('GIF', None)
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return "RAW" if data[8:12] == b"crx " else "HEIF" if data[8:12] in _HEIF_BRANDS else None
    if data[:1] == b"P" and data[1:2] in b"123456f" and data[2:3].isspace():
        return "PPM"
    found = next((name for start, name in _MAGIC.items() if data.startswith(start)), None)
    raw = Path(name).suffix.lower() in RAW_SUFFIXES or data[8:10] == b"CR"
    return "RAW" if found == "TIFF" and raw else found


def name_says_otherwise(name: str, format_: str) -> str:
    """A sentence where the name of a file belongs to another format than its bytes; else empty."""
    said = SUFFIXES.get(Path(name).suffix.lower())
    if said is None or said == format_ or format_ == "RAW":
        return ""
    return f"is a {format_} file, whatever its name says, and is read as one"


def not_a_picture(name: str, data: bytes) -> str:
    """Why a file of no known format is refused."""
    if Path(name).suffix.lower() in SUFFIXES:
        return f"is not a picture, whatever its name says: it begins with {data[:8]!r}"
    return f"is not a {READABLE} file: it begins with {data[:8]!r}"
