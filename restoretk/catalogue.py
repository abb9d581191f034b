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

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk._grammar import bind, check_choice, format_spec, parse_spec, split_chain
from restoretk.image_files import SUFFIXES, read_image
from restoretk.noise import make_noise
from restoretk.psf import PSFS, check_psf
from restoretk.restoration import METHODS
from restoretk.upsampling import KERNELS

__all__ = ["format_spec", "make_kernel", "make_method", "make_noise", "make_psf", "parse_spec", "split_chain"]


def make_psf(spec: str | Path) -> Array:
    """The PSF that a spec or a file spells.

    Parameters
    ----------
    spec : str or Path
        ``disk:radius=4`` and the like, with the names of PSFS; or the path of a .npy file or a grey picture (.tif,
        .png, ...), as it stands or as ``file:path=...`` where the name of the file could be taken for a spec.

    Returns
    -------
    ndarray of float64
        Non-negative, sum 1, origin at ``shape // 2``. What comes from a file is divided by its sum, and its middle is
        taken for the origin.

    Raises
    ------
    ValueError
        For a name, key or value that does not exist, with the choices; for a file that is no picture or is in colour,
        and for pixels that are negative, not finite or all zero.
    OSError
        For a file that cannot be opened.

    Examples
    --------
    >>> make_psf("box:size=3,ndim=1").round(3)
    array([0.333, 0.333, 0.333])
    >>> make_psf("motion:lenght=15")
    Traceback (most recent call last):
    ValueError: key of psf motion must be one of length, angle; got 'lenght' (did you mean 'length'?)
    """
    if isinstance(spec, Path):
        return _psf_from_file(spec)
    name, _, rest = spec.partition(":")
    if name.strip() == "file":  # a path is taken as it stands: it may hold any sign of the grammar
        key, equals, path = rest.partition("=")
        if key.strip() != "path" or not equals or not path:
            raise ValueError(f"psf file needs path=..., got {spec!r}")
        return _psf_from_file(Path(path))
    if name.strip() not in PSFS:
        if Path(spec).suffix.lower() in SUFFIXES or Path(spec).is_file():
            return _psf_from_file(Path(spec))
        check_choice(parse_spec(spec)[0], [*PSFS, "file"], "psf")
    name, options = bind(spec, PSFS, "psf")
    return PSFS[name](**options)


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
    return bind(spec, METHODS, "method", exclude=("image", "psf", "channel_axis"))


def make_kernel(spec: str) -> Callable[[int], Array]:
    """The upsampling kernel that a spec spells, as a function from the factor to its taps.

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


def _psf_from_file(path: Path) -> Array:
    file = read_image(path)
    pixels = file.image.astype(np.float64)
    # The axes of a .npy array are its own: a 3-D PSF of 3 columns is no colour picture.
    if file.format != "NPY" and file.channel_axis is not None:
        channels = np.moveaxis(pixels, file.channel_axis, 0)
        if not (channels == channels[0]).all():
            raise ValueError(f"the psf in {path} is in colour: give one grey picture")
        pixels = channels[0]
    if (pixels < 0).any():
        raise ValueError(f"the psf in {path} must not be negative, got a minimum of {pixels.min():.6g}")
    total = pixels.sum()
    if total == 0:
        raise ValueError(f"the psf in {path} must not be all zero")
    return check_psf(pixels / total, f"the psf in {path}")
