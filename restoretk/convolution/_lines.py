"""The one-dimensional FFTs of a block of rows or columns: by SciPy, or by ducc0 where the extra ``fast`` is used.

Both give the same numbers to rounding. ducc0 writes to a given array, and does several lines at a time.
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

    def rows(self, block: Array, out: Array) -> None:
        """The real FFT of every row."""
        out[...] = scipy.fft.rfft(block, axis=1, workers=1)

    def columns(self, block: Array) -> Array:
        """The FFT of every column, a fresh array."""
        transformed: Array = scipy.fft.fft(block, axis=0, workers=1)
        return transformed

    def columns_back(self, block: Array, out: Array) -> None:
        """The inverse FFT of every column; the block may be overwritten."""
        out[...] = scipy.fft.ifft(block, axis=0, overwrite_x=True, workers=1)

    def rows_back(self, block: Array, size: int) -> Array:
        """The real rows of ``size`` of these half spectra, a fresh array; the block may be overwritten."""
        restored: Array = scipy.fft.irfft(block, n=size, axis=1, overwrite_x=True, workers=1)
        return restored


class DuccLines:
    """Transforms of blocks by ducc0."""

    def __init__(self) -> None:
        import ducc0.fft

        self._fft: Any = ducc0.fft

    def rows(self, block: Array, out: Array) -> None:
        """See `ScipyLines`."""
        self._fft.r2c(block, axes=(1,), out=out)

    def columns(self, block: Array) -> Array:
        """See `ScipyLines`."""
        transformed: Array = self._fft.c2c(block, axes=(0,))
        return transformed

    def columns_back(self, block: Array, out: Array) -> None:
        """See `ScipyLines`."""
        self._fft.c2c(block, axes=(0,), forward=False, inorm=2, out=out)

    def rows_back(self, block: Array, size: int) -> Array:
        """See `ScipyLines`."""
        buffer = np.empty((len(block), size + _APART), block.real.dtype)[:, :size]
        restored: Array = self._fft.c2r(block, axes=(1,), lastsize=size, forward=False, inorm=2, out=buffer)
        return restored


def lines() -> ScipyLines | DuccLines:
    """The transforms to use."""
    return DuccLines() if fast() else ScipyLines()
