"""Transposed convolution: the adjoint of a strided convolution, which deep learning calls "deconvolution"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from restoretk._any_array import is_foreign
from restoretk._arrays import Array
from restoretk.convolution.operands import Padding, as_operands, per_axis, per_side
from restoretk.convolution.strided import conv_transpose_core
from restoretk.upsampling._any_array import scatter_anywhere, stand_in


def conv_transpose(
    image: npt.ArrayLike,
    kernel: npt.ArrayLike,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    output_padding: int | Sequence[int] = 0,
    output_size: int | Sequence[int] | None = None,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    bias: npt.ArrayLike | None = None,
    spatial_ndim: int | None = None,
) -> Array:
    """The transposed convolution of an image, in PyTorch's meaning of every option.

    Each input pixel puts a copy of the kernel, scaled by its value, ``stride`` output pixels after its neighbour's;
    copies that overlap add; ``padding`` pixels are cut off both ends. Per axis, with input size n, kernel size k, and
    padding (before, after), which one number stands for twice,

        full[i*stride + t*dilation] += x[i] * w[t],     y = full[before : before + out],
        out = (n - 1)*stride - before - after + dilation*(k - 1) + output_padding + 1.

    Every framework's transposed convolution is a choice of (before, after); `restoretk.upsampling.frameworks` has them.
    It is the adjoint of `restoretk.convolution.strided.conv` with the same options, *not* its inverse: it brings back
    the shape and the places, not the values.

    Parameters
    ----------
    image : array_like of shape (*spatial) or (..., channels, *spatial)
        One, two or three spatial axes.
    kernel : array_like
        Shape (*k) for one channel; further axes of the image before the spatial ones are then a stack. Shape
        (C_in, C_out / groups, *k) for many channels (the mirror of a convolution's kernel); the image then has its
        channels just before the spatial axes, with or without a batch before them.
    stride, dilation : int or one int for each spatial axis
        At least 1.
    padding : int, or for each spatial axis an int or a pair (before, after)
        How many pixels to cut off the ends of the full result (it adds no pixels: the name is the convolution's): one
        number, at least 0, for both ends, or a pair, in which a negative number adds zeros beyond the end.
    output_padding : int or one int for each spatial axis
        How many further pixels to keep at the high end, 0 <= output_padding < max(stride, dilation). They are computed
        pixels, zero only where no copy of the kernel reaches.
    output_size : int, one int for each spatial axis, or None
        The spatial shape of the result, in place of ``output_padding``: a convolution with this stride maps
        ``stride`` sizes to one, and only those can be had back.
    groups : int
        The channels are split in this many groups, each with its own kernels.
    bias : array_like of shape (C_out,), or a number for one channel
        Added to the result, also where no copy of the kernel reaches.
    spatial_ndim : int or None
        The number of spatial axes. None: as many as a kernel of one or two axes has, or of three axes on an image of at
        least three; any other kernel has its two channel axes first. A batch of 1-D signals with channels, whose kernel
        has three axes as a volume's has, needs ``spatial_ndim=1``.

    Returns
    -------
    ndarray
        In the layout of the image. Floats keep the image's dtype; integers are numbers here, not fractions of white:
        they give int64 when kernel and bias are integers too, else float64.

    Raises
    ------
    TypeError
        For arrays that are not real numbers.
    ValueError
        For values that are not finite, shapes that do not fit, an ``output_padding`` that is too large, an
        ``output_size`` that cannot be reached, or a ``padding`` that leaves nothing.

    Notes
    -----
    The copies are not flipped, so without stride this is true convolution, ``scipy.signal.convolve(image, kernel)``:
    the adjoint of correlation is convolution. What lies beyond the image counts as zeros, which darkens the borders of
    a picture; `restoretk.upsampling.upsample` continues the edge pixels instead.

    References
    ----------
    V. Dumoulin, F. Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285, section 4.

    Examples
    --------
    >>> conv_transpose([1, 10, 100], [1, 2, 3], stride=2)
    array([  1,   2,  13,  20, 130, 200, 300])
    >>> conv_transpose([1, 10, 100], [1, 2, 3], stride=2, padding=1, output_padding=1)
    array([  2,  13,  20, 130, 200, 300])
    """
    foreign = is_foreign(image) or is_foreign(kernel)
    # The shapes of arrays of another library are checked on stand-ins; they themselves stay where they are.
    stand_ins: list[Any] = [stand_in(each) for each in (image, kernel, bias)] if foreign else [image, kernel, bias]
    operands = as_operands(*stand_ins, groups=groups, spatial_ndim=spatial_ndim, transposed=True)
    ndim = operands.spatial_ndim
    steps = per_axis(stride, ndim, "stride", 1)
    sides = per_side(padding, ndim, "padding")
    tails = per_axis(output_padding, ndim, "output_padding", 0)
    spread = per_axis(dilation, ndim, "dilation", 1)
    if any(more >= max(s, d) for more, s, d in zip(tails, steps, spread, strict=True)):
        raise ValueError(
            f"output_padding must be smaller than the stride {steps} or the dilation {spread}, got {output_padding!r}"
        )
    least = tuple(
        (n - 1) * s - before - after + d * (k - 1) + 1
        for n, k, s, (before, after), d in zip(operands.shape, operands.kernel_shape, steps, sides, spread, strict=True)
    )
    if output_size is None:
        out = tuple(size + more for size, more in zip(least, tails, strict=True))
    elif any(tails):
        raise ValueError(f"output_padding {output_padding!r} and output_size {output_size!r} exclude each other")
    else:
        out = _reached(per_axis(output_size, ndim, "output_size", 1), least, steps)
    if min(out) < 1:
        raise ValueError(
            f"padding {padding!r} cuts off everything: an image of {operands.shape} and a kernel of "
            f"{operands.kernel_shape} with stride {steps} would give the shape {out}"
        )
    heads = [before for before, _ in sides]
    if foreign:
        return scatter_anywhere(image, kernel, bias, operands, stride=steps, dilation=spread, head=heads, out=out)
    return operands.finish(
        conv_transpose_core(operands.source, operands.weights, stride=steps, dilation=spread, head=heads, out=out)
    )


def _reached(wanted: tuple[int, ...], least: tuple[int, ...], steps: tuple[int, ...]) -> tuple[int, ...]:
    """The wanted shape, or a ValueError with the sizes that can be had along each axis."""
    reachable = [range(max(1, size), size + step) for size, step in zip(least, steps, strict=True)]
    if any(size not in sizes for size, sizes in zip(wanted, reachable, strict=True)):
        spans = [
            f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else ", ".join(map(str, sizes)) or "none"
            for sizes in reachable
        ]
        raise ValueError(
            f"output_size {wanted} cannot be reached with stride {steps}: the sizes that can, axis by axis, are "
            + "; ".join(spans)
        )
    return wanted
