"""A smooth function of frequency on a large half spectrum: tabulated over radius and direction, then looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.fourier import frequency_grid

_LARGE = 1 << 18  # bins, from which looking up is cheaper than computing
_DIRECTIONS = 128  # over the half plane
_SHIFT = 18  # leaves 5 bits of the mantissa of |f|^2: 32 steps an octave, half a per cent in |f| at most
_BLOCK = 1 << 16  # bins worked on at a time: the temporaries stay in cache


def on_half_spectrum(function: Callable[[Sequence[Array]], Array], shape: Sequence[int]) -> Array:
    """The function of frequencies (one broadcastable array per axis) on the half spectrum of a grid of ``shape``.

    Exact on small grids and on those that are not two-dimensional. On a large picture the function is evaluated on a
    log-polar table and each bin takes the value of its place there: within half a step in radius and direction, which for a
    spectrum is about one per cent.
    """
    frequencies = frequency_grid(shape)
    if len(shape) != 2 or shape[0] * (shape[1] // 2 + 1) < _LARGE:
        return function(frequencies)
    rows, columns = np.abs(frequencies[0].astype(np.float32)), frequencies[1].astype(np.float32)
    lowest = np.float32(1 / max(shape) ** 2)
    first = int(lowest.view(np.int32)) >> _SHIFT
    table = _table(function, first, int(np.float32(0.5).view(np.int32)) >> _SHIFT)
    values = np.empty((shape[0], columns.size), np.float32)
    # Rows k and -k of the spectrum lie at the same radii, in directions that mirror each other.
    last, step = shape[0] // 2, max(1, _BLOCK // columns.size)
    for start in range(0, last + 1, step):
        block = rows[start : min(start + step, last + 1)]
        squared = np.maximum(block**2 + columns**2, lowest)
        place = ((squared.view(np.int32) >> _SHIFT) - first).astype(np.intp)  # np.take would convert them at every call
        place *= _DIRECTIONS
        # The diamond angle: rises with the angle from 0 to 1 over the quadrant, at the price of a division.
        turned = block / np.maximum(block + columns, np.float32(1e-30)) * np.float32(_DIRECTIONS / 2)
        sector = np.minimum(turned.astype(np.intp), _DIRECTIONS // 2 - 1)
        place += _DIRECTIONS // 2
        np.take(table, place + sector, out=values[start : start + len(block)], mode="clip")
        place -= sector + 1
        low = max(start, 1)
        mirrored = slice(shape[0] - start - len(block) + 1, shape[0] - low + 1)
        np.take(table, place[low - start :][::-1], out=values[mirrored], mode="clip")
    values[0, 0] = function([np.zeros((1, 1)), np.zeros((1, 1))])[0, 0]
    # The highest frequency of an even side has no sign, which the table knows nothing of.
    if shape[0] % 2 == 0:
        values[shape[0] // 2] = function([frequencies[0][shape[0] // 2], frequencies[1][0]])
    if shape[1] % 2 == 0:
        values[:, -1] = function([frequencies[0][:, 0], frequencies[1][0, -1:]])
    return values


def _table(function: Callable[[Sequence[Array]], Array], first: int, last: int) -> Array:
    """The function at the middle of each step of |f|^2 (rows) and of the diamond angle (columns), float32, flat."""
    keys = np.arange(first, last + 1, dtype=np.int32)
    radius = np.sqrt(((keys << _SHIFT) + (1 << (_SHIFT - 1))).view(np.float32))[:, None]
    turned = (np.arange(_DIRECTIONS, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / _DIRECTIONS) - 1
    across = 1 - np.abs(turned)
    length = np.hypot(turned, across)
    return function([radius * (turned / length), radius * (across / length)]).astype(np.float32).ravel()
