"""The phases of a kernel: the taps that meet in the same output pixels of a transposed convolution, and their moments."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_real, check_finite

# Moments that agree to this part of their size are taken as equal, so that float32 weights count as what they stand for.
ROUNDING = 1e-6
# Orders are looked for no higher: kernels in use have at most 6.
_HIGHEST_ORDER = 12


def as_kernel(kernel: npt.ArrayLike, name: str = "kernel") -> Array:
    """A float64 copy of taps or weights, checked to be real and finite, with at least one element."""
    taps = as_real(kernel, name)
    if taps.ndim == 0 or taps.size == 0:
        raise ValueError(f"{name} must have at least one axis and one element, got shape {taps.shape}")
    check_finite(taps, name)
    return taps.astype(np.float64)


def check_reach(shape: Sequence[int], stride: Sequence[int]) -> None:
    """Raise ValueError for a kernel whose copies leave gaps on an axis."""
    if any(k < s for k, s in zip(shape, stride, strict=True)):
        raise ValueError(
            f"kernel must have at least as many taps as the stride on every axis, got shape {tuple(shape)} for stride "
            f"{tuple(stride)}: the pixels between its copies would stay 0"
        )


def dilated(kernel: Array, dilation: Sequence[int]) -> Array:
    """The kernel with ``dilation - 1`` zeros between its taps, along its last axes."""
    if all(d == 1 for d in dilation):
        return kernel
    ndim = len(dilation)
    lead, taps = kernel.shape[: kernel.ndim - ndim], kernel.shape[kernel.ndim - ndim :]
    spread = np.zeros((*lead, *((k - 1) * d + 1 for k, d in zip(taps, dilation, strict=True))), kernel.dtype)
    every: tuple[Any, ...] = (..., *(slice(None, None, d) for d in dilation))
    spread[every] = kernel
    return spread


def phase_sums(kernel: npt.ArrayLike, stride: Sequence[int]) -> Array:
    """The sum of the taps of each phase: entry (a, b) is ``kernel[a::stride[0], b::stride[1]].sum()``.

    Parameters
    ----------
    kernel : array_like of shape (..., *k)
        Axes before the last ``len(stride)`` are kept.
    stride : sequence of int

    Returns
    -------
    ndarray of shape (..., *stride)
        What an image of ones becomes in the output pixels m with ``(m + padding) % stride == (a, b)``.

    Examples
    --------
    >>> phase_sums([1, 2, 3, 4], (2,))
    array([4, 6])
    """
    taps = as_real(kernel, "kernel")
    check_finite(taps, "kernel")
    if taps.size == 0:
        raise ValueError(f"kernel must not be empty, got shape {taps.shape}")
    lead = taps.ndim - len(stride)
    tails = [(0, -k % s) for k, s in zip(taps.shape[lead:], stride, strict=True)]
    padded = np.pad(taps, [(0, 0)] * lead + tails)
    split = [side for k, s in zip(padded.shape[lead:], stride, strict=True) for side in (k // s, s)]
    cells = padded.reshape((*taps.shape[:lead], *split))  # (..., k1/s1, s1, k2/s2, s2, ...)
    return cells.sum(axis=tuple(range(lead, cells.ndim, 2)))


def first_moments(kernel: Array, stride: Sequence[int]) -> Array:
    """``sum t[axis] * w[t]`` over the taps of each phase, as (D, *stride)."""
    places = np.meshgrid(*(np.arange(k, dtype=np.float64) for k in kernel.shape), indexing="ij")
    return np.stack([phase_sums(kernel * place, stride) for place in places])


def strang_fix_order(kernel: Array, stride: Sequence[int], *, rounding: float = ROUNDING) -> int | None:
    """The order of the zeros of the kernel's spectrum at the aliases of 0: L if polynomials of degree L - 1 come through.

    The spectrum has a zero of order L at ``2*pi*j/s`` for every j that is not 0 (mod s) exactly if the moments
    ``sum t^alpha w[t]`` over the taps of a phase are the same for all phases, for every alpha of degree below L. They
    are compared about the middle of the kernel in units of the stride, and taken as equal where they differ by no more
    than ``rounding`` of what they are with all taps positive.

    Returns
    -------
    int or None
        0 where not even a constant comes through, or comes out as 0. None for stride 1, where there is one phase.
    """
    if all(s == 1 for s in stride):
        return None
    ndim = kernel.ndim
    middles = [
        (np.arange(k) - (k - 1) / 2).reshape([-1 if axis == other else 1 for other in range(ndim)]) / s
        for axis, (k, s) in enumerate(zip(kernel.shape, stride, strict=True))
    ]
    if abs(kernel.sum()) <= rounding * np.abs(kernel).sum():
        return 0
    for degree in range(_HIGHEST_ORDER):
        for powers in itertools.product(range(degree + 1), repeat=ndim):
            if sum(powers) != degree:
                continue
            moment = kernel
            for place, power in zip(middles, powers, strict=True):
                moment = moment * place**power
            sums = phase_sums(moment, stride)
            if np.ptp(sums) > rounding * phase_sums(np.abs(moment), stride).max():
                return degree
    return _HIGHEST_ORDER


def ratio_percent(part: Array | float, whole: Array | float, scale: Array | float) -> Array:
    """100 * part / whole; where the whole is rounding beside ``scale``, 0 if the part is so too, else inf."""
    part, whole, scale = np.broadcast_arrays(*(np.asarray(one, np.float64) for one in (part, whole, scale)))
    tiny = 1e-9 * scale
    safe = np.where(whole > tiny, whole, 1.0)
    return np.where(whole > tiny, 100 * part / safe, np.where(part > tiny, np.inf, 0.0))
