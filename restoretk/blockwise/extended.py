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
        inside = slice(rows.start, min(rows.stop, height))
        if inside.start < inside.stop:
            block[: inside.stop - rows.start, :width] = self._floats(plane, inside)
        for row in range(max(rows.start, height), rows.stop):
            if not self._black:
                block[row - rows.start, :width] = self._row_of_the_ring(plane, row - height)
        if not self._black:
            low, high, fade = self._beyond[1]
            block[:, width:] = fade * block[:, high] + (1 - fade) * block[:, low]
        return block

    def close(self) -> None:
        """See `Source`."""

    def _row_of_the_ring(self, plane: int, number: int) -> Array:
        low, high, fades = (of_row[number] for of_row in self._beyond[0])
        above, below = (self._floats(plane, slice(int(place), int(place) + 1))[0] for place in (high, low))
        mixed: Array = fades * above + (1 - fades) * below
        return mixed

    def _floats(self, plane: int, rows: slice) -> Array:
        return self._as_floats(self._source.read(plane, rows), rows.start)
