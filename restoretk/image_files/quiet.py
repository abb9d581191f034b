"""Silence for libraries in C that write about broken files straight to the terminal."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ONE_AT_A_TIME = threading.RLock()  # the descriptor is of the whole process
_STDERR = 2


@contextmanager
def c_libraries_silenced() -> Iterator[None]:
    """While it lasts, what is written to descriptor 2 goes nowhere: what matters is raised as an error as well."""
    with _ONE_AT_A_TIME:
        sys.stderr.flush() if sys.stderr is not None else None
        try:
            kept = os.dup(_STDERR)
        except OSError:  # there is none to write to
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _STDERR)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
