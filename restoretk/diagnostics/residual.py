"""What the residual g - h * restored says: about the strength of the filter, the noise and the PSF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image, to_planes
from restoretk.convolution.blur import Blur
from restoretk.convolution.boundary import BOUNDARIES, check_boundary
from restoretk.convolution.fourier import psf_to_otf
from restoretk.convolution.periodogram import periodogram
from restoretk.diagnostics._residual_spectrum import (
    autocorrelation,
    bright_excess,
    flatness,
    noise_kept_out,
)
from restoretk.diagnostics.psf_fit import PsfFit, compare_psfs
from restoretk.noise_estimation import estimate_noise_sigma
from restoretk.psf import psfs_for

_LEAST_SIDE = 16  # of the interior, below which a spectrum says nothing
# The thresholds were set on scripts/reproduce_residual_verdicts.py, which prints the error rates of `audit_residual`.
_COLOUR = 1.6
_OVER, _UNDER = 1.25, 0.3  # a perfect nonlinear method leaves 1: all of the noise, nothing else


@dataclass(frozen=True)
class ResidualAudit:
    """What the residual of a restoration says.

    Attributes
    ----------
    noise_sigma : float
        The noise level that was given or estimated (root mean square over the channels).
    residual_sigma : float
        Root mean square of the residual away from the edges.
    chi2_ratio : float
        Mean squared residual over sigma^2, or over sigma^2 (1 - degrees of freedom) where those were given. A filter that
        is right leaves less than 1 without the correction, for it takes some of the noise into the picture.
    autocorrelation : ndarray of shape (7,) * D
        Of the residual, at lags of -3 to 3 pixels, 1 in the middle. Not that of white noise even if all is right: where
        the PSF passes the scene, hardly any residual is left.
    whiteness_p_value : float
        Of the test (Bartlett 1937) that the residual is equally strong at all frequencies that the PSF extinguishes. There
        the residual is the observed noise whatever was restored. NaN where the PSF leaves too few such frequencies.
    noise_colour : float
        The same as a size: the 90th over the 10th percentile of its power in blocks of those frequencies, about 1.2 for
        white noise.
    bright_excess : float
        Mean power of the residual over sigma^2 where |H|^2 > 0.1. Well below 1 for a good linear filter,
        1 for the truth itself, more if details are missing.
    noise_kept_out : float
        Share of the power that stays in the residual, at frequencies where the observation is hardly stronger than noise:
        near 1 is right. NaN where there are too few.
    psf_fit : PsfFit or None
        The comparison of PSFs, if a ``misfit`` was given.
    findings : tuple of str
        One sentence for everything that the user should know; empty if nothing speaks against the restoration.
    """

    noise_sigma: float
    residual_sigma: float
    chi2_ratio: float
    autocorrelation: Array
    whiteness_p_value: float
    noise_colour: float
    bright_excess: float
    noise_kept_out: float
    psf_fit: PsfFit | None
    findings: tuple[str, ...]


def audit_residual(
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    restored: npt.ArrayLike,
    *,
    noise_sigma: float | None = None,
    degrees_of_freedom: float | None = None,
    misfit: Callable[[Array], float] | None = None,
    boundary: str = "symmetric",
    channel_axis: int | None = None,
) -> ResidualAudit:
    """Judge a restoration by its residual r = g - h * restored, away from the edges, and say what is wrong in words.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        The observed picture g.
    psf : array_like of D axes
        The PSF that was restored with: non-negative, sum 1; or, with as many axes as the image, one for each channel
        along ``channel_axis``. The spectra are then looked at where all of them are dark, or all bright.
    restored : array_like, shape of ``image``
        By any method, unclipped.
    noise_sigma : float or None
        Standard deviation of the noise, > 0, in units of the picture (fractions of full range for integers). None
        estimates it from the picture, for each channel.
    degrees_of_freedom : float or None
        Effective degrees of freedom of a linear filter as a share of the pixels, in [0, 1)
        (``Restoration.diagnostics["effective_degrees_of_freedom"]``); corrects ``chi2_ratio``.
    misfit : callable or None
        The likelihood that judges the PSF, see `compare_psfs`. Without it no sentence speaks of width or angle. Not for
        several PSFs: audit each channel by itself.
    boundary : str
        Of the restoration: ``wrap`` takes the residual on the whole torus, all others (``unknown`` too) away from the edge
        by half the PSF.
    channel_axis : int or None
        The axis that holds channels.

    Returns
    -------
    ResidualAudit

    Raises
    ------
    TypeError, ValueError
        For images of different shape, a PSF that `check_psf` refuses or that leaves an interior of less than 16 pixels,
        a sigma that is not > 0 (or cannot be estimated: a picture without noise), degrees of freedom outside [0, 1), and
        a misfit with several PSFs.

    Notes
    -----
    Error rates on the material of `compare_psfs` (four bundled photographs / five others), printed by
    scripts/reproduce_residual_verdicts.py; width and angle there. With the right PSF, white noise and the automatic Wiener
    filter a sentence was said in 0 of 60 / 2 of 75 cases.

    - *not flat*: of noise blurred by 0.5 or 0.8 pixels 67 of 120 / 83 of 150 were noticed, all but 5 / 7 of those where the
      PSF leaves enough dark frequencies to tell (motion and shake mostly do not). Without ``misfit`` a PSF that is too wide
      often causes it, and the sentence says so.
    - *over-regularised*, with 10 and 100 times the regularization that GCV chose: 69 of 120 / 61 of 150, never with less.
    - *under-regularised*, with a tenth and a hundredth: 28 of 120 / 45 of 150; with what GCV chose 0 of 60 / 1 of 75.

    There is no sentence on ``chi2_ratio``, which is 0.2 to 1 for a good filter and 0.4 to 1.8 for a wrong PSF, nor on the
    p-value, which tells the faintest rest of a scene from noise (below 0.01 in 2 of 60 / 11 of 75 good cases). A PSF that is
    flipped or shifted leaves the same residual as the right one.

    References
    ----------
    .. [1] M. S. Bartlett, "Properties of sufficiency and statistical tests", Proc. R. Soc. A 160, 1937 (for a gamma law).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> scene, psf = rng.normal(0.5, 0.1, (96, 80)), np.full((3, 5), 1 / 15)
    >>> seen = Blur(psf, scene.shape, "wrap").forward(scene) + rng.normal(0, 0.01, scene.shape)
    >>> audit = audit_residual(seen, psf, scene, noise_sigma=0.01, boundary="wrap")
    >>> round(audit.chi2_ratio, 2)
    0.99
    """
    check_boundary(boundary, (*BOUNDARIES, "unknown"))
    psfs = tuple(each.astype(np.float64) for each in psfs_for(psf, np.shape(image), channel_axis))
    if misfit is not None and len(psfs) > 1:
        raise ValueError(f"misfit must judge one psf, got {len(psfs)}: audit each channel by itself")
    spatial_ndim = psfs[0].ndim
    observed = _planes(image, spatial_ndim, channel_axis, "image")
    estimate = _planes(restored, spatial_ndim, channel_axis, "restored")
    if observed.shape != estimate.shape:
        raise ValueError(f"restored must have the shape {np.shape(image)} of the image, got {np.shape(restored)}")
    if degrees_of_freedom is not None and not 0 <= degrees_of_freedom < 1:
        raise ValueError(f"degrees_of_freedom must be a share of the pixels in [0, 1), got {degrees_of_freedom}")
    frame = observed.shape[1:]
    interior = _interior(psfs[0].shape, frame, boundary)
    sigmas = _sigmas(observed, noise_sigma)
    blurred = _blurred(estimate, psfs, boundary if boundary in BOUNDARIES else "symmetric")
    by_plane = sigmas.reshape((-1,) + (1,) * spatial_ndim)
    # In units of the noise of each plane, so that planes can be averaged.
    residual, seen = ((part / by_plane)[(slice(None), *interior)] for part in (observed - blurred, observed))
    otf_powers = np.stack([np.abs(psf_to_otf(each, residual.shape[1:])) ** 2 for each in psfs])
    power, seen_power = (periodogram(part, part.ndim - 1, periodic=False) for part in (residual, seen))
    colour, p_value = flatness(seen_power, otf_powers.max(axis=0), residual.shape[1:], len(residual))
    chi2 = float(np.mean(residual**2))
    audit = ResidualAudit(
        noise_sigma=float(np.sqrt(np.mean(sigmas**2))),
        residual_sigma=float(np.sqrt(np.mean((residual * by_plane) ** 2))),
        chi2_ratio=chi2 / (1 - (degrees_of_freedom or 0.0)),
        autocorrelation=autocorrelation(residual),
        whiteness_p_value=p_value,
        noise_colour=colour,
        bright_excess=bright_excess(power, otf_powers.min(axis=0), residual.shape[1:]),
        noise_kept_out=noise_kept_out(power, seen_power),
        psf_fit=None if misfit is None else compare_psfs(psfs[0], misfit, image_shape=frame),
        findings=(),
    )
    return replace(audit, findings=tuple(_sentences(audit)))


def _planes(image: npt.ArrayLike, spatial_ndim: int, channel_axis: int | None, name: str) -> Array:
    working, _ = as_float_image(image, name)
    return to_planes(working.astype(np.float64, copy=False), spatial_ndim, channel_axis, name)[0]


def _blurred(planes: Array, psfs: tuple[Array, ...], boundary: str) -> Array:
    """The planes blurred by their one PSF, or the planes of each channel, which lie together, by its own."""
    stacks = planes.reshape((len(psfs), -1, *planes.shape[1:]))
    blurred = [Blur(psf, planes.shape[1:], boundary).forward(stack) for stack, psf in zip(stacks, psfs, strict=True)]
    return np.concatenate(blurred)


def _interior(psf_shape: tuple[int, ...], frame: tuple[int, ...], boundary: str) -> tuple[slice, ...]:
    """The pixels whose blur does not depend on the scene beyond the frame."""
    if any(side > size for side, size in zip(psf_shape, frame, strict=True)):
        raise ValueError(f"psf of shape {psf_shape} is larger than the image {frame}")
    reach = [0 if boundary == "wrap" else side // 2 for side in psf_shape]
    left = tuple(size - 2 * n for size, n in zip(frame, reach, strict=True))
    if any(size < _LEAST_SIDE for size in left):
        raise ValueError(f"image must leave {_LEAST_SIDE} pixels on every axis away from its edges, got {left}")
    return tuple(slice(n, size - n) for size, n in zip(frame, reach, strict=True))


def _sigmas(planes: Array, noise_sigma: float | None) -> Array:
    """The noise level of each plane."""
    if noise_sigma is None:
        point = np.ones(
            (1,) * (planes.ndim - 1)
        )  # says how many axes are spatial, and nothing of a blur that may be wrong
        sigmas = np.array([float(estimate_noise_sigma(plane, point)) for plane in planes])
        if not (sigmas > 0).all():
            raise ValueError("image must hold noise to compare the residual with: none was found, give noise_sigma")
        return sigmas
    if not 0 < noise_sigma < np.inf:
        raise ValueError(f"noise_sigma must be a number > 0, got {noise_sigma}")
    return np.full(len(planes), float(noise_sigma))


def _sentences(audit: ResidualAudit) -> list[str]:
    said = []
    fit = audit.psf_fit
    if fit is not None and fit.finding:
        said.append(fit.finding)
    elif audit.noise_colour > _COLOUR:
        said.append(
            "what is left where the psf passes nothing is not flat: the noise is not white, or the psf is wrong"
            + ("" if fit is None else " in a way that neither its width nor its angle explains")
        )
    if audit.bright_excess > _OVER:
        said.append("the picture is over-regularised: details that the psf passes are left in the residual")
    if audit.noise_kept_out < _UNDER:
        said.append("the picture is under-regularised: most of the noise went into it where the blur left nothing else")
    return said
