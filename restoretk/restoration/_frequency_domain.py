"""The one path of every linear filter: planes -> torus -> spectrum -> transfer function -> crop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, to_dtype, to_planes
from restoretk.convolution.boundary import BOUNDARIES, check_boundary, crop, extend_periodically
from restoretk.convolution.fourier import (
    fast_shape,
    forward_transform,
    frequency_grid,
    half_spectrum_weights,
    inverse_transform,
    psf_to_otf,
)
from restoretk.convolution.taper import taper_planes
from restoretk.psf import check_psf
from restoretk.restoration.missing import Observation, first_fill, read_observation
from restoretk.restoration.record import Criterion, Restoration
from restoretk.restoration.regularization import SpectralStatistics, gather_statistics
from restoretk.restoration.signal_spectrum import (
    SignalSpectrum,
    SpectrumPower,
    fit_periodogram,
    fit_signal_spectrum,
    noise_ceiling,
)
from restoretk.restoration.unknown_boundary import extend_unknown
from restoretk.restoration.weighted import poisson_weights, read_weights, solve_weighted

RESTORATION_BOUNDARIES = (*BOUNDARIES, "taper", "smooth", "unknown")
_WHOLE_SPECTRUM = 1 << 20  # bins: larger half spectra are sampled by rows
_ROW_STEP = 8
_WHITE_SHARE = 5e-4
_SEAM = 5.0  # times the step beside it; a picture that was blurred periodically has 1 to 2
_ON_THE_FRAME = ("wrap", "taper")  # the torus is the frame itself


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
            if self.boundary in _ON_THE_FRAME:
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


def open_problem(
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    boundary: str,
    channel_axis: int | None,
    mask: npt.ArrayLike | str | None = None,
    weights: npt.ArrayLike | str | None = None,
) -> Problem:
    """Check the image, the PSF, the boundary and the mask, and lay the observation on its torus.

    Raises
    ------
    TypeError, ValueError
        See `restoretk._arrays.as_float_image`, `restoretk.psf.check_psf` and `read_observation`; also for a PSF larger than
        the image and an unknown boundary.
    """
    check_boundary(boundary, RESTORATION_BOUNDARIES)
    image_ndim = np.ndim(image)
    psfs = _read_psfs(psf, image_ndim, channel_axis)
    spatial_ndim = psfs[0].ndim
    seen = read_observation(image, mask, psfs[0], _spatial_axes(image_ndim, spatial_ndim, channel_axis))
    planes, from_planes = to_planes(seen.image, spatial_ndim, channel_axis)
    hidden = None if seen.missing is None else to_planes(seen.missing, spatial_ndim, channel_axis)[0]
    frame = planes.shape[1:]
    if len(psfs) > 1:
        psfs = _one_each(psfs, seen.image.shape, channel_axis, len(planes))
    side = tuple(max(sides) for sides in zip(*(each.shape for each in psfs), strict=True))
    if any(longest > size for longest, size in zip(side, frame, strict=True)):
        raise ValueError(f"psf of shape {side} is larger than the image {frame}")

    padded = fast_shape([size + 2 * (longest // 2) + (longest > 1) for size, longest in zip(frame, side, strict=True)])
    missing = hidden
    torus = frame if boundary in _ON_THE_FRAME else padded
    otf = np.stack([psf_to_otf(each.astype(planes.dtype), torus) for each in psfs])
    steps = 0
    if missing is not None and boundary not in ("unknown", "wrap"):
        whole, steps = _complete(planes, psfs, np.stack([psf_to_otf(each, padded) for each in psfs]), padded, missing)
        planes, missing = crop(whole, [0] * spatial_ndim, frame).astype(planes.dtype), None
    if boundary == "unknown" or missing is not None:
        extended, steps = _complete(planes, psfs, otf, torus, missing)
    elif boundary == "taper":
        each_psf = psfs * (len(planes) // len(psfs))
        extended = np.concatenate([taper_planes(p[None], k) for p, k in zip(planes, each_psf, strict=True)])
    elif boundary == "smooth":
        extended, steps = extend_unknown(planes, otf[0], _smoothness(torus), torus)
    else:
        extended = extend_periodically(planes, torus, boundary)
    observed = planes if missing is None else crop(extended, [0] * spatial_ndim, frame)
    pixel_weights = None
    if weights is not None:
        given = read_weights(weights, seen.image.shape, frame)
        if given is None:
            given = poisson_weights(observed.astype(np.float64))
        elif given.shape != frame:
            given = to_planes(given, spatial_ndim, channel_axis)[0]
        pixel_weights = _weights_on_torus(np.broadcast_to(given, planes.shape), hidden, torus, boundary)
    return Problem(
        planes=extended,
        psfs=psfs,
        otf=otf,
        torus=torus,
        frame=frame,
        boundary=boundary,
        observed=observed,
        finish=_finisher(seen, from_planes),
        extension_steps=steps,
        weights_of_pixels=pixel_weights,
        masked=mask is not None,
    )


def _sampled_rows(half: tuple[int, ...]) -> tuple[Array | slice, Array]:
    """The rows of a half spectrum to gather statistics from, and how many rows each stands for."""
    index = np.arange(half[0])
    if len(half) < 2 or np.prod(half) <= _WHOLE_SPECTRUM:
        return slice(None), np.ones(half[0])
    low = np.minimum(index, half[0] - index) < half[0] // 32
    drawn = ~low & (index % _ROW_STEP == 0)
    rows = np.flatnonzero(low | drawn)
    return rows, np.where(low, 1.0, np.count_nonzero(~low) / np.count_nonzero(drawn))[rows]


def _read_psfs(psf: npt.ArrayLike, image_ndim: int, channel_axis: int | None) -> tuple[Array, ...]:
    """One checked PSF, or one for each channel: then the PSF has as many axes as the image."""
    if channel_axis is None or np.ndim(psf) != image_ndim or not -image_ndim <= channel_axis < image_ndim:
        return (check_psf(psf).astype(np.float64),)
    channels = np.moveaxis(np.asarray(psf), channel_axis, 0)
    return tuple(check_psf(each, f"psf of channel {index}").astype(np.float64) for index, each in enumerate(channels))


def _one_each(
    psfs: tuple[Array, ...], shape: tuple[int, ...], channel_axis: int | None, planes: int
) -> tuple[Array, ...]:
    """The PSF of each plane, where each channel has its own."""
    channels = shape[channel_axis or 0]
    if len(psfs) != channels:
        raise ValueError(f"psf must be one array or one for each of the {channels} channels, got {len(psfs)}")
    return tuple(psf for psf in psfs for _ in range(planes // channels))


def _spatial_axes(image_ndim: int, spatial_ndim: int, channel_axis: int | None) -> tuple[int, ...]:
    axes = [axis for axis in range(image_ndim) if channel_axis is None or axis != channel_axis % max(image_ndim, 1)]
    return tuple(axes[len(axes) - spatial_ndim :])


def _complete(
    planes: Array, psfs: tuple[Array, ...], otf: Array, torus: tuple[int, ...], missing: Array | None
) -> tuple[Array, int]:
    """Every plane on the torus, its unknown pixels estimated under its own spectrum: a page alone is as in a stack."""
    guess = planes if missing is None else first_fill(planes, missing)
    completed, most = [], 0
    for index, plane in enumerate(guess):
        which = index if len(psfs) > 1 else 0
        fitted = fit_signal_spectrum(plane[None], psfs[which], periodic=torus == plane.shape)
        expected = np.abs(otf[which]) ** 2 * fitted.power(torus) + fitted.noise_sigma**2
        hole = None if missing is None else missing[index]
        continued, steps = extend_unknown(plane, otf[which], 1 / expected, torus, mask=hole)
        completed.append(continued)
        most = max(most, steps)
    return np.stack(completed), most


def _weights_on_torus(weights: Array, hidden: Array | None, torus: tuple[int, ...], boundary: str) -> Array:
    """Mean variance over variance where something was observed, 0 on hidden pixels and on a ring that nobody saw.

    White noise of the mean variance is what the spectrum of the picture shows, so that the strength found there fits.
    """
    known = weights if hidden is None else np.where(hidden, 0, weights)
    if not known.any():
        raise ValueError("weights must leave at least one pixel that is not masked")
    known = known * np.mean(1 / known[known > 0])
    if boundary in ("unknown", "smooth"):
        ring = [(0, 0)] + [(0, grid - size) for grid, size in zip(torus, known.shape[1:], strict=True)]
        return np.pad(known, ring)
    return extend_periodically(known, torus, boundary if boundary in BOUNDARIES else "wrap")


def _smoothness(torus: tuple[int, ...]) -> Array:
    """The precision under which the likeliest ring is the surface of least gradient energy."""
    symbol: Array = np.asarray(sum(4 * np.sin(np.pi * frequency) ** 2 for frequency in frequency_grid(torus)))
    return symbol + 1e-6  # the mean is free, but not the sum


def _finisher(seen: Observation, from_planes: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def finish(restored: Array) -> Array:
        image = from_planes(restored)
        if seen.kept is not None:
            image = np.where(seen.kept, seen.image, image)
        return to_dtype(image, seen.dtype)

    return finish


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
