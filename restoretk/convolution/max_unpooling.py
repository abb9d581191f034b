"""Max unpooling, which puts the values of a max pooling back where they were, and its adjoint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array
from restoretk.convolution._pool_indices import CountOver, Order, to_array
from restoretk.convolution._pool_windows import as_numbers, pooled_axes
from restoretk.convolution.operands import Padding, per_axis, per_side


def max_unpool(
    image: npt.ArrayLike,
    indices: npt.ArrayLike,
    size: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    output_size: int | Sequence[int] | None = None,
    spatial_ndim: int | None = None,
    count_over: CountOver = "plane",
    order: Order = "C",
) -> Array:
    """Every value put back at its index, zeros elsewhere: the partial inverse of max pooling.

    Per axis the result has the size ``(n - 1)*stride - before - after + size`` unless ``output_size`` says otherwise.
    Where an index repeats, as with overlapping windows, the last value overwrites the others.

    Parameters
    ----------
    image, indices : array_like of one shape (..., *spatial)
        What `max_pool_with_indices` returned; an index of -1 is passed over.
    size, stride, padding, spatial_ndim
        Of the pooling, as in `max_pool`.
    output_size : int, one int for each spatial axis, or None
        The spatial shape of the result, which the indices then refer to: pooling maps several sizes to one.
    count_over, order
        How the indices count, as in `max_pool_with_indices`.

    Returns
    -------
    ndarray of shape (..., *output_size)
        The image's dtype.

    Raises
    ------
    TypeError, ValueError
        For arrays that do not hold real numbers, or whose shapes differ, and indices outside the result.

    Examples
    --------
    >>> max_unpool([5, 6], [1, 3], 2)
    array([0, 5, 0, 6])
    """
    values = as_numbers(image, "image")
    ndim = pooled_axes(values, size, spatial_ndim)
    sizes = per_axis(size, ndim, "size", 1)
    steps = sizes if stride is None else per_axis(stride, ndim, "stride", 1)
    sides = per_side(padding, ndim, "padding")
    if output_size is None:
        axes = zip(values.shape[-ndim:], sizes, steps, sides, strict=True)
        shape = tuple((n - 1) * s - sum(pair) + k for n, k, s, pair in axes)
        if min(shape) < 1:
            raise ValueError(f"padding {padding!r} cuts off everything: the result would have the shape {shape}")
    else:
        shape = per_axis(output_size, ndim, "output_size", 1)
    places = as_numbers(indices, "indices")
    if values.shape != places.shape:
        raise ValueError(f"indices must have the shape of the image, {values.shape}, got {places.shape}")
    result = np.zeros((*values.shape[:-ndim], *shape), values.dtype)
    flat = to_array(places, result.shape, ndim, count_over, order)
    last = _last_of_each(flat)
    result.reshape(-1)[flat[last]] = values[last]
    return result


def max_unpool_adjoint(
    image: npt.ArrayLike,
    indices: npt.ArrayLike,
    *,
    spatial_ndim: int | None = None,
    count_over: CountOver = "plane",
    order: Order = "C",
) -> Array:
    """The adjoint of `max_unpool`: the pixels at the indices, and 0 for a value that a later one overwrote.

    Without repeated indices it is the selection that max pooling makes.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        In the shape of the result of `max_unpool`.
    indices : array_like of shape (..., *out)
        With as many spatial axes, and the same axes before them.
    spatial_ndim : int or None
        The number of spatial axes. None: two, or a signal's one.
    count_over, order
        How the indices count, as in `max_pool_with_indices`.

    Returns
    -------
    ndarray in the shape of ``indices``
        The image's dtype.

    Raises
    ------
    TypeError, ValueError
        As `max_unpool`.

    Examples
    --------
    >>> max_unpool_adjoint([10, 20, 30], [2, 0, 2])
    array([ 0, 10, 30])
    """
    pixels, places = as_numbers(image, "image"), as_numbers(indices, "indices")
    ndim = pooled_axes(pixels, 1, spatial_ndim)
    if places.ndim != pixels.ndim or places.shape[:-ndim] != pixels.shape[:-ndim]:
        raise ValueError(
            f"indices of shape {places.shape} must have the axes of the image of shape {pixels.shape} before the "
            f"{ndim} spatial ones"
        )
    flat = to_array(places, pixels.shape, ndim, count_over, order)
    last = _last_of_each(flat)
    result = np.zeros(places.shape, pixels.dtype)
    result[last] = pixels.reshape(-1)[flat[last]]
    return result


def _last_of_each(flat: Array) -> Array:
    """True for the last place, in the order of the array, that holds its index; False for -1."""
    _, first_from_the_end = np.unique(flat.reshape(-1)[::-1], return_index=True)
    last = np.zeros(flat.size, bool)
    last[flat.size - 1 - first_from_the_end] = True
    return last.reshape(flat.shape) & (flat >= 0)
