"""How a picture's spectrum departs from its power law: one factor for each half octave and direction.

The power law gets the fall of a spectrum right and misses what a single picture has of its own: the edges of a roof, the
grain of a table. With A = |H|^2 S / V, the share of the signal in what is expected at a frequency, one step of Fisher
scoring from the fitted law gives the factor of a cell, 1 + sum A (P / V - 1) / (sum A^2 + prior): near 1 where the blur or
the noise leave nothing to learn from, and free where the picture is seen clearly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from restoretk._arrays import Array

_LOWEST_OCTAVE = -9  # log2 of the lowest frequency with a cell of its own, in cycles per pixel
_CELLS_PER_OCTAVE = 2
_SECTORS = 16  # of the half plane of directions
_PRIOR = 5.0  # in units of fully seen frequencies
_LIMITS = (0.05, 20.0)


def cell_at(frequencies: Sequence[Array]) -> Array:
    """The number of the cell that each bin lies in; the bins in cycles per pixel, one array per axis."""
    octave, sector = _coordinates(frequencies)
    sectors = _SECTORS if len(frequencies) == 2 else 1
    cell: Array = (np.rint(octave).astype(np.intp) * sectors + np.rint(sector).astype(np.intp) % sectors).ravel()
    return cell


def fit_cells(cell: Array, ndim: int, excess: Array, share: Array, counts: Array) -> Array:
    """The factors, shape (half octaves, sectors), from bins with ``excess`` = P / V - 1 and ``share`` = A.

    Parameters
    ----------
    cell : ndarray of shape (bins,)
        Where each bin lies: `cell_at`.
    ndim : int
        Number of axes of the spectrum.
    excess, share : ndarray of shape (bins,)
    counts : ndarray of shape (bins,)
        1, but 1/2 for a bin whose conjugate is there as well.
    """
    sectors = _SECTORS if ndim == 2 else 1
    count = -_LOWEST_OCTAVE * _CELLS_PER_OCTAVE + 1
    gain = np.bincount(cell, weights=(counts * share * excess).ravel(), minlength=count * sectors)
    information = np.bincount(cell, weights=(counts * share**2).ravel(), minlength=count * sectors)
    return np.clip(1 + gain / (information + _PRIOR), *_LIMITS).reshape(count, sectors)


def factors_at(cells: Array, frequencies: Sequence[Array]) -> Array:
    """The factors of `fit_cells` at any frequencies, interpolated between the middles of the cells."""
    octave, sector = _coordinates(frequencies)
    rows, columns = cells.shape
    logs = np.log(cells).astype(octave.dtype)
    low, left = octave.astype(np.intp), np.floor(sector).astype(np.intp)
    up, right = octave - low, sector - left
    high = np.minimum(low + 1, rows - 1)
    left, after = left % columns, (left + 1) % columns
    near = (1 - right) * logs[low, left] + right * logs[low, after]
    far = (1 - right) * logs[high, left] + right * logs[high, after]
    factors: Array = np.exp((1 - up) * near + up * far)
    return factors


def _coordinates(frequencies: Sequence[Array]) -> tuple[Array, Array]:
    """Position in half octaves above the lowest and in sectors, both continuous."""
    squared = np.maximum(sum(f**2 for f in frequencies), 4.0**_LOWEST_OCTAVE)
    octave = np.minimum(
        (0.5 * np.log2(squared) - _LOWEST_OCTAVE) * _CELLS_PER_OCTAVE, -_LOWEST_OCTAVE * _CELLS_PER_OCTAVE
    )
    if len(frequencies) != 2:
        return octave, np.zeros_like(octave)
    rows, columns = np.broadcast_arrays(*frequencies)
    return octave, (np.arctan2(rows, columns) / np.pi + 0.5) * _SECTORS
