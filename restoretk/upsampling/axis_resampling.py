"""Enlarging and decimating along one axis by 1-D taps, and enlarging by a kernel that is not separable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from restoretk._arrays import Array

# Patches are laid out in strips of about this many bytes, so that they stay in cache until they are multiplied.
_STRIP_BYTES = 1 << 21


def upsample_axis(image: Array, axis: int, s: int, taps: Array) -> Array:
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


def downsample_axis(image: Array, axis: int, s: int, taps: Array) -> Array:
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


def downsample_axes(image: Array, steps: Sequence[tuple[int, int, Array]]) -> Array:
    """The image decimated along every axis of ``steps`` (axis, factor, taps)."""
    for axis, factor, taps in steps:
        image = downsample_axis(image, axis, factor, taps.astype(image.dtype))
    return image


def phase_weights(kernel: Array, s: int) -> Array:
    """The kernel as the weights of small convolutions, one a phase: shape (*[2r+1 each axis], *[s each axis]).

    ``y[j*s + a] = sum over d of x[j + d - r] * weights[d, a]`` with ``weights[d, a] = kernel[a + head - s*(d - r)]``, 0
    beyond the kernel, on each axis.
    """
    heads = [(k - s) // 2 for k in kernel.shape]
    rings = [-(-head // s) for head in heads]
    # Enlarged by zeros to (2r+1)*s taps on each axis, block d from the end holds the phases of input pixel j + d - r.
    padded = np.pad(kernel, [(s * r - h,) * 2 for r, h in zip(rings, heads, strict=True)])
    blocks = padded.reshape([side for r in rings for side in (2 * r + 1, s)])
    order = [*range(0, blocks.ndim, 2), *range(1, blocks.ndim, 2)]
    flip = (slice(None, None, -1),) * kernel.ndim
    return np.ascontiguousarray(blocks.transpose(order)[flip])


def kernel_of_phases(weights: Array) -> Array:
    """The kernel whose `phase_weights` these are, k = (2r+1)*s taps on each axis."""
    ndim = weights.ndim // 2
    flipped = weights[(slice(None, None, -1),) * ndim]
    order = [axis for pair in zip(range(ndim), range(ndim, 2 * ndim), strict=True) for axis in pair]
    return flipped.transpose(order).reshape([weights.shape[i] * weights.shape[ndim + i] for i in range(ndim)])


def upsample_planes(planes: Array, s: int, kernel: Array) -> Array:
    """Enlarge planes (P, *spatial) by a kernel with as many axes as they have: a matrix product for each strip of rows."""
    ndim = kernel.ndim
    weights = phase_weights(kernel, s).astype(planes.dtype)
    window = weights.shape[:ndim]
    matrix = weights.reshape(math.prod(window), s**ndim)
    spatial = planes.shape[1:]
    extended = np.pad(planes, [(0, 0), *((side // 2,) * 2 for side in window)], mode="edge")
    windows = sliding_window_view(extended, window, axis=tuple(range(1, ndim + 1)))
    result = np.empty((len(planes), *(side * s for side in spatial)), planes.dtype)
    # (P, rows, s, columns, s, ...): a view whose phases a strip fills at once.
    split = result.reshape(len(planes), *(side for n in spatial for side in (n, s)))
    order = (*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2))
    rows = max(1, _STRIP_BYTES // (len(matrix) * math.prod(spatial[1:]) * planes.itemsize))
    for plane, target in zip(windows, split, strict=True):
        placed = target.transpose(order)
        for top in range(0, spatial[0], rows):
            patches = plane[top : top + rows].reshape(-1, len(matrix))
            placed[top : top + rows] = (patches @ matrix).reshape(placed[top : top + rows].shape)
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
