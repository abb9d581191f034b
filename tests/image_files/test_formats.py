"""Formats and modes that plain readers damage: each is read as what it is, or refused with a reason."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from restoretk._arrays import Array
from restoretk.image_files import ImageFileError, decode_image, encode_image, read_image, write_image

ROWS, COLUMNS = 21, 34


@pytest.fixture
def colour(rng: np.random.Generator) -> Array:
    return rng.integers(0, 255, (ROWS, COLUMNS, 3), dtype=np.uint8, endpoint=True)


def _pillow(pixels: Array, format_: str, **options: Any) -> bytes:
    target = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(target, format_, **options)
    return target.getvalue()


def _tiff(pixels: Array, **options: Any) -> bytes:
    target = io.BytesIO()
    tifffile.imwrite(target, pixels, **options)
    return target.getvalue()


def test_inks_are_converted_through_their_profile_and_that_is_said(colour: Array) -> None:
    pyvips = pytest.importorskip("pyvips", reason="a profile of printing inks comes from libvips")
    profile = bytes(pyvips.Operation.call("profile_load", "cmyk"))
    data = _pillow(Image.fromarray(colour // 2 + 64).convert("CMYK"), "TIFF", icc_profile=profile)
    with pytest.warns(UserWarning, match="is in CMYK .*, converted to sRGB through its colour profile"):
        file = decode_image(data, name="inks.tif")
    assert (file.image.shape, file.mode, file.dtype) == ((ROWS, COLUMNS, 3), "CMYK", np.uint8)
    source = pyvips.Image.new_from_buffer(data, "").icc_transform("srgb", embedded=True, intent="perceptual")
    assert np.abs(np.rint(255 * file.image) - source.numpy()).mean() < 3  # lcms by another hand
    profile_of_result = ImageCms.ImageCmsProfile(io.BytesIO(file.icc_profile or b""))
    assert ImageCms.getProfileDescription(profile_of_result).startswith("sRGB")
    assert (file.icc_profile or b"")[24:36] == bytes.fromhex(
        "07d0 0001 0001 0000 0000 0000"
    )  # not the time of this run


def test_inks_without_a_profile_are_refused(colour: Array) -> None:
    with pytest.raises(ImageFileError, match=r"is in CMYK .* without a colour profile"):
        decode_image(_pillow(Image.fromarray(colour).convert("CMYK"), "JPEG"))


def test_of_a_gif_the_first_frame_is_read_and_that_is_said(colour: Array) -> None:
    first, second = Image.fromarray(colour).quantize(64), Image.fromarray(colour[::-1]).quantize(64)
    with pytest.warns(UserWarning, match="is an animation, of which the first frame is read"):
        file = decode_image(_pillow(first, "GIF", save_all=True, append_images=[second]))
    np.testing.assert_array_equal(np.rint(255 * file.image), np.asarray(first.convert("RGB")))
    assert (file.palette, file.left_behind) == (True, ("the further frames",))
    still = decode_image(_pillow(first, "GIF"))
    assert (still.notes, still.left_behind) == ((), ())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("samples", [1, 3])
def test_netpbm_files_come_back_exactly(rng: np.random.Generator, dtype: type, samples: int) -> None:
    shape = (ROWS, COLUMNS) if samples == 1 else (ROWS, COLUMNS, 3)
    pixels = rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    magic = b"P5" if samples == 1 else b"P6"
    body = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    data = magic + b" # a comment 7 8\n%d\t%d\n%d\n" % (COLUMNS, ROWS, np.iinfo(dtype).max) + body
    file = decode_image(data)
    assert (file.dtype, file.format) == (dtype, "PPM")
    np.testing.assert_array_equal(np.rint(np.iinfo(dtype).max * file.image.astype(float)), pixels)
    again, _ = encode_image("PPM", file.image, like=file)
    assert again.endswith(body)


def test_netpbm_files_of_other_depths_and_kinds_are_read_or_refused() -> None:
    ten_bits = b"P6 2 1 1023\n" + bytes(12)
    with pytest.raises(ImageFileError, match="is a P6 of colours up to 1023"):
        decode_image(ten_bits)
    with pytest.raises(ImageFileError, match=r"should hold 24 bytes and has 5|not enough image data"):
        decode_image(b"P6 2 2 65535\n" + bytes(5))
    assert decode_image(b"P5 2 1 1023\n\x03\xff\0\0").image.tolist() == [[1.0, 0.0]]
    assert decode_image(b"P2 2 1 255\n255 0\n").image.tolist() == [[1.0, 0.0]]
    assert decode_image(b"P4 2 1\n\x40").image.tolist() == [[1.0, 0.0]]  # in a bitmap 1 is black
    assert decode_image(b"Pf 2 1 -1.0\n" + np.array([0.25, 7], "<f4").tobytes()).image.tolist() == [[0.25, 7.0]]


@pytest.mark.parametrize("samples", [2, 3, 4])
def test_16_bit_png_is_exact_there_and_back(rng: np.random.Generator, samples: int) -> None:
    pyvips = pytest.importorskip("pyvips", reason="the extra io")
    pixels = rng.integers(0, 65535, (ROWS, COLUMNS, samples), dtype=np.uint16, endpoint=True)
    kind = "grey16" if samples == 2 else "rgb16"
    file = decode_image(pyvips.Image.new_from_array(pixels).copy(interpretation=kind).pngsave_buffer(bitdepth=16))
    assert (file.dtype, file.bit_depth, file.alpha is None) == (np.uint16, 16, samples == 3)
    again, written = encode_image("PNG", file.image, like=file)
    np.testing.assert_array_equal(pyvips.Image.new_from_buffer(again, "").numpy(), pixels)
    assert (written.lost, written.clipped) == ((), 0)


def test_a_16_bit_png_that_is_cut_short_is_refused(rng: np.random.Generator) -> None:
    pytest.importorskip("pyvips", reason="the extra io")
    data, _ = encode_image("PNG", rng.random((60, 70, 3)), channel_axis=-1, dtype="uint16")
    for end in (len(data) // 3, len(data) - 400, len(data) - 20):
        with pytest.raises(ImageFileError, match="cannot be decoded as PNG"):
            decode_image(data[:end])


def test_without_libvips_a_16_bit_colour_png_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvips", None)
    with pytest.raises(ImageFileError, match=r'deep.png would be a PNG of a kind .*pip install "restoretk\[io\]"'):
        write_image(tmp_path / "deep.png", np.zeros((3, 4, 3)), channel_axis=-1, dtype="uint16")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compression", ["lzw", "packbits", "deflate"])
def test_compressed_16_bit_colour_tiffs_are_exact(rng: np.random.Generator, compression: str) -> None:
    pyvips = pytest.importorskip("pyvips", reason="the extra io")
    pixels = rng.integers(0, 65535, (ROWS, COLUMNS, 3), dtype=np.uint16, endpoint=True)
    picture = pyvips.Image.new_from_array(pixels).copy(interpretation="rgb16")
    file = decode_image(picture.tiffsave_buffer(compression=compression, predictor="horizontal"))
    np.testing.assert_array_equal(np.rint(65535 * file.image.astype(float)), pixels)


def test_a_compressed_tiff_turned_by_its_tag_is_turned_once(colour: Array) -> None:
    exif = Image.Exif()
    exif[274] = 6
    plain, lzw = (_pillow(colour, "TIFF", exif=exif, compression=kind) for kind in (None, "tiff_lzw"))
    for data in (plain, lzw):
        np.testing.assert_array_equal(np.rint(255 * decode_image(data).image), np.rot90(colour, -1))


def test_an_ome_tiff_that_names_another_file_does_not_read_it(tmp_path: Path) -> None:
    secret = np.full((ROWS, COLUMNS), 77, np.uint8)
    tifffile.imwrite(tmp_path / "secret.tif", secret)
    outer = tmp_path / "inner"
    outer.mkdir()
    pixels = f'DimensionOrder="XYZCT" Type="uint8" SizeX="{COLUMNS}" SizeY="{ROWS}" SizeZ="1" SizeC="1" SizeT="2"'
    data = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{t}</UUID></TiffData>'
        for t, name in enumerate(("../secret.tif", str(tmp_path / "secret.tif")))
    )
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:9">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" {pixels}><Channel ID="C:0" SamplesPerPixel="1"/>{data}'
        "</Pixels></Image></OME>"
    )
    tifffile.imwrite(outer / "ome.tif", np.zeros((ROWS, COLUMNS), np.uint8), description=text, metadata=None)
    file = read_image(outer / "ome.tif")
    assert file.image.max() == 0
    assert "the description of its microscope" in file.left_behind


@pytest.mark.parametrize("name", ["<screen>", "<video0>", "imageio:chelsea.png", "http://127.0.0.1:9/x.png"])
def test_names_that_other_readers_fetch_are_only_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="No such file"):
        read_image(name)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a.png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg"),
        (b"#!/bin/sh\n", "a.jpg"),
        (b"\x00\x00\x01\x00\x01\x00", "a.bmp"),
        (b"PK\x03\x04", "a.npy"),
        (b"\x00\x00\x00 ftypavif", "a.heic"),
    ],
)
def test_what_is_not_on_the_list_is_refused_by_its_bytes(data: bytes, name: str) -> None:
    with pytest.raises(ImageFileError, match="it begins with"):
        decode_image(data, name=name)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_fits_is_upright_native_and_scaled_and_comes_back(rng: np.random.Generator, dtype: str) -> None:
    fits = pytest.importorskip("astropy.io.fits", reason="the extra astro")
    pixels = rng.integers(0, 200, (ROWS, COLUMNS)).astype(dtype)
    pixels = pixels * np.dtype(dtype).type(10**6) if dtype == "i4" else pixels
    target = io.BytesIO()
    fits.PrimaryHDU(pixels, header=fits.Header([("OBJECT", "M 31"), ("EXPTIME", 30.0)])).writeto(target)
    file = decode_image(target.getvalue())
    assert file.image.dtype.isnative
    assert file.dtype == np.dtype(dtype)
    full = 1 if dtype[0] == "f" else np.iinfo(dtype).max
    np.testing.assert_allclose(file.image[::-1], pixels / full, rtol=1e-6)  # FITS counts rows from the bottom
    again, _ = encode_image("FITS", file.image, like=file, made_by={"method": "wiener", "long": "x" * 200})
    with fits.open(io.BytesIO(again)) as units:
        np.testing.assert_array_equal(units[0].data, pixels)
        assert (units[0].header["OBJECT"], units[0].header["EXPTIME"]) == ("M 31", 30.0)
        assert '"method":"wiener"' in "".join(units[0].header["HISTORY"])


def test_fits_written_from_the_top_is_not_turned(rng: np.random.Generator) -> None:
    fits = pytest.importorskip("astropy.io.fits", reason="the extra astro")
    pixels = rng.random((ROWS, COLUMNS), dtype=np.float32)
    target = io.BytesIO()
    fits.PrimaryHDU(pixels, header=fits.Header([("ROWORDER", "TOP-DOWN")])).writeto(target)
    np.testing.assert_array_equal(decode_image(target.getvalue()).image, pixels)


def test_the_unit_of_a_fits_file_is_chosen_by_number_or_name_and_blanks_are_masked() -> None:
    fits = pytest.importorskip("astropy.io.fits", reason="the extra astro")
    first, second = np.zeros((5, 7), np.float32), np.ones((5, 9), np.float32)
    second[0, 2] = np.nan
    target = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(first, name="SCI"), fits.ImageHDU(second, name="ERR")]).writeto(
        target
    )
    data = target.getvalue()
    assert decode_image(data).image.shape == (5, 7)
    assert decode_image(data, hdu="SCI").image.shape == (5, 7)
    with pytest.raises(ValueError, match=r"must be finite, got 1 NaN .* first at \(4, 2\)"):
        decode_image(data, hdu=2)
    masked = decode_image(data, hdu="ERR", allow_nan=True).image
    assert np.isnan(masked).sum() == 1
    with pytest.raises(ImageFileError, match="holds no FITS unit 'DQ': it has 0 PRIMARY, 1 SCI, 2 ERR"):
        decode_image(data, hdu="DQ")
    with pytest.raises(ImageFileError, match="holds no picture in its FITS unit 0"):
        decode_image(data, hdu=0)
    with pytest.raises(ImageFileError, match="which has no units as FITS has"):
        decode_image(_pillow(np.zeros((4, 4), np.uint8), "PNG"), hdu=1)


def test_heic_is_upright_and_keeps_its_bits_and_exif() -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra heif")
    rows, columns = np.mgrid[0:ROWS, 0:COLUMNS]
    smooth = np.stack([rows * 1000, columns * 1000, rows * columns], axis=-1).astype(np.uint16)
    target, exif = io.BytesIO(), Image.Exif()
    exif[271], exif[274] = "Maker", 6
    heif.from_bytes("RGB;16", (COLUMNS, ROWS), smooth.tobytes()).save(target, quality=-1, exif=exif.tobytes())
    file = decode_image(target.getvalue())
    assert (file.format, file.dtype, file.bit_depth, file.image.shape) == ("HEIF", np.uint16, 10, (COLUMNS, ROWS, 3))
    np.testing.assert_allclose(file.image, np.rot90(smooth, -1) / 65535, atol=0.02)
    assert b"Maker" in (file.exif or b"")


def test_raw_files_are_developed_to_linear_light() -> None:
    pytest.importorskip("rawpy", reason="the extra raw")
    light = np.tile(np.linspace(0.05, 0.5, 96), (64, 1))
    tags = [
        (50706, 1, 4, bytes([1, 4, 0, 0]), True),  # DNGVersion
        (33421, 3, 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, 1, 4, bytes([0, 1, 1, 2]), True),  # CFAPattern: red, green, green, blue
        (50708, 2, 0, "Test", True),  # UniqueCameraModel
        (271, 2, 0, "Maker", True),
        (50721, 10, 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),  # ColorMatrix1
        (50728, 5, 3, (1, 1, 1, 1, 1, 1), True),  # AsShotNeutral
        (50717, 3, 1, 4095, True),  # WhiteLevel
        (50778, 3, 1, 21, True),  # CalibrationIlluminant1
    ]
    pixels = np.rint(4095 * light).astype(np.uint16)
    data = _tiff(pixels, photometric=32803, extratags=tags, metadata=None, software=False)
    file = decode_image(data, name="photo.dng")
    assert (file.format, file.dtype, file.image.shape) == ("RAW", np.uint16, (64, 96, 3))
    green = file.image[32, 8:-8, 1].astype(float)
    fitted = np.polyfit(light[32, 8:-8], green, 1)
    assert np.abs(np.polyval(fitted, light[32, 8:-8]) - green).max() < 0.01 * green.max()  # a line: no curve was put on
    assert b"Maker" in (file.exif or b"")
    with pytest.raises(ImageFileError, match="cannot be decoded as RAW"):
        decode_image(data[:300], name="photo.dng")


@pytest.mark.parametrize(
    ("module", "data", "name", "extra"),
    [
        ("astropy.io", b"SIMPLE  =                    T", "a.fits", "astro"),
        ("pillow_heif", b"\0\0\0\x18ftypheic", "a.heic", "heif"),
        ("rawpy", b"II*\0", "a.nef", "raw"),
    ],
)
def test_a_missing_extra_is_named_with_its_pip_line(
    monkeypatch: pytest.MonkeyPatch, module: str, data: bytes, name: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImageFileError, match=rf'{name} is a .*: pip install "restoretk\[{extra}\]"'):
        decode_image(data, name=name)


def test_bits_bools_and_strange_tiffs_are_read_or_refused_with_a_reason(colour: Array) -> None:
    bits = colour[..., 0] > 127
    np.testing.assert_array_equal(decode_image(_pillow(bits, "BMP")).image, bits)
    np.testing.assert_array_equal(decode_image(_pillow(bits, "TIFF", compression="group4")).image, bits)
    target = io.BytesIO()
    np.save(target, bits)
    with pytest.raises(TypeError, match="got dtype bool"):
        decode_image(target.getvalue())
    with pytest.raises(ImageFileError, match="kind 'LAB'"):
        decode_image(_pillow(Image.new("LAB", (9, 9)), "TIFF"))
    with pytest.raises((ImageFileError, TypeError), match="complex"):
        decode_image(_tiff(np.zeros((9, 9), np.complex64)))
    big = decode_image(_tiff(colour.astype(np.uint16) * 257, photometric="rgb", byteorder=">"))
    np.testing.assert_array_equal(np.rint(255 * big.image), colour)


def test_a_tiff_with_fewer_bytes_than_its_pixels_need_is_refused(colour: Array) -> None:
    data = bytearray(_tiff(colour[..., 0], metadata=None))
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        at = tiff.pages.first.tags["StripByteCounts"].valueoffset
    data[at : at + 4] = (11).to_bytes(4, "little")
    with pytest.raises(ImageFileError, match=r"damaged TIFF|cannot be decoded as TIFF"):
        decode_image(bytes(data))


def test_broken_files_raise_one_kind_of_error_in_one_line(rng: np.random.Generator, colour: Array) -> None:
    """Bytes changed or cut at random: whatever a decoder raises, nothing but our error and the numerical door's come out."""
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Maker"
    seeds = {
        "a.png": _pillow(colour, "PNG", exif=exif),
        "p.png": _pillow(Image.fromarray(colour).quantize(16), "PNG", transparency=3),
        "a.jpg": _pillow(colour, "JPEG", exif=exif.tobytes(), progressive=True),
        "a.webp": _pillow(colour, "WEBP", exif=exif),
        "a.gif": _pillow(Image.fromarray(colour).quantize(16), "GIF"),
        "a.tif": _tiff(colour, photometric="rgb", compression="zlib"),
        "l.tif": _pillow(colour, "TIFF", compression="tiff_lzw"),
        "a.npy": encode_image("NPY", colour / 255.0)[0],
    }
    said: list[tuple[str, str]] = []
    for _ in range(40):
        for name, seed in seeds.items():
            data = bytearray(seed)
            for position in rng.integers(0, min(len(data), 400), rng.integers(1, 5)):
                data[position] = rng.integers(256)
            data = data[: rng.integers(1, len(data))] if rng.random() < 0.3 else data
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    file = decode_image(bytes(data), name=name)
                except (ValueError, TypeError) as error:
                    said.append((name, str(error)))
                else:
                    assert np.isfinite(file.image).all()
                    assert file.image.size
    assert len(said) > 100
    assert all(name in text and "\n" not in text for name, text in said)


def test_libraries_in_c_say_nothing_about_broken_files(colour: Array, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(_pillow(colour, "TIFF", compression="tiff_lzw"))
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        start = tiff.pages.first.dataoffsets[0]
    data[start + 40 : start + 60] = bytes(20 * [255])
    with pytest.raises(ImageFileError, match="cannot be decoded as TIFF"):
        decode_image(bytes(data))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("failure", [MemoryError(), RecursionError("too\ndeep"), SyntaxError("odd"), KeyError("x")])
def test_whatever_a_decoder_raises_becomes_our_error(
    colour: Array, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("restoretk.image_files.reading.decode_raster", fail)
    says = "needs more memory than there is" if isinstance(failure, MemoryError) else "cannot be decoded as PNG: ."
    with pytest.raises(ImageFileError, match=f"^a.png {says}"):
        decode_image(_pillow(colour, "PNG"), name="a.png")


def test_the_limit_of_pillow_is_on_while_it_decodes_and_as_before_after(
    colour: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int | None] = []
    load = PngImagePlugin.PngImageFile.load

    def note(self: PngImagePlugin.PngImageFile) -> object:
        seen.append(Image.MAX_IMAGE_PIXELS)
        return load(self)

    data = _pillow(colour, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", note)
    decode_image(data)
    assert set(seen) == {100_000_000}
    assert Image.MAX_IMAGE_PIXELS is None
