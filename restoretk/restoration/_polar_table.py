"""A smooth function of frequency on a large half spectrum: tabulated over radius and direction, then looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.fourier import frequency_grid

_LARGE = 1 << 18  # bins, from which looking up is cheaper than computing
_DIRECTIONS = 128
_SHIFT = 17  # leaves 6 bits of the mantissa of |f|^2: 64 steps an octave, half a per cent in |f| at most


def on_half_spectrum(function: Callable[[Sequence[Array]], Array], shape: Sequence[int]) -> Array:
    """The function of frequencies (one broadcastable array per axis) on the half spectrum of a grid of ``shape``.

    Exact on small grids and on those that are not two-dimensional. On a large picture the function is evaluated on a
    log-polar table and each bin takes the value of its place there: within half a step in radius and direction, which for a
    spectrum is about one per cent.
    """
    frequencies = frequency_grid(shape)
    if len(shape) != 2 or shape[0] * (shape[1] // 2 + 1) < _LARGE:
        return function(frequencies)
    rows, columns = (axis.astype(np.float32) for axis in frequencies)
    lowest = np.float32(1 / max(shape) ** 2)
    first = int(lowest.view(np.int32)) >> _SHIFT
    last = int(np.float32(0.5).view(np.int32)) >> _SHIFT
    table = _table(function, first, last)
    squared = np.maximum(rows**2 + columns**2, lowest)
    place = (squared.view(np.int32) >> _SHIFT) - first
    place *= _DIRECTIONS
    # The diamond angle: rises with the angle from -1 to 1 over the half plane, at the price of a division.
    turned = rows / np.maximum(np.abs(rows) + columns, np.float32(1e-30))
    place += np.minimum((turned + np.float32(1)) * np.float32(_DIRECTIONS / 2), _DIRECTIONS - 1).astype(np.int32)
    values: Array = np.take(table, place)
    values[0, 0] = function([np.zeros((1, 1)), np.zeros((1, 1))])[0, 0]
    return values


def _table(function: Callable[[Sequence[Array]], Array], first: int, last: int) -> Array:
    """The function at the middle of each step of |f|^2 (rows) and of the diamond angle (columns), float32, flat."""
    keys = np.arange(first, last + 1, dtype=np.int32)
    radius = np.sqrt(((keys << _SHIFT) + (1 << (_SHIFT - 1))).view(np.float32).astype(np.float64))[:, None]
    turned = (np.arange(_DIRECTIONS) + 0.5) * 2 / _DIRECTIONS - 1
    across = 1 - np.abs(turned)
    length = np.hypot(turned, across)
    return function([radius * (turned / length), radius * (across / length)]).astype(np.float32).ravel()
