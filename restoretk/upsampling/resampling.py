"""Enlarge and decimate by a whole factor on one grid: each the adjoint of the other, but for scale and borders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._any_array import is_foreign, on_host
from restoretk._arrays import Array, as_array, as_float_image, from_unit, in_unit, looks_like_colour, to_dtype, unit_of
from restoretk.convolution.operands import per_axis
from restoretk.upsampling._any_array import enlarge_anywhere
from restoretk.upsampling.axis_resampling import downsample_axes
from restoretk.upsampling.bank_upsampling import upsample_with_bank
from restoretk.upsampling.kernel_bank import KernelBank
from restoretk.upsampling.kernels import KernelLike, kernel_taps, resolve_kernel
from restoretk.upsampling.picture_upsampling import upsample_axes, upsample_by_whole_kernel


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
    (``align_corners=False`` in PyTorch). The kernels ``nearest`` to ``lanczos3`` undo nothing; ``fitted`` and ``bank``,
    for pictures and the factors 2, 3 and 4, were fitted to undo antialiased decimation of photographs, and sharpen
    accordingly: no other blur is undone, that is restoration.

    Parameters
    ----------
    image : array_like of shape (*spatial), with or without a channel axis
        One, two or three spatial axes.
    factor : int or one int for each spatial axis
        At least 1; an axis of factor 1 is left as it is.
    kernel : str, array_like or KernelBank
        A name of KERNELS in the grammar (``nearest``, ``bilinear``, ``bicubic``, ``bicubic:a=-0.75``, ``lanczos3``,
        ``fitted``, ``fitted:rank=1``, ``bank``). Or taps of shape (k,) for the one factor that is not 1, k >= factor,
        k - factor even, of sum ``factor`` to keep the brightness; or taps with an axis of this kind for each spatial
        axis, not separable, for one factor, of sum ``factor**ndim``. Or a bank of kernels, for pictures; the luma of
        three or four channels chooses for all of them, and pixels must be fractions of full range.
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
    away from the borders. A bank is not linear in the image: what it does to an edge depends on the edge.

    Examples
    --------
    >>> import numpy as np
    >>> upsample(np.array([0.0, 1.0, 1.0]), 2, kernel="bilinear")
    array([0.  , 0.25, 0.75, 1.  , 1.  , 1.  ])
    """
    if is_foreign(image):
        axes = _spatial_axes(tuple(image.shape), channel_axis)
        factors = per_axis(factor, len(axes), "factor", 1)
        whole = _whole_kernel(on_host(kernel), factors)
        on_numpy = partial(upsample, factor=factor, kernel=kernel, channel_axis=channel_axis)
        return enlarge_anywhere(image, axes, factors, kernel, whole, on_numpy)
    working, dtype = as_float_image(image)
    axes = _spatial_axes(working.shape, channel_axis)
    factors = per_axis(factor, len(axes), "factor", 1)
    whole = _whole_kernel(kernel, factors)
    if whole is None:
        return _resample(working, dtype, axes, factors, kernel, upsample_axes)
    unit = unit_of(working)
    scaled = in_unit(working, unit)
    if isinstance(whole, KernelBank):
        # (channels, *spatial): a stack of one where there are no channels
        planes = scaled[None] if channel_axis is None else np.moveaxis(scaled, channel_axis, 0)
        large = upsample_with_bank(planes, whole)
        result = large[0] if channel_axis is None else np.moveaxis(large, 0, channel_axis)
    else:
        result = upsample_by_whole_kernel(scaled, axes, factors[0], whole)
    result = from_unit(result, unit)
    return to_dtype(result.copy() if np.shares_memory(result, working) else result, dtype)


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
    working, dtype = as_float_image(image)
    axes = _spatial_axes(working.shape, channel_axis)
    factors = per_axis(factor, len(axes), "factor", 1)
    return _resample(working, dtype, axes, factors, kernel, downsample_axes)


def _whole_kernel(kernel: KernelLike, factors: Sequence[int]) -> Array | KernelBank | None:
    """A kernel that is not separable, checked against the image; None for one that goes axis by axis."""
    if isinstance(kernel, str):
        # Any factor tells of what kind a named kernel is; the largest cannot be the 1 that every kernel leaves alone.
        resolved = resolve_kernel(kernel, max(factors))
    else:
        resolved = kernel if isinstance(kernel, KernelBank) else as_array(kernel, "kernel")
    ndim = 2 if isinstance(resolved, KernelBank) else resolved.ndim
    if ndim < 2:
        return None
    if ndim != len(factors) or len(set(factors)) > 1:
        raise ValueError(
            f"kernel of {ndim} axes enlarges {ndim} spatial axes by one factor, got the factors {tuple(factors)}"
        )
    return resolve_kernel(resolved, factors[0])


def _resample(
    working: Array,
    dtype: np.dtype[Any],
    axes: Sequence[int],
    factors: Sequence[int],
    kernel: KernelLike,
    along_axes: Callable[[Array, Sequence[tuple[int, int, Array]]], Array],
) -> Array:
    """Resample one axis after the other, the last first: its strided access is paid while the image is small."""
    if not isinstance(kernel, str) and len(set(factors) - {1}) > 1:
        raise ValueError(f"kernel as an array of taps belongs to one factor, got the factors {factors}")
    tables = {s: kernel_taps(kernel, s) for s in set(factors) if isinstance(kernel, str) or s > 1}
    steps = [(axis, s, tables[s]) for axis, s in zip(axes, factors, strict=True) if s > 1][::-1]
    unit = unit_of(working)
    result = along_axes(in_unit(working, unit), steps)
    # A result must not be the caller's own array.
    result = from_unit(result, unit)
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
