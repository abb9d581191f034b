"""What of a long work is done, line by line in a file, so that it can go on after whatever stopped it."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


class Journal:
    """A list of steps that were finished, kept in a file of JSON lines.

    The first line says what work it belongs to. A line that was cut off is left out; what it stood for is done again.

    Parameters
    ----------
    path : Path
    work : dict
        What would make other bytes: input, parameters, layout, version.
    resume : bool
        Whether to go on where a journal of the same work is there.
    """

    def __init__(self, path: Path, work: dict[str, Any], *, resume: bool) -> None:
        old = _lines(path) if resume else []
        self.resumed = bool(old) and old[0] == work
        differing = sorted(name for name in work if old and old[0].get(name) != work[name])
        self.differing = differing  # from the work that was begun, why it is not gone on with
        self._steps: dict[tuple[Any, ...], Sequence[int]] = {}
        if self.resumed:
            for entry in old[1:]:
                self._take(entry)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if self.resumed:
            os.write(self._descriptor, b"\n")  # ends a line that was cut off
        else:
            os.truncate(self._descriptor, 0)
            self._write(work)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._descriptor)

    def done(self, *step: Any) -> Sequence[int] | None:
        """The checksums of a step that is done; None where it is not."""
        return self._steps.get(step)

    def steps(self) -> Iterable[tuple[tuple[Any, ...], Sequence[int]]]:
        """All steps that are done, with their checksums."""
        return self._steps.items()

    def add(self, *step: Any, sums: list[int]) -> None:
        """Say that a step is done."""
        entry = {"step": list(step), "sums": sums}
        self._write(entry)
        self._take(entry)

    def forget(self, *beginning: Any) -> None:
        """Say that all steps that begin so are to be done again."""
        entry = {"forget": list(beginning)}
        self._write(entry)
        self._take(entry)

    def _take(self, entry: dict[str, Any]) -> None:
        if "step" in entry:
            self._steps[tuple(entry["step"])] = array("q", entry["sums"])  # a fifth of the memory of a list
        elif "forget" in entry:
            head = tuple(entry["forget"])
            self._steps = {step: sums for step, sums in self._steps.items() if step[: len(head)] != head}

    def _write(self, entry: dict[str, Any]) -> None:
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")


def was_begun(path: Path) -> bool:
    """Whether a journal says that something of a work was done."""
    return any(entry.get("step") not in (None, ["layout"]) for entry in _lines(path))


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal, none where there is no journal."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    found = []
    for line in text.split(b"\n"):
        try:
            entry = json.loads(line) if line else None
        except ValueError:
            continue  # cut off
        if isinstance(entry, dict):
            found.append(entry)
    return found
