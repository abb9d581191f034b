"""The one path of every linear filter: planes -> torus -> spectrum -> transfer function -> crop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image, to_dtype, to_planes
from restoretk.convolution.boundary import BOUNDARIES, check_boundary, crop, extend_periodically
from restoretk.convolution.fourier import (
    fast_shape,
    forward_transform,
    half_spectrum_weights,
    inverse_transform,
    psf_to_otf,
)
from restoretk.psf import check_psf
from restoretk.restoration.record import Criterion, Restoration
from restoretk.restoration.signal_spectrum import SignalSpectrum, fit_signal_spectrum
from restoretk.restoration.unknown_boundary import extend_unknown

RESTORATION_BOUNDARIES = (*BOUNDARIES, "unknown")


@dataclass(frozen=True)
class Problem:
    """An observation on a torus, ready to be filtered.

    Attributes
    ----------
    planes : ndarray of shape (P, *torus)
        The frame first, then the ring that closes the torus (no ring for ``wrap``).
    psf : ndarray
        The checked PSF.
    otf : ndarray of complex, half spectrum of ``torus``
    torus, frame : tuple of int
    boundary : str
    observed : ndarray of shape (P, *frame)
    finish : callable
        Puts restored frames (P, *frame) back in the caller's layout and dtype.
    extension_steps : int
        FFT pairs that the unknown boundary took.
    """

    planes: Array
    psf: Array
    otf: Array
    torus: tuple[int, ...]
    frame: tuple[int, ...]
    boundary: str
    observed: Array
    finish: Callable[[Array], Array]
    extension_steps: int

    @cached_property
    def spectrum(self) -> Array:
        """The real FFT of the planes, shape (P, *half)."""
        return forward_transform(self.planes, len(self.torus))

    @cached_property
    def otf_power(self) -> Array:
        """|H|^2 on the half spectrum."""
        return self.otf.real**2 + self.otf.imag**2

    @cached_property
    def power(self) -> Array:
        """|G|^2 / N summed over the planes, float64: its sum with `weights` is the sum of squares of all planes."""
        total = np.zeros(self.otf.shape)
        for plane in self.spectrum:
            total += plane.real.astype(np.float64) ** 2 + plane.imag.astype(np.float64) ** 2
        return total / np.prod(self.torus)

    @cached_property
    def weights(self) -> Array:
        """How often each bin of the half spectrum counts in the full spectrum (broadcasts)."""
        return half_spectrum_weights(self.torus)

    @cached_property
    def signal_spectrum(self) -> SignalSpectrum:
        """The power-law spectrum of the scene and the noise level, fitted to the observed frame."""
        return fit_signal_spectrum(self.observed, self.psf, periodic=self.boundary == "wrap")

    def filtered(self, transfer: Array) -> Array:
        """The image restored by a transfer function on the half spectrum, in the caller's layout and dtype."""
        restored = inverse_transform(self.spectrum * transfer.astype(self.spectrum.dtype, copy=False), self.torus)
        return self.finish(crop(restored, [0] * len(self.frame), self.frame))


def open_problem(image: npt.ArrayLike, psf: npt.ArrayLike, boundary: str, channel_axis: int | None) -> Problem:
    """Check the image, the PSF and the boundary, and lay the observation on its torus.

    Raises
    ------
    TypeError, ValueError
        See `restoretk._arrays.as_float_image`, `restoretk.psf.check_psf`; also for a PSF larger than the image and an
        unknown boundary.
    """
    check_boundary(boundary, RESTORATION_BOUNDARIES)
    working, dtype = as_float_image(image)
    kernel = check_psf(psf).astype(np.float64)
    planes, from_planes = to_planes(working, kernel.ndim, channel_axis)
    frame = planes.shape[1:]
    if any(side > size for side, size in zip(kernel.shape, frame, strict=True)):
        raise ValueError(f"psf of shape {kernel.shape} is larger than the image {frame}")

    torus = frame
    if boundary != "wrap":
        torus = fast_shape(
            [size + 2 * (side // 2) + (side > 1) for size, side in zip(frame, kernel.shape, strict=True)]
        )
    otf = psf_to_otf(kernel, torus)
    steps = 0
    if boundary == "unknown":
        extended, steps = _extend_each(planes, kernel, otf, torus)
    else:
        extended = extend_periodically(planes, torus, boundary)
    return Problem(
        planes=extended,
        psf=kernel,
        otf=otf,
        torus=torus,
        frame=frame,
        boundary=boundary,
        observed=planes,
        finish=lambda restored: to_dtype(from_planes(restored), dtype),
        extension_steps=steps,
    )


def _extend_each(planes: Array, psf: Array, otf: Array, torus: tuple[int, ...]) -> tuple[Array, int]:
    """Every plane continued onto the torus under its own spectrum: a page restores alone as it does in a stack."""
    extended, most = [], 0
    for plane in planes:
        fitted = fit_signal_spectrum(plane[None], psf, periodic=False)
        precision = 1 / (np.abs(otf) ** 2 * fitted.power(torus) + fitted.noise_sigma**2)
        continued, steps = extend_unknown(plane, otf, precision, torus)
        extended.append(continued)
        most = max(most, steps)
    return np.stack(extended), most


@dataclass(frozen=True)
class LinearFilter:
    """What a linear method decided for one problem: the transfer function, and why."""

    method: str
    problem: Problem
    transfer: Array
    parameters: Mapping[str, float | str]
    noise_sigma: float | None = None
    criteria: Mapping[str, Criterion] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def image(self) -> Array:
        """The restored image."""
        return self.problem.filtered(self.transfer)

    def restoration(self) -> Restoration:
        """The restored image with the record of what was chosen."""
        problem = self.problem
        bins = np.prod(problem.torus)
        gain = np.abs(self.transfer) ** 2
        degrees = float(np.sum(problem.weights * np.real(self.transfer * problem.otf)))
        misfit = np.abs(1 - self.transfer * problem.otf) ** 2
        residual_power = float(np.sum(problem.weights * misfit * problem.power) / (bins * len(problem.planes)))
        diagnostics = {
            "noise_gain": float(np.sqrt(np.sum(problem.weights * gain) / bins)),
            "effective_degrees_of_freedom": degrees / float(bins),
            "residual_sigma": float(np.sqrt(residual_power)),
        }
        if problem.boundary == "unknown":
            diagnostics["extension_fft_pairs"] = float(problem.extension_steps)
        return Restoration(
            image=self.image(),
            method=self.method,
            parameters=dict(self.parameters) | {"boundary": problem.boundary},
            noise_sigma=self.noise_sigma,
            criteria=dict(self.criteria),
            diagnostics=diagnostics,
            warnings=self.warnings,
        )
