"""Broken files and other libraries: silence for those in C that write to the terminal, errors for what is only logged."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ONE_AT_A_TIME = threading.RLock()  # the descriptor is of the whole process
_STDERR = 2


@contextmanager
def logged_errors_raised(kind: type[Exception]) -> Iterator[None]:
    """Raise what tifffile only logs: it fills pixels that it cannot find with zeros and goes on."""
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: errors.append(record.getMessage())  # type: ignore[method-assign] # no class for a line
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
    if errors:
        raise kind(f"is a damaged TIFF: {' '.join(errors[0].split())}")


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
