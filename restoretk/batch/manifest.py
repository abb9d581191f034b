"""What a batch has done, in a file beside its outputs: enough to know later what need not be done again."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from restoretk.image_files import PART_PREFIX, write_bytes

#: The name of the file in the folder of the outputs.
MANIFEST_NAME = "restoretk-manifest.jsonl"

_DONE = {"output", "input", "input_bytes", "input_sha256", "output_bytes", "output_sha256", "parameters", "version"}
_OLD = 600.0  # seconds: no picture takes that long to write


def digest_of(path: Path) -> tuple[int, str] | None:
    """Size and SHA-256 of a regular file; None for a pipe or a device, which are not waited for."""
    if not stat.S_ISREG(path.stat().st_mode):
        return None
    with os.fdopen(
        os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb"
    ) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        digest, size = hashlib.sha256(), 0
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


class Manifest:
    """Lines of JSON, one for each output: appended as the work goes on, in order of the outputs once all is done.

    A line ``begun`` goes before the work on an output and a line with the hashes of input and output after it, so that a
    run that was killed leaves either a line for an output or a mark that the output, if it is there, is its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / MANIFEST_NAME
        self.done: dict[str, dict[str, Any]] = {}
        self.begun: set[str] = set()
        self._descriptor = -1
        if self.path.exists():
            self._read(self.path.read_bytes())

    def key(self, output: Path) -> str:
        """How an output is called in the manifest: from its folder, with slashes."""
        return Path(os.path.relpath(output, self.folder)).as_posix()

    def open(self) -> None:
        """Write what is known so far in one piece (a killed run may have left half a line), then append."""
        self._rewrite([*self._lines(), *({"output": key, "status": "begun"} for key in sorted(self.begun))])
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0))

    def begin(self, key: str) -> None:
        """Mark an output as ours from now on, before there is a byte of it."""
        self.done.pop(key, None)
        self.begun.add(key)
        self._append({"output": key, "status": "begun"})

    def add(self, key: str, entry: Mapping[str, Any]) -> None:
        """Write down an output that is whole."""
        self.begun.discard(key)
        self.done[key] = {**entry, "output": key}
        self._append({**self.done[key], "status": "done"})

    def close(self, *, finished: bool) -> None:
        """Close the file; after a whole run its lines are in the order of the outputs, however the run went."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if finished:
            self._rewrite(self._lines())

    def _lines(self) -> list[dict[str, Any]]:
        return [{**self.done[key], "status": "done"} for key in sorted(self.done)]

    def _rewrite(self, lines: Iterable[Mapping[str, Any]]) -> None:
        write_bytes(self.path, b"".join(map(_line, lines)))

    def _append(self, entry: Mapping[str, Any]) -> None:
        line = _line(entry)
        if os.write(self._descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        os.fsync(self._descriptor)

    def _read(self, data: bytes) -> None:
        """Later lines count more. A line that is none of ours, or half of one, says nothing and costs only work."""
        for line in data.splitlines():
            entry = _parsed(line)
            key = entry.get("output")
            if not isinstance(key, str):
                continue
            if entry.get("status") == "begun":
                self.done.pop(key, None)
                self.begun.add(key)
            elif entry.get("status") == "done" and entry.keys() >= _DONE:
                self.begun.discard(key)
                self.done[key] = {name: value for name, value in entry.items() if name != "status"}


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, allow_nan=False).encode("ascii") + b"\n"


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


@contextlib.contextmanager
def only_one_at_work(folder: Path) -> Iterator[None]:
    """Hold the folder against a second batch, which would sweep away the files that this one is writing.

    The system lets go of it when the process ends, however that happens.

    Raises
    ------
    BlockingIOError
        If another batch is at work in the folder.
    """
    try:
        import fcntl
    except ImportError:  # Windows has none: there the caller keeps two batches apart
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(fcntl, descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(fcntl: Any, descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(errno.EAGAIN, "another batch is writing into this folder", str(folder)) from None
    except OSError as error:  # some network file systems know no locks
        if error.errno not in (errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EBADF):
            raise


def sweep(folders: Iterable[Path], *, fresh_too: bool) -> list[Path]:
    """Remove the temporary files that killed runs left in some folders; what was removed.

    Fresh ones may be those of another command that is writing at this moment: they go only where a run is known to
    have been killed.
    """
    swept = []
    for folder in sorted(set(folders)):
        for path in sorted(folder.glob(f"{PART_PREFIX}*")):
            with contextlib.suppress(FileNotFoundError):  # its writer has finished with it
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and (fresh_too or time.time() - status.st_mtime > _OLD):
                    path.unlink()
                    swept.append(path)
    return swept
