"""Transposed convolution of one plane in compiled loops: the extra ``fast``, which needs numba.

Each row of pixels is read once, into one of the few lines that the next output rows need; each output is written once,
all phases of a row interleaved. The lines stay in cache, and no array but the result has the size of the picture.
The loops are compiled on first use, once for each dtype, and kept on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar, cast

import numpy as np
from numba import njit

from restoretk._arrays import Array
from restoretk.convolution._windows import phase_taps

# The lines that wait for the next row take no more than this: a part of a core's L2 cache. Rows are cut only if they must
# be: reading and writing them whole is kindest to the memory.
_LINES_BYTES = 1 << 18
_LEAST_STEPS = 1 << 6

_Function = TypeVar("_Function", bound=Callable[..., None])


def _inner(function: _Function) -> _Function:
    """Compiled as a part of the loops that call it; without fast-math, so that sums are rounded as written."""
    return cast(_Function, njit(nogil=True, error_model="numpy")(function))


def _outer(function: _Function) -> _Function:
    """Compiled on its first call, and kept on disk for later processes."""
    try:
        return cast(_Function, njit(nogil=True, error_model="numpy", cache=True)(function))
    except RuntimeError:  # numba finds no folder to write to: each process compiles for itself
        return _inner(function)


class _Phases(NamedTuple):
    """The taps of one axis, phase by phase: those of phase p are ``starts[p]`` to ``starts[p + 1]``."""

    starts: Array
    taps: Array
    offsets: Array  # of the pixel that a tap takes, counted from `first`
    first: int  # the first pixel that a step needs, counted from the step
    reach: int  # how many pixels a step needs


def scatter_fused(
    target: Array,
    source: Array,
    kernel: Array,
    factors: tuple[Array, Array] | None,
    *,
    stride: Sequence[int],
    dilation: Sequence[int],
    head: Sequence[int],
    edge: bool,
) -> None:
    """`scatter_plane` in compiled loops; ``factors`` are the column and the row of a separable kernel.

    The pixels are the same to rounding. A source that is not contiguous is copied.
    """
    lanes = source.shape[2]
    rows, columns = (_phases(*one) for one in zip(kernel.shape, stride, dilation, head, strict=True))
    flat, pixels = target.reshape(len(target), -1), np.ascontiguousarray(source).reshape(len(source), -1)
    if lanes == 1 and _is_two_by_two(rows, columns):
        width = _LINES_BYTES // (rows.reach * source.itemsize)
        _two_by_two(flat, pixels, kernel, edge, max(width, _LEAST_STEPS), rows, columns)
    elif factors is None:
        width = _LINES_BYTES // ((rows.reach + stride[1]) * lanes * source.itemsize)
        _whole(flat, pixels, kernel, lanes, edge, max(width, _LEAST_STEPS), rows, columns)
    else:
        width = _LINES_BYTES // ((rows.reach + 1) * stride[1] * lanes * source.itemsize)
        _separable(flat, pixels, *factors, lanes, edge, max(width, _LEAST_STEPS), rows, columns)


def _phases(size: int, stride: int, dilation: int, head: int) -> _Phases:
    phases = [phase_taps(phase, size, stride, dilation, head) for phase in range(stride)]
    starts = np.cumsum([0, *map(len, phases)])
    taps, offsets = np.array([pair for phase in phases for pair in phase]).T.copy()
    first = int(offsets.min())
    return _Phases(starts, taps, offsets - first, first, int(offsets.max()) - first + 1)


def _is_two_by_two(rows: _Phases, columns: _Phases) -> bool:
    """Whether columns are doubled, and each output is a sum of 2x2 neighbours: the enlargement by 4x4 taps."""
    return (
        np.array_equal(columns.starts, (0, 2, 4))
        and np.array_equal(np.diff(columns.offsets), (1, columns.offsets[2] - columns.offsets[1], 1))
        and bool(np.all(np.diff(rows.starts) == 2))
    )


@_outer
def _two_by_two(
    target: Array, source: Array, kernel: Array, edge: bool, width: int, rows: _Phases, columns: _Phases
) -> None:
    """The sums over 2x2 neighbours in one loop: a row of both phases from two lines."""
    stride = len(rows.starts) - 1
    height, out = target.shape
    steps = (out + 1) // 2
    width = min(width, steps)
    lines = np.empty((rows.reach, width + columns.reach - 1), target.dtype)
    weights = np.empty((2, 2, 2), target.dtype)  # (phase, row, column)
    for left in range(0, steps, width):
        count = min(width, steps - left)
        for step in range((height + stride - 1) // stride):
            _advance(lines, source, step, left, count, 1, edge, rows, columns)
            for m in range(step * stride, min((step + 1) * stride, height)):
                tap = rows.starts[m - step * stride]
                for p, t, u in np.ndindex(2, 2, 2):
                    weights[p, t, u] = kernel[rows.taps[tap + t], columns.taps[2 * p + u]]
                upper = lines[(step + rows.offsets[tap]) % rows.reach]
                lower = lines[(step + rows.offsets[tap + 1]) % rows.reach]
                into = target[m, 2 * left : min(2 * (left + count), out)]
                if columns.offsets[0] == columns.offsets[2]:
                    _both_phases(into, upper, lower, weights)
                else:
                    _neighbouring_phases(into, upper, lower, weights)
                if len(into) % 2:
                    x, y = upper[columns.offsets[0] + count - 1 :], lower[columns.offsets[0] + count - 1 :]
                    w = weights[0]
                    into[-1] = w[0, 0] * x[0] + w[0, 1] * x[1] + w[1, 0] * y[0] + w[1, 1] * y[1]


@_inner
def _both_phases(target: Array, x: Array, y: Array, weights: Array) -> None:
    """Pairs of outputs of which both take the pixels j and j + 1 of the lines x and y."""
    (a, b), (c, d) = weights[0]
    (e, f), (g, h) = weights[1]
    for j in range(len(target) // 2):
        target[2 * j] = a * x[j] + b * x[j + 1] + c * y[j] + d * y[j + 1]
        target[2 * j + 1] = e * x[j] + f * x[j + 1] + g * y[j] + h * y[j + 1]


@_inner
def _neighbouring_phases(target: Array, x: Array, y: Array, weights: Array) -> None:
    """Pairs of outputs of which the second takes the pixels after those of the first."""
    (a, b), (c, d) = weights[0]
    (e, f), (g, h) = weights[1]
    for j in range(len(target) // 2):
        target[2 * j] = a * x[j] + b * x[j + 1] + c * y[j] + d * y[j + 1]
        target[2 * j + 1] = e * x[j + 1] + f * x[j + 2] + g * y[j + 1] + h * y[j + 2]


@_outer
def _whole(
    target: Array, source: Array, kernel: Array, lanes: int, edge: bool, width: int, rows: _Phases, columns: _Phases
) -> None:
    """Each phase of a row from all taps that reach it, then all phases interleaved."""
    stride, across = len(rows.starts) - 1, len(columns.starts) - 1
    height, out = len(target), target.shape[1] // lanes
    steps = (out + across - 1) // across
    width = min(width, steps)
    lines = np.empty((rows.reach, (width + columns.reach - 1) * lanes), target.dtype)
    phases = np.empty((across, width * lanes), target.dtype)
    line, offset = np.empty(kernel.size, np.intp), np.empty(kernel.size, np.intp)
    weight = np.empty(kernel.size, target.dtype)
    for left in range(0, steps, width):
        count = min(width, steps - left)
        for step in range((height + stride - 1) // stride):
            _advance(lines, source, step, left, count, lanes, edge, rows, columns)
            for m in range(step * stride, min((step + 1) * stride, height)):
                for p in range(across):
                    number = 0
                    for t in range(rows.starts[m - step * stride], rows.starts[m - step * stride + 1]):
                        for u in range(columns.starts[p], columns.starts[p + 1]):
                            line[number] = (step + rows.offsets[t]) % rows.reach
                            offset[number] = columns.offsets[u] * lanes
                            weight[number] = kernel[rows.taps[t], columns.taps[u]]
                            number += 1
                    _combine(phases[p, : count * lanes], lines, line[:number], offset, weight)
                _interleave(target[m, left * across * lanes : min((left + count) * across, out) * lanes], phases, lanes)


@_outer
def _separable(
    target: Array,
    source: Array,
    down: Array,
    along: Array,
    lanes: int,
    edge: bool,
    width: int,
    rows: _Phases,
    columns: _Phases,
) -> None:
    """Each row of pixels enlarged along itself, once; then each output row from a few of those."""
    stride, across = len(rows.starts) - 1, len(columns.starts) - 1
    height, out = len(target), target.shape[1] // lanes
    steps = (out + across - 1) // across
    width = min(width, steps)
    pixels = np.empty((1, (width + columns.reach - 1) * lanes), target.dtype)
    phases = np.empty((across, width * lanes), target.dtype)
    wide = np.empty((rows.reach, width * across * lanes), target.dtype)
    line, offset = np.empty(len(down), np.intp), columns.offsets * lanes
    here, none = np.zeros(len(along), np.intp), np.zeros(len(down), np.intp)
    by_row, by_column = down[rows.taps], along[columns.taps]
    for left in range(0, steps, width):
        count = min(width, steps - left)
        size = (min((left + count) * across, out) - left * across) * lanes
        for step in range((height + stride - 1) // stride):
            for ahead in range(0 if step == 0 else rows.reach - 1, rows.reach):
                row, wanted = step + ahead + rows.first, count + columns.reach - 1
                _load(pixels[0], source, row, left + columns.first, wanted, lanes, edge)
                for p in range(across):
                    start, stop = columns.starts[p], columns.starts[p + 1]
                    _combine(phases[p, : count * lanes], pixels, here[start:stop], offset[start:], by_column[start:])
                _interleave(wide[(step + ahead) % rows.reach, :size], phases, lanes)
            for m in range(step * stride, min((step + 1) * stride, height)):
                start, stop = rows.starts[m - step * stride], rows.starts[m - step * stride + 1]
                line[start:stop] = (step + rows.offsets[start:stop]) % rows.reach
                into = target[m, left * across * lanes : left * across * lanes + size]
                _combine(into, wide, line[start:stop], none, by_row[start:])


@_inner
def _advance(
    lines: Array,
    source: Array,
    step: int,
    left: int,
    count: int,
    lanes: int,
    edge: bool,
    rows: _Phases,
    columns: _Phases,
) -> None:
    """Load the rows of pixels that this step needs and the one before it did not."""
    for ahead in range(0 if step == 0 else rows.reach - 1, rows.reach):
        into = lines[(step + ahead) % rows.reach]
        _load(into, source, step + ahead + rows.first, left + columns.first, count + columns.reach - 1, lanes, edge)


@_inner
def _load(line: Array, source: Array, row: int, left: int, count: int, lanes: int, edge: bool) -> None:
    """Fill the line with ``count`` pixels of a row of the source from ``left`` on, and with what lies beyond the source."""
    height, width = len(source), source.shape[1] // lanes
    if not edge and not 0 <= row < height:
        line[:] = 0
        return
    pixels = source[min(max(row, 0), height - 1)]
    start = min(max(-left, 0), count)
    stop = max(min(width - left, count), start)
    if stop > start:
        line[start * lanes : stop * lanes] = pixels[(left + start) * lanes : (left + stop) * lanes]
    for lane in range(lanes):
        for j in range(start):
            line[j * lanes + lane] = pixels[lane] if edge else 0
        for j in range(stop, count):
            line[j * lanes + lane] = pixels[(width - 1) * lanes + lane] if edge else 0


@_inner
def _combine(target: Array, lines: Array, line: Array, offset: Array, weight: Array) -> None:
    """The weighted sum of as many lines as ``line`` names, each from its offset on; four at a time, to write less often."""
    size, number = len(target), len(line)
    done = number % 4
    if done == 0:
        target[:] = 0
    for k in range(done):
        x, w = lines[line[k], offset[k] :], weight[k]
        if k == 0:
            for j in range(size):
                target[j] = w * x[j]
        else:
            for j in range(size):
                target[j] += w * x[j]
    for k in range(done, number, 4):
        x, y = lines[line[k], offset[k] :], lines[line[k + 1], offset[k + 1] :]
        z, v = lines[line[k + 2], offset[k + 2] :], lines[line[k + 3], offset[k + 3] :]
        a, b, c, d = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        for j in range(size):
            target[j] += a * x[j] + b * y[j] + c * z[j] + d * v[j]


@_inner
def _interleave(target: Array, phases: Array, lanes: int) -> None:
    """The pixels of all phases in turns; the target may end among the phases of its last step."""
    stride = len(phases)
    steps = len(target) // (stride * lanes)
    if stride == 2 and lanes == 1:
        for j in range(steps):
            target[2 * j] = phases[0, j]
            target[2 * j + 1] = phases[1, j]
    else:
        for p in range(stride):
            for j in range(steps):
                for lane in range(lanes):
                    target[(j * stride + p) * lanes + lane] = phases[p, j * lanes + lane]
    for rest in range(steps * stride * lanes, len(target)):
        p, lane = divmod(rest - steps * stride * lanes, lanes)
        target[rest] = phases[p, steps * lanes + lane]
