"""Kill a batch with SIGKILL again and again, resume it each time, and count what is broken: nothing should be.

Run ``python scripts/reproduce_kills.py`` (100 kills; ``--kills N`` for another number). A folder of pictures is deblurred
once without interruption. Then the same batch is started and its process killed after a random time, over and over; after
each kill every file in the output folder must be a whole picture, the same bytes as in the uninterrupted run. When a run
lives to its end the folder must be the same as the uninterrupted one, name by name and byte by byte, and the next begins
from nothing.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

OPTIONS = ["--psf", "disk:radius=2", "--recursive", "--resume", "--quiet"]


def main() -> int:
    """Print the figures; 1 if anything was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = kill_and_resume(Path(folder), asked.kills, asked.pictures, asked.jobs, asked.seed)
    for name, value in figures.items():
        print(f"{name:<40}{value}")
    return int(any(value for name, value in figures.items() if name.startswith("broken")))


def kill_and_resume(folder: Path, kills: int, pictures: int, jobs: int, seed: int) -> dict[str, int]:
    """The figures of one series of kills."""
    rng = np.random.default_rng(seed)
    make_pictures(folder / "in", pictures, rng)
    start = time.monotonic()
    _batch(folder, "whole", jobs).wait()
    seconds = time.monotonic() - start
    whole = contents(folder / "whole")
    figures = {"kills": 0, "kills in the middle of the work": 0, "runs that lived to their end": 0}
    figures |= {"broken: partial or different files": 0, "broken: resumed runs that differ": 0}
    figures["temporary files swept on resuming"] = 0
    left = 0
    while figures["kills"] < kills:
        process = _batch(folder, "out", jobs)
        # Most of the time of so small a batch is start-up; a quarter of the kills come in any phase.
        earliest = 0.0 if rng.random() < 0.25 else 0.3
        killed = _kill_after(process, seconds * (earliest + (1.0 - earliest) * rng.random()))
        figures["kills"] += killed
        if sys.stderr.isatty():
            print(f"\r{figures['kills']}/{kills} kills", end="", file=sys.stderr, flush=True)
        found = contents(folder / "out")
        pictures_found = {name: data for name, data in found.items() if name.endswith(".png")}
        temporary = sum(Path(name).name.startswith(".restoretk-") for name in found)
        figures["temporary files swept on resuming"] += max(0, left - temporary)
        left = temporary
        figures["broken: partial or different files"] += sum(
            data != whole.get(name) for name, data in pictures_found.items()
        )
        if killed:
            figures["kills in the middle of the work"] += 0 < len(pictures_found) < pictures
            continue
        figures["runs that lived to their end"] += 1
        figures["broken: resumed runs that differ"] += found != whole
        _clear(folder / "out")
    if (folder / "out").is_dir():
        _batch(folder, "out", jobs).wait()
        figures["broken: resumed runs that differ"] += contents(folder / "out") != whole
        figures["runs that lived to their end"] += 1
    return figures


def make_pictures(folder: Path, count: int, rng: np.random.Generator) -> None:
    """Pictures of several sizes in a tree of folders."""
    for number in range(count):
        rows, columns = 140 + 13 * (number % 5), 151 + 17 * (number % 3)
        path = folder / f"part{number % 3}" / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8)).save(path)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, by its name from there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file():
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
        except FileNotFoundError:  # a worker of the killed run finished with its temporary file just now
            continue
    return found


def _batch(folder: Path, output: str, jobs: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "restoretk", "deblur", "in", "-o", f"{output}/", "--jobs", str(jobs), *OPTIONS]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=folder, env={**os.environ, **one_thread})


def _kill_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the process was still alive to be killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    if process.returncode == 0:
        return False
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError(f"a run ended with exit code {process.returncode}")
    return True


def _clear(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


if __name__ == "__main__":
    raise SystemExit(main())
