"""Which input becomes which output: found out, and its conflicts with it, before any work starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from restoretk._grammar import OptionError
from restoretk.batch.finding import Found


class PlanError(OptionError):
    """Inputs and outputs that cannot go together, whatever the files hold."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One input and its output; ``problem`` says why it cannot be done, where that is known before."""

    number: int
    source: Path
    output: Path
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a batch will do: its tasks in order, and the files that it left out because it writes them itself."""

    tasks: tuple[Task, ...]
    own_outputs: tuple[Path, ...]


def make_plan(found: Sequence[Found], name: Callable[[Found, int], Path], *, keep: Iterable[Path] = ()) -> Plan:
    """The tasks for some inputs.

    A file that was found in a folder and is the output of another one there is an output of an earlier run: left out.

    Parameters
    ----------
    found : sequence of Found
        The inputs.
    name : callable
        From an input and its number from 1 to its output.
    keep : iterable of Path
        Further files that no output may replace (a psf, a mask).

    Raises
    ------
    PlanError
        If two inputs have the same output, or an output is an input or a file to keep, also through a link.

    Examples
    --------
    >>> make_plan([Found(path=Path("a.png")), Found(path=Path("a.jpg"))], lambda each, index: Path("out/a.png"))
    Traceback (most recent call last):
    restoretk.batch.planning.PlanError: a.png and a.jpg would both be written to out/a.png
    """
    numbered = [(each, name(each, number)) for number, each in enumerate(found, 1) if not each.problem]
    writers: dict[str, set[str]] = {}
    for each, output in numbered:
        writers.setdefault(_place(output), set()).add(_place(each.path))
    own = [
        each for each, _ in numbered if not each.named and writers.get(_place(each.path), set()) - {_place(each.path)}
    ]
    left_out = {_place(each.path) for each in own}
    kept = [each for each in found if _place(each.path) not in left_out]

    tasks = []
    for number, each in enumerate(kept, 1):
        output = Path() if each.problem else name(each, number)
        tasks.append(Task(number=number, source=each.path, output=output, problem=each.problem))
    _refuse_collisions([task for task in tasks if not task.problem])
    _refuse_inputs_as_outputs([task for task in tasks if not task.problem], keep)
    return Plan(tasks=tuple(tasks), own_outputs=tuple(each.path for each in own))


def _place(path: Path) -> str:
    """Where a name leads once the links among its folders are followed; the file itself may be a link."""
    return os.path.normcase(os.path.join(os.path.realpath(path.parent), path.name))  # noqa: PTH118 - as normcase


def _refuse_collisions(tasks: Sequence[Task]) -> None:
    first: dict[str, Task] = {}
    collisions = []
    for task in tasks:
        other = first.setdefault(_place(task.output), task)
        if other is not task:
            collisions.append(f"{other.source} and {task.source} would both be written to {task.output}")
    if collisions:
        more = f" (and {len(collisions) - 1} more such pairs)" if len(collisions) > 1 else ""
        raise PlanError(collisions[0] + more)


def _refuse_inputs_as_outputs(tasks: Sequence[Task], keep: Iterable[Path]) -> None:
    inputs = {identity: path for path in (*(task.source for task in tasks), *keep) if (identity := _identity(path))}
    for task in tasks:
        identity = _identity(task.output)
        if identity is not None and identity in inputs:
            raise PlanError(
                f"the output {task.output} is the same file as the input {inputs[identity]}: give it another name"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file, through links; None where there is none (yet) or the name is impossible."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # the work itself says so where it matters
        return None
    return status.st_dev, status.st_ino
