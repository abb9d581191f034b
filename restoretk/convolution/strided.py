"""Strided, padded, dilated and grouped convolution, and its adjoint: one rule, read in two directions.

Along each axis, with input size n, kernel size k, stride s and dilation d, the adjoint scatters

    full[i*s + t*d] += x[i] * w[t]          for 0 <= i < n, 0 <= t < k          (no kernel flip)

and keeps the window ``full[head : head + out]``, zeros beyond the ends. Convolution gathers along the same pairs,
``y[i] += x[i*s + t*d - head] * w[t]``: what deep learning calls convolution and signal processing cross-correlation.
Every framework's convolution and transposed convolution is a choice of (head, out).

No zero is ever inserted: the outputs of the adjoint with one residue modulo the stride (a phase) form a small
convolution of the input by the taps of that phase, and many channels are one matrix product for each tap.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array
from restoretk.convolution._scatter_channels import rows_are_adjacent, scatter_channels
from restoretk.convolution._scatter_planes import fits_in_tiles, scatter_planes
from restoretk.convolution._windows import overlap, phase_taps
from restoretk.convolution.operands import Padding, as_operands, per_axis, per_side

_STRIP_BYTES = 1 << 18  # of a temporary: a part of a core's L2 cache
# Below these sizes of a plane's result, and of a row of many channels, summing the taps is quicker (measured).
_LEAST_OUTPUTS = 1 << 16
_LEAST_COLUMNS = 32


def conv(
    image: npt.ArrayLike,
    kernel: npt.ArrayLike,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    bias: npt.ArrayLike | None = None,
    spatial_ndim: int | None = None,
) -> Array:
    """The convolution of deep learning: a sliding product without a kernel flip, every ``stride``-th result kept.

    Per axis ``y[i] = sum_t x[i*stride + t*dilation - before] * w[t]``, zeros beyond the image, of size
    ``(n + before + after - dilation*(k - 1) - 1) // stride + 1``, where ``padding`` is both ``before`` and ``after`` if it
    is one number. This is PyTorch's ``conv1d``, ``conv2d`` and ``conv3d``.
    It is arithmetic, not imaging: integers are not scaled, and nothing is clipped.

    Parameters
    ----------
    image : array_like of shape (*spatial) or (..., channels, *spatial)
        One, two or three spatial axes.
    kernel : array_like
        Shape (*k) for one channel; further axes of the image before the spatial ones are then a stack. Shape
        (C_out, C_in / groups, *k) for many channels; the image then has its channels just before the spatial axes.
    stride, dilation : int or one int for each spatial axis
        At least 1.
    padding : int, or for each spatial axis an int or a pair (before, after)
        How many zeros to put at the ends of the image: one number, at least 0, for both ends, or a pair, in which a
        negative number cuts pixels off.
    groups : int
        The channels are split in this many groups, each with its own kernels.
    bias : array_like of shape (C_out,), or a number for one channel
        Added to the result.
    spatial_ndim : int or None
        The number of spatial axes. None: as many as a kernel of one or two axes has, or of three axes on an image of at
        least three; any other kernel has its two channel axes first. A batch of 1-D signals with channels, whose kernel
        has three axes as a volume's has, needs ``spatial_ndim=1``; where either may be meant, that or 3 is asked for.

    Returns
    -------
    ndarray
        In the layout of the image. Floats keep the image's dtype; integers give int64 (wrapping round beyond 64 bits)
        when kernel and bias are integers too, else float64.

    Raises
    ------
    TypeError
        For arrays that are not real numbers.
    ValueError
        For values that are not finite, shapes that do not fit, or a kernel larger than the padded image.

    Examples
    --------
    The 4x4 patch and the mask that introduce transposed convolution:

    >>> patch = [[3, 3, 2, 1], [0, 0, 1, 3], [3, 1, 2, 2], [2, 0, 0, 2]]
    >>> conv(patch, [[0, 1, 2], [2, 2, 0], [0, 1, 2]])
    array([[12, 12],
           [10, 17]])
    """
    operands = as_operands(image, kernel, bias, groups=groups, spatial_ndim=spatial_ndim, transposed=False)
    ndim = operands.spatial_ndim
    steps = per_axis(stride, ndim, "stride", 1)
    sides = per_side(padding, ndim, "padding")
    spread = per_axis(dilation, ndim, "dilation", 1)
    out = conv_shape(operands.shape, operands.kernel_shape, stride=steps, padding=sides, dilation=spread)
    heads = [before for before, _ in sides]
    return operands.finish(
        conv_core(operands.source, operands.weights, stride=steps, dilation=spread, head=heads, out=out)
    )


def conv_shape(
    shape: Sequence[int],
    kernel_shape: Sequence[int],
    *,
    stride: Sequence[int],
    padding: Padding,
    dilation: Sequence[int],
) -> tuple[int, ...]:
    """The spatial shape of a convolution; ValueError where the kernel does not fit the padded image."""
    reach = [(k - 1) * d + 1 for k, d in zip(kernel_shape, dilation, strict=True)]
    sides = per_side(padding, len(reach), "padding")
    room = [n + before + after for n, (before, after) in zip(shape, sides, strict=True)]
    if any(r > n for r, n in zip(reach, room, strict=True)):
        raise ValueError(
            f"kernel of shape {tuple(kernel_shape)} with dilation {tuple(dilation)} is larger than the image "
            f"{tuple(shape)} with padding {sides}"
        )
    return tuple((n - r) // s + 1 for n, r, s in zip(room, reach, stride, strict=True))


def conv_core(
    source: Array,
    weights: Array,
    *,
    stride: Sequence[int],
    dilation: Sequence[int],
    head: Sequence[int],
    out: Sequence[int],
) -> Array:
    """The convolution of grouped channels, given by the number ``head`` of zeros before the image and the output shape.

    Parameters
    ----------
    source : ndarray of shape (N, groups, C_in / groups, *spatial)
    weights : ndarray of shape (groups, C_out / groups, C_in / groups, *k)
    stride, dilation, head, out : one int for each spatial axis
        ``head`` may be negative (a crop), and reading beyond either end reads zeros.

    Returns
    -------
    ndarray of shape (N, groups, C_out / groups, *out)
    """
    result = np.zeros((source.shape[0], *weights.shape[:2], *out), source.dtype)
    for tap in np.ndindex(weights.shape[3:]):
        offset = [t * d - h for t, d, h in zip(tap, dilation, head, strict=True)]
        _gather(result, source, _at_tap(weights, tap), stride, offset)
    return result


def conv_transpose_core(
    source: Array,
    weights: Array,
    *,
    stride: Sequence[int],
    dilation: Sequence[int],
    head: Sequence[int],
    out: Sequence[int],
) -> Array:
    """The window ``full[head : head + out]`` of the scatter rule on grouped channels: the adjoint of `conv_core`.

    Shapes as in `conv_core`: ``weights`` has its output channels before its input channels here too. A negative
    ``head`` puts zeros before the full result, and an ``out`` beyond its end puts zeros after it.
    """
    result = np.empty((source.shape[0], *weights.shape[:2], *out), source.dtype)
    scatter = _scatter_of(source, weights, stride, dilation, out)
    if scatter is None:
        _scatter_tap_by_tap(result, source, weights, list(zip(weights.shape[3:], stride, dilation, head, strict=True)))
    else:
        for image, group in np.ndindex(source.shape[:2]):
            scatter(
                result[image, group],
                source[image, group],
                weights[group],
                stride=stride,
                dilation=dilation,
                head=head,
            )
    return result


def _scatter_of(
    source: Array, weights: Array, stride: Sequence[int], dilation: Sequence[int], out: Sequence[int]
) -> Callable[..., None] | None:
    """The function for the channels of one group that makes use of matrix products; None where taps are to be summed.

    There is none for integers, which BLAS does not multiply, for signals and volumes, and for results so small that its
    preparations cost more than the sums.
    """
    if source.dtype.kind != "f" or len(out) != 2:
        return None
    if source.shape[2] == 1 and math.prod(out) >= _LEAST_OUTPUTS and fits_in_tiles(weights, stride, dilation):
        return scatter_planes
    steps = out[1] // stride[1]
    if source.shape[2] > 1 and steps >= _LEAST_COLUMNS and rows_are_adjacent(stride[0], dilation[0]):
        return scatter_channels
    return None


def _scatter_tap_by_tap(
    result: Array, source: Array, weights: Array, axes: Sequence[tuple[int, int, int, int]]
) -> None:
    """The scatter rule phase by phase, in strips along the first axis, so that no temporary has the size of a phase."""
    strides = [s for _, s, _, _ in axes]
    for phase in np.ndindex(*strides):
        taps = [phase_taps(r, *axis) for r, axis in zip(phase, axes, strict=True)]
        target = _window(result, [slice(r, None, s) for r, s in zip(phase, strides, strict=True)])
        if target.size == 0 or not all(taps):
            target[...] = 0
            continue
        length = max(1, _STRIP_BYTES * target.shape[3] // target.nbytes)
        for top in range(0, target.shape[3], length):
            part = target[:, :, :, top : top + length]
            # Summing where memory is contiguous and writing to the strided phase once is quicker than adding there.
            total = np.zeros(part.shape, part.dtype)
            for pairs in itertools.product(*taps):
                offset = [o for _, o in pairs]
                offset[0] += top
                _gather(total, source, _at_tap(weights, [t for t, _ in pairs]), [1] * len(axes), offset)
            part[...] = total


def _gather(target: Array, source: Array, weights: Array, step: Sequence[int], offset: Sequence[int]) -> None:
    """Add ``weights @ source[j*step + offset]`` to every ``target[j]`` for which that pixel is inside the source."""
    pairs = [overlap(*one) for one in zip(target.shape[3:], source.shape[3:], step, offset, strict=True)]
    window = _window(target, [into for into, _ in pairs])
    if window.size:
        window += _mix(weights, _window(source, [taken for _, taken in pairs]))


def _window(planes: Array, slices: Sequence[slice]) -> Array:
    """A view of the trailing axes."""
    index: tuple[Any, ...] = (..., *slices)
    return planes[index]


def _at_tap(weights: Array, tap: Sequence[int]) -> Array:
    """The matrix of channels (groups, C_out / groups, C_in / groups) of one tap."""
    index: tuple[Any, ...] = (..., *tap)
    return weights[index]


def _mix(weights: Array, pixels: Array) -> Array:
    """The channels of pixels (N, g, C_in, *spatial) mixed by weights (g, C_out, C_in): (N, g, C_out, *spatial)."""
    if weights.shape[2] == 1:  # one channel in: a product, for which a matrix would only make copies
        return weights.reshape(weights.shape[:2] + (1,) * (pixels.ndim - 3)) * pixels
    flat = pixels.reshape((*pixels.shape[:3], -1))
    return np.matmul(weights, flat).reshape((*pixels.shape[:2], weights.shape[1], *pixels.shape[3:]))
