"""How far a batch is: one line on stderr that is written over, on a terminal and nowhere else."""

from __future__ import annotations

import os
import sys


class Progress:
    """A line without colour or control sequences but the carriage return."""

    def __init__(self, total: int, *, wanted: bool) -> None:
        terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._total, self._shown, self._on = total, "", wanted and terminal

    def show(self, ended: int, failed: int) -> None:
        """Write the line anew."""
        self.clear()
        if self._on:
            self._shown = f"{ended}/{self._total} files" + (f", {failed} failed" if failed else "")
            sys.stderr.write(f"\r{self._shown}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away: before another one, and at the end."""
        if self._shown:
            sys.stderr.write("\r" + " " * len(self._shown) + "\r")
            sys.stderr.flush()
            self._shown = ""
