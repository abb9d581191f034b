"""The chunks of a PNG file: what stands beside the pixels, taken out and put in."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: Chunks that say what the numbers mean as light, carried as they are.
OF_LIGHT = ("cHRM", "gAMA", "sRGB", "cICP")


def chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and body of each chunk, up to the first that the file does not hold whole."""
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        if position + 12 + length > len(data):
            return
        yield data[position + 4 : position + 8].decode("latin-1"), data[position + 8 : position + 8 + length]
        position += 12 + length


def is_deep_colour(data: bytes) -> bool:
    """Whether the file holds 16 bits a sample and several samples a pixel, of which Pillow reads 8 bits."""
    return data[24:25] == b"\x10" and data[25:26] in (b"\x02", b"\x04", b"\x06")


def with_chunks_of(data: bytes, other: bytes) -> bytes:
    """A PNG with the pixels of ``data`` and what stands beside the pixels in ``other``."""
    parts = [SIGNATURE]
    for name, body in chunks(data):
        if name not in ("IHDR", "IDAT", "IEND", "PLTE", "tRNS", "sBIT"):
            continue  # what the encoder of the pixels says beside them
        parts.append(_chunk(name, body))
        if name == "IHDR":
            beside = (each for each in chunks(other) if each[0] not in ("IHDR", "IDAT", "IEND", "PLTE", "tRNS", "sBIT"))
            parts.extend(_chunk(*each) for each in beside)
    return b"".join(parts)


def _chunk(name: str, body: bytes) -> bytes:
    kind = name.encode("latin-1")
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
