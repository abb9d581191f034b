"""A half spectrum that is worked on by rows and by columns: each block of columns lies in one piece of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from restoretk._arrays import Array

_BLOCK = 1 << 20  # bytes of a block
_NARROWEST = 16  # columns: what a row has in a narrower block would fill only part of each line of the cache


class ColumnBlocks:
    """The half spectrum of a plane, block of columns after block of columns.

    In an array of rows the columns of a block lie a whole row apart, and fetching and storing them takes longer than their
    transforms. Here a block is transformed where it lies; to its blocks a row is written in a few pieces of some hundred
    bytes.

    Parameters
    ----------
    shape : (rows, columns)
        Of the plane.
    dtype : dtype
        float32 or float64, of the plane.
    """

    def __init__(self, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        complex_dtype = np.result_type(dtype, np.complex64)
        rows, columns = shape[0], shape[1] // 2 + 1
        self.shape = (rows, columns)
        self._width = max(_NARROWEST, _BLOCK // (rows * complex_dtype.itemsize))
        count = columns // self._width
        self._split = count * self._width
        self._even = np.empty((count, rows, self._width), complex_dtype)
        self._rest = np.empty((rows, columns - self._split), complex_dtype)

    @property
    def dtype(self) -> np.dtype[Any]:
        """complex64 or complex128."""
        return self._even.dtype

    def parts(self) -> Iterator[slice]:
        """The columns of the blocks."""
        for start in range(0, self.shape[1], self._width):
            yield slice(start, min(start + self._width, self.shape[1]))

    def block(self, part: slice) -> Array:
        """The columns of one of the `parts`, to read and to write: contiguous, of shape (rows, n)."""
        return self._rest if part.start == self._split else self._even[part.start // self._width]

    def put_rows(self, rows: slice, values: Array) -> None:
        """Write some rows of the half spectrum."""
        self._even[:, rows] = self._by_block(values)
        self._rest[rows] = values[:, self._split :]

    def rows(self, rows: slice) -> Array:
        """Some rows of the half spectrum, a fresh array."""
        values = np.empty((rows.stop - rows.start, self.shape[1]), self._even.dtype)
        self._by_block(values)[...] = self._even[:, rows]
        values[:, self._split :] = self._rest[rows]
        return values

    def _by_block(self, values: Array) -> Array:
        """A view of rows up to where the blocks of even width end, of shape (blocks, rows, width)."""
        return values[:, : self._split].reshape(len(values), len(self._even), self._width).swapaxes(0, 1)
