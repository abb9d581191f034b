"""The inverse filter 1 / H, cut off where the blur left too little to divide by."""

from __future__ import annotations

import numpy.typing as npt

from restoretk._any_array import is_foreign
from restoretk._arrays import Array, check_out
from restoretk._grammar import OptionError
from restoretk.restoration._any_array import Method, restore_anywhere
from restoretk.restoration._frequency_domain import LinearFilter
from restoretk.restoration._optics import Workshop
from restoretk.restoration._problem import Problem
from restoretk.restoration._torus import open_problem
from restoretk.restoration._transfer import TruncatedInverse


def decide(
    image: npt.ArrayLike | Problem,
    psf: npt.ArrayLike,
    *,
    cutoff: float = 0.1,
    boundary: str = "unknown",
    channel_axis: int | None = None,
    mask: npt.ArrayLike | str | None = None,
    workshop: Workshop | None = None,
) -> LinearFilter:
    """The inverse filter as a `LinearFilter`; see `inverse_filter`."""
    if not 0 <= cutoff < 1:
        raise OptionError(f"cutoff must be in [0, 1), got {cutoff}")
    problem = open_problem(image, psf, boundary, channel_axis, mask, workshop=workshop)
    return LinearFilter("inverse_filter", problem, TruncatedInverse(problem.optics, cutoff), {"cutoff": float(cutoff)})


def inverse_filter(
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    *,
    cutoff: float = 0.1,
    boundary: str = "unknown",
    channel_axis: int | None = None,
    mask: npt.ArrayLike | str | None = None,
    out: Array | None = None,
) -> Array:
    """The image divided by the OTF wherever the OTF is at least ``cutoff`` times its peak, zero elsewhere.

    Model g = h * f; filter 1 / H where |H| >= cutoff * max|H|, else 0: the truncated inverse. It knows nothing of noise
    and amplifies it by up to 1 / cutoff; it is here to be compared with, and for data without noise.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        The observed image g.
    psf : array_like of D axes
        The point spread function h: non-negative, sum 1, origin at ``psf.shape // 2``. D says how many trailing axes of
        the image are spatial.
    cutoff : float
        In [0, 1), relative to the largest |H|. 0 divides wherever H is not exactly zero.
    boundary : str
        What lies beyond the frame: unknown (estimated with the picture, in some 5 to 30 FFT pairs: right for a photograph);
        wrap (the exact periodic filter, no padding, the fastest); or a guess, quick and ringing where it is wrong: smooth
        (the smoothest continuation), taper (edges faded into the blurred picture, no padding), reflect, symmetric, edge,
        constant.
    channel_axis : int or None
        The axis of the image that holds channels. They share one PSF, or have one each: then the PSF
        has a channel axis in the same place.
    mask : array_like of bool, "nan", "saturated", "nan+saturated" or None
        Pixels that say nothing about the scene: True where missing (they may be NaN), of the shape of the image or of its
        spatial axes; where the image is not finite; or blown-out highlights with the zone that the PSF reaches from them
        (shown as observed). They are estimated like the scene beyond the frame. None believes every pixel.
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
        For a cutoff outside [0, 1), and for an image, PSF or boundary that cannot be used.

    References
    ----------
    .. [1] R. C. Gonzalez and R. E. Woods, Digital Image Processing, 4th ed., 2018, section 5.7, eq. (5-78).

    Examples
    --------
    >>> import numpy as np
    >>> from restoretk.convolution.blur import convolve
    >>> psf = np.array([0.1, 0.7, 0.2])
    >>> scene = np.array([0.0, 1, 0, 0, 2, 0])
    >>> blurred = convolve(scene, psf, boundary="wrap")
    >>> inverse_filter(blurred, psf, boundary="wrap").round(6) + 0.0
    array([0., 1., 0., 0., 2., 0.])
    """
    if is_foreign(image):
        options = {
            "cutoff": cutoff,
            "boundary": boundary,
            "channel_axis": channel_axis,
            "mask": mask,
            "out": out,
        }
        return restore_anywhere(Method(inverse_filter, decide), image, psf, options)
    target = check_out(out, image)
    return decide(image, psf, cutoff=cutoff, boundary=boundary, channel_axis=channel_axis, mask=mask).image(target)
