"""Transposed convolution of one plane in compiled loops: the extra ``fast``, which needs numba.

The loops are compiled on first use, once for each dtype, and kept on disk. Most enlargements sum 2x2 neighbours, which is
quickest straight from the source and in one loop; `_fused_lines` has the loops for any kernel.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution._fused_lines import Phases, inner, outer, scatter_separable, scatter_whole
from restoretk.convolution._scatter_planes import separable_factors
from restoretk.convolution._windows import phase_taps

# The lines that wait for the next row take no more than this: a part of a core's L2 cache. Rows are cut only if they must
# be: reading and writing them whole is kindest to the memory.
_LINES_BYTES = 1 << 18
_LEAST_STEPS = 1 << 6


def scatter_fused(
    target: Array,
    source: Array,
    kernel: Array,
    *,
    stride: Sequence[int],
    dilation: Sequence[int],
    head: Sequence[int],
    edge: bool,
) -> None:
    """`scatter_plane` in compiled loops: the same pixels to rounding. A source that is not contiguous is copied."""
    lanes = source.shape[2]
    rows, columns = (_phases(*map(int, one)) for one in zip(kernel.shape, stride, dilation, head, strict=True))
    flat, pixels = target.reshape(len(target), -1), np.ascontiguousarray(source).reshape(len(source), -1)
    budget, reach = _LINES_BYTES // source.itemsize, rows[-1]
    if lanes == 1 and _is_two_by_two(rows, columns):
        _two_by_two(flat, pixels, kernel, edge, rows, columns)
    elif (factors := separable_factors(kernel)) is None:
        width = max(budget // ((reach + stride[1]) * lanes), _LEAST_STEPS)
        scatter_whole(flat, pixels, kernel, lanes, edge, width, rows, columns)
    else:
        width = max(budget // ((reach + 1) * stride[1] * lanes), _LEAST_STEPS)
        scatter_separable(flat, pixels, *factors, lanes, edge, width, rows, columns)


@lru_cache
def _phases(size: int, stride: int, dilation: int, head: int) -> Phases:
    phases = [phase_taps(phase, size, stride, dilation, head) for phase in range(stride)]
    starts = np.array([0, *itertools.accumulate(map(len, phases))])
    taps, offsets = np.array([pair for phase in phases for pair in phase]).T.copy()
    first = int(offsets.min())
    return starts, taps, offsets - first, first, int(offsets.max()) - first + 1


def _is_two_by_two(rows: Phases, columns: Phases) -> bool:
    """Whether columns are doubled, and each output is a sum of 2x2 neighbours: the enlargement by 4x4 taps."""
    return (
        columns[0].tolist() == [0, 2, 4]
        and columns[2].tolist() in ([0, 1, 0, 1], [0, 1, 1, 2])
        and rows[0].tolist() == list(range(0, 2 * len(rows[0]), 2))
    )


@outer
def _two_by_two(target: Array, source: Array, kernel: Array, edge: bool, rows: Phases, columns: Phases) -> None:
    """The sums over 2x2 neighbours, both phases of a row in one loop, straight from the source."""
    starts, taps, offsets, top, _ = rows
    _, across, places, first, reach = columns
    stride = len(starts) - 1
    height, out = target.shape
    # The pairs of outputs for which no pixel lies beyond an end of the row.
    low = min(max(0, -first), (out + 1) // 2)
    high = max(low, min(out // 2, source.shape[1] - first - reach + 1))
    table = np.empty((stride, 8), target.dtype)  # (phase of columns, row, column) in one number
    for q in range(stride):
        for n in range(8):
            table[q, n] = kernel[taps[2 * q + n // 2 % 2], across[n // 4 * 2 + n % 2]]
    w, near = np.empty(8, target.dtype), np.empty(2, np.intp)
    for m in range(height):
        q = m % stride
        for t in range(2):
            row = m // stride + top + offsets[2 * q + t]
            near[t] = min(max(row, 0), len(source) - 1)
            for n in range(2 * t, 8, 4):
                w[n], w[n + 1] = table[q, n], table[q, n + 1]
                if row != near[t] and not edge:
                    w[n], w[n + 1] = 0, 0
        if high > low:
            pairs = target[m, 2 * low : 2 * high]
            if places[2] == 1:
                _neighbouring_phases(pairs, source, near[0], near[1], np.uintp(low + first), w)
            else:
                _equal_phases(pairs, source, near[0], near[1], np.uintp(low + first), w)
        for n in range(min(2 * low, out)):
            _at_an_end(target, m, n, source, near, first, places, edge, w)
        for n in range(2 * high, out):
            _at_an_end(target, m, n, source, near, first, places, edge, w)


# These two take whole arrays and unsigned places in them: a view of each row costs as much as a quarter of the work on it,
# and numba looks at the sign of other places one by one.
@inner
def _equal_phases(pairs: Array, source: Array, x: int, y: int, left: Any, w: Array) -> None:
    """Pairs of outputs of which both take the same two pixels of the rows x and y."""
    a, b, c, d, e, f, g, h = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    right = left + np.uintp(1)
    for j in range(np.uintp(len(pairs) // 2)):
        pairs[2 * j] = (
            a * source[x, left + j] + b * source[x, right + j] + c * source[y, left + j] + d * source[y, right + j]
        )
        pairs[2 * j + 1] = (
            e * source[x, left + j] + f * source[x, right + j] + g * source[y, left + j] + h * source[y, right + j]
        )


@inner
def _neighbouring_phases(pairs: Array, source: Array, x: int, y: int, left: Any, w: Array) -> None:
    """Pairs of outputs of which the second takes the two pixels after those of the first."""
    a, b, c, d, e, f, g, h = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    middle, right = left + np.uintp(1), left + np.uintp(2)
    for j in range(np.uintp(len(pairs) // 2)):
        pairs[2 * j] = (
            a * source[x, left + j] + b * source[x, middle + j] + c * source[y, left + j] + d * source[y, middle + j]
        )
        pairs[2 * j + 1] = (
            e * source[x, middle + j] + f * source[x, right + j] + g * source[y, middle + j] + h * source[y, right + j]
        )


@inner
def _at_an_end(
    target: Array, m: int, n: int, source: Array, near: Array, first: int, places: Array, edge: bool, w: Array
) -> None:
    """One output whose pixels may lie beyond an end of the row."""
    p, width = n % 2, source.shape[1]
    target[m, n] = 0
    for u in range(2):
        j = n // 2 + first + places[2 * p + u]
        if edge or 0 <= j < width:
            j = min(max(j, 0), width - 1)
            target[m, n] += w[4 * p + u] * source[near[0], j] + w[4 * p + 2 + u] * source[near[1], j]
