"""The numerical door: what an image array may be, how it becomes floats and how it returns to its own dtype.

The one rule for integers: an integer image is read as a fraction of the full range of its dtype (uint8 is divided by
255, uint16 by 65535, int16 by 32767), so that a noise sigma of 0.01 means the same for uint8, uint16 and floats in
[0, 1]. On the way back it is multiplied by the same number, rounded to the nearest integer and held inside the range of
the dtype. Floats are never scaled, rounded or clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Rng = np.random.Generator | int | None


def as_float_image(image: npt.ArrayLike, name: str = "image") -> tuple[Array, np.dtype[Any]]:
    """The image as float32 or float64 (never written to), and the dtype to return the result in.

    float32 and float64 keep their precision; float16 and integers of 8 and 16 bits are worked on as float32, wider
    integers as float64.

    Raises
    ------
    TypeError
        For masked, boolean, complex, object and text arrays.
    ValueError
        For an empty array, or NaN or infinite values (with their number and the first position).
    """
    if isinstance(image, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, whose mask would be lost: fill it, or pass the data and the mask apart"
        )
    array = np.asarray(image)
    dtype = array.dtype
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise TypeError(f"{name} must hold integers or floats of at most 64 bits, got dtype {dtype}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if dtype.kind == "f":
        check_finite(array, name)
        return array.astype(np.float64 if dtype.itemsize == 8 else np.float32, copy=False), dtype
    working = np.float32 if dtype.itemsize <= 2 else np.float64
    return (array / np.asarray(np.iinfo(dtype).max, working)).astype(working, copy=False), dtype


def to_dtype(result: Array, dtype: np.dtype[Any]) -> Array:
    """A float result in the dtype of the image it came from: integers scaled, rounded to nearest and held in range."""
    if dtype.kind == "f":
        return result.astype(dtype.newbyteorder("="), copy=False)
    info = np.iinfo(dtype)
    levels = np.clip(np.rint(result.astype(np.float64, copy=False) * info.max), info.min, info.max)
    # float64 rounds 2**63 - 1 up to 2**63, which would wrap round to the smallest int64: those pixels are set apart.
    top = levels >= float(info.max)
    integers = np.where(top, 0, levels).astype(dtype.newbyteorder("="))
    integers[top] = info.max
    return integers


def check_finite(array: Array, name: str) -> None:
    """Raise ValueError with the number of NaN or infinite values and the first position."""
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name} must be finite, got {int(bad.sum())} NaN or infinite values, the first at {first}")


def to_planes(
    array: Array, spatial_ndim: int, channel_axis: int | None, name: str = "image"
) -> tuple[Array, Callable[[Array], Array]]:
    """The array as planes of shape (P, *spatial), and the function that puts such planes back in the array's layout.

    The trailing ``spatial_ndim`` axes, after the channel axis is taken out, are spatial; every axis before them is a
    stack of independent planes.

    Raises
    ------
    ValueError
        If there are fewer than ``spatial_ndim`` axes left, or if ``channel_axis`` is not an axis of the array, or if an
        array that looks like colour comes without ``channel_axis`` (its channels would be filtered as columns).
    """
    if channel_axis is not None and not -array.ndim <= channel_axis < array.ndim:
        raise ValueError(f"channel_axis must be an axis of {name} of shape {array.shape}, got {channel_axis}")
    moved = array if channel_axis is None else np.moveaxis(array, channel_axis, 0)
    if moved.ndim - (channel_axis is not None) < spatial_ndim:
        raise ValueError(
            f"{name} of shape {array.shape} with channel_axis={channel_axis} has fewer than the {spatial_ndim} spatial "
            f"axes of the psf"
        )
    if channel_axis is None and looks_like_colour(array.shape, spatial_ndim):
        raise ValueError(
            f"{name} of shape {array.shape} looks like colour and the psf has {spatial_ndim} axes: pass channel_axis=-1, "
            f"or move the spatial axes to the end"
        )
    lead, spatial = moved.shape[: moved.ndim - spatial_ndim], moved.shape[moved.ndim - spatial_ndim :]
    planes = moved.reshape((-1, *spatial))

    def from_planes(result: Array) -> Array:
        restored = result.reshape((*lead, *result.shape[1:]))
        return restored if channel_axis is None else np.moveaxis(restored, 0, channel_axis)

    return planes, from_planes


def looks_like_colour(shape: tuple[int, ...], spatial_ndim: int) -> bool:
    """Whether a shape given without a channel axis is an image with 3 or 4 channels last rather than a stack of planes."""
    return spatial_ndim >= 2 and len(shape) == spatial_ndim + 1 and shape[-1] in (3, 4) and min(shape[:-1]) >= 16
