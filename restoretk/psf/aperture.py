"""PSFs of constant brightness inside an edge: the disk of a defocused lens and the box of a large pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from restoretk._arrays import Array
from restoretk.psf._window import per_axis, positive, unit_sum, window


def disk_psf(radius: float) -> Array:
    """A disk, the defocus of a lens with a round aperture: each pixel holds the exact area that the disk covers of it.

    Parameters
    ----------
    radius : float
        Radius in pixels, any real number > 0. Up to 0.5 the disk lies in one pixel and the PSF is a delta.

    Returns
    -------
    ndarray of float64
        Non-negative, sum 1, odd sides, origin at ``shape // 2``.

    Raises
    ------
    ValueError
        For a radius that is not a finite number > 0.

    Examples
    --------
    >>> disk_psf(1).round(3)
    array([[0.025, 0.145, 0.025],
           [0.145, 0.318, 0.145],
           [0.025, 0.145, 0.025]])
    """
    radius = positive(radius, "radius")
    side = window(None, [max(radius - 0.5, 0.0)] * 2)[0]
    if side == 1:
        return np.ones((1, 1))
    edges = np.arange(side + 1) - side / 2
    corner = _area_from_centre(edges[:, None], edges[None, :], radius)
    covered = np.diff(np.diff(corner, axis=0), axis=1)
    # The differences of areas leave rounding dust of either sign in pixels that the disk does not touch.
    return unit_sum(np.where(covered > 1e-14 * radius**2, covered, 0))


def _area_from_centre(rows: Array, columns: Array, radius: float) -> Array:
    """The area of the disk in the rectangle from its centre to (rows, columns), negative in two quadrants."""
    high, wide = np.minimum(np.abs(rows), radius), np.minimum(np.abs(columns), radius)
    # From 0 to `flat` the rectangle's top edge lies inside the disk; from there to `wide` the arc is the limit.
    flat = np.minimum(np.sqrt(np.maximum(radius**2 - high**2, 0)), wide)
    area = high * flat + _area_under_arc(wide, radius) - _area_under_arc(flat, radius)
    signed: Array = np.sign(rows) * np.sign(columns) * area
    return signed


def _area_under_arc(reach: Array, radius: float) -> Array:
    """The integral of sqrt(radius^2 - u^2) for u from 0 to ``reach``."""
    half: Array = reach * np.sqrt(np.maximum(radius**2 - reach**2, 0)) + radius**2 * np.arcsin(reach / radius)
    return half / 2


def box_psf(size: int | Sequence[int], *, ndim: int = 2) -> Array:
    """A box: the mean over ``size`` pixels on every axis.

    Parameters
    ----------
    size : int or sequence of int
        Sides in pixels, >= 1. A number is used on each of ``ndim`` axes; a sequence has one side for each axis. In a
        spec: ``size=3x9`` (rows x columns).
    ndim : int
        The number of axes for a single size: 1, 2 or 3.

    Returns
    -------
    ndarray of float64
        Sum 1, exactly of the sides asked for, origin at ``shape // 2``. An even side has no middle pixel: such a box
        moves a picture by half a pixel towards lower indices (restoration with the same PSF moves it back).

    Raises
    ------
    ValueError
        For a size that is not an integer >= 1.

    Examples
    --------
    >>> box_psf(4, ndim=1)
    array([0.25, 0.25, 0.25, 0.25])
    >>> box_psf((3, 9)).shape
    (3, 9)
    """
    sides = per_axis(size, ndim, "size")
    return unit_sum(np.ones(window(sides, [0.0] * len(sides))))
