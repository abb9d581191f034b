"""The convolution and pixel shuffle that return the pixels of a transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from restoretk._arrays import Array


@dataclass(frozen=True)
class SubpixelConvolution:
    """The convolution and pixel shuffle that return the pixels of a transposed convolution.

    ``y[j*stride + phase] = sum over u of weights[phase, u] * x[j + offset + u]``, zeros beyond the input, cut to the
    size of the output.

    Attributes
    ----------
    weights : ndarray of shape (*stride, *taps)
        One small kernel for each phase: ``weights[phase, u] = kernel[t]`` where
        ``t*dilation = phase + padding - stride*(offset + u)``, and 0 where there is no such tap.
    offset : tuple of int
        The first input pixel that is read, counted from j.
    padding : tuple of (int, int)
        Per axis, the zeros to put before and after the input so that a convolution without padding gives every j;
        negative where input pixels are left out.
    """

    weights: Array
    offset: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]


def subpixel_convolution(
    kernel: Array,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    shape: Sequence[int],
    out: Sequence[int],
) -> SubpixelConvolution:
    """The equivalent of a transposed convolution with one channel of the given input and output sizes.

    W[phase, u] = K[(phase + padding - stride*(offset + u)) / dilation], 0 where that is no tap.

    References
    ----------
    W. Shi et al., Is the deconvolution layer the same as a convolutional layer?, arXiv:1609.07009.

    Examples
    --------
    >>> import numpy as np
    >>> same = subpixel_convolution(np.array([1, 2, 3]), stride=[2], padding=[1], dilation=[1], shape=[3], out=[6])
    >>> same.weights, same.offset
    (array([[2, 0],
           [3, 1]]), (0,))
    """
    offset, count, ends = [], [], []
    for n, k, s, p, d, m in zip(shape, kernel.shape, stride, padding, dilation, out, strict=True):
        first, last = -((d * (k - 1) - p) // s), (s - 1 + p) // s
        offset.append(first)
        count.append(last - first + 1)
        ends.append((-first, -(-m // s) - 1 + last - (n - 1)))
    weights = np.zeros((*stride, *count), kernel.dtype)
    for index in np.ndindex(weights.shape):
        phase, u = index[: kernel.ndim], index[kernel.ndim :]
        places = [
            divmod(a + p - s * (o + b), d)
            for a, p, s, o, b, d in zip(phase, padding, stride, offset, u, dilation, strict=True)
        ]
        if all(rest == 0 and 0 <= t < k for (t, rest), k in zip(places, kernel.shape, strict=True)):
            weights[index] = kernel[tuple(t for t, _ in places)]
    return SubpixelConvolution(weights, tuple(offset), tuple(ends))
