"""--space: photographs are worked on in linear light, measurements as they stand, and it is said which."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from PIL import Image, ImageCms

from restoretk._arrays import Array
from restoretk.catalogue import make_psf
from restoretk.cli import main
from restoretk.cli._options import read_space
from restoretk.comparison import compare
from restoretk.image_files import read_image
from restoretk.noise import jpeg
from restoretk.tone_curve import SRGB

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
DELTA = ("--psf", "delta.npy", "--method", "wiener:noise_to_signal=0")


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def done(*arguments: str | Path) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("delta.npy", np.pad(np.ones((1, 1)), ((1, 1), (2, 2))))


def _edge() -> Array:
    edge = np.zeros((41, 60), np.uint8)
    edge[:, 30:] = 255
    return edge


@pytest.mark.parametrize(("space", "middle"), [("auto", 188), ("linear", 188), ("srgb", 128)])
def test_half_the_light_of_white_has_the_code_188(space: str, middle: int) -> None:
    iio.imwrite("edge.png", _edge())
    done("degrade", "edge.png", "--psf", "box:size=2", "--space", space, "-o", "out.png")
    assert set(iio.imread("out.png")[20].tolist()) == {0, middle, 255}


@pytest.mark.parametrize("profile", [None, PROFILE])
@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 3), ("uint8", None), ("uint16", 3), ("uint16", None)])
def test_a_delta_psf_returns_every_code_of_a_tiff(
    rng: np.random.Generator, dtype: str, channels: int | None, profile: bytes | None
) -> None:
    shape = (101, 132) if channels is None else (101, 132, channels)
    codes = rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    codes[:40] //= 200  # many of the darkest, which rounding in light would lose first
    tifffile.imwrite("in.tif", codes, iccprofile=profile, photometric="rgb" if channels else "minisblack")
    for space in ("auto", "srgb"):
        done("deblur", "in.tif", *DELTA, "--space", space, "-o", "out.tif", "--force")
        np.testing.assert_array_equal(tifffile.imread("out.tif"), codes)


def test_transparency_is_no_light(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (40, 53, 4), np.uint8)
    Image.fromarray(pixels).save("in.png")
    done("degrade", "in.png", "--psf", "disk:radius=3", "-o", "out.png")
    np.testing.assert_array_equal(iio.imread("out.png")[..., 3], pixels[..., 3])


def test_what_stores_a_picture_happens_to_its_codes(scene: Array) -> None:
    codes = np.rint(255 * scene).astype(np.uint8)
    iio.imwrite("in.png", codes)
    done("degrade", "in.png", "--psf", "delta.npy", "--noise", "jpeg:quality=50", "-o", "out.png")
    np.testing.assert_array_equal(iio.imread("out.png"), jpeg(codes, 50))


def test_noise_of_a_sensor_is_added_to_light() -> None:
    iio.imwrite("grey.png", np.full((200, 220), 188, np.uint8))  # half the light of white
    done("degrade", "grey.png", "--psf", "delta.npy", "--noise", "gaussian:sigma=0.02", "-o", "out.png")
    light = SRGB.decode(iio.imread("out.png") / 255)
    assert light.std() == pytest.approx(0.02, rel=0.02)
    assert light.mean() == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("space", ["auto", "srgb"])
def test_a_grey_tiff_of_16_bits_without_a_profile_is_taken_as_it_stands(scene: Array, space: str) -> None:
    tifffile.imwrite("in.tif", np.rint(65535 * scene).astype(np.uint16))
    result = done("deblur", "in.tif", "--psf", "disk:radius=2", "--space", space, "-o", "out.tif")
    expected = "restored in the values as they stand, taken for linear light (a grey TIFF of 16 bits without a profile)"
    assert expected in result.stderr


def test_a_picture_of_imagej_is_taken_as_it_stands(scene: Array) -> None:
    tifffile.imwrite("in.tif", np.rint(255 * scene).astype(np.uint8), imagej=True)
    found = read_space(read_image("in.tif"), "auto")
    assert found.words.endswith("(written by a microscope's program)")
    assert found.curves == ()


def test_floats_of_a_photograph_are_written_as_they_will_be_read(scene: Array) -> None:
    codes = np.rint(255 * np.stack([scene] * 3, axis=-1)).astype(np.uint8)
    Image.fromarray(codes).save("plain.png")
    Image.fromarray(codes).save("profile.png", icc_profile=PROFILE)
    said = done("deblur", "plain.png", *DELTA, "--dtype", "float32", "-o", "plain.tif").stderr
    assert "plain.tif: written in linear light, as floats without a colour profile are read" in said
    np.testing.assert_allclose(tifffile.imread("plain.tif"), SRGB.decode(codes / 255), atol=1e-5)
    done("deblur", "profile.png", *DELTA, "--dtype", "float32", "-o", "profile.tif")
    np.testing.assert_allclose(tifffile.imread("profile.tif"), codes / 255, atol=1e-4)
    for name in ("plain", "profile"):
        done("deblur", f"{name}.png", "--psf", "disk:radius=2", "-o", f"{name}_1.png")
        done("deblur", f"{name}.tif", "--psf", "disk:radius=2", "-o", f"{name}_2.tif")
    light = tifffile.imread("plain_2.tif")
    np.testing.assert_allclose(SRGB.encode(light.clip(0, 1)) * 255, iio.imread("plain_1.png"), atol=2)


def test_a_broken_profile_is_said_and_refused_where_light_is_asked_for(scene: Array) -> None:
    Image.fromarray(np.rint(255 * scene).astype(np.uint8)).save("in.png", icc_profile=b"profile")
    command = ["deblur", "in.png", "--psf", "disk:radius=2", "-o", "out.png", "--force"]
    result = done(*command)
    assert "warning: in.png: the colour profile of the file is no ICC profile" in result.stderr
    record = json.loads(done(*command, "--json").stdout)
    assert any("no ICC profile" in warning for warning in record["warnings"])
    refused = run(*command, "--space", "linear")
    assert refused.exit_code == 1
    assert "space must be srgb or auto" in refused.stderr
    assert "warning" not in run(*command, "--space", "srgb").stderr


@pytest.mark.parametrize(("space", "words"), [("auto", "linear light, decoded from sRGB"), ("srgb", "the code values")])
def test_the_report_says_the_space_and_measures_in_codes(scene: Array, space: str, words: str) -> None:
    codes = np.rint(255 * scene).astype(np.uint8)
    iio.imwrite("in.png", codes)
    command = ["compare", "in.png", "--psf", "disk:radius=2", "--noise", "gaussian:sigma=0.002", "--space", space]
    record = json.loads(done(*command, "--json").stdout)
    assert record["space_because"].startswith(words)
    done("degrade", *command[1:], "-o", "out.png")
    inside = (slice(2, -2),) * 2
    error = (iio.imread("out.png")[inside] - codes[inside].astype(float)) / 255
    assert record["observed"]["metrics"]["psnr"] == pytest.approx(-10 * np.log10(np.mean(error**2)), abs=0.05)


def test_another_space_is_a_usage_error_with_the_choices(scene: Array) -> None:
    iio.imwrite("in.png", np.rint(255 * scene).astype(np.uint8))
    refused = run("deblur", "in.png", "--psf", "disk:radius=2", "--space", "lab", "-o", "out.png")
    assert refused.exit_code == 2
    assert "'auto', 'linear', 'srgb'" in refused.stderr


def test_the_report_holds_the_words_and_its_pictures_are_those_that_deblur_writes(scene: Array) -> None:
    iio.imwrite("in.png", np.rint(255 * scene).astype(np.uint8))
    psf = ("--psf", "disk:radius=2")
    done("compare", "in.png", "--observed", *psf, "-o", "report.html")
    assert "blurred and restored in linear light, decoded from sRGB" in Path("report.html").read_text("utf-8")
    found = read_space(read_image("in.png"), "auto")
    panels = compare(read_image("in.png").image, make_psf(psf[1]), observed=True, working_space=found).restorations
    (wiener,) = (panel for panel in panels if panel.name == "wiener")
    done("deblur", "in.png", *psf, "-o", "out.png")
    np.testing.assert_allclose(wiener.image.clip(0, 1) * 255, iio.imread("out.png"), atol=0.51)
