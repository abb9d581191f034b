"""Transposed convolution by 2 with a 4 x 4 kernel against PyTorch's, with NumPy alone and with the extra ``fast``.

float32, 1024 x 1024 to 2048 x 2048, one thread. All calls take turns, each twice in a row, the second is timed (so that none
pays for what the one before it left in the caches); a figure is the median over rounds of the ratio of CPU times. Results are
compared with PyTorch's before anything is timed. Each comparison is a process of its own, once as a process is, in which
large arrays are fresh memory and their page faults count, and once with a malloc that keeps memory.

    python benchmarks/enlarging.py [--side 1024] [--rounds 15] [--json FILE]
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from functools import partial

import numpy as np
from measuring import Figure, ratio, run_part, take_turns, write_figures

from restoretk import conv_transpose
from restoretk.convolution._fast import set_fast


def twice(call: Callable[[], object]) -> Callable[[], object]:
    """A call for `take_turns` that is made ready by one before it, which is not timed apart: both kinds pay the same."""

    def pair() -> object:
        call()
        return call()

    return pair


def compare(
    name: str, image: np.ndarray, kernel: np.ndarray, groups: int, rounds: int, bounds: dict[str, float]
) -> list[Figure]:
    """How often PyTorch's time ours goes in, or ours over PyTorch's for many channels."""
    import torch
    from torch.nn import functional

    tensor = torch.from_numpy(image if image.ndim == 3 else image[None])[None]
    weight = torch.from_numpy(kernel if kernel.ndim == 4 else kernel[None, None])
    theirs = partial(functional.conv_transpose2d, tensor, weight, stride=2, padding=1, groups=groups)
    ours = partial(conv_transpose, image, kernel, stride=2, padding=1, groups=groups)
    kinds = [False, True] if importlib.util.find_spec("numba") and importlib.util.find_spec("ducc0") else [False]
    calls: dict[str, Callable[[], object]] = {"torch": twice(theirs)}
    for on in kinds:

        def switched(on: bool = on) -> object:
            set_fast(on)
            return ours()

        expected = theirs().numpy().squeeze()
        if np.abs(np.asarray(switched()).squeeze() - expected).max() > 1e-5 * np.abs(expected).max():
            raise SystemExit(f"{name}: not the pixels of PyTorch")
        calls["fast" if on else "numpy"] = twice(switched)
    seconds = take_turns(calls, rounds)
    figures = []
    for kind in list(calls)[1:]:
        bound = bounds.get(kind)
        if "dense" in name:
            figures.append(Figure("enlarging", f"{name}, {kind}", ratio(seconds, kind, "torch"), bound))
        else:
            figures.append(
                Figure("enlarging", f"{name}, {kind}", ratio(seconds, "torch", kind), bound, "at least", "times")
            )
    return figures


KEPT = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 25)}
CASES = ("separable", "not separable", "dense")


def case(name: str, side: int, rounds: int, bounded: bool) -> list[Figure]:
    """One comparison."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    once, dense = ({"numpy": 2.5, "fast": 10.0}, {"numpy": 0.9, "fast": 0.9}) if bounded else ({}, {})
    tail = "" if bounded else ", memory kept by malloc"
    if name == "dense":
        channels = rng.random((16, side // 2, side // 2), dtype=np.float32)
        weights = rng.random((16, 16, 4, 4), dtype=np.float32)
        title = f"conv_transpose over torch dense, 16 to 16 channels{tail}"
        return compare(title, channels, weights, 1, max(3, rounds // 3), dense)
    taps = np.array([0.25, 0.75, 0.75, 0.25], np.float32)
    kernel = np.outer(taps, taps) if name == "separable" else rng.random((4, 4), dtype=np.float32)
    image = rng.random((side, side), dtype=np.float32)
    return compare(f"torch depthwise over conv_transpose, {name}{tail}", image, kernel, 1, rounds, once)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--kept", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        write_figures(case(given.case, given.side, given.rounds, not given.kept), given.json)
        return
    size = ("--side", str(given.side), "--rounds", str(given.rounds))
    figures = []
    for name in CASES:
        figures += run_part("enlarging.py", "--case", name, *size)
        figures += run_part("enlarging.py", "--case", name, "--kept", *size, environment=KEPT)
    if given.json:  # each was printed when it was measured
        write_figures(figures, given.json, quiet=True)


if __name__ == "__main__":
    main()
