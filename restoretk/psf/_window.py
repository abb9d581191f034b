"""What every PSF shares: checks of its parameters, the window it is sampled on and its sum of 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from restoretk._arrays import Array

# A PSF of more elements (128 MB) is a slip of the pen or an attack; it would be larger than any picture it could blur.
MOST_ELEMENTS = 2**24
# Beyond these the squares of a length may run out of floats, when a PSF has long been a delta or larger than a picture.
SMALLEST, LARGEST = 1e-12, 1e12


def positive(value: Any, name: str) -> float:
    """The value as float, if it is a finite number > 0 (between 1e-12 and 1e12)."""
    number = finite(value, name)
    if not number > 0:
        raise ValueError(f"{name} must be > 0, got {value!r}")
    if not SMALLEST <= number <= LARGEST:
        raise ValueError(f"{name} must be between {SMALLEST} and {LARGEST}, got {value!r}")
    return number


def finite(value: Any, name: str) -> float:
    """The value as float, if it is a finite number."""
    if isinstance(value, (str, bytes, bool, np.bool_)) or np.ndim(value) != 0:
        raise ValueError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return number


def per_axis(value: Any, ndim: Any, name: str) -> list[Any]:
    """One value for each axis: a number repeated ``ndim`` times, or a sequence as it stands; 1 to 3 axes."""
    if isinstance(value, str) or np.ndim(value) == 0:
        if ndim not in (1, 2, 3):
            raise ValueError(f"ndim must be 1, 2 or 3, got {ndim!r}")
        return [value] * int(ndim)
    values = list(value)
    if not 1 <= len(values) <= 3:
        raise ValueError(f"{name} must be a number or a sequence of 1 to 3, one for each axis, got {value!r}")
    return values


def window(size: Any, reach: Sequence[float]) -> tuple[int, ...]:
    """The shape to sample on: ``size`` if given, else the odd sides that hold ``reach`` pixels either way."""
    if size is None:
        if not all(half < MOST_ELEMENTS for half in reach):  # before an enormous float becomes an integer
            raise ValueError(
                f"the psf must have at most {MOST_ELEMENTS} elements, got one that reaches {max(reach):.3g} pixels"
            )
        shape = tuple(2 * math.ceil(half) + 1 for half in reach)
    else:
        sides = per_axis(size, len(reach), "size")
        if len(sides) != len(reach):
            raise ValueError(f"size must be one integer or {len(reach)}, one for each axis, got {size!r}")
        for side in sides:
            if isinstance(side, bool) or not isinstance(side, (int, np.integer)) or side < 1:
                raise ValueError(f"size must be integers >= 1, got {side!r}")
        shape = tuple(int(side) for side in sides)
    if math.prod(shape) > MOST_ELEMENTS:
        raise ValueError(f"the psf must have at most {MOST_ELEMENTS} elements, got shape {shape}")
    return shape


def offsets(shape: Sequence[int]) -> list[Array]:
    """The distance of every pixel centre from the origin at ``shape // 2``, one broadcastable array for each axis."""
    return [
        (np.arange(side) - side // 2.0).reshape([-1 if i == axis else 1 for i in range(len(shape))])
        for axis, side in enumerate(shape)
    ]


def unit_sum(psf: Array) -> Array:
    """The PSF divided by its sum, as float64."""
    normalised: Array = np.asarray(psf, np.float64) / psf.sum(dtype=np.float64)
    return normalised
