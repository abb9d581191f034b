"""Max pooling, which keeps the largest pixel of every window and where it was, and its adjoint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array
from restoretk.convolution._pool_indices import CountOver, Order, check_convention, from_plane, to_array
from restoretk.convolution._pool_windows import PoolWindows, as_numbers, pool_windows, pooled_axes
from restoretk.convolution.operands import Padding, per_axis


def max_pool(
    image: npt.ArrayLike,
    size: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    spatial_ndim: int | None = None,
) -> Array:
    """The largest pixel of every window of an image.

    The windows are those of `restoretk.convolution.average_pooling.average_pool`. Padding never wins: it counts as
    minus infinity.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        Real numbers of any dtype, infinities included. One, two or three spatial axes; all before them are a stack.
    size, stride, padding, dilation, ceil_mode, spatial_ndim
        As in `restoretk.convolution.average_pooling.average_pool`.

    Returns
    -------
    ndarray
        The image's dtype. A window without any pixel, all padding, holds minus infinity or the smallest integer.

    Raises
    ------
    TypeError
        For an array that does not hold real numbers.
    ValueError
        For NaN, which has no order, options that do not fit, or windows larger than the padded image.

    Examples
    --------
    >>> max_pool([[1, 5, 2], [4, 3, 6]], 2, stride=1)
    array([[5, 6]])
    """
    best, windows = _windows_of(image, size, stride, padding, dilation, ceil_mode, spatial_ndim)
    for axis in reversed(range(windows.ndim)):
        best, pixels = _lowest(best, windows, axis), best
        place = best.ndim - windows.ndim + axis
        view, source = np.moveaxis(best, place, 0), np.moveaxis(pixels, place, 0)
        for into, taken in windows.taps(axis):
            np.maximum(view[into], source[taken], out=view[into])
    return best


def max_pool_with_indices(
    image: npt.ArrayLike,
    size: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    spatial_ndim: int | None = None,
    count_over: CountOver = "plane",
    order: Order = "C",
) -> tuple[Array, Array]:
    """The largest pixel of every window, as `max_pool`, and the index of the pixel that it was.

    Parameters
    ----------
    image, size, stride, padding, dilation, ceil_mode, spatial_ndim
        As in `max_pool`.
    count_over : {"plane", "array"}
        Whether the index counts the pixels of each spatial plane from 0, as PyTorch does, or of the whole array, as
        ONNX does.
    order : {"C", "F"}
        Whether the last spatial axis counts fastest, or the first (ONNX's ``storage_order=1``). Planes always follow
        each other in the order of the array.

    Returns
    -------
    values, indices : ndarray
        In the same shape. Of equal pixels the first in the image counts. The indices are int64; -1 stands for a window
        without any pixel.

    Raises
    ------
    TypeError, ValueError
        As `max_pool`.

    Examples
    --------
    >>> values, indices = max_pool_with_indices([[1, 5, 2], [4, 3, 6]], 2, stride=1)
    >>> indices
    array([[1, 5]])
    """
    check_convention(count_over, order)
    best, windows = _windows_of(image, size, stride, padding, dilation, ceil_mode, spatial_ndim)
    index = np.broadcast_to(np.arange(np.prod(windows.shape)).reshape(windows.shape), best.shape)
    # The last axis first: of equal pixels the first row wins then, and in it the first column.
    for axis in reversed(range(windows.ndim)):
        place = best.ndim - windows.ndim + axis
        pixels, source = np.moveaxis(best, place, 0), np.moveaxis(index, place, 0)
        best = _lowest(best, windows, axis)
        index = np.full(best.shape, -1)
        values, places = np.moveaxis(best, place, 0), np.moveaxis(index, place, 0)
        for into, taken in windows.taps(axis):
            better = (pixels[taken] > values[into]) | (places[into] < 0)
            np.copyto(values[into], pixels[taken], where=better)
            np.copyto(places[into], source[taken], where=better)
    return best, from_plane(index, windows.shape, count_over, order)


def max_pool_adjoint(
    pooled: npt.ArrayLike,
    indices: npt.ArrayLike,
    shape: int | Sequence[int],
    *,
    count_over: CountOver = "plane",
    order: Order = "C",
) -> Array:
    """The adjoint of max pooling at the image whose indices are given: values with one index add.

    Max pooling at a given image selects pixels; this is the transpose of that selection and the gradient of max
    pooling. `max_unpool` differs where windows overlap: there the last value with an index overwrites the others.

    Parameters
    ----------
    pooled, indices : array_like of one shape (..., *out)
        One number for each window, and the indices from `max_pool_with_indices`; -1 is passed over.
    shape : int or one int for each spatial axis
        The spatial shape of the image that was pooled. A sequence says how many axes there are.
    count_over, order
        How the indices count, as in `max_pool_with_indices`.

    Returns
    -------
    ndarray of shape (..., *shape)
        The dtype of ``pooled``.

    Raises
    ------
    TypeError, ValueError
        For arrays that do not hold real numbers, or whose shapes differ, and indices outside the image.

    Examples
    --------
    >>> max_pool_adjoint([1.0, 2.0, 4.0], [1, 1, 3], (5,))
    array([0., 3., 0., 4., 0.])
    """
    values, places = as_numbers(pooled, "pooled"), as_numbers(indices, "indices")
    if values.shape != places.shape:
        raise ValueError(f"indices must have the shape of pooled, {values.shape}, got {places.shape}")
    ndim = len(shape) if isinstance(shape, Sequence | np.ndarray) else min(values.ndim, 2)
    result = np.zeros((*values.shape[: values.ndim - ndim], *per_axis(shape, ndim, "shape", 1)), values.dtype)
    flat = to_array(places, result.shape, ndim, count_over, order)
    np.add.at(result.reshape(-1), flat[flat >= 0], values[flat >= 0])
    return result


def _windows_of(
    image: npt.ArrayLike,
    size: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: Padding,
    dilation: int | Sequence[int],
    ceil_mode: bool,
    spatial_ndim: int | None,
) -> tuple[Array, PoolWindows]:
    """The checked image and its windows."""
    pixels = as_numbers(image, "image")
    ndim = pooled_axes(pixels, size, spatial_ndim)
    spatial = pixels.shape[-ndim:]
    return pixels, pool_windows(spatial, size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)


def _lowest(pixels: Array, windows: PoolWindows, axis: int) -> Array:
    """The result of pooling this spatial axis before any pixel was seen: what loses against, or equals, every pixel."""
    place = pixels.ndim - windows.ndim + axis
    lowest = -np.inf if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).min
    return np.full((*pixels.shape[:place], windows.out[axis], *pixels.shape[place + 1 :]), lowest, pixels.dtype)
