"""Files that do not say which axis holds channels, and what the command line says in its own words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

from restoretk import degrade, wiener
from restoretk._arrays import Array
from restoretk.cli import main
from restoretk.image_files import describe, read_image

PSFS = np.stack([np.pad(np.ones((3, 2)), 1) / 6, np.full((5, 4), 1 / 20)])
FIXED = ["--method", "wiener:noise_to_signal=0.01", "--boundary", "wrap"]


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def two(tmp_path: Path, scene: Array) -> Array:
    """Two channels, each blurred by a PSF of its own, in .npy with channels first and last, and in a TIFF of pages."""
    blurred: Array = degrade(np.stack([scene, scene[::-1]]), PSFS, boundary="wrap", channel_axis=0)
    np.save(tmp_path / "psfs.npy", PSFS)
    np.save(tmp_path / "first.npy", blurred)
    np.save(tmp_path / "last.npy", np.moveaxis(blurred, 0, -1))
    with tifffile.TiffWriter(tmp_path / "pages.tif") as writer:
        for page in blurred.astype(np.float32):
            writer.write(page)
    return blurred


@pytest.mark.parametrize(("name", "axis"), [("first.npy", 0), ("first.npy", -3), ("last.npy", -1), ("pages.tif", 0)])
def test_the_channel_axis_of_a_file_can_be_named(tmp_path: Path, two: Array, name: str, axis: int) -> None:
    out = tmp_path / f"out{Path(name).suffix}"
    result = run("deblur", tmp_path / name, "--psf", tmp_path / "psfs.npy", *FIXED, "--channel-axis", axis, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert "one psf of shape (5, 4) for each of the 2 channels" in result.stderr
    restored = np.asarray(tifffile.imread(out) if out.suffix == ".tif" else np.load(out))
    psfs = PSFS if axis != -1 else np.moveaxis(PSFS, 0, -1)
    picture = np.load(tmp_path / name) if out.suffix == ".npy" else two.astype(np.float32)
    expected = wiener(picture, psfs, noise_to_signal=0.01, boundary="wrap", channel_axis=axis)
    np.testing.assert_allclose(restored, expected, rtol=0, atol=1e-5)
    if out.suffix == ".tif":
        assert read_image(out).axes == "CYX"


def test_without_it_a_stack_of_psfs_for_a_stack_is_said_to_be_one_volume(tmp_path: Path, two: Array) -> None:
    assert two.shape[0] == 2
    arguments = ["deblur", tmp_path / "first.npy", "--psf", tmp_path / "psfs.npy", *FIXED, "-o", tmp_path / "out.npy"]
    assert "--channel-axis 0 makes it one psf for each channel" in run(*arguments).stderr


@pytest.mark.parametrize(
    ("name", "axis", "says"),
    [
        ("first.npy", 3, "must be one of the axes of"),
        ("first.npy", -4, "must be one of the axes of"),
        ("pages.tif", 1, "must not be an axis of rows or columns"),
        ("colour.png", 0, "must be 2, where"),
    ],
)
def test_a_channel_axis_that_cannot_be_is_refused(tmp_path: Path, two: Array, name: str, axis: int, says: str) -> None:
    from PIL import Image

    assert two.ndim == 3
    Image.fromarray(np.zeros((40, 41, 3), np.uint8)).save(tmp_path / "colour.png")
    out = tmp_path / "out.npy"
    result = run("deblur", tmp_path / name, "--psf", "disk:radius=1", "--channel-axis", axis, "-o", out)
    assert result.exit_code == 1
    assert f"--channel-axis {says}" in result.stderr
    assert f"got {axis}" in result.stderr
    assert not out.exists()


def test_the_record_in_a_file_names_files_without_their_folders(tmp_path: Path, two: Array) -> None:
    np.save(tmp_path / "psf.npy", PSFS[1])
    np.save(tmp_path / "mask.npy", np.zeros(two.shape[1:]))
    out = tmp_path / "out.tif"
    result = run(
        *("deblur", tmp_path / "pages.tif", "--psf", tmp_path / "psf.npy", "--mask", tmp_path / "mask.npy"),
        *("--method", "wiener:noise_to_signal=0.01", "-o", out),
    )
    assert result.exit_code == 0, result.stderr
    (record,) = describe(read_image(out))["made_by"]
    assert (record["psf"], record["mask"]) == ("psf.npy", "mask.npy")
    assert str(tmp_path).encode() not in out.read_bytes()


def test_the_command_line_says_options_where_the_library_says_arguments(tmp_path: Path, scene: Array) -> None:
    from PIL import Image

    bright = np.rint(255 * np.clip(1.5 * np.stack([scene] * 3, -1), 0, 1)).astype(np.uint8)
    Image.fromarray(bright).save(tmp_path / "bright.png")
    Image.fromarray(bright[..., 0]).save(tmp_path / "grey.png")
    said = run("deblur", tmp_path / "bright.png", "--psf", "disk:radius=1", "-o", tmp_path / "out.png").stderr
    assert "--mask saturated keeps their halo away" in said
    method = "wiener:per_channel=true"
    refused = run(
        "deblur", tmp_path / "grey.png", "--psf", "disk:radius=1", "--method", method, "-o", tmp_path / "o.png"
    )
    assert refused.exit_code == 1
    assert "per_channel needs channels (--channel-axis) in a picture of shape (45, 63)" in refused.stderr


def test_slices_that_are_said_to_be_channels_lose_the_words_of_their_program_and_nothing_else(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 60000, (4, 60, 70), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", stack, imagej=True, metadata={"axes": "ZYX", "spacing": 2.0, "unit": "um"})
    words = ["deblur", "in.tif", "--psf", "disk:radius=1", "--channel-axis", "0", "-o", "out.tif"]
    found = subprocess.run([sys.executable, "-m", "restoretk", *words], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "not kept from the photograph: the description of its microscope" in found.stderr
    assert tifffile.imread(tmp_path / "out.tif").shape == stack.shape
