"""Kernels for a factor by name: interpolation functions sampled on the half-pixel grid, and those fitted to pictures.

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

from restoretk._arrays import Array, as_real, check_finite
from restoretk._grammar import OptionError, bind
from restoretk.upsampling.kernel_bank import KernelBank
from restoretk.upsampling.shipped_kernels import SHIPPED_FACTORS, bank_kernel, fitted_kernel

# What a kernel may be where one is asked for: a name in the grammar, taps, or a bank of kernels.
KernelLike = str | npt.ArrayLike | KernelBank


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
        raise OptionError(f"a must be finite, got {a}")
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


KERNELS: Mapping[str, Callable[..., Array | KernelBank]] = MappingProxyType(
    {
        "nearest": nearest_kernel,
        "bilinear": bilinear_kernel,
        "bicubic": bicubic_kernel,
        "lanczos3": lanczos3_kernel,
        "fitted": fitted_kernel,
        "bank": bank_kernel,
    }
)


def kernels_for(factor: int) -> tuple[str, ...]:
    """The names of KERNELS that enlarge pictures by this factor: those fitted to photographs come for 2, 3 and 4.

    Examples
    --------
    >>> kernels_for(5)
    ('nearest', 'bilinear', 'bicubic', 'lanczos3')
    """
    return tuple(name for name in KERNELS if name not in ("fitted", "bank") or factor in SHIPPED_FACTORS)


def resolve_kernel(kernel: KernelLike, factor: int) -> Array | KernelBank:
    """The kernel for one factor: 1-D taps for each axis, taps of two or three axes as float64, or a bank of kernels.

    Raises
    ------
    TypeError
        For taps that are no real numbers.
    ValueError
        For a name, parameter or value that does not exist (with the choices); for taps that are not finite, or that do
        not lie on the half-pixel grid: each axis must have ``factor`` taps or an even number more; for a bank that was
        made for another factor.

    Examples
    --------
    >>> resolve_kernel("bicubic:a=-0.75", 2)[:2]
    array([-0.03515625, -0.10546875])
    """
    if isinstance(kernel, str):
        name, parameters = bind(kernel, KERNELS, "kernel", exclude=("factor",))
        return KERNELS[name](factor, **parameters)
    if isinstance(kernel, KernelBank):
        if kernel.factor != factor:
            raise ValueError(f"kernel is a bank for the factor {kernel.factor}, got the factor {factor}")
        return kernel
    taps = as_real(kernel, "kernel")
    if not 1 <= taps.ndim <= 3:
        raise ValueError(f"kernel must be a name, a bank or an array of 1, 2 or 3 axes, got shape {taps.shape}")
    check_finite(taps, "kernel")
    if any(side < factor or (side - factor) % 2 for side in taps.shape):
        raise ValueError(
            f"kernel must have {factor}, {factor + 2}, {factor + 4}, ... taps to lie on the half-pixel grid at factor "
            f"{factor}, got {taps.size if taps.ndim == 1 else f'shape {taps.shape}'}"
        )
    return taps.astype(np.float64)


def kernel_taps(kernel: KernelLike, factor: int) -> Array:
    """The 1-D taps for one axis as float64, from a name in the grammar, as ``bicubic:a=-0.75``, or from taps.

    Raises
    ------
    TypeError, ValueError
        As `resolve_kernel`, and ValueError for a kernel that is not 1-D taps.

    Examples
    --------
    >>> kernel_taps("bicubic:a=-0.75", 2)[:2]
    array([-0.03515625, -0.10546875])
    """
    taps = resolve_kernel(kernel, factor)
    if isinstance(taps, KernelBank) or taps.ndim != 1:
        raise ValueError(f"kernel must be 1-D taps here, as those of bicubic or fitted:rank=1 are, got {_said(kernel)}")
    return taps


def _said(kernel: KernelLike) -> str:
    """The kernel in a few words, for messages."""
    if isinstance(kernel, str):
        return repr(kernel)
    return "a bank of kernels" if isinstance(kernel, KernelBank) else f"shape {np.shape(kernel)}"


def _positions(factor: int, half_width: int) -> Array:
    """The distances of the taps from the centre in input pixels, open interval (-half_width, half_width)."""
    s = _check_factor(factor)
    count = 2 * half_width * s - s % 2
    return (np.arange(count) - (count - 1) / 2) / s


def _check_factor(factor: int) -> int:
    if factor < 1:
        raise OptionError(f"factor must be at least 1, got {factor}")
    return factor
