"""What a sensor does to the light: random noises, never clipped but where physics does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, Rng, as_float_image, from_unit, generator, in_unit, to_dtype, unit_of
from restoretk._grammar import OptionError

# numpy draws Poisson counts as int64.
_MOST_PHOTONS = 2.0**62


def gaussian_noise(image: npt.ArrayLike, sigma: float, *, rng: Rng = None) -> Array:
    """The image plus white Gaussian noise, g = f + n with n ~ N(0, sigma^2).

    Parameters
    ----------
    image : array_like
        Any shape.
    sigma : float
        Standard deviation as a fraction of the full range, >= 0.
    rng : numpy.random.Generator, int or None
        A generator (advanced), a seed, or None for fresh noise.

    Returns
    -------
    ndarray
        Same shape and dtype; integers are rounded and held in their range, floats are not.

    Raises
    ------
    ValueError
        For a negative sigma, or pixels that are not finite.

    Examples
    --------
    >>> gaussian_noise([0.5, 0.5], 0.1, rng=1).round(3)
    array([0.535, 0.582])
    """
    working, dtype = as_float_image(image)
    sigma = _level(sigma, "sigma")
    noise = generator(rng).standard_normal(working.shape)
    with np.errstate(over="ignore"):
        return to_dtype(_as(working + sigma * noise, working), dtype)


def poisson_noise(image: npt.ArrayLike, peak: float, *, rng: Rng = None) -> Array:
    """The image as counted photons, g ~ Poisson(peak f) / peak: variance f / peak.

    Parameters
    ----------
    image : array_like
        Any shape, linear light. A pixel below 0 sends no photons.
    peak : float
        The mean number of photons at 1 (white), > 0: the fewer, the noisier.
    rng : numpy.random.Generator, int or None
        A generator (advanced), a seed, or None for fresh noise.

    Returns
    -------
    ndarray
        Same shape and dtype; integers are rounded and held in their range, floats are not.

    Raises
    ------
    ValueError
        For a peak that is not > 0, or so large that the counts leave 64 bits.

    Examples
    --------
    >>> poisson_noise([0.0, 0.5, 1.0], 100, rng=1)
    array([0.  , 0.5 , 0.94])
    """
    working, dtype = as_float_image(image)
    return to_dtype(_as(_photons(working, peak, generator(rng)), working), dtype)


def poisson_gaussian_noise(image: npt.ArrayLike, peak: float, sigma: float, *, rng: Rng = None) -> Array:
    """The image as a sensor reads it, g ~ Poisson(peak f) / peak + N(0, sigma^2): variance f / peak + sigma^2.

    Parameters
    ----------
    image : array_like
        Any shape, linear light. A pixel below 0 sends no photons.
    peak : float
        The mean number of photons at 1 (white), > 0.
    sigma : float
        Standard deviation of the read noise as a fraction of the full range, >= 0.
    rng : numpy.random.Generator, int or None
        A generator (advanced), a seed, or None for fresh noise.

    Returns
    -------
    ndarray
        Same shape and dtype; integers are rounded and held in their range, floats are not.

    Raises
    ------
    ValueError
        As `poisson_noise` and `gaussian_noise` do.

    References
    ----------
    A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian, IEEE Transactions on Image Processing 17 (2008) 1737, equation 1.

    Examples
    --------
    >>> poisson_gaussian_noise([0.0, 0.5, 1.0], 100, 0.01, rng=1).round(3)
    array([-0.005,  0.506,  0.944])
    """
    working, dtype = as_float_image(image)
    sigma = _level(sigma, "sigma")
    drawn = generator(rng)
    counted = _photons(working, peak, drawn)
    with np.errstate(over="ignore"):
        return to_dtype(_as(counted + sigma * drawn.standard_normal(working.shape), working), dtype)


def salt_and_pepper_noise(image: npt.ArrayLike, amount: float, *, rng: Rng = None) -> Array:
    """The image with dead elements: about ``amount`` of all values replaced, half of them by 0, half by 1 (white).

    Parameters
    ----------
    image : array_like
        Any shape. Every value is drawn by itself, so in colour a pixel loses single channels.
    amount : float
        The share of values replaced, 0 to 1.
    rng : numpy.random.Generator, int or None
        A generator (advanced), a seed, or None for fresh noise.

    Returns
    -------
    ndarray
        Same shape and dtype; the white of an integer image is the largest integer of its dtype.

    Raises
    ------
    ValueError
        For an amount outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> salt_and_pepper_noise(np.full(6, 100, np.uint8), 0.5, rng=1)
    array([100, 255,   0, 255, 100, 100], dtype=uint8)
    """
    working, dtype = as_float_image(image)
    amount = _level(amount, "amount")
    if amount > 1:
        raise OptionError(f"amount must be between 0 and 1, got {amount!r}")
    draw = generator(rng).random(working.shape)
    result = np.where(draw < amount / 2, 0, working)
    return to_dtype(_as(np.where(draw >= 1 - amount / 2, 1, result), working), dtype)


def speckle_noise(image: npt.ArrayLike, sigma: float, *, rng: Rng = None) -> Array:
    """The image times random gain, g = f (1 + n) with n ~ N(0, sigma^2): the simplest model of speckle.

    Parameters
    ----------
    image : array_like
        Any shape.
    sigma : float
        Standard deviation of the gain, >= 0.
    rng : numpy.random.Generator, int or None
        A generator (advanced), a seed, or None for fresh noise.

    Returns
    -------
    ndarray
        Same shape and dtype; integers are rounded and held in their range, floats are not.

    Raises
    ------
    ValueError
        For a negative sigma, or pixels that are not finite.

    Examples
    --------
    >>> speckle_noise([0.0, 0.5, 1.0], 0.1, rng=1).round(3)
    array([0.   , 0.541, 1.033])
    """
    working, dtype = as_float_image(image)
    sigma = _level(sigma, "sigma")
    gain = 1 + sigma * generator(rng).standard_normal(working.shape)
    unit = unit_of(working)  # a number near the largest may be multiplied beyond it
    return to_dtype(from_unit(_as(in_unit(working, unit) * gain, working), unit), dtype)


def _photons(image: Array, peak: float, rng: np.random.Generator) -> Array:
    peak = _level(peak, "peak")
    if peak == 0:
        raise ValueError("peak must be > 0, got 0")
    with np.errstate(over="ignore"):
        mean = np.maximum(image.astype(np.float64, copy=False), 0) * peak
    if mean.max() > _MOST_PHOTONS:
        raise ValueError(f"peak must keep the counts below 2**62, got {peak!r} for pixels up to {image.max():.6g}")
    counts: Array = rng.poisson(mean) / peak
    return counts


def _level(value: float, name: str) -> float:
    level = float(value)
    if not 0 <= level < np.inf:
        raise OptionError(f"{name} must be finite and >= 0, got {value!r}")
    return level


def _as(result: Array, working: Array) -> Array:
    largest = np.finfo(working.dtype).max
    return np.clip(result, -largest, largest).astype(working.dtype, copy=False)
