"""The ring of a torus around the frame: its pixels as a vector, and the inverse of a circulant matrix on its sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.fft

from restoretk._arrays import Array
from restoretk.convolution.sweeps import blocks
from restoretk.restoration._toeplitz import ToeplitzInverse

_BLOCK = 1 << 22  # bytes of the precision looked at a time

#: A real function on the half spectrum of the torus, for a range of its last axis: shape (*torus[:-1], n).
Columns = Callable[[slice], Array]


class Ring:
    """The pixels of a torus that are not in the frame, which is its low corner.

    A field on the ring is a vector. Its numbers are those of disjoint slabs one after the other: slab d holds the pixels
    beyond the frame on axis d and inside it on the axes before.
    """

    def __init__(self, frame: Sequence[int], torus: Sequence[int]) -> None:
        self.frame, self.torus = tuple(frame), tuple(torus)
        self.widths = tuple(grid - size for size, grid in zip(frame, torus, strict=True))
        ndim = len(self.torus)
        self._shapes = [(*self.frame[:axis], self.widths[axis], *self.torus[axis + 1 :]) for axis in range(ndim)]
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])
        self.size = int(ends[-1])
        self._places = [
            slice(int(end) - math.prod(shape), int(end)) for end, shape in zip(ends, self._shapes, strict=True)
        ]

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes on which there is a ring."""
        return tuple(axis for axis, width in enumerate(self.widths) if width)

    def slabs(self, field: Array) -> list[Array]:
        """The disjoint slabs of a field, which are views."""
        return [field[place].reshape(shape) for place, shape in zip(self._places, self._shapes, strict=True)]

    def field_of(self, whole: Array) -> Array:
        """The field that an array on the torus holds."""
        field = np.empty(self.size, whole.dtype)
        for axis, slab in enumerate(self.slabs(field)):
            slab[...] = whole[self._index(axis)]
        return field

    def put(self, field: Array, whole: Array) -> None:
        """Write a field to an array on the torus."""
        for axis, slab in enumerate(self.slabs(field)):
            whole[self._index(axis)] = slab

    def side(self, field: Array, axis: int) -> Array:
        """The field on all pixels beyond the frame on one axis, those of the corners too."""
        side = np.empty((*self.torus[:axis], self.widths[axis], *self.torus[axis + 1 :]), field.dtype)
        for into, part in self._parts(field, side, axis):
            into[...] = part
        return side

    def add_side(self, field: Array, axis: int, values: Array) -> None:
        """Add values on such a side to a field."""
        for part, into in self._parts(field, values, axis):
            into += part

    def _index(self, axis: int) -> tuple[slice, ...]:
        return (*(slice(size) for size in self.frame[:axis]), slice(self.frame[axis], None))

    def _parts(self, field: Array, side: Array, axis: int) -> list[tuple[Array, Array]]:
        """Pairs of views, of the side and of the slabs of the field, that hold the same pixels."""
        pairs = []
        for other, slab in enumerate(self.slabs(field)[: axis + 1]):
            beyond = (*(slice(size) for size in self.frame[:other]), slice(self.frame[other], None))
            if other == axis:
                pairs.append((side[beyond[:-1]], slab))
            else:
                kept = (slice(None),) * axis + (slice(self.frame[axis], None),)
                pairs.append((side[beyond], slab[kept]))
        return pairs


class SideInverses:
    """An approximate inverse of a circulant matrix Q on the ring: the sum of its exact inverses on each side.

    A side is all of the torus on the other axes. Transformed along those, Q falls apart into one Toeplitz matrix for each
    frequency, as large as the ring is wide [1]_. The sides meet in the corners only, so that a few steps of conjugate
    gradients make up for what is left.

    Parameters
    ----------
    ring : Ring
    precision : callable
        Q > 0 on the half spectrum, for ranges of the last axis.

    References
    ----------
    .. [1] R. H. Chan and M. K. Ng, "Conjugate gradient methods for Toeplitz systems", SIAM Rev. 38, 1996.
    """

    def __init__(self, ring: Ring, precision: Columns) -> None:
        self._ring = ring
        self._inverses = {axis: ToeplitzInverse(lags) for axis, lags in _lags(ring, precision).items()}

    @staticmethod
    def bytes_of(ring: Ring) -> int:
        """About the memory that they take at most, in use."""
        counts = [
            math.prod(_without(ring.torus, axis)[:-1]) * (_without(ring.torus, axis)[-1] // 2 + 1) for axis in ring.axes
        ]
        kept = sum(
            ToeplitzInverse.bytes_of(ring.widths[axis], count) for axis, count in zip(ring.axes, counts, strict=True)
        )
        passing = [ring.widths[axis] * count for axis, count in zip(ring.axes, counts, strict=True)]
        return kept + 3 * np.dtype(complex).itemsize * max(passing, default=0)

    def __call__(self, field: Array) -> Array:
        """The approximate inverse times a field."""
        product = np.zeros_like(field)
        for axis, inverse in self._inverses.items():
            side = np.moveaxis(self._ring.side(field, axis), axis, 0).astype(np.float64)
            others = tuple(range(1, side.ndim))
            spectra = scipy.fft.rfftn(side, axes=others) if others else side
            solved = inverse(spectra.reshape(len(side), -1)).reshape(spectra.shape)
            values = scipy.fft.irfftn(solved, s=side.shape[1:], axes=others) if others else solved.real
            self._ring.add_side(product, axis, np.moveaxis(values, 0, axis))
        return product


def _lags(ring: Ring, precision: Columns) -> dict[int, Array]:
    """For each side the first columns of the Toeplitz matrices, shape (width, frequencies of the other axes)."""
    torus, last = ring.torus, len(ring.torus) - 1
    half = torus[-1] // 2 + 1
    others_half = () if last == 0 else (*torus[:-2], torus[-2] // 2 + 1)
    found = {
        axis: np.empty((ring.widths[axis], *_without(torus, axis)[:-1], half), complex)
        for axis in ring.axes
        if axis != last
    }
    across = np.zeros((math.prod(others_half), ring.widths[-1]), complex)
    step_bytes = math.prod(torus[:-1]) * np.dtype(np.float64).itemsize
    for columns in blocks(half, step_bytes, _BLOCK, 1):
        block = precision(columns).astype(np.float64, copy=False)
        for axis in found:
            transform = scipy.fft.rfft if 2 * ring.widths[axis] <= torus[axis] else scipy.fft.fft
            lags = np.conj(transform(block, axis=axis)) / torus[axis]
            found[axis][..., columns] = np.moveaxis(lags, axis, 0)[: ring.widths[axis]]
        if last in ring.axes:
            across += _lags_across(block, columns, torus, ring.widths[-1], others_half)
    if last in ring.axes:
        found[last] = across.T
    return {axis: lags.reshape(len(lags), -1) for axis, lags in found.items()}


def _without(torus: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*torus[:axis], *torus[axis + 1 :])


def _lags_across(
    block: Array, columns: slice, torus: tuple[int, ...], width: int, others_half: tuple[int, ...]
) -> Array:
    """What columns of the half spectrum give to the inverse transform along the last axis, for half of the other axes."""
    others = tuple(range(block.ndim - 1))
    negated = np.roll(np.flip(block, others), 1, others)  # Q(-k', k), which is Q(k', -k)
    kept = tuple(slice(size) for size in others_half)
    indices = np.arange(columns.start, columns.start + block.shape[-1])
    counts = np.where((indices == 0) | (2 * indices == torus[-1]), 1.0, 2.0)
    angles = np.outer(indices, np.arange(width)) * (2 * np.pi / torus[-1])
    even, odd = 0.5 * (block[kept] + negated[kept]), 0.5 * (block[kept] - negated[kept])
    weights: Any = (counts / torus[-1])[:, None]
    n = block.shape[-1]
    total: Array = even.reshape(-1, n) @ (weights * np.cos(angles)) + 1j * (
        odd.reshape(-1, n) @ (weights * np.sin(angles))
    )
    return total
