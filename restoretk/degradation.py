"""The forward model: g = h * f + η, what a camera sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._any_array import (
    AnyArray,
    as_float,
    beside,
    is_foreign,
    namespace,
    on_host,
    times_power_of_two,
    to_host,
    to_planes,
)
from restoretk._any_array import to_dtype as to_foreign_dtype
from restoretk._arrays import Array, Rng, as_float_image, from_unit, generator, to_dtype
from restoretk.convolution._any_blur import blur
from restoretk.convolution.blur import convolve
from restoretk.noise import Noise, make_noise
from restoretk.psf import psfs_for


def degrade(
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    *,
    noise: str | Noise | Sequence[str | Noise] | None = None,
    boundary: str = "symmetric",
    channel_axis: int | None = None,
    rng: Rng = None,
) -> Array:
    """The image as a camera would see it: blurred by the PSF, then noisy, g = h * f + η.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        The scene f. The number of axes of the PSF says how many trailing axes are spatial; axes before them are a
        stack.
    psf : array_like
        The point spread function h: non-negative, sum 1, origin at ``psf.shape // 2``, no larger than the image. With as
        many axes as the image it holds one for each channel along ``channel_axis``. A spec such as
        ``"motion:length=15"`` becomes an array by `restoretk.catalogue.make_psf`.
    noise : str, callable, sequence of them, or None
        None adds no noise. A spec, ``"gaussian:sigma=0.01"``; a chain of them,
        ``"poisson:peak=500+jpeg:quality=90"``, or a sequence, each applied to the result of the one before; or a
        function (image, rng) -> image of the same shape.
    boundary : str
        What the scene is like beyond the frame: symmetric, reflect, edge, constant, or wrap. See Notes.
    channel_axis : int or None
        The axis of the image that holds channels; each is blurred by itself.
    rng : numpy.random.Generator, int or None
        A generator (advanced), a seed, or None for fresh noise.

    Returns
    -------
    ndarray
        Same shape and dtype as the image. Blur and noise are computed in floats and an integer image is rounded once,
        at the end.

    Raises
    ------
    TypeError, ValueError
        For an image or PSF that breaks its promises, a PSF larger than the image, or a noise that does not exist or
        that changes the shape.

    Notes
    -----
    Tensors and other arrays stay what and where they are, and gradients flow through the blur. To a gradient the noise is
    the constant that was added: none flows through Poisson noise, rounding or JPEG, nor is any stopped by them.

    The inverse crime is to simulate with the very model that is then inverted: most of all, to blur circularly and
    restore with the FFT, which knows that the picture continues at its opposite edge. No camera does that, and
    results on such data are too good. So the default is a linear convolution of a scene that goes on beyond the
    frame; ``boundary="wrap"`` is there for those who want the circular model and know it.

    What lies beyond the frame is still invented, and seen in the pixels near it. For data in which *no* pixel depends
    on a boundary rule, degrade a larger picture and cut the frame off it: ``psf.shape[i] - 1 - psf.shape[i] // 2``
    pixels at the low end of axis i and ``psf.shape[i] // 2`` at the high end (the radius of the PSF on both, for odd
    sides), from the result and from the scene alike.

    Examples
    --------
    >>> import numpy as np
    >>> degrade([0.0, 0, 1, 0, 0], [0.25, 0.5, 0.25]).round(6)
    array([0.  , 0.25, 0.5 , 0.25, 0.  ])
    >>> scene = np.full((4, 5), 128, np.uint8)
    >>> degrade(scene, np.full((3, 3), 1 / 9), noise="gaussian:sigma=0.01", rng=1).dtype
    dtype('uint8')
    """
    if is_foreign(image):
        return degrade_anywhere(image, psf, noise=noise, boundary=boundary, channel_axis=channel_axis, rng=rng)
    working, dtype = as_float_image(image)
    psfs = psfs_for(psf, working.shape, channel_axis)
    disturb = None if noise is None else make_noise(noise, channel_axis=channel_axis)
    observed = _blurred(working, psfs, boundary, channel_axis)
    return to_dtype(observed if disturb is None else _disturbed(observed, disturb, rng), dtype)


def _disturbed(blurred: Array, disturb: Noise, rng: Rng) -> Array:
    """The blurred image with its noise, in the same precision."""
    observed = np.asarray(disturb(blurred, generator(rng)))
    if observed.shape != blurred.shape:
        raise ValueError(f"noise must keep the shape {blurred.shape}, got {observed.shape}")
    return observed.astype(blurred.dtype, copy=False)


def degrade_anywhere(
    image: AnyArray,
    psf: Any,
    *,
    noise: str | Noise | Sequence[str | Noise] | None,
    boundary: str,
    channel_axis: int | None,
    rng: Rng,
) -> AnyArray:
    """`degrade` for an array of another library, on its device; gradients flow through the blur.

    Noise is drawn on the host, from the blurred picture there; to a gradient it is a constant.
    """
    xp = namespace(image)
    working, unit = as_float(image)
    checked = psfs_for(on_host(psf), tuple(working.shape), channel_axis)
    disturb = None if noise is None else make_noise(noise, channel_axis=channel_axis)
    psfs = [beside(each, working) for each in checked]
    if is_foreign(psf):
        given = beside(psf, working)
        each_channel = given.ndim != checked[0].ndim
        moved = xp.moveaxis(given, channel_axis, 0) if each_channel else given[None, ...]
        psfs = [moved[index, ...] for index in range(len(checked))]
    planes, from_planes = to_planes(working, checked[0].ndim, channel_axis)
    observed = from_planes(blur(planes, psfs, boundary))
    if disturb is not None:
        seen = from_unit(to_host(observed), unit)
        observed = times_power_of_two(observed, unit) + beside(_disturbed(seen, disturb, rng) - seen, observed)
        unit = 0
    return to_foreign_dtype(observed, image.dtype, unit)


def _blurred(image: Array, psfs: tuple[Array, ...], boundary: str, channel_axis: int | None) -> Array:
    """The image convolved with its PSF, or each channel with its own."""
    if channel_axis is None or len(psfs) == 1:
        return convolve(image, psfs[0], boundary=boundary, channel_axis=channel_axis)
    channels = zip(np.moveaxis(image, channel_axis, 0), psfs, strict=True)
    blurred = np.stack([convolve(channel, psf, boundary=boundary) for channel, psf in channels])
    return np.moveaxis(blurred, 0, channel_axis)
