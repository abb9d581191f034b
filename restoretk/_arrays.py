"""The numerical door: what an image array may be, how it becomes floats and how it returns to its own dtype.

The one rule for integers: an integer image is read as a fraction of the full range of its dtype (uint8 is divided by
255, uint16 by 65535, int16 by 32767), so that a noise sigma of 0.01 means the same for uint8, uint16 and floats in
[0, 1]. On the way back it is multiplied by the same number, rounded to the nearest integer and held inside the range of
the dtype. Floats are never scaled, rounded or clipped; only what the dtype of the image cannot hold (above 65504 in
float16, say) is held at its largest number, not turned into infinity.

=====================  =============================================================================================
dtype                  what happens
=====================  =============================================================================================
float32, float64       kept, worked on as they are; byte order and memory layout do not matter
float16                worked on as float32, returned as float16
8 and 16 bit integers  worked on as float32, returned as they were
wider integers         worked on as float64, returned as they were
longdouble             refused: no FFT keeps what it promises
bool                   refused: it may be a mask, or a picture to be read as 0 and 1
everything else        refused: complex, object, text, structured, dates; masked arrays, whose mask would be lost
=====================  =============================================================================================

Numbers of extreme size, whose squares float32 or float64 cannot hold, are worked on in another unit, a power of two:
see `unit_of`. Results come in the native byte order and never share memory with an argument.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Rng = np.random.Generator | int | None

_COMFORTABLE = 30  # images whose largest number lies between 2^-30 and 2^30 are worked on as they are
_IN_CACHE = 1 << 17  # numbers

_HINTS = {
    "b": ": astype(float) makes 0 and 1 of it",
    "c": ": take its real part or its magnitude",
    "O": ": the rows may differ in length, or hold None",
}


def as_array(values: npt.ArrayLike, name: str) -> Array:
    """The values as an array of whatever they hold.

    Raises
    ------
    TypeError
        For masked arrays, in a list too, and tensors that NumPy cannot read.
    ValueError
        For nested lists of different lengths.
    """
    refuse_masked(values, name)
    try:
        return np.asarray(values)
    except RuntimeError as error:  # PyTorch's, for a tensor that asks for a gradient
        raise TypeError(
            f"{name} is a {type(values).__name__} that NumPy cannot read beside its own: {error}"
        ) from error
    except ValueError as error:
        raise ValueError(f"{name} must be an array or nested lists of equal length: {error}") from error


def as_real(values: npt.ArrayLike, name: str) -> Array:
    """The values as an array of integers or floats of at most 64 bits in native byte order: a view where it can be.

    Raises
    ------
    TypeError
        For masked arrays (in a list too), bool, complex, longdouble, object, text, structured and date arrays.
    ValueError
        For nested lists of different lengths.
    """
    array = as_array(values, name)
    dtype = array.dtype
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        hint = _HINTS.get(dtype.kind, "")
        raise TypeError(f"{name} must hold integers or floats of at most 64 bits, got dtype {dtype}{hint}")
    return array.astype(dtype.newbyteorder("="), copy=False)


def as_finite(values: npt.ArrayLike, name: str, dtype: npt.DTypeLike = np.float64) -> Array:
    """The values as finite floats of ``dtype``, where no scaling of integers is meant: kernels, weights, spectra.

    Raises
    ------
    TypeError, ValueError
        As `as_real`, and for NaN or infinite values and numbers that ``dtype`` cannot hold.
    """
    array = as_real(values, name)
    check_finite(array, name)
    with np.errstate(over="ignore"):
        converted = array.astype(dtype, copy=False)
    check_finite(converted, f"{name} as {np.dtype(dtype)}")
    return converted


def refuse_masked(values: object, name: str) -> None:
    """Raise TypeError for a masked array, or a list of them: every conversion would lose the mask."""
    parts = values if isinstance(values, Sequence) and not isinstance(values, str) else (values,)
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        raise TypeError(
            f"{name} is a masked array, whose mask would be lost: fill it, or pass the data and the mask apart"
        )


def as_float_image(image: npt.ArrayLike, name: str = "image") -> tuple[Array, np.dtype[Any]]:
    """The image as float32 or float64 (never written to), and the dtype to return the result in.

    float32 and float64 keep their precision; float16 and integers of 8 and 16 bits are worked on as float32, wider
    integers as float64.

    Warns
    -----
    UserWarning
        For integers of 32 or 64 bits that would fit into 16: read as fractions of their full range, they are all but 0.

    Raises
    ------
    TypeError
        See `as_real`.
    ValueError
        For an empty array, or NaN or infinite values (with their number and the first position).
    """
    array = as_real(image, name)
    dtype = array.dtype
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if dtype.kind == "f":
        check_finite(array, name)
        return array.astype(np.float64 if dtype.itemsize == 8 else np.float32, copy=False), dtype
    if caution := dark_integers(array, name):
        warnings.warn(caution, stacklevel=3)
    return fractions_of_range(array), dtype


def fractions_of_range(integers: Array) -> Array:
    """Integers as floats in which the highest that their dtype holds is 1."""
    working = np.float32 if integers.dtype.itemsize <= 2 else np.float64
    return (integers / np.asarray(np.iinfo(integers.dtype).max, working)).astype(working, copy=False)


def dark_integers(integers: Array, name: str) -> str:
    """A sentence for integers of 32 or 64 bits that would fit into 16: as fractions of their range they are all but 0."""
    dtype = integers.dtype
    if dtype.kind == "f" or dtype.itemsize <= 2 or not 0 < (highest := int(integers.max())) <= np.iinfo(np.uint16).max:
        return ""
    return (
        f"{name} of dtype {dtype} holds integers up to {highest}, which are read as fractions of {np.iinfo(dtype).max}: "
        f"for other units pass uint8, uint16 or floats"
    )


def to_dtype(result: Array, dtype: np.dtype[Any]) -> Array:
    """A float result in the dtype of the image it came from: integers scaled, rounded to nearest and held in range."""
    if dtype.kind == "f":
        if dtype.itemsize < result.dtype.itemsize:
            largest = np.finfo(dtype).max
            result = np.clip(result, -largest, largest)
        return result.astype(dtype.newbyteorder("="), copy=False)
    info = np.iinfo(dtype)
    if result.dtype == np.float32 and dtype.itemsize <= 2:
        # Held in range first: the largest floats cannot be scaled.
        levels = np.clip(result, np.float32(info.min / info.max), np.float32(1))
        levels *= np.float32(info.max)
        return np.rint(levels, out=levels).astype(dtype.newbyteorder("="))
    levels = np.clip(np.rint(result.astype(np.float64, copy=False) * info.max), info.min, info.max)
    # float64 rounds 2**63 - 1 up to 2**63, which would wrap round to the smallest int64: those pixels are set apart.
    top = levels >= float(info.max)
    integers = np.where(top, 0, levels).astype(dtype.newbyteorder("="))
    integers[top] = info.max
    return integers


def unit_of(image: Array) -> int:
    """The exponent e of the unit 2^e in which an image is worked on: 0 unless its numbers are of extreme size.

    ``np.ldexp(image, -e)`` then lies in [-1, 1] and touches [1/2, 1) in magnitude. A power of two costs no bit: scaling
    an image by one scales the result by it, exactly.
    """
    return _unit_of(*_extremes(image))


def finite_unit_of(image: Array, name: str) -> int:
    """The same of an image that need not be finite: ValueError as by `check_finite`, which would be a pass more over it."""
    with np.errstate(invalid="ignore"):
        lowest, highest = _extremes(image)
    if not (np.isfinite(lowest) and np.isfinite(highest)):  # NaN is both the least and the largest of numbers
        check_finite(image, name)
    return _unit_of(lowest, highest)


def _extremes(image: Array) -> tuple[float, float]:
    """The lowest and the highest number: looked for in parts that are still in cache the second time."""
    flat = image.reshape(-1) if image.flags.c_contiguous else image
    step = _IN_CACHE if flat.ndim == 1 else max(1, _IN_CACHE * len(flat) // flat.size)
    parts = [flat[start : start + step] for start in range(0, len(flat), step)]
    found = np.array([(part.min(), part.max()) for part in parts])
    return float(found[:, 0].min()), float(found[:, 1].max())


def _unit_of(lowest: float, highest: float) -> int:
    largest = max(abs(highest), abs(lowest))
    exponent = int(np.frexp(largest)[1])
    return 0 if largest == 0 or abs(exponent) <= _COMFORTABLE else exponent


def plain_number(value: float, unit: int) -> float:
    """A number in units of 2^unit as a plain one, held at the largest and smallest that there are."""
    largest = float(np.finfo(np.float64).max)
    with np.errstate(over="ignore", under="ignore"):
        return float(np.clip(np.ldexp(value, unit), -largest, largest))


def in_unit(image: Array, unit: int) -> Array:
    """The image in units of 2^unit."""
    return np.ldexp(image, -unit) if unit else image


def from_unit(result: Array, unit: int) -> Array:
    """A result in units of 2^unit in plain numbers, held at the largest that its dtype can hold."""
    if not unit:
        return result
    with np.errstate(over="ignore"):
        plain = np.ldexp(result, unit)
    largest = np.finfo(plain.dtype).max
    return np.clip(plain, -largest, largest, out=plain)


def check_finite(array: Array, name: str) -> None:
    """Raise ValueError with the number of NaN or infinite values and the first position."""
    # The extremes are not finite if anything is not: a few times quicker than to ask every number.
    if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        if not array.ndim:
            raise ValueError(f"{name} must be finite, got {array}")
        bad = ~np.isfinite(array)
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name} must be finite, got {int(bad.sum())} NaN or infinite values, the first at {first}")


def to_planes(
    array: Array, spatial_ndim: int, channel_axis: int | None, name: str = "image"
) -> tuple[Array, Callable[[Array], Array]]:
    """The array as planes of shape (P, *spatial), and the function that puts such planes back in the array's layout.

    The trailing ``spatial_ndim`` axes, after the channel axis is taken out, are spatial; every axis before them is a
    stack of independent planes.

    Raises
    ------
    ValueError
        If there are fewer than ``spatial_ndim`` axes left, or if ``channel_axis`` is not an axis of the array, or if an
        array that looks like colour comes without ``channel_axis`` (its channels would be filtered as columns).
    """
    check_layout(array.shape, spatial_ndim, channel_axis, name)
    moved = array if channel_axis is None else np.moveaxis(array, channel_axis, 0)
    lead, spatial = moved.shape[: moved.ndim - spatial_ndim], moved.shape[moved.ndim - spatial_ndim :]
    planes = moved.reshape((-1, *spatial))

    def from_planes(result: Array) -> Array:
        restored = result.reshape((*lead, *result.shape[1:]))
        return restored if channel_axis is None else np.moveaxis(restored, 0, channel_axis)

    return planes, from_planes


def check_out(out: object, image: npt.ArrayLike) -> Array | None:
    """The array that a result of the shape and dtype of the image is to be written to, None for a new one.

    Raises
    ------
    TypeError, ValueError
        For what is no array of that shape and dtype that can be written to, or shares memory with the image without being
        the image.
    """
    if out is None:
        return None
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out must be a numpy array, got {type(out).__name__}")
    array = np.asarray(image)
    if out.shape != array.shape or out.dtype != array.dtype or not out.dtype.isnative:
        raise ValueError(
            f"out must have the shape {array.shape} and the dtype {array.dtype} of the image, in native byte order, got "
            f"{out.shape} and {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError("out must be an array that can be written to, got a read-only one")
    same = out.ctypes.data == array.ctypes.data and out.strides == array.strides
    if np.may_share_memory(out, array) and not same:
        raise ValueError("out must be the image itself or share no memory with it")
    return out


def check_layout(shape: tuple[int, ...], spatial_ndim: int, channel_axis: int | None, name: str = "image") -> None:
    """Raise ValueError for an array of a shape that `to_planes` refuses."""
    ndim = len(shape)
    check_axis_number(channel_axis)
    if channel_axis is not None and not -ndim <= channel_axis < ndim:
        raise ValueError(f"channel_axis must be an axis of {name} of shape {shape}, got {channel_axis}")
    if ndim - (channel_axis is not None) < spatial_ndim:
        raise ValueError(
            f"{name} of shape {shape} with channel_axis={channel_axis} has fewer than the {spatial_ndim} spatial axes of "
            f"the psf"
        )
    if channel_axis is None and looks_like_colour(shape, spatial_ndim):
        raise ValueError(
            f"{name} of shape {shape} looks like colour and the psf has {spatial_ndim} axes: pass channel_axis=-1, or move "
            f"the spatial axes to the end"
        )


def check_axis_number(channel_axis: object) -> None:
    """Raise TypeError for what is neither a whole number nor None."""
    if channel_axis is not None and (isinstance(channel_axis, bool) or not isinstance(channel_axis, (int, np.integer))):
        raise TypeError(f"channel_axis must be a whole number or None, got {channel_axis!r}")


def generator(rng: Rng) -> np.random.Generator:
    """The generator, or a new one with the seed; raises TypeError or ValueError for what is neither."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(f"rng must be a Generator, a whole number >= 0 or None, got {rng!r}") from None


def looks_like_colour(shape: tuple[int, ...], spatial_ndim: int) -> bool:
    """Whether a shape given without a channel axis is an image with 3 or 4 channels last rather than a stack of planes."""
    return spatial_ndim >= 2 and len(shape) == spatial_ndim + 1 and shape[-1] in (3, 4) and min(shape[:-1]) >= 16
