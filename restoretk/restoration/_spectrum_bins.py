"""The bins of a half spectrum from which a parameter is chosen: all of a small one, a fixed draw from a large one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.fourier import frequency_grid, half_spectrum_weights
from restoretk.restoration._periodogram import draw_bins

_WHOLE_SPECTRUM = 1 << 19  # bins: larger half spectra are drawn from
_PER_SHELL = 8_000  # drawn from each octave: they determine a choice to some parts in a hundred


@dataclass(frozen=True)
class SpectrumBins:
    """Bins that stand for a whole half spectrum.

    Attributes
    ----------
    indices : tuple of ndarray, or None
        Their places in the half spectrum; None for all of it.
    counts : ndarray
        How many bins of the full spectrum each stands for; broadcasts with what `of` gives.
    frequencies : list of ndarray
        Cycles per pixel, one array per axis; they broadcast to the shape of `of`.
    """

    indices: tuple[Array, ...] | None
    counts: Array
    frequencies: list[Array]

    def of(self, values: Array) -> Array:
        """The values at these bins of an array of shape (..., *half spectrum)."""
        if self.indices is None:
            return values
        places: tuple[Any, ...] = (..., *self.indices)
        return values[places]


def spectrum_bins(shape: Sequence[int]) -> SpectrumBins:
    """The bins for a grid of ``shape``; the draw from a large one is always the same."""
    half = (*shape[:-1], shape[-1] // 2 + 1)
    if np.prod(half, dtype=np.float64) <= _WHOLE_SPECTRUM:
        return SpectrumBins(None, half_spectrum_weights(shape), frequency_grid(shape))
    return _drawn(tuple(shape))


@lru_cache(maxsize=8)
def _drawn(shape: tuple[int, ...]) -> SpectrumBins:
    """`spectrum_bins` of a large grid, remembered: a pipeline pays for it once."""
    indices, counts = draw_bins(shape, -1, _PER_SHELL)
    frequencies = [(np.where(2 * k > n, k - n, k) / n).astype(np.float32) for k, n in zip(indices, shape, strict=True)]
    return SpectrumBins(indices, counts, frequencies)
