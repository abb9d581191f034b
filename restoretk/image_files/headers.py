"""How large the picture in a file says it is, read from its first bytes: decoders may allocate before they look."""

from __future__ import annotations

import struct

from restoretk.image_files.limits import Limits
from restoretk.image_files.record import Refusal


def check_header(data: bytes, format_: str, limits: Limits) -> None:
    """Refuse a PNG, GIF, WebP or JPEG whose header says that it is larger than the limits."""
    try:
        if format_ == "PNG":
            columns, rows = struct.unpack_from(">II", data, 16)
        elif format_ == "GIF":
            columns, rows = struct.unpack_from("<HH", data, 6)
        elif format_ == "WEBP":
            rows, columns = webp_size(data)
        else:
            if format_ == "JPEG":
                # In the coded pixels every byte FF is followed by 00 or a restart: FF DA is the start of a scan.
                limits.check_scans(data.count(b"\xff\xda"))
            return
    except (struct.error, IndexError):
        raise Refusal(f"cannot be decoded as {format_}: it ends within its header") from None
    limits.check_picture(rows, columns)


def webp_size(data: bytes) -> tuple[int, int]:
    """Rows and columns; WebP container and bitstream specifications (RFC 9649, 2.5 to 2.7)."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[27:30], "little"), 1 + int.from_bytes(data[24:27], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    if kind == b"VP8 ":
        columns, rows = struct.unpack_from("<HH", data, 26)
        return rows & 0x3FFF, columns & 0x3FFF
    raise Refusal(f"cannot be decoded as WEBP: it begins with the chunk {kind!r}")
