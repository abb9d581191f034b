"""How long a file can be whose first bytes are known: what has no end is not read to its end."""

from __future__ import annotations

import io
import math
import re
import struct
from typing import BinaryIO

import numpy as np

from restoretk.image_files.headers import webp_size
from restoretk.image_files.limits import Limits
from restoretk.image_files.record import Refusal
from restoretk.image_files.sniffing import format_of

ENOUGH_TO_KNOW = 1 << 16  # bytes that hold the header of any format but a JPEG with a long profile
_STEP = 1 << 24
_BESIDE_THE_PIXELS = 64 << 20  # bytes of metadata, previews and frames
_BYTES_A_PIXEL = 32  # four channels of 16 bits, as text in the worst case
_PPM = re.compile(rb"P[1-6f]" + rb"(?:\s|#[^\r\n]*[\r\n])+(\d{1,9})" * 2 + rb"\s")
_NO_SIZE = (0xC4, 0xC8, 0xCC)  # JPEG markers among those of frames that begin none: ITU-T T.81, table B.1


def read_whole(file: BinaryIO, limits: Limits, *, only_pictures: bool = False) -> bytes:
    """All bytes of a file or a stream, read in steps and no further than its own header lets it reach.

    ``only_pictures``: of what is no picture only the beginning is read.

    Raises
    ------
    Refusal
        If it is longer than the limit, or than a picture with its header can be.
    """
    data = bytearray(file.read(ENOUGH_TO_KNOW))
    format_ = format_of(bytes(data[:ENOUGH_TO_KNOW]))
    if format_ is None and only_pictures:
        return bytes(data)
    longest = None
    while True:
        if longest is None and format_ is not None and len(data) <= _BESIDE_THE_PIXELS + _STEP:
            longest = _longest(bytes(data), format_)
        allowed = limits.file_bytes if longest is None else min(longest, limits.file_bytes)
        more = file.read(min(_STEP, max(allowed + 1 - len(data), 1)))
        data += more
        limits.check_file(len(data))
        if longest is not None and len(data) > longest:
            raise Refusal(f"is longer than any {format_} with its header can be ({longest} bytes)")
        if not more:
            return bytes(data)


def _longest(data: bytes, format_: str) -> int | None:
    """How many bytes a file can have that begins like this, None where that cannot be told (yet)."""
    try:
        pixels = _pixels(data, format_)
    except Exception:  # the header may be broken in any way: the decoder will say in which
        return _BESIDE_THE_PIXELS
    if pixels is None:
        return None if len(data) < _BESIDE_THE_PIXELS or format_ != "JPEG" else _BESIDE_THE_PIXELS
    return _BESIDE_THE_PIXELS + _BYTES_A_PIXEL * pixels


def _pixels(data: bytes, format_: str) -> int | None:
    """Rows times columns of the picture, as its first bytes have them."""
    if format_ == "PNG":
        return math.prod(struct.unpack_from(">II", data, 16))
    if format_ == "GIF":
        return 10 * math.prod(struct.unpack_from("<HH", data, 6))  # and more frames
    if format_ == "WEBP":
        return 10 * math.prod(webp_size(data))
    if format_ == "BMP":
        return abs(math.prod(struct.unpack_from("<ii", data, 18)))
    if format_ == "PPM":
        found = _PPM.match(data)
        return 0 if found is None else int(found[1]) * int(found[2])
    if format_ == "NPY":
        return _npy_values(data)
    if format_ == "JPEG":
        return _jpeg_pixels(data)
    return _tiff_pixels(data) if format_ == "TIFF" else None


def _npy_values(data: bytes) -> int:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return max(0, math.prod(shape)) * dtype.itemsize // _BYTES_A_PIXEL + 1


def _jpeg_pixels(data: bytes) -> int | None:
    """Rows times columns in the header of the frame, None if it has not come yet."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return 0
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker == 0xDA:
            return 0
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_SIZE:
            return math.prod(struct.unpack_from(">HH", data, at + 5)) or 2**32
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _tiff_pixels(data: bytes) -> int | None:
    """Rows times columns times samples of all pages, None while directories lie beyond what has been read."""
    if b"ImageJ=" in data or b'"shape":' in data:
        return None  # one directory may stand for a whole stack
    order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")
    pointer, count_format, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    size = struct.calcsize("=" + entry)
    (start,) = struct.unpack_from(order + pointer, data, 8 if big else 4)
    total, seen = 0, set[int]()
    while start and start not in seen:
        seen.add(start)
        try:
            (count,) = struct.unpack_from(order + count_format, data, start)
            first = start + struct.calcsize("=" + count_format)
            (start,) = struct.unpack_from(order + pointer, data, first + size * count)
        except struct.error:
            return None
        total += _page_pixels(data, order, entry, range(first, first + size * count, size))
    return total


def _page_pixels(data: bytes, order: str, entry: str, places: range) -> int:
    """Width times length times samples of a page: TIFF 6.0, section 2."""
    found = {256: 0, 257: 0, 277: 1}
    for place in places:
        tag, kind, _, value = struct.unpack_from(order + entry, data, place)
        if tag in found:
            # A short stands at the beginning of its field, whatever the byte order.
            short = struct.unpack_from(order + "H", data, place + struct.calcsize("=" + entry[:3]))[0]
            found[tag] = short if kind == 3 else value
    return math.prod(found.values())
