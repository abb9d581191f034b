"""Files in and out: pixels exact, nothing lost without a word, whole or not at all."""

from __future__ import annotations

import io
import os
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from restoretk._arrays import Array
from restoretk.image_files import (
    ImageFile,
    ImageFileError,
    check_output,
    check_output_path,
    read_image,
    write_bytes,
    write_image,
)

ROWS, COLUMNS = 21, 34  # not square, and large enough to be taken for a picture


def _levels(rng: np.random.Generator, dtype: str, channels: int | None = None) -> Array:
    """Random pixels over the whole range of the dtype, both ends included."""
    shape = (ROWS, COLUMNS) if channels is None else (ROWS, COLUMNS, channels)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    pixels = rng.integers(info.min, info.max, size=shape, dtype=dtype, endpoint=True)
    pixels[0, 0], pixels[-1, -1] = info.min, info.max
    return pixels


def _stored(path: Path) -> Array:
    """The pixels by another door than ours."""
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".tif":
        return tifffile.imread(path)
    with Image.open(path) as picture:
        return np.asarray(picture)


def _save(path: Path, pixels: Array, **options: object) -> Path:
    if path.suffix == ".npy":
        np.save(path, pixels)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, pixels, **({"photometric": "rgb"} if pixels.ndim == 3 else {}) | options)
    else:
        Image.fromarray(pixels).save(path, **({"lossless": True, "exact": True} if path.suffix == ".webp" else options))
    return path


LOSSLESS = [
    *((".png", "uint8", channels) for channels in (None, 2, 3, 4)),
    (".png", "uint16", None),
    *((".tif", dtype, None) for dtype in ("uint8", "uint16", "uint32", "int16", "float16", "float32", "float64")),
    *((".tif", dtype, 3) for dtype in ("uint8", "uint16", "float32")),
    *((".webp", "uint8", channels) for channels in (3, 4)),
    *((".bmp", "uint8", channels) for channels in (None, 3)),
    *((".npy", dtype, None) for dtype in ("uint8", "uint16", "int32", "float32", "float64")),
]


@pytest.mark.parametrize(("suffix", "dtype", "channels"), LOSSLESS)
def test_lossless_formats_return_every_pixel(
    tmp_path: Path, rng: np.random.Generator, suffix: str, dtype: str, channels: int | None
) -> None:
    pixels = _levels(rng, dtype, channels)
    source = read_image(_save(tmp_path / f"source{suffix}", pixels))
    written = write_image(tmp_path / f"again{suffix}", source.image, like=source)
    again = _stored(written.path)
    assert again.dtype == pixels.dtype
    np.testing.assert_array_equal(again, pixels)
    assert (written.clipped, written.lost, written.pixels) == (0, (), ROWS * COLUMNS)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_integers_are_read_as_fractions_of_the_full_range(tmp_path: Path, rng: np.random.Generator, dtype: str) -> None:
    pixels = _levels(rng, dtype)
    source = read_image(_save(tmp_path / "source.png", pixels))
    np.testing.assert_allclose(source.image, pixels / np.iinfo(dtype).max, atol=1e-7)
    assert (source.dtype, source.channel_axis, source.alpha, source.format) == (pixels.dtype, None, None, "PNG")


def test_floats_are_read_as_they_stand(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = 40 * _levels(rng, "float64")
    source = read_image(_save(tmp_path / "source.tif", pixels))
    assert source.image.dtype == np.float64
    np.testing.assert_array_equal(source.image, pixels)


def test_integers_too_wide_for_floats_are_refused(tmp_path: Path) -> None:
    small, large = np.full((4, 5), 2**40 + 1), np.full((4, 5), 2**60 + 1)
    assert read_image(_save(tmp_path / "small.npy", small)).dtype == np.int64
    with pytest.raises(ImageFileError, match="64-bit integers too large"):
        read_image(_save(tmp_path / "large.npy", large))


def test_big_endian_tiff_is_read_in_native_order(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = _levels(rng, "float32")
    source = read_image(_save(tmp_path / "source.tif", pixels, byteorder=">"))
    assert source.image.dtype.isnative
    assert source.dtype.isnative
    np.testing.assert_array_equal(source.image, pixels)


@pytest.mark.parametrize(("channels", "axis"), [(2, None), (4, 2)])
def test_alpha_is_set_apart_and_put_back(
    tmp_path: Path, rng: np.random.Generator, channels: int, axis: int | None
) -> None:
    pixels = _levels(rng, "uint8", channels)
    source = read_image(_save(tmp_path / "source.png", pixels))
    assert source.alpha is not None
    assert source.channel_axis == axis
    assert source.image.shape == (ROWS, COLUMNS) + (() if axis is None else (3,))
    np.testing.assert_allclose(source.alpha, pixels[..., -1] / 255, atol=1e-7)
    written = write_image(tmp_path / "half.tif", source.image / 2, like=source)
    np.testing.assert_array_equal(_stored(written.path)[..., -1], pixels[..., -1])
    again = read_image(written.path)
    assert again.alpha is not None
    np.testing.assert_array_equal(again.alpha, source.alpha)


def test_alpha_of_a_16_bit_tiff_returns(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = _levels(rng, "uint16", 4)
    source = read_image(_save(tmp_path / "s.tif", pixels, photometric="rgb", extrasamples=["unassalpha"]))
    assert source.image.shape == (ROWS, COLUMNS, 3)
    np.testing.assert_array_equal(_stored(write_image(tmp_path / "a.tif", source.image, like=source).path), pixels)


def test_premultiplied_colours_are_refused_unless_all_is_opaque(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = _levels(rng, "uint8", 4)
    options = {"photometric": "rgb", "extrasamples": ["assocalpha"]}
    with pytest.raises(ImageFileError, match="premultiplied"):
        read_image(_save(tmp_path / "half.tif", pixels, **options))
    pixels[..., 3] = 255
    assert read_image(_save(tmp_path / "opaque.tif", pixels, **options)).image.shape == (ROWS, COLUMNS, 3)


def test_palette_transparency_survives(tmp_path: Path) -> None:
    palette = Image.fromarray(np.arange(ROWS * COLUMNS, dtype=np.uint8).reshape(ROWS, COLUMNS) % 7).convert("P")
    palette.info["transparency"] = 3
    palette.save(tmp_path / "palette.png", transparency=3)
    source = read_image(tmp_path / "palette.png")
    assert source.alpha is not None
    assert source.channel_axis == 2
    np.testing.assert_array_equal(source.alpha == 0, np.asarray(palette) == 3)


def test_one_bit_pictures_are_black_and_white(tmp_path: Path, rng: np.random.Generator) -> None:
    bits = rng.random((ROWS, COLUMNS)) > 0.5
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png").image, bits)
    tifffile.imwrite(tmp_path / "bits.tif", bits, photometric="minisblack")
    np.testing.assert_array_equal(read_image(tmp_path / "bits.tif").image, bits)


def test_white_is_zero_is_turned_over(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = _levels(rng, "uint8")
    source = read_image(_save(tmp_path / "negative.tif", pixels, photometric="miniswhite"))
    np.testing.assert_allclose(source.image, 1 - pixels / 255, atol=1e-6)


@pytest.mark.parametrize(("dtype", "channels"), [("uint8", None), ("uint16", None), ("uint8", 3)])
def test_tiff_compressed_by_lzw_is_read_exactly(
    tmp_path: Path, rng: np.random.Generator, dtype: str, channels: int | None
) -> None:
    pixels = _levels(rng, dtype, channels)
    Image.fromarray(pixels).save(tmp_path / "lzw.tif", compression="tiff_lzw")
    source = read_image(tmp_path / "lzw.tif")
    np.testing.assert_allclose(source.image, pixels / np.iinfo(dtype).max, atol=1e-7)
    assert source.dtype == dtype


def test_a_stack_is_three_dimensional_and_returns_with_its_axes(tmp_path: Path, rng: np.random.Generator) -> None:
    stack = rng.integers(0, 60000, size=(5, ROWS, COLUMNS), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", stack, metadata={"axes": "ZYX"})
    source = read_image(tmp_path / "stack.tif")
    assert (source.image.shape, source.channel_axis, source.axes) == (stack.shape, None, "ZYX")
    written = write_image(tmp_path / "again.tif", source.image, like=source)
    with tifffile.TiffFile(written.path) as tiff:
        assert tiff.series[0].axes == "ZYX"
        np.testing.assert_array_equal(tiff.asarray(), stack)


def test_a_stack_of_three_pages_does_not_become_colour(tmp_path: Path, rng: np.random.Generator) -> None:
    stack = rng.random((3, ROWS, COLUMNS)).astype(np.float32)
    written = write_image(tmp_path / "stack.tif", stack)
    again = read_image(written.path)
    assert again.channel_axis is None
    np.testing.assert_array_equal(again.image, stack)


def test_pages_written_one_by_one_become_a_stack(tmp_path: Path, rng: np.random.Generator) -> None:
    stack = rng.integers(0, 255, size=(4, ROWS, COLUMNS), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "pages.tif") as writer:
        for page in stack:
            writer.write(page)
    np.testing.assert_allclose(read_image(tmp_path / "pages.tif").image, stack / 255, atol=1e-7)


def test_pages_that_are_not_alike_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "pages.tif") as writer:
        writer.write(np.zeros((ROWS, COLUMNS), np.uint8))
        writer.write(np.zeros((ROWS, 9), np.uint8))
    with pytest.raises(ImageFileError, match="2 pictures that are not alike"):
        read_image(tmp_path / "pages.tif")


def test_planar_colour_is_read_as_colour_and_channels_as_channels(tmp_path: Path, rng: np.random.Generator) -> None:
    planes = rng.integers(0, 255, size=(3, ROWS, COLUMNS), dtype=np.uint8)
    named = {"axes": "SYX"}
    tifffile.imwrite(tmp_path / "planar.tif", planes, photometric="rgb", planarconfig="separate", metadata=named)
    source = read_image(tmp_path / "planar.tif")
    assert source.channel_axis == 0
    written = write_image(tmp_path / "colour.png", source.image, like=source)
    np.testing.assert_array_equal(_stored(written.path), np.moveaxis(planes, 0, -1))
    tifffile.imwrite(tmp_path / "channels.tif", planes[:2], photometric="minisblack", metadata={"axes": "CYX"})
    channels = read_image(tmp_path / "channels.tif")
    assert channels.channel_axis == 0
    written = write_image(tmp_path / "again.tif", channels.image, like=channels)
    assert read_image(written.path).axes == "CYX"
    np.testing.assert_array_equal(_stored(written.path), planes[:2])


def test_planes_that_tifffile_tagged_by_itself_are_read_as_what_they_are_likely_to_be(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """The same bytes whether a stack was written without a word or planar colour with many: what was assumed is said."""
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
        stack = rng.integers(0, top, size=(4, ROWS, COLUMNS)).astype(dtype)
        tifffile.imwrite(tmp_path / "four.tif", stack, photometric="rgb", planarconfig="separate")
        with pytest.warns(UserWarning, match=r"four.tif holds 4 planes, taken for a stack of slices and not for RGBA"):
            four = read_image(tmp_path / "four.tif")
        assert (four.axes, four.channel_axis, four.alpha) == ("ZYX", None, None)
        np.testing.assert_allclose(four.image, stack / top, atol=1e-7)
        written = write_image(tmp_path / "again.tif", four.image, like=four, overwrite=True)
        np.testing.assert_array_equal(_stored(written.path), stack)
        assert read_image(written.path).axes == "ZYX"
        tifffile.imwrite(tmp_path / "three.tif", stack[:3], photometric="rgb", planarconfig="separate")
        with pytest.warns(UserWarning, match=r"three.tif holds 3 planes, taken for RGB and not for a stack .*'ZYX'"):
            three = read_image(tmp_path / "three.tif")
        assert (three.axes, three.channel_axis) == ("SYX", 0)


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("options", [{"metadata": {"axes": "ZYX"}}, {"imagej": True, "metadata": {"axes": "ZYX"}}])
def test_slices_that_the_file_names_are_slices_and_nothing_is_said(
    tmp_path: Path, rng: np.random.Generator, count: int, options: dict[str, object]
) -> None:
    stack = rng.integers(0, 255, size=(count, ROWS, COLUMNS)).astype(np.uint8)
    colour = {} if "imagej" in options else {"photometric": "rgb", "planarconfig": "separate"}
    tifffile.imwrite(tmp_path / "named.tif", stack, **options, **colour)
    source = read_image(tmp_path / "named.tif")
    assert (source.axes, source.channel_axis, source.alpha) == ("ZYX", None, None)


@pytest.mark.parametrize("samples", [3, 4])
def test_planar_colour_stays_planar(tmp_path: Path, rng: np.random.Generator, samples: int) -> None:
    planes = rng.integers(0, 255, size=(samples, ROWS, COLUMNS), dtype=np.uint8)
    options = {"photometric": "rgb", "planarconfig": "separate", "metadata": {"axes": "SYX"}}
    extra = {} if samples == 3 else {"extrasamples": ["unassalpha"]}
    tifffile.imwrite(tmp_path / "planar.tif", planes, **options, **extra)
    source = read_image(tmp_path / "planar.tif")
    assert source.image.shape == (3, ROWS, COLUMNS)
    assert (source.alpha is None) == (samples == 3)
    written = write_image(tmp_path / "again.tif", source.image, like=source)
    np.testing.assert_array_equal(_stored(written.path), planes)
    with tifffile.TiffFile(written.path) as tiff:
        page = tiff.pages.first
        assert (tiff.series[0].axes, int(page.planarconfig), int(page.photometric)) == ("SYX", 2, 2)
        assert len(page.extrasamples) == samples - 3


@pytest.mark.parametrize(("top", "says"), [(255, "divide by 255"), (60000, "divide by 65535"), (1e6, "white is 1$")])
def test_floats_far_above_white_are_not_written_as_integers(tmp_path: Path, top: float, says: str) -> None:
    levels = np.linspace(0, top, ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)
    tifffile.imwrite(tmp_path / "levels.tif", levels)
    source = read_image(tmp_path / "levels.tif")
    assert says.rstrip("$") in source.unscaled()
    with pytest.raises(
        ImageFileError, match=f"out.png would be all but white: .*levels.tif holds floats up to .*{says}"
    ):
        check_output(tmp_path / "out.png", source, dtype="uint8")
    check_output(tmp_path / "out.tif", source)
    light = levels / top
    light[0, :3] = 8  # a lamp
    assert read_image(_save(tmp_path / "light.npy", light)).unscaled() == ""


def test_jpeg_is_written_at_quality_95_without_subsampling(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = _levels(rng, "uint8", 3)
    source = read_image(_save(tmp_path / "source.png", pixels))
    written = write_image(tmp_path / "photo.jpg", source.image, like=source)
    with Image.open(written.path) as picture:
        assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3  # 4:4:4: one sample a pixel in every component
    reference = _save(tmp_path / "reference.jpg", pixels, quality=95, subsampling=0)
    np.testing.assert_array_equal(_stored(written.path), _stored(reference))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once_and_reset(tmp_path: Path, rng: np.random.Generator, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"
    path = _save(tmp_path / "turned.png", _levels(rng, "uint8", 3), exif=exif)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    source = read_image(path)
    np.testing.assert_allclose(source.image, expected / 255, atol=1e-7)
    written = write_image(tmp_path / "upright.png", source.image, like=source)
    with Image.open(written.path) as picture:
        np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(picture)), expected)
        assert dict(picture.getexif()) == {0x0112: 1, 0x010F: "Maker"}


def test_orientation_of_a_tiff_is_applied(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = _levels(rng, "uint8")
    tifffile.imwrite(tmp_path / "turned.tif", pixels, extratags=[(274, "H", 1, 6, True)])
    np.testing.assert_allclose(read_image(tmp_path / "turned.tif").image, np.rot90(pixels, -1) / 255, atol=1e-7)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_exif_profile_and_resolution_are_kept(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    profile = bytes(range(200))
    path = _save(
        tmp_path / "source.jpg", _levels(rng, "uint8", 3), exif=exif, icc_profile=profile, dpi=(300, 200), quality=95
    )
    source = read_image(path)
    assert source.dpi == (300, 200)
    written = write_image(tmp_path / f"again{suffix}", source.image, like=source)
    again = read_image(written.path)
    assert again.icc_profile == profile
    assert written.lost == ()
    with Image.open(written.path) as picture:
        assert picture.getexif()[0x010F] == "Maker"
    assert again.dpi == pytest.approx((300, 200), abs=0.02)


def test_clipped_pixels_are_counted_and_rounding_is_not_clipping(tmp_path: Path) -> None:
    image = np.full((ROWS, COLUMNS, 3), 0.5)
    image[0, 0] = 1.3, -0.2, 0.5
    image[1, 1, 2] = -0.1
    image[3, 3, 1] = 1.01
    image[2, 2] = 1 + 1e-6  # rounds to 255 like 1
    written = write_image(tmp_path / "out.png", image, channel_axis=-1)
    assert written.clipped == 3
    stored = _stored(written.path)
    assert stored.dtype == np.uint8
    assert stored[0, 0].tolist() == [255, 0, 128]
    assert stored[2, 2].tolist() == [255, 255, 255]


def test_floats_are_not_clipped(tmp_path: Path, rng: np.random.Generator) -> None:
    image = 7 * rng.normal(size=(ROWS, COLUMNS))
    assert write_image(tmp_path / "out.tif", image).clipped == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), image)


def test_the_format_is_told_by_the_bytes_not_by_the_name(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = _levels(rng, "uint8")
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", "PNG")
    with pytest.warns(UserWarning, match=r"photo.jpg is a PNG file, whatever its name says"):
        file = read_image(tmp_path / "photo.jpg")
    assert file.format == "PNG"
    np.testing.assert_allclose(file.image, pixels / 255, atol=1e-7)


def _png_16_bit_colour(colour_type: int, samples: int) -> bytes:
    """A PNG of 16 bits a sample, written by hand since Pillow cannot."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = (5).to_bytes(4, "big") + (3).to_bytes(4, "big") + bytes([16, colour_type, 0, 0, 0])
    rows = b"".join(b"\0" + bytes(range(5 * samples * 2)) for _ in range(3))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("colour_type", "samples"), [(2, 3), (4, 2), (6, 4)])
def test_without_libvips_a_16_bit_colour_png_is_refused_and_never_read_as_8_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colour_type: int, samples: int
) -> None:
    (tmp_path / "deep.png").write_bytes(_png_16_bit_colour(colour_type, samples))
    with Image.open(tmp_path / "deep.png") as picture:
        assert np.asarray(picture).dtype == np.uint8  # what the refusal is for: Pillow halves it without a word
    monkeypatch.setitem(sys.modules, "pyvips", None)
    with pytest.raises(ImageFileError, match=r'deep.png is a PNG .* pip install "restoretk\[io\]"'):
        read_image(tmp_path / "deep.png")


def test_bad_files_are_refused_in_one_line_that_names_them(tmp_path: Path, rng: np.random.Generator) -> None:
    png = _save(tmp_path / "good.png", _levels(rng, "uint8", 3)).read_bytes()
    jpeg = _save(tmp_path / "good.jpg", _levels(rng, "uint8", 3)).read_bytes()
    tiff = _save(tmp_path / "good.tif", _levels(rng, "uint8", 3)).read_bytes()
    npy = _save(tmp_path / "good.npy", _levels(rng, "float32")).read_bytes()
    cmyk = io.BytesIO()
    Image.fromarray(_levels(rng, "uint8", 4), mode=None).convert("RGB").convert("CMYK").save(cmyk, "JPEG")
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    bad = {
        "empty.png": (b"", "is empty"),
        "text.png": (b"This is a text.\n", "is not a picture"),
        "notes.txt": (b"This is a text.\n", "is not a PNG, JPEG, TIFF, .* or camera raw file"),
        "cut.png": (png[:-200], "cannot be decoded as PNG"),
        "head.png": (png[:20], "cannot be decoded as PNG"),
        "cut.jpg": (jpeg[:-300], "cannot be decoded as JPEG"),
        "cut.tif": (tiff[:-300], "cannot be decoded as TIFF"),
        "head.tif": (tiff[:8], "is a damaged TIFF"),
        "cut.npy": (npy[:-4], "cannot be decoded as NPY"),
        "pickle.npy": (pickled.getvalue(), "cannot be decoded as NPY"),
        "inks.jpg": (cmyk.getvalue(), "is in CMYK"),
    }
    for name, (data, match) in bad.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageFileError, match=match) as caught:
            read_image(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_animations_are_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((ROWS, COLUMNS), level, np.uint8)) for level in (0, 100, 200)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageFileError, match="animation of 3 frames"):
        read_image(tmp_path / "moving.png")


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_nan_pixels_are_named_by_number_and_place(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    pixels = _levels(rng, "float32")
    pixels[2, 3] = pixels[4, 5] = np.nan
    with pytest.raises(ValueError, match=rf"hole{suffix} must be finite, got 2 NaN .* first at \(2, 3\)"):
        read_image(_save(tmp_path / f"hole{suffix}", pixels))


def test_folders_and_pipes_are_refused_without_waiting(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_image(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageFileError, match="not a regular file"):
        read_image(tmp_path / "pipe.png")
    with pytest.raises(FileNotFoundError, match=r"absent.png"):
        read_image(tmp_path / "absent.png")


def _source(tmp_path: Path, pixels: Array, suffix: str = ".tif") -> ImageFile:
    return read_image(_save(tmp_path / f"source{suffix}", pixels))


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    deep = _source(tmp_path, _levels(rng, "uint16", 3))
    real = replace(deep, dtype=np.dtype(np.float32))
    stack = replace(deep, channel_axis=None, dtype=np.dtype(np.uint8))
    clear = replace(deep, dtype=np.dtype(np.uint8), alpha=np.zeros((ROWS, COLUMNS)))
    opaque = replace(clear, alpha=np.ones((ROWS, COLUMNS)))
    for like, name, match in [
        (deep, "a.webp", "cannot hold colour of dtype uint16"),
        (deep, "a.jpg", "cannot hold colour of dtype uint16"),
        (real, "a.png", "cannot hold colour of dtype float32"),
        (real, "a.webp", "cannot hold colour of dtype float32"),
        (stack, "a.png", "cannot hold an array of shape"),
        (clear, "a.jpg", "cannot hold the transparency"),
        (deep, "a.gif", "suffix of the output .* must be one of .png, .jpg"),
        (deep, "a", "suffix of the output .* must be one of"),
    ]:
        with pytest.raises(ImageFileError, match=match):
            check_output(tmp_path / name, like)
        with pytest.raises(ImageFileError, match=match):
            write_image(tmp_path / name, like.image, like=like)
        assert not (tmp_path / name).exists()
    assert write_image(tmp_path / "eight.png", deep.image, like=deep, dtype="uint8").dtype == np.uint8
    assert write_image(tmp_path / "opaque.jpg", opaque.image, like=opaque).lost == ()


def test_the_input_is_never_overwritten(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = _levels(rng, "uint8")
    source = _source(tmp_path, pixels, ".png")
    assert source.path is not None
    (tmp_path / "hard.png").hardlink_to(source.path)
    (tmp_path / "soft.png").symlink_to(source.path)
    for name in ("source.png", "hard.png", "soft.png", f"../{tmp_path.name}/source.png"):
        with pytest.raises(ImageFileError, match="same file as the input"):
            write_image(tmp_path / name, source.image / 2, like=source, overwrite=True)
    np.testing.assert_array_equal(_stored(source.path), pixels)


def test_files_are_replaced_only_where_asked(tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "out.png").write_bytes(b"old")
    image = rng.random((ROWS, COLUMNS))
    with pytest.raises(FileExistsError, match=r"out.png exists"):
        write_image(tmp_path / "out.png", image)
    assert (tmp_path / "out.png").read_bytes() == b"old"
    write_image(tmp_path / "out.png", image, overwrite=True)
    assert _stored(tmp_path / "out.png").shape == image.shape


def test_folders_must_exist_and_are_not_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"folder of the output .* does not exist"):
        check_output_path(tmp_path / "absent" / "out.png")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        check_output_path(tmp_path, overwrite=True)


def test_results_that_are_not_finite_or_have_another_number_of_axes_are_not_written(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    source = _source(tmp_path, _levels(rng, "uint8"), ".png")
    with pytest.raises(ValueError, match="must be finite"):
        write_image(tmp_path / "out.png", source.image * np.nan, like=source)
    with pytest.raises(ValueError, match="must have 2 axes"):
        write_image(tmp_path / "out.png", source.image[0], like=source)
    with pytest.raises(ImageFileError, match="alpha of shape"):
        write_image(tmp_path / "out.png", source.image, like=replace(source, alpha=np.zeros((3, 3))))
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_in_the_middle_of_a_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    (tmp_path / "out.bin").write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(os, step, fail) if step == "fsync" else monkeypatch.setattr(Path, step, fail)
    with pytest.raises(type(failure)):
        write_bytes(tmp_path / "out.bin", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["out.bin"]
    assert (tmp_path / "out.bin").read_bytes() == b"old"


def test_a_written_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_bytes(tmp_path / "ours", b"new")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_damaged_strip_is_refused_and_not_filled_with_zeros(tmp_path: Path, rng: np.random.Generator) -> None:
    path = _save(tmp_path / "damaged.tif", _levels(rng, "uint8"), compression="zlib", rowsperstrip=4)
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages.first.dataoffsets[2]
    data = bytearray(path.read_bytes())
    data[offset : offset + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(ImageFileError, match="cannot be decoded as TIFF"):
        read_image(path)


def test_a_strip_that_tifffile_would_fill_with_zeros_is_refused(
    tmp_path: Path, rng: np.random.Generator, capfd: pytest.CaptureFixture[str]
) -> None:
    path = _save(tmp_path / "source.tif", _levels(rng, "uint8"), rowsperstrip=4)
    with tifffile.TiffFile(path) as tiff:
        entry = tiff.pages.first.tags["StripOffsets"].offset
    data = bytearray(path.read_bytes())
    data[entry + 4 : entry + 8] = (3).to_bytes(4, "little")  # three offsets where there are six strips
    path.write_bytes(data)
    with pytest.raises(ImageFileError, match=r"is a damaged TIFF: .*incorrect StripOffsets"):
        read_image(path)
    assert capfd.readouterr().err == ""
