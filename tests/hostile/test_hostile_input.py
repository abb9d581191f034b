"""Hostile input through the installed command: a clean success or a clean error, and nothing else changed.

No call may show a traceback, hang, need 300 MB more than the idle process, leave a partial file, change an input, lose
the old output when it fails, reach the network, start a program or unpickle anything.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from restoretk._arrays import Array

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory is read from /proc, and calls are forks (Linux)"
)

HERE = Path(__file__).parent
COMMAND = Path(sys.executable).parent / "restoretk"
MOST_MB = 300
MOST_SECONDS = 5  # of CPU
State = dict[str, tuple[str, bytes, int]]


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"hostile_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


cases = _load("cases")
CASES = cases.all_cases() if sys.platform.startswith("linux") else []
OLD = cases.pictures.pillow("PNG", np.full((5, 4), 99, np.uint8))


def state_of(folder: Path) -> State:
    """Every name in a folder: what it is, what it holds, and when it was changed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        kind = stat.filemode(status.st_mode)
        content = os.fsencode(path.readlink()) if kind[0] == "l" else path.read_bytes() if kind[0] == "-" else b""
        found[str(path.relative_to(folder))] = (kind, content, 0 if kind[0] == "d" else status.st_mtime_ns)
    return found


def make_folder(folder: Path, case: Any) -> State:
    folder.mkdir()
    (folder / "photo.png").write_bytes(cases.pictures.pillow("PNG", cases.pictures.scene()))
    (folder / "out.png").write_bytes(OLD)
    for name, data in case.files.items():
        (folder / name).write_bytes(data)
    case.prepare(folder)
    return state_of(folder)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, State, dict[str, Any]]]:
    """What became of every call."""
    root = tmp_path_factory.mktemp("hostile")
    tifffile.imwrite(root / "secret.tif", np.full((25, 33), 77, np.uint8))
    folders = {case.name: root / f"{number:04}" for number, case in enumerate(CASES)}
    before = {case.name: make_folder(folders[case.name], case) for case in CASES}
    calls = [{"folder": str(folders[case.name]), "arguments": case.arguments, **case.more} for case in CASES]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("RESTORETK", "COV_"))}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "VIPS_CONCURRENCY": "1"}
    result = subprocess.run(
        [sys.executable, str(HERE / "driver.py")],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=root,
    )
    assert result.returncode == 0, result.stderr
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(found) == len(CASES), result.stderr
    return {case.name: (folders[case.name], before[case.name], one) for case, one in zip(CASES, found, strict=True)}


def printable(text: str) -> bool:
    return all(sign == "\n" or sign.isprintable() for sign in text)


def assert_tidy(folder: Path, before: State, case: Any, code: int) -> None:
    """Nothing has changed but the output, and that only if the call succeeded."""
    after = state_of(folder)
    if code == -9:  # what a killed process was writing may stay, under its own name; the next run sweeps it
        after = {name: entry for name, entry in after.items() if not Path(name).name.startswith(".restoretk-")}
    out = os.path.normpath(case.out) if code == 0 and case.out is not None else None
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    assert [name for name in changed if name != out] == []


def pixels_of(path: Path) -> Array:
    """The pixels of a written file, by a reader that is not ours."""
    data = path.read_bytes()
    if data[:4] in (b"II*\0", b"MM\0*"):
        return np.asarray(tifffile.imread(io.BytesIO(data)))
    if data[:6] == b"\x93NUMPY":
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return np.asarray(picture)


@functools.cache
def whole_pixels(name: str, data: bytes) -> Array:
    from restoretk.image_files import decode_image

    return decode_image(data, name=name).image


@pytest.mark.parametrize("case", CASES, ids=[ascii(case.name) for case in CASES])
def test_hostile_input_is_a_clean_success_or_a_clean_error(
    case: Any, outcomes: dict[str, tuple[Path, State, dict[str, Any]]]
) -> None:
    folder, before, found = outcomes[case.name]
    said = found["stderr"]
    assert not found["hung"], said
    assert found["code"] in case.codes, said
    assert "Traceback" not in said
    assert "not foreseen" not in said
    assert len(said.splitlines()) <= case.lines, said
    assert len(said) < 3000
    assert printable(said), ascii(said)
    assert printable(found["stdout"]), ascii(found["stdout"][:3000])
    assert found["code"] in (0, 3, -9) or said.splitlines()[-1].startswith("restoretk: "), said
    assert found["forbidden"] == ""
    assert found["grown"] <= MOST_MB
    assert found["seconds"] <= MOST_SECONDS
    assert_tidy(folder, before, case, found["code"])
    if found["code"] == 0 and case.out is not None and case.out.endswith((".png", ".tif", ".npy")):
        assert pixels_of(folder / case.out).size > 0
    if found["code"] == 0 and case.same_as is not None:
        stored = np.load(folder / "out.npy")
        white = np.iinfo(stored.dtype).max if stored.dtype.kind == "u" else 1
        np.testing.assert_allclose(stored / white, whole_pixels(*case.same_as), rtol=1e-6)


def run_script(folder: Path, arguments: list[str], *before: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The installed script itself, in a process of its own."""
    return subprocess.run(
        [*before, str(COMMAND), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


SCRIPTED = (
    "truncated colour.png at 11",
    "bomb canvas.gif",
    "mode objects.npy",
    "disguise pdf",
    "special pipe.png read",
)


@pytest.mark.parametrize("start", SCRIPTED)
def test_the_installed_script_says_the_same_as_the_fork(
    start: str, tmp_path: Path, outcomes: dict[str, tuple[Path, State, dict[str, Any]]]
) -> None:
    case = next(case for case in CASES if case.name.startswith(start))
    before = make_folder(tmp_path / "there", case)
    result = run_script(tmp_path / "there", case.arguments)
    found = outcomes[case.name][2]
    assert (result.returncode, result.stdout, result.stderr) == (found["code"], found["stdout"], found["stderr"])
    assert_tidy(tmp_path / "there", before, case, result.returncode)


def test_a_full_disk_is_one_line_and_keeps_the_old_output(tmp_path: Path) -> None:
    """On a small disk of its own; where no disk may be mounted, files of at most 8 blocks stand for it."""
    upsample = f"{COMMAND} upsample photo.tif --factor 3 -o disk/out.tif --force; echo $?; ls -A disk; cat disk/out.tif"
    (tmp_path / "disk").mkdir()
    probe = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "disk"], cwd=tmp_path, check=False)
    if probe.returncode == 0:
        command = [
            "unshare",
            "-m",
            "sh",
            "-c",
            "mount -t tmpfs -o size=64k tmpfs disk && printf old > disk/out.tif && ",
        ]
        reason = "No space left on device"
    else:
        command, reason = ["sh", "-c", "ulimit -f 8 && printf old > disk/out.tif && "], "File too large"
    command[-1] += upsample
    noise = np.random.default_rng(1).integers(0, 256, (99, 98), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "photo.tif", noise)
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert result.stdout == "1\nout.tif\nold"
    assert result.stderr.splitlines()[-1] == f"restoretk: error: photo.tif: disk/out.tif: {reason}"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_for_a_full_disk_is_one_line(option: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [COMMAND, option], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (result.returncode, result.stderr) == (1, "restoretk: error: stdout: No space left on device\n")


def test_endless_zeros_on_stdin_are_refused_at_their_beginning(tmp_path: Path) -> None:
    with Path("/dev/zero").open("rb") as zeros:
        result = run_script(tmp_path, ["upsample", "-", "-o", "out.png"], stdin=zeros)
    assert result.returncode == 1
    assert "stdin is not a" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 150
