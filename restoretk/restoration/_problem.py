"""An observation on its torus: the spectra, and the parameters of noise and scene that are read off them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.column_blocks import ColumnBlocks
from restoretk.convolution.fourier import forward_transform, half_spectrum_weights
from restoretk.convolution.sweeps import LARGE, transform_plane
from restoretk.restoration._column_sample import GivenSample, SampledPlanes, power_of
from restoretk.restoration._dark_bands import power_in_dark_bands
from restoretk.restoration._optics import Optics
from restoretk.restoration._periodogram import drawn_columns
from restoretk.restoration._planes import Planes
from restoretk.restoration._spectral_statistics import SpectralStatistics, gather_statistics
from restoretk.restoration._spectrum_bins import SpectrumBins, spectrum_bins
from restoretk.restoration.signal_spectrum import (
    PowerAt,
    SignalSpectrum,
    SpectrumPower,
    dark_share,
    fit_frames,
    fit_periodogram,
    noise_ceiling,
)
from restoretk.restoration.weighted import PixelWeights

ON_THE_FRAME = ("wrap", "taper")  # boundaries for which the torus is the frame itself


@dataclass(frozen=True)
class Problem:
    """An observation on a torus, ready to be filtered.

    P planes share one PSF (K = 1) or have one each (K = P).

    Attributes
    ----------
    laid : Planes
        The planes on the torus: the frame first, then the ring that closes the torus (no ring for ``wrap`` and ``taper``).
    optics : Optics
        K PSFs on the torus.
    frame : tuple of int
    boundary : str
    frames : ndarray of shape (P, *frame), or None
        The planes as they were seen, missing pixels filled in, where those on the torus are others.
    finish : callable
        Puts restored frames (P, *frame) back in the caller's layout and dtype.
    extension_steps : int
        FFT pairs that unknown pixels took.
    pixel_weights : PixelWeights or None
        What the noise of each pixel counts; None for white noise.
    masked : bool
        Whether a mask was given.
    channels : bool
        Whether the planes are the channels of one picture.
    unit : int
        The planes and all levels read off them are in units of 2^unit: 0 but for numbers of extreme size.
    fits_to_planes : tuple of SignalSpectrum or None
        The `fits`, where the unknown pixels were estimated under these.
    unseen : ndarray of bool, shape (P, *torus), or None
        Where the planes hold 0 because nobody saw anything, and nothing was estimated.
    """

    laid: Planes
    optics: Optics
    frame: tuple[int, ...]
    boundary: str
    frames: Array | None
    finish: Callable[[Array], Array]
    extension_steps: int
    pixel_weights: PixelWeights | None = None
    masked: bool = False
    channels: bool = False
    unit: int = 0
    fits_to_planes: tuple[SignalSpectrum, ...] | None = None
    unseen: Array | None = None

    @property
    def psfs(self) -> tuple[Array, ...]:
        """The K PSFs."""
        return self.optics.psfs

    @property
    def torus(self) -> tuple[int, ...]:
        """The grid on which the picture is taken for periodic."""
        return self.optics.torus

    @property
    def planes(self) -> Array:
        """The planes on the torus, shape (P, *torus)."""
        return self.laid.whole

    @property
    def observed(self) -> Array:
        """The planes as they were seen, shape (P, *frame)."""
        return self.laid.whole if self.frames is None else self.frames

    @cached_property
    def spectrum(self) -> Array:
        """The real FFT of the planes, shape (P, *half)."""
        if not self.in_sweeps:
            return forward_transform(self.planes, len(self.torus))
        half = (*self.torus[:-1], self.torus[-1] // 2 + 1)
        spectrum = np.empty((len(self.laid), *half), np.result_type(self.laid.dtype, np.complex64))
        for index, into in enumerate(spectrum):
            transform_plane(self.laid.plane(index), out=into)
        return spectrum

    @cached_property
    def weights(self) -> Array:
        """How often each bin of the half spectrum counts in the full spectrum (broadcasts)."""
        return half_spectrum_weights(self.torus)

    @property
    def planes_per_otf(self) -> int:
        """How many planes share each OTF."""
        return len(self.laid) // len(self.psfs)

    def plane_power(self, index: int) -> Array:
        """|G|^2 / N of one plane, shape (*half): its sum with `weights` is the sum of squares of the plane."""
        return power_of(self.spectrum[index], self.torus)

    @cached_property
    def sample(self) -> GivenSample | None:
        """The few columns of the spectra of large planes in which the `bins` lie; None where the whole is looked at."""
        chosen = drawn_columns(self.torus) if self.in_sweeps else None
        return None if chosen is None else SampledPlanes(self.laid, chosen)

    @cached_property
    def _otf_sample(self) -> Array:
        """The OTFs in the columns of the `sample`, shape (K, rows, n)."""
        assert self.sample is not None  # noqa: S101 - who asks has looked
        return self.optics.otf_in(self.sample.chosen)

    @cached_property
    def bins(self) -> SpectrumBins:
        """The bins from which parameters are chosen."""
        return spectrum_bins(self.torus)

    @cached_property
    def fits(self) -> tuple[SignalSpectrum, ...]:
        """For each of the K OTFs the power-law spectrum of the scene and the noise level, fitted to the observed frames."""
        if self.fits_to_planes is not None:
            return self.fits_to_planes
        found = []
        for index, psf in enumerate(self.psfs):
            which = slice(None) if len(self.psfs) == 1 else slice(index, index + 1)
            if self.boundary in ON_THE_FRAME:
                counts = np.broadcast_to(self.bins.counts, self._powers_at_bins[0][index].shape)
                planes = [self.laid.plane(number) for number in range(len(self.laid))[which]]
                ceiling = noise_ceiling(planes, psf, dark_share(self._powers_at_bins[0][index], counts))
                power, otf_power = self._powers_of(which, index)
                found.append(fit_periodogram(power, otf_power, self.torus, noise_ceiling=ceiling))
            else:
                found.append(fit_frames(list(self.observed[which]), psf))
        return tuple(found)

    def _powers_of(self, planes: slice, otf: int) -> tuple[PowerAt, PowerAt]:
        """|G|^2 / N, averaged over some planes, and |H|^2 of one OTF."""
        if self.sample is None:
            return SpectrumPower(self.spectrum[planes], float(np.prod(self.torus))), self.optics.otf_power[otf]
        spectra = [self.sample.of(each) for each in self.sample.spectra[planes]]
        seen_through = [self.sample.of(self._otf_sample[otf])]
        return SpectrumPower(spectra, float(np.prod(self.torus))), SpectrumPower(seen_through, 1.0)

    @cached_property
    def _powers_at_bins(self) -> tuple[Array, Array]:
        """|H|^2 of each OTF and |G|^2 / N of each plane at the `bins`."""
        if self.sample is None or self.bins.indices is None:
            return self.bins.of(self.optics.otf_power), power_of(self.bins.of(self.spectrum), self.torus)
        spectra, otf = (self.sample.of(values)[self.bins.indices] for values in (self.sample.spectra, self._otf_sample))
        return otf.real**2 + otf.imag**2, power_of(spectra, self.torus)

    def statistics(
        self, penalty: Array, *, fourth_moment: bool = False, signal: Array | None = None
    ) -> SpectralStatistics:
        """What the rules of `restoration.regularization` need.

        Parameters
        ----------
        penalty : ndarray
            |P|^2 at the `bins`.
        fourth_moment : bool
            Whether the rule ``whiteness`` will be asked for.
        signal : ndarray or None
            The spectrum of the scene at the `bins`, for the rule ``model_risk``.
        """
        pixels = float(np.prod(self.frame if self.boundary == "unknown" else self.torus)) * len(self.laid)
        otf_power, power = self._powers_at_bins
        # One OTF gathers all planes; several have a plane each.
        powers = [power] if len(self.psfs) > 1 else list(power[:, None])
        return gather_statistics(
            otf_power,
            penalty,
            powers,
            self.bins.counts,
            pixels,
            fourth_moment=fourth_moment,
            signal=signal,
        )

    def dark_power(self) -> float:
        """What the planes hold at frequencies that their blur has taken out; see `power_in_dark_bands`."""
        otf_power, power = self._powers_at_bins
        shared = power.mean(axis=0, keepdims=True) if len(self.psfs) == 1 else power
        found = [power_in_dark_bands(self.bins.frequencies, *each) for each in zip(otf_power, shared, strict=True)]
        return float(np.mean(found))

    @property
    def noise_sigma(self) -> float:
        """The fitted noise level, root mean square over the K fits."""
        return float(np.sqrt(np.mean([fit.noise_sigma * fit.noise_sigma for fit in self.fits])))

    def noise_variance(self) -> Array:
        """The fitted noise variances, shape (K, 1, ...), in the precision of the planes."""
        variances = np.array([fit.noise_sigma * fit.noise_sigma for fit in self.fits], self.laid.dtype)
        return variances.reshape((-1,) + (1,) * len(self.torus))

    def signal_power(self) -> Array:
        """The fitted spectra of the scene, shape (K, *half)."""
        return np.stack([fit.power(self.torus) for fit in self.fits])

    def signal_at_bins(self) -> Array:
        """The fitted spectra of the scene at the `bins`, shape (K, ...)."""
        return np.stack([fit.power_at(self.bins.frequencies) for fit in self.fits])

    def noise_to_signal(self, level: float = 1.0) -> Array:
        """The fitted ratios of noise to signal times ``level``, shape (K, *half), in the precision of the planes."""
        ratios = [fit.noise_to_signal(self.torus, level).astype(self.laid.dtype, copy=False) for fit in self.fits]
        stacked = np.stack(ratios)
        stacked.reshape(len(stacked), -1)[:, 0] = 0  # the mean of a picture is no part of its texture: it is kept
        return stacked

    @property
    def is_transformed(self) -> bool:
        """Whether the `spectrum` was needed, and is there."""
        return "spectrum" in self.__dict__

    def take_row_spectra(self) -> ColumnBlocks | None:
        """The transformed rows of a single plane that was looked at, for one who may overwrite them."""
        return self.sample.take_row_spectra() if "sample" in self.__dict__ and self.sample is not None else None

    @property
    def in_sweeps(self) -> bool:
        """Whether the planes are filtered block by block: where they are large enough to gain by it."""
        return len(self.torus) == 2 and self.torus[0] * self.torus[1] >= LARGE
