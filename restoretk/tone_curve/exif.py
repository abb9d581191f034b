"""Which colour space EXIF names, read from its bytes, of which nothing is believed."""

from __future__ import annotations

import struct

_EXIF_FOLDER, _INTEROPERABILITY_FOLDER, _COLOR_SPACE = 0x8769, 0xA005, 0xA001  # EXIF 2.32, tables 3, 5 and 8
_SHORT = 3  # a number of 16 bits; EXIF 2.32, 4.6.2
_MOST_ENTRIES = 1000


def exif_color_space(exif: bytes) -> str:
    """``sRGB`` or ``Adobe RGB`` where EXIF says so, else empty: also where the block is damaged.

    ColorSpace is 1 for sRGB; cameras say Adobe RGB by 2, or by "uncalibrated" and the interoperability index R03
    (DCF 2.0, 4.7).

    Examples
    --------
    >>> from PIL import Image
    >>> exif = Image.Exif()
    >>> exif.get_ifd(0x8769)[0xA001] = 1
    >>> exif_color_space(exif.tobytes())
    'sRGB'
    """
    block = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return ""
    try:
        main = _folder(block, struct.unpack_from(order + "I", block, 4)[0], order)
        details = _folder(block, main[_EXIF_FOLDER], order) if _EXIF_FOLDER in main else {}
        color_space = details.get(_COLOR_SPACE)
        if color_space in (1, 2):
            return "sRGB" if color_space == 1 else "Adobe RGB"
        if _INTEROPERABILITY_FOLDER in details:
            start = details[_INTEROPERABILITY_FOLDER]
            if _folder(block, start, order).get(1) == int.from_bytes(b"R03\0", "little" if order == "<" else "big"):
                return "Adobe RGB"
    except struct.error:  # a number beyond the end of the block: what a damaged block says is nothing
        return ""
    return ""


def _folder(block: bytes, start: int, order: str) -> dict[int, int]:
    """The entries of one image file directory whose value is a single number, or up to four bytes taken as one."""
    (count,) = struct.unpack_from(order + "H", block, start)
    found = {}
    for entry in range(min(count, _MOST_ENTRIES)):
        tag, kind, _ = struct.unpack_from(order + "HHI", block, start + 2 + 12 * entry)
        (found[tag],) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), block, start + 10 + 12 * entry)
    return found
