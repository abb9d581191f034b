"""Processes that work on one task after another; one that dies takes its task with it and nothing else."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_WRITING = threading.Lock()
_ATTEMPTS = 3  # to find a process that takes a task


@contextmanager
def uninterrupted() -> Iterator[None]:
    """For the moment in which a worker puts a file in place: if its batch is killed meanwhile, that much it finishes."""
    with _WRITING:
        yield


@dataclass(frozen=True)
class Crash:
    """How a worker died in the middle of a task."""

    words: str


class _Worker(Generic[T]):
    """A process and our end of the pipe to it."""

    def __init__(self, work: Callable[[T], Any]) -> None:
        context = get_context("spawn")  # a fork would copy threads' locks and half a heap of arrays
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, work), daemon=True)
        with _signals_held_back():
            self.process.start()
        theirs.close()
        self.task: T | None = None

    def give(self, task: T) -> bool:
        """Whether it takes a task; not if it has died since the last one."""
        try:
            self.pipe.send(task)
        except (BrokenPipeError, ConnectionResetError):
            return False
        self.task = task
        return True

    def take(self) -> Any:
        """The result, or a `Crash` where the pipe ends instead."""
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Crash(_how_it_ended(self.process.exitcode))

    def stop(self) -> None:
        """Let an idle worker go, end a busy one."""
        self.pipe.close()
        if self.task is not None:
            self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def run_tasks(work: Callable[[T], Any], tasks: Iterable[T], *, jobs: int) -> Iterator[tuple[T, Any]]:
    """Each task with its result, in the order in which they end; a `Crash` stands for the result of a dead worker.

    A task is taken from ``tasks`` when a worker is free for it, so the iterable may do what belongs right before it.
    ``work`` and the tasks must be importable by, and sendable to, a new process; ``work`` raises nothing.
    """
    waiting = iter(tasks)
    workers: list[_Worker[T]] = []
    try:
        for task in waiting:
            _give(workers, _Worker(work), task, work)
            if len(workers) == jobs:
                break
        while busy := {worker.pipe: worker for worker in workers if worker.task is not None}:
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)  # noqa: S101 - for the type checker: we put only these in
                worker = busy[pipe]
                ended, result = worker.task, worker.take()
                assert ended is not None  # noqa: S101 - as above
                worker.task = None
                yield ended, result
                if isinstance(result, Crash):
                    worker.stop()
                    workers.remove(worker)
                following = next(waiting, None)
                if following is not None:
                    _give(workers, _Worker(work) if isinstance(result, Crash) else worker, following, work)
    finally:
        for worker in workers:
            worker.stop()


def _give(workers: list[_Worker[T]], worker: _Worker[T], task: T, work: Callable[[T], Any]) -> None:
    """Give a worker a task, or a new one if it has died while it had none."""
    for attempt in range(_ATTEMPTS):
        if worker not in workers:
            workers.append(worker)
        if worker.give(task):
            return
        worker.stop()
        workers.remove(worker)
        if attempt < _ATTEMPTS - 1:
            worker = _Worker(work)
    raise OSError("new worker processes die before they take a task")


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        reason = (
            ", which is how a system that is out of memory ends one" if -code == getattr(signal, "SIGKILL", 0) else ""
        )
        return f"the process that worked on it was ended by {name}{reason}"
    return f"the process that worked on it ended by itself with code {code}"


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Start a process that never sees Ctrl-C: it is we who tell it to stop. Ours waits until the start is over."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # would let the signals through if it started inside
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _serve(pipe: Connection, work: Callable[[T], Any]) -> None:
    """The life of a worker: task by task until the pipe is closed, or its batch dies."""
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_end_with_the_batch, daemon=True).start()
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        result = work(task)
        try:
            pipe.send(result)
        except OSError:  # nobody is there to hear it
            return


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
    if _WRITING.locked():
        raise SystemExit(128 + number)  # so that a temporary file is removed on the way out
    os._exit(128 + number)


def _end_with_the_batch() -> None:
    batch = parent_process()
    if batch is not None:
        batch.join()
        with uninterrupted():
            os._exit(1)
