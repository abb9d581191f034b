"""Recipes: what was asked for is in a file, and the file gives the same bytes again."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import click
import imageio.v3 as iio
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given
from hypothesis import strategies as st

from restoretk._version import __version__
from restoretk.cli import main
from restoretk.cli._recipe import _toml

PSF = "motion:length=3,angle=30"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    iio.imwrite(tmp_path / "photo.png", rng.integers(0, 256, (21, 32, 3), dtype=np.uint8))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def same(first: str, second: str) -> bool:
    return Path(first).read_bytes() == Path(second).read_bytes()


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("degrade", ["--psf", PSF, "--noise", "gaussian:sigma=0.1+quantize:bits=6", "--seed", "9", "--space", "srgb"]),
        ("deblur", ["--psf", PSF, "--method", "wiener:noise_to_signal=0.01", "--boundary", "reflect"]),
        ("deblur", ["--psf", PSF, "--mask", "saturated", "--strip"]),
        ("upsample", ["--factor", "3", "--kernel", "bicubic:a=-0.75"]),
    ],
)
def test_a_recipe_gives_the_same_bytes_again(command: str, options: list[str]) -> None:
    run(command, "photo.png", *options, "-o", "a.png", "--save-recipe", "r.toml")
    run(command, "photo.png", "--recipe", "r.toml", "-o", "b.png", "--save-recipe", "again.toml")
    assert same("a.png", "b.png")
    assert same("r.toml", "again.toml")


def test_a_recipe_says_what_was_asked_for_and_not_where_files_lie() -> None:
    run("upsample", "photo.png", "-o", "a.png", "--jobs", "2", "--quiet", "--save-recipe", "r.toml")
    recipe = tomllib.loads(Path("r.toml").read_text(encoding="utf-8"))
    assert recipe == {
        "schema_version": 1,
        "restoretk": __version__,
        "command": "upsample",
        "options": {"factor": 2, "kernel": "bicubic", "strip": False, "allow-loss": False},
    }


def test_an_option_beside_a_recipe_counts_more() -> None:
    run("upsample", "photo.png", "--factor", "3", "-o", "a.png", "--save-recipe", "r.toml")
    run("upsample", "photo.png", "--recipe", "r.toml", "--factor", "4", "-o", "b.png")
    assert iio.imread("b.png").shape == (84, 128, 3)


def test_a_recipe_is_for_a_batch_too_and_a_changed_psf_file_is_refused() -> None:
    np.save("psf.npy", np.ones((3, 2)))
    run("deblur", "photo.png", "--psf", "psf.npy", "-o", "a.png", "--save-recipe", "r.toml")
    iio.imwrite("other.png", iio.imread("photo.png")[::-1])
    run("deblur", "photo.png", "other.png", "--recipe", "r.toml", "-o", "out/")
    assert same("a.png", "out/photo.png")
    np.save("psf.npy", np.ones((2, 3)))
    said = run("deblur", "photo.png", "--recipe", "r.toml", "-o", "b.png", code=1).stderr
    assert "psf.npy is not the file that the recipe was made with" in said
    assert not Path("b.png").exists()


def test_a_recipe_is_not_overwritten_without_force() -> None:
    Path("r.toml").write_text("mine", encoding="utf-8")
    run("upsample", "photo.png", "-o", "a.png", "--save-recipe", "r.toml", code=1)
    assert Path("r.toml").read_text(encoding="utf-8") == "mine"
    assert not Path("a.png").exists()


HEAD = f'schema_version = 1\nrestoretk = "{__version__}"\ncommand = "upsample"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("schema_version = [", "r.toml is no recipe"),
        ("\udcff", "r.toml is no recipe"),
        ("a = " + "[" * 100_000, "r.toml is no recipe"),
        ("a = 1", "schema_version must be 1, got None"),
        ("schema_version = 1", "a recipe for None, not for upsample"),
        (HEAD + "[options]\nfcator = 2", "option must be one of factor, kernel"),
        (HEAD + "[options]\nfactor = [2]", "factor must be a text, a number, true or false"),
        (HEAD + "options = 3", "options must be a table"),
        (HEAD + '[options]\nfactor = "two"', "two"),
        (HEAD + "[options]\nfactor = -3", "-3 is not in the range"),
        (HEAD + "[options]\noutput = 'x'", "option must be one of"),
    ],
    ids=range(11),
)
def test_a_bad_recipe_is_a_usage_error(text: str, says: str) -> None:
    Path("r.toml").write_bytes(text.encode(errors="surrogateescape"))
    assert says in run("upsample", "photo.png", "--recipe", "r.toml", "-o", "a.png", code=2).stderr
    assert not Path("a.png").exists()


def test_a_recipe_of_another_version_is_said_to_be_one() -> None:
    Path("r.toml").write_text(HEAD.replace(__version__, "0.0.1"), encoding="utf-8")
    assert "made with restoretk 0.0.1" in run("upsample", "photo.png", "--recipe", "r.toml", "-o", "a.png").stderr


@given(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1), st.booleans()))
@example("\x00\x1f\x7f\"\\\n\r\t\u2028\U0001f4a9é'''")
def test_every_value_comes_back_from_toml(value: str | int | bool) -> None:
    back = tomllib.loads(f"value = {_toml(value)}\n")["value"]
    assert back == value
    assert type(back) is type(value)


def test_a_name_that_is_no_text_is_refused_by_a_recipe() -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        _toml("psf-\udcff.npy")


def test_every_option_is_either_of_the_pixels_or_of_the_call() -> None:
    from restoretk.cli._recipe import _OF_THE_CALL, _spellings
    from restoretk.cli.deblur import deblur

    assert isinstance(deblur, click.Command)
    expected = [
        "psf",
        "method",
        "boundary",
        "mask",
        "space",
        "format",
        "dtype",
        "quality",
        "strip",
        "allow-loss",
        "hdu",
        "channel-axis",
    ]
    assert list(_spellings(deblur)) == expected
    names = {option.name for option in deblur.params}
    assert names >= _OF_THE_CALL


def test_what_is_typed_beside_a_recipe_counts_more_than_a_file_of_it(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    iio.imwrite(tmp_path / "in.png", image)
    np.save(tmp_path / "psf.npy", np.full((3, 4), 1 / 12))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "restoretk", "deblur", "in.png", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    assert run("--psf", "psf.npy", "-o", "a.png", "--save-recipe", "r.toml").returncode == 0
    np.save(tmp_path / "psf.npy", np.full((3, 3), 1 / 9))
    changed = run("--recipe", "r.toml", "-o", "b.png")
    assert changed.returncode == 1
    assert "is not the file that the recipe was made with" in changed.stderr
    assert run("--recipe", "r.toml", "--psf", "disk:radius=2", "-o", "b.png").returncode == 0
