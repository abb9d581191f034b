"""The one-dimensional FFTs of a block of rows or columns: by SciPy, or by ducc0 where the extra ``fast`` is used.

Both give the same numbers to rounding. ducc0 does several lines at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from restoretk._arrays import Array
from restoretk.convolution._fast import fast

_APART = 16  # numbers between lines in a buffer: lines a power of two apart would share the same places in the cache


class ScipyLines:
    """Transforms of blocks by `scipy.fft`."""

    def rows(self, block: Array) -> Array:
        """The real FFT of every row, a fresh array."""
        transformed: Array = scipy.fft.rfft(block, axis=1, workers=1)
        return transformed

    def columns(self, block: Array) -> None:
        """The FFT of every column, in place."""
        _keep_in(block, scipy.fft.fft(block, axis=0, overwrite_x=True, workers=1))

    def columns_back(self, block: Array) -> None:
        """The inverse FFT of every column, in place."""
        _keep_in(block, scipy.fft.ifft(block, axis=0, overwrite_x=True, workers=1))

    def rows_back(self, block: Array, size: int) -> Array:
        """The real rows of ``size`` of these half spectra, a fresh array; the block may be overwritten."""
        restored: Array = scipy.fft.irfft(block, n=size, axis=1, overwrite_x=True, workers=1)
        return restored


def _keep_in(block: Array, transformed: Array) -> None:
    """SciPy may write to the array that it may overwrite, and does so where it can."""
    if not np.may_share_memory(transformed, block):
        block[...] = transformed


class DuccLines:
    """Transforms of blocks by ducc0."""

    def __init__(self) -> None:
        import ducc0.fft

        self._fft: Any = ducc0.fft

    def rows(self, block: Array) -> Array:
        """See `ScipyLines`."""
        half = block.shape[1] // 2 + 1
        transformed = np.empty((len(block), half + _APART), np.result_type(block.dtype, np.complex64))[:, :half]
        self._fft.r2c(block, axes=(1,), out=transformed)
        return transformed

    def columns(self, block: Array) -> None:
        """See `ScipyLines`."""
        self._fft.c2c(block, axes=(0,), out=block)

    def columns_back(self, block: Array) -> None:
        """See `ScipyLines`."""
        self._fft.c2c(block, axes=(0,), forward=False, inorm=2, out=block)

    def rows_back(self, block: Array, size: int) -> Array:
        """See `ScipyLines`."""
        buffer = np.empty((len(block), size + _APART), block.real.dtype)[:, :size]
        restored: Array = self._fft.c2r(block, axes=(1,), lastsize=size, forward=False, inorm=2, out=buffer)
        return restored


def lines() -> ScipyLines | DuccLines:
    """The transforms to use."""
    return DuccLines() if fast() else ScipyLines()
