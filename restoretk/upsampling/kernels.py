"""Interpolation kernels sampled for a factor: 1-D taps on the half-pixel grid, by function and by name.

Output pixel m of an upsampling by s sits at (m + 0.5)/s - 0.5 in units of input pixels. An interpolation function f of
half-width R input pixels gives the tap f((u - (s - 1)/2) / s) at every whole u with |u - (s - 1)/2| < R*s: 2*R*s taps
for even s, 2*R*s - 1 for odd s. Their number minus s is even, and half of it is the crop at either end that makes a
transposed convolution of stride s, n -> n*s, lie on that grid. The taps are for upsampling: they sum to s, not to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, check_finite
from restoretk._grammar import bind

# What a kernel may be where one is asked for: a name in the grammar, or taps.
KernelLike = str | npt.ArrayLike


def nearest_kernel(factor: int) -> Array:
    """The taps of nearest-neighbour upsampling: each pixel is repeated ``factor`` times.

    Examples
    --------
    >>> nearest_kernel(2)
    array([1., 1.])
    """
    return np.ones(_check_factor(factor))


def bilinear_kernel(factor: int) -> Array:
    """The taps of linear interpolation, the triangle of half-width 1: the kernel of fully convolutional networks.

    References
    ----------
    J. Long, E. Shelhamer, T. Darrell, Fully convolutional networks for semantic segmentation, 2015, section 3.3.

    Examples
    --------
    >>> bilinear_kernel(2)
    array([0.25, 0.75, 0.75, 0.25])
    """
    return np.maximum(0, 1 - np.abs(_positions(factor, 1)))


def bicubic_kernel(factor: int, *, a: float = -0.5) -> Array:
    """The taps of cubic convolution, half-width 2, with slope ``a`` at distance 1.

    Parameters
    ----------
    factor : int
        At least 1.
    a : float
        -0.5 reproduces quadratics and is what MATLAB and Pillow mean by bicubic; -0.75, sharper with more overshoot, is
        that of PyTorch, OpenCV and ONNX.

    References
    ----------
    R. G. Keys, Cubic convolution interpolation for digital image processing, 1981, equation (15) for a = -1/2.

    Examples
    --------
    >>> bicubic_kernel(2)[:4]
    array([-0.0234375, -0.0703125,  0.2265625,  0.8671875])
    """
    if not np.isfinite(a):
        raise ValueError(f"a must be finite, got {a}")
    t = np.abs(_positions(factor, 2))
    inner = ((a + 2) * t - (a + 3)) * t**2 + 1  # |t| <= 1
    outer = a * (((t - 5) * t + 8) * t - 4)  # 1 < |t| < 2
    return np.where(t <= 1, inner, outer)


def lanczos3_kernel(factor: int) -> Array:
    """The taps of the sinc windowed by its own main lobe stretched to half-width 3, each phase normalised to sum 1.

    Without the normalisation a constant would come back up to 0.6 % wrong, and from factor 3 on by another amount in
    each phase: a checkerboard.

    References
    ----------
    C. E. Duchon, Lanczos filtering in one and two dimensions, 1979.

    Examples
    --------
    >>> lanczos3_kernel(2)[:6].round(4)
    array([ 0.0074,  0.0301, -0.068 , -0.1333,  0.271 ,  0.8928])
    """
    t = _positions(factor, 3)
    taps = np.sinc(t) * np.sinc(t / 3)
    for phase in range(factor):
        taps[phase::factor] /= taps[phase::factor].sum()
    return taps


KERNELS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {"nearest": nearest_kernel, "bilinear": bilinear_kernel, "bicubic": bicubic_kernel, "lanczos3": lanczos3_kernel}
)


def kernel_taps(kernel: KernelLike, factor: int) -> Array:
    """The taps for one axis as float64, from a name in the grammar, as ``bicubic:a=-0.75``, or from taps.

    Raises
    ------
    ValueError
        For a name, parameter or value that does not exist (with the choices), and for taps that are not a finite 1-D
        array of at least ``factor`` elements whose number minus ``factor`` is even: others do not lie on the half-pixel
        grid.

    Examples
    --------
    >>> kernel_taps("bicubic:a=-0.75", 2)[:2]
    array([-0.03515625, -0.10546875])
    """
    if isinstance(kernel, str):
        name, parameters = bind(kernel, KERNELS, "kernel", exclude=("factor",))
        return KERNELS[name](factor, **parameters)
    taps = np.asarray(kernel)
    if taps.dtype.kind not in "iuf":
        raise TypeError(f"kernel must be a name or an array of real taps, got dtype {taps.dtype}")
    if taps.ndim != 1:
        raise ValueError(f"kernel must be a name or a 1-D array of taps, got shape {taps.shape}")
    check_finite(taps, "kernel")
    if taps.size < factor or (taps.size - factor) % 2:
        raise ValueError(
            f"kernel must have {factor}, {factor + 2}, {factor + 4}, ... taps to lie on the half-pixel grid at factor "
            f"{factor}, got {taps.size}"
        )
    return taps.astype(np.float64)


def _positions(factor: int, half_width: int) -> Array:
    """The distances of the taps from the centre in input pixels, open interval (-half_width, half_width)."""
    s = _check_factor(factor)
    count = 2 * half_width * s - s % 2
    return (np.arange(count) - (count - 1) / 2) / s


def _check_factor(factor: int) -> int:
    if factor < 1:
        raise ValueError(f"factor must be at least 1, got {factor}")
    return factor
