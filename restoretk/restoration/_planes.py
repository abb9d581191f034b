"""The planes that are restored: an array, or a large picture whose numbers are converted a few rows at a time."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from restoretk._arrays import Array, as_float_image, to_dtype, to_planes


class Planes(Protocol):
    """P planes, each of two or another number of axes."""

    @property
    def whole(self) -> Array:
        """All of them as one array of shape (P, *torus)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64: what they are worked on as."""
        ...

    def __len__(self) -> int: ...

    def plane(self, index: int) -> Any:
        """One of them: an array, or the `Rows` of one."""
        ...


class Rows:
    """One plane of a picture whose rows are read as fractions of full range and written back as levels.

    What `restoretk.convolution.sweeps` needs of an array: shape, dtype, and rows to read and to write.
    """

    def __init__(self, stored: Array, dtype: np.dtype[Any]) -> None:
        self._stored, self.dtype = stored, dtype
        self.shape: tuple[int, ...] = stored.shape

    def __getitem__(self, rows: slice) -> Array:
        stored = self._stored[rows]
        if stored.dtype.kind == "f":
            return stored.astype(self.dtype, copy=False)
        return as_float_image(stored)[0]

    def __setitem__(self, rows: slice, values: Array) -> None:
        self._stored[rows] = to_dtype(values, self._stored.dtype)


class ArrayPlanes:
    """Planes that are there as an array."""

    def __init__(self, whole: Array) -> None:
        self.whole = whole

    @property
    def dtype(self) -> np.dtype[Any]:
        """See `Planes`."""
        return self.whole.dtype

    def __len__(self) -> int:
        return len(self.whole)

    def plane(self, index: int) -> Array:
        """See `Planes`."""
        plane: Array = self.whole[index]
        return plane


class PicturePlanes:
    """The planes of a picture as it is stored, on a torus that is its frame of two axes.

    A picture of integers is never held as floats, unless somebody asks for ``whole``.

    Parameters
    ----------
    picture : ndarray
        Integers of at most 16 bits, or finite floats of 32 or 64.
    channel_axis : int or None
    """

    def __init__(self, picture: Array, channel_axis: int | None) -> None:
        self._picture, self._channel_axis = picture, channel_axis
        self._lead = self._moved(picture).shape[:-2]
        floats = picture.dtype.newbyteorder("=")
        self.dtype: np.dtype[Any] = floats if floats.kind == "f" else np.dtype(np.float32)

    @cached_property
    def whole(self) -> Array:
        """See `Planes`."""
        return to_planes(as_float_image(self._picture)[0], 2, self._channel_axis)[0]

    def __len__(self) -> int:
        return math.prod(self._lead)

    def plane(self, index: int) -> Rows:
        """See `Planes`."""
        return self._rows(self._picture, index)

    def from_planes(self, planes: Array) -> Array:
        """Planes of shape (P, *torus) in the layout of the picture."""
        restored = planes.reshape((*self._lead, *planes.shape[1:]))
        return restored if self._channel_axis is None else np.moveaxis(restored, 0, self._channel_axis)

    def results(self, out: Array | None) -> tuple[Array, list[Rows]]:
        """A picture of the same kind, ``out`` or a new one, and the rows of its planes."""
        result: Array = np.empty(self._picture.shape, self._picture.dtype) if out is None else out
        return result, [self._rows(result, index) for index in range(len(self))]

    def _rows(self, array: Array, index: int) -> Rows:
        return Rows(self._moved(array)[np.unravel_index(index, self._lead)], self.dtype)

    def _moved(self, array: Array) -> Array:
        return array if self._channel_axis is None else np.moveaxis(array, self._channel_axis, 0)
