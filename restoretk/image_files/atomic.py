"""A file appears whole or not at all, and never over the one it was made from."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from restoretk.image_files.record import ImageFileError, shown

#: How the names of unfinished files begin: nobody's picture, never taken as input, safe to delete when no run is on.
PART_PREFIX = ".restoretk-"

_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF)


def check_output_path(
    path: str | Path,
    *,
    inputs: Iterable[str | Path | None] = (),
    overwrite: bool = False,
    replace_input: bool = False,
) -> Path:
    """The path, if a file may be made there: worth asking before the work, not after.

    Raises
    ------
    OSError
        If the folder does not exist or may not be written to, if the path is a folder, a device or a pipe, or if the
        file exists and ``overwrite`` is False.
    ImageFileError
        If the path is the same file as one of ``inputs``, also through a link, unless ``replace_input``.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"the folder of the output {shown(path)} does not exist, or is none: {shown(path.parent)}"
        )
    try:
        there = path.lstat()
    except FileNotFoundError:
        there = None
    if there is not None:
        _refuse_what_is_there(path, inputs, overwrite=overwrite, replace_input=replace_input)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(f"the folder of the output {shown(path)} may not be written to")
    return path


def _refuse_what_is_there(
    path: Path, inputs: Iterable[str | Path | None], *, overwrite: bool, replace_input: bool
) -> None:
    """Raise unless what stands at the path may be replaced by a file."""
    try:
        target = path.stat()
    except OSError:  # a link to nowhere, or round in a circle: it is the link that would be replaced
        target = None
    if target is not None and stat.S_ISDIR(target.st_mode):
        raise IsADirectoryError(f"the output {shown(path)} is a folder: give the name of a file")
    if target is not None and not stat.S_ISREG(target.st_mode):
        raise ImageFileError(f"the output {shown(path)} is a device or a pipe, not a file")
    if target is not None and not replace_input:
        for source in inputs:
            if source is not None and _is(source, target):
                raise ImageFileError(
                    f"the output {shown(path)} is the same file as the input {shown(source)}: give it another name"
                )
    if not overwrite and not replace_input:
        raise FileExistsError(f"the output {shown(path)} exists: overwrite=True replaces it")


def _is(source: str | Path, target: os.stat_result) -> bool:
    """Whether a path leads to a file, whatever it is called: links and other spellings count."""
    try:
        return os.path.samestat(Path(source).stat(), target)
    except (OSError, ValueError):
        return False  # what cannot be found is not the same file


def write_bytes(path: str | Path, data: bytes) -> None:
    """Put bytes at a path so that it holds either the old file or the whole new one, whatever happens meanwhile.

    The data is on the disk before the name is. A file that is replaced keeps its access rights.

    Raises
    ------
    OSError
        If it cannot be written (full disk, no rights): one that names the path.
    """
    path = Path(path)
    # In the target's folder, or the replacing is not atomic; short, so that names of 255 bytes fit.
    part = path.parent / f"{PART_PREFIX}{secrets.token_hex(8)}"
    ours = False
    try:
        # Mode 0o666 less the umask, as for any new file; O_EXCL so that nobody's file or link is followed.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        ours = True
        with os.fdopen(descriptor, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                old = path.lstat()
                if stat.S_ISREG(old.st_mode):
                    part.chmod(stat.S_IMODE(old.st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:  # also Ctrl-C
        if ours:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk too, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:  # network file systems cannot; the file itself is whole all the same
            raise
