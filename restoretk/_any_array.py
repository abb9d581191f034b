"""The numerical door for arrays of other libraries: PyTorch, CuPy and whatever speaks the array API standard.

They stay what they are and where they are. Everything that is computed for them is written in functions of the standard
(array-api-compat smooths over the differences), without writing into an array, so that a library which follows gradients
can follow them. The rules for dtypes are those of `restoretk._arrays`; bfloat16 is treated as float16 is. What is copied to
the host is copied by `to_host`, and nothing else.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeGuard

import numpy as np

from restoretk._arrays import Array, check_finite, check_layout, unit_of

AnyArray = Any  # an array of another library: there is no static type for all of them

_ORDINARY = (np.ndarray, np.generic, list, tuple, str, int, float)  # what the NumPy code takes as it always did


def is_foreign(values: object) -> TypeGuard[AnyArray]:
    """Whether the values are an array of another library than NumPy."""
    if isinstance(values, _ORDINARY):
        return False
    kind = type(values)
    return hasattr(kind, "__array_namespace__") or any(
        base.__module__.partition(".")[0] in ("torch", "cupy") for base in kind.__mro__
    )


def _compat() -> ModuleType:
    """array-api-compat, which only users of other arrays need."""
    try:
        import array_api_compat
    except ImportError as error:
        raise ImportError(
            'arrays other than those of NumPy need array-api-compat: pip install "restoretk[arrays]"'
        ) from error
    return array_api_compat


def namespace(*arrays: AnyArray) -> Any:
    """The functions of the array API standard for these arrays, all of one library.

    Raises
    ------
    ImportError
        Without array-api-compat.
    TypeError
        For arrays of different libraries, or what is no array.
    """
    return _compat().array_namespace(*arrays)


def numpy_dtype(dtype: Any) -> Any:
    """The dtype of another library as the name that NumPy knows it by; anything else as it is."""
    foreign = not isinstance(dtype, (str, type, np.dtype)) and type(dtype).__module__.partition(".")[0] != "numpy"
    return str(dtype).rpartition(".")[2] if foreign else dtype


def to_host(array: AnyArray) -> Array:
    """A detached copy, or view, of an array as one of NumPy."""
    compat = _compat()
    there: Any = "cpu"
    if compat.is_torch_array(array):
        array = array.detach()
        if "bfloat16" in str(array.dtype):  # NumPy has none
            array = array.float()
    elif not compat.is_cupy_array(array):
        there = namespace(array).__array_namespace_info__().default_device()
    return np.asarray(compat.to_device(array, there))


def on_host(values: Any) -> Any:
    """The values themselves, or the host copy of an array of another library."""
    return to_host(values) if is_foreign(values) else values


def beside(values: Any, like: AnyArray, dtype: Any = None) -> AnyArray:
    """The values as an array of the library and on the device of ``like``, by default of its dtype; gradients flow through.

    Raises
    ------
    TypeError
        For an array of a third library.
    """
    device = _compat().device(like)
    dtype = like.dtype if dtype is None else dtype
    if is_foreign(values):
        xp = namespace(like, values)
        return xp.astype(_compat().to_device(values, device), dtype, copy=False)
    host = np.ascontiguousarray(values).reshape(np.shape(values))
    host = host if host.flags.writeable else host.copy()  # PyTorch shares memory, and warns of what it may not write to
    return namespace(like).asarray(host, dtype=dtype, device=device)


def device_of(array: AnyArray) -> Any:
    """Where the array lies."""
    return _compat().device(array)


def asks_for_gradient(*values: Any) -> bool:
    """Whether a gradient is being followed through one of the values: not under torch.no_grad()."""
    # A sum follows a gradient only where one is followed; a tensor itself asks for it under torch.no_grad() too.
    return any(getattr(each, "requires_grad", False) and (each.reshape(-1)[:1] + 0).requires_grad for each in values)


def is_integral(dtype: Any, xp: Any) -> bool:
    """Whether results in this dtype are rounded."""
    return bool(xp.isdtype(dtype, "integral"))


def check_real(image: AnyArray, name: str = "image") -> None:
    """Raise TypeError for what is not integers or floats, and ValueError for an empty array."""
    if not namespace(image).isdtype(image.dtype, ("integral", "real floating")):
        raise TypeError(f"{name} must hold integers or floats of at most 64 bits, got dtype {image.dtype}")
    if math.prod(image.shape) == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(image.shape)}")


def as_float(image: AnyArray, name: str = "image") -> tuple[AnyArray, int]:
    """The image as float32 or float64 in units of a power of two, and its exponent: `as_float_image`, `unit_of`, `in_unit`.

    Two numbers go to the host: the highest and the lowest.

    Raises
    ------
    TypeError, ValueError
        As `restoretk._arrays.as_float_image`.
    """
    xp = namespace(image)
    check_real(image, name)
    if is_integral(image.dtype, xp):
        info = xp.iinfo(image.dtype)
        working = xp.astype(image, xp.float32 if info.bits <= 16 else xp.float64) / float(info.max)
    else:
        working = xp.astype(image, xp.float64 if image.dtype == xp.float64 else xp.float32, copy=False)
    extremes = to_host(xp.stack([xp.max(working), xp.min(working)]))
    if not np.isfinite(extremes).all():
        check_finite(to_host(working), name)
    if is_integral(image.dtype, xp) and info.bits > 16 and 0 < (highest := round(extremes[0] * info.max)) < 1 << 16:
        warnings.warn(
            f"{name} of dtype {image.dtype} holds integers up to {highest}, which are read as fractions of {info.max}: for "
            f"other units pass uint8, uint16 or floats",
            stacklevel=4,
        )
    unit = unit_of(extremes)
    return times_power_of_two(working, -unit), unit


def to_dtype(result: AnyArray, dtype: Any, unit: int = 0) -> AnyArray:
    """A float result in units of 2^unit as plain numbers in the dtype of its image: `from_unit`, then `to_dtype`."""
    xp = namespace(result)
    if unit:
        largest = xp.finfo(result.dtype).max
        result = xp.clip(times_power_of_two(result, unit), -largest, largest)
    if dtype == result.dtype:
        return result
    if not is_integral(dtype, xp):
        largest = min(float(xp.finfo(dtype).max), float(xp.finfo(result.dtype).max))
        return xp.astype(xp.clip(result, -largest, largest), dtype)
    if asks_for_gradient(result):
        raise ValueError(f"gradients do not flow through integers: the image must hold floats, got dtype {dtype}")
    info = xp.iinfo(dtype)
    levels = xp.round(xp.astype(result, xp.float64) * float(info.max))
    # As in restoretk._arrays.to_dtype: float64 rounds 2**63 - 1 up to 2**63, so the highest level is set apart.
    top, bottom = levels >= float(info.max), levels <= float(info.min)
    integers = xp.astype(xp.where(top | bottom, xp.zeros_like(levels), levels), dtype)
    integers = xp.where(top, xp.full_like(integers, info.max), integers)
    return xp.where(bottom, xp.full_like(integers, info.min), integers)


def times_power_of_two(image: AnyArray, exponent: int) -> AnyArray:
    """The image times 2^exponent, in two steps: float32 cannot hold 2^149."""
    half = exponent // 2
    return image * 2.0**half * 2.0 ** (exponent - half) if exponent else image


def to_planes(
    array: AnyArray, spatial_ndim: int, channel_axis: int | None
) -> tuple[AnyArray, Callable[[AnyArray], AnyArray]]:
    """The array as planes (channels, stack, *spatial), one channel where there is no axis of them, and the way back.

    Raises
    ------
    ValueError
        As `restoretk._arrays.to_planes`.
    """
    xp = namespace(array)
    check_layout(tuple(array.shape), spatial_ndim, channel_axis)
    moved = array if channel_axis is None else xp.moveaxis(array, channel_axis, 0)
    lead, spatial = moved.shape[: moved.ndim - spatial_ndim], moved.shape[moved.ndim - spatial_ndim :]
    channels = 1 if channel_axis is None else lead[0]

    def from_planes(planes: AnyArray) -> AnyArray:
        restored = xp.reshape(planes, (*lead, *planes.shape[2:]))
        return restored if channel_axis is None else xp.moveaxis(restored, 0, channel_axis)

    return xp.reshape(moved, (channels, math.prod(lead) // channels, *spatial)), from_planes


def window(array: AnyArray, slices: Sequence[slice]) -> AnyArray:
    """A slice of each of the trailing axes."""
    return array[(..., *slices)]


def between_zeros(array: AnyArray, axis: int, before: int, after: int) -> AnyArray:
    """The array with zeros added at the ends of one axis."""
    xp = namespace(array)

    def zeros(count: int) -> list[AnyArray]:
        shape = [count if each == axis % array.ndim else side for each, side in enumerate(array.shape)]
        return [zeros_like(array, shape)] if count else []

    parts = [*zeros(before), array, *zeros(after)]
    return xp.concat(parts, axis=axis) if len(parts) > 1 else array


def zeros_like(array: AnyArray, shape: Sequence[int]) -> AnyArray:
    """Zeros of the library, dtype and device of an array, in another shape."""
    return namespace(array).zeros(tuple(shape), dtype=array.dtype, device=_compat().device(array))


def gather(array: AnyArray, places: Array, axis: int) -> AnyArray:
    """The elements at ``places``, integers on the host, along one axis."""
    xp = namespace(array)
    return xp.take(array, xp.asarray(places.astype(np.int64), device=_compat().device(array)), axis=axis)
