"""What a rippling kernel costs on pictures, in decibels: a formula, and the photographs that it was checked on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Typical(NamedTuple):
    """A typical photograph: its mean square as a fraction of white squared, and the PSNR of bicubic upsampling in dB."""

    mean_square: float
    psnr: float


# factor -> medians over scikit-image's camera, astronaut, coffee, chelsea and rocket: scripts/reproduce_ripple.py
# prints them.
TYPICAL: Mapping[int, Typical] = MappingProxyType(
    {2: Typical(0.23, 31.7), 3: Typical(0.23, 28.7), 4: Typical(0.23, 27.3)}
)


def ripple_cost(rms_percent: float, *, mean_square: float, psnr: float) -> float:
    """How many dB of PSNR a kernel loses by its ripple.

    The ripple multiplies every output pixel by 1 + e, e depending on the phase of the pixel only, so it adds an error
    of mean square ``rms(e)^2 * mean(image^2)``: a grid, which has nothing in common with the error that was there. So

        loss = 10 log10(1 + rms(e)^2 * mean_square * 10^(psnr / 10)).

    Parameters
    ----------
    rms_percent : float
        The standard deviation of the phase sums in per cent of their mean, `KernelInspection.rms_percent`.
    mean_square : float
        mean(image^2) as a fraction of white squared.
    psnr : float
        What the kernel would reach without its ripple, in dB against white = 1.

    Returns
    -------
    float
        At least 0.

    Notes
    -----
    On five photographs, factors 2, 3 and 4 and ripples of 0.1 to 14 % the formula is within 0.06 dB of what is measured
    (scripts/reproduce_ripple.py).

    Examples
    --------
    >>> round(ripple_cost(2.0, mean_square=0.2, psnr=33.0), 2)
    0.64
    """
    if not (rms_percent >= 0 and mean_square >= 0):
        raise ValueError(f"rms_percent and mean_square must not be negative, got {rms_percent} and {mean_square}")
    return 10 * math.log10(1 + (rms_percent / 100) ** 2 * mean_square * 10 ** (psnr / 10))
