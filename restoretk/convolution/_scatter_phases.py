"""Transposed convolution of one plane by a kernel that is not separable: all phases of an output in one matrix product.

A step of the input determines one output for each phase of rows and columns, from the pixels around it. The pixels of a
few rows are laid out row by row, within a row once for each place along it that a tap takes. What a row of steps needs
then lies together as the lines of one matrix, and the small matrix of taps times those lines gives all phases, which
are put in turns in cache before they are written.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from restoretk._arrays import Array
from restoretk.convolution._patches import load_patch
from restoretk.convolution._windows import phase_taps

# The lines of a tile and their products take so many bytes, about a core's L2 cache: many rows for each call of BLAS.
# Of small pictures they take less, a twelfth of the result, so that the memory at work stays close to input and output.
_TILE_BYTES = 1 << 20
_LEAST_TILE_BYTES = 1 << 18
_TILE_COLUMNS = 1 << 11  # numbers in a line


def scatter_phases(
    target: Array,
    source: Array,
    kernel: Array,
    *,
    stride: Sequence[int],
    dilation: Sequence[int],
    head: Sequence[int],
    edge: bool,
) -> None:
    """`scatter_plane` for any kernel, into a target of shape (rows, columns * lanes)."""
    lanes = source.shape[2]
    down, across = (
        [phase_taps(phase, k, s, d, h) for phase in range(s)]
        for k, s, d, h in zip(kernel.shape, stride, dilation, head, strict=True)
    )
    reached = [offset for taps in down for _, offset in taps]
    tall, places = max(reached) - min(reached) + 1, sorted({offset for taps in across for _, offset in taps})
    matrix = _matrix(kernel, down, across, range(min(reached), max(reached) + 1), places)
    steps = [-(-target.shape[0] // stride[0]), -(-target.shape[1] // (stride[1] * lanes))]
    width = -(-steps[1] // -(-steps[1] * lanes // _TILE_COLUMNS))
    tile = min(_TILE_BYTES, max(_LEAST_TILE_BYTES, target.nbytes // 12)) // target.itemsize
    height = max(1, tile // ((len(places) + len(matrix) + stride[1]) * width * lanes))
    height = -(-steps[0] // -(-steps[0] // height))
    patch = np.empty((height + tall - 1, width + places[-1] - places[0], lanes), target.dtype)
    lines = np.empty((len(patch), len(places), width, lanes), target.dtype)
    windows = as_strided(
        lines, (height, matrix.shape[1], width * lanes), (lines.strides[0], *lines.strides[1::2]), writeable=False
    )
    product = np.empty((height, *stride, width, lanes), target.dtype)
    turns = np.empty((height, width, stride[1], lanes), target.dtype)
    for top, left in itertools.product(range(0, steps[0], height), range(0, steps[1], width)):
        load_patch(patch, source, top + min(reached), left + places[0], edge)
        for layer, place in enumerate(places):
            lines[:, layer] = patch[:, place - places[0] :][:, :width]
        np.matmul(matrix, windows, out=product.reshape(height, len(matrix), -1))
        for row in range(stride[0]):
            into = target[row :: stride[0], left * stride[1] * lanes :][top : top + height, : turns[0].size]
            for column in range(stride[1]):
                turns[:, :, column] = product[:, row, column]
            into[...] = turns.reshape(height, -1)[: into.shape[0], : into.shape[1]]


def _matrix(
    kernel: Array,
    down: Sequence[Sequence[tuple[int, int]]],
    across: Sequence[Sequence[tuple[int, int]]],
    rows: Sequence[int],
    places: Sequence[int],
) -> Array:
    """The taps as a matrix (phases of rows and columns, rows of pixels and places along them)."""
    matrix = np.zeros((len(down), len(across), len(rows), len(places)), kernel.dtype)
    for (p, vertical), (q, horizontal) in itertools.product(enumerate(down), enumerate(across)):
        if vertical and horizontal:
            into = np.ix_([rows.index(offset) for _, offset in vertical], [places.index(o) for _, o in horizontal])
            matrix[p, q][into] = kernel[np.ix_([tap for tap, _ in vertical], [tap for tap, _ in horizontal])]
    return matrix.reshape(len(down) * len(across), -1)
