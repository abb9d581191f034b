"""Edge taper: fade the edges of a frame into its blurred self, so that the periodic filters see no jump."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_finite, as_float_image, from_unit, in_unit, to_dtype, to_planes, unit_of
from restoretk.convolution.blur import Blur

_SUM_TOLERANCE = 1e-3


def taper_weights(psf: Array, shape: Sequence[int]) -> Array:
    """Weights in [0, 1] that fall to 0 at the edges of a frame as the autocorrelation of the PSF rises.

    Along each axis the weight of a pixel at distance d from the nearer edge is 1 - a(d) / a(0), where a is the
    autocorrelation of the PSF summed over its other axes; the axes multiply.

    Raises
    ------
    ValueError
        If the PSF is larger than half the frame on any axis (the two tapers would meet).
    """
    if any(2 * side > size for side, size in zip(psf.shape, shape, strict=True)):
        raise ValueError(
            f"psf of shape {psf.shape} is larger than half the image {tuple(shape)}: the edge tapers would meet"
        )
    weights = np.ones(tuple(shape))
    for axis, size in enumerate(shape):
        profile = psf.sum(axis=tuple(other for other in range(psf.ndim) if other != axis))
        correlation = np.correlate(profile, profile, "full")[len(profile) - 1 :]
        distance = np.minimum(np.arange(size), np.arange(size)[::-1])
        fall = (
            np.where(distance < len(profile), correlation[np.minimum(distance, len(profile) - 1)], 0) / correlation[0]
        )
        weights *= (1 - fall).reshape([-1 if other == axis else 1 for other in range(len(shape))])
    return weights


def edge_taper(image: npt.ArrayLike, psf: npt.ArrayLike, *, channel_axis: int | None = None) -> Array:
    """The image with its edges faded into its own circular blur: the frame looks as if it were periodic.

    J = w I + (1 - w) (h * I), with the weights w of `taper_weights`: 1 in the middle, 0 on the outermost pixels, where J is
    the circularly blurred image and so continues without a jump on the opposite side. It reduces ringing in every method
    that uses the discrete Fourier transform, and changes the pixels near the edge for good.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
    psf : array_like of D axes
        No larger than half the image on any axis.
    channel_axis : int or None
        The axis of the image that holds channels.

    Returns
    -------
    ndarray
        Same shape and dtype as the image.

    Raises
    ------
    TypeError, ValueError
        For an image or PSF that cannot be used, or a PSF larger than half the image.

    References
    ----------
    .. [1] The Image Processing Toolbox documents the same rule (weighted sum of the image and its blurred version, weights
       from the autocorrelation of the PSF) under the name edgetaper.

    Examples
    --------
    >>> import numpy as np
    >>> edge_taper(np.arange(8.0), np.full(3, 1 / 3)).round(3)
    array([2.667, 1.   , 2.   , 3.   , 4.   , 5.   , 6.   , 4.333])
    """
    working, dtype = as_float_image(image)
    kernel = as_finite(psf, "psf")
    if kernel.size == 0 or kernel.ndim == 0:
        raise ValueError(f"psf must have at least one axis and one element, got shape {kernel.shape}")
    if not abs(kernel.sum() - 1) <= _SUM_TOLERANCE:
        raise ValueError(f"psf must sum to 1, got {kernel.sum():.6g}: the edges would change their brightness")
    unit = unit_of(working)
    planes, from_planes = to_planes(in_unit(working, unit), kernel.ndim, channel_axis)
    return to_dtype(from_planes(from_unit(taper_planes(planes, kernel), unit)), dtype)


def taper_planes(planes: Array, psf: Array) -> Array:
    """`edge_taper` on planes of shape (P, *spatial) that have passed the door."""
    weights = taper_weights(psf, planes.shape[1:]).astype(planes.dtype)
    blurred = Blur(psf, planes.shape[1:], "wrap").forward(planes)
    return weights * planes + (1 - weights) * blurred
