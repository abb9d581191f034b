"""The background under a measured PSF: found by its flatness, named by its level and share, taken off on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_finite
from restoretk.psf._window import unit_sum

_LEAST_SIZE = 81  # elements, below which there is no outer quarter to speak of
_LEAST_SHARE = 0.05  # of the sum: less costs a restoration less than 0.3 dB
_BALL = {1: 2.0, 2: np.pi, 3: 4 / 3 * np.pi}  # volume of the unit ball
_LEAST_FLAT = 0.6  # share of the outer level that no falling tail explains
_HIGH = 2.5  # times the outer level that the peak must reach, as a mean of 3 x 3 elements: noise alone does not
_LIT, _MOSTLY = 0.2, 0.4  # a background lights most elements; half of those of noise cut off at 0 are dark
_STANDS_OUT = 6.0  # standard deviations of the outer quarter that the peak must stand above it
_SEEN = 3.0  # standard deviations at which light is told from the noise around it


@dataclass(frozen=True)
class Background:
    """A constant level under a PSF.

    Attributes
    ----------
    level : float
        What every element holds of it, >= 0, in the units of the PSF.
    share : float
        Of the sum of the PSF, in [0, 1].
    found : bool
        Whether it is too much and too flat to be the tail of a PSF; otherwise level and share are no evidence.
    """

    level: float
    share: float
    found: bool

    def sentence(self) -> str:
        """What it does, in words."""
        return (
            f"about {self.share:.0%} of its sum is a flat background of {self.level:.3g} at every element (an offset or "
            f"noise of the camera), which takes contrast from the restored picture"
        )


def find_background(psf: npt.ArrayLike) -> Background:
    """The flat level on which a measured PSF stands: an offset of the camera, stray light, or noise cut off at 0.

    No light may fall off more slowly than r^-D in D dimensions, or its sum would be infinite. So the level of the quarter
    of the elements that is farthest from the peak is compared with those nearer to it, and only what remains after such a
    tail was taken off counts as background. It must light most elements, in most directions, and the peak must stand out.

    Parameters
    ----------
    psf : array_like of 1 to 3 axes longer than 1
        Real and finite, of any scale; the blur need not be in the middle.

    Returns
    -------
    Background

    Raises
    ------
    ValueError
        For NaN or infinite values.

    Notes
    -----
    Error rates, printed by scripts/reproduce_background.py: without a background (twelve kinds of PSF, cut by any window,
    shifted, with photon noise, rounded to 8 or 16 bits) one was found in 3 of 6000, all Airy patterns cut off at a bright
    ring, with 5 to 7 % of the sum. With one (eight kinds, windows of 1.2 to 4 times the blur, noise of 0 to 1 times the
    level or noise alone, cut off at 0), 1200 cases each: found in 30 % where it held 5 % of the sum, in 95 % where 10 %, in
    97 % where 20, 40 or 60 %; nine in ten shares were measured as 0.75 to 1.2 times the truth. Arrays of less than 81
    elements are not judged. On a photograph with noise of 2 / 255 a share of 5 % cost the automatic Wiener filter 0.0 to
    0.3 dB, 10 % cost 0.3 to 1.2, 20 % 1.6 to 4, 40 % 7 to 11; `subtract_background` left 0.0 to 0.5 of that.

    Examples
    --------
    >>> import numpy as np
    >>> offset = np.arange(-10, 11)
    >>> bead = np.exp(-(offset**2 + offset[:, None] ** 2) / 4)
    >>> found = find_background(bead + 0.01)
    >>> found.found, round(found.level, 4), round(found.share, 2)
    (True, 0.01, 0.26)
    >>> find_background(bead).found
    False
    """
    from scipy.ndimage import uniform_filter  # only those who measured a PSF pay for the import

    kernel = as_finite(psf, "psf")
    total = float(kernel.sum())
    long_axes = [axis for axis, side in enumerate(kernel.shape) if side > 1]
    if kernel.size < _LEAST_SIZE or len(long_axes) not in _BALL or not total > 0 or kernel.min() == kernel.max():
        return Background(0.0, 0.0, found=False)
    rings = _rings(kernel, long_axes)
    values, peak = kernel.reshape(-1), float(kernel.max())
    outer = _level_all_round(values[rings.outer], rings.sector[rings.outer])
    if not outer > 0:
        return Background(0.0, 0.0, found=False)
    level = 0.0
    # The ring beside the outer one decides where a broad blur fills the middle; both are then nearly alike.
    for ring, low, high in ((rings.middle, 0.0, 2.0), (rings.next, 0.8, 1.5)):
        nearer = float(values[ring].mean())
        if low * nearer <= outer <= high * nearer:
            tails = float(rings.tail[rings.outer].mean()), float(rings.tail[ring].mean())
            level = max(level, _beyond_a_tail(outer, nearer, *tails))
    spread = float(values[rings.outer].std())
    share = level * kernel.size / total
    found = (
        share >= _LEAST_SHARE
        and peak - outer >= _STANDS_OUT * spread
        and float(np.mean(values[rings.outer] > _LIT * outer)) >= _MOSTLY
        and float(uniform_filter(kernel, _window(kernel)).max()) >= _HIGH * outer
        and level >= _LEAST_FLAT * outer
    )
    return Background(float(level), float(min(share, 1.0)), found=bool(found))


def subtract_background(psf: npt.ArrayLike) -> Array:
    """A measured PSF without its background, of sum 1.

    The level of `find_background` is taken off, and every element to which the blur does not reach is set to 0: those
    that are not connected to the peak through places where the mean of 3 x 3 elements stands three standard deviations
    above the noise. (Subtracting alone leaves the positive half of the noise, and up to half of the harm.) Where no
    background is found, and nothing is negative, the PSF is only divided by its sum.

    Parameters
    ----------
    psf : array_like of 1 to 3 axes longer than 1
        Real and finite, of any scale; may hold negative values (noise around a level that was subtracted already).

    Returns
    -------
    ndarray of float64
        Non-negative, sum 1, the shape of ``psf``.

    Raises
    ------
    ValueError
        For NaN or infinite values, and where nothing stands out of the background.

    Examples
    --------
    >>> import numpy as np
    >>> offset = np.arange(-10, 11)
    >>> bead = np.exp(-(offset**2 + offset[:, None] ** 2) / 4)
    >>> bool(np.abs(subtract_background(bead + 0.01) - bead / bead.sum()).max() < 1e-3)
    True
    """
    from scipy.ndimage import label, uniform_filter  # only those who measured a PSF pay for the import

    kernel = as_finite(psf, "psf")
    background = find_background(kernel)
    if kernel.size == 0 or not kernel.max() > max(background.level, 0.0):
        raise ValueError(f"psf of shape {kernel.shape} must hold light above its background, got none")
    if not background.found and kernel.min() >= 0:
        return unit_sum(kernel)
    long_axes = [axis for axis, side in enumerate(kernel.shape) if side > 1]
    outer = kernel.reshape(-1)[_rings(kernel, long_axes).outer]
    excess = kernel - background.level
    window = _window(kernel)
    noise = _noise(outer, background.level) / np.sqrt(np.prod(window))
    core = kernel > 0.5 * kernel.max()
    reached, _ = label((uniform_filter(excess, window) > _SEEN * noise) | core, np.ones((3,) * kernel.ndim))
    kept = np.isin(reached, np.unique(reached[core]))
    return unit_sum(np.where(kept, np.maximum(excess, 0), 0))


def _window(kernel: Array) -> list[int]:
    """3 x 3 elements, on as many axes as are longer than 1."""
    return [3 if side > 1 else 1 for side in kernel.shape]


class _Rings(NamedTuple):
    """The elements of a PSF by their distance from its core: flat indices of the last three quarters."""

    middle: Array
    next: Array
    outer: Array
    tail: Array  # r^-D of every element
    sector: Array  # which half, quarter or eighth of the array every element lies in


def _rings(kernel: Array, long_axes: list[int]) -> _Rings:
    from scipy.ndimage import distance_transform_edt  # only those who measured a PSF pay for the import

    core = kernel > 0.5 * kernel.max()
    ndim = len(long_axes)
    distance = np.asarray(distance_transform_edt(~core)).reshape(-1)
    distance += (core.sum() / _BALL[ndim]) ** (1 / ndim)
    order = np.argsort(distance, kind="stable")
    middle, following, outer = (order[i * order.size // 4 : (i + 1) * order.size // 4] for i in (1, 2, 3))
    sector = np.zeros(kernel.shape, np.intp)
    for bit, axis in enumerate(long_axes):
        side = kernel.shape[axis]
        half = (np.arange(side) >= side / 2) << bit
        sector += half.reshape([-1 if other == axis else 1 for other in range(kernel.ndim)])
    return _Rings(middle, following, outer, distance**-ndim, sector.reshape(-1))


def _level_all_round(values: Array, sector: Array) -> float:
    """The median over the directions of the mean level (the lower of two): a trail to one side does not raise it."""
    counts = np.bincount(sector)
    means = np.sort(np.bincount(sector, values)[counts > 0] / counts[counts > 0])
    return float(means[(len(means) - 1) // 2])


def _beyond_a_tail(outer: float, nearer: float, tail_outer: float, tail_nearer: float) -> float:
    """The constant c of c + a r^-D through two levels, a >= 0; at least 0."""
    if tail_nearer <= tail_outer:
        return 0.0
    slope = max((nearer - outer) / (tail_nearer - tail_outer), 0.0)
    return max(outer - slope * tail_outer, 0.0)


def _noise(outer: Array, level: float) -> float:
    """The standard deviation in the outer quarter, by the larger of two that withstand light crossing it.

    The median absolute deviation is 0 where noise was cut off at 0; the scatter of the lower nine tenths is not.
    """
    deviation = 1.4826 * float(np.median(np.abs(outer - np.median(outer))))
    lower = outer[outer <= np.quantile(outer, 0.9)]
    return max(deviation, float(np.sqrt(np.mean((lower - level) ** 2))))
