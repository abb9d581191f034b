"""A circulant matrix times a field on the ring of a plane, a few columns of the spectrum at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import scipy.fft

from restoretk._arrays import Array
from restoretk.convolution._lines import lines
from restoretk.convolution.sweeps import blocks, in_order
from restoretk.restoration._ring import Columns, Ring

_BLOCK, _NARROWEST = 1 << 20, 16  # bytes of a block of columns, and columns at least

#: The half spectra of the rows of a plane in some columns, shape (rows, n).
RowSpectra = Callable[[slice | Array], Array]


class RingProduct:
    """Q times a two-dimensional plane, seen on the ring.

    A field is 0 in the frame: its columns beyond the frame are few, and what they give to the spectrum of a row is a product
    with as many waves. So no plane is ever held, neither of the field nor of its product.

    Parameters
    ----------
    ring : Ring
    precision : callable
        Q on the half spectrum, for ranges of columns.
    dtype : dtype
        float32 or float64.
    """

    def __init__(self, ring: Ring, precision: Columns, dtype: np.dtype[Any]) -> None:
        self._ring, self._precision, self._dtype = ring, precision, dtype

    def __call__(self, field: Array) -> Array:
        """Q times a field."""
        return self.of(rows_of(self._ring, field))

    def of(self, spectra: RowSpectra) -> Array:
        """Q times the plane of which the rows have these half spectra, which may be overwritten."""
        ring, total = self._ring, RingSum(self._ring, self._dtype)
        step = ring.torus[0] * 2 * self._dtype.itemsize
        parts = blocks(ring.torus[1] // 2 + 1, step, _BLOCK, _NARROWEST)
        for columns, block in in_order(lambda part: (part, self.columns(spectra(part), part)), parts):
            total.add(block, columns)
        return total.field()

    def columns(self, block: Array, columns: slice) -> Array:
        """The half spectra of the rows of the product in some columns, from those of the plane, in their place."""
        transforms = lines()
        transforms.columns(block)
        block *= self._precision(columns)
        transforms.columns_back(block)
        return block


def rows_of(ring: Ring, field: Array) -> RowSpectra:
    """The half spectra of the rows of a plane that is a field on the ring and 0 in the frame."""
    below, right = ring.slabs(field)
    return partial(_rows_of, ring, right, scipy.fft.rfft(below, axis=1))


def _rows_of(ring: Ring, right: Array, of_below: Array, columns: slice | Array) -> Array:
    height = ring.frame[0]
    waves = _waves(ring, columns, right.dtype)
    spectra = np.empty((ring.torus[0], waves.shape[1]), waves.dtype)
    # Complex numbers are pairs of real ones here, so that one real product gives both.
    np.matmul(right, waves.view(right.dtype), out=spectra.view(right.dtype)[:height])
    spectra[height:] = of_below[:, columns]
    return spectra


class RingSum:
    """The field on the ring that a plane has, of which the half spectra of the rows are given a few columns at a time."""

    def __init__(self, ring: Ring, dtype: np.dtype[Any]) -> None:
        self._ring, self._field = ring, np.zeros(ring.size, dtype)
        half, complex_dtype = ring.torus[1] // 2 + 1, np.result_type(dtype, np.complex64)
        self._of_below = np.zeros((ring.widths[0], half), complex_dtype)

    def add(self, block: Array, columns: slice) -> None:
        """Take in some columns."""
        (height, _), (_, width) = self._ring.frame, self._ring.torus
        self._of_below[:, columns] = block[height:]
        # irfft counts every column twice, for its mirror image, but those that have none.
        waves = _waves(self._ring, columns, self._field.dtype) / width
        indices = np.arange(columns.start, columns.stop)
        waves[:, (indices != 0) & (2 * indices != width)] *= 2
        _, right = self._ring.slabs(self._field)
        right += block.view(right.dtype)[:height] @ waves.view(right.dtype).T

    def field(self) -> Array:
        """The field, when all columns are in; what those that are give to it."""
        below, _ = self._ring.slabs(self._field)
        below[...] = scipy.fft.irfft(self._of_below, self._ring.torus[1], axis=1)
        return self._field


def _waves(ring: Ring, columns: slice | Array, dtype: np.dtype[Any]) -> Array:
    """exp(-2 pi i k x / n) for the columns x beyond the frame (rows) and the columns k of the half spectrum, those chosen."""
    width = ring.torus[1]
    chosen = np.arange(width // 2 + 1)[columns]
    turns = np.outer(np.arange(ring.frame[1], width), chosen) % width
    waves: Array = _roots(width, np.result_type(dtype, np.complex64))[turns]
    return waves


@lru_cache(maxsize=4)
def _roots(width: int, dtype: np.dtype[Any]) -> Array:
    """The roots of unity of a circle, exp(-2 pi i k / width): all that waves are made of, and no larger than a row."""
    roots: Array = np.exp(np.arange(width) * (-2j * np.pi / width)).astype(dtype)
    roots.flags.writeable = False
    return roots
