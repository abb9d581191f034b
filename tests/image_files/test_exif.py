"""EXIF is changed entry by entry: what is not meant stays where it was, byte for byte."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from restoretk.image_files import decode_image, exif, xmp


def _block(order: str) -> bytes:
    """A block with a text that is no ASCII, a note of the maker, a GPS folder and a thumbnail, in either byte order."""
    maker, artist = b"NOTE\x01\x02\x03\x04\x05", "André".encode() + b"\0"
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    main = [
        (271, 2, 6, 8 + 2 + 12 * 5 + 4),
        (274, 3, 1, None),
        (315, 2, len(artist), 0),
        (34665, 4, 1, 0),
        (34853, 4, 1, 0),
    ]
    start = 8 + 2 + 12 * len(main) + 4
    texts = b"Maker\0" + artist
    texts += bytes(len(texts) % 2)
    details = start + len(texts)
    gps = details + 2 + 12 + 4 + len(maker) + 1
    values = [start, None, start + 6, details, gps]
    table = struct.pack(order + "H", len(main))
    for (tag, kind, count, _), value in zip(main, values, strict=True):
        packed = struct.pack(order + "HH", 6, 0) if value is None else struct.pack(order + "I", value)
        table += struct.pack(order + "HHI", tag, kind, count) + packed
    table += struct.pack(order + "I", gps + 2 + 12 + 4)
    inner = struct.pack(order + "HHHII", 1, 37500, 7, len(maker), details + 18) + bytes(4) + maker + b"\0"
    where = struct.pack(order + "HHHI", 1, 1, 2, 2) + b"N\0\0\0" + bytes(4)
    thumbnail = struct.pack(order + "HHHIHH", 1, 259, 3, 1, 6, 0) + bytes(4)
    return exif.PREFIX + head + table + texts + inner + where + thumbnail


@pytest.mark.parametrize("order", "<>")
def test_only_the_orientation_is_changed(order: str) -> None:
    block = _block(order)
    assert exif.orientation_of(block) == 6
    upright = exif.with_orientation_1(block)
    assert exif.orientation_of(upright) == 1
    assert len(upright) == len(block)
    assert sum(a != b for a, b in zip(upright, block, strict=True)) == 1
    assert Image.Exif().load(block) is None  # Pillow reads the block that was made here


@pytest.mark.parametrize("order", "<>")
def test_added_entries_move_nothing(order: str) -> None:
    block = _block(order)
    entries = {exif.DESCRIPTION: (exif.ASCII, b"how it was made\0"), 282: (exif.RATIONAL, struct.pack("<II", 300, 1))}
    more = exif.with_entries(block, entries)
    assert more[14 : len(block)] == block[14:]  # all but the pointer to the first folder
    assert exif.text_of(more, exif.DESCRIPTION) == b"how it was made"
    read = Image.Exif()
    read.load(more)
    assert (read[0x010F], read[0x0112], read[282]) == ("Maker", 6, 300)
    assert read.get_ifd(0x8769)[37500] == b"NOTE\x01\x02\x03\x04\x05"
    assert read.get_ifd(0x8825)[1] == "N"
    assert "André".encode() in more


@pytest.mark.parametrize("order", "<>")
def test_a_block_goes_into_a_tiff_and_comes_out_again(order: str) -> None:
    pixels = np.arange(70, dtype=np.uint16).reshape(7, 10)
    target = io.BytesIO()
    tifffile.imwrite(target, pixels, metadata=None, software=False)
    data = exif.into_tiff(target.getvalue(), _block(order))
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        np.testing.assert_array_equal(tiff.asarray(), pixels)
        assert tiff.pages.first.tags["Make"].value == "Maker"
        assert tiff.pages.first.tags["ExifTag"].value["MakerNote"] == b"NOTE\x01\x02\x03\x04\x05"
        assert 274 not in tiff.pages.first.tags
    again = exif.from_tiff(data)
    assert again is not None
    assert exif.text_of(again, 315) == "André".encode()
    assert dict(exif.readable(again)) == {
        tag: text for tag, text in exif.readable(_block(order)) if tag != exif.ORIENTATION
    }


def test_the_second_page_of_a_tiff_stays_reachable() -> None:
    target = io.BytesIO()
    with tifffile.TiffWriter(target) as writer:
        for level in (1, 2):
            writer.write(np.full((7, 10), level, np.uint8), metadata=None)
    with tifffile.TiffFile(io.BytesIO(exif.into_tiff(target.getvalue(), _block("<")))) as tiff:
        assert [int(page.asarray()[0, 0]) for page in tiff.pages] == [1, 2]


def test_damaged_blocks_are_left_alone_and_say_nothing() -> None:
    rng = np.random.default_rng(5)
    block = _block("<")
    for _ in range(2000):
        data = bytearray(block)
        for position in rng.integers(6, len(data), 3):
            data[position] = rng.integers(256)
        damaged = bytes(data[: rng.integers(6, len(data) + 1)])
        assert 1 <= exif.orientation_of(damaged) <= 8
        assert len(exif.with_orientation_1(damaged)) == len(damaged)
        assert isinstance(exif.readable(damaged), list)
        exif.resolution_of(damaged)


def test_orientation_in_xmp_alone_is_applied_and_reset() -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
    target, pixels = io.BytesIO(), np.arange(63, dtype=np.uint8).reshape(7, 9)
    Image.fromarray(pixels).save(target, "WEBP", lossless=True, xmp=packet)
    file = decode_image(target.getvalue())
    assert file.orientation == 8
    np.testing.assert_array_equal(np.rint(255 * file.image[..., 0]), np.rot90(pixels))
    assert xmp.orientation_of(file.xmp or b"") == 1
    assert xmp.orientation_of(b"<tiff:Orientation>3</tiff:Orientation>") == 3
    assert xmp.orientation_of(b"<a/>") == 1
