"""The input files that names and folders stand for, in an order that does not depend on the file system."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Found:
    """One input.

    Attributes
    ----------
    path : Path
        The file.
    below : Path
        Its folder, from the folder it was found in; ``.`` for a file that was named itself.
    named : bool
        Whether the caller named the file itself, and not a folder.
    problem : str
        Why there is nothing to read; empty for a file.
    """

    path: Path
    below: Path = Path()
    named: bool = True
    problem: str = ""


def find_inputs(
    paths: Iterable[Path], *, suffixes: Collection[str], recursive: bool = False, outside: Path | None = None
) -> list[Found]:
    """The files, and for each folder the files in it with one of the suffixes, sorted by name.

    Hidden files and folders in a folder (``.name``: temporary files are) are left out, and so is what lies in
    ``outside``, the folder of the outputs. A link to a folder is not followed. A file that was named itself is taken
    whatever its name.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders.
    suffixes : collection of str
        Endings of names in lower case, with the dot.
    recursive : bool
        Also the folders in a folder.
    outside : Path or None
        A folder to leave out where it lies inside another one.

    Returns
    -------
    list of Found
        Each file once. A folder that holds none of the files, or cannot be read, is an entry with a problem.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.png", "a.PNG", ".hidden.png", "notes.txt"):
    ...         _ = Path(folder, name).write_bytes(b"")
    ...     [found.path.name for found in find_inputs([Path(folder)], suffixes=[".png"])]
    ['a.PNG', 'b.png']
    """
    skip = None if outside is None else os.path.realpath(outside)
    found: dict[str, Found] = {}
    for path in paths:
        for each in _in_folder(path, suffixes, recursive, skip) if is_folder(path) else [Found(path=path)]:
            found.setdefault(os.path.abspath(each.path), each)  # noqa: PTH100 - resolve() would follow links
    return list(found.values())


def is_folder(path: Path) -> bool:
    """Whether there is a folder of that name; an impossible name (too long, say) is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _in_folder(folder: Path, suffixes: Collection[str], recursive: bool, skip: str | None) -> list[Found]:
    found: list[Found] = []
    problems: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(
            name
            for name in folders
            if recursive and not name.startswith(".") and os.path.realpath(Path(where, name)) != skip
        )
        below = Path(where).relative_to(folder)
        found += [
            Found(path=Path(where, name), below=below, named=False)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    unread = [
        Found(path=Path(problem.filename), named=False, problem=problem.strerror or str(problem))
        for problem in problems
    ]
    if not found and not unread:
        more = "" if recursive else " itself; --recursive looks in the folders inside"
        unread = [Found(path=folder, named=False, problem=f"the folder holds no pictures{more}")]
    return found + unread
