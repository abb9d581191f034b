"""Small files that would become large: each is refused by what it says of itself, in little time and memory."""

from __future__ import annotations

import io
import json
import struct
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from restoretk.image_files import decode_image, read_image


def _png(columns: int, rows: int, *, depth: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0)
    body = _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", zlib.compress(bytes(1000))) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _jpeg(columns: int, rows: int, **options: object) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(target, "JPEG", **options)
    data = bytearray(target.getvalue())
    start = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[start + 5 : start + 9] = struct.pack(">HH", rows, columns)
    return bytes(data)


def _many_scans() -> bytes:
    data = _jpeg(3000, 3000, progressive=True)
    scan = data[data.index(b"\xff\xda") : -2]
    return data[:-2] + scan * 2000 + data[-2:]


def _gif() -> bytes:
    screen = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\xf0\0\0" + bytes(6)
    picture = b"," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\x02\x02\x4c\x01\0;"
    return screen + picture


def _webp(kind: bytes) -> bytes:
    body = {
        b"VP8X": b"\x10\0\0\0" + (16383).to_bytes(3, "little") * 2,
        b"VP8L": b"\x2f" + struct.pack("<I", 0x3FFF | 0x3FFF << 14) + bytes(20),
        b"VP8 ": b"\x30\x01\0\x9d\x01\x2a" + struct.pack("<HH", 0x3FFF, 0x3FFF) + bytes(20),
    }[kind]
    chunk = kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def _bmp() -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 30000, 30000, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 40, 0, 0, 54) + header + bytes(40)


def _ifd(entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    table = b"".join(
        struct.pack("<HHI", tag, kind, count) + struct.pack("<I", value) for tag, kind, count, value in entries
    )
    return struct.pack("<H", len(entries)) + table + struct.pack("<I", following)


def _tiff(entries: list[tuple[int, int, int, int]], following: int = 0, after: bytes = b"") -> bytes:
    return b"II*\0" + struct.pack("<I", 8) + _ifd(entries, following) + after


_PAGE = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 200)]
_PAGE += [(277, 3, 1, 1), (278, 4, 1, 64), (279, 4, 1, 4096)]


def _shared_tile() -> bytes:
    tiles = (20000 // 2000) ** 2
    entries = [(256, 4, 1, 20000), (257, 4, 1, 20000), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    start = 8 + 2 + 12 * 10 + 4
    tile = zlib.compress(bytes(2000 * 2000), 9)
    entries += [(322, 4, 1, 2000), (323, 4, 1, 2000), (324, 4, tiles, start), (325, 4, tiles, start + 4 * tiles)]
    offsets = struct.pack("<I", start + 8 * tiles) * tiles + struct.pack("<I", len(tile)) * tiles
    return _tiff(entries, after=offsets + tile)


def _shared_within_the_pixel_limit() -> bytes:
    return _shared_tile().replace(struct.pack("<HHII", 256, 4, 1, 20000), struct.pack("<HHII", 256, 4, 1, 4000))


def _described(text: str, **options: object) -> bytes:
    target = io.BytesIO()
    tifffile.imwrite(target, np.zeros((64, 64), np.uint8), description=text, metadata=None, **options)
    return target.getvalue()


def _ome() -> bytes:
    pixels = 'ID="P" DimensionOrder="XYZCT" Type="uint8" SizeX="64" SizeY="64" SizeZ="1" SizeC="1" SizeT="2000000000"'
    return _described(
        f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="I"><Pixels {pixels}>'
        "<TiffData/></Pixels></Image></OME>"
    )


def _burst_strip() -> bytes:
    inflating = zlib.compressobj(9)
    strip = b"".join(inflating.compress(bytes(2**20)) for _ in range(600)) + inflating.flush()
    entries = [(tag, kind, count, {259: 8, 279: len(strip)}.get(tag, value)) for tag, kind, count, value in _PAGE]
    return _tiff(entries).ljust(200, b"\0") + strip


def _many_pages() -> bytes:
    return b"II*\0" + struct.pack("<I", 8) + b"".join(struct.pack("<HI", 0, 8 + 6 * n) for n in range(1, 500_000))


def _npy(shape: str) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + bytes(100)


def _fits() -> bytes:
    cards = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    2"]
    cards += ["NAXIS1  =               200000", "NAXIS2  =               200000", "END"]
    return "".join(card.ljust(80) for card in cards).encode().ljust(2880, b" ") + bytes(2880)


def _text_chunks() -> bytes:
    text = b"Comment\0\0" + zlib.compress(bytes(50 * 2**20), 9)
    return _png(64, 64, colour=0, extra=_chunk(b"zTXt", text) * 200)


def _profile_chunk() -> bytes:
    return _png(64, 64, colour=0, extra=_chunk(b"iCCP", b"P\0\0" + zlib.compress(bytes(300 * 2**20), 9)))


#: Name of the file, what makes it, and what the refusal says.
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "canvas.jpg": (lambda: _jpeg(12000, 12000), "--max-pixels"),
    "progressive.jpg": (lambda: _jpeg(12000, 12000, progressive=True), "--max-pixels"),
    "small.jpg": (lambda: _jpeg(9000, 9000), "--max-expansion"),
    "scans.jpg": (_many_scans, "--max-scans"),
    "canvas.png": (lambda: _png(13000, 13000), "--max-pixels"),
    "bits.png": (lambda: _png(60000, 60000, depth=1, colour=0), "--max-pixels"),
    "small.png": (lambda: _png(9000, 9000), "--max-expansion"),
    "deep.png": (lambda: _png(9000, 9000, depth=16), "--max-expansion"),
    "palette.png": (
        lambda: _png(5000, 5000, colour=3, extra=_chunk(b"PLTE", bytes(6))),
        "--max-expansion",
    ),
    "nothing.png": (lambda: _png(0, 64), "no picture"),
    "text.png": (_text_chunks, "cannot be decoded as PNG"),
    "profile.png": (_profile_chunk, "cannot be decoded as PNG"),
    "canvas.gif": (_gif, "--max-pixels"),
    "extended.webp": (lambda: _webp(b"VP8X"), "--max-pixels"),
    "lossless.webp": (lambda: _webp(b"VP8L"), "--max-pixels"),
    "lossy.webp": (lambda: _webp(b"VP8 "), "--max-pixels"),
    "canvas.bmp": (_bmp, "--max-pixels"),
    "canvas.ppm": (lambda: b"P6 100000 100000 255\n" + bytes(50), "--max-pixels"),
    "plain.pgm": (lambda: b"P2 100000 100000 255\n" + b"1 " * 50, "--max-pixels"),
    "tiles.tif": (_shared_tile, "--max-pixels"),
    "shared.tif": (_shared_within_the_pixel_limit, "--max-expansion"),
    "ome.tif": (_ome, ""),  # its XML is not read: one page is there
    "shaped.tif": (lambda: _described('{"shape": [2000000000, 64, 64]}'), "TIFF|--max-"),
    "imagej.tif": (lambda: _described("ImageJ=1.54\nimages=2000000000\nslices=2000000000\n"), ""),
    "strip.tif": (_burst_strip, "made to burst"),
    "loop.tif": (lambda: _tiff(_PAGE, following=8), "form a loop"),
    "pages.tif": (_many_pages, "--max-frames"),
    "table.tif": (lambda: _tiff([*_PAGE, (700, 1, 2**32 - 1, 8)]), "--max-tag-bytes"),
    "tile.tif": (lambda: _tiff([*_PAGE, (322, 4, 1, 2**31), (323, 4, 1, 2**31)]), "--max-pixels"),
    "samples.tif": (lambda: _tiff([*_PAGE[:6], (277, 4, 1, 2**31 - 1), *_PAGE[7:]]), "--max-values"),
    "canvas.dng": (lambda: _tiff([(256, 4, 1, 60000), (257, 4, 1, 60000), *_PAGE[2:]]), "RAW|--max-pixels"),
    "shape.npy": (lambda: _npy("(1000000, 1000000)"), "--max-values"),
    "long.npy": (lambda: _npy("(1000, 1000)"), "should hold 1000000 bytes"),
    "negative.npy": (lambda: _npy("(-1, 5)"), "its shape is"),
    "axes.npy": (lambda: _npy("(" + "1, " * 40 + ")"), "its shape is"),
    "canvas.fits": (_fits, "truncated"),
}


def _peak() -> float:
    """The largest memory of this process so far, in MB (not ru_maxrss, which starts with that of the parent)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main(folder: Path) -> None:
    """Read every bomb; print what was said, the CPU time, and by how much the memory of the process has grown."""
    warnings.simplefilter("ignore")
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(buffer, "PNG")
    decode_image(buffer.getvalue())  # what is imported at the first picture counts as idle
    for name in BOMBS:
        idle, start = _peak(), time.process_time()
        try:
            said = f"read {read_image(folder / name).image.shape}"
        except ValueError as error:
            said = str(error)
        print(json.dumps([name, said, time.process_time() - start, _peak() - idle]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
