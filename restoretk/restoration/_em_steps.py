"""The steps of expectation and maximization behind Richardson-Lucy, for NumPy and for arrays of other libraries.

f <- f / (H^T w) * H^T (w g / (H f)) on a torus, with w = 1 where something was seen and 0 elsewhere. Where nothing was seen
the data g are 0, so that w need not be multiplied with.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import numpy as np

from restoretk._any_array import AnyArray, namespace
from restoretk._arrays import Array
from restoretk._grammar import OptionError
from restoretk.convolution._any_blur import forward, inverse
from restoretk.convolution.fourier import apply_transfer_function
from restoretk.convolution.sweeps import LARGE, filter_plane

DEFAULT_ITERATIONS = 10

_MOST_ITERATIONS = 100_000
# Of the light of a scene pixel that falls on observed ones: with less than the first it stays as it began, from the second on
# it takes whole steps, and between them parts of steps: no rounding decides between all and nothing.
_SHARES = (0.01, 0.03)


def checked_iterations(iterations: Any) -> int:
    """The number of steps; raises OptionError unless it is a whole number from 1 to 100000."""
    try:
        count = operator.index(iterations)
    except TypeError:
        count = 0
    if isinstance(iterations, (bool, np.bool_)) or not 1 <= count <= _MOST_ITERATIONS:
        raise OptionError(f"iterations must be a whole number from 1 to {_MOST_ITERATIONS}, got {iterations!r}")
    return count


def below_zero(pixels: int) -> tuple[str, ...]:
    """A warning for data that are no light, where there are any."""
    if not pixels:
        return ()
    return (
        f"{pixels} pixels are below 0, which no light is, and were taken for 0: where a background was subtracted, add it "
        f"again",
    )


def filtered(plane: Array, transfer: Array, *, adjoint: bool = False) -> Array:
    """A plane under a transfer function on its half spectrum, or under the adjoint of that."""
    if plane.ndim != 2 or plane.size < LARGE:
        return apply_transfer_function(plane, np.conj(transfer) if adjoint else transfer)
    out = np.empty_like(plane)
    filter_plane(plane, partial(_multiply, transfer=transfer, adjoint=adjoint), out)
    return out


def reach(psf: Array, iterations: int) -> tuple[int, ...]:
    """How far, along each axis, a pixel can lie from the pixels that some steps make it depend on."""
    far = []
    for axis, side in enumerate(psf.shape):
        lit = np.flatnonzero(psf.any(axis=tuple(other for other in range(psf.ndim) if other != axis))) - side // 2
        low, high = int(lit[0]), int(lit[-1])
        # To its data and no further in the first step, from the level grey; by the PSF there and back in the others.
        far.append(max(-low, high, 0) + (iterations - 1) * (high - low))
    return tuple(far)


def _multiply(block: Array, *, transfer: Array, adjoint: bool, columns: slice) -> None:
    part = transfer[:, columns]
    block *= np.conj(part) if adjoint else part


def likeliest_plane(
    data: Array, unseen: Array | None, otf: Array, iterations: int, level: float | None = None
) -> Array:
    """The scene of one plane after some steps from an even grey.

    Parameters
    ----------
    data : ndarray of shape (*torus)
        Light >= 0; 0 where unseen.
    unseen : ndarray of bool, shape (*torus), or None
    otf : ndarray of complex, shape (*half)
    iterations : int
    level : float or None
        The grey; None for the mean of what was seen.
    """
    share, part = None, None
    if level is None:
        count = data.size if unseen is None else data.size - np.count_nonzero(unseen)
        level = float(np.sum(data, dtype=np.float64) / count)
    if unseen is not None:
        share = filtered((~unseen).astype(data.dtype), otf, adjoint=True)
        part = np.clip((share - _SHARES[0]) / (_SHARES[1] - _SHARES[0]), 0, 1)
        np.maximum(share, _SHARES[0], out=share)
    estimate = np.full_like(data, level)
    for _ in range(iterations):
        ratio = filtered(estimate, otf)
        # Below the rounding of the transform there is no light to compare with.
        np.maximum(ratio, np.finfo(data.dtype).eps * estimate.max(), out=ratio)
        np.divide(data, ratio, out=ratio, where=ratio > 0)
        correction = filtered(ratio, otf, adjoint=True)
        np.maximum(correction, 0, out=correction)
        if share is not None:
            correction /= share
            correction -= 1
            correction *= part
            correction += 1
        estimate *= correction
    return estimate


def likeliest_anywhere(data: AnyArray, seen: AnyArray | None, conj_otf: AnyArray, iterations: int) -> AnyArray:
    """As `likeliest_plane`, for planes (channels, stack, *torus) of another library and conj(H) (K, 1, *half)."""
    xp = namespace(data)
    torus = tuple(data.shape[2:])
    spatial = tuple(range(2, data.ndim))
    otf, zero, one = xp.conj(conj_otf), xp.zeros_like(data), xp.ones_like(data)

    def under(planes: AnyArray, transfer: AnyArray) -> AnyArray:
        return inverse(forward(planes, torus) * transfer, torus)

    share, part = one, one
    level = xp.mean(data, axis=spatial, keepdims=True)
    if seen is not None:
        share = under(seen, conj_otf)
        part = xp.clip((share - _SHARES[0]) / (_SHARES[1] - _SHARES[0]), 0, 1)
        share = xp.clip(share, _SHARES[0], None)
        level = level / xp.mean(seen, axis=spatial, keepdims=True)
    estimate = one * level
    eps = xp.finfo(data.dtype).eps
    for _ in range(iterations):
        floor = eps * xp.max(estimate, axis=spatial, keepdims=True)
        blurred = under(estimate, otf)
        blurred = xp.where(blurred > floor, blurred, one * floor)
        dark = blurred == 0
        ratio = xp.where(dark, zero, data / xp.where(dark, one, blurred))
        correction = under(ratio, conj_otf) / share
        correction = xp.where(correction > 0, correction, zero)
        estimate = estimate * (1 + part * (correction - 1))
    return estimate
