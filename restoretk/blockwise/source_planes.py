"""The planes of a source as floats, of which rows are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from restoretk._arrays import Array
from restoretk.blockwise.engine import as_floats, working_dtype
from restoretk.blockwise.stores import Source


class SourcePlanes:
    """The planes of a source as the choice of a filter wants them."""

    def __init__(self, source: Source, floats: Callable[[Array, int], Array] = as_floats) -> None:
        self._source, self._floats = source, floats
        self.dtype = working_dtype(source.dtype)

    @property
    def whole(self) -> Array:
        """All of them, for a small picture."""
        return np.stack([self.plane(index)[:] for index in range(len(self))])

    def __len__(self) -> int:
        return self._source.shape[0]

    def plane(self, index: int) -> SourceRows:
        """One of them."""
        return SourceRows(self._source, index, self._floats)


class SourceRows:
    """A plane of which rows are read as floats."""

    def __init__(self, source: Source, index: int, floats: Callable[[Array, int], Array]) -> None:
        self._source, self._index, self._floats = source, index, floats
        self.shape: tuple[int, ...] = source.shape[1:]
        self.dtype = working_dtype(source.dtype)

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(self.shape[0])
        return self._floats(self._source.read(self._index, slice(start, stop)), start)

    def __setitem__(self, rows: slice, values: Array) -> None:
        raise TypeError("a source is not written to")
