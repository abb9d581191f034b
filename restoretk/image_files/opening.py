"""A file of this machine as bytes: opened by us, never waited for, never a device, a pipe or an address."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from restoretk.image_files.lengths import read_whole
from restoretk.image_files.limits import DEFAULT_LIMITS, Limits
from restoretk.image_files.record import ImageFileError, Refusal, shown


def read_bytes(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of a regular file.

    Raises
    ------
    OSError
        If there is no such file, it is a folder, or it cannot be read.
    ImageFileError
        If it is a pipe, a device or a socket, holds no byte, more than the limit, or more than its own header allows.
    """
    path = Path(path)
    _refuse_unless_regular(path.stat().st_mode, path)  # before it is opened: opening some devices does things
    # O_NONBLOCK: a pipe put there in the meantime is not waited for.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        _refuse_unless_regular(status.st_mode, path)
        try:
            limits.check_file(status.st_size)
            data = read_whole(file, limits)
        except Refusal as refusal:
            raise ImageFileError(f"{shown(path)} {refusal}") from None
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
    if not data:
        raise ImageFileError(f"{shown(path)} is empty (0 bytes)")
    return data


def _refuse_unless_regular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{shown(path)} is a folder, not a picture")
    if not stat.S_ISREG(mode):
        raise ImageFileError(f"{shown(path)} is not a regular file")
