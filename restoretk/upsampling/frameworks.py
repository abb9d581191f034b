"""What each framework means by a transposed convolution: its own arguments turned into a window of one scatter rule.

Along each axis, with input size n, kernel size k, stride s and dilation d, every framework scatters

    full[i*s + t*d] += x[i] * w[t]          for 0 <= i < n, 0 <= t < k

of length L = (n - 1)*s + (k - 1)*d + 1 and returns ``full[head : head + out]``, zeros beyond the ends. They differ in
the head, in the size out, and in whether w is the kernel or the kernel flipped. Those three are a `Window`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from restoretk.convolution.operands import per_axis

Ints = int | Sequence[int]


@dataclass(frozen=True)
class Window:
    """The part of the full scatter that a framework returns.

    Attributes
    ----------
    head : tuple of int
        Per axis, how many pixels of the full scatter are cut off before the first one that is kept. Negative: so many
        zeros stand before it.
    out : tuple of int
        The size of the result.
    full : tuple of int
        L, the size of the full scatter.
    flipped : bool
        Whether the kernel must be flipped along every axis before it is scattered.

    Examples
    --------
    >>> window = pytorch_window([3], [3], stride=2, padding=1, output_padding=1)
    >>> window.head, window.out, window.padding
    ((1,), (6,), ((1, 0),))
    """

    head: tuple[int, ...]
    out: tuple[int, ...]
    full: tuple[int, ...]
    flipped: bool = False

    @property
    def padding(self) -> tuple[tuple[int, int], ...]:
        """Per axis (before, after): how much of the full scatter is cut off each end; zeros are added where negative."""
        return tuple((h, size - h - m) for h, m, size in zip(self.head, self.out, self.full, strict=True))


def pytorch_window(
    shape: Sequence[int],
    kernel_shape: Sequence[int],
    *,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    output_size: Ints | None = None,
    dilation: Ints = 1,
) -> Window:
    """The window of ``torch.nn.ConvTranspose1d``, ``2d`` and ``3d``: head = padding, more pixels only at the high end.

    Parameters
    ----------
    shape, kernel_shape : sequence of int
        The spatial shapes of the input and of the kernel.
    stride, padding, output_padding, dilation : int or one int for each axis
        As PyTorch has them: ``padding`` >= 0 is cut off both ends, 0 <= ``output_padding`` < max(stride, dilation).
    output_size : int or one int for each axis, or None
        The size wanted, from which PyTorch works out the output_padding: at most stride - 1 above the smallest.

    Raises
    ------
    ValueError
        For values that PyTorch refuses, and for a size that is not reachable.

    Examples
    --------
    >>> pytorch_window([64], [4], stride=2, padding=1).out
    (128,)
    """
    sizes, reach, steps, spread = _common(shape, kernel_shape, stride, dilation)
    heads = per_axis(padding, len(sizes), "padding", 0)
    more = per_axis(output_padding, len(sizes), "output_padding", 0)
    full = _full(sizes, reach, steps)
    least = tuple(size - 2 * p for size, p in zip(full, heads, strict=True))
    if output_size is not None:
        if any(more):
            raise ValueError(
                f"give output_size or output_padding, not both: got {output_size!r} and {output_padding!r}"
            )
        wanted = per_axis(output_size, len(sizes), "output_size", 1)
        if any(not low <= size < low + s for size, low, s in zip(wanted, least, steps, strict=True)):
            most = tuple(low + s - 1 for low, s in zip(least, steps, strict=True))
            raise ValueError(f"output_size must be from {least} to {most} on each axis, got {wanted}")
        return _window(heads, wanted, full)
    _check_output_padding(more, steps, spread)
    return _window(heads, tuple(low + m for low, m in zip(least, more, strict=True)), full)


def onnx_window(
    shape: Sequence[int],
    kernel_shape: Sequence[int],
    *,
    stride: Ints = 1,
    dilation: Ints = 1,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    output_padding: Ints | None = None,
    output_shape: Ints | None = None,
) -> Window:
    """The window of ONNX ``ConvTranspose``.

    With ``pads``, head is the first of each pair. With an ``output_shape``, or with SAME_UPPER or SAME_LOWER, which
    ask for n*stride, ONNX shares the total = stride*(n - 1) + output_padding + kernel reach - out between the ends: an
    odd one has its smaller half before for SAME_UPPER and its larger half before in every other case. So
    ``output_padding`` then moves the head and not the size. A negative total is taken as 0: the zeros that are missing
    go after (for SAME with a kernel shorter than its stride, onnxruntime 1.32 leaves them out and returns less than the
    n*stride of the specification).

    Parameters
    ----------
    shape, kernel_shape : sequence of int
        The spatial shapes of the input and of the kernel.
    stride, dilation : int or one int for each axis
    pads : sequence of 2*D int, or None
        All begins, then all ends, >= 0. Not read when ``output_shape`` or a SAME or VALID ``auto_pad`` is given.
    auto_pad : {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"}
    output_padding, output_shape : int or one int for each axis, or None
        0 <= ``output_padding`` < max(stride, dilation); ``output_shape`` is spatial, without batch and channels.

    Raises
    ------
    ValueError
        For values that ONNX does not have, and an output that would be empty.

    References
    ----------
    ONNX operator specification, ConvTranspose-22.

    Examples
    --------
    >>> onnx_window([3], [3], stride=2, auto_pad="SAME_UPPER").head
    (0,)
    >>> onnx_window([3], [3], stride=2, auto_pad="SAME_LOWER").head
    (1,)
    """
    sizes, reach, steps, spread = _common(shape, kernel_shape, stride, dilation)
    ndim = len(sizes)
    if auto_pad not in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"):
        raise ValueError(f"auto_pad must be NOTSET, SAME_UPPER, SAME_LOWER or VALID, got {auto_pad!r}")
    more = per_axis(0 if output_padding is None else output_padding, ndim, "output_padding", 0)
    _check_output_padding(more, steps, spread)
    full = _full(sizes, reach, steps)
    longest = tuple(size + m for size, m in zip(full, more, strict=True))
    if output_shape is not None or auto_pad.startswith("SAME"):
        out = tuple(n * s for n, s in zip(sizes, steps, strict=True))
        if output_shape is not None:
            out = per_axis(output_shape, ndim, "output_shape", 1)
        totals = [max(size - m, 0) for size, m in zip(longest, out, strict=True)]
        return _window(tuple((t if auto_pad == "SAME_UPPER" else t + 1) // 2 for t in totals), out, full)
    ends = (0,) * (2 * ndim)
    if pads is not None and auto_pad == "NOTSET":
        ends = tuple(int(p) for p in pads)
        if len(ends) != 2 * ndim or min(ends) < 0:
            raise ValueError(
                f"pads must be {2 * ndim} integers of at least 0, all begins and then all ends, got {pads!r}"
            )
    out = tuple(size - b - e for size, b, e in zip(longest, ends[:ndim], ends[ndim:], strict=True))
    return _window(ends[:ndim], out, full)


def tensorflow_window(
    shape: Sequence[int],
    kernel_shape: Sequence[int],
    *,
    stride: Ints = 1,
    dilation: Ints = 1,
    padding: str = "same",
    output_padding: Ints | None = None,
) -> Window:
    """The window of Keras ``Conv1DTranspose``, ``Conv2DTranspose`` and ``Conv3DTranspose`` on TensorFlow.

    "same" returns n*stride and cuts the smaller half of what is too much before it; where the kernel is shorter than
    the stride, zeros stand after it. With an ``output_padding`` the size is (n - 1)*stride + reach % 2 +
    output_padding, cut in the same way: the head moves with it.

    Parameters
    ----------
    shape, kernel_shape : sequence of int
        The spatial shapes of the input and of the kernel.
    stride, dilation : int or one int for each axis
        Keras refuses both above 1 together.
    padding : {"same", "valid"}
    output_padding : int or one int for each axis, or None
        Smaller than the stride.

    Raises
    ------
    ValueError
        For values that Keras or TensorFlow refuses.

    Examples
    --------
    >>> tensorflow_window([3], [3], stride=2).padding
    ((0, 1),)
    >>> tensorflow_window([3], [3], stride=2, output_padding=0).padding
    ((1, 1),)
    """
    sizes, reach, steps, spread = _common(shape, kernel_shape, stride, dilation)
    if padding not in ("same", "valid"):
        raise ValueError(f"padding must be 'same' or 'valid', got {padding!r}")
    if max(steps) > 1 and max(spread) > 1:
        raise ValueError(f"Keras has no stride {steps} together with dilation {spread}: one of them must be 1")
    full = _full(sizes, reach, steps)
    if output_padding is None:
        if padding == "valid":
            longer = tuple(max(size, n * s) for size, n, s in zip(full, sizes, steps, strict=True))
            return _window((0,) * len(sizes), longer, full)
        out = tuple(n * s for n, s in zip(sizes, steps, strict=True))
    else:
        more = per_axis(output_padding, len(sizes), "output_padding", 0)
        if any(m >= s for m, s in zip(more, steps, strict=True)):
            raise ValueError(f"output_padding must be smaller than the stride {steps}, got {output_padding!r}")
        if padding == "valid":
            return _window((0,) * len(sizes), tuple(size + m for size, m in zip(full, more, strict=True)), full)
        out = tuple((n - 1) * s + r % 2 + m for n, s, r, m in zip(sizes, steps, reach, more, strict=True))
        if any(m <= (n - 1) * s for m, n, s in zip(out, sizes, steps, strict=True)):
            raise ValueError(
                f"output_padding {output_padding!r} with an even kernel gives the size {out}, from which a convolution "
                f"with stride {steps} does not lead back to {sizes}: TensorFlow refuses it"
            )
    return _window(tuple(max(size - m, 0) // 2 for size, m in zip(full, out, strict=True)), out, full)


def jax_window(
    shape: Sequence[int],
    kernel_shape: Sequence[int],
    *,
    stride: Ints = 1,
    dilation: Ints = 1,
    padding: str | Sequence[tuple[int, int]] = "SAME",
    transpose_kernel: bool = False,
    use_consistent_padding: bool = False,
) -> Window:
    """The window of ``jax.lax.conv_transpose``, which flips the kernel unless ``transpose_kernel=True``.

    "SAME" and "VALID" return the pixels that TensorFlow returns. Explicit pairs (lo, hi) are zeros added around the
    zero-stuffed input, so head = reach - 1 - lo with the reach (k - 1)*dilation + 1 of the kernel; with
    ``use_consistent_padding=True`` they are cut off the full scatter instead, as PyTorch's padding is.

    Parameters
    ----------
    shape, kernel_shape : sequence of int
        The spatial shapes of the input and of the kernel.
    stride, dilation : int or one int for each axis
        ``strides`` and ``rhs_dilation`` in JAX.
    padding : "SAME", "VALID" or one pair of int for each axis
    transpose_kernel, use_consistent_padding : bool
        As in JAX; both are False there by default.

    Raises
    ------
    ValueError
        For a padding that JAX does not have, and an output that would be empty.

    Examples
    --------
    >>> jax_window([3], [3], stride=2, padding="VALID")
    Window(head=(0,), out=(7,), full=(7,), flipped=True)
    """
    sizes, reach, steps, _ = _common(shape, kernel_shape, stride, dilation)
    full, flipped = _full(sizes, reach, steps), not transpose_kernel
    if isinstance(padding, str):
        if padding not in ("SAME", "VALID"):
            raise ValueError(f"padding must be 'SAME', 'VALID' or pairs of integers, got {padding!r}")
        out = tuple(n * s for n, s in zip(sizes, steps, strict=True))
        if padding == "VALID":
            return _window((0,) * len(sizes), tuple(map(max, full, out)), full, flipped)
        return _window(tuple(max(r - s, 0) // 2 for r, s in zip(reach, steps, strict=True)), out, full, flipped)
    if len(padding) != len(sizes) or any(len(pair) != 2 for pair in padding):
        raise ValueError(f"padding must be a pair of integers for each of the {len(sizes)} axes, got {padding!r}")
    cuts = [(int(low), int(high)) for low, high in padding]
    if not use_consistent_padding:
        cuts = [(r - 1 - low, r - 1 - high) for (low, high), r in zip(cuts, reach, strict=True)]
    return _window(
        tuple(low for low, _ in cuts),
        tuple(size - low - high for size, (low, high) in zip(full, cuts, strict=True)),
        full,
        flipped,
    )


def _common(
    shape: Sequence[int], kernel_shape: Sequence[int], stride: Ints, dilation: Ints
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The sizes of the input, the reach (k - 1)*d + 1 of the kernel, the strides and the dilations."""
    sizes = per_axis(shape, len(shape), "shape", 1)
    taps = per_axis(kernel_shape, len(sizes), "kernel_shape", 1)
    spread = per_axis(dilation, len(sizes), "dilation", 1)
    reach = tuple((k - 1) * d + 1 for k, d in zip(taps, spread, strict=True))
    return sizes, reach, per_axis(stride, len(sizes), "stride", 1), spread


def _full(sizes: Sequence[int], reach: Sequence[int], steps: Sequence[int]) -> tuple[int, ...]:
    """L on every axis."""
    return tuple((n - 1) * s + r for n, r, s in zip(sizes, reach, steps, strict=True))


def _check_output_padding(more: Sequence[int], steps: Sequence[int], spread: Sequence[int]) -> None:
    """The rule of PyTorch and ONNX."""
    if any(m >= max(s, d) for m, s, d in zip(more, steps, spread, strict=True)):
        raise ValueError(
            f"output_padding must be smaller than the stride {tuple(steps)} or the dilation {tuple(spread)}, "
            f"got {tuple(more)}"
        )


def _window(head: tuple[int, ...], out: tuple[int, ...], full: tuple[int, ...], flipped: bool = False) -> Window:
    """The window, unless nothing of the output is left."""
    if min(out) < 1:
        raise ValueError(f"padding cuts off everything: of the full size {full} there would be left {out}")
    return Window(head, out, full, flipped)
