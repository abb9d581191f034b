"""The output of a work as it fills: rows go to a sink, and what was put there to the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from restoretk._arrays import Array, to_dtype
from restoretk.blockwise.journal import Journal
from restoretk.blockwise.scratch import checksum
from restoretk.blockwise.stores import Sink, StoreError

#: The values to store, in fractions of full range, of rows of a plane.
Encode = Callable[[Array, int], Array]


def as_it_is(values: Array, _plane: int) -> Array:
    """For pictures whose numbers are worked on as they stand."""
    return values


class Result:
    """Rows that are restored, on their way into a sink.

    Parameters
    ----------
    sink : Sink
    dtype : dtype
        Of the sink.
    encode : Encode
    journal : Journal
    """

    def __init__(self, sink: Sink, dtype: np.dtype[Any], encode: Encode, journal: Journal) -> None:
        self._sink, self._encode, self._journal = sink, encode, journal
        self._dtype = dtype.newbyteorder("=")

    def holds(self, plane: int, rows: slice) -> bool:
        """Whether rows are in the output as they were written there."""
        sums = self._journal.done(plane, "out", rows.start)
        if sums is None:
            return False
        try:
            found = self._sink.read(plane, rows)
        except StoreError:  # damaged: to be written anew
            return False
        return checksum(found) == sums[0]

    def room(self, rows: slice, columns: int) -> Array:
        """Memory for rows as they are stored."""
        return np.empty((rows.stop - rows.start, columns), self._dtype)

    def store(self, values: Array, plane: int, into: Array) -> int:
        """Make what is stored of some restored values, and say how many lay outside what the dtype holds."""
        encoded = self._encode(values, plane)
        into[...] = to_dtype(encoded, into.dtype)
        return _outside(encoded, into.dtype)

    def write(self, plane: int, rows: slice, stored: Array, clipped: int) -> None:
        """Put rows in their place."""
        self._sink.write(plane, rows, stored)
        self._journal.add(plane, "out", rows.start, sums=[checksum(stored), clipped])

    @property
    def clipped(self) -> int:
        """How many values of the result lay outside what its dtype holds."""
        return sum(sums[1] for step, sums in self._journal.steps() if step[1:2] == ("out",))


def _outside(values: Array, dtype: np.dtype[Any]) -> int:
    """How many values do not fit a dtype."""
    if dtype.kind == "f":
        return 0
    info = np.iinfo(dtype)
    half = 0.5 / info.max
    lowest, highest = info.min / info.max - half, 1 + half
    if values.min() >= lowest and values.max() <= highest:
        return 0
    return int(np.count_nonzero((values < lowest) | (values > highest)))
