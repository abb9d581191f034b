"""Tone curves that can be inverted: parametric (sRGB and every power curve) and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image

_LARGEST_GAMMA = 8.0  # beyond, the darkest codes of 8 bits are less than the rounding of float64 beside white
_LARGEST_STEP = 1e-3  # of white: how far the two parts of a curve may miss each other where they should meet
_LARGEST_ERROR = 0.25 / 255  # of a code, there and back


class ToneCurve(Protocol):
    """What maps code values to linear light and back: 0 is black's code and 1 white's, and the light of white is 1."""

    @property
    def name(self) -> str:
        """What a reader knows the curve by."""

    @property
    def is_linear(self) -> bool:
        """Whether the code values are linear light already."""

    def decode(self, codes: npt.ArrayLike) -> Array:
        """The light of code values; float32 stays float32."""

    def encode(self, light: npt.ArrayLike) -> Array:
        """The code values of light; float32 stays float32."""


@dataclass(frozen=True)
class ParametricCurve:
    """The parametric curve of ICC profiles, in which sRGB and every power curve are special cases.

    For a code value X in [0, 1]: Y = (a X + b)^g + e where X >= d, and c X + f below; then light is Y / Y(1), so that
    white is 1. Nothing is clipped: above 1 the formula goes on, and below 0 the curve is mirrored through its black
    point, Y(-X) = 2 Y(0) - Y(X).

    Parameters
    ----------
    g : float
        The exponent, above 0 and at most 8.
    a, b, c, d, e, f : float
        As in the formula.
    name : str
        What to call the curve; by default it is put together from g.

    Raises
    ------
    ValueError
        For parameters of which no curve is made that rises everywhere from black to white: it could not be inverted.

    References
    ----------
    .. [1] ICC.1:2022, 10.18, parametricCurveType, function type 4; the others are this one with fewer parameters.
    .. [2] IEC 61966-2-1:1999, the curve of sRGB.

    Examples
    --------
    >>> SRGB.decode([0.0, 0.5, 1.0]).round(4)
    array([0.   , 0.214, 1.   ])
    >>> SRGB.encode(SRGB.decode([-0.2, 0.5, 1.3])).round(6)
    array([-0.2,  0.5,  1.3])
    """

    g: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0
    name: str = ""

    def __post_init__(self) -> None:
        parameters = (self.g, self.a, self.b, self.c, self.d, self.e, self.f)
        if not all(np.isfinite(parameters)):
            raise ValueError(f"the parameters of a tone curve must be finite, got {parameters}")
        if not (0 < self.g <= _LARGEST_GAMMA and self.a > 0):
            raise ValueError(
                f"a tone curve must rise: 0 < g <= {_LARGEST_GAMMA:g} and a > 0, got g={self.g}, a={self.a}"
            )
        if self.d > 0 and self.c <= 0:
            raise ValueError(f"a tone curve must rise: below {self.d:.6g} this one has the slope {self.c:.6g}")
        start = max(self.d, 0.0)
        if self.a * start + self.b < 0:
            raise ValueError(f"a tone curve must rise: this one is flat up to {-self.b / self.a:.6g}")
        with np.errstate(over="ignore"):
            ends = self._formula(np.array([0.0, 1.0]))
            joint = float(self._above(np.array(start)))
        if not (np.isfinite(ends).all() and ends[1] > max(ends[0], 0)):
            raise ValueError(
                f"a tone curve must rise to a light above 0, got {ends[0]:.6g} at black, {ends[1]:.6g} at white"
            )
        if 0 < self.d <= 1 and joint < self.c * self.d + self.f - _LARGEST_STEP * ends[1]:
            raise ValueError(f"a tone curve must rise: this one falls at {self.d:.6g}")
        _check_codes_return(self)
        if not self.name:
            object.__setattr__(self, "name", "linear" if self.is_linear else f"gamma {self.g:.4g}")

    @property
    def is_linear(self) -> bool:
        """Whether light is the code value times a number."""
        return self.g == 1 and self.d <= 0 and self.b == 0 and self.e == 0

    def decode(self, codes: npt.ArrayLike) -> Array:
        """The light of code values, white 1."""
        codes = _floats(codes, "codes")
        black, white = self._formula(np.array([0, 1], codes.dtype))  # in the same floats: white is exactly 1
        return np.asarray((black + np.copysign(self._formula(np.abs(codes)) - black, codes)) / white)

    def encode(self, light: npt.ArrayLike) -> Array:
        """The code values of light, white 1."""
        light = _floats(light, "light")
        black, white = self._formula(np.array([0, 1], light.dtype))
        above_black = light * white - black
        return np.asarray(np.copysign(self._inverse(black + np.abs(above_black)), above_black))

    def _formula(self, codes: Array) -> Array:
        """Y of codes X >= 0."""
        if self.d <= 0:
            return self._above(codes)
        return np.where(codes >= self.d, self._above(np.maximum(codes, self.d)), self.c * codes + self.f)

    def _above(self, codes: Array) -> Array:
        return (self.a * codes + self.b) ** self.g + self.e

    def _inverse(self, light: Array) -> Array:
        """X of the light Y >= Y(0)."""
        joint = float(self._above(np.array(max(self.d, 0.0))))
        base = np.maximum(light, joint) - self.e
        codes = (np.maximum(base, 0) ** (1 / self.g) - self.b) / self.a
        if self.d <= 0:
            return np.maximum(codes, 0)
        # Light between the two parts of a curve that jumps belongs to the code where it does.
        return np.where(light >= joint, codes, np.minimum((light - self.f) / self.c, self.d))


def power_curve(gamma: float) -> ParametricCurve:
    """The curve light = code^gamma, mirrored through 0.

    Raises
    ------
    ValueError
        For a gamma that is not above 0 and at most 8.

    Examples
    --------
    >>> power_curve(2.0).decode([-0.5, 0.0, 0.5, 2.0])
    array([-0.25,  0.  ,  0.25,  4.  ])
    """
    return ParametricCurve(float(gamma))


@dataclass(frozen=True, eq=False)
class TableCurve:
    """A curve given by its light at equally spaced code values from 0 to 1, straight lines between.

    Light is divided by that of white. Nothing is clipped: above 1 the last line goes on, and below 0 the curve is mirrored
    through its black point. Where a table stands still for a while it is replaced by the line to its next value (tables of
    16 bits have no room for the darkest codes), so that every code can be told from its neighbours: the light moves by
    less than one step of the table.

    Parameters
    ----------
    light : array_like of shape (N,)
        At least two values that never fall, the last above the first and above 0.

    Raises
    ------
    ValueError
        For another table.

    Examples
    --------
    >>> curve = TableCurve([0.0, 0.0, 0.5, 2.0])
    >>> curve.decode([0.0, 2 / 3, 1.0])
    array([0.  , 0.25, 1.  ])
    >>> curve.encode([0.25, 1.75]).round(6)
    array([0.666667, 1.333333])
    """

    light: npt.ArrayLike
    _knots: tuple[Array, Array] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        light = np.array(self.light, np.float64)
        if light.ndim != 1 or light.size < 2 or not np.isfinite(light).all():
            raise ValueError(f"a tone curve must be a table of at least 2 finite values, got shape {light.shape}")
        steps = np.diff(light)
        if (steps < 0).any():
            raise ValueError(f"a tone curve must rise: this table falls after entry {int(np.argmax(steps < 0))}")
        if not light[-1] > max(light[0], 0):
            raise ValueError(f"a tone curve must rise to a light above 0, got {light[0]:.6g} to {light[-1]:.6g}")
        kept = np.concatenate([[True], steps > 0])  # the first of each run of equal values
        kept[-1], kept[np.argmax(light == light[-1])] = True, light.size == np.argmax(light == light[-1]) + 1
        codes = np.linspace(0, 1, light.size)[kept]
        object.__setattr__(self, "_knots", (codes, light[kept] / light[-1]))
        _check_codes_return(self)

    @property
    def name(self) -> str:
        """Such as ``table of 1024 values``."""
        return f"table of {np.size(self.light)} values"

    @property
    def is_linear(self) -> bool:
        """Whether the table is a straight line from 0."""
        codes, light = self._knots
        return bool(np.array_equal(codes, light))

    def decode(self, codes: npt.ArrayLike) -> Array:
        """The light of code values, white 1."""
        return _along(codes, *self._knots, "codes")

    def encode(self, light: npt.ArrayLike) -> Array:
        """The code values of light, white 1."""
        codes, lights = self._knots
        return _along(light, lights, codes, "light")


def _along(values: npt.ArrayLike, knots: Array, results: Array, name: str) -> Array:
    """Straight lines through the knots, the last one going on, mirrored through the first."""
    values = _floats(values, name)
    from_first = values - knots[0]
    mirrored = knots[0] + np.abs(from_first)
    slope = (results[-1] - results[-2]) / (knots[-1] - knots[-2])
    above = np.interp(mirrored, knots, results) + slope * np.maximum(mirrored - knots[-1], 0)
    return (results[0] + np.copysign(above - results[0], from_first)).astype(values.dtype, copy=False)


def _check_codes_return(curve: ToneCurve) -> None:
    """Raise ValueError where a code of 8 bits is no longer itself after the way to light and back in float32."""
    codes = np.linspace(0, 1, 256, dtype=np.float32)
    with np.errstate(all="ignore"):  # whatever overflows is not the code either
        lost = ~(np.abs(curve.encode(curve.decode(codes)) - codes) < _LARGEST_ERROR)
    if lost.any():
        raise ValueError(
            f"a tone curve must tell every code of 8 bits from the next: this one loses {int(np.argmax(lost))}"
        )


def _floats(values: npt.ArrayLike, name: str) -> Array:
    """float32 or float64, NaN allowed; integers by the rule of the numerical door."""
    array = np.asarray(values)
    if array.dtype in (np.float32, np.float64):
        return array
    return as_float_image(array, name)[0]


#: The curve of sRGB, IEC 61966-2-1.
SRGB = ParametricCurve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, name="sRGB")

#: Code values that are linear light already.
LINEAR = ParametricCurve(1.0, name="linear")
