"""EXIF without loss: single entries are changed in the bytes as they stand, or carried between a TIFF and a block.

Pillow writes EXIF too, but turns every text into ASCII and moves the notes of camera makers, whose offsets then point
nowhere. Here what is not meant stays where it was: entries are added by a new first folder at the end of the block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

PREFIX = b"Exif\0\0"
ORIENTATION, DESCRIPTION, SOFTWARE = 274, 270, 305
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7  # TIFF 6.0, page 15

_EXIF_FOLDER, _GPS_FOLDER, _INTEROPERABILITY_FOLDER = 34665, 34853, 40965
_FOLDERS = (_EXIF_FOLDER, _GPS_FOLDER, _INTEROPERABILITY_FOLDER)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of each type
_PARTS = {5: 4, 10: 4}  # rationals are pairs of numbers of 4 bytes
_FORMATS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d"}
_MOST_ENTRIES = 2000
# What describes the picture and not how its pixels lie in the file: what a TIFF and an EXIF block have in common.
# Document, description, maker, model, page, software, date, artist, computer, rating, titles of Windows, copyright.
_DESCRIPTIVE = (269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 40091, 40092, 40093, 40094, 40095, 33432)
# Image data of a thumbnail or of a TIFF: sizes, strips, tiles, colour, profile, XMP.
_STRUCTURE = frozenset((*range(254, 269), *range(273, 285), 288, 289, 290, 291, *range(292, 306), *range(317, 354))) - {
    285,
    305,
}
_STRUCTURE |= {512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 700, 33723, 34377, 34675, 50341}


class ExifError(ValueError):
    """A block that is damaged."""


@dataclass(frozen=True)
class Entry:
    """One value: its type, the bytes in the byte order of its block, and a folder where it points to one."""

    kind: int
    data: bytes
    folder: dict[int, Entry] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many numbers or characters."""
        return len(self.data) // _SIZES[self.kind]


def orientation_of(exif: bytes) -> int:
    """The orientation, 1 to 8; 1 where there is none or the block is damaged."""
    try:
        block, order = _block(exif)
        entry = _folder(block, _start(block, order), order).get(ORIENTATION)
    except ExifError:
        return 1
    if entry is None or entry.kind != SHORT or entry.count != 1:
        return 1
    value = struct.unpack(order + "H", entry.data)[0]
    return value if 1 <= value <= 8 else 1


def text_of(exif: bytes | None, tag: int) -> bytes:
    """The text of an entry of the first folder, empty where there is none."""
    try:
        block, order = _block(exif or b"")
        entry = _folder(block, _start(block, order), order).get(tag)
    except ExifError:
        return b""
    return b"" if entry is None or entry.kind != ASCII else entry.data.rstrip(b"\0")


def readable(exif: bytes) -> list[tuple[int, str]]:
    """Tags and their values as text, of the first folder and those inside it; nothing of a damaged block."""
    try:
        block, order = _block(exif)
        return list(_readable(_folder(block, _start(block, order), order), order))
    except ExifError:
        return []


def _readable(folder: Mapping[int, Entry], order: str) -> Iterator[tuple[int, str]]:
    for tag, entry in folder.items():
        if entry.folder:
            yield from _readable(entry.folder, order)
        elif entry.kind == ASCII:
            yield tag, entry.data.rstrip(b"\0").decode("utf-8", "replace")
        elif entry.kind in _FORMATS and entry.count <= 16:
            numbers = struct.unpack(order + _FORMATS[entry.kind] * entry.count, entry.data)
            yield tag, " ".join(map(str, numbers))
        elif entry.kind in (RATIONAL, 10) and entry.count <= 16:
            parts = struct.unpack(order + ("I" if entry.kind == RATIONAL else "i") * 2 * entry.count, entry.data)
            yield tag, " ".join(f"{over}/{under}" for over, under in zip(parts[::2], parts[1::2], strict=True))
        else:
            yield tag, f"({len(entry.data)} bytes)"


def resolution_of(exif: bytes | None) -> tuple[float, float] | None:
    """Pixels an inch along a row and along a column, None where the block does not say."""
    try:
        block, order = _block(exif or b"")
        folder = _folder(block, _start(block, order), order)
    except ExifError:
        return None
    unit = folder.get(RESOLUTION_UNIT)
    inches = {2: 1.0, 3: 2.54}.get(struct.unpack(order + "H", unit.data)[0] if unit and unit.kind == SHORT else 2)
    found = []
    for tag in (X_RESOLUTION, Y_RESOLUTION):
        entry = folder.get(tag)
        if inches is None or entry is None or entry.kind != RATIONAL or entry.count != 1:
            return None
        over, under = struct.unpack(order + "II", entry.data)
        if not over or not under:
            return None
        found.append(inches * over / under)
    return found[0], found[1]


def with_orientation_1(exif: bytes) -> bytes:
    """The block saying that the picture stands upright, nothing else changed; a damaged block stays as it is."""
    try:
        block, order = _block(exif)
        positions = _entry_positions(block, _start(block, order), order)
    except ExifError:
        return exif
    for position in positions:
        tag, kind, _ = struct.unpack_from(order + "HHI", block, position)
        if tag == ORIENTATION and kind == SHORT:
            return PREFIX + block[: position + 8] + struct.pack(order + "HH", 1, 0) + block[position + 12 :]
    return PREFIX + block


def with_entries(exif: bytes | None, entries: Mapping[int, tuple[int, bytes]]) -> bytes:
    """The block with entries of the first folder (tag to type and little-endian bytes) added or replaced.

    Everything else stays where it was, but a thumbnail of the old picture is no longer pointed to.
    """
    block, order = _block(exif) if exif else (b"II*\0\0\0\0\0", "<")
    start = _start(block, order)
    folder = _folder(block, start, order, follow=False) if start else {}
    for tag, (kind, data) in entries.items():
        folder[tag] = Entry(kind, data if order == "<" else _swapped(kind, data))
    return PREFIX + bytes(_appended(bytearray(block), folder, order, following=0))


def from_tiff(data: bytes) -> bytes | None:
    """The EXIF block of a TIFF: what describes the picture; None where there is nothing (or it is a BigTIFF)."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    order = "<" if data[:2] == b"II" else ">"
    folder = _folder(data, _start(data, order), order)
    kept = {tag: entry for tag, entry in folder.items() if tag in _DESCRIPTIVE or (tag in _FOLDERS and entry.folder)}
    if DESCRIPTION in kept and _machine_made(kept[DESCRIPTION].data):
        del kept[DESCRIPTION]
    if SOFTWARE in kept and kept[SOFTWARE].data.rstrip(b"\0") == b"tifffile.py":
        del kept[SOFTWARE]
    if not kept:
        return None
    header = data[:4] + bytes(4)
    return PREFIX + bytes(_appended(bytearray(header), kept, order, following=0))


def into_tiff(tiff: bytes, exif: bytes, *, but: Iterable[int] = ()) -> bytes:
    """A little-endian TIFF with what a block says of the picture; its pixels stay where they are.

    ``but`` names tags to leave as the TIFF has them.
    """
    block, order = _block(exif)
    said = _folder(block, _start(block, order), order)
    if order == ">":
        said = _swapped_folder(said)
    target = bytearray(tiff)
    (start,) = struct.unpack_from("<I", target, 4)
    folder = _folder(tiff, start, "<", follow=False)
    leave = _STRUCTURE | set(but)
    folder |= {tag: entry for tag, entry in said.items() if tag not in leave}
    (following,) = struct.unpack_from("<I", target, start + 2 + 12 * len(_entry_positions(tiff, start, "<")))
    return bytes(_appended(target, folder, "<", following=following))


def _machine_made(text: bytes) -> bool:
    """Whether a description is not about the picture but about how a program stored it."""
    return text.startswith((b'{"shape"', b"ImageJ=", b"<?xml", b"<OME"))


def _block(exif: bytes) -> tuple[bytes, str]:
    block = exif.removeprefix(PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        raise ExifError("no EXIF block")
    return block, order


def _start(block: bytes, order: str) -> int:
    return int(struct.unpack_from(order + "I", block, 4)[0])


def _entry_positions(block: bytes, start: int, order: str) -> list[int]:
    """Where the entries of a folder lie."""
    if start + 2 > len(block):
        raise ExifError("a folder beyond the end")
    (count,) = struct.unpack_from(order + "H", block, start)
    if count > _MOST_ENTRIES or start + 2 + 12 * count > len(block):
        raise ExifError("a folder beyond the end")
    return [start + 2 + 12 * index for index in range(count)]


def _folder(block: bytes, start: int, order: str, *, follow: bool = True, depth: int = 0) -> dict[int, Entry]:
    """The entries of a folder with their bytes; of unknown type or beyond the end they are left out.

    With ``follow`` the folders that it points to are read too, else their pointers are kept as plain numbers.
    """
    entries = {}
    for position in _entry_positions(block, start, order):
        tag, kind, count = struct.unpack_from(order + "HHI", block, position)
        size = _SIZES.get(kind, 0) * count
        at = position + 8 if size <= 4 else struct.unpack_from(order + "I", block, position + 8)[0]
        if size == 0 or at + size > len(block):
            continue
        data = bytes(block[at : at + size])
        inner: dict[int, Entry] = {}
        if follow and tag in _FOLDERS and size == 4 and depth < 3:
            try:
                inner = _folder(block, struct.unpack(order + "I", data)[0], order, depth=depth + 1)
            except ExifError:
                continue  # a pointer to nowhere points to nothing that could be lost
        entries[tag] = Entry(kind, data, inner)
    return entries


def _appended(target: bytearray, folder: Mapping[int, Entry], order: str, *, following: int) -> bytearray:
    """A file or block whose first folder is this one, put at the end."""
    target.extend(bytes(len(target) % 2))
    struct.pack_into(order + "I", target, 4, len(target))
    target.extend(_laid_out(folder, len(target), order, following))
    return target


def _laid_out(folder: Mapping[int, Entry], start: int, order: str, following: int) -> bytes:
    """The bytes of a folder that will stand at ``start``, its long values and inner folders behind it."""
    table, behind = bytearray(struct.pack(order + "H", len(folder))), bytearray()
    end = start + 2 + 12 * len(folder) + 4
    for tag, entry in sorted(folder.items()):
        kind, count, data = entry.kind, entry.count, entry.data
        if entry.folder:
            kind, count, data = LONG, 1, struct.pack(order + "I", end + len(behind))
            behind.extend(_laid_out(entry.folder, end + len(behind), order, 0))
        elif len(data) > 4:
            at = end + len(behind)
            behind.extend(data + bytes(len(data) % 2))
            data = struct.pack(order + "I", at)
        table.extend(struct.pack(order + "HHI", tag, kind, count) + data.ljust(4, b"\0"))
    return bytes(table + struct.pack(order + "I", following) + behind)


def _swapped_folder(folder: Mapping[int, Entry]) -> dict[int, Entry]:
    return {tag: Entry(e.kind, _swapped(e.kind, e.data), _swapped_folder(e.folder)) for tag, e in folder.items()}


def _swapped(kind: int, data: bytes) -> bytes:
    """The bytes of numbers in the other byte order."""
    size = _PARTS.get(kind, _SIZES[kind])
    return data if size == 1 else np.frombuffer(data, f"u{size}").byteswap().tobytes()
