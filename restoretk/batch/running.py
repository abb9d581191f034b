"""A plan carried out: one file's failure is its own, and what was done already is not done again."""

from __future__ import annotations

import errno
import os
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from restoretk.batch.cluster import run_tasks_on_cluster
from restoretk.batch.manifest import Manifest, digest_of, only_one_at_work, sweep
from restoretk.batch.planning import Plan, Task
from restoretk.batch.workers import Crash, run_tasks

#: Does one task; the bool says whether its output may replace a file. What it returns goes into the outcome.
Work = Callable[[Task, bool], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    task : Task
        The task.
    status : str
        ``done``, ``failed`` or ``skipped`` (it was done before).
    result : mapping
        What the work returned.
    error : str
        Why it failed, in a line.
    trace : str
        Where in the program it failed.
    seconds : float
        How long the work took.
    """

    task: Task
    status: str
    result: Mapping[str, Any]
    error: str = ""
    trace: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Order:
    task: Task
    overwrite: bool


def run_batch(
    plan: Plan,
    work: Work,
    *,
    folder: Path | None,
    parameters: Mapping[str, Any],
    version: str,
    jobs: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    scheduler: str | None = None,
) -> Generator[Outcome, None, None]:
    """The outcome of each task, in the order of the plan whatever the number of jobs.

    The work runs in processes of its own, also for one job: what kills one of them (a fault in a decoder, a system out of
    memory) is a failure of that file. Folders for the outputs are made. In ``folder`` a manifest is kept, a second batch is
    kept out, and temporary files of killed runs are removed.

    Parameters
    ----------
    plan : Plan
        What `make_plan` returned.
    work : callable
        (task, overwrite) -> mapping; writes the output whole or not at all, raises an Exception where it cannot. It is sent
        to other processes, and so are its results.
    folder : Path or None
        Where the outputs lie, None for no manifest.
    parameters : mapping
        Whatever the outputs depend on beside the input, as JSON knows it.
    version : str
        Of the program.
    jobs : int
        How many processes.
    resume : bool
        Skip what an earlier run did, by its manifest: same bytes of input, parameters and version, and an output that
        still has the bytes that were written. Outputs of a broken-off or outdated run are replaced.
    overwrite : bool
        Replace any output that exists.
    scheduler : str or None
        The address of a Dask scheduler on whose workers the work is done, in place of ``jobs`` processes here. They see all
        files under the same names.

    Raises
    ------
    ValueError
        For jobs < 1, or ``resume`` without a folder.
    OSError
        If the folder or its manifest cannot be written, or another batch is at work in it.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    if folder is None and resume:
        raise ValueError("resume needs a folder in which a manifest can lie, got None")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with nullcontext() if folder is None else only_one_at_work(folder):
        run = _Run(plan, folder, dict(parameters), version, resume, overwrite)
        ended = 0
        try:
            for outcome in run.outcomes(partial(_attempt, work), jobs, scheduler):
                ended += 1
                yield outcome
        finally:
            run.close(finished=ended == len(plan.tasks))


class _Run:
    """The state of one run of a batch."""

    def __init__(
        self, plan: Plan, folder: Path | None, parameters: dict[str, Any], version: str, resume: bool, overwrite: bool
    ) -> None:
        self.plan, self.parameters, self.version = plan, parameters, version
        self.resume, self.overwrite = resume, overwrite
        self.manifest = None if folder is None else Manifest(folder)
        self.known: dict[int, Outcome] = {}
        if self.manifest is not None:
            folders = {task.output.parent for task in plan.tasks if not task.problem} | {self.manifest.folder}
            # A mark without its line is what a killed run leaves: then fresh temporary files are its own.
            sweep((each for each in folders if each.is_dir()), fresh_too=bool(self.manifest.begun))
            self.manifest.open()

    def close(self, *, finished: bool) -> None:
        if self.manifest is not None:
            self.manifest.close(finished=finished)

    def outcomes(self, attempt: Callable[[_Order], Outcome], jobs: int, scheduler: str | None) -> Iterator[Outcome]:
        """The outcomes in the order of the tasks, each as soon as those before it are there."""
        if scheduler is None:
            ended = run_tasks(attempt, self._orders(), jobs=jobs)
        else:
            ended = run_tasks_on_cluster(attempt, self._orders(), scheduler=scheduler)
        following = iter(self.plan.tasks)
        awaited = next(following, None)
        for order, result in ended:
            if isinstance(result, Crash):
                result = Outcome(task=order.task, status="failed", result={}, error=result.words)
            self.known[order.task.number] = self._noted(result)
            while awaited is not None and awaited.number in self.known:
                yield self.known.pop(awaited.number)
                awaited = next(following, None)
        while awaited is not None:  # only what needed no work is left
            yield self.known.pop(awaited.number)
            awaited = next(following, None)

    def _orders(self) -> Iterator[_Order]:
        """What is left to do; what needs no work goes to ``known`` in passing."""
        for task in self.plan.tasks:
            try:
                order = self._order(task)
            except (OSError, ValueError) as error:
                order = Outcome(
                    task=task, status="failed", result={}, error=_words(error), trace=traceback.format_exc()
                )
            if isinstance(order, _Order):
                yield order
            else:
                self.known[task.number] = order

    def _order(self, task: Task) -> _Order | Outcome:
        if task.problem:
            return Outcome(task=task, status="failed", result={}, error=task.problem)
        there = os.path.lexists(task.output)
        replace = self.overwrite
        if self.resume and self.manifest is not None and there:
            key = self.manifest.key(task.output)
            entry = self.manifest.done.get(key)
            ours = entry is not None and digest_of(task.output) == (entry["output_bytes"], entry["output_sha256"])
            if entry is not None and ours and self._is_same(task, entry):
                return Outcome(task=task, status="skipped", result={})
            replace = replace or ours or key in self.manifest.begun
        if there and not replace:
            raise FileExistsError(
                errno.EEXIST, "the output exists: --force replaces it, --resume only what this batch wrote", task.output
            )
        task.output.parent.mkdir(parents=True, exist_ok=True)
        if self.manifest is not None:
            self.manifest.begin(self.manifest.key(task.output))
        return _Order(task=task, overwrite=replace)

    def _is_same(self, task: Task, entry: Mapping[str, Any]) -> bool:
        made_with = (entry["version"], entry["parameters"], entry["input"])
        if made_with != (self.version, self.parameters, str(task.source)):
            return False
        return digest_of(task.source) == (entry["input_bytes"], entry["input_sha256"])

    def _noted(self, outcome: Outcome) -> Outcome:
        """The outcome as the caller sees it, after the manifest has it."""
        digests = outcome.result.get("digests")
        if outcome.status != "done" or digests is None:
            return outcome
        if self.manifest is not None:
            entry = {**digests, "input": str(outcome.task.source), "version": self.version}
            self.manifest.add(self.manifest.key(outcome.task.output), {**entry, "parameters": self.parameters})
        return Outcome(task=outcome.task, status="done", result=outcome.result["result"], seconds=outcome.seconds)


def _attempt(work: Work, order: _Order) -> Outcome:
    """One task in a worker, with what the manifest wants to know; whatever is raised becomes a failure."""
    task, start = order.task, time.monotonic()
    try:
        before = task.source.stat()
        result = work(task, order.overwrite)  # first: it knows what is too large or no file to read at all
        source, output = digest_of(task.source), digest_of(task.output)
        if source is None or output is None:
            raise ValueError(f"{task.source if source is None else task.output} is not a regular file")
        after = task.source.stat()
        if (before.st_mtime_ns, before.st_size, before.st_ino) != (after.st_mtime_ns, after.st_size, after.st_ino):
            raise ValueError(f"{task.source} was changed while it was worked on")
    except Exception as error:  # the boundary of a task
        seconds, trace = time.monotonic() - start, traceback.format_exc()
        return Outcome(task=task, status="failed", result={}, error=_words(error), trace=trace, seconds=seconds)
    digests = dict(
        zip(("input_bytes", "input_sha256", "output_bytes", "output_sha256"), (*source, *output), strict=True)
    )
    seconds = time.monotonic() - start
    return Outcome(task=task, status="done", result={"result": result, "digests": digests}, seconds=seconds)


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error) or type(error).__name__
