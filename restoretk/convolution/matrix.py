"""Strided convolution written out as a sparse matrix, in the layout of the 4x4 example, with channels as blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_real, check_finite
from restoretk.convolution._windows import overlap
from restoretk.convolution.operands import Padding, per_axis, per_side
from restoretk.convolution.strided import conv_shape

if TYPE_CHECKING:
    import scipy.sparse


def convolution_matrix(
    kernel: npt.ArrayLike,
    shape: int | Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> scipy.sparse.csr_array[Any, tuple[int, int]]:
    """The sparse matrix C of a convolution: ``d.ravel() @ C`` convolves, ``e.ravel() @ C.T`` transposes.

    The entry in the row of input pixel i and the column of output pixel o is the kernel's tap t where
    ``i = o*stride - before + t*dilation`` on every axis, so one column holds the kernel as it lies on the image for
    one output. Without stride and padding C is doubly block Toeplitz; stride leaves out columns, padding leaves out
    rows, dilation spreads the bands. C.T is the adjoint of C and not its inverse.

    With channels C is a block matrix: the block in the rows of input channel i and the columns of output channel o is
    the matrix of ``kernel[o, i]``. With groups it is block diagonal. A batch is no part of it: its images are the rows of
    ``d.reshape(batch, -1) @ C``.

    Parameters
    ----------
    kernel : array_like
        Not flipped: cross-correlation, as deep learning means convolution. Shape (*k) for one channel, or
        (C_out, C_in / groups, *k).
    shape : int or sequence of int
        The shape of the input: (*spatial), or (C_in, *spatial) for a kernel with channels.
    stride, dilation : int or one int for each spatial axis
        As in `restoretk.convolution.strided.conv`.
    padding : int, or for each spatial axis an int or a pair (before, after)
        As in `restoretk.convolution.strided.conv`.
    groups : int
        The channels are split in this many groups, each with its own kernels.

    Returns
    -------
    scipy.sparse.csr_array of shape (input pixels, output pixels)
        float32 for a float32 kernel, int64 for an integer one, else float64. Taps that are 0 are not stored.

    Raises
    ------
    TypeError
        For a kernel that does not hold real numbers.
    ValueError
        If the kernel is empty, not finite, has axes or channels that do not fit the shape, or is larger than the
        padded input.

    Examples
    --------
    >>> import numpy as np
    >>> C = convolution_matrix([1, 2, 3], (5,), stride=2)
    >>> C.toarray().T
    array([[1, 2, 3, 0, 0],
           [0, 0, 1, 2, 3]])
    >>> np.array([1, 10]) @ C.T
    array([ 1,  2, 13, 20, 30])
    """
    import scipy.sparse

    taps = as_real(kernel, "kernel")
    if taps.size == 0 or taps.ndim == 0:
        raise ValueError(f"kernel must have at least one axis and one element, got shape {taps.shape}")
    check_finite(taps, "kernel")
    weights, sizes = _blocks(taps, shape, groups)
    ndim = len(sizes)
    steps = per_axis(stride, ndim, "stride", 1)
    sides = per_side(padding, ndim, "padding")
    spread = per_axis(dilation, ndim, "dilation", 1)
    out = conv_shape(sizes, weights.shape[3:], stride=steps, padding=sides, dilation=spread)

    # The entries of one tap: every pair of pixels under it, for every pair of channels that it joins.
    n_groups, n_out, n_in = weights.shape[:3]
    pixels, results = math.prod(sizes), math.prod(out)
    rows, columns, values = [], [], []
    for tap in np.ndindex(weights.shape[3:]):
        group, channel_out, channel_in = np.nonzero(weights[(..., *tap)])
        offsets = [t * d - before for t, d, (before, _) in zip(tap, spread, sides, strict=True)]
        into, under = _pairs_of_pixels(out, sizes, steps, offsets)
        rows.append(((group * n_in + channel_in) * pixels)[:, None] + under)
        columns.append(((group * n_out + channel_out) * results)[:, None] + into)
        values.append(np.broadcast_to(weights[(group, channel_out, channel_in, *tap)][:, None], rows[-1].shape))
    dtype = taps.dtype if taps.dtype == np.float32 else np.dtype(np.int64 if taps.dtype.kind in "iu" else np.float64)
    entries, row, column = (np.concatenate([one.ravel() for one in part]) for part in (values, rows, columns))
    whole = (n_groups * n_in * pixels, n_groups * n_out * results)
    return scipy.sparse.csr_array((entries.astype(dtype), (row, column)), shape=whole)


def _blocks(taps: Array, shape: int | Sequence[int], groups: int) -> tuple[Array, tuple[int, ...]]:
    """The kernel as (groups, C_out / groups, C_in / groups, *k) and the spatial shape of the input."""
    (groups,) = per_axis(groups, 1, "groups", 1)
    if isinstance(shape, int | np.integer) or len(shape) != taps.ndim - 1 or taps.ndim < 3:
        sizes = per_axis(shape, taps.ndim, "shape", 1)
        if groups != 1:
            raise ValueError(f"groups must be 1 for a kernel without channel axes, got {groups}")
        return taps.reshape((1, 1, 1, *taps.shape)), sizes
    inputs, *sizes_list = per_axis(shape, taps.ndim - 1, "shape", 1)
    outputs, per_group = taps.shape[:2]
    if outputs % groups or inputs != per_group * groups:
        raise ValueError(
            f"kernel of shape {taps.shape} must be (C_out, C_in / groups, *k) with C_out divisible by groups: it does not "
            f"fit an input of {inputs} channels in {groups} groups"
        )
    return taps.reshape((groups, outputs // groups, *taps.shape[1:])), tuple(sizes_list)


def _pairs_of_pixels(
    out: tuple[int, ...], sizes: tuple[int, ...], steps: tuple[int, ...], offsets: list[int]
) -> tuple[Array, Array]:
    """The flat index of every output with a pixel of the input under one tap, and of that pixel."""
    pairs = [overlap(*one) for one in zip(out, sizes, steps, offsets, strict=True)]
    into = np.arange(math.prod(out)).reshape(out)[tuple(slices for slices, _ in pairs)]
    under = np.arange(math.prod(sizes)).reshape(sizes)[tuple(slices for _, slices in pairs)]
    return into.ravel(), under.ravel()
