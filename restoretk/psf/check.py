"""The door for PSFs: finite, non-negative, sum 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_array, check_finite
from restoretk.psf.background import find_background

SUM_TOLERANCE = 1e-3


def check_psf(psf: npt.ArrayLike, name: str = "psf") -> Array:
    """The PSF as an array of floats, once its promises are checked: finite, non-negative and of sum 1 within 1e-3.

    Nothing is normalised, centred or transposed: a PSF that breaks a promise is told so. The third promise, that the
    origin is at ``shape // 2``, cannot be seen in the values.

    Parameters
    ----------
    psf : array_like of D >= 1 axes
        Integers or floats.
    name : str
        The name of the argument, for messages.

    Returns
    -------
    ndarray
        float32 for a float32 PSF, else float64; the array itself where it already is that.

    Raises
    ------
    TypeError
        For a masked, boolean, complex, object or text array: an OTF never enters through a psf argument.
    ValueError
        For a PSF without axes or elements, with NaN, infinite or negative values, all zero, or with another sum. A
        background that the sum holds is named, and so are several PSFs in one array.

    Examples
    --------
    >>> check_psf([0.25, 0.5, 0.25])
    array([0.25, 0.5 , 0.25])
    >>> check_psf([1, 2, 1])
    Traceback (most recent call last):
    ValueError: psf must sum to 1 within 0.001, got 4: divide the psf by its sum
    """
    array = as_array(psf, name)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        hints = {"c": ": an OTF never enters through a psf argument", "U": ": make_psf(...) turns a spec into an array"}
        otf = hints.get(array.dtype.kind, "")
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}{otf}")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} must have at least one axis and one element, got shape {array.shape}")
    kernel: Array = array.astype(np.float32 if array.dtype == np.float32 else np.float64, copy=False)
    check_finite(kernel, name)
    if (kernel < 0).any():
        raise ValueError(f"{name} must not be negative, got a minimum of {kernel.min():.6g}")
    with np.errstate(over="ignore"):
        total = float(kernel.sum(dtype=np.float64))
    if total == 0:
        raise ValueError(f"{name} must not be all zero, got shape {kernel.shape} without light")
    if np.isinf(total):
        raise ValueError(f"{name} must sum to 1 within {SUM_TOLERANCE}, got a sum that no float can hold")
    if not abs(total - 1) <= SUM_TOLERANCE:
        several = say_several(kernel, name)
        if several:
            raise ValueError(several)
        background = find_background(kernel)
        remedy = f"divide the {name} by its sum"
        if background.found:
            remedy = f"{background.sentence()}: subtract_background({name}) takes it off and divides by the sum"
        raise ValueError(f"{name} must sum to 1 within {SUM_TOLERANCE}, got {total:.6g}: {remedy}")
    return kernel


def say_several(kernel: Array, name: str = "psf") -> str:
    """A sentence where an array holds several PSFs of sum 1 along its first or last axis, else an empty one."""
    for axis in (0, -1) if kernel.ndim > 1 else ():
        count = kernel.shape[axis]
        sums = np.moveaxis(kernel, axis, 0).reshape(count, -1).sum(axis=1, dtype=np.float64)
        if count > 1 and (np.abs(sums - 1) <= SUM_TOLERANCE).all():
            one = f"{name}[0], {name}[1], ..." if axis == 0 else f"{name}[..., 0], {name}[..., 1], ..."
            return (
                f"{name} of shape {kernel.shape} holds one psf for each of {count} channels along axis {axis}: pass "
                f"channel_axis where it is taken, or one psf at a time ({one})"
            )
    return ""
