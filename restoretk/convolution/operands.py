"""The operands of a strided convolution: checked, and brought from the user's layout to the one layout of the cores."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_real, check_finite, looks_like_colour

Padding = int | Sequence[int | Sequence[int]]


@dataclass(frozen=True)
class Operands:
    """An image, its kernel and its bias in the one layout of the cores, and the way back."""

    source: Array  # (N, groups, C_in / groups, *spatial)
    weights: Array  # (groups, C_out / groups, C_in / groups, *k)
    bias: Array | None  # (groups, C_out / groups)
    lead: tuple[int, ...]  # the axes of the image before the channels
    channels: bool  # whether the image has a channel axis
    dtype: np.dtype[np.generic]

    @property
    def spatial_ndim(self) -> int:
        """The number of spatial axes."""
        return self.weights.ndim - 3

    @property
    def shape(self) -> tuple[int, ...]:
        """The spatial shape of the image."""
        return self.source.shape[3:]

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """The spatial shape of the kernel."""
        return self.weights.shape[3:]

    def finish(self, result: Array) -> Array:
        """A result of a core with the bias added, in the layout and dtype of the image."""
        if self.bias is not None:
            result += self.bias.reshape(self.bias.shape + (1,) * self.spatial_ndim)
        channels = (result.shape[1] * result.shape[2],) if self.channels else ()
        return result.reshape((*self.lead, *channels, *result.shape[3:])).astype(self.dtype, copy=False)


def as_operands(
    image: npt.ArrayLike,
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    *,
    groups: int,
    spatial_ndim: int | None,
    transposed: bool,
) -> Operands:
    """The checked operands of a convolution, or of a transposed one, whose kernel is (C_in, C_out / groups, *k)."""
    pixels, taps = _as_numbers(image, "image"), _as_numbers(kernel, "kernel")
    shift = None if bias is None else _as_numbers(bias, "bias")
    (groups,) = per_axis(groups, 1, "groups", 1)
    if spatial_ndim is None and taps.ndim == 3 <= pixels.ndim:
        needed = taps.shape[0] if transposed else taps.shape[1] * groups
        if groups != 1 or needed == pixels.shape[-2]:
            raise ValueError(
                f"kernel of shape {taps.shape} on an image of shape {pixels.shape} may be a layer of signals with channels "
                f"or a volume: pass spatial_ndim=1 or spatial_ndim=3"
            )
    ndim = _spatial_ndim(pixels, taps, spatial_ndim)
    channels = taps.ndim == ndim + 2
    if channels:
        lead, inputs = pixels.shape[: -ndim - 1], pixels.shape[-ndim - 1]
    else:
        lead, inputs = pixels.shape[: pixels.ndim - ndim], 1
        taps = taps.reshape((1, 1, *taps.shape))
    grouped = _grouped(taps, inputs, groups, transposed)
    outputs = grouped.shape[0] * grouped.shape[1]
    if shift is not None and shift.shape != (outputs,) and (channels or shift.size != 1):
        raise ValueError(f"bias must have shape ({outputs},), one number for each channel out, got shape {shift.shape}")

    dtype = pixels.dtype
    if dtype.kind == "i" and (taps.dtype.kind == "f" or (shift is not None and shift.dtype.kind == "f")):
        dtype = np.dtype(np.float64)
    working = np.dtype(np.float32) if dtype == np.float16 else dtype
    return Operands(
        source=pixels.astype(working, copy=False).reshape((-1, groups, inputs // groups, *pixels.shape[-ndim:])),
        weights=grouped.astype(working, copy=False),
        bias=None if shift is None else shift.astype(working, copy=False).reshape((groups, -1)),
        lead=lead,
        channels=channels,
        dtype=dtype,
    )


def _as_numbers(values: npt.ArrayLike, name: str) -> Array:
    """The array as native floats, or as int64 if it holds integers; TypeError or ValueError for anything else."""
    array = as_real(values, name)
    if array.dtype == np.uint64:
        raise TypeError(f"{name} must hold floats or integers that fit in 64 signed bits, got dtype {array.dtype}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if array.dtype.kind == "f":
        check_finite(array, name)
        return array
    return array.astype(np.int64, copy=False)


def _spatial_ndim(image: Array, kernel: Array, spatial_ndim: int | None) -> int:
    """How many trailing axes are spatial, by the rule that `conv` documents."""
    if spatial_ndim is None:
        ndim = kernel.ndim if kernel.ndim <= 2 or kernel.ndim == 3 <= image.ndim else kernel.ndim - 2
    else:
        (ndim,) = per_axis(spatial_ndim, 1, "spatial_ndim", 1)
    if not 1 <= ndim <= 3 or kernel.ndim not in (ndim, ndim + 2):
        raise ValueError(
            f"kernel of shape {kernel.shape} must have its 1, 2 or 3 spatial axes, or two channel axes before them"
            + ("" if spatial_ndim is None else f", and spatial_ndim is {spatial_ndim}")
        )
    if image.ndim < ndim + (kernel.ndim != ndim):
        raise ValueError(f"image of shape {image.shape} has too few axes for the kernel of shape {kernel.shape}")
    if spatial_ndim is None and kernel.ndim == ndim and looks_like_colour(image.shape, ndim):
        raise ValueError(
            f"image of shape {image.shape} looks like colour with its channels last: move them before the rows"
        )
    return ndim


def _grouped(kernel: Array, inputs: int, groups: int, transposed: bool) -> Array:
    """The kernel as (groups, C_out / groups, C_in / groups, *k), checked against the channels of the image."""
    first, second = kernel.shape[:2]
    if inputs % groups or first % groups:
        raise ValueError(
            f"groups must divide the channels of the image and of the kernel, {inputs} and {first}, got {groups}"
        )
    expected = inputs if transposed else inputs // groups
    if (first if transposed else second) != expected:
        layout = "(C_in, C_out / groups, *k)" if transposed else "(C_out, C_in / groups, *k)"
        raise ValueError(
            f"kernel of shape {kernel.shape} does not fit an image of {inputs} channels in {groups} groups: it must be "
            f"{layout}"
        )
    split = kernel.reshape((groups, first // groups, *kernel.shape[1:]))
    return np.swapaxes(split, 1, 2) if transposed else split


def per_axis(value: int | Sequence[int], ndim: int, name: str, minimum: int | None) -> tuple[int, ...]:
    """One int for each of ``ndim`` axes; ValueError below ``minimum`` or for another number of them."""
    values: tuple[int, ...]
    try:
        if isinstance(value, Sequence | np.ndarray):
            values = tuple(operator.index(one) for one in value)
        else:
            values = (operator.index(value),) * ndim
    except TypeError as error:
        raise TypeError(f"{name} must be an integer or a sequence of integers, got {value!r}") from error
    if len(values) != ndim:
        raise ValueError(f"{name} must be one integer, or one for each of the {ndim} spatial axes, got {value!r}")
    if minimum is not None and min(values) < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value!r}")
    return values


def per_side(value: Padding, ndim: int, name: str) -> tuple[tuple[int, int], ...]:
    """A pair (before, after) for each of ``ndim`` axes, from one int, an int for each axis, or pairs among them.

    A number for both sides must be at least 0; the two numbers of a pair may be negative.
    """
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray) or not any(map(_is_pair, value)):
        numbers: Any = value
        return tuple((both, both) for both in per_axis(numbers, ndim, name, 0))
    if len(value) != ndim:
        raise ValueError(
            f"{name} must be one integer, or for each of the {ndim} spatial axes one or a pair (before, after), "
            f"got {value!r}"
        )
    pairs = []
    for one in value:
        if not _is_pair(one):
            pairs.append(per_axis(one, 2, name, 0))
        elif len(one) != 2:
            raise ValueError(f"{name} must have two numbers (before, after) in a pair, got {one!r}")
        else:
            pairs.append(tuple(per_axis(number, 1, name, None)[0] for number in one))
    return tuple((before, after) for before, after in pairs)


def _is_pair(value: object) -> TypeGuard[Sequence[int]]:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
