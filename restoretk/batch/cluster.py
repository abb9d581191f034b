"""Tasks on the workers of a Dask cluster, in place of processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import Any, TypeVar

from restoretk.batch.workers import Crash

T = TypeVar("T")

_AHEAD = 2  # tasks for each thread of the cluster that are on their way at a time


def run_tasks_on_cluster(work: Callable[[T], Any], tasks: Iterable[T], *, scheduler: str) -> Iterator[tuple[T, Any]]:
    """As `run_tasks`, on a Dask cluster: each task with its result, in the order in which they end.

    The workers see the files under the names that they have here, relative ones from the folder of this process. A task
    whose worker dies is done again by another one; a task that kills one worker after the other is a `Crash`.

    Raises
    ------
    OSError, ValueError
        For a scheduler that does not answer, or has no workers; without the extra ``scale``.
    """
    if find_spec("distributed") is None:
        raise ValueError('a cluster needs the extra scale: pip install "restoretk[scale]"')
    from distributed import KilledWorker, as_completed

    from restoretk.blockwise.cluster import connect  # brings the restoration, which a batch of another kind needs not

    with connect(scheduler) as client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise OSError(f"the scheduler {scheduler} has no workers")
        waiting, here, tasks_of = iter(tasks), os.getcwd(), {}  # noqa: PTH109 - a path to be sent
        running, doubtful = as_completed(), []

        def send_one() -> None:
            for task in waiting:
                future = client.submit(_in_folder, here, work, task, pure=False)
                tasks_of[future.key] = task
                running.add(future)
                return

        for _ in range(_AHEAD * threads):
            send_one()
        for future in running:
            task = tasks_of.pop(future.key)
            try:
                result = future.result()
            except KilledWorker:
                doubtful.append(task)
            else:
                yield task, result
            future.release()
            send_one()
        # Whatever waited on a worker that died is blamed with the task that killed it: alone, each shows what it is.
        for task in doubtful:
            future = client.submit(_in_folder, here, work, task, pure=False)
            try:
                result = future.result()
            except KilledWorker:
                result = Crash("the workers of the cluster died of it, one after the other")
            yield task, result


def _in_folder(folder: str, work: Callable[[T], Any], task: T) -> Any:
    """The work on a worker, where relative paths mean what they mean to the caller."""
    os.chdir(folder)
    return work(task)
