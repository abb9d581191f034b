"""The OTF of a two-dimensional PSF a few columns at a time: whole, it would be as large as the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from restoretk._arrays import Array
from restoretk.convolution.fourier import psf_to_otf

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

    References
    ----------
    .. [1] G. H. Golub and C. F. Van Loan, Matrix Computations, 4th ed., 2013, theorem 2.4.8 (the singular values left out
       bound the error).
    """

    def __init__(self, psf: Array, torus: Sequence[int], dtype: npt.DTypeLike) -> None:
        rows, columns = torus
        complex_dtype: np.dtype[Any] = np.result_type(dtype, np.complex64)
        left, sizes, right = np.linalg.svd(psf.astype(np.float64), full_matrices=False)
        # |u F v| <= |u| |F v|: a term left out changes no bin by more than its singular value times sqrt(r c).
        bound = sizes * np.sqrt(psf.size)
        self.terms = max(1, int(np.sum(bound > np.finfo(dtype).eps / 4 * np.abs(psf).sum())))
        self._down: Array | None = None
        if self.terms <= _MOST_TERMS:
            down = [_spectrum(part, rows) for part in (left * sizes).T[: self.terms]]
            self._down = np.stack(down, axis=1).astype(complex_dtype)
            across = np.stack([psf_to_otf(part, (columns,)) for part in right[: self.terms]])
        else:
            self._origin, self._rows = psf.shape[0] // 2, rows
            across = np.stack([psf_to_otf(part, (columns,)) for part in psf.astype(np.float64)])
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


def _spectrum(values: Array, size: int) -> Array:
    """The full FFT of a line of numbers with its origin at ``len // 2``, on a circle of ``size``."""
    half = psf_to_otf(values, (size,))
    return np.concatenate([half, np.conj(half[1 : (size + 1) // 2][::-1])])
