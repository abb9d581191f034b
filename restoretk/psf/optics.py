"""PSFs of instruments and of the air: Airy's diffraction pattern, Moffat's star, long-exposure turbulence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft
import scipy.special

from restoretk._arrays import Array
from restoretk.psf._window import offsets, positive, unit_sum, window

FIRST_ZERO_OF_J1 = 3.8317059702075125


def airy_psf(radius: float, *, size: int | Sequence[int] | None = None) -> Array:
    """Airy's pattern, (2 J1(z) / z)^2: a perfect round lens in incoherent light, sampled at the pixel centres.

    Parameters
    ----------
    radius : float
        The radius of the first dark ring in pixels, > 0: 1.22 wavelength x f-number / pixel pitch. The pattern passes
        no frequency above 1.22 / radius cycles per pixel, so a radius below 2.44 is sampled too coarsely for the
        lens.
    size : int or two int, optional
        The sides of the array. Default: odd sides that hold 8 radii either way, beyond which lies about 2 % of the
        light (the rings fade slowly).

    Returns
    -------
    ndarray of float64
        Non-negative, sum 1, origin at ``shape // 2``.

    Raises
    ------
    ValueError
        For a radius that is not a finite number > 0.

    References
    ----------
    M. Born, E. Wolf, Principles of Optics, 7th edition, section 8.5.2, equation 14.

    Examples
    --------
    >>> airy_psf(2, size=5)[2].round(4)
    array([0.    , 0.1224, 0.333 , 0.1224, 0.    ])
    """
    radius = positive(radius, "radius")
    rows, columns = offsets(window(size, [8 * radius] * 2))
    z = np.hypot(rows, columns) * (FIRST_ZERO_OF_J1 / radius)
    centre = z == 0
    z[centre] = 1
    amplitude = np.where(centre, 1, 2 * scipy.special.j1(z) / z)
    return unit_sum(amplitude**2)


def moffat_psf(fwhm: float, beta: float, *, size: int | Sequence[int] | None = None) -> Array:
    """Moffat's profile, (1 + r^2 / a^2)^-beta: a star through the atmosphere, sampled at the pixel centres.

    Parameters
    ----------
    fwhm : float
        Full width at half maximum in pixels, > 0; a = fwhm / (2 sqrt(2^(1 / beta) - 1)).
    beta : float
        How fast the wings fall, > 1 (at 1 they hold endless light). 2.5 is usual for stars, 4.765 is Kolmogorov
        turbulence, and large values approach a Gaussian.
    size : int or two int, optional
        The sides of the array. Default: odd sides that hold 99.5 % of the light, at most 10 fwhm either way.

    Returns
    -------
    ndarray of float64
        Non-negative, sum 1, origin at ``shape // 2``.

    Raises
    ------
    ValueError
        For a fwhm that is not a finite number > 0, or a beta that is not > 1.

    References
    ----------
    A. F. J. Moffat, Astronomy and Astrophysics 3 (1969) 455, equation 7.

    Examples
    --------
    >>> moffat_psf(2, 2.5, size=3).round(3)
    array([[0.07, 0.12, 0.07],
           [0.12, 0.24, 0.12],
           [0.07, 0.12, 0.07]])
    """
    fwhm = positive(fwhm, "fwhm")
    beta = positive(beta, "beta")
    if not beta > 1:
        raise ValueError(f"beta must be > 1, got {beta!r}")
    a = fwhm / (2 * np.sqrt(np.expm1(np.log(2) / beta)))
    # The share of the light beyond r is (1 + r^2 / a^2)^(1 - beta); beta near 1 would ask for an endless array.
    with np.errstate(over="ignore"):
        reach = np.minimum(a * np.sqrt(np.expm1(np.log(0.005) / (1 - beta))), 10 * fwhm)
    rows, columns = offsets(window(size, [float(reach)] * 2))
    return unit_sum(np.exp(-beta * np.log1p((rows**2 + columns**2) / a**2)))


def turbulence_psf(k: float, *, extent: float = 480, size: int | Sequence[int] | None = None) -> Array:
    """Long exposure through turbulent air: the PSF of the OTF exp(-k (u^2 + v^2)^(5/6)), sampled at the pixel centres.

    Parameters
    ----------
    k : float
        The strength, > 0: 0.0025 severe, 0.001 mild, 0.00025 low in the book's pictures.
    extent : float
        The unit of frequency: u and v count cycles across ``extent`` pixels, so that a frequency of f cycles per
        pixel is u = extent f. The book counts cycles across its picture of 480 x 480 pixels; the default keeps its
        numbers.
    size : int or two int, optional
        The sides of the array. Default: odd sides that hold about 99 % of the light (the wings fall as r^-11/3).

    Returns
    -------
    ndarray of float64
        Non-negative, sum 1, origin at ``shape // 2``.

    Raises
    ------
    ValueError
        For a k or extent that is not a finite number > 0.

    Notes
    -----
    An OTF that has not died away at half a cycle per pixel cannot be sampled into a non-negative PSF as it stands:
    what lies beyond is folded back, as it is where a real pixel grid samples a real PSF. At the default extent that
    is seen for k below about 0.0005.

    References
    ----------
    R. E. Hufnagel, N. R. Stanley, Journal of the Optical Society of America 54 (1964) 52. R. C. Gonzalez, R. E. Woods,
    Digital Image Processing, 3rd edition, equation 5.6-3 and figure 5.25.

    Examples
    --------
    >>> turbulence_psf(0.001, size=5)[2].round(4)
    array([0.035 , 0.067 , 0.0842, 0.067 , 0.035 ])
    """
    k, extent = positive(k, "k"), positive(extent, "extent")
    # exp(-k (extent f)^(5/3)) = exp(-(scale f)^(5/3)): the PSF has the same form for every k, `scale` pixels wide.
    scale = k**0.6 * extent
    shape = window(size, [2 * scale] * 2)
    # The discrete transform wraps the PSF round its grid: on one three times the window the wings hardly meet.
    grid = [scipy.fft.next_fast_len(side, real=True) for side in window(None, [1.5 * max(shape) + 8] * 2)]
    frequencies = [np.fft.fftfreq(grid[0])[:, None], np.fft.rfftfreq(grid[1])[None, :]]
    # exp(-30) is nothing. Below scale 1 the OTF reaches far beyond the grid, and the PSF is a delta to four digits.
    folds = min(int(np.ceil(30**0.6 / scale + 0.5)), 8)
    otf = np.zeros((grid[0], grid[1] // 2 + 1))
    for i in range(-folds, folds + 1):
        for j in range(-folds, folds + 1):
            otf += np.exp(-((scale**2 * ((frequencies[0] + i) ** 2 + (frequencies[1] + j) ** 2)) ** (5 / 6)))
    psf = np.fft.fftshift(scipy.fft.irfftn(otf, s=grid))
    start = [side // 2 - kept // 2 for side, kept in zip(grid, shape, strict=True)]
    kept = psf[start[0] : start[0] + shape[0], start[1] : start[1] + shape[1]]
    return unit_sum(np.maximum(kept, 0))
