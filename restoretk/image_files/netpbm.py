"""PPM with colours of 16 bits, of which Pillow reads 8: three big-endian numbers a pixel behind a short header."""

from __future__ import annotations

import re

import numpy as np

from restoretk._arrays import Array
from restoretk.image_files.record import Refusal

_TOP = 65535
# Magic, columns, rows and maximum, between them blanks and comments, then a single blank; netpbm's ppm(5).
_BLANK = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEADER = re.compile(rb"P([36])" + (_BLANK + rb"(\d{1,9})") * 3 + rb"\s")


def is_deep_ppm(data: bytes) -> bool:
    """Whether the file is a PPM whose colours have more than 8 bits.

    Raises
    ------
    Refusal
        If their maximum is not that of 16 bits, or if they are written as text.
    """
    found = _HEADER.match(data)
    if found is None or int(found[4]) <= 255:
        return False
    if found[1] != b"6" or int(found[4]) != _TOP:
        raise Refusal(f"is a P{found[1].decode()} of colours up to {int(found[4])}, not read here: save it up to 65535")
    return True


def decode_deep_ppm(data: bytes) -> Array:
    """The pixels (rows, columns, 3) of a file for which `is_deep_ppm`."""
    found = _HEADER.match(data)
    if found is None:
        raise Refusal("cannot be decoded as PPM: it ends within its header")
    columns, rows = int(found[2]), int(found[3])
    values = 3 * rows * columns
    if 2 * values > len(data) - found.end():
        raise Refusal(f"cannot be decoded as PPM: it should hold {2 * values} bytes and has {len(data) - found.end()}")
    pixels = np.frombuffer(data, ">u2", count=values, offset=found.end())
    return pixels.reshape(rows, columns, 3).astype(np.uint16)


def encode_deep_ppm(pixels: Array) -> bytes:
    """A PPM of uint16 pixels (rows, columns, 3)."""
    rows, columns, _ = pixels.shape
    return b"P6\n%d %d\n%d\n" % (columns, rows, _TOP) + pixels.astype(">u2").tobytes()
