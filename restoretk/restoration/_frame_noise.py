"""The noise level of a whole frame, read where a fitted spectrum leaves nothing but noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import scipy.fft

from restoretk._arrays import Array
from restoretk.convolution.fourier import blur_power

_LATTICE = 1 << 15  # bins that are looked at: of a larger spectrum, a lattice
_DARK = 0.1  # of the noise power, under which the scene no longer counts
_LEAST_DARK = 1024  # bins, which tell sigma to 2 %
_CUT, _KEPT_POWER = 3.0, 0.97334  # a Gaussian cut off at 3 sigma keeps this share of its variance


def frame_noise_sigma(
    stack: Array, psf: Array, signal_power: Callable[[Sequence[Array]], Array], noise_sigma: float
) -> float:
    """The noise of planes (P, *frame), root mean square over all their pixels, where a first estimate is known.

    A Hann window sees the middle of the frame. That is all one needs to know of noise that is the same everywhere; but
    shot noise follows the picture, and one whose middle is darker than its edges then passes for too quiet. The cosine
    spectrum counts every pixel alike and needs no window. Its power is averaged over the frequencies that the spectrum of
    the scene leaves dark; where these are too few, the first estimate stands.

    Parameters
    ----------
    stack : ndarray of shape (P, *frame)
    psf : ndarray of D axes
    signal_power : callable
        S at frequencies in cycles per pixel, one broadcastable array per axis.
    noise_sigma : float
        The first estimate, by which frequencies are told to be dark.
    """
    frame = stack.shape[1:]
    step = max(1, int(np.ceil((np.prod(frame) / _LATTICE) ** (1 / len(frame)))))
    near = [np.arange(0, size, step) / (2 * size) for size in frame]
    seen = np.zeros([len(axis) for axis in near])
    # One cosine stands for the frequencies of either sign on every axis but the first.
    for signs in product(*([(1,)] + [(1, -1)] * (len(frame) - 1))):
        signed = [sign * axis for sign, axis in zip(signs, near, strict=True)]
        seen = np.maximum(
            seen, blur_power(psf, signed) * signal_power(np.meshgrid(*signed, indexing="ij", sparse=True))
        )
    dark = seen < _DARK * noise_sigma * noise_sigma
    dark.flat[0] = False
    if np.count_nonzero(dark) * len(stack) < _LEAST_DARK:
        return noise_sigma
    lattice = (slice(None, None, step),) * len(frame)
    coefficients = np.concatenate([scipy.fft.dctn(plane, norm="ortho")[lattice][dark] for plane in stack])
    variance = _cut_variance(coefficients.astype(np.float64, copy=False))
    less = float(seen[dark].mean())
    return float(np.sqrt(max(variance - less, 0.0))) or noise_sigma


def _cut_variance(coefficients: Array) -> float:
    """The variance of Gaussian coefficients among which a few belong to the scene."""
    squares = coefficients**2
    level = float(np.median(squares)) / 0.67449**2
    return float(squares[squares <= _CUT**2 * level].mean()) / _KEPT_POWER
