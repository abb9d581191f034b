"""What the spectrum of a residual shows: is it flat, is the scene left in it, is the noise in it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.ndimage
import scipy.special

from restoretk._arrays import Array
from restoretk.convolution.fourier import (
    forward_transform,
    frequency_grid,
    half_spectrum_weights,
    inverse_transform,
)

_LAGS = 3
_SMOOTH = {1: 81, 2: 9, 3: 5}  # bins over which a periodogram is averaged to see where noise rules
_BLOCKS, _LEAST_IN_BLOCK = 8, 200  # of the spectrum along each axis; bins that tell a level to 14 % (Hann counted in)
_HANN_SPREAD = 1.944  # 1 + 2 (2/3)^2 + 2 (1/6)^2: a Hann window makes one ordinate out of so many, along each axis
_DARK = 1e-3  # |H|^2 that leaves of a photograph less than faint noise
_BRIGHT = 0.1  # |H|^2 at which the scene stands above all but heavy noise
_NOISY, _LEAST_NOISY = 1.6, 0.1


def autocorrelation(planes: Array) -> Array:
    """Normalised, at lags up to 3 along every axis, on the torus that the planes close to."""
    shape = planes.shape[1:]
    centred = planes - planes.mean(axis=tuple(range(1, planes.ndim)), keepdims=True)
    power = np.sum(np.abs(forward_transform(centred, len(shape))) ** 2, axis=0)
    lags = np.roll(inverse_transform(power, shape), (_LAGS,) * len(shape), axis=tuple(range(len(shape))))
    near = lags[(slice(2 * _LAGS + 1),) * len(shape)]
    peak = near[(_LAGS,) * len(shape)]
    return near / peak if peak > 0 else np.zeros_like(near)


def flatness(power: Array, otf_power: Array, shape: tuple[int, ...], planes: int) -> tuple[float, float]:
    """How uneven a periodogram is where the PSF passes nothing, and the p-value of it being flat; NaN if unknown."""
    # A Hann window carries light two bins far.
    lit = scipy.ndimage.maximum_filter(otf_power, 5, mode=_spectrum_edges(len(shape)))
    dark = lit < _DARK
    count = int(np.clip((power.size / (2 * _LEAST_IN_BLOCK)) ** (1 / len(shape)), 2, _BLOCKS))
    cells = [np.minimum((2 * count * np.abs(f)).astype(np.intp), count - 1) for f in frequency_grid(shape)]
    cell = np.broadcast_to(np.ravel_multi_index(np.broadcast_arrays(*cells), (count,) * len(shape)), power.shape)
    number = np.bincount(cell[dark], minlength=count ** len(shape))
    kept = number >= _LEAST_IN_BLOCK
    if kept.sum() < 4:
        return float("nan"), float("nan")
    level = np.bincount(cell[dark], power[dark], minlength=len(number))[kept] / number[kept]
    colour = float(np.quantile(level, 0.9) / np.quantile(level, 0.1))
    ordinates = number[kept] * planes / _HANN_SPREAD ** len(shape)  # independent exponentials in each block
    mean = np.sum(ordinates * level) / ordinates.sum()
    statistic = 2 * np.sum(ordinates * (np.log(mean) - np.log(level)))
    correction = 1 + (np.sum(1 / ordinates) - 1 / ordinates.sum()) / (6 * (len(ordinates) - 1))
    return colour, float(scipy.special.chdtrc(len(ordinates) - 1, statistic / correction))


def _spectrum_edges(ndim: int) -> list[Literal["wrap", "nearest"]]:
    """What lies beyond a half spectrum: it is periodic on all axes but the last."""
    edges: list[Literal["wrap", "nearest"]] = ["wrap"] * (ndim - 1)
    return [*edges, "nearest"]


def bright_excess(power: Array, otf_power: Array, shape: tuple[int, ...]) -> float:
    """Mean power of the residual, in units of the noise, where the PSF passes the scene; without the mean of the frame."""
    near_zero = np.ones(power.shape, bool)
    for frequency, size in zip(frequency_grid(shape), shape, strict=True):
        near_zero &= np.abs(frequency) * size < 1.5
    bright = (otf_power > _BRIGHT) & ~near_zero
    weights = np.broadcast_to(half_spectrum_weights(shape), power.shape)[bright]
    return float(np.average(power[bright], weights=weights)) if weights.size else float("nan")


def noise_kept_out(power: Array, seen_power: Array) -> float:
    """Share of the observed power that stays in the residual where the observation is little more than noise."""
    smooth = scipy.ndimage.uniform_filter(seen_power, _SMOOTH.get(power.ndim, 5), mode=_spectrum_edges(power.ndim))
    noisy = smooth < _NOISY
    if noisy.mean() < _LEAST_NOISY:
        return float("nan")
    return float(power[noisy].sum() / seen_power[noisy].sum())
