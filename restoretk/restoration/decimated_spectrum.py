"""The power spectrum of the scene on the large grid, fitted through blur and aliasing to a decimated picture."""

from __future__ import annotations

import itertools

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.periodogram import periodogram
from restoretk.restoration._periodogram import draw_bins
from restoretk.restoration.signal_spectrum import SignalSpectrum

_BINS_PER_SHELL = 500  # three parameters need few, and each stands for s^D frequencies of the large grid
_START = (2.5, 0.02)  # exponent and corner
_BOUNDS = ((0.5, 5.0), (np.log(1e-4), np.log(0.3)))
_LOWEST_NOISE = 1e-12  # of the mean power: below it the noise cannot be told from rounding


def fit_decimated_spectrum(
    planes: Array, gain: Array, factor: int, noise_sigma: float, *, periodic: bool
) -> SignalSpectrum:
    """Fit S(f) = A (f0^2 + |f|^2)^(-a/2) to decimated planes by Whittle maximum likelihood.

    A picture decimated by H has the spectrum V = mean over the alias class of |A|^2 S + sigma^2: the part of the scene
    above the small grid's Nyquist frequency, which no blind fit to the small picture could tell from fine texture, is in
    the model.

    Parameters
    ----------
    planes : ndarray of shape (P, *spatial)
    gain : ndarray of shape (*large)
        |A|^2 on the full spectrum of the large grid, s times the frame on each axis.
    factor : int
    noise_sigma : float
        The standard deviation of the noise on the planes, >= 0.
    periodic : bool
        Whether the planes lie on a torus; otherwise they are windowed.

    References
    ----------
    P. Whittle, Estimation and information in stationary time series, Arkiv for Matematik 2 (1953) 423.
    """
    frame = planes.shape[1:]
    indices, weights = draw_bins(frame, 0 if periodic else 1, _BINS_PER_SHELL)
    observed = periodogram(planes, len(frame), periodic=periodic)[indices]
    scale = float(np.average(observed, weights=weights)) if weights.size else 0.0
    isotropic = (0.0, 0.0, 0.0, 0.0)
    if weights.size < 8 or scale <= 1e-24:
        # A constant picture: nothing to fit, and every filter leaves it alone.
        return SignalSpectrum(1.0, 2.0, 0.3, isotropic, noise_sigma)
    squared, seen = _class_members(indices, frame, gain, factor)
    floor = max(noise_sigma * noise_sigma / scale, _LOWEST_NOISE)
    share = weights / weights.sum()

    def misfit(parameters: Array) -> tuple[float, Array]:
        log_amplitude, exponent, log_corner = parameters
        corner = np.exp(2 * log_corner)
        power = seen * np.exp(log_amplitude - 0.5 * exponent * np.log(squared + corner))
        expected = power.sum(axis=0) + floor
        ratio = observed / scale / expected
        slope = share * (1 - ratio) / expected
        by_exponent = (-0.5 * np.log(squared + corner) * power).sum(axis=0)
        by_corner = (-exponent * corner / (squared + corner) * power).sum(axis=0)
        gradient = [np.sum(slope * part) for part in (expected - floor, by_exponent, by_corner)]
        return float(np.sum(share * (ratio + np.log(expected)))), np.array(gradient)

    exponent, corner = _START
    shape_of = (seen * (squared + corner**2) ** (-exponent / 2)).sum(axis=0)
    start = np.array([-np.log(np.sum(share * shape_of)), exponent, np.log(corner)])
    from scipy.optimize import minimize  # 40 times the cost of a bare start: only where it is used

    best = minimize(misfit, start, jac=True, method="L-BFGS-B", bounds=[(None, None), *_BOUNDS])
    amplitude, exponent, log_corner = (float(value) for value in best.x)
    return SignalSpectrum(
        float(scale * np.exp(amplitude)), exponent, float(np.exp(log_corner)), isotropic, noise_sigma, float(best.fun)
    )


def _class_members(indices: tuple[Array, ...], frame: tuple[int, ...], gain: Array, factor: int) -> tuple[Array, Array]:
    """|f|^2 and |A|^2 / s^D of the s^D frequencies behind each bin of the small grid: two arrays (s^D, bins)."""
    squared, seen = [], []
    for member in itertools.product(range(factor), repeat=len(frame)):
        places = tuple(k + size * j for k, size, j in zip(indices, frame, member, strict=True))
        frequencies = [
            np.where(2 * q > factor * size, q / (factor * size) - 1, q / (factor * size))
            for q, size in zip(places, frame, strict=True)
        ]
        squared.append(np.sum(np.square(frequencies), axis=0))
        seen.append(gain[places] / factor ** len(frame))
    return np.array(squared), np.array(seen)
