"""The strided convolution of one channel written out as a sparse matrix, in the layout of the 4x4 example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import check_finite
from restoretk.convolution.operands import per_axis
from restoretk.convolution.strided import conv_shape

if TYPE_CHECKING:
    import scipy.sparse


def convolution_matrix(
    kernel: npt.ArrayLike,
    shape: Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> scipy.sparse.csr_array[Any, tuple[int, int]]:
    """The sparse matrix C of a convolution: ``d.ravel() @ C`` convolves, ``e.ravel() @ C.T`` transposes.

    The entry in the row of input pixel i and the column of output pixel o is the kernel's tap t where
    ``i = o*stride - padding + t*dilation`` on every axis, so one column holds the kernel as it lies on the image for
    one output. Without stride and padding C is doubly block Toeplitz; stride leaves out columns, padding leaves out
    rows, dilation spreads the bands. C.T is the adjoint of C and not its inverse.

    Parameters
    ----------
    kernel : array_like of D axes
        Not flipped: cross-correlation, as deep learning means convolution.
    shape : sequence of D int
        The shape of the input.
    stride, padding, dilation : int or one int for each axis
        As in `restoretk.convolution.strided.conv`.

    Returns
    -------
    scipy.sparse.csr_array of shape (input pixels, output pixels)
        float32 for a float32 kernel, int64 for an integer one, else float64. Taps that are 0 are not stored.

    Raises
    ------
    TypeError
        For a kernel that does not hold real numbers.
    ValueError
        If the kernel is empty, not finite, has another number of axes than the shape, or is larger than the padded
        input.

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

    taps = np.asarray(kernel)
    if taps.dtype.kind not in "iuf" or taps.dtype.itemsize > 8:
        raise TypeError(f"kernel must hold integers or floats of at most 64 bits, got dtype {taps.dtype}")
    if taps.size == 0 or taps.ndim == 0:
        raise ValueError(f"kernel must have at least one axis and one element, got shape {taps.shape}")
    check_finite(taps, "kernel")
    sizes = per_axis(shape, taps.ndim, "shape", 1)
    steps = per_axis(stride, taps.ndim, "stride", 1)
    heads = per_axis(padding, taps.ndim, "padding", 0)
    spread = per_axis(dilation, taps.ndim, "dilation", 1)
    out = conv_shape(sizes, taps.shape, stride=steps, padding=heads, dilation=spread)

    rows, columns, values = [], [], []
    outputs = np.arange(int(np.prod(out))).reshape(out)
    for tap in zip(*np.nonzero(taps), strict=True):
        # Per axis, the input index under this tap for every output; those beyond the input read zeros and are left out.
        under = [
            np.arange(m) * s - p + int(t) * d for m, s, p, t, d in zip(out, steps, heads, tap, spread, strict=True)
        ]
        inside = [(index >= 0) & (index < n) for index, n in zip(under, sizes, strict=True)]
        chosen = [index[keep] for index, keep in zip(under, inside, strict=True)]
        rows.append(np.ravel_multi_index(np.meshgrid(*chosen, indexing="ij"), sizes).ravel())
        columns.append(outputs[np.ix_(*inside)].ravel())
        values.append(np.full(rows[-1].size, taps[tap]))
    dtype = taps.dtype if taps.dtype == np.float32 else np.dtype(np.int64 if taps.dtype.kind in "iu" else np.float64)
    shape_2d = (int(np.prod(sizes)), int(np.prod(out)))
    if not values:
        return scipy.sparse.csr_array(shape_2d, dtype=dtype)
    entries = np.concatenate(values).astype(dtype)
    return scipy.sparse.csr_array((entries, (np.concatenate(rows), np.concatenate(columns))), shape=shape_2d)
