"""README.md: its Python runs, each of its commands does its work, and what it names is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from click.testing import CliRunner

from restoretk._arrays import Array
from restoretk.cli import COMMANDS, main
from restoretk.convolution.boundary import BOUNDARIES
from restoretk.image_files import read_image
from restoretk.noise import NOISES
from restoretk.psf import PSFS
from restoretk.restoration import METHODS
from restoretk.restoration.operators import OPERATORS
from restoretk.restoration.regularization import SELECTORS
from restoretk.upsampling import KERNELS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


LINES = [line for block in _blocks("sh") for line in block.splitlines()]
COMMAND_LINES = [line for line in LINES if line.startswith("restoretk ")]


def test_every_block_is_python_or_shell() -> None:
    assert len(_blocks("python")) >= 1
    assert 2 * (len(_blocks("python")) + len(_blocks("sh"))) == README.count("```")
    assert all(line.startswith(("restoretk ", "bash ", "pip ")) for line in LINES)


@pytest.mark.parametrize("source", _blocks("python"))
def test_the_python_runs_by_itself_and_prints_numbers(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    exec(compile(source, "README.md", "exec"), {})  # noqa: S102 - the page is ours
    assert "print(" not in source or np.isfinite([float(word) for word in capsys.readouterr().out.split()]).all()


def _write_inputs(words: Iterable[str], scene: Array) -> None:
    """Every file that a command reads, small, and under the name it has in the README."""
    for name in words:
        if name == "psf.npy":
            np.save(name, np.pad(np.full((3, 4), 1 / 12), 1))
        else:
            levels = np.rint(255 * np.stack([scene, scene[::-1], 0.8 * scene], axis=-1)).astype(np.uint8)
            iio.imwrite(name, levels)


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_does_its_work(line: str, tmp_path: Path, scene: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line, comments=True)[1:]
    files = [word for word in words if re.fullmatch(r"\w+\.(png|jpg|tif|npy|html)", word)]
    outputs = [words[words.index("-o") + 1]] if "-o" in words else []
    _write_inputs((name for name in files if name not in outputs), scene)
    if words[0] == "deblur-large":  # in a process of its own: its memory is that of the whole process
        done = subprocess.run([sys.executable, "-m", "restoretk", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert Path(outputs[0]).stat().st_size > 0
        return
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert all(Path(name).stat().st_size > 0 for name in outputs)
    assert outputs or result.stdout
    if words[0] == "upsample":
        assert read_image(Path(outputs[0])).image.shape[:2] == (2 * scene.shape[0], 2 * scene.shape[1])


def test_every_command_is_shown() -> None:
    assert {line.split()[1] for line in COMMAND_LINES} == set(COMMANDS)
    assert all(CliRunner().invoke(main, [name, "--help"]).exit_code == 0 for name in COMMANDS)


def test_every_file_that_it_names_exists() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    shown = re.findall(r"(?:bash|python) ([\w./-]+\.(?:sh|py))", README)
    spelled = re.findall(r"`((?:scripts|data|docs|benchmarks|tests|restoretk)/[\w./-]*)`", README)
    assert len(linked) >= 3
    assert len(shown) >= 3
    assert [name for name in (*linked, *shown, *spelled) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    ("heading", "names"),
    [("PSF", PSFS), ("noise", NOISES), ("method", METHODS), ("kernel", KERNELS)],
)
def test_its_tables_hold_every_name_in_order(heading: str, names: Iterable[str]) -> None:
    (cell,) = re.findall(rf"^\| {heading} \| (.*) \|$", README, flags=re.MULTILINE)
    assert re.findall(r"`(\w+)`", cell) == list(names)


def test_it_names_every_rule_operator_and_boundary() -> None:
    wanted = [*SELECTORS, *OPERATORS, *BOUNDARIES, "unknown"]
    assert [name for name in wanted if f"`{name}`" not in README] == []


def test_no_figure_is_missing() -> None:
    """Placeholders look like this: @NAME@."""
    assert re.findall(r"@[A-Z_]+@", README) == []
