"""The one path of every linear filter: spectrum -> transfer function -> crop, and what was decided on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.boundary import crop
from restoretk.convolution.fourier import forward_transform, half_spectrum_weights, inverse_transform
from restoretk.restoration._spectral_statistics import SpectralStatistics, gather_statistics
from restoretk.restoration.record import Criterion, Restoration
from restoretk.restoration.signal_spectrum import (
    SignalSpectrum,
    SpectrumPower,
    fit_periodogram,
    fit_signal_spectrum,
    noise_ceiling,
)
from restoretk.restoration.weighted import solve_weighted

_WHOLE_SPECTRUM = 1 << 20  # bins: larger half spectra are sampled by rows
_ROW_STEP = 8
_WHITE_SHARE = 5e-4
_SEAM = 5.0  # times the step beside it; a picture that was blurred periodically has 1 to 2
ON_THE_FRAME = ("wrap", "taper")  # boundaries for which the torus is the frame itself


@dataclass(frozen=True)
class Problem:
    """An observation on a torus, ready to be filtered.

    P planes share one PSF (K = 1) or have one each (K = P).

    Attributes
    ----------
    planes : ndarray of shape (P, *torus)
        The frame first, then the ring that closes the torus (no ring for ``wrap`` and ``taper``).
    psfs : tuple of K ndarray
    otf : ndarray of complex, shape (K, *half spectrum of torus)
    torus, frame : tuple of int
    boundary : str
    observed : ndarray of shape (P, *frame)
        The frames, missing pixels filled in.
    finish : callable
        Puts restored frames (P, *frame) back in the caller's layout and dtype.
    extension_steps : int
        FFT pairs that unknown pixels took.
    weights_of_pixels : ndarray or None, shape (P, *torus)
        Mean noise variance over that of the pixel, 0 where nothing was observed; None for white noise.
    masked : bool
        Whether a mask was given.
    """

    planes: Array
    psfs: tuple[Array, ...]
    otf: Array
    torus: tuple[int, ...]
    frame: tuple[int, ...]
    boundary: str
    observed: Array
    finish: Callable[[Array], Array]
    extension_steps: int
    weights_of_pixels: Array | None = None
    masked: bool = False

    @cached_property
    def spectrum(self) -> Array:
        """The real FFT of the planes, shape (P, *half)."""
        return forward_transform(self.planes, len(self.torus))

    @cached_property
    def otf_power(self) -> Array:
        """|H|^2, shape (K, *half)."""
        return self.otf.real**2 + self.otf.imag**2

    @cached_property
    def weights(self) -> Array:
        """How often each bin of the half spectrum counts in the full spectrum (broadcasts)."""
        return half_spectrum_weights(self.torus)

    @property
    def planes_per_otf(self) -> int:
        """How many planes share each OTF."""
        return len(self.planes) // len(self.otf)

    def plane_power(self, index: int, rows: Array | slice = slice(None)) -> Array:  # a slice is immutable
        """|G|^2 / N of one plane, shape (*half): its sum with `weights` is the sum of squares of the plane.

        With ``rows``, only these rows of the half spectrum.
        """
        plane = self.spectrum[index, rows]
        power: Array = (plane.real**2 + plane.imag**2) / self.planes.dtype.type(np.prod(self.torus))
        return power

    @cached_property
    def fits(self) -> tuple[SignalSpectrum, ...]:
        """For each of the K OTFs the power-law spectrum of the scene and the noise level, fitted to the observed frames."""
        found = []
        for index, psf in enumerate(self.psfs):
            which = slice(None) if len(self.psfs) == 1 else slice(index, index + 1)
            if self.boundary in ON_THE_FRAME:
                ceiling = noise_ceiling(self.planes[which], psf, self.otf_power[index], periodic=True)
                power = SpectrumPower(self.spectrum[which], float(np.prod(self.torus)))
                found.append(fit_periodogram(power, self.otf_power[index], self.torus, noise_ceiling=ceiling))
            else:
                found.append(fit_signal_spectrum(self.observed[which], psf))
        return tuple(found)

    def statistics(self, penalty: Array, *, fourth_moment: bool = False) -> SpectralStatistics:
        """What the rules of `restoration.regularization` need, for an operator of power ``penalty`` (broadcasts).

        From a large half spectrum the rows of low frequency are all gathered, where the signal is, and one in eight of the
        others: the bins that are left determine the choice to a part in a hundred.
        """
        pixels = float(np.prod(self.frame if self.boundary == "unknown" else self.torus)) * len(self.planes)
        half = self.otf_power.shape[1:]
        rows, counts = _sampled_rows(half)
        power = np.stack([self.plane_power(index, rows) for index in range(len(self.planes))])
        # One OTF gathers all planes; several have a plane each.
        powers = [power] if len(self.otf) > 1 else list(power[:, None])
        penalty = np.broadcast_to(penalty, (np.shape(penalty)[0] if np.ndim(penalty) > len(half) else 1, *half))
        weights = counts.reshape((-1,) + (1,) * (len(half) - 1)) * self.weights if len(half) > 1 else self.weights
        return gather_statistics(
            self.otf_power[:, rows], penalty[:, rows], powers, weights, pixels, fourth_moment=fourth_moment
        )

    @property
    def noise_sigma(self) -> float:
        """The fitted noise level, root mean square over the K fits."""
        return float(np.sqrt(np.mean([fit.noise_sigma**2 for fit in self.fits])))

    def noise_variance(self) -> Array:
        """The fitted noise variances, shape (K, 1, ...), in the precision of the OTF."""
        variances = np.array([fit.noise_sigma**2 for fit in self.fits], self.otf_power.dtype)
        return variances.reshape((-1,) + (1,) * len(self.torus))

    def signal_power(self) -> Array:
        """The fitted spectra of the scene, shape (K, *half)."""
        return np.stack([fit.power(self.torus) for fit in self.fits])

    def quotient(self, addend: Array | float) -> Array:
        """conj(H) / (|H|^2 + addend), 0 where the denominator is 0, in the precision of the OTF."""
        denominator = self.otf_power + np.asarray(addend, self.otf_power.dtype)
        if not denominator.min() > 0:
            denominator[denominator <= 0] = np.inf
        transfer = np.conj(self.otf)
        transfer /= denominator
        return transfer

    def filtered(self, transfer: Array) -> Array:
        """The image restored by a transfer function of shape (K, *half), in the caller's layout and dtype."""
        product = self.spectrum * transfer.astype(self.spectrum.dtype, copy=False)
        restored = inverse_transform(product, self.torus)
        return self.finish(crop(restored, [0] * len(self.frame), self.frame))


def _sampled_rows(half: tuple[int, ...]) -> tuple[Array | slice, Array]:
    """The rows of a half spectrum to gather statistics from, and how many rows each stands for."""
    index = np.arange(half[0])
    if len(half) < 2 or np.prod(half) <= _WHOLE_SPECTRUM:
        return slice(None), np.ones(half[0])
    low = np.minimum(index, half[0] - index) < half[0] // 32
    drawn = ~low & (index % _ROW_STEP == 0)
    rows = np.flatnonzero(low | drawn)
    return rows, np.where(low, 1.0, np.count_nonzero(~low) / np.count_nonzero(drawn))[rows]


def _seam_warning(problem: Problem) -> tuple[str, ...]:
    """A sentence where the boundary is wrap and opposite edges of the frame do not fit together."""
    if problem.boundary != "wrap":
        return ()
    for axis, size in enumerate(problem.frame, start=1):
        if size < 4:
            continue
        # A blur round the torus spreads a jump over its seam: the steps beside it are then as large as the one across.
        around = np.take(problem.planes, [-2, -1, 0, 1], axis)
        before, seam, after = np.abs(np.diff(around, axis=axis)).mean(axis=tuple(set(range(around.ndim)) - {axis}))
        inside = max(float(before), float(after))
        if inside > 0 and seam > _SEAM * inside:
            return (
                f"boundary 'wrap' takes the picture for periodic, but the step between its opposite edges is "
                f"{seam / inside:.0f} times that beside it: it will ring; boundary 'unknown' does not",
            )
    return ()


def _highlight_warning(problem: Problem) -> tuple[str, ...]:
    """A sentence where many pixels are at full white and none were masked."""
    share = float(np.mean(problem.observed == 1))
    if problem.masked or share < _WHITE_SHARE or float(problem.observed.max()) > 1:
        return ()
    return (
        f"{share:.1%} of the pixels are at full white: where they are blown out, mask='saturated' keeps their halo away",
    )


@dataclass(frozen=True)
class LinearFilter:
    """What a linear method decided for one problem: the transfer function, shape (K, *half), and why.

    ``addend`` is q in conj(H) / (|H|^2 + q), by which a weighted problem is solved.
    """

    method: str
    problem: Problem
    transfer: Array
    parameters: Mapping[str, float | str]
    noise_sigma: float | None = None
    criteria: Mapping[str, Criterion] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    addend: Array | None = None

    def image(self) -> Array:
        """The restored image."""
        problem = self.problem
        if problem.weights_of_pixels is None or self.addend is None:
            return problem.filtered(self.transfer)
        spectrum = problem.spectrum * self.transfer.astype(problem.spectrum.dtype, copy=False)
        start = inverse_transform(spectrum, problem.torus)
        solved = solve_weighted(problem.planes, problem.otf, self.addend, problem.weights_of_pixels, start)
        return problem.finish(crop(solved.planes, [0] * len(problem.frame), problem.frame))

    def restoration(self) -> Restoration:
        """The restored image with the record of what was chosen."""
        problem = self.problem
        size = float(np.prod(problem.torus))
        action = self.transfer * problem.otf
        misfit = np.abs(1 - action) ** 2
        residual = sum(
            float(np.sum(problem.weights * misfit[index // problem.planes_per_otf] * problem.plane_power(index)))
            for index in range(len(problem.planes))
        )
        diagnostics = {
            "noise_gain": float(
                np.sqrt(np.sum(problem.weights * np.abs(self.transfer) ** 2) / (size * len(problem.otf)))
            ),
            "effective_degrees_of_freedom": float(
                np.sum(problem.weights * np.real(action)) / (size * len(problem.otf))
            ),
            "residual_sigma": float(np.sqrt(residual / (size * len(problem.planes)))),
        }
        if problem.extension_steps:
            diagnostics["extension_fft_pairs"] = float(problem.extension_steps)
        return Restoration(
            image=self.image(),
            method=self.method,
            parameters=dict(self.parameters) | {"boundary": problem.boundary},
            noise_sigma=self.noise_sigma,
            criteria=dict(self.criteria),
            diagnostics=diagnostics,
            warnings=(*self.warnings, *_seam_warning(problem), *_highlight_warning(problem)),
            transfer=self.transfer,
            torus=problem.torus,
        )
