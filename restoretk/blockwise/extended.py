"""Planes on a larger torus, with what a boundary says lies beyond the frame: worked out for the rows that are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.blockwise.engine import as_floats, working_dtype
from restoretk.blockwise.stores import Source

#: The boundaries of which a pixel beyond the frame is a mix of two pixels in it.
EXTENDED = ("reflect", "symmetric", "edge", "constant")


class ExtendedSource:
    """A source as floats on a torus: what `restoretk.convolution.boundary.extend_periodically` makes of the whole.

    ``floats`` makes floats of stored rows; the number of the first is told to it.
    """

    def __init__(
        self,
        source: Source,
        torus: tuple[int, int],
        boundary: str,
        floats: Callable[[Array, int], Array] = as_floats,
    ) -> None:
        self._source, self._black, self._as_floats = source, boundary == "constant", floats
        self.shape = (source.shape[0], *torus)
        self.dtype: np.dtype[Any] = working_dtype(source.dtype)
        self.row_step = source.row_step
        self.carried: Mapping[str, Any] = source.carried
        self.left_behind = source.left_behind
        self._frame = source.shape[1:]
        self._places = []
        self._fades: list[Array] = []
        for size, whole in zip(self._frame, torus, strict=True):
            ring = whole - size
            mode = "edge" if self._black else boundary
            self._places.append(np.pad(np.arange(size), ring, mode=mode))  # type: ignore[call-overload]  # a checked name
            fade = 0.5 * (
                1 + np.cos(np.pi * (np.arange(ring) + 1) / (ring + 1))
            )  # 1 at the high edge, 0 at the low edge
            self._fades.append(fade.astype(self.dtype))

    def read(self, plane: int, rows: slice) -> Array:
        """See `Source`."""
        height, width = self._frame
        block = np.zeros((rows.stop - rows.start, self.shape[2]), self.dtype)
        inside = slice(rows.start, min(rows.stop, height))
        if inside.start < inside.stop:
            block[: inside.stop - rows.start, :width] = self._floats(plane, inside)
        for row in range(max(rows.start, height), rows.stop):
            if not self._black:
                block[row - rows.start, :width] = self._row_of_the_ring(plane, row - height)
        ring = self.shape[2] - width
        if ring and not self._black:
            low, high = block[:, self._places[1][:ring]], block[:, self._places[1][-ring:]]
            block[:, width:] = self._fades[1] * high + (1 - self._fades[1]) * low
        return block

    def close(self) -> None:
        """See `Source`."""

    def _row_of_the_ring(self, plane: int, number: int) -> Array:
        ring, fade = self.shape[1] - self._frame[0], self._fades[0][number]
        low, high = int(self._places[0][number]), int(self._places[0][len(self._places[0]) - ring + number])
        above, below = (self._floats(plane, slice(place, place + 1))[0] for place in (high, low))
        mixed: Array = fade * above + (1 - fade) * below
        return mixed

    def _floats(self, plane: int, rows: slice) -> Array:
        return self._as_floats(self._source.read(plane, rows), rows.start)
