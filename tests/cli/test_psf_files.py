"""PSFs in files: one for each channel, volumes, and measured ones that stand on a background."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from PIL import Image

from restoretk._arrays import Array
from restoretk.cli import main
from restoretk.degradation import degrade
from restoretk.image_files import read_image
from restoretk.psf import gaussian_psf, subtract_background
from restoretk.restoration import restore


def done(*arguments: str | Path) -> Result:
    """Run a command that must succeed."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.stderr
    return result


@pytest.fixture
def colour(tmp_path: Path, scene: Array) -> Path:
    """A photograph in colour, 45 x 63, as floats."""
    tifffile.imwrite(tmp_path / "photo.tif", np.stack([scene, scene[::-1], 0.5 * scene], axis=-1), photometric="rgb")
    return tmp_path / "photo.tif"


@pytest.fixture
def bead(rng: np.random.Generator) -> Array:
    """Counts of a camera with an offset: a little more than half of them background."""
    psf = gaussian_psf(1.6, size=(20, 23))
    return rng.poisson(2000 * psf / psf.max()) + 100 + rng.normal(0, 8, psf.shape)


@pytest.mark.parametrize("command", ["degrade", "deblur"])
def test_a_psf_file_for_each_channel_is_taken_and_said(
    command: str, tmp_path: Path, colour: Path, lopsided_psf: Array
) -> None:
    psfs = np.stack([lopsided_psf, lopsided_psf[::-1], np.roll(lopsided_psf, 1, axis=1)])
    np.save(tmp_path / "psfs.npy", psfs * np.array([1, 5, 9])[:, None, None])
    result = done(command, colour, "--psf", tmp_path / "psfs.npy", "-o", tmp_path / "out.tif")
    assert f"{tmp_path / 'psfs.npy'}: one psf of shape (4, 7) for each of the 3 channels\n" in result.stderr
    image, own = read_image(colour).image, np.moveaxis(psfs, 0, -1)
    compute = {"degrade": degrade, "deblur": lambda *args, **options: restore(*args, **options).image}[command]
    expected = compute(image, own, channel_axis=2)
    np.testing.assert_allclose(tifffile.imread(tmp_path / "out.tif"), expected, atol=1e-9)


def test_a_volume_stays_a_volume_for_a_stack(tmp_path: Path, scene: Array) -> None:
    stack = np.stack([scene * factor for factor in (0.2, 0.5, 1, 0.7, 0.1, 0.3)])
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    psf = gaussian_psf((0.8, 1.2, 1.2), size=(3, 7, 8))
    np.save(tmp_path / "psf.npy", 40 * psf)
    result = done("degrade", tmp_path / "stack.tif", "--psf", tmp_path / "psf.npy", "-o", tmp_path / "out.tif")
    assert result.stderr == ""
    np.testing.assert_allclose(tifffile.imread(tmp_path / "out.tif"), degrade(stack, psf), atol=1e-12)


@pytest.mark.parametrize("command", ["degrade", "deblur", "psf", "compare"])
def test_a_background_under_a_psf_is_said_with_the_remedy(
    command: str, tmp_path: Path, scene: Array, bead: Array
) -> None:
    Image.fromarray(np.rint(255 * scene.clip(0, 1)).astype(np.uint8)).save(tmp_path / "photo.png")
    path = tmp_path / "a bead.npy"
    np.save(path, bead)
    clean = tmp_path / "clean.npy"
    done("psf", path, "--subtract-background", "-o", clean)
    for psf, says in ((path, 1), (clean, 0)):
        if command == "psf":
            lines = done("psf", psf).stderr.splitlines()
        else:
            suffix = "html" if command == "compare" else "png"
            output = tmp_path / f"{says}.{suffix}"
            lines = done(command, tmp_path / "photo.png", "--psf", psf, "-o", output).stderr.splitlines()
        warnings = [line for line in lines if "flat background" in line]
        assert len(warnings) == says
        if says:
            assert warnings[0].startswith(f"restoretk: warning: {path}: about 5")
            assert f"restoretk psf '{path}' --subtract-background -o clean.npy takes it off" in warnings[0]


def test_a_background_is_said_of_the_channel_that_has_it(tmp_path: Path, colour: Path, bead: Array) -> None:
    clean = subtract_background(bead)
    np.save(tmp_path / "psfs.npy", np.stack([clean, bead, clean], axis=-1))
    lines = done("degrade", colour, "--psf", tmp_path / "psfs.npy", "-o", tmp_path / "o.tif").stderr.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"restoretk: warning: {tmp_path / 'psfs.npy'}, channel 1: about ")


def test_a_background_is_taken_off_on_demand(tmp_path: Path, bead: Array) -> None:
    tifffile.imwrite(tmp_path / "bead.tif", np.rint(bead).astype(np.uint16))
    result = done("psf", tmp_path / "bead.tif", "--subtract-background", "-o", tmp_path / "psf.npy", "--json")
    (line,) = result.stderr.splitlines()
    level = float(line.split("bead.tif: a background of ")[1].split()[0])
    assert level * 65535 == pytest.approx(100, rel=0.05)
    assert line.endswith("at every element was taken off, 57% of the sum")
    assert json.loads(result.stdout)["widths"] == pytest.approx([1.6, 1.6], rel=0.03)
    np.testing.assert_allclose(np.load(tmp_path / "psf.npy"), subtract_background(np.rint(bead)), atol=1e-6)


def test_noise_below_zero_is_taken_off_too_and_no_background_is_said(tmp_path: Path, bead: Array) -> None:
    np.save(tmp_path / "psf.npy", bead - 100)
    refused = CliRunner().invoke(main, ["psf", str(tmp_path / "psf.npy")])
    assert refused.exit_code == 1
    assert "must not be negative" in refused.stderr
    assert "restoretk psf FILE --subtract-background" in refused.stderr
    result = done("psf", tmp_path / "psf.npy", "--subtract-background", "-o", tmp_path / "clean.npy")
    assert "no background was found; noise below 0" in result.stderr
    result = done("psf", tmp_path / "clean.npy", "--subtract-background", "--json")
    assert "no background was found, nothing was taken off" in result.stderr


def test_a_background_of_a_psf_that_is_no_file_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["psf", "disk:radius=3", "--subtract-background"])
    assert result.exit_code == 2
    assert "--subtract-background is for a psf measured and kept in a file" in result.stderr
