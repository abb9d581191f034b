"""Signal-dependent noise: gain and floor of a sensor from one blurred picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image, in_unit, looks_like_colour, plain_number, to_planes, unit_of

_LEVELS = ("gain", "floor", "mean_level", "gain_error")  # all in the units of the picture


@dataclass(frozen=True)
class PoissonGaussianNoise:
    """Signal-dependent noise: var(noise) = gain * mean + floor**2.

    Attributes
    ----------
    gain : float
        Variance per unit of signal, >= 0: 1 / (electrons at white), whatever the offset of the black level.
    floor : float
        Standard deviation at black, >= 0.
    mean_level : float
        The mean of the picture, where the fit is best determined.
    gain_error : float
        Standard error of the gain from the scatter of the variances about the line: a gain of less than some three times
        this may be none.
    """

    gain: float
    floor: float
    mean_level: float
    gain_error: float = 0.0

    def sigma(self, mean: npt.ArrayLike) -> Array:
        """The standard deviation of the noise where the picture has this mean."""
        return np.sqrt(np.maximum(self.gain * np.asarray(mean, np.float64) + self.floor**2, 0.0))

    def in_plain_numbers(self, unit: int) -> PoissonGaussianNoise:
        """The same noise in plain numbers, where it was found in a picture in units of 2^unit."""
        levels = {name: plain_number(getattr(self, name), unit) for name in _LEVELS}
        return replace(self, **levels)


def estimate_poisson_gaussian(image: npt.ArrayLike, *, channel_axis: int | None = None) -> PoissonGaussianNoise:
    """Gain and floor of signal-dependent noise, var = gain * mean + floor**2, from one blurred picture.

    A second difference along every axis leaves little but noise; the pixels away from edges and from clipping are
    binned by their local mean, each bin gives a MAD, and a line is fitted to the variances, robustly and weighted
    (after [1]_). With noise that does not depend on the signal the gain is near 0 and the floor is sigma.

    Parameters
    ----------
    image : array_like
        As for `estimate_noise_sigma`. All axes but the channels are spatial.
    channel_axis : int or None
        The axis that holds colour channels: they are pooled, one sensor gives one line.

    Returns
    -------
    PoissonGaussianNoise
        ``sigma(mean)`` in the middle of the range of the picture is much better determined than gain and floor apart,
        the more so the narrower that range.

    Raises
    ------
    ValueError
        As `estimate_noise_sigma`, and for a picture of fewer than 1024 usable pixels.

    References
    ----------
    .. [1] A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian, "Practical Poissonian-Gaussian noise modeling and fitting
       for single-image raw-data", IEEE TIP 17, 2008.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.linspace(0.1, 0.9, 256) * np.ones((256, 1))
    >>> shot = np.random.default_rng(0).poisson(ramp * 1000) / 1000
    >>> round(estimate_poisson_gaussian(shot).gain, 4)
    0.001
    """
    working, _ = as_float_image(image)
    spatial_ndim = working.ndim - (channel_axis is not None)
    if spatial_ndim < 1:
        raise ValueError(f"image must have a spatial axis, got shape {working.shape} with channel_axis={channel_axis}")
    if channel_axis is None and working.ndim == 3 and looks_like_colour(working.shape, 2):
        raise ValueError(f"image of shape {working.shape} looks like colour: pass channel_axis=-1")
    unit = unit_of(working)
    planes, _ = to_planes(in_unit(working, unit).astype(np.float64, copy=False), spatial_ndim, channel_axis)
    samples = [_quiet_pixels(plane) for plane in planes]
    level, residual = (np.concatenate(part) for part in zip(*samples, strict=True))
    if level.size < 1024:
        raise ValueError(f"image must have at least 1024 pixels that are not clipped, got {level.size}")
    means, variances = _variance_by_level(level, residual)
    gain, offset = _robust_line(means, variances)
    error = _slope_error(means, variances, gain * means + offset)
    found = PoissonGaussianNoise(gain, float(np.sqrt(max(offset, 0.0))), float(planes.mean()), error)
    return found.in_plain_numbers(unit)


def _quiet_pixels(plane: Array) -> tuple[Array, Array]:
    """Local mean and unit-gain second difference at the pixels away from edges and clipping."""
    from scipy.ndimage import correlate1d, gaussian_filter, uniform_filter  # only pictures with shot noise pay for it

    residual = plane
    for axis in range(plane.ndim):
        residual = correlate1d(residual, [1, -2, 1], axis=axis, mode="mirror") / np.sqrt(6)
    mean = uniform_filter(plane, 7)
    smooth = gaussian_filter(plane, 1.5)
    slope = np.sqrt(sum(np.gradient(smooth, axis=axis) ** 2 for axis in range(plane.ndim)))
    low, high = plane.min(), plane.max()
    margin = 0.02 * (high - low)
    calm = (slope <= np.quantile(slope, 0.7)) & (mean > low + margin) & (mean < high - margin)
    return mean[calm], residual[calm]


def _variance_by_level(level: Array, residual: Array) -> tuple[Array, Array]:
    """Mean level and MAD variance in (at most) 24 bins of equal number by level."""
    bins = int(np.clip(level.size // 256, 4, 24))
    order = np.array_split(np.argsort(level), bins)
    means = np.array([level[part].mean() for part in order])
    variances = np.array([(np.median(np.abs(residual[part])) / 0.67449) ** 2 for part in order])
    return means, variances


def _slope_error(means: Array, variances: Array, line: Array) -> float:
    """The standard error of the slope, outliers counted in full: a texture must not pass for a well measured line."""
    scale = float(np.median(variances))
    precision = 1 / np.maximum(line, 0.05 * scale) ** 2 if scale > 0 else np.zeros_like(line)
    if not precision.any() or np.ptp(means) == 0:
        return 0.0
    spread = float(np.sum(precision * (means - np.average(means, weights=precision)) ** 2))
    return float(np.sqrt(np.sum(precision * (variances - line) ** 2) / (means.size - 2) / spread))


def _robust_line(means: Array, variances: Array) -> tuple[float, float]:
    """Slope >= 0 and offset >= 0 of the line through the variances: relative residuals, reweighted (Huber)."""
    scale = np.median(variances)
    if scale == 0:
        return 0.0, 0.0
    weights = np.ones_like(means)
    predicted = np.full_like(variances, scale)
    slope, offset = 0.0, float(scale)
    for _ in range(30):
        precision = weights / np.maximum(predicted, 0.05 * scale) ** 2  # a variance scatters as itself
        centre = np.average(means, weights=precision)
        height = np.average(variances, weights=precision)
        spread = np.sum(precision * (means - centre) ** 2)
        covariance = np.sum(precision * (means - centre) * (variances - height))
        slope = max(float(covariance / spread), 0.0) if spread > 0 else 0.0
        offset = float(height - slope * centre)
        if offset < 0:  # through the origin
            slope, offset = float(np.sum(precision * means * variances) / np.sum(precision * means**2)), 0.0
        predicted = slope * means + offset
        relative = np.abs(variances / np.maximum(predicted, 0.05 * scale) - 1)
        limit = 1.345 * max(float(np.median(relative)) / 0.67449, 1e-3)
        weights = np.minimum(1.0, limit / np.maximum(relative, 1e-12))
    return slope, offset
