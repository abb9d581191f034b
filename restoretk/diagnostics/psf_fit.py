"""Does a picture fit its PSF, or the same PSF wider, narrower or turned: a verdict with known error rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array
from restoretk.psf import check_psf

FACTORS = (0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.45, 1.6)
ANGLES = (-40.0, -20.0, -10.0, 10.0, 20.0, 40.0)
_SAMPLES = 5  # odd: then a factor of 1 is the identity
# Set on scripts/reproduce_residual_verdicts.py, where the error rates of `compare_psfs` come from.
_LEAST_GAIN = 0.003  # the right PSF never gained that much by being changed
_WELL, _MOSTLY, _BADLY = 0.02, 0.4, 0.5  # misfit of the better PSF: small by itself, or by comparison, but never large


@dataclass(frozen=True)
class PsfFit:
    """How well a picture fits a PSF and its variants.

    Attributes
    ----------
    given : float
        The misfit of the PSF as it is.
    by_factor : mapping of float to float
        The misfit of the PSF made wider by each factor.
    by_angle : mapping of float to float
        The misfit of the PSF turned by each angle (degrees, counter-clockwise on the screen); empty unless it is 2-D.
    verdict : str
        ``fits`` (nothing fits noticeably better), ``too wide``, ``too narrow``, ``turned``, or ``unexplained`` (something
        fits better, but badly: the PSF has another shape or the noise is not white).
    finding : str
        The verdict as a sentence; empty for ``fits`` and ``unexplained``.
    """

    given: float
    by_factor: Mapping[float, float]
    by_angle: Mapping[float, float]
    verdict: str
    finding: str


def compare_psfs(
    psf: npt.ArrayLike,
    misfit: Callable[[Array], float],
    *,
    image_shape: Sequence[int] | None = None,
) -> PsfFit:
    """Judge a PSF by whether the picture would rather have it wider, narrower or turned.

    Parameters
    ----------
    psf : array_like of D axes
        Non-negative, sum 1, origin at ``psf.shape // 2``. One: where each channel has its own, judge them one by one.
    misfit : callable
        From a PSF to the mean over the frequencies of P/V - 1 - log(P/V), less 0.577, of the picture's periodogram P
        under that PSF's likeliest spectrum V: 0 is perfect. The noise level must be the same for all PSFs:
        ``lambda psf: fit_signal_spectrum(image, psf, noise_sigma=sigma).misfit`` with ``sigma`` known or from
        ``estimate_noise_sigma(image)``. Called about 16 times.
    image_shape : sequence of D int or None
        Variants larger than this are left out.

    Returns
    -------
    PsfFit

    Raises
    ------
    TypeError, ValueError
        For a PSF that `check_psf` refuses.

    Notes
    -----
    Error rates, printed by scripts/reproduce_residual_verdicts.py: five kinds of PSF (Gaussian, disk, motion, box, camera
    shake), noise of 0.5, 2 and 5 / 255, frames of 320 pixels rounded to 8 bits, sigma estimated. First the four bundled
    photographs, on which the thresholds were set, then five others (Kodak's 1, 4, 5, 8, 12) that played no part:

    ==========================  ======================  ======================
    what was wrong              said, of 4 photographs  said, of 5 others
    ==========================  ======================  ======================
    nothing                     0 of 60 accused         0 of 75 accused
    1.2 or 1.4 times too wide   116 of 120 too wide     128 of 150 too wide
    0.7 or 0.85 of the width    90 of 120 too narrow    79 of 150 too narrow
    turned by 20 degrees        48 of 48 turned         52 of 60 turned
    ==========================  ======================  ======================

    The wrong one of these sentences was said in 1 case of 288, and in 2 of 360. Silence proves nothing: a narrow PSF goes
    unnoticed in 25 to 47 % of the cases. Where a Gaussian was taken for a disk of the same spread, or the reverse, half the
    cases are called too wide; where the noise has a correlation of a pixel or two (blurred by 0.5 or 0.8 pixels), 5 %.
    Counting all those against it, "too wide" was right in 85 %, "too narrow" in 99 %, "turned" in 98 % of what was said.

    Only |H| is seen: a PSF that is flipped or shifted fits as well as the right one, and so does a round one turned.

    Examples
    --------
    >>> import numpy as np
    >>> def distance(psf):  # a stand-in for a likelihood: the truth has a standard deviation of 2 pixels
    ...     offset = np.arange(psf.size) - psf.size // 2
    ...     return abs(np.sqrt(psf @ offset**2) - 2)
    >>> bell = np.exp(-0.5 * (np.arange(-9, 10) / 2.6) ** 2)
    >>> compare_psfs(bell / bell.sum(), distance).finding
    'the psf is probably too wide, by a factor of about 1.2'
    """
    kernel = check_psf(psf).astype(np.float64)
    variants = {factor: transformed_psf(kernel, factor) for factor in FACTORS}
    if image_shape is not None:
        variants = {s: h for s, h in variants.items() if _fits_in(h.shape, image_shape)}
    turned: dict[float, Array] = {}
    if kernel.ndim == 2:
        turned = {angle: transformed_psf(kernel, angle=angle) for angle in ANGLES}
        if image_shape is not None:
            turned = {angle: h for angle, h in turned.items() if _fits_in(h.shape, image_shape)}
    given = float(misfit(kernel))
    by_factor = {factor: float(misfit(variant)) for factor, variant in variants.items()}
    by_angle = {angle: float(misfit(variant)) for angle, variant in turned.items()}
    verdict, finding = _judge(given, by_factor, by_angle)
    return PsfFit(given, by_factor, by_angle, verdict, finding)


def _fits_in(shape: Sequence[int], image_shape: Sequence[int]) -> bool:
    return all(side <= size for side, size in zip(shape, image_shape, strict=True))


def _judge(given: float, by_factor: Mapping[float, float], by_angle: Mapping[float, float]) -> tuple[str, str]:
    """The verdict and the sentence."""
    width = min(by_factor, key=lambda factor: by_factor[factor], default=1.0)
    angle = min(by_angle, key=lambda turn: by_angle[turn], default=0.0)
    of_width, of_angle = by_factor.get(width, np.inf), by_angle.get(angle, np.inf)
    best = min(of_width, of_angle)
    if given - best <= _LEAST_GAIN:
        return "fits", ""
    if best >= min(max(_WELL, _MOSTLY * given), _BADLY):
        return "unexplained", ""
    if of_angle < of_width:
        way = "clockwise" if angle > 0 else "counter-clockwise"  # the variant undoes the error
        return "turned", f"the psf is probably turned, by about {abs(angle):.0f} degrees {way}"
    if width < 1:
        return "too wide", f"the psf is probably too wide, by a factor of about {1 / width:.1f}"
    return "too narrow", f"the psf is probably too narrow, by a factor of about {width:.1f}"


def transformed_psf(psf: Array, factor: float = 1.0, *, angle: float = 0.0) -> Array:
    """The PSF made wider by a factor and turned about its origin, sum 1.

    Each element is taken as a small square of uniform light; the squares are stretched, turned and collected again on the
    pixels. A factor of 1 without a turn is the identity, but for even sides made odd.

    Parameters
    ----------
    psf : ndarray of D axes
        Origin at ``shape // 2``.
    factor : float
        > 0; below 1 makes it narrower.
    angle : float
        Degrees counter-clockwise on the screen (rows point down); only for D = 2.

    Returns
    -------
    ndarray of float64
        Odd sides, origin in the middle.

    Examples
    --------
    >>> import numpy as np
    >>> transformed_psf(np.full(3, 1 / 3), 5 / 3).round(3)
    array([0.2, 0.2, 0.2, 0.2, 0.2])
    """
    if not 0 < factor < np.inf:
        raise ValueError(f"factor must be a number > 0, got {factor}")
    if angle and psf.ndim != 2:
        raise ValueError(f"angle needs a psf of 2 axes, got {psf.ndim}")
    half = [side // 2 + 0.5 for side in psf.shape]  # from the origin to the farther edge
    extent = [float(np.hypot(*half))] * 2 if angle else half
    reach = [int(np.ceil(edge * factor - 0.5 - 1e-9)) for edge in extent]
    axes = [(np.arange((2 * n + 1) * _SAMPLES) + 0.5) / _SAMPLES - n - 0.5 for n in reach]
    fine = list(np.meshgrid(*axes, indexing="ij"))
    if angle:
        turn = np.deg2rad(angle)
        rows, columns = fine
        fine = [np.cos(turn) * rows + np.sin(turn) * columns, np.cos(turn) * columns - np.sin(turn) * rows]
    source = [np.rint(axis / factor).astype(np.intp) + side // 2 for axis, side in zip(fine, psf.shape, strict=True)]
    inside = np.logical_and.reduce([(i >= 0) & (i < side) for i, side in zip(source, psf.shape, strict=True)])
    nearest = psf[tuple(np.clip(i, 0, side - 1) for i, side in zip(source, psf.shape, strict=True))]
    split = np.where(inside, nearest, 0.0).reshape([part for n in reach for part in (2 * n + 1, _SAMPLES)])
    collected = split.sum(axis=tuple(range(1, 2 * psf.ndim, 2)))
    return collected / collected.sum()
