"""The sums over a spectrum from which every rule for the regularization is evaluated, whatever the size of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from restoretk._arrays import Array

_CANDIDATES = 121  # over the whole range of s, then refined around the best one
_EXACT_BINS = 1 << 14  # spectra up to this size are not binned


@dataclass(frozen=True)
class SpectralStatistics:
    """Sums over all bins of the full spectrum that share one ratio s = |H|^2 / |P|^2; bins with |P| = 0 are left out.

    Attributes
    ----------
    ratio : ndarray of shape (K,)
        s of each class, ascending.
    count : ndarray of shape (K,)
        Number of bins of the full spectrum, times the number of planes.
    power, squared_power : ndarray of shape (K,)
        Sum of |G|^2 / N and of its square.
    count_per_penalty, power_per_penalty : ndarray of shape (K,)
        Sums of 1 / |P|^2 and of |G|^2 / (N |P|^2).
    free : float
        Number of bins with |P| = 0, times the number of planes: passed unregularised.
    pixels : float
        Number of observed values: those to which the noise power refers.
    """

    ratio: Array
    count: Array
    power: Array
    squared_power: Array
    count_per_penalty: Array
    power_per_penalty: Array
    free: float
    pixels: float

    def candidates(self) -> Array:
        """Logarithmically spaced lambdas that cover everything from no regularization to nothing but."""
        ratio = self.ratio[self.ratio > 0]
        if ratio.size == 0:
            return np.array([1.0])
        low, high = max(float(ratio[0]), float(ratio[-1]) * 1e-18) * 1e-2, float(ratio[-1]) * 1e2
        return np.geomspace(low, high, _CANDIDATES)

    def misfit(self, candidates: Array) -> Array:
        """1 - A = lambda / (s + lambda), shape (candidates, K)."""
        column = np.asarray(candidates, np.float64)[..., None]
        return column / (self.ratio + column)

    def residual_power(self, candidates: Array) -> Array:
        """||g - h * f(lambda)||^2, shape of the candidates."""
        return self.misfit(candidates) ** 2 @ self.power

    def degrees_of_freedom(self, candidates: Array) -> Array:
        """The trace of A, shape of the candidates."""
        return self.free + (1 - self.misfit(candidates)) @ self.count


def gather_statistics(
    otf_power: Array,
    operator_power: Array,
    powers: list[Array],
    weights: Array,
    pixels: float,
    *,
    fourth_moment: bool = True,
) -> SpectralStatistics:
    """The sums of `SpectralStatistics` over half spectra.

    Parameters
    ----------
    otf_power, operator_power : ndarray, half spectrum
        |H|^2 and |P|^2.
    powers : list of ndarray, half spectra
        |G|^2 / N of each plane.
    weights : ndarray
        How often each bin counts in the full spectrum; broadcasts with the half spectrum.
    pixels : float
        Number of observed values in all planes.
    fourth_moment : bool
        Whether to gather the squares of the powers, which only the rule ``whiteness`` needs; else they are zero.
    """
    shape = otf_power.shape
    weight = np.broadcast_to(weights, shape)
    penalty = np.broadcast_to(operator_power, shape)
    held = penalty > 0
    free = float(weight[~held].sum()) * len(powers)
    penalty, weight = penalty[held], weight[held]
    ratio = otf_power[held] / penalty
    count = weight * float(len(powers))
    power = weight * sum(plane[held] for plane in powers)
    inverse = 1 / penalty
    sums: list[Array] = [count, power, count * inverse, power * inverse]
    if fourth_moment:
        sums.append(weight * sum(plane[held] ** 2 for plane in powers))
    if ratio.size > _EXACT_BINS:
        # The exponent and the top 8 bits of the mantissa of a float32 are a logarithm to 1/256 octave, for free.
        keys = ratio.astype(np.float32).view(np.int32) >> 15
        keys -= keys.min()
        binned = [np.bincount(keys, weights=values) for values in (*sums, count * ratio)]
        used = binned[0] > 0
        *sums, ratios = (values[used] for values in binned)
        ratio = ratios / sums[0]  # the mean ratio of the class: binning then errs only to second order
    order = np.argsort(ratio)
    count, power, count_per_penalty, power_per_penalty, *rest = (values[order] for values in sums)
    squared = rest[0] if rest else np.zeros_like(power)
    return SpectralStatistics(
        ratio[order], count, power, squared, count_per_penalty, power_per_penalty, free=free, pixels=pixels
    )
