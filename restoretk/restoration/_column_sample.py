"""The spectra of large planes in the few columns from which parameters are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.column_blocks import ColumnBlocks
from restoretk.convolution.sweeps import empty_spectrum, sample_columns
from restoretk.restoration._planes import Planes


@dataclass(frozen=True)
class ColumnSample:
    """Values on some columns of a half spectrum, read at indices into the whole of it.

    Attributes
    ----------
    values : ndarray of shape (..., rows, n)
    place : ndarray of shape (columns,)
        Where in ``values`` each column of the half spectrum is, for those that are there.
    """

    values: Array
    place: Array

    def __getitem__(self, indices: tuple[Array, ...]) -> Array:
        rows, columns = indices
        *lead, _, width = self.values.shape
        # One index where there were two: several times as quick.
        return np.take(self.values.reshape(*lead, -1), rows * width + self.place[columns], axis=-1)


class GivenSample:
    """The spectra of planes in some columns, (P, rows, n), that were worked out elsewhere."""

    def __init__(self, spectra: Array, chosen: Array) -> None:
        self.spectra, self.chosen = spectra, chosen
        self.place = np.zeros(int(chosen[-1]) + 1, np.intp)
        self.place[chosen] = np.arange(len(chosen))

    def take_row_spectra(self) -> ColumnBlocks | None:
        """The transformed rows of the only plane, for one who may overwrite them; None if there are more, or for the next."""
        return None

    def of(self, values: Array) -> ColumnSample:
        """Values on these columns."""
        return ColumnSample(values, self.place)


class SampledPlanes(GivenSample):
    """The spectra of planes in some columns, and the transformed rows of a single plane, for the filter to go on from."""

    def __init__(self, laid: Planes, chosen: Array) -> None:
        row_spectra = empty_spectrum(laid.plane(0))
        spectra = np.empty((len(laid), row_spectra.shape[0], len(chosen)), row_spectra.dtype)
        for index, into in enumerate(spectra):
            into[...] = sample_columns(laid.plane(index), chosen, row_spectra)
        super().__init__(spectra, chosen)
        # The rows of many planes are transformed again when it is their turn: kept, they would need as many half spectra.
        self._row_spectra = [row_spectra] if len(laid) == 1 else []

    def take_row_spectra(self) -> ColumnBlocks | None:
        """See `GivenSample`."""
        return self._row_spectra.pop() if self._row_spectra else None


def power_of(spectra: Array, torus: Sequence[int]) -> Array:
    """|G|^2 / N of spectra, in their precision."""
    power: Array = spectra.real**2 + spectra.imag**2
    power /= power.dtype.type(np.prod(torus))
    return power
