"""Transposed convolution and enlarging for arrays of other libraries: on their device, open to gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from restoretk._any_array import (
    AnyArray,
    as_float,
    asks_for_gradient,
    beside,
    check_real,
    gather,
    is_foreign,
    is_integral,
    namespace,
    on_host,
    to_dtype,
    to_host,
)
from restoretk._arrays import Array
from restoretk.convolution._any_scatter import conv_transpose_core
from restoretk.convolution.operands import Operands
from restoretk.upsampling.kernel_bank import KernelBank
from restoretk.upsampling.kernels import kernel_taps


def stand_in(values: Any) -> Any:
    """A float array of the shape of an array of another library, which takes no room; other values as they are."""
    if not is_foreign(values):
        return values
    check_real(values, "array")
    return np.broadcast_to(np.float64(0), tuple(values.shape))


def scatter_anywhere(
    image: Any,
    kernel: Any,
    bias: Any,
    operands: Operands,
    *,
    stride: Sequence[int],
    dilation: Sequence[int],
    head: Sequence[int],
    out: Sequence[int],
) -> AnyArray:
    """`conv_transpose` whose ``operands``, made of stand-ins, say how the arrays are laid out.

    Raises
    ------
    TypeError
        For integers, whose sums are kept exact by the NumPy code only.
    ValueError
        For values that are not finite.
    """
    like = image if is_foreign(image) else kernel
    xp = namespace(like)
    if is_integral(like.dtype, xp):
        raise TypeError(f"image and kernel of another library must hold floats, got dtype {like.dtype}")
    pixels = image if is_foreign(image) else beside(image, like)
    if is_integral(pixels.dtype, xp):
        raise TypeError(f"image and kernel of another library must hold floats, got dtype {pixels.dtype}")
    working = xp.float64 if pixels.dtype == xp.float64 else xp.float32
    pixels = xp.astype(pixels, working, copy=False)
    taps = beside(kernel, pixels)
    for name, array in (("image", pixels), ("kernel", taps)):
        if not bool(xp.all(xp.isfinite(array))):
            raise ValueError(f"{name} must be finite, got NaN or infinite values")
    groups, outputs, inputs = operands.weights.shape[:3]
    taps = xp.reshape(taps, (groups, inputs, outputs, *operands.kernel_shape))
    weights = xp.permute_dims(taps, (0, 2, 1, *range(3, taps.ndim)))
    source = xp.reshape(pixels, operands.source.shape)
    result = conv_transpose_core(source, weights, stride=stride, dilation=dilation, head=head, out=out)
    if bias is not None:
        shift = beside(bias, pixels)
        result = result + xp.reshape(shift, (groups, outputs, *(1 for _ in out)))
    channels = (groups * outputs,) if operands.channels else ()
    return to_dtype(xp.reshape(result, (*operands.lead, *channels, *out)), like.dtype)


def enlarge_anywhere(
    image: AnyArray,
    axes: Sequence[int],
    factors: Sequence[int],
    kernel: Any,
    whole: Array | KernelBank | None,
    on_numpy: Callable[[Array], Array],
) -> AnyArray:
    """`upsample`, axis by axis or by a whole kernel; a bank, which is not linear, by the NumPy code on a copy.

    Raises
    ------
    ValueError
        For a gradient through a bank, and as `upsample`.
    """
    xp = namespace(image)
    if isinstance(whole, KernelBank):
        if asks_for_gradient(image):
            raise ValueError(
                "gradients do not flow through a bank of kernels: detach the image, or take another kernel"
            )
        return beside(on_numpy(to_host(image)), image)
    working, unit = as_float(image)
    if whole is not None:
        taps = beside(kernel if is_foreign(kernel) else whole, working)
        result = _enlarged(working, axes, factors, taps)
    else:
        if not isinstance(kernel, str) and len(set(factors) - {1}) > 1:
            raise ValueError(f"kernel as an array of taps belongs to one factor, got the factors {factors}")
        result = working
        for axis, factor in zip(axes, factors, strict=True):
            if factor > 1:
                taps = kernel if is_foreign(kernel) else kernel_taps(on_host(kernel), factor)
                result = _enlarged(result, [axis], [factor], beside(taps, working))
    result = xp.astype(result, working.dtype, copy=False)
    return to_dtype(result if result is not working else result + 0, image.dtype, unit)


def _enlarged(image: AnyArray, axes: Sequence[int], factors: Sequence[int], taps: AnyArray) -> AnyArray:
    """The image enlarged along some axes by a kernel with an axis for each; beyond the frame its edge pixels go on."""
    xp = namespace(image)
    moved = xp.moveaxis(image, tuple(axes), tuple(range(-len(axes), 0)))
    lead, sides = moved.shape[: -len(axes)], moved.shape[-len(axes) :]
    heads, out = [], []
    for axis, (side, factor, size) in enumerate(zip(sides, factors, taps.shape, strict=True), start=-len(axes)):
        cut = (size - factor) // 2
        ring = -(-cut // factor)
        moved = gather(moved, np.clip(np.arange(-ring, side + ring), 0, side - 1), axis) if ring else moved
        heads.append(ring * factor + cut)
        out.append(side * factor)
    flat = xp.reshape(moved, (math.prod(lead), 1, 1, *moved.shape[len(lead) :]))
    weights = taps[None, None, None, ...]
    large = conv_transpose_core(flat, weights, stride=factors, dilation=[1] * len(axes), head=heads, out=out)
    return xp.moveaxis(xp.reshape(large, (*lead, *out)), tuple(range(-len(axes), 0)), tuple(axes))
