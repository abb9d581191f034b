"""What a format cannot hold is an error that says what would be lost, unless that is allowed; then it is said."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from restoretk._arrays import Array
from restoretk.image_files import (
    ImageFile,
    ImageFileError,
    check_output,
    decode_image,
    encode_image,
    made_by_of,
    premultiply,
    read_image,
    unpremultiply,
    what_is_lost,
    write_image,
)

ROWS, COLUMNS = 21, 34


@pytest.fixture
def photo(tmp_path: Path, rng: np.random.Generator) -> ImageFile:
    """A photograph with everything beside it that a JPEG can have."""
    exif = Image.Exif()
    exif[0x010F], exif[0x010E] = "Maker", "A picture"
    pixels = rng.integers(0, 255, (ROWS, COLUMNS, 3), dtype=np.uint8)
    beside = {
        "exif": exif,
        "icc_profile": bytes(300),
        "dpi": (300, 300),
        "comment": "made by hand",
        "xmp": b"<x:xmpmeta/>",
    }
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", quality=90, **beside)
    return read_image(tmp_path / "photo.jpg")


@pytest.mark.parametrize(
    ("suffix", "lost"),
    [
        (".bmp", ("EXIF", "ICC profile", "XMP")),
        (".ppm", ("EXIF", "ICC profile", "XMP", "resolution")),
        (".npy", ("EXIF", "ICC profile", "XMP", "resolution")),
        (".fits", ("EXIF", "ICC profile", "XMP", "resolution")),
    ],
)
def test_metadata_are_not_lost_unasked(tmp_path: Path, photo: ImageFile, suffix: str, lost: tuple[str, ...]) -> None:
    pytest.importorskip("astropy" if suffix == ".fits" else "numpy", reason="the extra astro")
    path = tmp_path / f"out{suffix}"
    with pytest.raises(ImageFileError, match=f"cannot hold the {', the '.join(lost)} of the picture") as caught:
        write_image(path, photo.image, like=photo)
    assert "--strip" in str(caught.value)
    assert "--allow-loss" in str(caught.value)
    assert write_image(path, photo.image, like=photo, allow_loss=True).lost == (*lost, "text (Comment)")
    assert write_image(path, photo.image, like=photo, strip=True, overwrite=True).lost == ()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_strip_leaves_nothing_beside_the_pixels(tmp_path: Path, photo: ImageFile, suffix: str) -> None:
    kept = read_image(write_image(tmp_path / f"kept{suffix}", photo.image, like=photo).path)
    assert (kept.exif is None, kept.icc_profile, kept.xmp) == (False, bytes(300), b"<x:xmpmeta/>")
    stripped = read_image(write_image(tmp_path / f"stripped{suffix}", photo.image, like=photo, strip=True).path)
    assert (stripped.exif, stripped.icc_profile, stripped.xmp, stripped.dpi) == (None, None, None, None)
    assert stripped.text == {}


def test_depth_and_transparency_are_lost_only_where_that_is_allowed(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 65535, (ROWS, COLUMNS, 4), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    deep = read_image(tmp_path / "deep.tif")
    with pytest.raises(ImageFileError, match=r"cannot hold colour of dtype uint16: as JPEG it holds uint8"):
        check_output(tmp_path / "out.jpg", deep)
    with pytest.raises(ImageFileError, match="cannot hold the transparency of the picture as JPEG"):
        check_output(tmp_path / "out.jpg", deep, dtype="uint8")
    written = write_image(tmp_path / "out.jpg", deep.image, like=deep, allow_loss=True)
    assert written.lost == ("the depth of uint16 (written as uint8)", "transparency")
    assert written.dtype == np.uint8
    assert what_is_lost(deep, "JPEG") == written.lost
    assert what_is_lost(deep, "PNG") == ()
    floats = replace(deep, dtype=np.dtype(np.float32))
    assert what_is_lost(floats, "PNG") == ("the depth of float32 (written as uint16)",)
    stack = ImageFile(image=np.zeros((5, 6, 7)), channel_axis=None, dtype=np.dtype(np.uint8), format="")
    with pytest.raises(ImageFileError, match=r"cannot hold an array of shape \(5, 6, 7\) as PNG"):
        write_image(tmp_path / "stack.png", stack.image, like=stack, allow_loss=True)


def test_exif_too_long_for_a_jpeg_is_a_loss(photo: ImageFile) -> None:
    assert photo.exif is not None
    long = replace(photo, exif=photo.exif + bytes(70_000))
    with pytest.raises(ImageFileError, match="EXIF of more than 64 KiB"):
        encode_image("JPEG", photo.image, like=long)
    data, written = encode_image("JPEG", photo.image, like=long, allow_loss=True)
    assert written.lost == ("EXIF of more than 64 KiB",)
    assert decode_image(data).exif is None


def test_quality_is_that_of_the_file_and_refused_where_it_means_nothing(photo: ImageFile) -> None:
    sizes = [len(encode_image("JPEG", photo.image, like=photo, quality=quality)[0]) for quality in (30, 95, 100)]
    assert sizes == sorted(sizes)
    assert len(encode_image("JPEG", photo.image, like=photo)[0]) == sizes[1]
    lossy, lossless = (encode_image("WEBP", photo.image, like=photo, quality=q)[0] for q in (50, None))
    assert len(lossy) < len(lossless)
    for name, quality in (("PNG", 90), ("JPEG", 0), ("JPEG", 101)):
        with pytest.raises(ValueError, match="quality must be 1 to 100 and for JPEG or WebP"):
            encode_image(name, photo.image, like=photo, quality=quality)


MADE_BY = {"method": "wiener", "parameters": {"noise_to_signal": np.float64(0.01), "psf": "disk:radius=4"}}


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "FITS"])
def test_how_a_picture_was_made_is_written_beside_it(photo: ImageFile, format_: str) -> None:
    pytest.importorskip("astropy" if format_ == "FITS" else "numpy", reason="the extra astro")
    like = photo if format_ != "FITS" else replace(photo, exif=None, icc_profile=None, xmp=None, dpi=None)
    once = decode_image(encode_image(format_, photo.image, like=like, made_by=MADE_BY)[0])
    records = made_by_of(once)
    assert [record["method"] for record in records] == ["wiener"]
    assert records[0]["parameters"] == {"noise_to_signal": 0.01, "psf": "disk:radius=4"}
    assert next(iter(records[0])) == "restoretk"
    twice = decode_image(encode_image(format_, once.image, like=once, made_by={"method": "second"})[0])
    assert [record["method"] for record in made_by_of(twice)] == ["wiener", "second"]
    if format_ != "FITS":
        assert b"A picture" in (twice.exif or b"")  # the description of the photographer stays
        assert b"Maker" in (twice.exif or b"")


def test_how_a_stack_was_made_stands_beside_its_axes(rng: np.random.Generator) -> None:
    stack, _ = encode_image("TIFF", rng.random((5, ROWS, COLUMNS)), made_by=MADE_BY)
    file = decode_image(stack)
    assert file.axes == "ZYX"
    again = decode_image(encode_image("TIFF", file.image, like=file, made_by={"method": "second"})[0])
    assert [record["method"] for record in made_by_of(again)] == ["wiener", "second"]
    with tifffile.TiffFile(io.BytesIO(stack)) as tiff:
        assert json.loads(tiff.pages.first.description)["axes"] == "ZYX"


def test_the_same_picture_gives_the_same_bytes(photo: ImageFile) -> None:
    for format_ in ("JPEG", "PNG", "WEBP", "TIFF"):
        first, second = (encode_image(format_, photo.image, like=photo, made_by=MADE_BY)[0] for _ in range(2))
        assert first == second


def test_chunks_of_light_and_text_of_a_png_stay(tmp_path: Path, rng: np.random.Generator) -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", (45455).to_bytes(4, "big"))
    info.add_text("Author", "somebody")
    info.add_itxt("Title", "ein schönes Bild")
    Image.fromarray(rng.integers(0, 255, (9, 11), dtype=np.uint8)).save(tmp_path / "in.png", pnginfo=info)
    source = read_image(tmp_path / "in.png")
    for dtype in ("uint8", "uint16"):
        again = read_image(
            write_image(tmp_path / "out.png", source.image, like=source, dtype=dtype, overwrite=True).path
        )
        assert again.png_chunks == {"gAMA": (45455).to_bytes(4, "big")}
        assert again.text == {"Author": "somebody", "Title": "ein schönes Bild"}
    lost = write_image(tmp_path / "out.jpg", source.image, like=source).lost
    assert lost == ("text (Author)", "text (Title)", "PNG chunks (gAMA)")


def test_hidden_colours_do_not_bleed_and_come_back(rng: np.random.Generator) -> None:
    image = rng.random((ROWS, COLUMNS, 3), dtype=np.float32)
    alpha = rng.random((ROWS, COLUMNS), dtype=np.float32)
    alpha[3:9, 5:11] = 0
    image[3:9, 5:11] = 100  # hidden, and of no meaning
    seen = premultiply(image, alpha, 2)
    assert seen.max() <= 1
    back = unpremultiply(seen, alpha, 2, hidden=image)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, image, rtol=1e-6)
    planar = unpremultiply(premultiply(image.transpose(2, 0, 1), alpha, 0), alpha, 0, hidden=image.transpose(2, 0, 1))
    np.testing.assert_array_equal(planar, back.transpose(2, 0, 1))


def test_opaque_pictures_are_not_touched(rng: np.random.Generator) -> None:
    image: Array = rng.random((5, 6))
    assert premultiply(image, None) is image
    assert premultiply(image, np.ones((5, 6))) is image
    assert unpremultiply(image, np.ones((5, 6)), hidden=image * 0) is image
    with pytest.raises(ValueError, match=r"alpha of shape \(5, 5\) does not fit"):
        premultiply(image, np.zeros((5, 5)))
