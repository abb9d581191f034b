"""The OTF of a two-dimensional PSF a few columns at a time: whole, it would be as large as the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from restoretk._arrays import Array

_MOST_TERMS = 20  # products of a column and a row that are still cheaper than a transform of each column


class OtfColumns:
    """The OTF of a PSF on a half spectrum, worked out for the columns that are asked for.

    A PSF is a sum of few products of a column and a row, as many as its rank (one for a Gaussian, six for a small disk),
    and so is its OTF, with the transforms of those columns and rows [1]_. A PSF of high rank is transformed along its rows
    beforehand and along its columns when they are asked for.

    Parameters
    ----------
    psf : ndarray of shape (r, c)
        Its origin is at ``shape // 2``.
    torus : (rows, columns)
        The grid, no smaller than the PSF.
    dtype : dtype
        float32 or float64: what the OTF is good to, and half of what its complex numbers hold.

    Attributes
    ----------
    terms : int
        How many products are summed.
    is_real : bool
        Whether the OTF is real to rounding, as that of a PSF that half a turn does not change.

    References
    ----------
    .. [1] G. H. Golub and C. F. Van Loan, Matrix Computations, 4th ed., 2013, theorem 2.4.8 (the singular values left out
       bound the error).
    """

    def __init__(self, psf: Array, torus: Sequence[int], dtype: npt.DTypeLike) -> None:
        rows, columns = torus
        complex_dtype: np.dtype[Any] = np.result_type(dtype, np.complex64)
        left, sizes, right = np.linalg.svd(psf.astype(np.float64), full_matrices=False)
        rounding = np.finfo(dtype).eps / 4 * np.abs(psf).sum()
        # |u F v| <= |u| |F v|: a term left out changes no bin by more than its singular value times sqrt(r c).
        bound = sizes * np.sqrt(psf.size)
        self.terms = max(1, int(np.sum(bound > rounding)))
        # The imaginary part is the transform of the odd part of the PSF.
        self.is_real = all(side % 2 for side in psf.shape) and bool(np.abs(psf - psf[::-1, ::-1]).sum() <= 2 * rounding)
        self._down: Array | None = None
        if self.terms <= _MOST_TERMS:
            self._down = _spectra((left * sizes).T[: self.terms], rows).T.astype(complex_dtype)
            # A complex product written as two real ones, with the parts of the right factor one below the other.
            self._real_down = np.hstack([self._down.real, -self._down.imag])
            self._minus_imag_down = np.hstack([-self._down.imag, -self._down.real])
            across = _half_spectra(right[: self.terms], columns)
        else:
            self._origin, self._rows = psf.shape[0] // 2, rows
            across = _half_spectra(psf.astype(np.float64), columns)
        self._across: Array = np.ascontiguousarray(across, complex_dtype)
        self.shape = (rows, columns // 2 + 1)

    def columns(self, chosen: slice | Array) -> Array:
        """The OTF in a range of columns of the half spectrum, or some of them, shape (rows, n): a fresh array."""
        across = self._across[:, chosen]
        if self._down is not None:
            product: Array = self._down @ across
            return product
        grid = np.zeros((self._rows, across.shape[1]), across.dtype)
        origin, below = self._origin, len(across) - self._origin
        grid[:below] = across[origin:]
        grid[self._rows - origin :] = across[:origin]
        transformed: Array = scipy.fft.fft(grid, axis=0, overwrite_x=True)
        return transformed

    def real_columns(self, chosen: slice | Array) -> Array:
        """The real part of `columns`."""
        if self._down is None:
            return self.columns(chosen).real
        product: Array = self._real_down @ _parts(self._across[:, chosen])
        return product

    def conjugate(self, chosen: slice) -> Callable[[slice, Array, Array | None], None]:
        """The conjugate of the OTF in a range of columns: what writes its real and imaginary parts in a range of rows.

        The imaginary part is not worked out where there is no array for it.
        """
        if self._down is None:
            whole = np.conj(self.columns(chosen))

            def write(rows: slice, real: Array, imag: Array | None) -> None:
                real[...] = whole.real[rows]
                if imag is not None:
                    imag[...] = whole.imag[rows]

            return write
        parts = _parts(self._across[:, chosen])

        def multiply(rows: slice, real: Array, imag: Array | None) -> None:
            np.matmul(self._real_down[rows], parts, out=real)
            if imag is not None:
                np.matmul(self._minus_imag_down[rows], parts, out=imag)

        return multiply


def _parts(across: Array) -> Array:
    """The real parts of rows, and their imaginary parts below them."""
    return np.vstack([across.real, across.imag])


def _half_spectra(parts: Array, size: int) -> Array:
    """The real FFTs of lines of numbers, each with its origin at ``side // 2``, on a circle of ``size``."""
    side = parts.shape[1]
    grid = np.zeros((len(parts), size))
    grid[:, :side] = parts
    half: Array = scipy.fft.rfft(np.roll(grid, -(side // 2), axis=1), axis=1)
    return half


def _spectra(parts: Array, size: int) -> Array:
    """The full FFTs of such lines."""
    half = _half_spectra(parts, size)
    return np.hstack([half, np.conj(half[:, 1 : (size + 1) // 2][:, ::-1])])
