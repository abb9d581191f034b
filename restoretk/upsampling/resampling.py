"""Enlarge and decimate by a whole factor on one grid: each the adjoint of the other, but for scale and borders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image, looks_like_colour, to_dtype
from restoretk.convolution.operands import per_axis
from restoretk.upsampling.kernels import KernelLike, kernel_taps


def upsample(
    image: npt.ArrayLike,
    factor: int | Sequence[int],
    *,
    kernel: KernelLike = "bicubic",
    channel_axis: int | None = None,
) -> Array:
    """The image with ``factor`` times as many pixels along each spatial axis: a transposed convolution with one kernel.

    Per axis ``y[m] = sum_i x[i] * h[m - i*s + (k - s)/2]`` with stride s and k taps h, which is `conv_transpose` with
    ``stride=s, padding=(k - s) // 2``, except that beyond the frame the edge pixels go on for ever in place of zeros,
    so that borders keep their brightness. The grid is the half-pixel one: the whole picture keeps its place
    (``align_corners=False`` in PyTorch). Named kernels add no detail and undo no blur: that is restoration.

    Parameters
    ----------
    image : array_like of shape (*spatial), with or without a channel axis
        One, two or three spatial axes.
    factor : int or one int for each spatial axis
        At least 1; an axis of factor 1 is left as it is.
    kernel : str or array_like of shape (k,)
        A name of KERNELS in the grammar (``nearest``, ``bilinear``, ``bicubic``, ``bicubic:a=-0.75``, ``lanczos3``), or
        the taps for the one factor that is not 1: k >= factor, k - factor even, sum ``factor`` to keep the brightness.
    channel_axis : int or None
        The axis that is not spatial. None: all are.

    Returns
    -------
    ndarray
        Of the dtype of the image. Integers are rounded and held in range; floats may overshoot [0, 1] at edges.

    Raises
    ------
    TypeError
        For an image that does not hold real numbers.
    ValueError
        For an image that is empty, not finite or of more than three spatial axes, or looks like colour without
        ``channel_axis``; for a factor below 1; for a kernel that does not exist or does not fit the factor.

    Notes
    -----
    The bicubic kernel (a = -0.5) makes this exactly ``s**ndim * H^T`` for H the antialiased bicubic `downsample` by s,
    away from the borders.

    Examples
    --------
    >>> import numpy as np
    >>> upsample(np.array([0.0, 1.0, 1.0]), 2, kernel="bilinear")
    array([0.  , 0.25, 0.75, 1.  , 1.  , 1.  ])
    """
    return _resample(image, factor, kernel, channel_axis, _upsample_axis)


def downsample(
    image: npt.ArrayLike,
    factor: int | Sequence[int],
    *,
    kernel: KernelLike = "bicubic",
    channel_axis: int | None = None,
) -> Array:
    """The image decimated by ``factor`` along each spatial axis: blurred by the stretched kernel, every s-th pixel
    kept.

    Per axis ``g[i] = sum_m f[m] * h[m - i*s + (k - s)/2] / s``: the correlation with the taps that `upsample` uses for
    this factor, divided by s so that brightness is kept, on the half-pixel grid. This is the H whose ``s**ndim * H^T``
    is `upsample` with the same kernel; ``bicubic`` is the antialiased bicubic of MATLAB's ``imresize`` and of Pillow.
    Beyond the frame the edge pixels go on for ever.

    Parameters
    ----------
    image, factor, kernel, channel_axis
        As in `upsample`. A side n that is no multiple of its factor s gives n // s pixels, and its last n % s pixels
        are cut off, as is the custom in super-resolution: crop the reference to ``n // s * s`` before comparing.

    Returns
    -------
    ndarray
        Of the dtype of the image; integers are rounded and held in range.

    Raises
    ------
    TypeError, ValueError
        As `upsample`, and ValueError for a side shorter than its factor.

    Examples
    --------
    >>> import numpy as np
    >>> downsample(np.array([0.0, 1.0, 2.0, 3.0, 9.0]), 2, kernel="nearest")
    array([0.5, 2.5])
    """
    return _resample(image, factor, kernel, channel_axis, _downsample_axis)


def _resample(
    image: npt.ArrayLike,
    factor: int | Sequence[int],
    kernel: KernelLike,
    channel_axis: int | None,
    along_axis: Callable[[Array, int, int, Array], Array],
) -> Array:
    """Resample one axis after the other, the last first: its strided access is paid while the image is small."""
    working, dtype = as_float_image(image)
    axes = _spatial_axes(working.shape, channel_axis)
    factors = per_axis(factor, len(axes), "factor", 1)
    if not isinstance(kernel, str) and len(set(factors) - {1}) > 1:
        raise ValueError(f"kernel as an array of taps belongs to one factor, got the factors {factors}")
    result = working
    for axis, s in reversed(list(zip(axes, factors, strict=True))):
        taps = kernel_taps(kernel, s) if isinstance(kernel, str) or s > 1 else None
        if taps is not None and s > 1:
            result = along_axis(result, axis, s, taps.astype(working.dtype))
    # A result must not be the caller's own array.
    return to_dtype(result.copy() if result is working else result, dtype)


def _spatial_axes(shape: tuple[int, ...], channel_axis: int | None) -> list[int]:
    """The axes of an image that are not its channels, checked."""
    ndim = len(shape)
    if channel_axis is not None and not -ndim <= channel_axis < ndim:
        raise ValueError(f"channel_axis must be an axis of image of shape {shape}, got {channel_axis}")
    if channel_axis is None and looks_like_colour(shape, 2):
        raise ValueError(
            f"image of shape {shape} looks like colour: pass channel_axis=-1, or move the short axis first"
        )
    axes = [axis for axis in range(ndim) if channel_axis is None or axis != channel_axis % ndim]
    if not 1 <= len(axes) <= 3:
        raise ValueError(f"image must have 1, 2 or 3 spatial axes, got shape {shape} with channel_axis={channel_axis}")
    return axes


def _upsample_axis(image: Array, axis: int, s: int, taps: Array) -> Array:
    """Enlarge along one axis, phase by phase into the output: no zeros are inserted."""
    head, size = (taps.size - s) // 2, image.shape[axis]
    ring = -(-head // s)  # the farthest pixel beyond the frame that a phase reads
    extended = _edge(image, axis, ring, ring)
    shape = list(image.shape)
    shape[axis] *= s
    result = np.empty(shape, image.dtype)
    total, product = np.empty_like(image), np.empty_like(image)
    for phase in range(s):
        # y[j*s + phase] = sum_q x[j + q] * h[phase + head - q*s]
        total[...] = 0
        for q in range(-ring, ring + 1):
            tap = phase + head - q * s
            if 0 <= tap < taps.size:
                np.multiply(_along(extended, axis, slice(q + ring, q + ring + size)), taps[tap], out=product)
                total += product
        _along(result, axis, slice(phase, None, s))[...] = total
    return result


def _downsample_axis(image: Array, axis: int, s: int, taps: Array) -> Array:
    """Correlate along one axis at every s-th pixel only."""
    size = image.shape[axis] // s
    if size == 0:
        raise ValueError(f"factor {s} is larger than the side of {image.shape[axis]} pixels on axis {axis}")
    head = (taps.size - s) // 2
    extended = _edge(_along(image, axis, slice(size * s)), axis, head, head)
    result: Array = np.zeros((*image.shape[:axis], size, *image.shape[axis + 1 :]), image.dtype)
    for tap, weight in enumerate(taps / s):
        result += weight * _along(extended, axis, slice(tap, tap + (size - 1) * s + 1, s))
    return result


def _edge(image: Array, axis: int, before: int, after: int) -> Array:
    """The image with its first and last pixels along one axis repeated."""
    widths = [(0, 0)] * image.ndim
    widths[axis] = (before, after)
    return np.pad(image, widths, mode="edge")


def _along(image: Array, axis: int, window: slice) -> Array:
    """A view of a slice of one axis."""
    index: tuple[Any, ...] = (*(slice(None),) * axis, window)
    return image[index]
