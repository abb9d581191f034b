"""The Dask path on a cluster of two workers on this machine, one of which is killed in the middle: the pixels, and the time.

python benchmarks/cluster.py [--side 8192] [--json FILE]
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import time
import warnings
from typing import Any

import numpy as np
from measuring import Figure, random_scene, write_figures

from restoretk import METHODS
from restoretk.blockwise import restore_dask
from restoretk.catalogue import make_method
from restoretk.psf import disk_psf

CASES = (
    ("wiener:noise_to_signal=0.01", "wrap"),
    ("wiener:noise_to_signal=0.01", "unknown"),
    ("richardson_lucy:iterations=10", "unknown"),
)


def _has_begun(dask_scheduler: Any) -> bool:
    """Whether a task is done."""
    return any(task.state == "memory" for task in dask_scheduler.tasks.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--json")
    given = parser.parse_args()
    import dask.array as da
    from distributed import Client, LocalCluster

    image = np.rint(65535 * random_scene((given.side, given.side))).astype(np.uint16)
    psf = disk_psf(7.5)
    figures = []
    warnings.filterwarnings("ignore", "Sending large graph")  # the picture is here, and goes to the workers
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit="6GB", silence_logs=logging.CRITICAL
        ) as cluster,
        Client(cluster) as client,
    ):
        source = da.from_array(image, chunks=(1024, given.side))
        for method, boundary in CASES:
            name, options = make_method(method)
            expected = METHODS[name](image, psf, boundary=boundary, **options).astype(np.int32)
            for how in ("two workers", "one of two killed"):
                start = time.perf_counter()
                future = client.compute(restore_dask(source, psf, method, boundary=boundary))
                if how.endswith("killed"):
                    victim = next(iter(client.run(os.getpid).values()))
                    while not future.done() and not client.run_on_scheduler(_has_begun):
                        time.sleep(0.005)
                    os.kill(victim, signal.SIGKILL)
                apart = float(np.abs(future.result().astype(np.int32) - expected).max())
                seconds = time.perf_counter() - start
                del future
                what = f"levels apart, {name}, {boundary}, {how}, {given.side}^2"
                figures.append(Figure("cluster", what, apart, 1.0, detail=f"{seconds:.1f} s"))
    write_figures(figures, given.json)


if __name__ == "__main__":
    main()
