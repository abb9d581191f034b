"""Files through `restoretk deblur` with a delta PSF, judged by exiftool and libvips: pixels and what stands beside them."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image, ImageCms

from restoretk._arrays import Array
from restoretk.cli import main
from restoretk.image_files import read_image

pyvips = pytest.importorskip("pyvips", reason="libvips judges the pixels: pip install 'restoretk[io]'")
EXIFTOOL = shutil.which("exiftool")
needs_exiftool = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool judges the metadata: libimage-exiftool-perl")
ROWS, COLUMNS = 21, 34
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" dc:source="a picture"/></rdf:RDF></x:xmpmeta>'
)

#: Suffix, dtype, samples: every kind that an issue, a phone or a microscope has sent.
KINDS = [
    *((".png", "uint8", samples) for samples in (1, 2, 3, 4)),
    *((".png", "uint16", samples) for samples in (1, 2, 3, 4)),
    *((".tif", dtype, samples) for dtype in ("uint8", "uint16", "float32") for samples in (1, 3)),
    (".tif", "uint16", 4),
    (".webp", "uint8", 3),
    (".webp", "uint8", 4),
    (".bmp", "uint8", 3),
    (".pgm", "uint8", 1),
    (".pgm", "uint16", 1),
    (".ppm", "uint8", 3),
    (".ppm", "uint16", 3),
]
WITH_METADATA = [kind for kind in KINDS if kind[0] in (".png", ".tif", ".webp")] + [(".jpg", "uint8", 3)]


def _pixels(dtype: str, samples: int, rng: np.random.Generator) -> Array:
    shape = (ROWS, COLUMNS, samples) if samples > 1 else (ROWS, COLUMNS)
    if dtype == "float32":
        return rng.random(shape, dtype=np.float32)
    info = np.iinfo(dtype)
    pixels = rng.integers(0, info.max, shape, dtype=dtype, endpoint=True)
    pixels[0, 0], pixels[-1, -1] = 0, info.max
    if samples in (2, 4):
        pixels[3:9, 5:11, -1] = 0  # colours under full transparency
        pixels[10:12, :, -1] = 1  # and under all but full
    return pixels


def _exif(orientation: int = 6) -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112], exif[0x010E] = "Maker", "Model 1", orientation, "A picture"
    exif[0x011A], exif[0x011B], exif[0x0128] = 300.0, 200.0, 2
    details = exif.get_ifd(0x8769)
    details[0x829A], details[0x9003], details[0x927C] = 0.004, "2026:11:22 10:00:00", b"notes of the maker\x00\x01\x02"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 24.0)})
    return exif.tobytes()


_PILLOW = {".jpg": "JPEG", ".pgm": "PPM", ".ppm": "PPM"}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # made once: it holds the time


def _save(path: Path, pixels: Array, *, metadata: bool) -> Path:
    """A file by another program than ours: tifffile for floats and stacks, Pillow for JPEG, else libvips."""
    deep_ppm = path.suffix == ".ppm" and pixels.dtype == np.uint16
    if deep_ppm:
        path.write_bytes(b"P6 # deep\n%d %d 65535\n" % (COLUMNS, ROWS) + pixels.astype(">u2").tobytes())
    elif path.suffix == ".tif":
        options: dict[str, Any] = {"photometric": "rgb" if pixels.shape[-1] in (3, 4) else "minisblack"}
        options |= {"extrasamples": ["unassalpha"]} if pixels.shape[-1] == 4 else {}
        options |= {"iccprofile": PROFILE, "resolution": (300, 200), "resolutionunit": 2} if metadata else {}
        tifffile.imwrite(path, pixels, metadata=None, software=False, **options)
    elif path.suffix in (".jpg", ".webp", ".bmp", ".pgm", ".ppm"):
        target = io.BytesIO()
        beside: dict[str, Any] = {"exif": _exif(), "icc_profile": PROFILE, "dpi": (300, 200)} if metadata else {}
        how = {".webp": {"lossless": True, "exact": True}, ".jpg": {"quality": 95}}.get(path.suffix, {})
        Image.fromarray(pixels).save(target, _PILLOW.get(path.suffix, path.suffix[1:].upper()), **how, **beside)
        path.write_bytes(target.getvalue())
    else:
        picture = pyvips.Image.new_from_array(pixels)
        kind = "grey16" if pixels.ndim == 2 or pixels.shape[-1] == 2 else "rgb16"
        picture = picture.copy(interpretation=kind) if pixels.dtype == np.uint16 else picture
        if metadata:
            picture = picture.copy(xres=300 / 25.4, yres=200 / 25.4)
            picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", PROFILE)
        picture.write_to_file(str(path))
    if metadata and path.suffix in (".tif", ".png"):
        assert EXIFTOOL is not None
        entries = ["-Make=Maker", "-Model=Model 1", "-ExposureTime=0.004", "-DateTimeOriginal=2026:11:22 10:00:00"]
        entries += ["-ImageDescription=A picture", "-GPSLatitude=48.85666", "-GPSLatitudeRef=N", "-n", "-Orientation=6"]
        group = [f"-EXIF:{entry[1:]}" if entry != "-n" else entry for entry in entries]
        subprocess.run([EXIFTOOL, "-q", "-overwrite_original", *group, str(path)], check=True)
    return path


def _stored(path: Path) -> Array:
    """The pixels by another door than ours: tifffile for floats, else libvips."""
    if path.suffix == ".tif":
        return tifffile.imread(path)
    if path.suffix == ".ppm" and b"65535" in (data := path.read_bytes())[:40]:
        return np.frombuffer(data[-6 * ROWS * COLUMNS :], ">u2").reshape(ROWS, COLUMNS, 3).astype(np.uint16)
    if path.suffix in (".bmp", ".pgm", ".ppm"):
        with Image.open(path) as picture:
            return np.asarray(picture, np.uint16 if picture.mode == "I" else np.uint8)
    return np.squeeze(pyvips.Image.new_from_file(str(path), fail_on="warning").numpy())


def _through(source: Path, target: Path, *options: str) -> None:
    """The file through the command with a PSF of a single one, which changes nothing."""
    np.save(source.parent / "delta.npy", np.ones((1, 1)))
    arguments = ["deblur", source, "--psf", source.parent / "delta.npy", "--method", "inverse_filter", "-o", target]
    result = CliRunner().invoke(main, [*map(str, arguments), "--boundary", "wrap", *options])
    assert result.exit_code == 0, result.output


def _tags(path: Path) -> dict[str, Any]:
    assert EXIFTOOL is not None
    result = subprocess.run([EXIFTOOL, "-json", "-n", "-G0", str(path)], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)[0]


@pytest.mark.parametrize("space", ["srgb", "auto"])
@pytest.mark.parametrize(("suffix", "dtype", "samples"), KINDS)
def test_pixels_of_lossless_formats_come_back_bit_by_bit(
    tmp_path: Path, rng: np.random.Generator, suffix: str, dtype: str, samples: int, space: str
) -> None:
    pixels = _pixels(dtype, samples, rng)
    source = _save(tmp_path / f"in{suffix}", pixels, metadata=False)
    np.testing.assert_array_equal(_stored(source), pixels)
    _through(source, tmp_path / f"out{suffix}", "--space", space)
    again = _stored(tmp_path / f"out{suffix}")
    assert again.dtype == pixels.dtype
    if dtype == "float32":  # a Fourier transform there and back
        np.testing.assert_allclose(again, pixels, atol=1e-6)
    else:
        np.testing.assert_array_equal(again, pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_pages_come_back_bit_by_bit_with_their_axes(tmp_path: Path, rng: np.random.Generator, dtype: str) -> None:
    stack = np.stack([_pixels(dtype, 1, rng) for _ in range(4)])
    tifffile.imwrite(tmp_path / "in.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    _through(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
        assert tiff.series[0].axes == "ZYX"
        np.testing.assert_allclose(tiff.asarray(), stack, atol=1e-6 if dtype == "float32" else 0)


@needs_exiftool
@pytest.mark.parametrize(("suffix", "dtype", "samples"), WITH_METADATA)
def test_exif_profile_and_resolution_are_there_for_exiftool(
    tmp_path: Path, rng: np.random.Generator, suffix: str, dtype: str, samples: int
) -> None:
    source = _save(tmp_path / f"in{suffix}", _pixels(dtype, samples, rng), metadata=True)
    _through(source, tmp_path / f"out{suffix}", "--space", "srgb")
    before, after = _tags(source), _tags(tmp_path / f"out{suffix}")
    said = {key for key in before if key.startswith(("EXIF:", "ICC_Profile:")) and key != "EXIF:Software"}
    of_storage = ("Image", "Strip", "Rows", "Bits", "Compression", "Photometric", "Planar", "Samples", "Thumbnail")
    kept = {key for key in said if not key.split(":")[1].startswith(of_storage)}
    assert after["EXIF:ImageDescription"].splitlines()[0] == "A picture"
    kept -= {"EXIF:Orientation", "EXIF:ExifByteOrder", "EXIF:SubfileType", "EXIF:PageNumber"}
    assert {"EXIF:Make", "EXIF:ExposureTime", "EXIF:GPSLatitude", "EXIF:DateTimeOriginal"} <= kept
    assert {key: after.get(key) for key in kept} == {key: before[key] for key in kept}
    assert before["EXIF:Orientation"] == 6
    assert after.get("EXIF:Orientation", 1) == 1
    bad = ("ExifTool:Warning", "ExifTool:Error")
    assert [after.get(key) for key in bad] == [before.get(key) for key in bad]  # no new ones
    assert after["Composite:ImageSize"] == f"{ROWS} {COLUMNS}"  # columns and rows: the picture was turned
    for number, axis in ((300, "X"), (200, "Y")):
        in_exif = after.get(f"EXIF:{axis}Resolution", after.get(f"JFIF:{axis}Resolution"))
        dpi = after[f"PNG:PixelsPerUnit{axis}"] * 0.0254 if suffix == ".png" else in_exif
        assert dpi == pytest.approx(number, abs=0.02)
    if samples < 3 and suffix == ".png":
        return  # libvips did not put a profile of three colours into a grey PNG
    profile = pyvips.Image.new_from_file(str(tmp_path / f"out{suffix}")).get("icc-profile-data")
    assert bytes(profile) == PROFILE


@needs_exiftool
@pytest.mark.parametrize("target", [".png", ".jpg", ".webp", ".tif"])
def test_metadata_survive_a_change_of_the_format(tmp_path: Path, rng: np.random.Generator, target: str) -> None:
    source = _save(tmp_path / "in.jpg", _pixels("uint8", 3, rng), metadata=True)
    _through(source, tmp_path / f"out{target}", "--space", "srgb")
    before, after = _tags(source), _tags(tmp_path / f"out{target}")
    for key in ("Make", "Model", "ExposureTime", "DateTimeOriginal", "GPSLatitude"):
        assert after[f"EXIF:{key}"] == before[f"EXIF:{key}"]
    assert after["EXIF:ImageDescription"].splitlines()[0] == before["EXIF:ImageDescription"]
    assert after["ICC_Profile:ProfileDescription"] == before["ICC_Profile:ProfileDescription"]
    with Image.open(tmp_path / f"out{target}") as picture:
        assert picture.getexif().get(0x0112, 1) == 1
        assert picture.size == (ROWS, COLUMNS)


def test_jpeg_is_close_upright_and_not_subsampled(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:ROWS, 0:COLUMNS]
    smooth = np.stack([rows * 8, columns * 6, 128 + 0 * rows], axis=-1).astype(np.uint8)
    source = _save(tmp_path / "in.jpg", smooth, metadata=True)
    _through(source, tmp_path / "out.jpg", "--space", "srgb")
    np.testing.assert_allclose(_stored(tmp_path / "out.jpg"), np.rot90(smooth, -1), atol=6)
    with Image.open(tmp_path / "out.jpg") as picture:
        assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3


@needs_exiftool
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_xmp_is_kept_and_says_that_the_picture_is_upright(
    tmp_path: Path, rng: np.random.Generator, suffix: str
) -> None:
    path = _save(tmp_path / f"in{suffix}", _pixels("uint8", 3, rng), metadata=False)
    (tmp_path / "in.xmp").write_bytes(XMP)
    assert EXIFTOOL is not None
    copied = ["-overwrite_original", "-tagsfromfile", "in.xmp", "-xmp", path.name]
    subprocess.run([EXIFTOOL, "-q", *copied], cwd=tmp_path, check=True)
    _through(path, tmp_path / f"out{suffix}", "--space", "srgb")
    after = _tags(tmp_path / f"out{suffix}")
    assert after["XMP:Source"] == "a picture"
    assert after["XMP:Orientation"] == 1
    if suffix != ".tif":  # a TIFF has a tag of its own, which is believed
        assert read_image(tmp_path / f"out{suffix}").image.shape == (COLUMNS, ROWS, 3)
