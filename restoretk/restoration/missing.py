"""Pixels that lie: missing ones, NaN, and blown-out highlights with the zone that their blur reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_array, as_float_image
from restoretk._grammar import OptionError

MASKS = ("nan", "saturated")
NOTHING_SEEN = "mask must leave at least one pixel of every plane observed"

_PLATEAU = 4  # pixels at exactly the highest value: fewer are a peak, not a plateau
_NEAR, _FAR = 1.2, 6.0  # widths in pixels of the local averages that first fill a hole
_SEEN = 0.05  # least weight of observed pixels in an average


@dataclass(frozen=True)
class Observation:
    """An image with the pixels that must not be believed.

    Attributes
    ----------
    image : ndarray
        float32 or float64; 0 where it was not finite.
    dtype : numpy.dtype
        The dtype to return results in.
    missing : ndarray of bool or None
        True where the image says nothing about the scene; None where all of it does.
    kept : ndarray of bool or None
        True where the observed value is to be shown as it is: saturated pixels, of which only a lower limit is known.
    """

    image: Array
    dtype: np.dtype[np.generic]
    missing: Array | None
    kept: Array | None


def read_observation(
    image: npt.ArrayLike, mask: npt.ArrayLike | str | None, psf: Array, spatial_axes: tuple[int, ...]
) -> Observation:
    """Pass the image through the door together with its mask.

    Parameters
    ----------
    image : array_like
    mask : array_like of bool, str or None
        True where a pixel is missing (it may be NaN there), of the shape of the image or of its spatial axes; ``nan``:
        where the image is not finite; ``saturated``: at least four pixels at full range (1 for floats, or their highest
        value where that is above 1) and all within the reach of the PSF of one; ``nan+saturated``: both.
    psf : ndarray
    spatial_axes : tuple of int
        The axes of the image that are spatial, in order.

    Raises
    ------
    TypeError, ValueError
        For a mask of another kind or shape, and what `restoretk._arrays.as_float_image` raises.
    """
    image = as_array(image, "image")
    if mask is None:
        working, dtype = as_float_image(image)
        return Observation(working, dtype, None, None)
    if isinstance(mask, str):
        words = mask.split("+")
        if not set(words) <= set(MASKS):
            raise OptionError(f"mask must be a boolean array or {' or '.join(MASKS)} or both joined by +, got {mask!r}")
        missing = ~np.isfinite(image) if "nan" in words and image.dtype.kind == "f" else np.zeros(image.shape, bool)
    else:
        words = []
        missing = _in_layout(as_array(mask, "mask"), image.shape, spatial_axes)
    if missing.any():
        working, dtype = as_float_image(np.where(missing, np.zeros((), image.dtype), image))
    else:
        working, dtype = as_float_image(image)
    zone, blown = _saturated(working, dtype, ~missing, psf, spatial_axes) if "saturated" in words else (None, None)
    if zone is not None:
        missing = missing | zone
    return Observation(working, dtype, missing if missing.any() else None, blown)


def _in_layout(mask: Array, shape: tuple[int, ...], spatial_axes: tuple[int, ...]) -> Array:
    """The mask in the shape of the image."""
    spatial = tuple(shape[axis] for axis in spatial_axes)
    if mask.dtype != np.bool_ or mask.shape not in (shape, spatial):
        allowed = f"{shape}" if spatial == shape else f"{shape} or {spatial}"
        raise ValueError(f"mask must be boolean of shape {allowed}, got {mask.dtype} of shape {mask.shape}")
    if mask.shape == shape:
        return mask
    others = tuple(axis for axis in range(len(shape)) if axis not in spatial_axes)
    return np.broadcast_to(np.expand_dims(mask, others), shape)


def _saturated(
    image: Array, dtype: np.dtype[np.generic], seen: Array, psf: Array, spatial_axes: tuple[int, ...]
) -> tuple[Array, Array] | tuple[None, None]:
    """The zone around plateaus at the highest value that a PSF reaches from inside, and the plateaus."""
    from scipy.ndimage import binary_dilation  # only pictures with highlights pay for the import

    # Full range is 1 for integers, and for floats unless they exceed it: then the highest value, if many share it.
    highest = 1.0 if dtype.kind in "iu" or not seen.any() else max(1.0, float(image[seen].max()))
    blown = (image >= highest) & seen
    if np.count_nonzero(blown) < _PLATEAU:
        return None, None
    structure = np.expand_dims(_reach(psf), tuple(axis for axis in range(image.ndim) if axis not in spatial_axes))
    zone = binary_dilation(blown, structure)
    if zone.all():
        raise ValueError("mask 'saturated' leaves no pixel: all of the image is within reach of a saturated one")
    return zone, blown


def _reach(psf: Array) -> Array:
    """Where the PSF puts light, seen from either end, and one pixel more: odd sides, centred."""
    from scipy.ndimage import binary_dilation  # as above

    lit = psf > 1e-3 * psf.max()
    half = [max(side // 2, side - 1 - side // 2) + 1 for side in psf.shape]
    centred = np.zeros([2 * side + 1 for side in half], bool)
    centred[tuple(slice(h - s // 2, h - s // 2 + s) for h, s in zip(half, psf.shape, strict=True))] = lit
    centred |= np.flip(centred)
    widened: Array = binary_dilation(centred, np.ones((3,) * psf.ndim, bool))
    return widened


def first_fill(planes: Array, missing: Array) -> Array:
    """Planes (P, *spatial) whose missing pixels hold local averages of observed ones: good enough to fit a spectrum to."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter  # as above

    filled = planes.copy()
    for plane, hole in zip(filled, missing, strict=True):
        if not hole.any():
            continue
        seen = (~hole).astype(plane.dtype)
        nearest = distance_transform_edt(hole, return_distances=False, return_indices=True)
        values = plane[tuple(nearest)]
        for width in (_FAR, _NEAR):
            weight = gaussian_filter(seen, width)
            mean = gaussian_filter(plane * seen, width) / np.maximum(weight, _SEEN)
            values = np.where(weight > _SEEN, mean, values)
        plane[hole] = values[hole]
    return filled
