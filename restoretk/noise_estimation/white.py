"""White noise: its level from one blurred or sharp picture.

Blur takes the high frequencies of the scene away and leaves those of the noise, so on a blurred picture the estimate
can be very good. Two estimators that fail for different reasons look at the frame, and the lower one counts:

* the *spectral floor*: the level at which the cosine spectrum of the whole frame stops falling. Exact as soon as the
  blur leaves some band empty; too high on a sharp picture, whose spectrum never stops falling.
* the *quiet blocks*: the high frequencies of those small blocks that have the least at low frequencies. Works on a
  sharp picture that has a sky or a wall; has more scatter, and fails in a texture without a quiet place.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.special

from restoretk._arrays import Array, in_unit, looks_like_colour, plain_number, to_planes, unit_of
from restoretk.convolution.fourier import blur_power
from restoretk.noise_estimation.hidden_pixels import read_hidden, without_noise
from restoretk.noise_estimation.quiet_blocks import quiet_blocks
from restoretk.psf import psfs_for

_TILES = 12  # tiles per axis of the cosine spectrum
_LEAST_IN_TILE = 64  # coefficients, below which the median of a tile scatters too much
_MAD_ERROR = 1.17  # relative standard error of a Gaussian sigma from the MAD of n samples is 1.17 / sqrt(n)
_WHOLE_FLOOR = 0.4  # share of the tiles at the floor from which the quiet blocks can only add scatter
_DARK_OTF = 1e-3  # |H|^2 below which a photograph leaves less than the faintest noise
_WINDOW = {1: 1 << 18, 2: 640, 3: 96}  # a longer axis is looked at through two windows of this length


@dataclass(frozen=True)
class NoiseEstimate:
    """The noise level of one picture or channel, and how far to trust it.

    Attributes
    ----------
    sigma : float
        Standard deviation of the noise, >= 0, in the units of the picture (a fraction of full range for integers).
    spectral_floor, quiet_blocks : float
        What either estimator says; ``quiet_blocks`` is NaN where there was no block to look at (tiny pictures).
    floor_share : float
        The share in (0, 1] of the frequencies that hold nothing but noise.
    step : float
        The step of the grey levels (0 for continuous values); sigma is never below ``step / sqrt(12)``.
    confidence : float
        In [0, 1]: 1 where a quarter of the frequencies hold nothing but noise and both estimators agree, near 0 on a
        sharp picture without a quiet place, where sigma is an upper limit.
    """

    sigma: float
    spectral_floor: float
    quiet_blocks: float
    floor_share: float
    step: float
    confidence: float


def estimate_noise_sigma(
    image: npt.ArrayLike,
    psf: npt.ArrayLike | None = None,
    *,
    channel_axis: int | None = None,
    mask: npt.ArrayLike | str | None = None,
) -> float | Array:
    """The standard deviation of white noise in a blurred (or sharp) picture.

    The sigma of `measure_noise`, see there for the method. The noise must be white: demosaicing, JPEG and denoising
    make it smooth, and then the estimate, which listens at the quiet frequencies, is too low.

    Parameters
    ----------
    image : array_like
        Real and finite; integers are read as fractions of the full range of their dtype, so sigma is too.
    psf : array_like or None
        The blur, if known: its number of axes says which trailing axes are spatial (the others are a stack with one
        noise level), and frequencies that it extinguishes are known to hold noise only. With as many axes as the image
        it holds one for each channel along ``channel_axis``. Without it all axes but the channels are spatial.
    channel_axis : int or None
        The axis that holds colour channels.
    mask : array_like of bool, "nan", "saturated", "nan+saturated" or None
        Pixels not to use: True where hidden (they may be NaN), of the shape of the image or of its spatial axes; where the
        image is not finite; or at full range. None uses every pixel.

    Returns
    -------
    float, or ndarray of shape (C,)
        One sigma, or one for each channel if ``channel_axis`` is given.

    Raises
    ------
    TypeError, ValueError
        For an image that is empty, not real or not finite, that looks like colour without ``channel_axis``, or that has
        fewer axes than the psf, and for a psf that `restoretk.psf.check_psf` refuses.

    Examples
    --------
    >>> import numpy as np
    >>> rows, columns = np.mgrid[0:128, 0:128]
    >>> picture = np.sin(rows / 9) * np.cos(columns / 7)
    >>> noisy = picture + np.random.default_rng(0).normal(0, 0.02, picture.shape)
    >>> round(estimate_noise_sigma(noisy), 3)
    0.02
    """
    estimates = measure_noise(image, psf, channel_axis=channel_axis, mask=mask)
    if channel_axis is None:
        return estimates[0].sigma
    return np.array([estimate.sigma for estimate in estimates])


def measure_noise(
    image: npt.ArrayLike,
    psf: npt.ArrayLike | None = None,
    *,
    channel_axis: int | None = None,
    mask: npt.ArrayLike | str | None = None,
) -> tuple[NoiseEstimate, ...]:
    """The noise level of each channel with the evidence for it: the minimum of spectral floor and quiet blocks.

    Spectral floor: the orthonormal DCT-II of the frame (a DFT would leak the jump between opposite edges into the high
    frequencies) is cut into tiles, each gives MAD / 0.6745; from the lowest tiles the set is grown while a tile is
    within two standard errors of the mean of the set. Quiet blocks [1]_, [2]_: of all 8 x 8 DCT blocks the 1 % with
    the least energy at low frequencies; the median over the high frequencies of their mean square. Blocks that are
    constant or touch the lowest or highest value (clipped) are left out. Where 40 % of the tiles lie at the floor it is
    the answer by itself. Quantised values count at least step / sqrt(12).

    Parameters, errors: as `estimate_noise_sigma`.

    Returns
    -------
    tuple of NoiseEstimate
        One for each channel; one in all without ``channel_axis`` (the median one of a stack).

    References
    ----------
    .. [1] N. N. Ponomarenko et al., "An automatic approach to lossy compression of AVIRIS images", IGARSS 2007.
    .. [2] M. Colom and A. Buades, "Analysis and extension of the Ponomarenko et al. method", IPOL 3, 2013.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(0.5, 0.1, (64, 64))
    >>> measure_noise(noise)[0].confidence > 0.9
    True
    """
    spatial_of_psf = (
        None if psf is None else np.ndim(psf) - (channel_axis is not None and np.ndim(psf) == np.ndim(image))
    )
    working, dtype, hidden = read_hidden(image, mask, channel_axis, spatial_of_psf)
    step = 1 / float(np.iinfo(dtype).max) if dtype.kind in "iu" else 0.0
    psfs: tuple[Array | None, ...] = (None,)
    if psf is not None:
        psfs = tuple(each.astype(np.float64) for each in psfs_for(psf, working.shape, channel_axis))
    kernel = psfs[0]
    spatial_ndim = working.ndim - (channel_axis is not None) if kernel is None else kernel.ndim
    if working.ndim == 0 or spatial_ndim == 0:
        raise ValueError(f"image must have a spatial axis, got shape {working.shape} with channel_axis={channel_axis}")
    if kernel is None and channel_axis is None and working.ndim == 3 and looks_like_colour(working.shape, 2):
        raise ValueError(f"image of shape {working.shape} looks like colour: pass channel_axis=-1")
    unit = unit_of(working)
    planes, _ = to_planes(in_unit(working, unit), spatial_ndim, channel_axis)
    channels = 1 if channel_axis is None else working.shape[channel_axis]
    stacks = planes.reshape((channels, -1, *planes.shape[1:]))  # channels come first in a plane's index
    holes: Array | list[list[None]] = [[None] * stacks.shape[1]] * channels
    if hidden is not None:
        holes = to_planes(hidden, spatial_ndim, channel_axis)[0].reshape(stacks.shape)
    of_channel = psfs * (channels // len(psfs))
    found = (
        _median_estimate([_measure_plane(plane, step, own, hole) for plane, hole in zip(stack, hides, strict=True)])
        for stack, own, hides in zip(stacks, of_channel, holes, strict=True)
    )
    return tuple(_in_plain_numbers(estimate, unit) for estimate in found)


def _in_plain_numbers(estimate: NoiseEstimate, unit: int) -> NoiseEstimate:
    levels = ("sigma", "spectral_floor", "quiet_blocks", "step")
    return replace(estimate, **{name: plain_number(getattr(estimate, name), unit) for name in levels})


def _median_estimate(estimates: Sequence[NoiseEstimate]) -> NoiseEstimate:
    """The estimate in the middle by sigma (the lower of two)."""
    return sorted(estimates, key=lambda estimate: estimate.sigma)[(len(estimates) - 1) // 2]


def _measure_plane(plane: Array, step: float, psf: Array | None, hidden: Array | None = None) -> NoiseEstimate:
    seen = plane if hidden is None or not hidden.any() else plane[~hidden]
    if seen.size == 0:
        raise ValueError("mask must leave at least one pixel of every plane that may be used")
    step = max(step, _grey_step(seen))
    least = step / np.sqrt(12)
    if seen.min() == seen.max():
        return NoiseEstimate(least, 0.0, float("nan"), 1.0, step, 0.0)
    if hidden is not None and hidden.any():
        plane = without_noise(plane, hidden)
    windows = _windows(plane)
    holes = None if hidden is None else _windows(hidden)
    floors = [_spectral_floor(window, psf) for window in windows]
    if holes is not None:  # hidden pixels carry no noise and dilute the floor of their window
        diluted = [np.sqrt(max(1 - hole.mean(), 1e-6)) for hole in holes]
        floors = [(level / part, share) for (level, share), part in zip(floors, diluted, strict=True)]
    floor, share = sorted(floors)[(len(floors) - 1) // 2]
    quiet, dead = quiet_blocks(windows, holes, quantised=step > 0)
    floor /= np.sqrt(1 - dead)  # clipped regions carry no noise and dilute the floor of the frame
    usable = np.isfinite(quiet) and quiet > 0
    sigma = floor if share >= _WHOLE_FLOOR or not usable else min(floor, quiet)
    agreement = min(floor, quiet) / max(floor, quiet) if usable and share < _WHOLE_FLOOR else 1.0
    confidence = min(1.0, share / 0.25) if share >= 0.25 else max(share / 0.25, agreement**4) * agreement
    return NoiseEstimate(float(max(sigma, least)), float(floor), quiet, share, step, float(confidence))


def _grey_step(plane: Array) -> float:
    """The step of the grey levels of float pixels that came from integers, or 0 if they are continuous.

    Pictures of a few grey levels only (line art) are no sign of a coarse step: it must be under 1/16 of the range.
    """
    sample = plane.reshape(-1)[:: max(1, plane.size // 65536)].astype(np.float64)
    levels = np.unique(sample)
    if levels.size > sample.size // 2 or levels.size < 17:
        return 0.0
    spread = levels[-1] - levels[0]
    gaps = np.diff(levels)
    step = float(gaps.min())
    multiples = gaps / step
    whole = np.abs(multiples - np.rint(multiples)).max() < 0.02 and step > 1e-6 * spread
    return step if whole and step < spread / 16 else 0.0


def _windows(plane: Array) -> list[Array]:
    """The plane itself, or two windows along each axis that is long: more samples would cost time and win nothing."""
    cuts: list[list[slice]] = [[]]
    length = _WINDOW.get(plane.ndim, 32)
    for size in plane.shape:
        whole = [slice(None)]
        two = [slice(size // 4 - length // 2, size // 4 - length // 2 + length) for size in (size, 3 * size)]
        cuts = [[*cut, part] for cut in cuts for part in (two if size > 2 * length else whole)]
    return [plane[tuple(cut)] for cut in cuts]


def _spectral_floor(plane: Array, psf: Array | None) -> tuple[float, float]:
    """The standard deviation at which the cosine spectrum bottoms out, and the share of the spectrum at that level."""
    spectrum = scipy.fft.dctn(plane, norm="ortho")
    tiles = int(np.clip((plane.size / _LEAST_IN_TILE) ** (1 / plane.ndim), 1, _TILES))
    counts = [min(tiles, size) for size in plane.shape]
    coefficients = _tile(spectrum, counts)
    levels = np.median(np.abs(coefficients), axis=1) / 0.67449
    error = _MAD_ERROR / np.sqrt(coefficients.shape[1])
    dark = None
    if psf is not None and all(2 * side <= size for side, size in zip(psf.shape, plane.shape, strict=True)):
        dark = _dark_tiles(psf.tobytes(), psf.shape, plane.shape, tuple(counts))
    return _grow_floor(levels.astype(np.float64), error, dark)


def _tile(spectrum: Array, counts: Sequence[int]) -> Array:
    """The spectrum as (tiles, coefficients in a tile); what is left over is dropped at the lowest frequencies."""
    sides = [size // count for size, count in zip(spectrum.shape, counts, strict=True)]
    kept = spectrum[tuple(slice(n - s * c, None) for n, s, c in zip(spectrum.shape, sides, counts, strict=True))]
    split = kept.reshape([part for pair in zip(counts, sides, strict=True) for part in pair])
    order = [*range(0, split.ndim, 2), *range(1, split.ndim, 2)]
    return split.transpose(order).reshape(int(np.prod(counts)), -1)


@lru_cache(maxsize=8)
def _dark_tiles(
    psf: bytes, psf_shape: tuple[int, ...], shape: tuple[int, ...], counts: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """Which tiles a PSF (float64) leaves dark; remembered, for windows and pictures of one shape and PSF."""
    kernel = np.frombuffer(psf, np.float64).reshape(psf_shape)
    dark: npt.NDArray[np.bool_] = _tile(_cosine_power(kernel, shape), counts).mean(axis=1) < _DARK_OTF
    return dark


def _cosine_power(psf: Array, shape: Sequence[int]) -> Array:
    """|H|^2 at the frequencies of the DCT of a frame, the largest over the signs of a frequency (they share a bin)."""
    positive = [np.arange(size) / (2 * size) for size in shape]
    power = blur_power(psf, positive)
    for signs in itertools.product(*([(1, -1)] * (len(shape) - 1)), (1,)):
        if min(signs) < 0:
            signed = [sign * frequencies for sign, frequencies in zip(signs, positive, strict=True)]
            np.maximum(power, blur_power(psf, signed), out=power)
    return power


def _grow_floor(levels: Array, error: float, dark: Array | None, reach: float = 2.0) -> tuple[float, float]:
    """The common level of the lowest tiles, and their share.

    Starts from the three lowest (corrected for being the lowest of about 60 % of the tiles) or from the tiles known to
    be ``dark``, then takes in every tile up to ``reach`` standard errors above the level and averages again, with the
    mean of a Gaussian cut off there.
    """
    ordered = np.sort(levels)
    first = min(3, ordered.size)
    # Blom 1958: the k-th smallest of m standard normals is expected at ndtri((k - 3/8) / (m + 1/4)).
    drawn = max(0.6 * ordered.size, first)
    depth = scipy.special.ndtri((np.arange(1, first + 1) - 0.375) / (drawn + 0.25)).mean()
    level = ordered[:first].mean() / max(1 + depth * error, 0.3)
    if dark is not None and dark.sum() >= 3:
        level = float(np.median(levels[dark]))
    cut_mean = np.exp(-(reach**2) / 2) / np.sqrt(2 * np.pi) / scipy.special.ndtr(reach)
    count = first
    for _ in range(30):
        count = max(int(np.searchsorted(ordered, level * (1 + reach * error))), first)
        previous, level = level, ordered[:count].mean() / (1 - error * cut_mean)
        if abs(level - previous) <= 1e-6 * level:
            break
    return float(level), count / ordered.size
