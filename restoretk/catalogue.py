"""From text to things: PSFs, noises, methods and kernels spelled in the one grammar ``name:key=value,key=value``.

========================================  ====================================================================
``make_psf("motion:length=15,angle=30")``  an array; also ``psf.npy``, ``psf.tif`` or ``file:path=psf.png``
``make_noise("gaussian:sigma=0.01")``      a function (image, rng) -> image; links are chained by ``+``
``make_method("wiener:boundary=wrap")``    a name in METHODS and keyword arguments
``make_kernel("bicubic:a=-0.75")``         a function factor -> taps
========================================  ====================================================================

The keys are the keyword parameters of the functions in PSFS, NOISES, METHODS and KERNELS; ``rng`` is spelled
``seed``. A wrong name, key or value answers with the choices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk._grammar import bind, check_choice, format_spec, parse_spec, split_chain
from restoretk.image_files import SUFFIXES, ImageFile, read_image
from restoretk.noise import make_noise
from restoretk.psf import PSFS, check_psf
from restoretk.restoration import METHODS
from restoretk.upsampling import KERNELS, KernelBank

__all__ = [
    "format_spec",
    "make_kernel",
    "make_method",
    "make_noise",
    "make_psf",
    "parse_spec",
    "psf_file",
    "read_psf_pixels",
    "split_chain",
]


def make_psf(spec: str | Path, *, image_shape: Sequence[int] | None = None, channel_axis: int | None = None) -> Array:
    """The PSF that a spec or a file spells.

    Parameters
    ----------
    spec : str or Path
        ``disk:radius=4`` and the like, with the names of PSFS; or the path of a .npy file or a grey picture (.tif,
        .png, ...), as it stands or as ``file:path=...`` where the name of the file could be taken for a spec.
    image_shape : sequence of int or None
        The shape of the picture that it is for. Given with ``channel_axis``, a file of as many axes, the first or the last
        of which (or that of its colours) is as long as the picture has channels, holds one PSF for each channel.
    channel_axis : int or None
        The axis of the picture that holds its channels.

    Returns
    -------
    ndarray of float64
        Non-negative, sum 1, origin at ``shape // 2``. What comes from a file is divided by its sum, and its middle is
        taken for the origin. One PSF for each channel: each divided by its own sum, the channels along ``channel_axis``,
        as the restorers take them.

    Raises
    ------
    ValueError
        For a name, key or value that does not exist, with the choices; for a file that is no picture, or is in colour
        where it cannot be one PSF for each channel, and for pixels that are negative, not finite or all zero.
    OSError
        For a file that cannot be opened.

    Examples
    --------
    >>> make_psf("box:size=3,ndim=1").round(3)
    array([0.333, 0.333, 0.333])
    >>> make_psf("motion:lenght=15")
    Traceback (most recent call last):
    restoretk._grammar.OptionError: key of psf motion must be one of length, angle; got 'lenght' (did you mean 'length'?)
    """
    path = psf_file(spec)
    if path is not None:
        return _psf_from_file(path, image_shape, channel_axis)
    name, options = bind(str(spec), PSFS, "psf")
    return PSFS[name](**options)


def psf_file(spec: str | Path) -> Path | None:
    """The file that the spec of a PSF names, whether it exists or not; None for a spec in the grammar.

    Raises
    ------
    ValueError
        For a name that neither is a PSF nor looks like a file, with the choices.

    Examples
    --------
    >>> psf_file("bead.tif").name, psf_file("disk:radius=4")
    ('bead.tif', None)
    """
    if isinstance(spec, Path):
        return spec
    if not isinstance(spec, str):
        raise TypeError(f"psf must be text such as 'disk:radius=4' or a path, got {type(spec).__name__}")
    name, _, rest = spec.partition(":")
    if name.strip() == "file":  # a path is taken as it stands: it may hold any sign of the grammar
        key, equals, path = rest.partition("=")
        if key.strip() != "path" or not equals or not path:
            raise ValueError(f"psf file needs path=..., got {spec!r}")
        return Path(path)
    if name.strip() in PSFS:
        return None
    if Path(spec).suffix.lower() in SUFFIXES or Path(spec).is_file():
        return Path(spec)
    check_choice(parse_spec(spec)[0], [*PSFS, "file"], "psf")
    return None


def make_method(spec: str) -> tuple[str, dict[str, Any]]:
    """The name of a method and its keyword arguments: ``restore(image, psf, name, **options)``.

    Parameters
    ----------
    spec : str
        ``wiener``, ``regularized_filter:regularization=0.01,operator=gradient``, ... with the names of METHODS.

    Raises
    ------
    ValueError
        For a name, key or value that does not exist; the message lists the choices.

    Examples
    --------
    >>> make_method("wiener:noise_to_signal=0.01")
    ('wiener', {'noise_to_signal': 0.01})
    """
    return bind(spec, METHODS, "method", exclude=("image", "psf", "channel_axis", "out"))


def make_kernel(spec: str) -> Callable[[int], Array | KernelBank]:
    """The upsampling kernel that a spec spells, as a function from the factor to its taps, or its bank of kernels.

    Parameters
    ----------
    spec : str
        ``nearest``, ``bicubic:a=-0.75``, ... with the names of KERNELS.

    Raises
    ------
    ValueError
        For a name, key or value that does not exist; the message lists the choices.

    Examples
    --------
    >>> make_kernel("bilinear")(2)
    array([0.25, 0.75, 0.75, 0.25])
    """
    name, options = bind(spec, KERNELS, "kernel", exclude=("factor",))
    return lambda factor: KERNELS[name](factor, **options)


def read_psf_pixels(path: Path) -> Array:
    """The pixels of a PSF in a file as float64, neither checked nor normalised: a grey picture, or an array.

    Raises
    ------
    ValueError
        For a file that is no picture, or is in colour.
    OSError
        For a file that cannot be opened.
    """
    return _grey(read_image(path), path)


def _grey(file: ImageFile, path: Path) -> Array:
    pixels = file.image.astype(np.float64)
    # The axes of a .npy array are its own: a 3-D PSF of 3 columns is no colour picture.
    if file.format != "NPY" and file.channel_axis is not None:
        channels = np.moveaxis(pixels, file.channel_axis, 0)
        if not (channels == channels[0]).all():
            raise ValueError(
                f"the psf in {path} is in colour: give one grey picture, or a picture of as many channels to go with it"
            )
        return channels[0]
    return pixels


def _psf_from_file(path: Path, image_shape: Sequence[int] | None, channel_axis: int | None) -> Array:
    file = read_image(path)
    if image_shape is not None and channel_axis is not None and file.image.ndim == len(image_shape):
        axis = _axis_of_channels(file, image_shape[channel_axis])
        if axis is not None:
            channels = np.moveaxis(file.image.astype(np.float64), axis, 0)
            psfs = [_unit_sum(each, f"channel {index} of the psf in {path}") for index, each in enumerate(channels)]
            return np.moveaxis(np.stack(psfs), 0, channel_axis)
        if file.format == "NPY" or file.channel_axis is None:
            raise ValueError(
                f"the psf in {path} of shape {file.image.shape} must have {len(image_shape) - 1} axes, or hold one psf for "
                f"each of the {image_shape[channel_axis]} channels of the picture along its first or last axis"
            )
    return _unit_sum(_grey(file, path), f"the psf in {path}")


def _axis_of_channels(file: ImageFile, channels: int) -> int | None:
    """The axis of a file that holds one PSF for each of so many channels, None if none does."""
    pixels = file.image
    if file.format != "NPY" and file.channel_axis is not None:
        told = np.moveaxis(pixels, file.channel_axis, 0)
        # A grey picture saved in colour is one PSF.
        return file.channel_axis if len(told) == channels and not (told == told[0]).all() else None
    return next((axis for axis in (0, pixels.ndim - 1) if pixels.shape[axis] == channels), None)


def _unit_sum(pixels: Array, name: str) -> Array:
    if (pixels < 0).any():
        raise ValueError(
            f"{name} must not be negative, got a minimum of {pixels.min():.6g}: where that is noise, subtract_background "
            f"takes it off (restoretk psf FILE --subtract-background)"
        )
    total = pixels.sum()
    if total == 0:
        raise ValueError(f"{name} must not be all zero")
    return check_psf(pixels / total, name)
