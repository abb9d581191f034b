"""What a linear filter can bring back: contrast before and after, frequencies lost in noise, the noise that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_finite, check_finite, refuse_masked
from restoretk.convolution.boundary import crop, extend_periodically
from restoretk.convolution.fourier import (
    forward_transform,
    frequency_grid,
    half_spectrum_weights,
    inverse_transform,
    psf_to_otf,
)
from restoretk.psf import check_psf


@dataclass(frozen=True)
class Recoverability:
    """What of a scene a PSF and a filter let through, as curves over frequency and as single figures.

    Curves are means over all directions, at ``frequencies`` from 0 to 0.5 cycles per pixel.

    Attributes
    ----------
    frequencies : ndarray of shape (K,)
        Cycles per pixel.
    mtf_before, mtf_after : ndarray of shape (K,)
        Contrast |H| that the blur leaves of a pattern, and |T H| that the restored picture has of it; 1 is all.
    signal_to_noise : ndarray of shape (K,) or None
        |H|^2 S / sigma^2 of the observation; None unless the power S of the scene and sigma are known.
    noise_gain : float
        Standard deviation of white noise after the filter over that before it, sqrt(mean |T|^2).
    restored_sigma : float or None
        noise_gain * noise_sigma: the noise in every pixel of the restored picture, in the units of the picture. Exact on
        a torus (``wrap``), in the interior of a frame otherwise; see `restored_sigma` for a map. None without sigma.
    below_noise : float or None
        Share of all frequencies at which |H|^2 S < sigma^2, where what is restored is the filter's guess rather than
        the scene. None as for ``signal_to_noise``.
    half_contrast, tenth_contrast : (float, float)
        The frequencies in cycles per pixel at which the MTF first falls below 0.5 and below 0.1, before and after the
        filter; infinite where it never does. ``tenth_contrast[1]`` is the effective resolution of the restored picture.
    """

    frequencies: Array
    mtf_before: Array
    mtf_after: Array
    signal_to_noise: Array | None
    noise_gain: float
    restored_sigma: float | None
    below_noise: float | None
    half_contrast: tuple[float, float]
    tenth_contrast: tuple[float, float]


def recoverability(
    psf: npt.ArrayLike,
    transfer: npt.ArrayLike,
    torus: Sequence[int],
    *,
    noise_sigma: float | None = None,
    signal_power: npt.ArrayLike | None = None,
) -> Recoverability:
    """What can be recovered through a PSF by a linear filter, and at what price in noise.

    Parameters
    ----------
    psf : array_like of D axes
        The point spread function: non-negative, sum 1, origin at ``psf.shape // 2``. One: where each channel had its
        own, ``psf[c]`` goes with ``transfer[c]``.
    transfer : array_like of complex, shape (*torus[:-1], torus[-1] // 2 + 1)
        The transfer function T of the filter on the half spectrum of ``torus``: ``Restoration.transfer[0]``, or
        ``transfer[c]`` where each channel had its own PSF.
    torus : sequence of D int
        The grid that the filter works on: the frame for ``wrap``, larger otherwise (``Restoration.torus``).
    noise_sigma : float or None
        Standard deviation of white noise in the observation, >= 0.
    signal_power : array_like or None, shape of ``transfer``
        Power spectrum S of the scene as |F|^2 / N, so that white noise has sigma^2.

    Returns
    -------
    Recoverability

    Raises
    ------
    TypeError, ValueError
        For a PSF that `check_psf` refuses or that is larger than the torus, a transfer function or power of another
        shape or not finite, a negative power or sigma.

    Notes
    -----
    An MTF after restoration near 1 says that the contrast is back, not that it is the scene's: below the noise floor a
    filter that holds it up amplifies noise. Read it with ``signal_to_noise``.

    Examples
    --------
    >>> import numpy as np
    >>> otf = psf_to_otf(np.full((1, 5), 0.2), (16, 20))
    >>> found = recoverability(np.full((1, 5), 0.2), np.conj(otf) / (np.abs(otf) ** 2 + 0.01), (16, 20), noise_sigma=0.01)
    >>> found.mtf_after[0].round(4), round(found.noise_gain, 2), found.restored_sigma == 0.01 * found.noise_gain
    (np.float64(0.9901), 3.01, True)
    """
    grid = tuple(int(size) for size in torus)
    kernel = check_psf(psf).astype(np.float64)
    response = _half_spectrum(transfer, grid, "transfer")
    otf = psf_to_otf(kernel, grid)
    weights = np.broadcast_to(half_spectrum_weights(grid), otf.shape)
    sigma = None if noise_sigma is None else _check_sigma(noise_sigma)
    ratio = below = None
    if signal_power is not None:
        power = _half_spectrum(signal_power, grid, "signal_power").real
        if (power < 0).any():
            raise ValueError(f"signal_power must be >= 0, got a minimum of {power.min():.6g}")
        if sigma is not None:
            seen = np.abs(otf) ** 2 * power
            below = float(np.sum(weights * (seen < sigma**2)) / np.prod(grid))
            ratio = seen / sigma**2 if sigma else np.where(seen > 0, np.inf, 0.0)
    index, frequencies = _annuli(grid)
    before, after = (_radial_mean(np.abs(part), index, weights, len(frequencies)) for part in (otf, response * otf))
    gain = float(np.sqrt(np.sum(weights * np.abs(response) ** 2) / np.prod(grid)))
    return Recoverability(
        frequencies=frequencies,
        mtf_before=before,
        mtf_after=after,
        signal_to_noise=None if ratio is None else _radial_mean(ratio, index, weights, len(frequencies)),
        noise_gain=gain,
        restored_sigma=None if sigma is None else gain * sigma,
        below_noise=below,
        half_contrast=(_first_below(frequencies, before, 0.5), _first_below(frequencies, after, 0.5)),
        tenth_contrast=(_first_below(frequencies, before, 0.1), _first_below(frequencies, after, 0.1)),
    )


def restored_sigma(
    transfer: npt.ArrayLike, torus: Sequence[int], frame: Sequence[int], noise_sigma: float | npt.ArrayLike
) -> Array:
    """The standard deviation of the noise in every pixel of a linearly restored picture.

    Independent noise of variance v in the observation leaves the variance (v * t^2) in the restored picture, where t is
    the impulse response of the filter and * the circular convolution on the torus: no approximation, for noise of any
    distribution.

    Parameters
    ----------
    transfer : array_like of complex, shape (*torus[:-1], torus[-1] // 2 + 1)
        The transfer function of the filter on the half spectrum of ``torus``: ``Restoration.transfer[0]``.
    torus : sequence of D int
        The grid that the filter works on.
    frame : sequence of D int
        The picture: the first ``frame`` pixels of the torus.
    noise_sigma : float or array_like of shape ``frame``
        The standard deviation of the noise, >= 0: one number, or one for each pixel (such as
        ``PoissonGaussianNoise.sigma(image)`` for photon noise).

    Returns
    -------
    ndarray of float64, shape ``frame``
        In the units of the picture.

    Raises
    ------
    ValueError
        For a torus that is smaller than the frame, arrays of another shape or not finite, or a negative sigma.

    Notes
    -----
    Exact for ``wrap``. On a larger torus the pixels around the frame are made from those inside it; here they are taken as
    independent, with the variance of the edge mirrored. The map is then exact where the impulse response does not reach
    the edge. It says how far noise moves a pixel, not how far the picture is from the scene: what the filter leaves
    blurred is no noise.

    Examples
    --------
    >>> import numpy as np
    >>> restored_sigma(np.full(5, 2.0), (8,), (8,), 0.1).round(6)
    array([0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2])
    """
    grid, shape = tuple(int(size) for size in torus), tuple(int(size) for size in frame)
    response = _half_spectrum(transfer, grid, "transfer")
    if len(shape) != len(grid) or any(size > side for size, side in zip(shape, grid, strict=True)):
        raise ValueError(f"torus {grid} must be at least as large as the frame {shape} on every axis")
    sigma = as_finite(noise_sigma, "noise_sigma")
    if (sigma < 0).any():
        raise ValueError(f"noise_sigma must be >= 0, got {sigma.min():.6g}")
    if sigma.ndim and sigma.shape != shape:
        raise ValueError(f"noise_sigma must be a number or have the shape {shape} of the frame, got {sigma.shape}")
    squared = inverse_transform(response, grid) ** 2
    if sigma.ndim == 0:
        return np.full(shape, float(sigma) * float(np.sqrt(squared.sum())))
    variance = extend_periodically(sigma**2, grid, "symmetric") if shape != grid else sigma**2
    spread = inverse_transform(forward_transform(squared, len(grid)) * forward_transform(variance, len(grid)), grid)
    return np.sqrt(np.maximum(crop(spread, [0] * len(grid), shape), 0.0))  # rounding may leave -1e-20


def _half_spectrum(values: npt.ArrayLike, torus: tuple[int, ...], name: str) -> Array:
    refuse_masked(values, name)
    array = np.asarray(values)
    if array.dtype.kind not in "iufc":
        raise TypeError(f"{name} must hold numbers, got dtype {array.dtype}")
    half = (*torus[:-1], torus[-1] // 2 + 1)
    if array.shape != half:
        raise ValueError(f"{name} must have the shape {half} of the half spectrum of {torus}, got {array.shape}")
    check_finite(array, name)
    return array.astype(np.complex128, copy=False)


def _check_sigma(noise_sigma: float) -> float:
    if not 0 <= noise_sigma < np.inf:
        raise ValueError(f"noise_sigma must be a number >= 0, got {noise_sigma}")
    return float(noise_sigma)


def _annuli(torus: tuple[int, ...]) -> tuple[Array, Array]:
    """For each bin the annulus that it falls in (those beyond 0.5 cycles per pixel in one more), and their frequencies."""
    finest = max(torus)
    radius = np.sqrt(sum(f**2 for f in frequency_grid(torus)))
    frequencies = np.arange(finest // 2 + 1) / finest
    index = np.minimum(np.rint(radius * finest).astype(np.intp), len(frequencies))
    return index, frequencies


def _radial_mean(values: Array, index: Array, weights: Array, count: int) -> Array:
    total = np.bincount(index.ravel(), (weights * values).ravel(), minlength=count + 1)[:count]
    return total / np.bincount(index.ravel(), weights.ravel(), minlength=count + 1)[:count]


def _first_below(frequencies: Array, curve: Array, level: float) -> float:
    """Where the curve first falls below the level, linearly between its samples; infinite if it never does."""
    below = np.flatnonzero(curve < level)
    if below.size == 0:
        return float("inf")
    i = int(below[0])
    if i == 0:
        return 0.0
    high, low = curve[i - 1], curve[i]
    return float(frequencies[i - 1] + (frequencies[i] - frequencies[i - 1]) * (high - level) / (high - low))
