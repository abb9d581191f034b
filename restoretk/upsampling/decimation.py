"""The H that kernels are fitted to and banks correct themselves by: a blur and a decimation on the half-pixel grid."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array
from restoretk.upsampling.axis_resampling import downsample_axis, upsample_axis
from restoretk.upsampling.kernels import bicubic_kernel


def check_blur(blur: npt.ArrayLike | None, factor: int) -> Array | None:
    """A checked point spread function of two axes whose middle can lie on the half-pixel grid of the factor."""
    if blur is None:
        return None
    from restoretk.psf import (
        check_psf,
    )  # with its optics comes scipy, which `import restoretk.upsampling` does not need

    psf = check_psf(blur, name="blur")
    if psf.ndim != 2 or any((side - factor) % 2 for side in psf.shape):
        kind = "odd" if factor % 2 else "even"
        raise ValueError(
            f"blur must have two axes of {kind} length, so that its middle lies over the middle of {factor} x {factor} "
            f"pixels, got shape {psf.shape}"
        )
    return psf


def decimate(planes: Array, factor: int, blur: Array | None) -> Array:
    """H: planes (P, M, N) blurred, and every factor-th pixel kept; antialiased bicubic decimation where blur is None.

    A blur is taken about its middle, ``(k - 1) / 2``, whatever its origin: decimation by an even factor puts pixels
    between those of the large picture.
    """
    if blur is None:
        taps = bicubic_kernel(factor).astype(planes.dtype)
        return downsample_axis(downsample_axis(planes, 1, factor, taps), 2, factor, taps)
    rows, columns = (side // factor for side in planes.shape[1:])
    # A blur smaller than the factor needs a grid that begins inside the frame: zeros around it keep the rule simple.
    few = [max(0, -(-(factor - side) // 2)) for side in blur.shape]
    psf = np.pad(blur, [(n, n) for n in few])
    heads = [(side - factor) // 2 for side in psf.shape]
    extended = np.pad(
        planes[:, : rows * factor, : columns * factor], [(0, 0), *((head, head) for head in heads)], mode="edge"
    )
    result = np.zeros((len(planes), rows, columns), planes.dtype)
    for u, v in itertools.product(*(range(side) for side in psf.shape)):
        weight = psf[-1 - u, -1 - v]  # convolution: the blur is flipped
        if weight:
            seen = extended[:, u : u + (rows - 1) * factor + 1 : factor, v : v + (columns - 1) * factor + 1 : factor]
            result += planes.dtype.type(weight) * seen
    return result


def corrected(large: Array, small: Array, factor: int, blur: Array | None) -> Array:
    """One step of back-projection: the large planes, with what their decimation lacks of the small ones put in.

    References
    ----------
    M. Irani, S. Peleg, Improving resolution by image registration, CVGIP 53 (1991) 231, section 3.
    """
    taps = bicubic_kernel(factor).astype(large.dtype)
    missing = small - decimate(large, factor, blur)
    return large + upsample_axis(upsample_axis(missing, 2, factor, taps), 1, factor, taps)
