"""Hermitian positive definite Toeplitz systems, many at once: the inverse as four convolutions."""

from __future__ import annotations

import numpy as np
import scipy.fft

from restoretk._arrays import Array
from restoretk.convolution.sweeps import blocks

_BLOCK = 1 << 20  # bytes of what is worked on at a time
_LIFT = 1e-10  # of the diagonal, added to it: systems that rounding has made singular stay solvable


class ToeplitzInverse:
    """The inverses of K Hermitian positive definite Toeplitz matrices of n rows, T[i, j] = t[i - j].

    Durbin's recursion gives the first column of each inverse, and that column gives the whole: by Gohberg and Semencul's
    formula it is the difference of two products of triangular Toeplitz matrices, which are convolutions.

    Parameters
    ----------
    columns : ndarray of complex, shape (n, K)
        The first column t[0], ..., t[n - 1] of each; t[0] > 0.

    References
    ----------
    .. [1] G. H. Golub and C. F. Van Loan, Matrix Computations, 4th ed., 2013, algorithm 4.7.1.
    .. [2] I. C. Gohberg and A. A. Semencul, "On the inversion of finite Toeplitz matrices and their continuous analogs",
       Mat. Issled. 7, 1972.
    """

    def __init__(self, columns: Array) -> None:
        size, count = columns.shape
        self._length = scipy.fft.next_fast_len(2 * size)
        self._phases = np.exp(np.arange(self._length) * size % self._length * (-2j * np.pi / self._length))[:, None]
        self._first = np.empty((self._length, count), complex)
        for part in blocks(count, self._length * self._first.itemsize, _BLOCK, 1):
            first, error = _predictors(columns[:, part])
            self._first[:, part] = scipy.fft.fft(first / np.sqrt(error), self._length, axis=0)

    def __call__(self, vectors: Array) -> Array:
        """The inverses times vectors of shape (n, K)."""
        solved = np.empty(vectors.shape, complex)
        for part in blocks(vectors.shape[1], self._length * self._first.itemsize, _BLOCK, 1):
            first = self._first[:, part]
            # The last column is the first one reversed and conjugated, one row further down.
            last = self._phases * np.conj(first)
            spectrum = scipy.fft.fft(vectors[:, part], self._length, axis=0)
            product = first * self._inside(np.conj(first) * spectrum, len(vectors))
            product -= last * self._inside(np.conj(last) * spectrum, len(vectors))
            solved[:, part] = scipy.fft.ifft(product, axis=0)[: len(vectors)]
        return solved

    @staticmethod
    def bytes_of(size: int, count: int) -> int:
        """The memory that the inverses of so many matrices of so many rows take."""
        return int(np.dtype(complex).itemsize * scipy.fft.next_fast_len(2 * size) * count)

    @staticmethod
    def _inside(spectrum: Array, size: int) -> Array:
        """The spectrum of what is left when all beyond the n rows is cut off."""
        values = scipy.fft.ifft(spectrum, axis=0)
        values[size:] = 0
        cut: Array = scipy.fft.fft(values, axis=0, overwrite_x=True)
        return cut


def _predictors(columns: Array) -> tuple[Array, Array]:
    """The solutions of T a = E e_0 with a[0] = 1, shape (n, K), and E."""
    size = len(columns)
    first = np.zeros_like(columns)
    first[0] = 1
    error = columns[0].real * (1 + _LIFT)
    least = columns[0].real * _LIFT
    for row in range(1, size):
        # [a, 0] leaves gamma in the last row, its reflection leaves E there: a multiple takes it away.
        gamma = np.einsum("jk,jk->k", columns[row:0:-1], first[:row])
        reflection = -gamma / error
        first[1 : row + 1] += reflection * np.conj(first[row - 1 :: -1] if row > 1 else first[:1])
        error = np.maximum(error * (1 - reflection.real**2 - reflection.imag**2), least)
    return first, error
