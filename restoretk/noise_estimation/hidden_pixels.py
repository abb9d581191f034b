"""Pixels that say nothing about the noise: which they are, and what stands in for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_array, as_float_image
from restoretk._grammar import OptionError

_WORDS = ("nan", "saturated")
_PLATEAU = 4  # pixels at exactly the highest value: fewer are a peak, not a plateau
_WIDTH = 1.5  # pixels, of the local averages that fill a hole


def read_hidden(
    image: npt.ArrayLike, mask: npt.ArrayLike | str | None, channel_axis: int | None, spatial_ndim: int | None
) -> tuple[Array, np.dtype[Any], Array | None]:
    """The image through the numerical door, its dtype, and where it is hidden: None if nowhere.

    The spellings are those of the restorers: an array of bool of the shape of the image or of its spatial axes, ``nan``,
    ``saturated`` or both joined by +. Saturated pixels carry no noise; those near them do, so there is no guard zone.

    Raises
    ------
    TypeError, ValueError
        For a mask of another kind or shape, and what `restoretk._arrays.as_float_image` raises.
    """
    image = as_array(image, "image")
    if mask is None:
        return (*as_float_image(image), None)
    words = mask.split("+") if isinstance(mask, str) else []
    if isinstance(mask, str):
        if not set(words) <= set(_WORDS):
            raise OptionError(
                f"mask must be a boolean array or {' or '.join(_WORDS)} or both joined by +, got {mask!r}"
            )
        hidden = ~np.isfinite(image) if "nan" in words and image.dtype.kind == "f" else np.zeros(image.shape, bool)
    else:
        hidden = _in_layout(as_array(mask, "mask"), image.shape, channel_axis, spatial_ndim)
    working, dtype = as_float_image(np.where(hidden, np.zeros((), image.dtype), image) if hidden.any() else image)
    if "saturated" in words and not hidden.all():
        highest = 1.0 if dtype.kind in "iu" else max(1.0, float(working[~hidden].max()))
        blown = (working >= highest) & ~hidden
        hidden = hidden | blown if np.count_nonzero(blown) >= _PLATEAU else hidden
    if hidden.all():
        raise ValueError("mask must leave at least one pixel that may be used")
    return working, dtype, hidden if hidden.any() else None


def _in_layout(mask: Array, shape: tuple[int, ...], channel_axis: int | None, spatial_ndim: int | None) -> Array:
    """The mask in the shape of the image."""
    axes = [axis for axis in range(len(shape)) if channel_axis is None or axis != channel_axis % max(len(shape), 1)]
    axes = axes if spatial_ndim is None else axes[len(axes) - spatial_ndim :]
    spatial = tuple(shape[axis] for axis in axes)
    if mask.dtype != np.bool_ or mask.shape not in (shape, spatial):
        allowed = f"{shape}" if spatial == shape else f"{shape} or {spatial}"
        raise ValueError(f"mask must be boolean of shape {allowed}, got {mask.dtype} of shape {mask.shape}")
    if mask.shape == shape:
        return mask
    return np.broadcast_to(np.expand_dims(mask, tuple(axis for axis in range(len(shape)) if axis not in axes)), shape)


def without_noise(plane: Array, hidden: Array) -> Array:
    """The plane whose hidden pixels hold averages of those around them: next to no noise, and no jump."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter  # only pictures with holes pay for the import

    seen = (~hidden).astype(plane.dtype)
    nearest = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    weight = gaussian_filter(seen, _WIDTH)
    mean = gaussian_filter(plane * seen, _WIDTH) / np.maximum(weight, 1e-6)
    far = gaussian_filter(plane[tuple(nearest)], _WIDTH)
    filled: Array = np.where(hidden, np.where(weight > 0.05, mean, far), plane)
    return filled
