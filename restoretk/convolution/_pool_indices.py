"""The conventions in which the indices of max pooling count, and the way between them."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from restoretk._arrays import Array

CountOver = Literal["plane", "array"]
Order = Literal["C", "F"]


def check_convention(count_over: str, order: str) -> None:
    """Raise ValueError for anything but the two ways of each."""
    if count_over not in ("plane", "array"):
        raise ValueError(f"count_over must be 'plane' or 'array', got {count_over!r}")
    if order not in ("C", "F"):
        raise ValueError(f"order must be 'C' or 'F', got {order!r}")


def from_plane(indices: Array, shape: tuple[int, ...], count_over: CountOver, order: Order) -> Array:
    """Indices (..., *out) that count each plane of this spatial shape in C order, in the convention asked for."""
    counted = indices
    if order == "F":
        counted = np.ravel_multi_index(np.unravel_index(np.maximum(indices, 0), shape), shape, order="F")
    if count_over == "array":
        counted = counted + _plane_starts(indices.shape, len(shape), math.prod(shape))
    return np.where(indices < 0, -1, counted)


def to_array(indices: Array, shape: tuple[int, ...], ndim: int, count_over: CountOver, order: Order) -> Array:
    """Indices into an array of this shape with ``ndim`` spatial axes, as C order counts over all of it.

    Raises
    ------
    TypeError
        If the indices are not integers.
    ValueError
        For an index outside the plane, or the array, that it counts in; -1 stays -1.
    """
    check_convention(count_over, order)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, got dtype {indices.dtype}")
    spatial = shape[-ndim:]
    room = math.prod(spatial) if count_over == "plane" else math.prod(shape)
    if indices.min() < -1 or indices.max() >= room:
        raise ValueError(
            f"indices must be below {room}, the size of one {count_over} of shape "
            f"{spatial if count_over == 'plane' else shape}, got {indices.min()} to {indices.max()}"
        )
    places = np.maximum(indices.astype(np.int64), 0)
    if count_over == "plane":
        starts, within = _plane_starts(indices.shape, ndim, room), places
    else:
        size = math.prod(spatial)
        starts, within = places // size * size, places % size
    if order == "F":
        within = np.ravel_multi_index(np.unravel_index(within, spatial, order="F"), spatial)
    return np.where(indices < 0, -1, starts + within)


def _plane_starts(shape: tuple[int, ...], ndim: int, size: int) -> Array:
    """The number of pixels before each plane, to be added to an array of this shape with ``ndim`` spatial axes."""
    lead = shape[: len(shape) - ndim]
    return (np.arange(math.prod(lead)) * size).reshape((*lead, *(1,) * ndim))
