"""A smooth function of frequency on a large half spectrum: tabulated over radius and direction, then looked up."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.fourier import frequency_grid

_LARGE = 1 << 18  # bins, from which looking up is cheaper than computing
_DIRECTIONS = 192  # over the half plane
_SHIFT = 17  # leaves 6 bits of the mantissa of |f|^2: 64 steps an octave, a quarter of a per cent in |f| at most
_SHARED = 64  # neighbours within 1/64 of the index of their column share a value
_STEPS = 5  # 1, 2, 4, 8, 16 columns and rows
_COARSE = (8, 4)  # steps of the table in radius and direction between which its logarithm is interpolated

#: A function of frequencies in cycles per pixel, one broadcastable array per axis.
Smooth = Callable[[Sequence[Array]], Array]


class PolarTable:
    """The function on the half spectrum of a two-dimensional grid, some columns at a time.

    The function is evaluated on a log-polar table and each bin takes the value of its place there: within half a step in
    radius and direction, which for a spectrum is about one per cent. The first and the last column and the middle row,
    where the frequencies of an even side have no sign, and frequency 0 are exact.
    """

    def __init__(self, function: Smooth, shape: tuple[int, int]) -> None:
        self._function, self._shape = function, shape
        self._rows, self._columns = frequency_grid(shape)
        self._middle_row = function([self._rows[shape[0] // 2], self._columns[0]])
        self._lowest = np.float32(1 / max(shape) ** 2)
        self._first = int(self._lowest.view(np.int32)) >> _SHIFT
        self._table = _table(function, self._first, int(np.float32(0.5).view(np.int32)) >> _SHIFT)

    def columns(self, chosen: slice) -> Array:
        """The values in these columns, shape (rows, n), float32: a fresh array."""
        return self.block(chosen)[slice(None)]

    def block(self, chosen: slice) -> PolarBlock:
        """What gives the values in these columns a few rows at a time."""
        start, stop, _ = chosen.indices(self._columns.shape[-1])
        edges = [0, *(_SHARED << power for power in range(1, _STEPS)), stop]
        pieces, exact = [], {}
        for power, (low, high) in enumerate(itertools.pairwise(edges)):
            low, high = max(low, start), min(high, stop)
            if low < high:
                pieces.append(self._in_cells(low, high, 1 << power))
        rows, columns = self._shape
        if start == 0:
            exact[0] = self._look_up(self._rows.astype(np.float32), np.zeros(1, np.float32))[:, 0]
            exact[0][0] = self._function([np.zeros((1, 1)), np.zeros((1, 1))])[0, 0]
        if columns % 2 == 0 and stop == self._columns.shape[-1]:
            exact[stop - start - 1] = self._function([self._rows[:, 0], self._columns[0, -1:]])
        middle = self._middle_row[start:stop] if rows % 2 == 0 else None
        return PolarBlock(rows, pieces, exact, middle)

    def _in_cells(self, low: int, high: int, step: int) -> tuple[Array, Array]:
        """The columns from ``low`` to ``high`` for each cell of rows, and the cell of each row.

        Cells of at least ``step`` neighbours share the value in their middle. So far out a radius changes by less than
        1/64 within a cell.
        """
        down, of_row = _row_cells(self._shape[0], step)
        columns, of_column = _cells(np.arange(low, high), step)
        values = self._look_up(down, (columns / self._shape[1]).astype(np.float32))
        return values if step == 1 else values[:, of_column], of_row

    def _look_up(self, rows: Array, across: Array) -> Array:
        """The values at frequencies of shape (rows, 1) and (n,), the latter not negative."""
        away = np.abs(rows)
        squared = np.maximum(away**2 + across**2, self._lowest)
        place = (squared.view(np.int32) >> _SHIFT) - self._first
        place *= _DIRECTIONS
        # The diamond angle: rises with the angle from 0 to 1 over the quadrant, at the price of a division.
        turned = away / np.maximum(away + across, np.float32(1e-30)) * np.float32(_DIRECTIONS / 2)
        sector = np.minimum(turned.astype(np.int32), _DIRECTIONS // 2 - 1)
        place += np.where(rows >= 0, _DIRECTIONS // 2 + sector, _DIRECTIONS // 2 - 1 - sector)
        return np.take(self._table, place, mode="clip")


@dataclass(frozen=True)
class PolarBlock:
    """Some columns of a `PolarTable`.

    Attributes
    ----------
    height : int
        Rows of the half spectrum.
    pieces : list of (ndarray, ndarray)
        Columns side by side: their values for each cell of rows, and the cell of each row.
    exact : dict of ndarray
        Columns, by their number in the block, that the pieces have wrong.
    middle : ndarray or None
        The middle row, if the pieces have it wrong.
    """

    height: int
    pieces: list[tuple[Array, Array]]
    exact: dict[int, Array]
    middle: Array | None

    def __getitem__(self, rows: slice) -> Array:
        """The values in some rows, float32: a fresh array."""
        start, stop, _ = rows.indices(self.height)
        parts = [np.take(values, of_row[start:stop], axis=0, mode="clip") for values, of_row in self.pieces]
        found = parts[0] if len(parts) == 1 else np.hstack(parts)
        for column, values in self.exact.items():
            found[:, column] = values[start:stop]
        if self.middle is not None and start <= self.height // 2 < stop:
            found[self.height // 2 - start] = self.middle
        return found

    @cached_property
    def lowest(self) -> float:
        """A number that no value is below."""
        exact = [*self.exact.values(), *([] if self.middle is None else [self.middle])]
        return min(float(values.min()) for values in (*(piece for piece, _ in self.pieces), *exact))


@lru_cache(maxsize=4 * _STEPS)
def _row_cells(rows: int, step: int) -> tuple[Array, Array]:
    """The frequencies (cells, 1) in the middles of the cells of rows, and the cell of each row of the spectrum."""
    positive, of_row = _growing_cells(np.arange((rows + 1) // 2), step)
    negative, of_lower_row = _growing_cells(np.arange(rows // 2, 0, -1), step)
    down = np.concatenate([positive, -negative]) / rows
    return down.astype(np.float32)[:, None], np.concatenate([of_row, len(positive) + of_lower_row])


def _cells(indices: Array, step: int) -> tuple[Array, Array]:
    """The middles of the cells of ``step`` whole numbers in which the indices lie, and the number of the cell of each."""
    cell = indices // step
    return np.arange(cell[0], cell[-1] + 1) * step + (step - 1) / 2, cell - cell[0]


def _growing_cells(indices: Array, least: int) -> tuple[Array, Array]:
    """As `_cells`, for cells that grow with the index, up to 1/64 of it, and are no smaller than ``least``."""
    steps = 1 << np.minimum(np.log2(np.maximum(indices / _SHARED, 1)).astype(int), _STEPS - 1)
    first = indices // np.maximum(steps, least) * np.maximum(steps, least)
    cells, of_index = np.unique(first, return_inverse=True)
    sizes = np.zeros(len(cells))
    np.maximum.at(sizes, of_index, np.maximum(steps, least))
    return cells + (sizes - 1) / 2, of_index


def on_half_spectrum(function: Smooth, shape: Sequence[int]) -> Array:
    """The function on the half spectrum of a grid of ``shape``.

    Exact on small grids and on those that are not two-dimensional, else as `PolarTable` has it.
    """
    if not is_looked_up(shape):
        return function(frequency_grid(shape))
    return PolarTable(function, (shape[0], shape[1])).columns(slice(None))


def is_looked_up(shape: Sequence[int]) -> bool:
    """Whether a half spectrum is so large that looking up pays."""
    return len(shape) == 2 and shape[0] * (shape[1] // 2 + 1) >= _LARGE


def _table(function: Smooth, first: int, last: int) -> Array:
    """The function at the middle of each step of |f|^2 (rows) and of the diamond angle (columns), float32, flat.

    Its logarithm is smooth: it is evaluated at some of these places and interpolated linearly between them.
    """
    steps = last - first + 1
    radial, turns = _nodes(steps, _COARSE[0]), _nodes(_DIRECTIONS, _COARSE[1])
    keys = (first + radial).astype(np.int32)
    radius = np.sqrt(((keys << _SHIFT) + (1 << (_SHIFT - 1))).view(np.float32))[:, None]
    turned = (turns.astype(np.float32) + np.float32(0.5)) * np.float32(2 / _DIRECTIONS) - 1
    across = 1 - np.abs(turned)
    length = np.hypot(turned, across)
    values = function([radius * (turned / length), radius * (across / length)])
    logs = np.log(np.maximum(values, np.finfo(np.float32).tiny)).astype(np.float32)
    whole = _between(_between(logs, radial).T, turns).T
    return np.exp(whole).ravel()


def _nodes(size: int, step: int) -> Array:
    """Every ``step``-th of the numbers below ``size``, and the last of them."""
    return np.unique(np.append(np.arange(0, size, step), size - 1))


def _between(values: Array, nodes: Array) -> Array:
    """Values at nodes along the first axis, interpolated linearly at all whole numbers between them."""
    every = np.arange(nodes[-1] + 1)
    left = np.minimum(np.searchsorted(nodes, every, side="right") - 1, len(nodes) - 2)
    share = ((every - nodes[left]) / (nodes[left + 1] - nodes[left])).astype(np.float32)[:, None]
    return (1 - share) * values[left] + share * values[left + 1]
