"""The inverse of the spectrum that an observation is expected to have: what tells likely pixels from unlikely ones."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.sweeps import blocks
from restoretk.restoration._optics import Optics
from restoretk.restoration._polar_table import PolarTable, is_looked_up
from restoretk.restoration.signal_spectrum import SignalSpectrum

_BLOCK = 1 << 20  # bytes


class Precision:
    """Q = sigma^2 / (|H|^2 S + sigma^2) on the half spectrum, at most 1.

    Parameters
    ----------
    fitted : SignalSpectrum
        S and sigma.
    optics : Optics
    which : int
        The number of H among the OTFs.
    """

    def __init__(self, fitted: SignalSpectrum, optics: Optics, which: int) -> None:
        self._fitted, self._optics, self._which = fitted, optics, which
        self._variance = fitted.noise_sigma * fitted.noise_sigma
        torus = optics.torus
        self._table = PolarTable(fitted.power_at, (torus[0], torus[1])) if is_looked_up(torus) else None

    @cached_property
    def whole(self) -> Array:
        """Q, in the precision of the planes where it is large."""
        optics = self._optics
        if self._table is None:
            observed = optics.otf_power[self._which] * self._fitted.power(optics.torus) + self._variance
            precision: Array = self._variance / observed
            return precision
        rows, columns = optics.torus
        precision = np.empty((rows, columns // 2 + 1), optics.dtype)
        for part in blocks(precision.shape[1], rows * precision.itemsize, _BLOCK, 1):
            precision[:, part] = self.columns(part)
        return precision

    def columns(self, chosen: slice) -> Array:
        """Some columns of it; of a large one nothing else is worked out."""
        if self._table is None:
            return self.whole[..., chosen]
        otf = self._optics.otf_columns[self._which].columns(chosen)
        observed: Array = otf.real**2 + otf.imag**2
        observed *= self._table.columns(chosen)
        observed += self._variance
        return np.divide(self._variance, observed, out=observed)
