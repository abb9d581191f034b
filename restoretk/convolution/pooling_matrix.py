"""Pooling written out as sparse matrices: average pooling for every image, max pooling for the image at hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from restoretk.convolution._pool_windows import pool_windows
from restoretk.convolution.max_pooling import max_pool_with_indices
from restoretk.convolution.operands import Padding

if TYPE_CHECKING:
    import scipy.sparse


def average_pooling_matrix(
    size: int | Sequence[int],
    shape: Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> scipy.sparse.csr_array[Any, tuple[int, int]]:
    """The sparse matrix P of average pooling: ``d.ravel() @ P`` pools one plane, ``e.ravel() @ P.T`` is the adjoint.

    It is the Kronecker product of one small matrix for each axis, so that a stack of planes is
    ``planes.reshape(count, -1) @ P``. With windows side by side that fill the image its columns are orthogonal, and the
    pseudo-inverse of P is P.T times the number of pixels in a window: nearest-neighbour upsampling.

    Parameters
    ----------
    size : int or one int for each axis
        The sides of a window.
    shape : sequence of int
        The spatial shape of the input.
    stride, padding, dilation, ceil_mode, count_include_pad
        As in `restoretk.convolution.average_pooling.average_pool`.

    Returns
    -------
    scipy.sparse.csr_array of float64 and of shape (input pixels, windows)

    Raises
    ------
    TypeError, ValueError
        As `restoretk.convolution.average_pooling.average_pool`.

    Examples
    --------
    >>> average_pooling_matrix(2, (4,)).toarray().T
    array([[0.5, 0.5, 0. , 0. ],
           [0. , 0. , 0.5, 0.5]])
    """
    import scipy.sparse

    windows = pool_windows(shape, size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
    sums = scipy.sparse.csr_array([[1.0]])
    for axis, (n, m) in enumerate(zip(windows.shape, windows.out, strict=True)):
        pairs = [(np.arange(n)[taken], np.arange(m)[into]) for into, taken in windows.taps(axis)]
        rows = np.concatenate([row for row, _ in pairs] or [np.empty(0, np.int64)])
        columns = np.concatenate([column for _, column in pairs] or [np.empty(0, np.int64)])
        along = scipy.sparse.csr_array((np.ones(rows.size), (rows, columns)), shape=(n, m))
        sums = scipy.sparse.csr_array(scipy.sparse.kron(sums, along))
    counts = windows.counts(include_padding=count_include_pad).ravel()
    return scipy.sparse.csr_array(sums @ scipy.sparse.diags_array(1 / counts))


def max_pooling_matrix(
    image: npt.ArrayLike,
    size: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    spatial_ndim: int | None = None,
) -> scipy.sparse.csr_array[Any, tuple[int, int]]:
    """The sparse 0/1 matrix S that selects what max pooling selects from this image: ``image.ravel() @ S`` pools it.

    S depends on the image: max pooling is not linear, only its choice is a matrix. S has one 1 in each column, and
    ``e.ravel() @ S.T`` is the adjoint, which adds. Without overlapping windows S.T @ S is the identity, S.T is the
    pseudo-inverse of S and the same as max unpooling.

    Parameters
    ----------
    image, size, stride, padding, dilation, ceil_mode, spatial_ndim
        As in `restoretk.convolution.max_pooling.max_pool`; a stack of planes gives a block diagonal matrix.

    Returns
    -------
    scipy.sparse.csr_array of int64 and of shape (image.size, windows)
        A window without any pixel has an empty column.

    Raises
    ------
    TypeError, ValueError
        As `restoretk.convolution.max_pooling.max_pool`.

    Examples
    --------
    >>> max_pooling_matrix([1, 5, 2, 4], 2).toarray().T
    array([[0, 1, 0, 0],
           [0, 0, 0, 1]])
    """
    import scipy.sparse

    _, indices = max_pool_with_indices(
        image,
        size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
        spatial_ndim=spatial_ndim,
        count_over="array",
    )
    columns = np.flatnonzero(indices.ravel() >= 0)
    rows = indices.ravel()[columns]
    shape = (math.prod(np.shape(image)), indices.size)
    return scipy.sparse.csr_array((np.ones(rows.size, np.int64), (rows, columns)), shape=shape)
