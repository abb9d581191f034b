"""What upsampling by a transposed convolution costs, as ratios to PyTorch on the CPU, and the memory it takes.

Once with one thread and once with two (a process for each, in which BLAS and PyTorch have so many), and with and
without the compiled loops of the extra ``fast`` where numba is installed: float32, stride 2, kernel 4x4, padding 1. All
calls take turns in every round, each twice, and the second is timed, so that none pays for the caches, pages and
sleeping threads that the one before it left. A ratio is the median over rounds of the ratio within a round, of CPU time
(all threads together) and of wall time; with two threads on a machine that has other work, both say little. Every
result is compared with PyTorch's before it is timed. Memory is the input and the peak of what NumPy allocates during a
call (tracemalloc), over input and output.

    python benchmarks/speed_upsampling.py [--shape 512 512] [--rounds 41] [--threads 1 2] [--fast off on]
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import platform
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from restoretk import __version__
from restoretk.convolution._fast import set_fast
from restoretk.upsampling import conv_transpose, upsample

# At most so much of the peer's CPU time, with NumPy alone and with the extra.
TARGETS = {
    ("conv_transpose, separable", "torch conv_transpose2d"): (0.4, 0.1),
    ("conv_transpose, separable", "torch interpolate, bilinear"): (1.0, 1.0),
    ("conv_transpose, not separable", "torch conv_transpose2d"): (0.4, 0.1),
    ("conv_transpose, not separable", "torch interpolate, bilinear"): (1.0, 1.0),
    ("upsample, bilinear", "torch interpolate, bilinear"): (1.0, 1.0),
    ("conv_transpose, 16 -> 16", "torch conv_transpose2d, 16 -> 16"): (0.9, 0.9),
    ("conv_transpose, 16 depthwise", "torch conv_transpose2d, 16 depthwise"): (0.4, 0.1),
}


class Bench(NamedTuple):
    """Calls that answer the same question, the first of them PyTorch's, which the others are compared with."""

    calls: dict[str, Callable[[], Any]]
    pixels: Any  # the input of the NumPy calls
    same: set[str]  # the names whose results are to agree


def one_channel(shape: tuple[int, int], rng: np.random.Generator) -> list[Bench]:
    """One plane: a separable kernel, one that is not, and bilinear enlargement."""
    import torch
    from torch.nn import functional

    image = rng.random(shape, dtype=np.float32)
    tensor = torch.from_numpy(image)[None, None]
    bilinear = partial(functional.interpolate, tensor, scale_factor=2, mode="bilinear")
    taps = np.array([0.25, 0.75, 0.75, 0.25], np.float32)
    benches = []
    for name, kernel in (("separable", np.outer(taps, taps)), ("not separable", rng.random((4, 4), dtype=np.float32))):
        weight = torch.from_numpy(kernel)[None, None]
        # The same operator as four 3x3 convolutions: W[a, b, dy, dx] = K[a + 1 - 2*dy, b + 1 - 2*dx] for dy, dx in -1 .. 1.
        padded = np.pad(kernel, 1)
        small = [padded[a : a + 5 : 2, b : b + 5 : 2][::-1, ::-1] for a in (0, 1) for b in (0, 1)]
        phases = torch.from_numpy(np.stack(small)[:, None])
        benches.append(
            Bench(
                {
                    "torch conv_transpose2d": partial(functional.conv_transpose2d, tensor, weight, stride=2, padding=1),
                    "torch conv2d and pixel_shuffle": partial(_convolve_and_shuffle, tensor, phases),
                    "torch interpolate, bilinear": bilinear,
                    f"conv_transpose, {name}": partial(conv_transpose, image, kernel, stride=2, padding=1),
                },
                image,
                {"torch conv2d and pixel_shuffle", f"conv_transpose, {name}"},
            )
        )
    benches.append(
        Bench(
            {
                "torch interpolate, bilinear": bilinear,
                "upsample, bilinear": partial(upsample, image, 2, kernel="bilinear"),
            },
            image,
            {"upsample, bilinear"},
        )
    )
    return benches


def _convolve_and_shuffle(tensor: Any, phases: Any) -> Any:
    from torch.nn import functional

    return functional.pixel_shuffle(functional.conv2d(tensor, phases, padding=1), 2)


def many_channels(shape: tuple[int, int], rng: np.random.Generator) -> list[Bench]:
    """Sixteen channels, each to all sixteen and each to itself."""
    import torch
    from torch.nn import functional

    image = rng.random((16, *shape), dtype=np.float32)
    tensor = torch.from_numpy(image)[None]
    benches = []
    for name, groups in (("16 -> 16", 1), ("16 depthwise", 16)):
        kernel = rng.random((16, 16 // groups, 4, 4), dtype=np.float32)
        weight = torch.from_numpy(kernel)
        options: dict[str, Any] = {"stride": 2, "padding": 1, "groups": groups}
        benches.append(
            Bench(
                {
                    f"torch conv_transpose2d, {name}": partial(functional.conv_transpose2d, tensor, weight, **options),
                    f"conv_transpose, {name}": partial(conv_transpose, image, kernel, **options),
                },
                image,
                {f"conv_transpose, {name}"},
            )
        )
    return benches


def measure(bench: Bench, rounds: int, fast: bool) -> None:
    """Compare the results, time the calls in turns, and print times, ratios and memory."""
    names = list(bench.calls)
    expected = np.asarray(bench.calls[names[0]]()).squeeze()
    for name in bench.same:
        difference = np.abs(np.asarray(bench.calls[name]()).squeeze() - expected).max()
        if difference > 1e-5 * np.abs(expected).max():
            raise SystemExit(f"{name} differs from {names[0]} by {difference:g}: nothing to compare")
    cpu, wall = ({name: np.empty(rounds) for name in names} for _ in range(2))
    for number in range(-1, rounds):  # the first round warms up, and is overwritten by the last
        for name, call in bench.calls.items():
            call()
            starts = time.process_time(), time.perf_counter()
            call()
            cpu[name][number] = time.process_time() - starts[0]
            wall[name][number] = time.perf_counter() - starts[1]
    for name in names:
        print(f"  {name:38} {1e3 * np.median(cpu[name]):8.2f} ms CPU {1e3 * np.median(wall[name]):8.2f} ms wall")
    ours = names[-1]
    for peer in names[:-1]:
        target = TARGETS.get((ours, peer))
        print(
            f"    {ours} / {peer}: {np.median(cpu[ours] / cpu[peer]):.2f} CPU, {np.median(wall[ours] / wall[peer]):.2f} wall"
            + (f" (to be at most {target[fast]})" if target else "")
        )
    tracemalloc.start()
    result = bench.calls[ours]()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    share = (bench.pixels.nbytes + peak) / (bench.pixels.nbytes + result.nbytes)
    print(f"    {ours}: peak memory {share:.3f} of input + output (to be at most 1.1)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=2, default=[512, 512], metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--rounds", type=int, default=41, help="of one channel; a quarter of it for many")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    ways = ["off", "on"] if importlib.util.find_spec("numba") else ["off"]
    parser.add_argument("--fast", choices=ways, nargs="+", default=ways, help="the compiled loops of the extra fast")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        raise SystemExit("this benchmark compares with PyTorch, which is not installed: pip install torch")
    if not given.worker:
        for threads, fast in itertools.product(given.threads, given.fast):
            # BLAS and OpenMP read these when they are loaded. Threads that wait asleep leave their CPU time with the call
            # that used it; memory that malloc keeps spares either side the page faults, which are the system's cost.
            settings = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
            settings |= {"OMP_WAIT_POLICY": "passive"}
            settings |= {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 25)}
            command = [sys.executable, __file__, "--worker", "--threads", str(threads), "--fast", fast]
            command += ["--shape", *map(str, given.shape), "--rounds", str(given.rounds)]
            subprocess.run(command, env=os.environ | settings, check=True)
        return
    import torch

    (threads,), (fast,) = given.threads, given.fast
    set_fast(fast == "on")
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    print(
        f"{threads} thread{'s' * (threads > 1)}, compiled loops {fast}, "
        f"{' x '.join(map(str, given.shape))} float32 enlarged by 2, medians of rounds"
    )
    print(f"restoretk {__version__}, numpy {np.__version__}, torch {torch.__version__}, {platform.machine()}")
    for bench in one_channel(tuple(given.shape), rng):
        measure(bench, given.rounds, fast == "on")
    for bench in many_channels(tuple(given.shape), rng):
        measure(bench, max(3, given.rounds // 4), fast == "on")


if __name__ == "__main__":
    main()
