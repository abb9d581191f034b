"""Work in a process of its own that is killed, and taken up, again and again."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest


def lines_of(journal: Path) -> int:
    try:
        return journal.read_bytes().count(b"\n")
    except FileNotFoundError:  # not yet, or no more
        return 0


@pytest.fixture
def kill_again_and_again() -> Callable[[Callable[[int], list[str]], Path, Iterable[int]], int]:
    """Run a command, made of the number of kills, and kill it at each number of lines of its journal; then to its end.

    The number of kills.
    """

    def run(command: Callable[[int], list[str]], output: Path, wanted: Iterable[int]) -> int:
        journal, kills = output.parent / f".restoretk-{output.name}" / "journal", 0
        for lines in wanted:
            process = subprocess.Popen(command(kills))
            limit = time.monotonic() + 60
            while process.poll() is None and lines_of(journal) < lines and time.monotonic() < limit:
                time.sleep(0.001)
            if process.poll() is not None:
                assert process.returncode == 0
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            assert not output.exists()
        else:
            subprocess.run(command(kills), check=True)
        assert not journal.exists()
        return kills

    return run
