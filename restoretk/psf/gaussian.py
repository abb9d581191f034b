"""The Gaussian PSF: isotropic, or with one sigma for each axis and, in 2-D, turned by an angle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from restoretk._arrays import Array
from restoretk.psf._window import finite, offsets, per_axis, positive, unit_sum, window


def gaussian_psf(
    sigma: float | Sequence[float], *, size: int | Sequence[int] | None = None, ndim: int = 2, angle: float = 0.0
) -> Array:
    """A Gaussian, exp(-x' C^-1 x / 2) sampled at the pixel centres and divided by its sum.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation in pixels, > 0. A number is used on each of ``ndim`` axes; a sequence has one sigma for
        each axis and its length is the number of axes: ``(sigma_rows, sigma_columns)`` in 2-D. In a spec:
        ``sigma=2x1``.
    size : int or sequence of int, optional
        The sides of the array. Default: odd sides that hold at least 4 sigma either way (6e-5 of the light is cut off
        on each axis).
    ndim : int
        The number of axes for a single sigma: 1, 2 or 3.
    angle : float
        By how many degrees a 2-D Gaussian with two sigmas is turned counter-clockwise. ``sigma=(1, 3), angle=30`` is
        long in the direction of ``motion_psf(length, angle=30)``.

    Returns
    -------
    ndarray of float64
        Non-negative, sum 1, origin at ``shape // 2``.

    Raises
    ------
    ValueError
        For a sigma that is not positive, or an angle other than 0 in 1-D or 3-D.

    Notes
    -----
    Sampled at the centres, not integrated over the pixels: below a sigma of about 0.5 the array is narrower than the
    Gaussian it samples.

    Examples
    --------
    >>> gaussian_psf(0.8, size=3, ndim=1).round(4)
    array([0.239, 0.522, 0.239])
    >>> gaussian_psf((2, 1)).shape
    (17, 9)
    """
    sigmas = [positive(value, "sigma") for value in per_axis(sigma, ndim, "sigma")]
    turn = finite(angle, "angle")
    if turn and len(sigmas) != 2:
        raise ValueError(f"angle turns a Gaussian of 2 axes only, got angle={angle!r} with {len(sigmas)}")
    covariance = np.diag(np.square(sigmas))
    if turn and sigmas[0] != sigmas[1]:
        cosine, sine = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
        # (rows, columns), rows down: the column axis (0, 1) turns counter-clockwise to (-sine, cosine).
        rotation = np.array([[cosine, -sine], [sine, cosine]])
        covariance = rotation @ covariance @ rotation.T
    shape = window(size, [4 * float(spread) for spread in np.sqrt(np.diag(covariance))])
    axes = offsets(shape)
    precision = np.linalg.inv(covariance)
    exponent = sum(precision[i, j] * axes[i] * axes[j] for i in range(len(axes)) for j in range(len(axes)))
    return unit_sum(np.exp(-0.5 * np.asarray(exponent)))
