"""Transposed convolution of many channels: one matrix product for each row of pixels and each phase of the output.

The pixels of a few rows are laid out row by row, within a row tap by tap, within a tap channel by channel. All that an
output row of one phase needs, the taps of several rows included, then lies together as the columns of one matrix, and
the rows that two output rows share are not copied twice.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from restoretk._arrays import Array
from restoretk.convolution._windows import overlap, phase_taps

# The pixels of a strip, laid out, and one phase of its result take about this many bytes: half a core's L2 cache.
_STRIP_BYTES = 1 << 19
_STRIP_COLUMNS = 1 << 10  # pixels in a row of it

Taps = Sequence[tuple[int, int]]


def rows_are_adjacent(stride: int, dilation: int) -> bool:
    """Whether the taps of one phase meet rows of pixels that lie one after the other, as `scatter_channels` needs."""
    return dilation // math.gcd(stride, dilation) == 1


def scatter_channels(
    target: Array,
    source: Array,
    weights: Array,
    *,
    stride: Sequence[int],
    dilation: Sequence[int],
    head: Sequence[int],
) -> None:
    """Write the window ``full[head : head + out]`` of the scatter rule into ``target``.

    Parameters
    ----------
    target : ndarray of shape (C_out, rows, columns)
    source : ndarray of shape (C_in, rows, columns)
        Floats of the dtype of ``target``.
    weights : ndarray of shape (C_out, C_in, k, k')
    stride, dilation, head : one int for each of the two axes
        For the rows, ``rows_are_adjacent(stride[0], dilation[0])``.
    """
    down, across = (
        [phase_taps(phase, k, s, d, h) for phase in range(s)]
        for k, s, d, h in zip(weights.shape[2:], stride, dilation, head, strict=True)
    )
    matrices = [[_matrix(weights, rows, columns) for rows in down] for columns in across]
    offsets = [offset for taps in down for _, offset in taps]
    steps = [-(-out // s) for out, s in zip(target.shape[1:], stride, strict=True)]
    width = min(steps[1], _STRIP_COLUMNS)
    layers = max(map(len, across))
    height = min(steps[0], max(1, _STRIP_BYTES // ((layers * len(source) + len(target)) * width * source.itemsize)))
    tall = height + max(offsets) - min(offsets)
    laid_out = np.empty(tall * layers * len(source) * width, source.dtype)
    product = np.empty((height, len(target), width), source.dtype)
    for top, left, column in itertools.product(range(0, steps[0], height), range(0, steps[1], width), range(stride[1])):
        pixels = laid_out[: tall * len(across[column]) * len(source) * width].reshape(
            tall, len(across[column]), len(source), width
        )
        for layer, (_, offset) in enumerate(across[column]):
            _lay_out(pixels[:, layer], source, top + min(offsets), left + offset)
        for row, (taps, matrix) in enumerate(zip(down, matrices[column], strict=True)):
            into = target[:, row :: stride[0], column :: stride[1]][:, top : top + height, left : left + width]
            if matrix.size:
                needed = pixels[taps[0][1] - min(offsets) :]
                overlapping = (into.shape[1], matrix.shape[1], width)
                windows = as_strided(needed, overlapping, (needed.strides[0], *needed.strides[2:]), writeable=False)
                np.matmul(matrix, windows, out=product[: into.shape[1]])
                into[...] = product[: into.shape[1], :, : into.shape[2]].swapaxes(0, 1)
            else:
                into[...] = 0


def _matrix(weights: Array, rows: Taps, columns: Taps) -> Array:
    """The weights of one phase (C_out, rows of taps * taps in a row * C_in)."""
    taken = weights[:, :, [tap for tap, _ in rows]][..., [tap for tap, _ in columns]]
    return np.ascontiguousarray(taken.transpose(0, 2, 3, 1)).reshape(len(weights), -1)


def _lay_out(pixels: Array, source: Array, top: int, left: int) -> None:
    """Fill (rows, C_in, columns) with the pixels of the source from (top, left) on, zeros beyond it."""
    into_rows, from_rows = overlap(pixels.shape[0], source.shape[1], 1, top)
    into_columns, from_columns = overlap(pixels.shape[2], source.shape[2], 1, left)
    inside = pixels[into_rows, :, into_columns]
    if inside.shape != pixels.shape:
        pixels[...] = 0
    inside[...] = source[:, from_rows, from_columns].swapaxes(0, 1)
