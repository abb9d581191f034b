"""Enlarging pictures along two axes at once, tile by tile, so that nothing but the result has its size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution._scatter_planes import fits_in_tiles, scatter_plane
from restoretk.upsampling.axis_resampling import upsample_axis, upsample_planes

_MOST_LANES = 4  # channels side by side that are cheaper to multiply together than to take apart


def upsample_axes(image: Array, steps: Sequence[tuple[int, int, Array]]) -> Array:
    """The image enlarged along every axis of ``steps`` (axis, factor, taps), last axes first; edge pixels go on."""
    remaining = list(steps)
    while len(remaining) >= 2:
        (column_axis, _, column_taps), (row_axis, _, row_taps) = remaining[:2]
        factors = (remaining[1][1], remaining[0][1])
        kernel = np.outer(row_taps, column_taps).astype(image.dtype)
        if not fits_in_tiles(kernel, factors, (1, 1)):
            break
        image = _enlarge(image, (row_axis, column_axis), factors, kernel)
        remaining = remaining[2:]
    for axis, factor, taps in remaining:
        image = upsample_axis(image, axis, factor, taps.astype(image.dtype))
    return image


def upsample_by_whole_kernel(image: Array, axes: Sequence[int], factor: int, kernel: Array) -> Array:
    """The image enlarged along ``axes`` by a kernel with an axis for each; any other axis is a stack."""
    kernel = kernel.astype(image.dtype)
    if kernel.ndim == 2 and fits_in_tiles(kernel, (factor, factor), (1, 1)):
        return _enlarge(image, (axes[0], axes[1]), (factor, factor), kernel)
    moved = np.moveaxis(image, axes, range(-len(axes), 0))
    lead = moved.shape[: -len(axes)]
    large = upsample_planes(moved.reshape((-1, *moved.shape[len(lead) :])), factor, kernel)
    return np.moveaxis(large.reshape((*lead, *large.shape[1:])), range(-len(axes), 0), axes)


def _enlarge(image: Array, axes: tuple[int, int], factors: tuple[int, int], kernel: Array) -> Array:
    """Enlarge along two axes; what other axes there are is a stack, or lanes if they are few and last."""
    head = [(k - s) // 2 for k, s in zip(kernel.shape, factors, strict=True)]
    if image.ndim == 3 and axes == (0, 1) and image.shape[2] <= _MOST_LANES:
        shape = (image.shape[0] * factors[0], image.shape[1] * factors[1], image.shape[2])
        colour = np.empty(shape, image.dtype)
        scatter_plane(colour, image, kernel, stride=factors, dilation=(1, 1), head=head, edge=True)
        return colour
    planes = np.moveaxis(image, axes, (-2, -1))
    result = np.empty((*planes.shape[:-2], planes.shape[-2] * factors[0], planes.shape[-1] * factors[1]), image.dtype)
    for one in np.ndindex(planes.shape[:-2]):
        target, source = result[one][..., None], planes[one][..., None]
        scatter_plane(target, source, kernel, stride=factors, dilation=(1, 1), head=head, edge=True)
    return np.moveaxis(result, (-2, -1), axes)
