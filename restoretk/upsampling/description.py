"""A transposed convolution described before it is run: sizes, crops, overlap, matrix, and what else would do the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_real, check_finite
from restoretk.convolution.operands import per_axis
from restoretk.upsampling.frameworks import Ints, Window, pytorch_window
from restoretk.upsampling.spelling import shift_warnings, spell_calls
from restoretk.upsampling.subpixel import SubpixelConvolution, subpixel_convolution
from restoretk.upsampling.transposed import conv_transpose

if TYPE_CHECKING:
    import scipy.sparse

# Numbers that are not 0 in a matrix that is still built: a second of work and some ten MB.
_MOST_ENTRIES = 1_000_000
# Arrays up to this size go into the JSON number by number.
_MOST_LISTED = 4096


@dataclass(frozen=True)
class ConvTransposeDescription:
    """What one call of a transposed convolution will do, in PyTorch's meaning of its arguments.

    Attributes
    ----------
    shape : tuple of int
        The size of the input x.
    kernel : ndarray
        Its taps; numbered 1, 2, 3, ... where only a size was given (``numbered``).
    numbered : bool
    stride, padding, output_padding, dilation : tuple of int
        One for each axis.
    window : Window
        Head, size of the output and size of the full scatter; ``window.padding`` is the crop of head and tail.
    formula : tuple of str
        Per axis, the size of the output with its numbers filled in.
    overlap : tuple of ndarray
        Per axis, how many copies of the kernel reach each output pixel; the counts of the image are their outer product
        (see `overlap_counts`).
    subpixel : SubpixelConvolution
        The equivalent convolution with pixel-shuffle weights.
    calls : dict of str
        The same call as code for PyTorch, Keras, ONNX and JAX.
    shift : tuple of float
        Per axis, how many output pixels the picture lies after the place where the middle of the output is the middle
        of the input (the half-pixel grid).
    warnings : tuple of str
        Where calls that look the same return other pixels, and where the output is uneven.
    image, result : ndarray or None
        The input and the output, if values were given.
    """

    shape: tuple[int, ...]
    kernel: Array
    numbered: bool
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]
    window: Window
    formula: tuple[str, ...]
    overlap: tuple[Array, ...]
    subpixel: SubpixelConvolution
    calls: dict[str, str]
    shift: tuple[float, ...]
    warnings: tuple[str, ...]
    image: Array | None = None
    result: Array | None = None

    def overlap_counts(self) -> Array:
        """How many copies of the kernel reach each output pixel: the transposed convolution of ones with ones."""
        counts = np.ones((1,) * len(self.overlap), np.int64)
        for axis, along in enumerate(self.overlap):
            counts = counts * along.reshape((-1,) + (1,) * (len(self.overlap) - axis - 1))
        return counts

    def entries(self) -> int:
        """An upper bound of the numbers that are not 0 in the matrix."""
        return math.prod(self.shape) * int(np.count_nonzero(self.kernel))

    def matrix(self) -> scipy.sparse.csr_array[Any, tuple[int, int]]:
        """Cᵀ of shape (input pixels, output pixels): each row is the kernel as it lies on the output for one input pixel.

        ``x.ravel() @ matrix`` is the transposed convolution. ValueError for more than a million entries.
        """
        from restoretk.convolution.matrix import convolution_matrix

        if self.entries() > _MOST_ENTRIES:
            raise ValueError(
                f"matrix must have at most {_MOST_ENTRIES} entries to be written out, got {self.entries()}"
            )
        C = convolution_matrix(
            self.kernel, self.window.out, stride=self.stride, padding=self.padding, dilation=self.dilation
        ).tocsc()
        # An output_padding of a stride or more (which a dilation allows) leaves room for outputs that x does not have.
        room = (
            (m + 2 * p - d * (k - 1) - 1) // s + 1
            for m, p, d, k, s in zip(
                self.window.out, self.padding, self.dilation, self.kernel.shape, self.stride, strict=True
            )
        )
        kept = np.arange(C.shape[1]).reshape(tuple(room))[tuple(slice(n) for n in self.shape)]
        return C[:, kept.ravel()].T.tocsr()

    def as_dict(self) -> dict[str, Any]:
        """Everything as lists, numbers and strings for JSON; the matrix and the counts only where they are small."""
        small = math.prod(self.shape) * math.prod(self.window.out) <= _MOST_LISTED
        counts = math.prod(self.window.out) <= _MOST_LISTED
        return {
            "shape": list(self.shape),
            "kernel": self.kernel.tolist(),
            "kernel_is_numbered": self.numbered,
            "stride": list(self.stride),
            "padding": list(self.padding),
            "output_padding": list(self.output_padding),
            "dilation": list(self.dilation),
            "output_shape": list(self.window.out),
            "full_shape": list(self.window.full),
            "crop": [list(pair) for pair in self.window.padding],
            "formula": list(self.formula),
            "shift": list(self.shift),
            "overlap_per_axis": [along.tolist() for along in self.overlap],
            "overlap": self.overlap_counts().tolist() if counts else None,
            "matrix": self.matrix().toarray().tolist() if small else None,
            "subpixel": {
                "weights": self.subpixel.weights.tolist(),
                "offset": list(self.subpixel.offset),
                "padding": [list(pair) for pair in self.subpixel.padding],
            },
            "calls": dict(self.calls),
            "warnings": list(self.warnings),
            "image": None if self.image is None else self.image.tolist(),
            "result": None if self.result is None else self.result.tolist(),
        }


def describe_conv_transpose(
    shape: Sequence[int] | None = None,
    kernel: npt.ArrayLike | None = None,
    *,
    kernel_shape: Sequence[int] | None = None,
    image: npt.ArrayLike | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    dilation: Ints = 1,
) -> ConvTransposeDescription:
    """What ``conv_transpose`` with these arguments will do, for one channel.

    Parameters
    ----------
    shape : sequence of 1 to 3 int
        The size of the input; or leave it out and give ``image``, its values.
    kernel : array_like of as many axes
        The taps; or leave it out and give ``kernel_shape``: the taps are then numbered from 1.
    stride, padding, output_padding, dilation : int or one int for each axis
        As in `restoretk.upsampling.conv_transpose`.

    Raises
    ------
    TypeError, ValueError
        For sizes and values that `conv_transpose` refuses too.

    Examples
    --------
    >>> call = describe_conv_transpose([3], [1, 2, 3], stride=2, padding=1, output_padding=1)
    >>> call.formula[0]
    '(3 - 1)*2 - 2*1 + 1*(3 - 1) + 1 + 1 = 6'
    >>> call.overlap[0]
    array([1, 2, 1, 2, 1, 1])
    >>> call.subpixel.weights  # one row for each phase, read on x[j] and x[j + 1]
    array([[2, 0],
           [3, 1]])
    """
    values = None if image is None else _numbers(image, "image")
    if (shape is None) == (values is None) or (kernel is None) == (kernel_shape is None):
        raise ValueError("give shape or image, and kernel or kernel_shape: one of each pair")
    given = tuple(shape) if shape is not None else () if values is None else values.shape
    if not 1 <= len(given) <= 3:
        raise ValueError(f"shape must have 1, 2 or 3 axes, got {given}")
    sizes = per_axis(given, len(given), "shape", 1)
    if kernel_shape is not None:
        extent = per_axis(kernel_shape, len(sizes), "kernel_shape", 1)
        _at_most(extent, _MOST_ENTRIES, "kernel_shape")
        taps: Array = np.arange(1, math.prod(extent) + 1).reshape(extent)
    else:
        taps = _numbers(() if kernel is None else kernel, "kernel")
        if taps.ndim != len(sizes):
            raise ValueError(f"kernel must have as many axes as the input, {len(sizes)}, got shape {taps.shape}")
    steps, spread = per_axis(stride, len(sizes), "stride", 1), per_axis(dilation, len(sizes), "dilation", 1)
    window = pytorch_window(
        sizes, taps.shape, stride=steps, padding=padding, output_padding=output_padding, dilation=spread
    )
    for along in window.full:
        _at_most((along,), _MOST_ENTRIES, "full size")
    heads = window.head
    more = per_axis(output_padding, len(sizes), "output_padding", 0)
    axes = list(zip(sizes, taps.shape, steps, heads, more, spread, window.out, strict=True))
    overlap = tuple(
        conv_transpose(np.ones(n, np.int64), np.ones(k, np.int64), stride=s, padding=p, output_padding=op, dilation=d)
        for n, k, s, p, op, d, _ in axes
    )
    result = None
    if values is not None:
        result = conv_transpose(
            values, taps, stride=steps, padding=heads, output_padding=more, dilation=spread, spatial_ndim=taps.ndim
        )
    return ConvTransposeDescription(
        shape=sizes,
        kernel=taps,
        numbered=kernel_shape is not None,
        stride=steps,
        padding=heads,
        output_padding=more,
        dilation=spread,
        window=window,
        formula=tuple(f"({n} - 1)*{s} - 2*{p} + {d}*({k} - 1) + {op} + 1 = {out}" for n, k, s, p, op, d, out in axes),
        overlap=overlap,
        subpixel=subpixel_convolution(taps, stride=steps, padding=heads, dilation=spread, shape=sizes, out=window.out),
        calls=spell_calls(sizes, taps.shape, steps, heads, more, spread, window),
        shift=tuple((after - before) / 2 for before, after in window.padding),
        warnings=(*shift_warnings(sizes, taps.shape, steps, spread, window), *_uneven(taps.shape, steps, spread)),
        image=values,
        result=result,
    )


def _uneven(kernel_shape: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> tuple[str, ...]:
    """A sentence where neighbouring outputs, away from the ends, are reached by different numbers of taps."""
    for k, s, d in zip(kernel_shape, stride, dilation, strict=True):
        counts = np.bincount(np.arange(k) * d % s, minlength=s)
        if counts.min() == 0:
            reach = f"{k} taps{f' at distance {d}' if d > 1 else ''}"
            return (f"The kernel ({reach}) does not fill the stride ({s}): some outputs get nothing and stay 0.",)
        if counts.min() != counts.max():
            return (
                f"Neighbouring outputs are reached by {counts.min()} or {counts.max()} taps along an axis, because the "
                f"kernel ({k}) is not a multiple of the stride ({s}): a checkerboard, unless the taps of every phase "
                f"have the same sum.",
            )
    return ()


def _numbers(values: npt.ArrayLike, name: str) -> Array:
    """A copy as int64 or float64."""
    array = as_real(values, name).copy()
    if array.size == 0 or not 1 <= array.ndim <= 3:
        raise ValueError(f"{name} must have 1, 2 or 3 axes and at least one element, got shape {array.shape}")
    check_finite(array, name)
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)


def _at_most(sizes: Sequence[int], most: int, name: str) -> None:
    if math.prod(sizes) > most:
        raise ValueError(f"{name} must be at most {most} pixels to be explained, got {tuple(sizes)}")
