"""Compiled loops of a transposed convolution by any kernel: a few rows of pixels in lines, combined and interleaved.

Each row of pixels is read once, into one of the few lines that the next output rows need; each output is written once, all
phases of a row in turns. The lines stay in cache, and no array but the result has the size of the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit

from restoretk._arrays import Array

_Function = TypeVar("_Function", bound=Callable[..., None])


def inner(function: _Function) -> _Function:
    """Compiled as a part of the loops that call it; without fast-math, so that sums are rounded as written."""
    compiled: Any = njit(nogil=True, error_model="numpy")(function)
    return compiled


def outer(function: _Function) -> _Function:
    """Compiled on its first call, and kept on disk for later processes."""
    compiled: Any
    try:
        compiled = njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # numba finds no folder to write to: each process compiles for itself
        return inner(function)
    return compiled


# The taps of one axis, phase by phase: those of phase p are starts[p] to starts[p + 1] of the taps and of the offsets of
# the pixels they take, which count from the first pixel that a step needs. Then that pixel, counted from the step, and how
# many pixels a step needs. A plain tuple, which numba takes in a tenth of the time of a named one.
Phases = tuple[Array, Array, Array, int, int]


@outer
def scatter_whole(
    target: Array, source: Array, kernel: Array, lanes: int, edge: bool, width: int, rows: Phases, columns: Phases
) -> None:
    """Each phase of a row from all taps that reach it, then all phases interleaved."""
    starts, taps, offsets, top, reach = rows
    ends, across, places, first, surroundings = columns
    stride, phases = len(starts) - 1, len(ends) - 1
    height, out = len(target), target.shape[1] // lanes
    steps = (out + phases - 1) // phases
    width = min(width, steps)
    lines = np.empty((reach, (width + surroundings - 1) * lanes), target.dtype)
    parts = np.empty((phases, width * lanes), target.dtype)
    line, offset = np.empty(kernel.size, np.intp), np.empty(kernel.size, np.intp)
    weight = np.empty(kernel.size, target.dtype)
    for left in range(0, steps, width):
        count = min(width, steps - left)
        for step in range((height + stride - 1) // stride):
            for ahead in range(0 if step == 0 else reach - 1, reach):
                row = step + ahead
                _load(lines, row % reach, source, row + top, left + first, count + surroundings - 1, lanes, edge)
            for m in range(step * stride, min((step + 1) * stride, height)):
                q = m - step * stride
                for p in range(phases):
                    number = 0
                    for t in range(starts[q], starts[q + 1]):
                        for u in range(ends[p], ends[p + 1]):
                            line[number] = (step + offsets[t]) % reach
                            offset[number] = places[u] * lanes
                            weight[number] = kernel[taps[t], across[u]]
                            number += 1
                    _combine(parts[p, : count * lanes], lines, line[:number], offset, weight)
                _interleave(target[m, left * phases * lanes : min((left + count) * phases, out) * lanes], parts, lanes)


@outer
def scatter_separable(
    target: Array,
    source: Array,
    down: Array,
    along: Array,
    lanes: int,
    edge: bool,
    width: int,
    rows: Phases,
    columns: Phases,
) -> None:
    """Each row of pixels enlarged along itself, once; then each output row from a few of those."""
    starts, taps, offsets, top, reach = rows
    ends, across, places, first, surroundings = columns
    stride, phases = len(starts) - 1, len(ends) - 1
    height, out = len(target), target.shape[1] // lanes
    steps = (out + phases - 1) // phases
    width = min(width, steps)
    pixels = np.empty((1, (width + surroundings - 1) * lanes), target.dtype)
    parts = np.empty((phases, width * lanes), target.dtype)
    wide = np.empty((reach, width * phases * lanes), target.dtype)
    here, none = np.zeros(len(along), np.intp), np.zeros(len(down), np.intp)
    by_row, by_column = down[taps], along[across]
    for left in range(0, steps, width):
        count = min(width, steps - left)
        begin, end = left * phases * lanes, min((left + count) * phases, out) * lanes
        for step in range((height + stride - 1) // stride):
            for row in range(step if step == 0 else step + reach - 1, step + reach):
                _load(pixels, 0, source, row + top, left + first, count + surroundings - 1, lanes, edge)
                for p in range(phases):
                    some = slice(ends[p], ends[p + 1])
                    _combine(parts[p, : count * lanes], pixels, here[some], places[some] * lanes, by_column[some])
                _interleave(wide[row % reach, : end - begin], parts, lanes)
            for m in range(step * stride, min((step + 1) * stride, height)):
                some = slice(starts[m - step * stride], starts[m - step * stride + 1])
                _combine(target[m, begin:end], wide, (step + offsets[some]) % reach, none[some], by_row[some])


@inner
def _load(lines: Array, line: int, source: Array, row: int, left: int, count: int, lanes: int, edge: bool) -> None:
    """Fill a line with ``count`` pixels of a row of the source from ``left`` on, and with what lies beyond the source."""
    height, width = len(source), source.shape[1] // lanes
    if not edge and not 0 <= row < height:
        lines[line] = 0
        return
    row = min(max(row, 0), height - 1)
    start = min(max(-left, 0), count)
    stop = max(min(width - left, count), start)
    if stop > start:
        into, pixels = lines[line, start * lanes : stop * lanes], source[row, (left + start) * lanes :]
        for j in range(len(into)):
            into[j] = pixels[j]
    for lane in range(lanes):
        for j in range(start):
            lines[line, j * lanes + lane] = source[row, lane] if edge else 0
        for j in range(stop, count):
            lines[line, j * lanes + lane] = source[row, (width - 1) * lanes + lane] if edge else 0


@inner
def _combine(target: Array, lines: Array, line: Array, offset: Array, weight: Array) -> None:
    """The weighted sum of as many lines as ``line`` names, each from its offset on; four at a time, to write less often."""
    size, number = len(target), len(line)
    if number == 0:
        target[:] = 0
    for k in range(number % 4):
        x, a = lines[line[k], offset[k] :], weight[k]
        if k == 0:
            for j in range(size):
                target[j] = a * x[j]
        else:
            for j in range(size):
                target[j] += a * x[j]
    for k in range(number % 4, number, 4):
        x, y = lines[line[k], offset[k] :], lines[line[k + 1], offset[k + 1] :]
        z, v = lines[line[k + 2], offset[k + 2] :], lines[line[k + 3], offset[k + 3] :]
        a, b, c, d = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        if k == 0:
            for j in range(size):
                target[j] = a * x[j] + b * y[j] + c * z[j] + d * v[j]
        else:
            for j in range(size):
                target[j] += a * x[j] + b * y[j] + c * z[j] + d * v[j]


@inner
def _interleave(target: Array, parts: Array, lanes: int) -> None:
    """The pixels of all phases in turns; the target may end among the phases of its last step."""
    stride = len(parts)
    steps = len(target) // (stride * lanes)
    if stride == 2 and lanes == 1:
        for j in range(steps):
            target[2 * j] = parts[0, j]
            target[2 * j + 1] = parts[1, j]
    else:
        for p in range(stride):
            for lane in range(lanes):
                into, pixels = target[p * lanes + lane :], parts[p, lane:]
                for j in range(steps):
                    into[j * stride * lanes] = pixels[j * lanes]
    for rest in range(steps * stride * lanes, len(target)):
        p, lane = divmod(rest - steps * stride * lanes, lanes)
        target[rest] = parts[p, steps * lanes + lane]
