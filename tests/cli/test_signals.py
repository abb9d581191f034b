"""Signals: one line, the exit code of the signal, no traceback, no partial file, no process left; SIGKILL loses nothing."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COMMAND = Path(sys.executable).parent / "restoretk"
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "reproduce_kills.py"
NAMES = "abcdefgh"
WORDS = {signal.SIGINT: b"interrupted", signal.SIGTERM: b"terminated"}


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Enough pictures that a batch of them is still at work when the signal comes."""
    for name in NAMES:
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (301, 302), dtype=np.uint8)).save(tmp_path / "in" / f"{name}.png")
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The command as a shell in the foreground starts it: with SIGINT as it comes."""
    return subprocess.Popen(
        [COMMAND, *arguments],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
        start_new_session=True,
    )


def children(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes of the session that the command began."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == process.pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def listens(pid: int) -> bool:
    """Whether the process has a handler of its own for SIGTERM."""
    (mask,) = [line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "SigCgt" in line]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


def wait_until(condition: object, seconds: float = 30) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("number", WORDS)
@pytest.mark.parametrize("whole_group", [True, False])
def test_a_signal_ends_a_batch_and_its_workers(folder: Path, number: signal.Signals, whole_group: bool) -> None:
    process = start(folder, "deblur", "in", "--psf", "disk:radius=2", "-o", "out/", "--jobs", "2")
    wait_until(lambda: any((folder / "out").glob("*.png")))
    os.killpg(process.pid, number) if whole_group else process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert stderr.splitlines()[-1] == b"restoretk: error: " + WORDS[number]
    assert b"Traceback" not in stderr
    wait_until(lambda: not children(process))
    assert not list((folder / "out").glob(".restoretk-*"))
    for path in (folder / "out").glob("*.png"):
        Image.open(path).load()
    again = start(folder, "deblur", "in", "--psf", "disk:radius=2", "-o", "out/", "--resume")
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert len(list((folder / "out").glob("*.png"))) == len(NAMES)


@pytest.mark.parametrize("number", WORDS)
def test_a_signal_at_any_moment_of_a_single_run_is_one_line_at_most(folder: Path, number: signal.Signals) -> None:
    rng = np.random.default_rng(3)
    seen = set()
    for _ in range(6):
        process = start(folder, "deblur", "in/a.png", "--psf", "disk:radius=2", "-o", "out.png", "--quiet")
        wait_until(partial(listens, process.pid))  # before that, Python's own start is at work and no line of ours
        time.sleep(1.2 * rng.random())
        process.send_signal(number)
        _, stderr = process.communicate(timeout=20)
        seen.add(process.returncode)
        # Python takes handlers away while it shuts down: then the signal ends it, its work being done.
        at_the_end = process.returncode == -number and (folder / "out.png").exists()
        assert at_the_end or process.returncode in (0, 128 + number)
        assert stderr in (b"", b"restoretk: error: " + WORDS[number] + b"\n")
        assert not list(folder.glob(".restoretk-*"))
        if (folder / "out.png").exists():
            Image.open(folder / "out.png").load()
            (folder / "out.png").unlink()
    assert 128 + number in seen


def test_sigint_that_the_caller_ignores_stays_ignored(folder: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "upsample", "in", "-o", "out/"],
        cwd=folder,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN) and None,
        start_new_session=True,
    )
    wait_until(lambda: any((folder / "out").glob("*.png")))
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_killed_worker_is_one_failure(folder: Path) -> None:
    process = start(folder, "deblur", "in", "--psf", "disk:radius=2", "-o", "out/", "--quiet")
    wait_until(lambda: any((folder / "out").glob("*.png")))
    (worker,) = [pid for pid in children(process) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(worker, signal.SIGKILL)
    _, stderr = process.communicate(timeout=60)
    made = len(list((folder / "out").glob("*.png")))
    if process.returncode == 0:  # it was between two pictures, and takes none with it
        assert (stderr, made) == (b"", len(NAMES))
        return
    assert process.returncode == 3
    (line,) = stderr.splitlines()
    assert b"was ended by SIGKILL" in line
    assert made == len(NAMES) - 1


def test_kills_lose_nothing_and_a_resumed_batch_is_the_same_bit_by_bit(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("reproduce_kills", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    figures = script.kill_and_resume(tmp_path, kills=8, pictures=5, jobs=1, seed=1)
    assert figures["kills"] == 8
    assert figures["runs that lived to their end"] >= 1
    assert [value for name, value in figures.items() if name.startswith("broken")] == [0, 0]
