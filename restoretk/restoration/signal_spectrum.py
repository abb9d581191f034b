"""The power spectrum of the scene, a power law fitted to the blurred and noisy picture through its PSF.

Photographs have spectra close to S(f) = A (f0^2 + |f|^2)^(-a/2). The observation then has V(f) = |H(f)|^2 S(f) +
sigma^2, its periodogram ordinates are independent exponentials of mean V, and the parameters that make the seen
periodogram most likely (Whittle 1953) are found in milliseconds, the noise level among them. With S known, the Wiener
filter conj(H) / (|H|^2 + sigma^2 / S) has no parameter left to choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.fourier import half_spectrum_weights, psf_to_otf
from restoretk.convolution.periodogram import periodogram
from restoretk.convolution.sweeps import RowBlocks
from restoretk.noise_estimation.quiet_blocks import quiet_sigma_on_torus
from restoretk.noise_estimation.white import estimate_noise_sigma
from restoretk.restoration._frame_noise import frame_noise_sigma
from restoretk.restoration._frame_windows import windows_of_all
from restoretk.restoration._periodogram import draw_bins
from restoretk.restoration._polar_table import on_half_spectrum
from restoretk.restoration._spectrum_cells import cell_at, factors_at, fit_cells
from restoretk.restoration._whittle import CORNERS, ISOTROPIC, LOWEST_NOISE, Whittle, directions, most_likely

_CELL_BINS_PER_SHELL = 12_000
_DARK_OTF, _DARK_SHARE = 1e-2, 0.1  # |H|^2 in this share of the spectrum leaves the noise alone there
_ABOVE_ESTIMATE = 1.1  # a fitted sigma may exceed the one seen in the quiet blocks by its scatter only


@dataclass(frozen=True)
class SignalSpectrum:
    """The power spectrum of a scene, S(f) = amplitude (corner^2 + |f|^2)^(-exponent / 2) exp(D(t)).

    D(t) = c2 cos 2t + s2 sin 2t + c4 cos 4t + s4 sin 4t with t the angle of f from the row axis towards the column axis:
    one preferred direction, and the cross that the uprights and levels of built scenes draw. f is in cycles per pixel. S
    is the variance of the scene per frequency in the units of the periodogram |F|^2 / N, so that white noise of standard
    deviation sigma has S = sigma^2.

    Attributes
    ----------
    amplitude : float
        > 0, in squared units of the picture.
    exponent : float
        The fall in power with frequency; near 2 for photographs.
    corner : float
        The frequency below which the spectrum is flat, cycles per pixel.
    anisotropy : (float, float, float, float)
        (c2, s2, c4, s4); zeros for an isotropic spectrum and for scenes that are not two-dimensional.
    noise_sigma : float
        Standard deviation of the noise that was fitted along with it (or given), > 0 as far as rounding can tell.
    misfit : float
        Mean over the frequencies of P/V - 1 - log(P/V), less the 0.577 that a perfect model has: 0.0 is perfect, a
        photograph has about 0.01 to 0.1, and a picture that is no power law (text, a lattice) more.
    cells : ndarray or None
        How the picture departs from the law: a factor for each half octave and direction; None for none.
    """

    amplitude: float
    exponent: float
    corner: float
    anisotropy: tuple[float, float, float, float]
    noise_sigma: float
    misfit: float = 0.0
    cells: Array | None = field(default=None, repr=False, compare=False)

    def power(self, shape: Sequence[int]) -> Array:
        """Give S on the half spectrum of a grid of ``shape``, as `psf_to_otf` lays out its frequencies.

        On pictures of more than 2^18 bins to within about one per cent, float32; exact, float64, on smaller grids.
        """
        return on_half_spectrum(self.power_at, shape)

    def power_at(self, frequencies: Sequence[Array]) -> Array:
        """Give S at frequencies in cycles per pixel, one broadcastable array per axis (any block of the spectrum).

        The highest frequency of an even side, +-1/2, has no sign: there it is the geometric mean of both.
        """
        power = self._signed_power_at(frequencies)
        if len(frequencies) == 2:
            rows, columns = np.broadcast_arrays(*frequencies)
            edge = np.maximum(np.abs(rows), np.abs(columns)) == 0.5
            if edge.any():
                power[edge] = np.sqrt(power[edge] * self._signed_power_at([-rows[edge], columns[edge]]))
        return power

    def _signed_power_at(self, frequencies: Sequence[Array]) -> Array:
        squared = np.asarray(sum(f**2 for f in frequencies))
        log_power = -0.5 * self.exponent * np.log(squared + self.corner**2)
        if any(self.anisotropy):
            for coefficient, wave in zip(self.anisotropy, directions(frequencies), strict=True):
                log_power += coefficient * wave
        law = self.amplitude * np.exp(log_power)
        return law if self.cells is None else law * factors_at(self.cells, frequencies)

    def noise_to_signal(self, shape: Sequence[int], level: float = 1.0) -> Array:
        """Give ``level`` times sigma^2 / S on the half spectrum of a grid of ``shape``, as exactly as `power`."""
        return on_half_spectrum(lambda frequencies: level * self.noise_to_signal_at(frequencies), shape)

    def noise_to_signal_at(self, frequencies: Sequence[Array]) -> Array:
        """Give sigma^2 / S at frequencies in cycles per pixel."""
        variance = self.noise_sigma * self.noise_sigma  # not **2: pow() rounds otherwise for twice the light
        ratio: Array = variance / np.maximum(self.power_at(frequencies), np.finfo(np.float32).tiny)
        return ratio

    def parameters(self) -> dict[str, float]:
        """Give the numbers by name, for a record of what was chosen."""
        return {
            "amplitude": self.amplitude,
            "exponent": self.exponent,
            "corner": self.corner,
            **dict(zip(("cos2", "sin2", "cos4", "sin4"), self.anisotropy, strict=True)),
            "noise_sigma": self.noise_sigma,
        }


def fit_signal_spectrum(
    planes: Array,
    psf: Array,
    *,
    noise_sigma: float | None = None,
    periodic: bool = False,
    anisotropic: bool = True,
) -> SignalSpectrum:
    """Fit the spectrum of the scene, and the noise level, to blurred planes by Whittle maximum likelihood.

    Parameters
    ----------
    planes : ndarray of shape (..., *spatial)
        Pictures blurred by the same PSF; they share the spectrum (their periodograms are averaged).
    psf : ndarray of D axes
        The trailing D axes of the planes are spatial.
    noise_sigma : float or None
        The standard deviation of the noise if it is known; None fits it, held under what `estimate_noise_sigma` sees
        (in a picture that is hardly blurred its own fine texture passes for noise).
    periodic : bool
        True if the blur was circular: the periodogram is then exact. False for a frame cut from a larger scene: mean
        removed and a Hann window, which keeps the jump between opposite edges out of the high frequencies.
    anisotropic : bool
        Whether two-dimensional planes get the four anisotropy coefficients.

    Raises
    ------
    ValueError
        If the planes have fewer axes than the PSF or are smaller on any, or for a negative noise_sigma.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(1).normal(0, 1, (128, 128))
    >>> walk = np.cumsum(np.cumsum(noise - noise.mean(0), 0).T, 0).T
    >>> fit = fit_signal_spectrum(walk + np.random.default_rng(2).normal(0, 0.5, walk.shape), np.full((5, 5), 0.04))
    >>> fit.exponent > 1
    True
    """
    if planes.ndim < psf.ndim:
        raise ValueError(f"planes of shape {planes.shape} have fewer than the {psf.ndim} axes of the psf")
    if noise_sigma is not None and not noise_sigma >= 0:
        raise ValueError(f"noise_sigma must be >= 0, got {noise_sigma}")
    shape = planes.shape[planes.ndim - psf.ndim :]
    otf_power = np.abs(psf_to_otf(psf, shape)) ** 2
    stack = planes.reshape((-1, *shape))
    ceiling = (
        None if noise_sigma is not None else noise_ceiling(stack, psf, dark_share(otf_power) if periodic else None)
    )
    fitted = fit_periodogram(
        periodogram(planes, psf.ndim, periodic=periodic),
        otf_power,
        shape,
        noise_sigma=noise_sigma,
        noise_ceiling=ceiling,
        skip=0 if periodic else 1,
        anisotropic=anisotropic,
    )
    if periodic or noise_sigma is not None:
        return fitted
    level = frame_noise_sigma(stack, psf, fitted.power_at, fitted.noise_sigma)
    # A constant picture has a ceiling of 0, under which the fit does not go.
    highest = np.inf if ceiling is None else max(ceiling, fitted.noise_sigma)
    return replace(fitted, noise_sigma=min(level, highest))


def fit_frames(frames: Sequence[RowBlocks], psf: Array) -> SignalSpectrum:
    """Fit the spectrum to frames cut from larger scenes; to `windows_of` those that are large, and to some of very many."""
    return fit_signal_spectrum(windows_of_all(frames, psf.shape), psf)


class PowerAt(Protocol):
    """A power that is worked out at the bins of a half spectrum that are asked for."""

    def __getitem__(self, indices: tuple[Array, ...]) -> Array: ...


@dataclass(frozen=True)
class SpectrumPower:
    """The mean of |G|^2 / N over spectra (P, *half), or what gives each at indices: at the bins that are asked for."""

    spectra: Array | Sequence[PowerAt]
    size: float

    def __getitem__(self, indices: tuple[Array, ...]) -> Array:
        chosen = np.stack([spectrum[indices] for spectrum in self.spectra])
        power: Array = (chosen.real.astype(np.float64) ** 2 + chosen.imag.astype(np.float64) ** 2).mean(
            axis=0
        ) / self.size
        return power


def fit_periodogram(
    power: Array | PowerAt,
    otf_power: Array | PowerAt,
    shape: Sequence[int],
    *,
    noise_sigma: float | None = None,
    noise_ceiling: float | None = None,
    skip: int = 0,
    anisotropic: bool = True,
) -> SignalSpectrum:
    """Fit the spectrum to a periodogram that is already there: the inner half of `fit_signal_spectrum`.

    Parameters
    ----------
    power : ndarray on the half spectrum, or what gives it at indices
        |G|^2 / N of the observation.
    otf_power : ndarray on the half spectrum, or what gives it at indices
        |H|^2.
    shape : sequence of int
        The grid that they belong to.
    noise_sigma, noise_ceiling : float or None
        The known noise level, or else an upper limit for it.
    skip : int
        Frequencies of index up to this on every axis are left out besides zero (1 for windowed data: their mean leaks).
    anisotropic : bool
        As for `fit_signal_spectrum`.
    """
    indices, weights = draw_bins(shape, skip)
    frequencies = [np.where(2 * k > n, k - n, k) / n for k, n in zip(indices, shape, strict=True)]
    observed, gain = power[indices], otf_power[indices]
    scale = float(np.average(observed, weights=weights)) if weights.size else 0.0
    if weights.size < 8 or scale <= 0:
        level = (
            float(np.mean(observed)) if observed.size and observed.any() else 1.0
        )  # nothing to fit: a constant picture, which any filter leaves alone
        sigma = noise_sigma or np.sqrt(LOWEST_NOISE * level)
        return SignalSpectrum(level, 2.0, CORNERS[1], ISOTROPIC, float(sigma))
    likelihood = Whittle(observed / scale, gain, weights / weights.sum(), frequencies, len(shape) == 2 and anisotropic)
    best = most_likely(likelihood, _noise_bounds(noise_sigma, noise_ceiling, scale))
    log_amplitude, exponent, log_corner, log_noise, *turn = (float(value) for value in best.x)
    mean_log = np.sum(likelihood.weights * np.log(np.maximum(likelihood.observed, 1e-300)))
    misfit = float(best.fun - mean_log - 1 - np.euler_gamma)
    fitted = SignalSpectrum(
        amplitude=float(scale * np.exp(log_amplitude)),
        exponent=exponent,
        corner=float(np.exp(log_corner)),
        anisotropy=(turn[0], turn[1], turn[2], turn[3]),
        noise_sigma=float(np.sqrt(scale * np.exp(log_noise))) if noise_sigma is None else max(noise_sigma, 0.0),
        misfit=misfit,
    )
    return replace(fitted, cells=_cells(fitted, power, otf_power, shape, skip))


def _cells(
    fitted: SignalSpectrum, power: Array | PowerAt, otf_power: Array | PowerAt, shape: Sequence[int], skip: int
) -> Array:
    """The departures from the law, from more bins than the law itself needs: each cell has but a few."""
    indices, frequencies, place, counts = _cell_bins(tuple(shape), skip)
    signal = otf_power[indices] * fitted.power_at(frequencies)
    expected = signal + fitted.noise_sigma * fitted.noise_sigma
    return fit_cells(place, len(shape), power[indices] / expected - 1, signal / expected, counts)


@lru_cache(maxsize=8)
def _cell_bins(shape: tuple[int, ...], skip: int) -> tuple[tuple[Array, ...], list[Array], Array, Array]:
    """A draw of bins, their frequencies, the cells they lie in and what they count.

    Of the shape alone, so a pipeline pays for it once.
    """
    indices, _ = draw_bins(shape, skip, _CELL_BINS_PER_SHELL)
    frequencies = [(np.where(2 * k > n, k - n, k) / n).astype(np.float32) for k, n in zip(indices, shape, strict=True)]
    return indices, frequencies, cell_at(frequencies), half_spectrum_weights(shape)[indices[-1]] / 2


def dark_share(otf_power: Array, counts: Array | None = None) -> float:
    """The share of the spectrum that the blur leaves dark, from |H|^2 at all its bins, or at some that count so often."""
    return float(np.average(otf_power < _DARK_OTF, weights=counts))


def noise_ceiling(stack: Iterable[Any], psf: Array, dark: float | None) -> float | None:
    """An upper limit for sigma from the quiet places of the planes, None if there is none.

    ``dark`` is the `dark_share` of a circular blur, None for a frame cut from a larger scene.

    On a torus only a PSF that leaves no band dark needs it, and it must not depend on where the torus is cut open.
    """
    if dark is None:
        sigmas = np.array([estimate_noise_sigma(plane, psf) for plane in stack])
    elif dark > _DARK_SHARE:
        return None
    else:
        sigmas = np.array([quiet_sigma_on_torus(plane) for plane in stack])
    level = float(np.sqrt(np.mean(sigmas**2)))
    return _ABOVE_ESTIMATE * level if np.isfinite(level) else None


def _noise_bounds(noise_sigma: float | None, ceiling: float | None, scale: float) -> tuple[float, float]:
    """Bounds of log(sigma^2 / scale)."""
    lowest = float(np.log(LOWEST_NOISE))
    if noise_sigma is not None:
        known = max(float(np.log(max(noise_sigma * noise_sigma / scale, LOWEST_NOISE))), lowest)
        return known, known
    highest = 1.0 if ceiling is None else float(np.log(max(ceiling * ceiling / scale, 10 * LOWEST_NOISE)))
    return lowest, highest
