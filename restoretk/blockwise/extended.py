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
#: What stands in at first for boundaries that are solved for.
FIRST_GUESS = {"unknown": "symmetric"}

_AT_A_TIME = 1 << 20  # bytes of rows


def beyond(size: int, ring: int, boundary: str, dtype: np.dtype[Any]) -> tuple[Array, Array, Array]:
    """What lies beyond an axis: the places in it that are mixed, at its low edge and its high one, and the share of these."""
    mode = "edge" if boundary == "constant" else boundary
    places = np.pad(np.arange(size), ring, mode=mode)  # type: ignore[call-overload]  # a checked name
    # 1 at the high edge, 0 at the low edge.
    fade = 0.5 * (1 + np.cos(np.pi * (np.arange(ring) + 1) / (ring + 1)))
    return places[:ring], places[len(places) - ring :], fade.astype(dtype)


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
        together = source.row_step * source.shape[2] * (source.dtype.itemsize + self.dtype.itemsize)
        self.overhead = source.overhead + max(2 * together, 4 * _AT_A_TIME)
        self.carried: Mapping[str, Any] = source.carried
        self.left_behind = source.left_behind
        self._frame = source.shape[1:]
        self._beyond = [
            beyond(size, whole - size, boundary, self.dtype) for size, whole in zip(self._frame, torus, strict=True)
        ]

    def read(self, plane: int, rows: slice) -> Array:
        """See `Source`."""
        height, width = self._frame
        block = np.zeros((rows.stop - rows.start, self.shape[2]), self.dtype)
        step = self.row_step * max(1, _AT_A_TIME // (self.row_step * width * self.dtype.itemsize))
        first = rows.start
        while first < rows.stop:
            last = min(first + step - first % step, rows.stop, height if first < height else rows.stop)
            read = self._floats if first < height else self._rows_of_the_ring
            if first < height or not self._black:
                block[first - rows.start : last - rows.start, :width] = read(plane, slice(first, last))
            first = last
        if not self._black:
            low, high, fade = self._beyond[1]
            block[:, width:] = fade * block[:, high] + (1 - fade) * block[:, low]
        return block

    def close(self) -> None:
        """See `Source`."""

    def _rows_of_the_ring(self, plane: int, rows: slice) -> Array:
        height = self._frame[0]
        low, high, fade = (of_rows[rows.start - height : rows.stop - height] for of_rows in self._beyond[0])
        below, above = (
            self._floats(plane, slice(int(places.min()), int(places.max()) + 1))[places - places.min()]
            for places in (low, high)  # neighbours, in one order or the other
        )
        mixed: Array = fade[:, None] * above + (1 - fade[:, None]) * below
        return mixed

    def _floats(self, plane: int, rows: slice) -> Array:
        return self._as_floats(self._source.read(plane, rows), rows.start)
