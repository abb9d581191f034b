"""The commands on real files: what they write is what the library computes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from PIL import Image, ImageCms

from restoretk._arrays import Array
from restoretk._version import __version__
from restoretk.catalogue import make_psf
from restoretk.cli import COMMANDS, main
from restoretk.degradation import degrade
from restoretk.image_files import read_image
from restoretk.psf import disk_psf
from restoretk.restoration import restore
from restoretk.tone_curve import profile_curves
from restoretk.upsampling import upsample

DATA = Path(__file__).resolve().parents[2] / "data"
PSF = "motion:length=6,angle=30"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def run(*arguments: str | Path) -> Result:
    """Run the command in this process; an error that it did not expect is ours."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def done(*arguments: str | Path) -> Result:
    """Run a command that must succeed."""
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.fixture
def photo(tmp_path: Path, scene: Array) -> Path:
    """A small colour photograph of 8 bits with a profile, 45 x 63."""
    levels = np.rint(255 * np.stack([scene, scene[::-1], 0.8 * scene], axis=-1).clip(0, 1)).astype(np.uint8)
    Image.fromarray(levels).save(tmp_path / "photo.png", icc_profile=PROFILE, dpi=(254, 254))
    return tmp_path / "photo.png"


def _as_stored(image: Array) -> Array:
    return np.rint(image.clip(0, 1) * 255).astype(np.uint8)


def _light(photo: Path, space: str) -> tuple[Array, Callable[[Array], Array]]:
    """What the library is to work on, and the way from its result to code values."""
    codes = read_image(photo).image
    curve = profile_curves(PROFILE).curves[0]
    return (codes, np.asarray) if space == "srgb" else (curve.decode(codes), curve.encode)


@pytest.mark.parametrize("space", ["auto", "linear", "srgb"])
def test_degrade_writes_what_the_library_computes(tmp_path: Path, photo: Path, space: str) -> None:
    noise = "gaussian:sigma=0.02"
    command = ["degrade", photo, "--psf", PSF, "--noise", noise, "--seed", 5, "--space", space]
    result = done(*command, "-o", tmp_path / "out.png")
    scene, encode = _light(photo, space)
    expected = encode(degrade(scene, make_psf(PSF), noise=noise, channel_axis=2, rng=5))
    np.testing.assert_array_equal(iio.imread(tmp_path / "out.png"), _as_stored(expected))
    assert ("the code values of the file" in result.stderr) is (space == "srgb")


def test_degrade_repeats_itself_and_the_seed_changes_it(tmp_path: Path, photo: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        noise = "poisson:peak=200+gaussian:sigma=0.01"
        done("degrade", photo, "--psf", PSF, "--noise", noise, "--seed", seed, "-o", tmp_path / f"{name}.png")
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize("space", ["auto", "linear", "srgb"])
def test_deblur_writes_what_the_library_computes_and_says_what_it_chose(
    tmp_path: Path, photo: Path, space: str
) -> None:
    result = done("deblur", photo, "--psf", PSF, "--space", space, "-o", tmp_path / "out.png")
    seen, encode = _light(photo, space)
    expected = restore(seen, make_psf(PSF), channel_axis=2)
    away = np.abs(iio.imread(tmp_path / "out.png").astype(int) - _as_stored(encode(expected.image)))
    assert away.max() <= 1  # a value half way between two levels may be rounded either way
    assert np.mean(away > 0) < 1e-3
    assert result.stdout == ""
    assert result.stderr.startswith("restoretk: wiener: noise_to_signal=")
    assert f"noise_sigma={expected.noise_sigma:.4g}" in result.stderr.splitlines()[0]
    words = (
        "the code values of the file, as asked for"
        if space == "srgb"
        else "linear light, decoded by the colour profile 'sRGB built-in'"
    )
    assert result.stderr.splitlines()[1] == f"restoretk: restored in {words}"


def test_deblur_passes_method_and_boundary_on(tmp_path: Path, photo: Path) -> None:
    method = "regularized_filter:regularization=0.01"
    done("deblur", photo, "--psf", PSF, "--method", method, "--boundary", "wrap", "-o", tmp_path / "out.png")
    seen, encode = _light(photo, "auto")
    expected = restore(
        seen,
        make_psf(PSF),
        "regularized_filter",
        regularization=0.01,
        boundary="wrap",
        channel_axis=2,
    )
    np.testing.assert_array_equal(iio.imread(tmp_path / "out.png"), _as_stored(encode(expected.image)))
    done("deblur", photo, "--psf", PSF, "--method", method + ",boundary=wrap", "-o", tmp_path / "same.png")
    assert (tmp_path / "same.png").read_bytes() == (tmp_path / "out.png").read_bytes()


def test_deblur_prints_json_on_stdout_and_nothing_else(tmp_path: Path, photo: Path) -> None:
    result = done("deblur", photo, "--psf", PSF, "--json", "-o", tmp_path / "out.png")
    record = json.loads(result.stdout)
    assert record["method"] == "wiener"
    assert record["psf"] == PSF
    assert record["noise_sigma"] > 0
    assert (record["space"], record["tone_curve"]) == ("linear", "gamma 2.4")
    assert result.stderr == ""


def test_a_delta_psf_and_no_regularization_return_the_file_bit_by_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    np.save(tmp_path / "delta.npy", np.pad(np.ones((1, 1)), ((1, 1), (2, 2))))
    levels = rng.integers(0, 65536, (31, 42), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", levels)
    method = "wiener:noise_to_signal=0"
    done("deblur", tmp_path / "in.tif", "--psf", tmp_path / "delta.npy", "--method", method, "-o", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), levels)


def test_transparency_profile_and_resolution_pass_through_untouched(tmp_path: Path, scene: Array) -> None:
    alpha = np.linspace(0, 255, scene.size).astype(np.uint8).reshape(scene.shape)
    levels = np.dstack([_as_stored(scene)] * 3 + [alpha])
    Image.fromarray(levels).save(tmp_path / "in.png", icc_profile=b"profile", dpi=(254, 254))
    done("deblur", tmp_path / "in.png", "--psf", PSF, "-o", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture)[..., 3], alpha)
        assert picture.info["icc_profile"] == b"profile"
        assert picture.info["dpi"] == pytest.approx((254, 254), abs=0.1)
        assert (np.asarray(picture)[..., :3] != levels[..., :3]).any()


def test_what_the_output_cannot_keep_is_said(tmp_path: Path, photo: Path) -> None:
    refused = run("upsample", photo, "-o", tmp_path / "out.bmp")
    assert refused.exit_code == 1
    assert "cannot hold the ICC profile of the picture" in refused.stderr
    result = done("upsample", photo, "--allow-loss", "-o", tmp_path / "out.bmp")
    assert "out.bmp: not kept from the photograph: ICC profile\n" in result.stderr


@pytest.mark.parametrize("kernel", ["nearest", "bicubic"])
def test_upsample_writes_what_the_library_computes(tmp_path: Path, photo: Path, kernel: str) -> None:
    done("upsample", photo, "--factor", 3, "--kernel", kernel, "-o", tmp_path / "out.png")
    expected = upsample(read_image(photo).image, 3, kernel=kernel, channel_axis=2)
    assert expected.shape == (135, 189, 3)
    np.testing.assert_array_equal(iio.imread(tmp_path / "out.png"), _as_stored(expected))


def test_upsample_enlarges_transparency_with_the_picture(tmp_path: Path, scene: Array) -> None:
    Image.fromarray(np.dstack([_as_stored(scene)] * 2)).save(tmp_path / "in.png")
    done("upsample", tmp_path / "in.png", "--kernel", "nearest", "-o", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.mode == "LA"
        np.testing.assert_array_equal(np.asarray(picture)[..., 1], np.kron(_as_stored(scene), np.ones((2, 2))))


def test_a_stack_is_deblurred_page_by_page_with_a_flat_psf(tmp_path: Path, scene: Array) -> None:
    stack = np.stack([scene, scene[::-1], scene**2]).astype(np.float32)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    method = "wiener:noise_to_signal=0.01"
    out = tmp_path / "out.tif"
    done("deblur", tmp_path / "stack.tif", "--psf", PSF, "--method", method, "--boundary", "reflect", "-o", out)
    pages = tifffile.imread(out)
    expected = restore(stack[1], make_psf(PSF), noise_to_signal=0.01, boundary="reflect").image
    np.testing.assert_allclose(pages[1], expected, atol=1e-5)


def test_the_pixel_type_can_be_asked_for(tmp_path: Path, scene: Array) -> None:
    np.save(tmp_path / "in.npy", scene)
    refused = run("upsample", tmp_path / "in.npy", "-o", tmp_path / "out.png")
    assert refused.exit_code == 1
    assert "cannot hold grey of dtype float64" in refused.stderr
    done("upsample", tmp_path / "in.npy", "--dtype", "uint16", "-o", tmp_path / "out.png")
    assert iio.imread(tmp_path / "out.png").dtype == np.uint16


def test_an_existing_output_is_replaced_only_with_force(tmp_path: Path, photo: Path) -> None:
    output = tmp_path / "out.png"
    output.write_bytes(b"old")
    refused = run("upsample", photo, "-o", output)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert output.read_bytes() == b"old"
    done("upsample", photo, "-o", output, "--force")
    assert iio.imread(output).shape == (90, 126, 3)


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_a_saved_psf_is_the_psf(tmp_path: Path, photo: Path, suffix: str) -> None:
    saved = tmp_path / f"psf{suffix}"
    assert done("psf", PSF, "-o", saved).output == ""
    np.testing.assert_array_equal(make_psf(str(saved)), make_psf(PSF))
    done("degrade", photo, "--psf", PSF, "-o", tmp_path / "a.png")
    done("degrade", photo, "--psf", saved, "-o", tmp_path / "b.png")
    np.testing.assert_array_equal(iio.imread(tmp_path / "a.png"), iio.imread(tmp_path / "b.png"))


def test_a_psf_as_png_is_scaled_to_its_peak_and_says_so(tmp_path: Path) -> None:
    result = done("psf", PSF, "-o", tmp_path / "psf.png")
    assert "scaled to the peak" in result.stderr
    stored, exact = iio.imread(tmp_path / "psf.png"), make_psf(PSF)
    np.testing.assert_allclose(stored / 65535, exact / exact.max(), atol=1e-5)


def test_psf_shows_its_figures_and_a_picture(tmp_path: Path) -> None:
    psf = np.zeros((5, 7))
    psf[1, 2], psf[3, 6] = 3, 1
    np.save(tmp_path / "psf.npy", psf / 4)
    lines = done("psf", tmp_path / "psf.npy").stdout.splitlines()
    assert [line.split(maxsplit=1) for line in lines[:5]] == [
        ["shape", "5, 7"],
        ["sum", "1"],
        ["peak", "0.75"],
        ["centroid", "-0.5, 0"],
        ["widths", "0.866025, 1.73205"],
    ]
    assert lines[5:] == ["", "    ██", "", " " * 12 + "▒▒", ""]
    record = json.loads(done("psf", tmp_path / "psf.npy", "--json").stdout)
    assert record["shape"] == [5, 7]
    assert record["centroid"] == pytest.approx([-0.5, 0])


@pytest.mark.parametrize("spec", ["gaussian:sigma=30", "gaussian:sigma=2,ndim=1", "gaussian:sigma=1,ndim=3"])
def test_the_picture_of_any_psf_fits_a_terminal(spec: str) -> None:
    lines = done("psf", spec).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("█" in line for line in lines)


@pytest.mark.parametrize("observed", [False, True])
def test_compare_writes_one_report_and_prints_its_numbers(tmp_path: Path, photo: Path, observed: bool) -> None:
    extra = ["--observed"] if observed else ["--noise", "gaussian:sigma=0.01"]
    report = tmp_path / "report.html"
    record = json.loads(done("compare", photo, "--psf", PSF, *extra, "-o", report, "--json").stdout)
    assert record["title"] == "photo.png"
    assert record["has_original"] is not observed
    assert {panel["name"] for panel in record["restorations"]} >= {"wiener", "regularized_filter"}
    page = report.read_text(encoding="utf-8")
    assert "photo.png" in page
    assert PSF in page


def test_compare_without_a_place_for_its_report_is_a_usage_error(photo: Path) -> None:
    assert run("compare", photo, "--psf", PSF).exit_code == 2
    assert run("compare", photo, "--psf", PSF, "--observed", "--noise", "gaussian:sigma=1", "--json").exit_code == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_begins_with_examples_that_name_the_command(name: str) -> None:
    text = done(name, "--help").output
    usage, rest = text.split("\n\n", 1)
    assert usage.startswith("Usage: ")
    assert rest.lstrip().startswith("Examples:")
    assert f"restoretk {name}" in rest.split("\n\n")[0] + rest.split("\n\n")[1]


def test_help_lists_every_command_and_wrong_ones_are_answered_with_the_choices() -> None:
    text = done("--help").output
    assert text.index("Examples:") < text.index("Options:")
    assert all(f"\n  {name} " in text for name in COMMANDS)
    wrong = run("debulr")
    assert wrong.exit_code == 2
    assert (
        "did you mean 'deblur'?): choose from degrade, deblur, deblur-large, upsample, compare, explain" in wrong.stderr
    )


def test_the_installed_command_and_the_module_are_the_same(tmp_path: Path, photo: Path) -> None:
    command = Path(sys.executable).parent / "restoretk"
    for number, start in enumerate([[command], [sys.executable, "-m", "restoretk"]]):
        version = subprocess.run([*start, "--version"], capture_output=True, text=True, check=True)
        assert version.stdout == f"restoretk, version {__version__}\n"
        output = tmp_path / f"{number}.png"
        subprocess.run([*start, "degrade", photo, "--psf", PSF, "-o", output], check=True)
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()


def test_a_reader_that_leaves_early_is_no_error() -> None:
    # The pipe is closed before the first byte: what `| head` does, without the race.
    code = (
        "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); sys.argv = ['restoretk', 'psf', 'disk:radius=4']"
    )
    code += "; from restoretk.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=False)
    assert result.stderr == ""


def test_ctrl_c_is_one_line_and_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> Array:
        raise KeyboardInterrupt

    monkeypatch.setattr("restoretk.catalogue.make_psf", interrupted)
    result = run("psf", PSF)
    assert (result.exit_code, result.stderr) == (130, "restoretk: error: interrupted\n")


def test_warnings_are_one_line_without_the_place_in_the_code() -> None:
    code = (
        "import warnings, restoretk.catalogue as c; from restoretk.cli import main\n"
        "real = c.make_psf\n"
        "def warning(spec):\n"
        "    warnings.warn('two\\n  lines', stacklevel=2)\n"
        "    return real(spec)\n"
        "c.make_psf = warning\n"
        "main(['psf', 'disk:radius=2', '--json'])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == "restoretk: warning: two lines\n"


def test_jpeg_is_a_noise_of_colour_pictures_too(tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "photo.png", iio.imread(DATA / "coffee.png")[:64, :80])
    result = run(
        "degrade", tmp_path / "photo.png", "--psf", PSF, "--noise", "jpeg:quality=75", "-o", tmp_path / "out.png"
    )
    assert result.exit_code == 0, result.stderr
    assert iio.imread(tmp_path / "out.png").shape == (64, 80, 3)


def test_what_is_said_twice_is_a_usage_error(tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "photo.png", iio.imread(DATA / "camera.png")[:64, :80])
    command = [
        "deblur",
        tmp_path / "photo.png",
        "--psf",
        PSF,
        "--method",
        "wiener:boundary=wrap",
        "-o",
        tmp_path / "out.png",
    ]
    assert run(*command).exit_code == 0
    result = run(*command, "--boundary", "taper", "--force")
    assert result.exit_code == 2
    assert "both say the boundary" in result.stderr


def test_a_report_that_is_not_named_html_is_refused(tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "photo.png", iio.imread(DATA / "camera.png")[:64, :80])
    result = run("compare", tmp_path / "photo.png", "--psf", PSF, "-o", tmp_path / "report.pdf")
    assert result.exit_code == 1
    assert "report.html" in result.stderr
    assert not (tmp_path / "report.pdf").exists()


def test_a_psf_beside_its_origin_is_said(tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "photo.png", iio.imread(DATA / "camera.png")[:64, :80])
    psf = np.zeros((11, 11))
    psf[0:3, 0:3] = 1 / 9
    np.save(tmp_path / "corner.npy", psf)
    result = run("deblur", tmp_path / "photo.png", "--psf", tmp_path / "corner.npy", "-o", tmp_path / "out.png")
    assert "centroid of the psf lies (-4.0, -4.0) pixels from its origin" in result.stderr


def test_deblur_takes_a_mask_by_name_and_from_a_file(tmp_path: Path) -> None:
    pixels = (iio.imread(DATA / "camera.png")[60:160, 200:340]).copy()
    pixels[20:26, 100:106] = 255
    iio.imwrite(tmp_path / "photo.png", pixels)
    holes = np.zeros(pixels.shape, np.uint8)
    holes[50:53, 30:40] = 255
    iio.imwrite(tmp_path / "holes.png", holes)
    results = {}
    for name, mask in (("none", []), ("saturated", ["--mask", "saturated"]), ("file", ["--mask", "holes.png"])):
        command = [sys.executable, "-m", "restoretk", "deblur", "photo.png", "--psf", "disk:radius=2", *mask]
        command += ["--space", "srgb"]
        subprocess.run([*command, "-o", f"{name}.png"], cwd=tmp_path, check=True, capture_output=True)
        results[name] = iio.imread(tmp_path / f"{name}.png")
    psf = disk_psf(2)
    expected = restore(pixels, psf, mask=holes > 0).image
    assert np.abs(results["file"].astype(int) - expected).max() <= 1
    assert (results["saturated"][20:26, 100:106] == 255).all()
    assert not np.array_equal(results["none"], results["file"])
    wrong = subprocess.run(
        [*command[:7], "--mask", "holes", "-o", "x.png"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert "mask must be a boolean array or nan or saturated" in wrong.stderr


def test_nan_in_a_file_is_masked_where_the_user_says_so_and_refused_elsewhere(tmp_path: Path) -> None:
    pixels = (iio.imread(DATA / "camera.png")[60:160, 200:340] / 255).astype(np.float32)
    pixels[50:53, 30:40] = np.nan
    tifffile.imwrite(tmp_path / "holes.tif", pixels)
    command = ["deblur", tmp_path / "holes.tif", "--psf", "disk:radius=2", "-o", tmp_path / "out.tif"]
    assert "30 NaN" in run(*command).stderr
    assert "30 NaN" in run(*command, "--mask", "saturated").stderr
    assert run(*command, "--mask", "nan").exit_code == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), restore(pixels, disk_psf(2), mask="nan").image)
