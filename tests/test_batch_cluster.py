"""A batch on a Dask cluster: the outputs, the manifest and the failures are those of one machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from restoretk.batch import cluster as batch_cluster
from restoretk.batch.workers import Crash

distributed = pytest.importorskip("distributed", reason="the extra scale")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning:distributed"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit="2GB"
    ) as found:
        yield found.scheduler_address


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "restoretk", *words], capture_output=True, text=True, cwd=cwd)


def test_the_same_files_and_the_same_manifest_as_on_one_machine(scheduler: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(5):
        iio.imwrite(tmp_path / "in" / f"picture {number}.png", rng.integers(0, 255, (40, 50, 3), dtype=np.uint8))
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    np.save(tmp_path / "psf.npy", np.full((3, 4), 1 / 12))
    words = ["deblur", "in", "--psf", "psf.npy", "--method", "wiener:noise_to_signal=0.02"]
    here = run(*words, "-o", "here/", "--json", cwd=tmp_path)
    there = run(*words, "-o", "there/", "--json", "--scheduler", scheduler, cwd=tmp_path)
    assert here.returncode == there.returncode == 3, there.stderr
    outputs = sorted(path.name for path in (tmp_path / "here").iterdir() if path.suffix == ".png")
    assert len(outputs) == 5
    for name in outputs:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    statuses = [[json.loads(line).get("status") for line in each.stdout.splitlines()] for each in (here, there)]
    assert statuses[0] == statuses[1]
    again = run(*words, "-o", "there/", "--json", "--resume", cwd=tmp_path)
    assert json.loads(again.stdout.splitlines()[-1])["summary"] == {"done": 0, "failed": 1, "skipped": 5}
    on_cluster = run(*words, "-o", "here/", "--json", "--resume", "--scheduler", scheduler, cwd=tmp_path)
    assert json.loads(on_cluster.stdout.splitlines()[-1])["summary"] == {"done": 0, "failed": 1, "skipped": 5}


def square_or_die(task: int) -> int:
    if task == 3:
        import os

        os._exit(1)
    return task * task


def test_a_task_that_kills_its_workers_is_a_crash_and_the_others_are_done(scheduler: str) -> None:
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        found = dict(batch_cluster.run_tasks_on_cluster(square_or_die, range(8), scheduler=scheduler))
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert {task: result for task, result in found.items() if task != 3} == {n: n * n for n in range(8) if n != 3}
    assert isinstance(found[3], Crash)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["in", "-o", "out/"], 1, "the scheduler tcp://127.0.0.1:9 does not answer"),
        (["in/a.png", "-o", "b.png"], 2, "--scheduler is for several pictures"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(words: list[str], code: int, says: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        iio.imwrite(tmp_path / "in" / name, np.zeros((40, 50), np.uint8))
    done: Any = run("deblur", *words, "--psf", "disk:radius=2", "--scheduler", "tcp://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
