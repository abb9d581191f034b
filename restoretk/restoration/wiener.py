"""The Wiener filter: least mean squared error for a known or fitted ratio of noise to signal."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from restoretk._any_array import is_foreign
from restoretk._arrays import Array, as_finite, check_out
from restoretk._grammar import OptionError
from restoretk.convolution.fourier import psf_to_otf
from restoretk.restoration._any_array import Method, restore_anywhere
from restoretk.restoration._frequency_domain import LinearFilter
from restoretk.restoration._optics import Workshop
from restoretk.restoration._problem import Problem
from restoretk.restoration._torus import open_problem
from restoretk.restoration._transfer import (
    GivenTransfer,
    Quotient,
    Transfer,
    constant,
    fitted_ratio,
    penalty,
    tabulated,
)
from restoretk.restoration.operators import operator_power_at
from restoretk.restoration.per_channel import ChannelFilters, decide_per_channel
from restoretk.restoration.regularization import choose, guarded_gcv

_LEVELS = (1 / 8, 8.0)  # of the fitted noise-to-signal ratio: further away the fit is the better guide


def decide(
    image: npt.ArrayLike | Problem,
    psf: npt.ArrayLike,
    *,
    noise_to_signal: float | str | npt.ArrayLike = "auto",
    noise_autocorrelation: npt.ArrayLike | None = None,
    signal_autocorrelation: npt.ArrayLike | None = None,
    boundary: str = "unknown",
    channel_axis: int | None = None,
    mask: npt.ArrayLike | str | None = None,
    weights: npt.ArrayLike | str | None = None,
    per_channel: bool = False,
    workshop: Workshop | None = None,
) -> LinearFilter | ChannelFilters:
    """The Wiener filter as a `LinearFilter`, or one for each channel; see `wiener`."""
    if per_channel and not isinstance(image, Problem):
        each = partial(
            decide,
            noise_to_signal=noise_to_signal,
            noise_autocorrelation=noise_autocorrelation,
            signal_autocorrelation=signal_autocorrelation,
            boundary=boundary,
        )
        return decide_per_channel(each, image, psf, channel_axis, mask=mask, weights=weights)
    correlations = _check_choice(noise_to_signal, noise_autocorrelation, signal_autocorrelation)
    problem = open_problem(image, psf, boundary, channel_axis, mask, weights, workshop)
    noise_sigma: float | None = None
    warnings: tuple[str, ...] = ()
    doubt = ""
    filtered_by: Transfer
    parameters: dict[str, float | str]
    if correlations is not None:
        noise, signal = (np.abs(psf_to_otf(part, problem.torus)) for part in correlations)
        # conj(H) S_f / (|H|^2 S_f + S_n) needs no division by a signal spectrum that may have zeros.
        denominator = problem.optics.otf_power * signal + noise
        whole = np.divide(
            np.conj(problem.optics.otf) * signal, denominator, out=0 * problem.optics.otf, where=denominator > 0
        )
        addend = noise / np.maximum(signal, np.finfo(np.float32).tiny)
        filtered_by = GivenTransfer(whole, tabulated(addend[None]))
        parameters = {"noise_to_signal": "autocorrelations", "chosen_by": "given"}
    elif isinstance(noise_to_signal, str):
        noise_sigma = problem.noise_sigma
        doubt, strength = _doubt(problem)
        if doubt:
            filtered_by = Quotient(problem.optics, penalty(strength, "laplacian", problem.optics))
            warnings = (
                f"{doubt}; a smooth spectrum of the scene, with care, stands in for the fitted one: a given noise_to_signal "
                f"may do better",
            )
            parameters = {"noise_to_signal": "auto", "chosen_by": "marginal_likelihood, smooth spectrum, with care"}
        else:
            level = _fitted_level(problem)
            filtered_by = Quotient(problem.optics, fitted_ratio(problem, level))
            parameters = {"noise_to_signal": "auto", "chosen_by": "fitted spectrum", "level": level}
            parameters |= problem.fits[0].parameters() if len(problem.fits) == 1 else {}
    else:
        ratio = _on_half_spectrum(np.asarray(noise_to_signal, np.float64), problem)
        filtered_by = Quotient(problem.optics, tabulated(ratio[None]) if ratio.ndim else constant(float(ratio)))
        parameters = {"noise_to_signal": "spectrum" if ratio.ndim else float(ratio), "chosen_by": "given"}
    return LinearFilter(
        "wiener", problem, filtered_by, parameters, noise_sigma, warnings=warnings, not_white=bool(doubt)
    )


def _check_choice(
    noise_to_signal: float | str | npt.ArrayLike, noise: npt.ArrayLike | None, signal: npt.ArrayLike | None
) -> tuple[Array, Array] | None:
    """The two autocorrelations where they were given; raises unless exactly one way of choosing was used."""
    if isinstance(noise_to_signal, str):
        if noise_to_signal != "auto":
            raise OptionError(f"noise_to_signal must be a number >= 0, a spectrum or 'auto', got {noise_to_signal!r}")
    else:
        ratio = as_finite(noise_to_signal, "noise_to_signal")
        if (ratio < 0).any():
            raise OptionError(f"noise_to_signal must be >= 0 everywhere, got {ratio.min()}")
    if noise is None and signal is None:
        return None
    if noise is None or signal is None or not isinstance(noise_to_signal, str):
        raise ValueError(
            "noise_autocorrelation and signal_autocorrelation must be given together, and instead of noise_to_signal"
        )
    parts = as_finite(noise, "noise_autocorrelation"), as_finite(signal, "signal_autocorrelation")
    for part, name in zip(parts, ("noise_autocorrelation", "signal_autocorrelation"), strict=True):
        if not part.any():
            raise ValueError(f"{name} must not be zero everywhere")
    return parts


def _doubt(problem: Problem) -> tuple[str, float]:
    """Why the fitted spectrum must not be used, empty where it may; and the regularization to use instead.

    The fit takes the noise for white. JPEG and denoisers take the high frequencies out of it, the fit then believes in far
    too little noise, and the filter amplifies what is left in the middle. Where the rules for a smooth scene contradict each
    other as they do in that case, the likeliest smooth spectrum, S_f proportional to 1 / |Laplacian|^2, is the safe one.
    """
    at_bins = operator_power_at("laplacian", problem.psfs[0].shape, problem.bins.frequencies)
    guarded, doubt = guarded_gcv(problem.statistics(at_bins), problem.noise_sigma, problem.dark_power)
    return doubt, guarded.regularization


def _fitted_level(problem: Problem) -> float:
    """The factor that generalised cross-validation gives the fitted S_n / S_f.

    The shape of the ratio comes from the fit; its level, the one number to which the result is sensitive, from the data.
    """
    ratio = np.stack([fit.noise_to_signal_at(problem.bins.frequencies) for fit in problem.fits])
    level = choose(problem.statistics(ratio), "gcv").regularization
    return float(np.clip(level, *_LEVELS))


def _on_half_spectrum(ratio: Array, problem: Problem) -> Array:
    """A single number as it is; a spectrum given for the frame resampled to the half spectrum of the torus."""
    if ratio.size == 1:
        return ratio.reshape(())
    frame = problem.frame
    half = (*frame[:-1], frame[-1] // 2 + 1)
    if ratio.shape not in (frame, half):
        raise ValueError(
            f"noise_to_signal must be a number or have the shape {frame} of the spectrum of the image or its half {half}, "
            f"got {ratio.shape}"
        )
    ratio = ratio[..., : half[-1]]
    for axis, (size, grid) in enumerate(zip(frame, problem.torus, strict=True)):
        if axis == len(frame) - 1:
            ratio = _resample(ratio, np.fft.rfftfreq(size), np.fft.rfftfreq(grid), axis, None)
        else:
            ratio = _resample(ratio, np.fft.fftfreq(size), np.fft.fftfreq(grid), axis, 1.0)
    return ratio


def _resample(values: Array, old: Array, new: Array, axis: int, period: float | None) -> Array:
    """The values along one axis, known at the frequencies ``old``, linearly interpolated at ``new``."""
    if len(old) == len(new):
        return values
    return np.apply_along_axis(lambda line: np.interp(new, old, line, period=period), axis, values)


def wiener(
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    *,
    noise_to_signal: float | str | npt.ArrayLike = "auto",
    noise_autocorrelation: npt.ArrayLike | None = None,
    signal_autocorrelation: npt.ArrayLike | None = None,
    boundary: str = "unknown",
    channel_axis: int | None = None,
    mask: npt.ArrayLike | str | None = None,
    weights: npt.ArrayLike | str | None = None,
    per_channel: bool = False,
    out: Array | None = None,
) -> Array:
    """The image of least mean squared error among all linear filters, for a ratio of noise to signal: the Wiener filter.

    F = conj(H) G / (|H|^2 + S_n / S_f) for each frequency, with the power spectra S_n of the noise and S_f of the scene.
    A scalar ratio is Tikhonov's filter and has no idea of pictures; ``"auto"`` fits the spectrum of the scene, a power law
    A (f0^2 + |f|^2)^(-a/2) with a correction for each half octave and direction, and the noise level to the observed image
    through the PSF by maximum likelihood; it needs no tuning.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        The observed image g.
    psf : array_like of D axes
        The point spread function h: non-negative, sum 1, origin at ``psf.shape // 2``. D says how many trailing axes of
        the image are spatial.
    noise_to_signal : float, ndarray or "auto"
        S_n / S_f >= 0, dimensionless: one number; or a spectrum of shape ``spatial``, laid out as `numpy.fft.fftn` does,
        or of its half ``(*spatial[:-1], spatial[-1] // 2 + 1)``, as `numpy.fft.rfftn` does; or ``"auto"``.
    noise_autocorrelation, signal_autocorrelation : array_like of D axes or None
        Instead of the ratio: the autocorrelations of noise and scene, origin at ``shape // 2``, no larger than the image.
        The magnitudes of their Fourier transforms are S_n and S_f.
    boundary : str
        What lies beyond the frame: unknown (estimated with the picture, in some 5 to 30 FFT pairs: right for a photograph);
        wrap (the exact periodic filter, no padding, the fastest); or a guess, quick and ringing where it is wrong: smooth
        (the smoothest continuation), taper (edges faded into the blurred picture, no padding), reflect, symmetric, edge,
        constant.
    channel_axis : int or None
        The axis of the image that holds channels. They share one PSF, or have one each: then the PSF
        has a channel axis in the same place and ratio.
    mask : array_like of bool, "nan", "saturated", "nan+saturated" or None
        Pixels that say nothing about the scene: True where missing (they may be NaN), of the shape of the image or of its
        spatial axes; where the image is not finite; or blown-out highlights with the zone that the PSF reaches from them
        (shown as observed). They are estimated like the scene beyond the frame. None believes every pixel.
    weights : array_like, "poisson" or None
        Inverse variance of the noise of each pixel, up to a factor, >= 0, of the shape of the image or of its spatial axes;
        or ``poisson``: read off the picture as 1 / (gain * brightness + floor^2). The weighted problem is then solved by
        conjugate gradients from the closed form, at some 30 to 120 FFT pairs. None takes the noise for equal everywhere.
    per_channel : bool
        Whether every channel is restored as a picture of its own, with its own strength and its own noise level: right
        where channels differ much in noise, as fluorescence does. False chooses one strength from all of them together.
    out : ndarray or None
        Where to write the result: an array of the shape and dtype of the image, or the image itself, which is then lost.
        None makes a new one.

    Returns
    -------
    ndarray
        Same shape and dtype as the image. Nothing is clipped for float images.

    Raises
    ------
    TypeError, ValueError
        For a negative ratio or one of another shape, one autocorrelation without the other, an unknown boundary, and for
        an image or PSF that cannot be used.

    Notes
    -----
    Assumes a stationary scene, white noise for ``"auto"`` and data that are linear in light. Where a boundary other than
    wrap enlarges the grid, a spectrum is interpolated linearly in frequency.

    References
    ----------
    .. [1] N. Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series, 1949.
    .. [2] R. C. Gonzalez and R. E. Woods, Digital Image Processing, 4th ed., 2018, eq. (5-81).

    Examples
    --------
    >>> import numpy as np
    >>> from restoretk.convolution.blur import convolve
    >>> psf = np.array([0.1, 0.7, 0.2])
    >>> scene = np.array([0.0, 1, 0, 0, 2, 0])
    >>> blurred = convolve(scene, psf, boundary="wrap")
    >>> wiener(blurred, psf, noise_to_signal=1e-9, boundary="wrap").round(4) + 0.0
    array([0., 1., 0., 0., 2., 0.])
    """
    if is_foreign(image):
        options = {
            "noise_to_signal": noise_to_signal,
            "noise_autocorrelation": noise_autocorrelation,
            "signal_autocorrelation": signal_autocorrelation,
            "boundary": boundary,
            "channel_axis": channel_axis,
            "mask": mask,
            "weights": weights,
            "per_channel": per_channel,
            "out": out,
        }
        return restore_anywhere(Method(wiener, decide), image, psf, options)
    target = check_out(out, image)
    return decide(
        image,
        psf,
        noise_to_signal=noise_to_signal,
        noise_autocorrelation=noise_autocorrelation,
        signal_autocorrelation=signal_autocorrelation,
        boundary=boundary,
        channel_axis=channel_axis,
        mask=mask,
        weights=weights,
        per_channel=per_channel,
    ).image(target)
