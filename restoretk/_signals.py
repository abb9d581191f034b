"""What Ctrl-C and SIGTERM do: one line, an exit code of 128 and the number of the signal, nothing half done."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

_WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "the terminal was closed"}


class Stopped(BaseException):
    """A signal asked the program to end. No ``except Exception`` holds it, every ``finally`` runs."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number
        self.words = _WORDS[signal.Signals(number).name]


def leave_at_once() -> None:
    """From here a signal ends the process in its handler: for start-up and for the end, when there is nothing to tidy."""
    _install(lambda number, _: _leave(number))


def leave_tidily() -> None:
    """From here a signal raises `Stopped`, so that temporary files and workers go; in the middle of an import it leaves.

    An import that is broken off by an exception can leave a module half made, and some turn the exception into another
    one. Nothing is open while the program still imports.
    """

    def handler(number: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                _leave(number)
            frame = frame.f_back
        raise Stopped(number)

    _install(handler)


def _install(handler: Callable[[int, FrameType | None], None]) -> None:
    for name in _WORDS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        # A shell starts background jobs with SIGINT ignored, nohup with SIGHUP: that is the caller's wish.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _leave(number: int) -> NoReturn:
    try:
        os.write(2, f"restoretk: error: {_WORDS[signal.Signals(number).name]}\n".encode())
    finally:  # whoever closed stderr still gets the exit code
        os._exit(128 + number)


def say_stopped(stopped: Stopped) -> None:
    """The one line; stdout may be gone, stderr too."""
    if sys.stderr is not None:
        print(f"restoretk: error: {stopped.words}", file=sys.stderr)  # noqa: T201 - the command line talks
