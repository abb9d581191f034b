"""The Whittle likelihood of a power law seen through a blur, with white noise, and where it is largest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from restoretk._arrays import Array
from restoretk.restoration._spectral_statistics import sum_over

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

_EXPONENTS = (0.5, 5.0)
CORNERS = (1e-4, 0.3)  # cycles per pixel
_ANISOTROPY = 1.5  # bound of a coefficient: a factor of 20 between the strong and the weak direction
ISOTROPIC = (0.0, 0.0, 0.0, 0.0)
_TOWARDS_ISOTROPIC = 1e-3  # weight of the squared coefficients against the mean log likelihood
_STARTS = ((2.0, 0.01), (3.0, 0.05))  # of exponent and corner: the likelihood may have two valleys
_FEW = 4096  # bins: the spectrum of a picture of some 90 x 90
_THIN = 7  # coprime to the sides of the boxes that are taken whole
LOWEST_NOISE = 1e-12  # of the mean power: below it the noise cannot be told from rounding


def most_likely(likelihood: Whittle, bounds_noise: tuple[float, float]) -> OptimizeResult:
    """The parameters of the deepest valley: found on a thin choice of many bins, and from there on all of them.

    A picture of few bins may have valleys of nearly equal depth, and a choice of its bins would depend on how it is turned.
    """
    thin = likelihood.thinned(_THIN if likelihood.observed.size > _FEW else 1)
    bounds = likelihood.bounds(bounds_noise)
    start_noise = float(np.clip(likelihood.noise_start(), *bounds_noise))
    found = []
    for exponent, corner in _STARTS:
        amplitude = likelihood.amplitude_start(exponent, corner)
        start = np.array([amplitude, exponent, np.log(corner), start_noise, *ISOTROPIC])
        found.append(_descend(thin, start, bounds, 1e-6))
    nearby = min(found, key=lambda result: float(result.fun)).x
    return _descend(likelihood, nearby, bounds, 1e-8)


def _descend(likelihood: Whittle, start: Array, bounds: list[tuple[float, float]], tolerance: float) -> OptimizeResult:
    """The bottom of the valley, to a relative ``tolerance`` of the likelihood: 1e-8 is a thousandth of sigma."""
    from scipy.optimize import minimize  # 40 times the cost of a bare start: only where it is used

    return minimize(likelihood, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": tolerance})


class Whittle:
    """Mean of log V + P / V and its gradient in (log A, a, log f0, log sigma^2, c2, s2, c4, s4)."""

    def __init__(self, observed: Array, gain: Array, weights: Array, frequencies: Sequence[Array], anisotropic: bool):
        self.observed, self.gain, self.weights = observed, gain, weights
        self.squared = sum(f**2 for f in frequencies)
        self.anisotropic = anisotropic
        self.waves = np.stack(directions(frequencies)) if anisotropic else np.zeros((4, observed.size))
        self.frequencies = frequencies

    def thinned(self, step: int) -> Whittle:
        """The same of every ``step``-th bin."""
        weights = self.weights[::step]
        frequencies = [f[::step] for f in self.frequencies]
        return Whittle(self.observed[::step], self.gain[::step], weights / weights.sum(), frequencies, self.anisotropic)

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        log_amplitude, exponent, log_corner, log_noise = parameters[:4]
        turn = parameters[4:]
        corner2 = np.exp(2 * log_corner)
        radius2 = self.squared + corner2
        log_radius2 = np.log(radius2)
        log_signal = log_amplitude - 0.5 * exponent * log_radius2
        if self.anisotropic:
            log_signal += sum_over(self.waves.T, turn)
        signal = self.gain * np.exp(log_signal)
        noise = np.exp(log_noise)
        expected = signal + noise
        ratio = self.observed / expected
        value = float(np.sum(self.weights * (np.log(expected) + ratio))) + _TOWARDS_ISOTROPIC * float(turn @ turn)
        slope = self.weights * (1 - ratio) / expected  # d value / d V
        by_signal = slope * signal
        gradient = [
            by_signal.sum(),
            -0.5 * np.sum(by_signal * log_radius2),
            -exponent * corner2 * np.sum(by_signal / radius2),
            noise * slope.sum(),
            *(sum_over(self.waves, by_signal) + 2 * _TOWARDS_ISOTROPIC * turn),
        ]
        return value, np.array(gradient)

    def bounds(self, noise: tuple[float, float]) -> list[tuple[float, float]]:
        turn = (-_ANISOTROPY, _ANISOTROPY) if self.anisotropic else (0.0, 0.0)
        return [(-60.0, 40.0), _EXPONENTS, (np.log(CORNERS[0]), np.log(CORNERS[1])), noise, turn, turn, turn, turn]

    def noise_start(self) -> float:
        """Give the log of the median of the darkest tenth (an exponential of mean 1 has the median ln 2)."""
        dark = self.gain * self.squared**-1.0
        low = self.observed[dark <= np.quantile(dark, 0.1)]
        return float(np.log(max(np.median(low) / np.log(2), LOWEST_NOISE)))

    def amplitude_start(self, exponent: float, corner: float) -> float:
        """Give the log amplitude at which the model has the mean power of the data."""
        shape = self.gain * (self.squared + corner**2) ** (-0.5 * exponent)
        return float(np.log(np.sum(self.weights * self.observed) / max(float(np.sum(self.weights * shape)), 1e-300)))


def directions(frequencies: Sequence[Array]) -> tuple[Array, Array, Array, Array]:
    """Give cos 2t, sin 2t, cos 4t and sin 4t of frequencies on two axes (0 at f = 0)."""
    rows, columns = frequencies
    squared = rows**2 + columns**2
    safe = np.where(squared > 0, squared, 1.0)
    cos2, sin2 = (rows**2 - columns**2) / safe, 2 * rows * columns / safe
    return cos2, sin2, cos2**2 - sin2**2, 2 * cos2 * sin2
