"""Pictures of every format, whole ones and odd ones, as bytes."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from restoretk._arrays import Array

Image.init()


def scene(*channels: int) -> Array:
    """A small picture of 8 bits, neither square nor symmetric; with all channels different."""
    rows, columns = np.mgrid[0:25, 0:33]
    levels = [(7 * rows + 5 * columns * (1 + channel) + 31 * channel) % 256 for channel in range(max(channels or (1,)))]
    return np.stack(levels, axis=-1).astype(np.uint8) if channels else levels[0].astype(np.uint8)


def pillow(format_: str, pixels: Array | Image.Image | None = None, **options: Any) -> bytes:
    """A file that Pillow writes."""
    target = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(scene(3) if pixels is None else pixels)
    picture.save(target, format_, **options)
    return target.getvalue()


def tiff(pixels: Array, **options: Any) -> bytes:
    """A file that tifffile writes."""
    target = io.BytesIO()
    tifffile.imwrite(target, pixels, **options)
    return target.getvalue()


def npy(array: Any, *, pickled: bool = False) -> bytes:
    """A file that numpy writes."""
    target = io.BytesIO()
    np.save(target, np.asarray(array), allow_pickle=pickled)
    return target.getvalue()


def npy_header(text: str, body: bytes = bytes(800)) -> bytes:
    """A .npy file whose header is this text."""
    header = text.encode() + b"\n"
    return b"\x93NUMPY\x02\0" + struct.pack("<I", len(header)) + header + body


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes) -> bytes:
    """A PNG with more chunks after its header."""
    whole = pillow("PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]


def jpeg_with(marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment."""
    whole = pillow("JPEG")
    return whole[:2] + bytes([255, marker]) + struct.pack(">H", len(body) + 2) + body + whole[2:]


def fits(values: Array, bits: int = 8) -> bytes:
    """A FITS file of one picture, by its standard."""
    cards = ["SIMPLE  =                    T", f"BITPIX  = {bits:20}", "NAXIS   =                    2"]
    cards += [f"NAXIS1  = {values.shape[1]:20}", f"NAXIS2  = {values.shape[0]:20}", "END"]
    head = "".join(card.ljust(80) for card in cards).encode()
    body = values.tobytes()
    return head.ljust(2880, b" ") + body + bytes(-len(body) % 2880)


def sixteen_bit_colour() -> bytes:
    """A PNG of 16 bits and three channels, as Pillow cannot write it."""
    pixels = scene(3).astype(">u2") * 257
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", 33, 25, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def pnm(head: bytes, body: bytes = bytes(range(200)) * 20) -> bytes:
    """A PGM or PPM with this header."""
    return head + body


def whole() -> dict[str, bytes]:
    """One good file of each format, by name."""
    grey, colour = scene(), scene(3)
    files = {
        "grey.png": pillow("PNG", grey),
        "colour.png": pillow("PNG", colour),
        "deep.png": sixteen_bit_colour(),
        "baseline.jpg": pillow("JPEG", colour, quality=90),
        "progressive.jpg": pillow("JPEG", colour, progressive=True),
        "plain.tif": tiff(grey),
        "deflate.tif": tiff(colour, compression="zlib", photometric="rgb"),
        "tiles.tif": tiff(grey, tile=(16, 16)),
        "big.tif": tiff(grey.astype(np.uint16) * 257, bigtiff=True, byteorder=">"),
        "pages.tif": tiff(np.stack([grey, 255 - grey, grey // 2]), photometric="minisblack"),
        "lossless.webp": pillow("WEBP", colour, lossless=True),
        "lossy.webp": pillow("WEBP", colour),
        "colour.bmp": pillow("BMP", colour),
        "still.gif": pillow("GIF", grey),
        "colour.ppm": pillow("PPM", colour),
        "floats.npy": npy(grey / 255),
        "sky.fits": fits(grey),
    }
    Image.registered_extensions()
    try:
        import pillow_heif
    except ModuleNotFoundError:
        return files
    target = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(colour)).save(target)
    return files | {"phone.heic": target.getvalue()}


def odd_modes() -> dict[str, tuple[bytes, str]]:
    """Files of unusual kinds: bytes, and whether they are read ("fine"), not ("refused") or perhaps ("either")."""
    grey, colour = scene(), scene(3)
    floats = (grey / 255).astype(np.float32)
    picture = Image.fromarray(colour)
    palette = picture.quantize(16)
    cmyk = picture.convert("CMYK")
    return {
        "bits.png": (pillow("PNG", Image.fromarray(grey).convert("1")), "either"),
        "palette.png": (pillow("PNG", palette), "either"),
        "transparent.png": (pillow("PNG", palette, transparency=3), "either"),
        "alpha.png": (pillow("PNG", scene(4)), "fine"),
        "grey-alpha.png": (pillow("PNG", scene(2)), "fine"),
        "interlaced.png": (pillow("PNG", colour), "fine"),
        "sixteen.png": (pillow("PNG", grey.astype(np.uint16) * 257), "fine"),
        "moving.png": (pillow("PNG", save_all=True, append_images=[picture.rotate(9)]), "either"),
        "one.png": (pillow("PNG", grey[:1, :1]), "either"),
        "row.png": (pillow("PNG", grey[:1]), "either"),
        "column.png": (pillow("PNG", grey[:, :1]), "either"),
        "black.png": (pillow("PNG", 0 * grey), "either"),
        "cmyk.jpg": (pillow("JPEG", cmyk), "either"),
        "one.jpg": (pillow("JPEG", grey[:1, :1]), "either"),
        "cmyk.tif": (pillow("TIFF", cmyk), "either"),
        "lab.tif": (pillow("TIFF", picture.convert("LAB")), "either"),
        "ycbcr.tif": (pillow("TIFF", picture.convert("YCbCr")), "either"),
        "bits.tif": (pillow("TIFF", Image.fromarray(grey).convert("1")), "either"),
        "fax.tif": (pillow("TIFF", Image.fromarray(grey).convert("1"), compression="group4"), "either"),
        "palette.tif": (pillow("TIFF", palette), "either"),
        "jpeg.tif": (pillow("TIFF", picture, compression="jpeg"), "either"),
        "lzma.tif": (tiff(grey, compression=34925) if _can(34925) else pillow("TIFF"), "either"),
        "little.tif": (tiff(grey.astype("<u2") * 257), "fine"),
        "large-end.tif": (tiff(grey.astype(">u2") * 257, byteorder=">"), "fine"),
        "integers.tif": (tiff(grey.astype(np.uint32)), "either"),
        "signed.tif": (tiff(grey.astype(np.int16) - 100), "either"),
        "half.tif": (tiff(floats.astype(np.float16)), "either"),
        "double.tif": (tiff(floats.astype(np.float64)), "fine"),
        "complex.tif": (tiff(floats.astype(np.complex64)), "refused"),
        "holes.tif": (tiff(np.where(floats > 0.5, np.nan, floats)), "refused"),
        "planes.tif": (tiff(colour.transpose(2, 0, 1), planarconfig="separate", photometric="rgb"), "either"),
        "hyper.tif": (tiff(scene(4)[None, None], metadata={"axes": "TZYXS"}, photometric="rgb"), "either"),
        "bool.npy": (npy(grey > 99), "either"),
        "complex.npy": (npy(floats + 1j), "refused"),
        "objects.npy": (npy(np.array([[1, "a"]], object), pickled=True), "refused"),
        "records.npy": (npy(np.zeros((5, 5), [("a", "f4"), ("b", "i2")])), "refused"),
        "words.npy": (npy(np.array([["a", "b"]])), "refused"),
        "bytes.npy": (npy(np.array([[b"a", b"b"]])), "refused"),
        "dates.npy": (npy(np.zeros((9, 9), "M8[s]")), "refused"),
        "void.npy": (npy(np.zeros((9, 9), "V7")), "refused"),
        "scalar.npy": (npy(np.float64(1)), "refused"),
        "line.npy": (npy(np.linspace(0, 1, 50)), "either"),
        "none.npy": (npy(np.zeros((0, 5))), "refused"),
        "axes.npy": (npy(np.zeros((2,) * 9)), "either"),
        "nan.npy": (npy(np.full((9, 9), np.nan)), "refused"),
        "infinite.npy": (npy(np.full((9, 9), np.inf)), "refused"),
        "huge.npy": (npy(np.full((25, 33), 1e308)), "either"),
        "tiny.npy": (npy(floats.astype(np.float64) * 5e-324), "either"),
        "longest.npy": (npy(floats.astype(np.longdouble)), "either"),
        "wide.npy": (npy(np.full((25, 33), 2**63 + 1, np.uint64)), "refused"),
        "swapped.npy": (npy(floats.astype(">f8")), "fine"),
        "fortran.npy": (npy(np.asfortranarray(floats)), "fine"),
        "code.npy": (npy_header("{'descr': __import__('os').system('touch ran'), 'shape': (3, 3)}"), "refused"),
        "deep.npy": (npy_header("(" * 3000 + ")" * 3000), "refused"),
        "long.npy": (npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (9, 9)}" + " " * 70000), "either"),
        "nested.npy": (npy_header("{'descr': '|O', 'fortran_order': False, 'shape': (9, 9)}"), "refused"),
        "no-dtype.npy": (npy_header("{'descr': 'x99', 'fortran_order': False, 'shape': (9, 9)}"), "refused"),
        "binary.npy": (npy_header("\0" * 50), "refused"),
        "maximum-1.pgm": (pnm(b"P5 9 9 1\n"), "either"),
        "maximum-0.pgm": (pnm(b"P5 9 9 0\n"), "refused"),
        "maximum-70000.pgm": (pnm(b"P5 9 9 70000\n"), "refused"),
        "maximum-65535.pgm": (pnm(b"P5 9 9 65535\n"), "either"),
        "negative.pgm": (pnm(b"P5 -9 9 255\n"), "refused"),
        "comments.pgm": (pnm(b"P5 " + b"# a comment\n" * 5000 + b"9 9 255\n"), "either"),
        "digits.pgm": (pnm(b"P5 " + b"9" * 5000 + b" 9 255\n"), "refused"),
        "floats.pfm": (pnm(b"Pf 9 9 -1.0\n"), "either"),
        "levels.pgm": (pnm(b"P2 2 2 255\n", b"1 2 3 999999"), "refused"),
        "letters.pgm": (pnm(b"P2 2 2 255\n", b"1 2 x 4"), "refused"),
        "bits.pbm": (pnm(b"P4 9 9\n"), "either"),
        "moving.gif": (pillow("GIF", palette, save_all=True, append_images=[palette.rotate(9)]), "either"),
        "moving.webp": (pillow("WEBP", save_all=True, append_images=[picture.rotate(9)]), "either"),
        "palette.bmp": (pillow("BMP", palette), "either"),
        "bits.bmp": (pillow("BMP", Image.fromarray(grey).convert("1")), "either"),
    }


def _can(compression: int) -> bool:
    try:
        tiff(scene(), compression=compression)
    except Exception:
        return False
    return True


def odd_metadata() -> dict[str, bytes]:
    """Good pixels with metadata that lies, commands a terminal, or is no metadata."""
    escape = b"\x1b]0;owned\x07\x1b[2J\r\x9b31m\xff"
    exif = Image.Exif()
    exif[0x010F] = escape.decode("latin-1")
    exif[0x0112] = 9
    shape = json.dumps({"shape": [-1, 5]})
    return {
        "text.png": png_with(chunk(b"tEXt", b"Comment\0" + escape), chunk(b"tEXt", escape + b"\0" + escape)),
        "international.png": png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<x>" * 20000)),
        "profile.png": png_with(chunk(b"iCCP", b"p\0\0" + zlib.compress(b"no profile" + escape))),
        "no-zlib.png": png_with(chunk(b"iCCP", b"p\0\0not compressed")),
        "exif.png": png_with(chunk(b"eXIf", b"II*\0\xff\xff\xff\x7f")),
        "gamma.png": png_with(chunk(b"gAMA", bytes(4)), chunk(b"cHRM", b"\xff" * 32)),
        "gamma-short.png": png_with(chunk(b"gAMA", b"1")),
        "resolution.png": png_with(chunk(b"pHYs", b"\xff" * 8 + b"\x01")),
        "coding.png": png_with(chunk(b"cICP", b"\xff\xff\xff\xff")),
        "unknown.png": png_with(chunk(b"zzZz", escape * 99), chunk(b"zzzz", b"")),
        "critical.png": png_with(chunk(b"ABCD", b"what")),
        "checksum.png": png_with(b"\0\0\0\1tEXta\0\0\0\0"),
        "two-headers.png": png_with(chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0))),
        "make.jpg": pillow("JPEG", exif=exif),
        "exif.jpg": jpeg_with(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 90),
        "exif-loop.jpg": jpeg_with(0xE1, b"Exif\0\0II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\x08\0\0\0"),
        "xmp.jpg": jpeg_with(
            0xE1, b"http://ns.adobe.com/xap/1.0/\0<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;"
        ),
        "profile.jpg": jpeg_with(0xE2, b"ICC_PROFILE\0\1\1" + struct.pack(">I", 2**32 - 1) + escape * 20),
        "profile-part.jpg": jpeg_with(0xE2, b"ICC_PROFILE\0\7\2short"),
        "adobe.jpg": jpeg_with(0xEE, b"Adobe\0\x64\0\0\0\0\x07"),
        "photoshop.jpg": jpeg_with(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\xff\xff\xff\xff"),
        "density.jpg": jpeg_with(0xE0, b"JFIF\0\1\1\1\0\0\0\0\xff\xff"),
        "multi.jpg": jpeg_with(0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
        "comment.jpg": jpeg_with(0xFE, escape * 500),
        "described.tif": tiff(scene(), description=b"\x1b[2J owned", metadata=None),
        "software.tif": tiff(scene(), software=escape.decode("latin-1").encode("ascii", "replace"), metadata=None),
        "shaped.tif": tiff(scene(), description=shape, metadata=None),
        "imagej.tif": tiff(scene(), description="ImageJ=1.5\nimages=-3\nspacing=nan\nunit=\\u001b", metadata=None),
        "resolution.tif": tiff(scene(), resolution=((7919, 1), (1, 1))).replace(struct.pack("<II", 7919, 1), bytes(8)),
        "profile.tif": tiff(scene(), iccprofile=escape * 9),
        "xmp.tif": tiff(scene(), extratags=[(700, 1, 9, b"<a><b></a>"[:9], True)]),
        "card.fits": fits(scene()).replace(b"END" + b" " * 77, b"OBJECT  = '\x1b[2J'".ljust(80) + b"END".ljust(80), 1)[
            : 2880 * 2
        ],
    }


def disguises() -> dict[str, bytes]:
    """Files that are not what their name says, each of which some reader would run, open or fetch."""
    entity = (
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'bbbbbbbb'>"
        + b"<!ENTITY c '&b;&b;&b;'>" * 50
        + b"]><svg>&c;</svg>"
    )
    return {
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(ran) (w) file closefile\nshowpage\n%%EOF\n",
        "binary-eps": b"\xc5\xd0\xd3\xc6" + bytes(28) + b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "entities": entity,
        "pdf": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
        "zip": b"PK\x03\x04" + bytes(60),
        "html": b"<!DOCTYPE html><img src=http://127.0.0.1:9/x.png>",
        "pickle": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\ttouch ran\x85R.",
        "gzip": b"\x1f\x8b\x08" + bytes(30),
        "script": b"#!/bin/sh\ntouch ran\n",
        "program": b"\x7fELF\x02\x01\x01" + bytes(60),
        "film": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(60),
        "brand": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60),
        "raw": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(60),
        "photoshop": b"8BPS\0\1" + bytes(40),
        "jpeg2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60),
        "icon": b"\0\0\1\0\1\0\xff\xff" + bytes(40),
        "fuji": b"FUJIFILMCCD-RAW 0201FF393103" + bytes(90),
        "zeros": bytes(5000),
        "ones": b"\xff" * 5000,
        "word": b"\x89PNG\r\n\x1a\n",
        "start": b"\xff\xd8\xff\xe0",
        "order": b"II*\0\x08\0\0\0",
        "far": b"MM\0*\xff\xff\xff\xff" + bytes(20),
        "riff": b"RIFF\xff\xff\xff\xffWEBPVP8 ",
    }
