"""The sums over a spectrum from which every rule for the regularization is evaluated, whatever the size of the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from restoretk._arrays import Array

_CANDIDATES = 121  # over the whole range of s, then refined around the best one
_COARSE_FROM = 1024  # classes: fewer are all looked at
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
    signal : ndarray of shape (K,)
        Sum of the spectrum of the scene; zeros where it was not given.
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
    signal: Array
    free: float
    pixels: float

    def candidates(self) -> Array:
        """Logarithmically spaced lambdas that cover everything from no regularization to nothing but."""
        ratio = self.ratio[self.ratio > 0]
        if ratio.size == 0:
            return np.array([1.0])
        low, high = max(float(ratio[0]), float(ratio[-1]) * 1e-18) * 1e-2, float(ratio[-1]) * 1e2
        return np.geomspace(low, high, _CANDIDATES)

    @cached_property
    def bins(self) -> float:
        """Number of bins of the full spectrum, times the number of planes."""
        return self.free + float(self.count.sum())

    @cached_property
    def unit(self) -> float:
        """The power of two next to the power of the picture: logarithms of powers in this unit do not see its brightness."""
        return float(np.ldexp(1.0, int(np.frexp(self.power.sum())[1])))

    @cached_property
    def coarse(self) -> SpectralStatistics:
        """The same sums over classes of 1/8 octave, enough to find the valley in which the best lambda lies."""
        if len(self.ratio) < _COARSE_FROM:
            return self
        keys = self.ratio.astype(np.float32).view(np.int32) >> 20
        starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
        count: Array = np.add.reduceat(self.count, starts)
        return replace(
            self,
            ratio=np.add.reduceat(self.count * self.ratio, starts) / count,
            count=count,
            power=np.add.reduceat(self.power, starts),
            squared_power=np.add.reduceat(self.squared_power, starts),
            count_per_penalty=np.add.reduceat(self.count_per_penalty, starts),
            power_per_penalty=np.add.reduceat(self.power_per_penalty, starts),
            signal=np.add.reduceat(self.signal, starts),
        )

    def misfit(self, candidates: Array) -> Array:
        """1 - A = lambda / (s + lambda), shape (candidates, K)."""
        column = np.asarray(candidates, np.float64)[..., None]
        return column / (self.ratio + column)

    def residual_power(self, candidates: Array) -> Array:
        """||g - h * f(lambda)||^2, shape of the candidates."""
        return sum_over(self.misfit(candidates) ** 2, self.power)

    def degrees_of_freedom(self, candidates: Array) -> Array:
        """The trace of A, shape of the candidates."""
        return self.free + sum_over(1 - self.misfit(candidates), self.count)


def sum_over(values: Array, weights: Array) -> Array:
    """The sums of ``values`` (..., K) with ``weights`` (K,).

    Not by ``@``: BLAS gives such a product to all cores, and on small pictures its threads cost ten times the sum.
    """
    sums: Array = np.einsum("...k,k->...", values, weights)
    return sums


def gather_statistics(
    otf_power: Array,
    operator_power: Array,
    powers: list[Array],
    weights: Array,
    pixels: float,
    *,
    fourth_moment: bool = True,
    signal: Array | None = None,
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
    signal : ndarray or None
        The spectrum of the scene, which only the rule ``model_risk`` needs; broadcasts with the half spectrum.
    """
    shape = otf_power.shape
    weight = np.broadcast_to(weights, shape)
    penalty = np.broadcast_to(operator_power, shape)
    held = penalty > 0
    free = float(weight[~held].sum()) * len(powers)
    penalty, weight = penalty[held], weight[held]
    ratio: Array = otf_power[held] / penalty
    count = weight * float(len(powers))
    power = weight * sum(plane[held] for plane in powers)
    inverse = 1 / penalty
    sums: list[Array] = [count, power, count * inverse, power * inverse]
    nothing = np.zeros_like(count)
    sums.append(count * np.broadcast_to(signal, shape)[held] if signal is not None else nothing)
    sums.append(weight * sum(plane[held] ** 2 for plane in powers) if fourth_moment else nothing)
    if ratio.size > _EXACT_BINS:
        # The exponent and the top 8 bits of the mantissa of a float32 are a logarithm to 1/256 octave, for free.
        keys = ratio.astype(np.float32).view(np.int32) >> 15
        keys -= keys.min()
        binned: list[Array] = [
            nothing if values is nothing else np.bincount(keys, weights=values) for values in (*sums, count * ratio)
        ]
        used = binned[0] > 0
        binned = [np.zeros_like(used, np.float64) if values is nothing else values for values in binned]
        *sums, ratios = (values[used] for values in binned)
        # The mean ratio of the class, and so ascending: binning then errs only to second order.
        ratio = ratios / sums[0]
    else:
        order = np.argsort(ratio)
        ratio, sums = ratio[order], [values[order] for values in sums]
    count, power, count_per_penalty, power_per_penalty, scene, squared = sums
    return SpectralStatistics(
        ratio, count, power, squared, count_per_penalty, power_per_penalty, scene, free=free, pixels=pixels
    )
