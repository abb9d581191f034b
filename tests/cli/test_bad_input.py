"""Bad input: one clear line on stderr, an exit code that is not 0, no traceback, no partial file, nothing changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from restoretk._arrays import Array
from restoretk.image_files import read_image

DISK = "disk:radius=2"
COMMAND = Path(sys.executable).parent / "restoretk"


@pytest.fixture
def folder(tmp_path: Path, scene: Array) -> Path:
    """A folder with one good photograph and many bad files."""
    Image.fromarray(np.rint(255 * scene.clip(0, 1)).astype(np.uint8)).save(tmp_path / "photo.png")
    holes = scene.astype(np.float32)
    holes[3, 4] = np.nan
    np.save(tmp_path / "holes.npy", holes)
    tifffile.imwrite(tmp_path / "holes.tif", holes)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("This is a text.\n", encoding="utf-8")
    (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:-300])
    tifffile.imwrite(tmp_path / "cut.tif", scene)
    (tmp_path / "cut.tif").write_bytes((tmp_path / "cut.tif").read_bytes()[:-300])
    np.save(tmp_path / "zero.npy", np.zeros((3, 5)))
    np.save(tmp_path / "negative.npy", np.array([[0.6, -0.1, 0.5]]))
    np.save(tmp_path / "large.npy", np.full((101, 99), 1 / (101 * 99)))
    np.save(tmp_path / "complex.npy", scene + 1j)
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    (tmp_path / "hard.png").hardlink_to(tmp_path / "photo.png")
    (tmp_path / "soft.png").symlink_to("photo.png")
    (tmp_path / "there.png").write_bytes(b"old")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


CASES = [
    # (arguments, what the line says, exit code)
    ("deblur photo.png --psf dsk:radius=2 -o out.png", "must be one of", 2),
    ("deblur photo.png --psf disk:raduis=2 -o out.png", "must be one of radius", 2),
    ("deblur photo.png --psf disk:radius=wide -o out.png", "radius", 2),
    ("deblur photo.png --psf disk:radius=-1 -o out.png", "radius", 2),
    ("deblur photo.png --psf disk -o out.png", "radius", 2),
    ("deblur photo.png --psf absent.npy -o out.png", "absent.npy: No such file", 1),
    ("deblur photo.png --psf large.npy -o out.png", "(101, 99) is larger than the image (45, 63)", 1),
    ("deblur photo.png --psf zero.npy -o out.png", "zero", 1),
    ("deblur photo.png --psf negative.npy -o out.png", "negative", 1),
    ("deblur photo.png --psf holes.npy -o out.png", "holes.npy must be finite", 1),
    ("deblur photo.png --psf empty.png -o out.png", "empty.png is empty", 1),
    (f"deblur photo.png --psf {DISK} --method wener -o out.png", "must be one of inverse_filter, wiener", 2),
    (f"deblur photo.png --psf {DISK} --method wiener:k=1 -o out.png", "must be one of noise_to_signal", 2),
    (f"deblur photo.png --psf {DISK} --method wiener:noise_to_signal=-1 -o out.png", "noise_to_signal", 2),
    (f"deblur photo.png --psf {DISK} --boundary mirror -o out.png", "boundary must be one of wrap", 2),
    (f"degrade photo.png --psf {DISK} --noise gausian:sigma=1 -o out.png", "must be one of gaussian", 2),
    (f"degrade photo.png --psf {DISK} --noise gaussian:sigma=-1 -o out.png", "sigma", 2),
    (f"degrade photo.png --psf {DISK} --boundary mirror -o out.png", "boundary must be one of wrap", 2),
    (f"degrade photo.png --psf {DISK} --noise poisson:peak=1+quantize:bits=99 -o out.png", "bits", 2),
    (f"deblur photo.png --psf {DISK} --mask holes -o out.png", "mask must be", 2),
    (f"deblur photo.png --psf {DISK} --method regularized_filter:regularization=gvc -o out.png", "regularization", 2),
    ("upsample photo.png --kernel bicubic:b=1 -o out.png", "must be one of a", 2),
    ("upsample photo.png --kernel cubic -o out.png", "kernel must be one of nearest", 2),
    (f"deblur holes.npy --psf {DISK} -o out.npy", "holes.npy must be finite, got 1 NaN", 1),
    (f"deblur holes.tif --psf {DISK} -o out.tif", "holes.tif must be finite, got 1 NaN", 1),
    (f"deblur empty.png --psf {DISK} -o out.png", "empty.png is empty", 1),
    (f"deblur text.png --psf {DISK} -o out.png", "text.png is not a picture", 1),
    (f"deblur cut.png --psf {DISK} -o out.png", "cut.png cannot be decoded as PNG", 1),
    (f"deblur cut.tif --psf {DISK} -o out.tif", "cut.tif", 1),
    (f"deblur complex.npy --psf {DISK} -o out.npy", "complex.npy must hold integers or floats", 1),
    (f"deblur words.npy --psf {DISK} -o out.npy", "words.npy must hold integers or floats", 1),
    (f"deblur absent.png --psf {DISK} -o out.png", "absent.png: No such file", 1),
    (f"deblur folder.png --psf {DISK} -o out.png", "several pictures cannot all be written to out.png", 2),
    (f"deblur photo.png --psf {DISK} -o absent/out.png", "folder of the output absent/out.png does not exist", 1),
    (f"deblur photo.png --psf {DISK} -o .", "same file as the input", 1),
    (f"compare photo.png --psf {DISK} -o folder.png", "folder.png is a folder", 1),
    (f"deblur photo.png --psf {DISK} -o out.gif", "suffix of the output out.gif must be one of", 1),
    (f"deblur photo.png --psf {DISK} -o photo.png", "same file as the input", 1),
    (f"deblur photo.png --psf {DISK} -o hard.png", "same file as the input", 1),
    (f"deblur photo.png --psf {DISK} -o soft.png", "same file as the input", 1),
    (f"deblur photo.png --psf {DISK} -o there.png", "there.png exists", 1),
    ("deblur photo.png --psf zero.npy -o zero.npy --force", "zero", 1),
    (f"degrade photo.png --psf {DISK} -o ./photo.png", "same file as the input", 1),
    ("upsample text.png -o out.png", "text.png is not a picture", 1),
    ("upsample photo.png -o absent/out.png", "does not exist", 1),
    ("compare text.png --psf disk:radius=2 -o out.html", "text.png is not a picture", 1),
    ("compare photo.png --psf large.npy -o out.html", "too small for a psf of shape (101, 99)", 1),
    ("compare photo.png --psf disk:radius=2 -o absent/out.html", "does not exist", 1),
    ("compare photo.png --psf disk:radius=2 -o photo.png --force", "same file as the input", 1),
    ("psf negative.npy", "negative", 1),
    ("psf file:path=negative.npy", "negative", 1),
    ("psf photo.png -o photo.png --force", "same file as the input", 1),
    ("psf file:path=photo.png -o photo.png --force", "same file as the input", 1),
    ("psf zero.npy", "zero", 1),
    ("psf disk:radius=2 -o absent/psf.npy", "does not exist", 1),
    ("psf disk:radius=2 -o psf.gif", "suffix", 1),
]


def _state(folder: Path) -> dict[str, bytes | None]:
    return {path.name: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def _assert_one_line(stderr: str, says: str) -> None:
    assert "Traceback" not in stderr
    assert stderr.endswith("\n")
    assert len(stderr.splitlines()) == 1, stderr
    assert stderr.startswith("restoretk: error: ")
    assert says in stderr


@pytest.mark.parametrize(("arguments", "says", "code"), CASES, ids=[case[0] for case in CASES])
def test_bad_input_is_one_line_and_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, says: str, code: int
) -> None:
    from click.testing import CliRunner

    from restoretk.cli import main

    monkeypatch.chdir(folder)
    before = _state(folder)
    result = CliRunner().invoke(main, arguments.split())
    assert isinstance(result.exception, SystemExit), result.exception
    _assert_one_line(result.stderr, says)
    assert result.exit_code == code
    assert result.stdout == ""
    assert _state(folder) == before


@pytest.mark.parametrize(
    "arguments", [CASES[0][0], CASES[6][0], CASES[18][0], CASES[21][0], CASES[23][0], CASES[28][0]]
)
def test_the_installed_command_answers_bad_input_in_one_line(folder: Path, arguments: str) -> None:
    before = _state(folder)
    result = subprocess.run([COMMAND, *arguments.split()], cwd=folder, capture_output=True, text=True, check=False)
    says = next(says for case, says, _ in CASES if case == arguments)
    _assert_one_line(result.stderr, says)
    assert result.returncode in (1, 2)
    assert _state(folder) == before


def test_a_write_that_fails_leaves_no_partial_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from restoretk.cli import main

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.chdir(folder)
    monkeypatch.setattr(os, "fsync", full)
    before = _state(folder)
    for arguments in ("upsample photo.png -o out.png", "compare photo.png --psf disk:radius=2 -o out.html"):
        result = CliRunner().invoke(main, arguments.split())
        _assert_one_line(result.stderr, "No space left on device")
        assert result.exit_code == 1
        assert _state(folder) == before


@pytest.mark.parametrize(
    "arguments",
    [
        "deblur",
        "deblur photo.png -o out.png",
        "upsample photo.png --factor two -o o.png",
        "--nothing",
    ],
)
def test_wrong_usage_is_exit_code_2_without_a_traceback(folder: Path, arguments: str) -> None:
    result = subprocess.run([COMMAND, *arguments.split()], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "Usage: restoretk" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("restoretk: error: ")
    assert "MissingParameter" not in result.stderr


def test_floats_that_look_like_levels_are_said_to_be_and_no_white_picture_is_written(folder: Path) -> None:
    levels = (255 * np.linspace(0, 1, 45 * 63).reshape(45, 63)).astype(np.float32)
    tifffile.imwrite(folder / "levels.tif", levels)
    says = "levels.tif holds floats up to 255, which are never scaled, and white is 1: divide by 255 if that is white"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([COMMAND, *arguments], cwd=folder, capture_output=True, text=True, check=False)

    kept = run("deblur", "levels.tif", "--psf", DISK, "-o", "out.tif")
    assert (kept.returncode, f"restoretk: {says}" in kept.stderr) == (0, True)
    assert f"restoretk: {says}" in run("compare", "levels.tif", "--psf", DISK, "--json").stderr
    refused = run("deblur", "levels.tif", "--psf", DISK, "-o", "out.png", "--dtype", "uint8")
    assert refused.returncode == 1
    _assert_one_line(refused.stderr, f"out.png would be all but white: {says}")
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize(
    "command", [f"deblur photo.png --psf {DISK}", f"degrade photo.png --psf {DISK}", "upsample photo.png"]
)
def test_force_puts_a_picture_in_the_place_of_its_own_source(folder: Path, command: str) -> None:
    before = (folder / "photo.png").read_bytes()
    for output in ("photo.png", "soft.png"):
        result = subprocess.run(
            [COMMAND, *command.split(), "-o", output, "--force"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        assert read_image(folder / output).format == "PNG"
        assert (folder / output).read_bytes() != before
        assert not (folder / output).is_symlink()  # the link is replaced, not what it points to
        assert (folder / "hard.png").read_bytes() == before


def test_force_never_replaces_the_psf_or_the_mask_or_an_input_of_a_batch(folder: Path) -> None:
    np.save(folder / "mask.npy", np.ones((45, 63), bool))
    np.save(folder / "psf.npy", np.ones((3, 5)))
    before = _state(folder)
    for arguments in (
        "photo.png --psf psf.npy -o psf.npy",
        "photo.png --psf psf.npy --mask mask.npy -o mask.npy",
        f"photo.png there.png --psf {DISK} -o .",
    ):
        result = subprocess.run(
            [COMMAND, "deblur", *arguments.split(), "--force"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert result.returncode in (1, 2)
        assert "input" in result.stderr
        assert _state(folder) == before


@pytest.mark.parametrize(
    "words", [["deblur", "", "-o", "x/"], ["deblur", "a.png", "-o", ""], ["degrade", "", "-o", "x.png"]]
)
def test_an_empty_word_is_no_name(words: list[str]) -> None:
    command = [sys.executable, "-m", "restoretk", *words, "--psf", "disk:radius=2"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 2
    assert "empty" in found.stderr
