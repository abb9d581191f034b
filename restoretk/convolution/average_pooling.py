"""Average pooling, which keeps the mean of every window, and its adjoint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, check_finite
from restoretk.convolution._pool_windows import PoolWindows, as_numbers, pool_windows, pooled_axes
from restoretk.convolution.operands import Padding, per_axis


def average_pool(
    image: npt.ArrayLike,
    size: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    spatial_ndim: int | None = None,
) -> Array:
    """The mean of every window of an image, in PyTorch's meaning of every option.

    Along each axis window j holds the pixels ``j*stride + t*dilation - before`` for 0 <= t < size, and there are

        floor((n + before + after - dilation*(size - 1) - 1) / stride) + 1

    of them (the ceiling with ``ceil_mode``, less one if the last window would begin in the padding behind the image).

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        One, two or three spatial axes; every axis before them is a stack.
    size : int or one int for each spatial axis
        The sides of a window. A sequence says how many axes are pooled; one number pools the last two, or a signal's one.
    stride : int, one int for each spatial axis, or None
        The step from window to window, at least 1. None: ``size``, windows side by side.
    padding : int, or for each spatial axis an int or a pair (before, after)
        Zeros before and after the image, at least 0.
    dilation : int or one int for each spatial axis
        The step from place to place inside a window, at least 1.
    ceil_mode : bool
        Also keep the last window if it hangs over the end.
    count_include_pad : bool
        Whether the places of a window that lie on padding count in its mean. What hangs over beyond the padding never
        counts. ONNX leaves padding out unless told otherwise, PyTorch counts it.
    spatial_ndim : int or None
        The number of spatial axes, where ``size`` does not tell.

    Returns
    -------
    ndarray
        Floats keep their dtype (float16 is summed as float32); integers give float64. A window in which nothing counts
        is 0.

    Raises
    ------
    TypeError
        For an array that does not hold real numbers.
    ValueError
        For values that are not finite, options that do not fit, or windows larger than the padded image.

    Examples
    --------
    >>> average_pool([1.0, 3.0, 5.0, 7.0, 9.0], 2)
    array([2., 6.])
    >>> average_pool([1.0, 3.0, 5.0, 7.0, 9.0], 2, ceil_mode=True)
    array([2., 6., 9.])
    """
    pixels = as_numbers(image, "image")
    check_finite(pixels, "image")
    ndim = pooled_axes(pixels, size, spatial_ndim)
    windows = pool_windows(
        pixels.shape[-ndim:], size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    total = _working(pixels)
    for axis in range(ndim):
        total = _summed(total, windows, axis)
    total /= windows.counts(include_padding=count_include_pad).astype(total.dtype)
    return total.astype(_result_dtype(pixels), copy=False)


def average_pool_adjoint(
    pooled: npt.ArrayLike,
    size: int | Sequence[int],
    shape: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """The adjoint of `average_pool`: every window's value, divided by its count, is added to each of its pixels.

    It is the gradient of average pooling. With windows side by side that fill the image it is nearest-neighbour
    upsampling divided by the number of pixels in a window, and so up to that number also the pseudo-inverse.

    Parameters
    ----------
    pooled : array_like of shape (..., *out)
        One number for each window.
    size : int or one int for each spatial axis
        As in `average_pool`, like all that follow ``shape``.
    shape : int or one int for each spatial axis
        The spatial shape of the image that was pooled. A sequence says how many axes there are.

    Returns
    -------
    ndarray of shape (..., *shape)
        Floats keep their dtype, integers give float64.

    Raises
    ------
    TypeError, ValueError
        As `average_pool`, and if ``pooled`` has not one number for each window.

    Examples
    --------
    >>> average_pool_adjoint([2.0, 6.0], 2, (5,))
    array([1., 1., 3., 3., 0.])
    """
    values = as_numbers(pooled, "pooled")
    check_finite(values, "pooled")
    sequences = [len(one) for one in (shape, size) if isinstance(one, Sequence | np.ndarray)]
    ndim = sequences[0] if sequences else min(values.ndim, 2)
    spatial = per_axis(shape, ndim, "shape", 1)
    windows = pool_windows(spatial, size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
    if values.shape[-ndim:] != windows.out:
        raise ValueError(f"pooled of shape {values.shape} must end in the shape of the windows, {windows.out}")
    spread = _working(values)
    spread = spread / windows.counts(include_padding=count_include_pad).astype(spread.dtype)
    for axis in range(ndim):
        spread = _spread(spread, windows, axis)
    return spread.astype(_result_dtype(values), copy=False)


def _summed(pixels: Array, windows: PoolWindows, axis: int) -> Array:
    """The sums of the windows along one spatial axis."""
    place = pixels.ndim - windows.ndim + axis
    result = np.zeros((*pixels.shape[:place], windows.out[axis], *pixels.shape[place + 1 :]), pixels.dtype)
    into_view, taken_view = np.moveaxis(result, place, 0), np.moveaxis(pixels, place, 0)
    for into, taken in windows.taps(axis):
        into_view[into] += taken_view[taken]
    return result


def _spread(values: Array, windows: PoolWindows, axis: int) -> Array:
    """The transpose of `_summed`."""
    place = values.ndim - windows.ndim + axis
    result = np.zeros((*values.shape[:place], windows.shape[axis], *values.shape[place + 1 :]), values.dtype)
    into_view, taken_view = np.moveaxis(result, place, 0), np.moveaxis(values, place, 0)
    for taken, into in windows.taps(axis):
        into_view[into] += taken_view[taken]
    return result


def _working(pixels: Array) -> Array:
    """The numbers in the floats that they are summed in."""
    return pixels.astype(
        np.float32 if pixels.dtype.itemsize <= 4 and pixels.dtype.kind == "f" else np.float64, copy=False
    )


def _result_dtype(pixels: Array) -> np.dtype[np.generic]:
    return pixels.dtype if pixels.dtype.kind == "f" else np.dtype(np.float64)
