"""Transposed convolution of one plane, tile by tile, along each axis by a small banded matrix.

Along an axis, a block of ``b`` input pixels and those around it within the kernel's reach determine ``s*b`` output
pixels, through a banded Toeplitz matrix that is the same for every block. A matrix product with it spends some
multiplications on the zeros beside the band, but reads each pixel once, writes all phases interleaved and runs at the
speed of BLAS: two to five times quicker than summing the taps of each phase array by array. A tile is small enough to
stay in cache between the product along its rows and the one along its columns, and no array but the result has the size
of the picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from restoretk._arrays import Array
from restoretk.convolution._fast import fast
from restoretk.convolution._patches import load_patch
from restoretk.convolution._scatter_phases import scatter_phases

# A tile, enlarged along its rows, takes about this many bytes: a part of a core's L2 cache. Of small pictures it takes
# less, a twelfth of the result, so that the memory at work stays close to input and output.
_TILE_BYTES = 1 << 20
_LEAST_TILE_BYTES = 1 << 18
_TILE_COLUMNS = 1 << 11  # numbers in a row of it
# Longer kernels are not for tiles: the tile's surroundings (in inputs), or the rows of pixels that meet in one output.
_LONGEST_REACH = 128
_MOST_ROWS = 16
# Planes of this size go to the compiled loops, where they are installed: below it, importing them hardly ever pays.
LEAST_FUSED = 1 << 20
_BLOCK_OUTPUTS = 16  # the more, the more zeros beside the band; the fewer, the more surroundings are read again


def scatter_plane(
    target: Array,
    source: Array,
    kernel: Array,
    *,
    stride: Sequence[int],
    dilation: Sequence[int],
    head: Sequence[int],
    edge: bool = False,
) -> None:
    """Write the window ``full[head : head + out]`` of the scatter rule into ``target``.

    Parameters
    ----------
    target, source : ndarray of shape (rows, columns, lanes)
        Floats of one dtype. Lanes are channels that lie side by side in memory and share the kernel. The target must be
        contiguous.
    kernel : ndarray of shape (k, k')
        If it is separable to rounding, it goes one axis after the other.
    stride, dilation, head : one int for each of the two axes
    edge : bool
        Whether beyond the source its edge pixels go on for ever, in place of zeros; the window must then lie within
        ``stride`` times the source.
    """
    if target.size >= LEAST_FUSED and fast():
        from restoretk.convolution._fused_scatter import scatter_fused  # brings numba, a third of a second

        scatter_fused(target, source, kernel, stride=stride, dilation=dilation, head=head, edge=edge)
        return
    factors = separable_factors(kernel)
    flat = target.reshape(len(target), -1)
    if factors is None:
        scatter_phases(flat, source, kernel, stride=stride, dilation=dilation, head=head, edge=edge)
    else:
        rows, columns = (
            _Axis(*one) for one in zip(target.shape[:2], kernel.shape, stride, dilation, head, strict=True)
        )
        lanes = source.shape[2]
        _separable(flat, source, rows.band(factors[0]), columns.band(factors[1], lanes), rows, columns, edge)


def scatter_planes(
    target: Array,
    source: Array,
    weights: Array,
    *,
    stride: Sequence[int],
    dilation: Sequence[int],
    head: Sequence[int],
) -> None:
    """`scatter_plane` from the one plane of ``source`` (1, rows, columns) to each of ``target``, zeros beyond the edges.

    ``weights`` has the shape (planes of target, 1, k, k').
    """
    for plane, kernel in zip(target, weights[:, 0], strict=True):
        scatter_plane(plane[..., None], source[0, ..., None], kernel, stride=stride, dilation=dilation, head=head)


def fits_in_tiles(weights: Array, stride: Sequence[int], dilation: Sequence[int]) -> bool:
    """Whether the tiles of `scatter_planes` stay small: the kernel is not long, or is separable and not very long."""
    reach = [(k - 1) * d // s for k, d, s in zip(weights.shape[-2:], dilation, stride, strict=True)]
    if max(reach) > _LONGEST_REACH:
        return False
    kernels = weights.reshape(-1, *weights.shape[-2:])
    return reach[0] < _MOST_ROWS or all(separable_factors(kernel) for kernel in kernels)


def separable_factors(kernel: Array) -> tuple[Array, Array] | None:
    """The column and the row whose outer product is the kernel, every tap to rounding; None if there are none."""
    exact = kernel.astype(np.float64)
    i, j = np.unravel_index(np.argmax(np.abs(exact)), exact.shape)
    column, row = exact[:, j] / (exact[i, j] or 1.0), exact[i]
    # A tap, and the three it is compared with, may have been rounded once by their maker and once when normalised.
    if np.any(np.abs(np.outer(column, row) - exact) > 8 * np.finfo(kernel.dtype).eps * np.abs(exact)):
        return None
    return column.astype(kernel.dtype), row.astype(kernel.dtype)


class _Axis(NamedTuple):
    """One axis, seen from the inputs: in steps of ``stride`` outputs, in blocks of steps, and in tiles of blocks."""

    out: int
    size: int  # of the kernel
    stride: int
    dilation: int
    head: int

    @property
    def steps(self) -> int:
        """How many steps the window has."""
        return -(-self.out // self.stride)

    @property
    def block(self) -> int:
        """How many steps a block has: no fewer than the surroundings that it needs."""
        reach = (self.size - 1) * self.dilation // self.stride
        return min(max(_BLOCK_OUTPUTS // self.stride, reach, 1), self.steps)

    @property
    def first(self) -> int:
        """The first input that a block needs, counted from its first step."""
        return -(((self.size - 1) * self.dilation - self.head) // self.stride)

    @property
    def surroundings(self) -> int:
        """How many inputs a block needs beyond one for each step."""
        return (self.stride - 1 + self.head) // self.stride - self.first

    def tiles(self, most: int) -> range:
        """The first steps of equal tiles of whole blocks, and at most so many steps, where one block has no more."""
        blocks = -(-self.steps // self.block)
        count = -(-blocks // max(1, most // self.block))
        return range(0, self.steps, -(-blocks // count) * self.block)

    def band(self, taps: Array, lanes: int = 1) -> Array:
        """The matrix from the inputs that a block needs to its outputs."""
        # Output m takes input i by the tap t with t*dilation = m + head - i*stride.
        inputs = self.first + np.arange(self.block + self.surroundings)
        outputs = np.arange(self.block * self.stride)
        t, rest = np.divmod(outputs + self.head - self.stride * inputs[:, None], self.dilation)
        inside = (rest == 0) & (t >= 0) & (t < self.size)
        band = np.where(inside, taps[np.where(inside, t, 0)], taps.dtype.type(0))
        return np.kron(band, np.eye(lanes, dtype=taps.dtype)) if lanes > 1 else band


def _separable(
    target: Array, source: Array, down: Array, across: Array, rows: _Axis, columns: _Axis, edge: bool
) -> None:
    """Along the rows of a tile, then along its columns into the target."""
    lanes = source.shape[2]
    lefts = columns.tiles(_TILE_COLUMNS // (columns.stride * lanes))
    width = lefts.step * columns.stride * lanes
    tile = min(_TILE_BYTES, max(_LEAST_TILE_BYTES, target.nbytes // 12))
    tops = rows.tiles(tile // (width * source.itemsize))
    patch = np.empty((tops.step + rows.surroundings, lefts.step + columns.surroundings, lanes), source.dtype)
    # Rows a power of two apart would take each other's place in the cache.
    wide = np.empty((len(patch), width + _BLOCK_OUTPUTS), source.dtype)[:, :width]
    for top, left in itertools.product(tops, lefts):
        into = target[top * rows.stride :, left * columns.stride * lanes :][: tops.step * rows.stride, :width]
        load_patch(patch, source, top + rows.first, left + columns.first, edge)
        _along_rows(patch, across, columns.block, wide[:, : into.shape[1]])
        _along_columns(wide, down, rows.block, into)


def _along_rows(patch: Array, band: Array, block: int, result: Array) -> None:
    """Every block of every row, with its surroundings, times the band; columns beyond the result are not computed."""
    whole, left_over = divmod(result.shape[1], band.shape[1])
    shape = (whole + (left_over > 0), len(result), len(band))
    windows = as_strided(patch, shape, (block * patch.strides[1], patch.strides[0], patch.itemsize), writeable=False)
    full = result.shape[1] - left_over
    np.matmul(windows[:whole], band, out=result[:, :full].reshape(len(result), whole, band.shape[1]).swapaxes(0, 1))
    if left_over:
        np.matmul(windows[whole], band[:, :left_over], out=result[:, full:])


def _along_columns(wide: Array, band: Array, block: int, result: Array) -> None:
    """Every block of rows, with its surroundings, times the band; rows beyond the result are not computed."""
    whole, left_over = divmod(len(result), band.shape[1])
    shape = (whole + (left_over > 0), len(band), result.shape[1])
    windows = as_strided(wide, shape, (block * wide.strides[0], *wide.strides), writeable=False)
    full = len(result) - left_over
    np.matmul(band.T, windows[:whole], out=result[:full].reshape(whole, band.shape[1], result.shape[1]))
    if left_over:
        np.matmul(band.T[:left_over], windows[whole], out=result[full:])
