"""The directories of a TIFF, walked and measured before anything is decoded: loops, bombs and tables without end."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from restoretk.image_files.limits import Limits
from restoretk.image_files.record import Refusal

_WIDTH, _LENGTH, _SAMPLES, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 277, 322, 323  # TIFF 6.0
_DEFLATE = (8, 32946)  # Compression: the two numbers of zlib
_MOST_INFLATED = 1032  # bytes out of one byte of deflate; Deutsch, RFC 1951, and Gailly and Adler's technical notes
_CHUNK = 2**20
_HARMLESS = 64 * 2**20
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}


def check_directories(data: bytes, limits: Limits) -> int:
    """The number of pages, if the chain of directories ends and no page says that it is larger than the limits."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    pointer, entry_size, count_format = ("Q", 20, "Q") if big else ("I", 12, "H")
    seen: set[int] = set()
    try:
        (start,) = struct.unpack_from(order + pointer, data, 8 if big else 4)
        while start:
            if start in seen:
                raise Refusal("is a damaged TIFF: its pages form a loop")
            seen.add(start)
            limits.check_size(values=0, item_bytes=1, file_bytes=len(data), frames=len(seen))
            (count,) = struct.unpack_from(order + count_format, data, start)
            entries = start + struct.calcsize(count_format)
            _check_page(data, entries, count, order, big, limits)
            (start,) = struct.unpack_from(order + pointer, data, entries + entry_size * count)
    except struct.error:
        raise Refusal("is a damaged TIFF: a directory lies beyond its end") from None
    return len(seen)


def _check_page(data: bytes, entries: int, count: int, order: str, big: bool, limits: Limits) -> None:
    """Refuse a page of too many bytes of tags, too many pixels, or tiles of too many."""
    size, layout = (20, "HHQ") if big else (12, "HHI")
    if entries + size * count > len(data):
        raise Refusal("is a damaged TIFF: a directory lies beyond its end")
    limits.check_tags(size * count)
    numbers, tag_bytes = {}, 0
    for index in range(count):
        tag, kind, length = struct.unpack_from(order + layout, data, entries + size * index)
        tag_bytes += _SIZES.get(kind, 0) * length
        if kind in _NUMBERS and length == 1:
            at = entries + size * index + struct.calcsize("<" + layout)
            (numbers[tag],) = struct.unpack_from(order + _NUMBERS[kind], data, at)
    limits.check_tags(tag_bytes)
    limits.check_picture(numbers.get(_LENGTH, 1), numbers.get(_WIDTH, 1))
    limits.check_picture(numbers.get(_TILE_LENGTH, 1), numbers.get(_TILE_WIDTH, 1))
    limits.check_size(values=numbers.get(_SAMPLES, 1), item_bytes=1, file_bytes=len(data))


def check_segments(data: bytes, pages: list[Any]) -> None:
    """Refuse a strip or tile of zlib that inflates to much more than the pixels it stands for.

    tifffile inflates without a limit. Segments that could not become large are not looked at.
    """
    for page in pages:
        key = page.keyframe  # of the pages of a stack only the first says all about itself
        if int(key.compression) not in _DEFLATE:
            continue
        expected = key.dtype.itemsize * key.samplesperpixel
        for length in key.tile if key.is_tiled else (key.rowsperstrip, key.imagewidth):
            expected *= int(length)
        allowed = 2 * expected + _HARMLESS
        for offset, length in zip(page.dataoffsets, page.databytecounts, strict=False):
            if length * _MOST_INFLATED > allowed and _inflates_beyond(data[offset : offset + length], allowed):
                raise Refusal(f"holds a strip of {length} bytes that inflates to more than {allowed}: made to burst")


def _inflates_beyond(segment: bytes, allowed: int) -> bool:
    inflating, found = zlib.decompressobj(), 0
    rest = segment
    while rest and not inflating.eof:
        found += len(inflating.decompress(rest, _CHUNK))
        rest = inflating.unconsumed_tail
        if found > allowed:
            return True
    return False
