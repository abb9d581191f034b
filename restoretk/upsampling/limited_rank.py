"""A kernel cut to a few separable ones, without a checkerboard."""

from __future__ import annotations

import numpy as np

from restoretk._arrays import Array


def limited_rank(kernel: Array, factor: int, rank: int) -> Array:
    """The kernel as a sum of ``rank`` separable ones, 1-D taps for one, with every phase still of sum 1.

    The largest singular vectors of the kernel, with each phase of them divided by its sum, make the first term, which so
    has the phase sums of the whole. The others are singular vectors of the rest without its phase means, which add
    nothing to any phase.
    """
    left, values, _ = np.linalg.svd(kernel)
    first = left[:, 0] * np.sqrt(values[0])
    for phase in range(factor):
        first[phase::factor] /= first[phase::factor].sum()
    if rank == 1:
        return first
    rest = kernel - np.outer(first, first)
    phases = np.arange(len(kernel)) % factor
    mean = (phases[:, None] == phases) / (len(kernel) // factor)
    without = np.eye(len(kernel)) - mean
    left, values, right = np.linalg.svd(without @ rest @ without)
    terms = rank - 1
    result: Array = np.outer(first, first) + (left[:, :terms] * values[:terms]) @ right[:terms]
    return result
