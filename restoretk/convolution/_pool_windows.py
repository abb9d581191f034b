"""The windows of a pooling: where they lie on the image, how many there are, and which pixels they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_real, looks_like_colour
from restoretk.convolution._windows import overlap
from restoretk.convolution.operands import Padding, per_axis, per_side


@dataclass(frozen=True)
class PoolWindows:
    """The windows of one pooling on one spatial shape: window j holds the pixels j*stride + t*dilation - before."""

    shape: tuple[int, ...]  # of the image
    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    out: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """The number of spatial axes."""
        return len(self.size)

    def taps(self, axis: int) -> Iterator[tuple[slice, slice]]:
        """For every place in a window along this axis: the windows with a pixel there, and those pixels."""
        before = self.padding[axis][0]
        for tap in range(self.size[axis]):
            offset = tap * self.dilation[axis] - before
            into, taken = overlap(self.out[axis], self.shape[axis], self.stride[axis], offset)
            if into.stop > 0:
                yield into, taken

    def counts(self, *, include_padding: bool) -> Array:
        """How many places of each window count: those on the image, or on the image and its padding; at least 1."""
        counts = np.ones((), np.int64)
        for n, k, s, d, m, sides in zip(
            self.shape, self.size, self.stride, self.dilation, self.out, self.padding, strict=True
        ):
            places = np.arange(m)[:, None] * s - sides[0] + np.arange(k) * d
            before, after = sides if include_padding else (0, 0)
            # What hangs over beyond the padding, which only ceil_mode lets happen, is never counted.
            inside = (places >= -before) & (places < n + after)
            counts = np.multiply.outer(counts, inside.sum(axis=1))
        return np.maximum(counts, 1)


def pool_windows(
    shape: Sequence[int],
    size: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None,
    padding: Padding,
    dilation: int | Sequence[int],
    ceil_mode: bool,
) -> PoolWindows:
    """The checked windows of a pooling of an image of this spatial shape; ValueError where not one of them fits."""
    ndim = len(shape)
    sizes = per_axis(size, ndim, "size", 1)
    steps = sizes if stride is None else per_axis(stride, ndim, "stride", 1)
    sides = per_side(padding, ndim, "padding")
    if min(min(pair) for pair in sides) < 0:
        raise ValueError(f"padding must be at least 0, got {padding!r}")
    spread = per_axis(dilation, ndim, "dilation", 1)
    out = tuple(map(_windows_along, shape, sizes, steps, sides, spread, [ceil_mode] * ndim))
    if min(out) < 1:
        raise ValueError(
            f"a window of size {sizes} with dilation {spread} is larger than the image {tuple(shape)} with padding {sides}"
        )
    return PoolWindows(tuple(shape), sizes, steps, sides, spread, out)


def _windows_along(n: int, k: int, s: int, sides: tuple[int, int], d: int, ceil_mode: bool) -> int:
    """The number of windows along one axis."""
    room = n + sum(sides) - (k - 1) * d - 1
    if not ceil_mode:
        return room // s + 1
    windows = -(-room // s) + 1
    # A last window that would begin in the padding behind the image is dropped.
    return windows - 1 if (windows - 1) * s >= n + sides[0] else windows


def pooled_axes(image: Array, size: int | Sequence[int], spatial_ndim: int | None) -> int:
    """How many trailing axes are pooled: one for each number in size, or for one number the axes of a picture."""
    if spatial_ndim is not None:
        (ndim,) = per_axis(spatial_ndim, 1, "spatial_ndim", 1)
    elif isinstance(size, Sequence | np.ndarray):
        ndim = len(size)
    else:
        ndim = min(image.ndim, 2)
    if not 1 <= ndim <= 3 or image.ndim < ndim:
        raise ValueError(
            f"image of shape {image.shape} must have the spatial axes that are pooled, 1, 2 or 3 of them, got {ndim}"
        )
    if spatial_ndim is None and looks_like_colour(image.shape, ndim):
        raise ValueError(
            f"image of shape {image.shape} looks like colour with its channels last: move them before the rows"
        )
    return ndim


def as_numbers(values: npt.ArrayLike, name: str) -> Array:
    """The array in native byte order; TypeError for what has no order or no sum, ValueError for NaN and empty arrays."""
    array = as_real(values, name)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if array.dtype.kind == "f" and np.isnan(array).any():
        first = tuple(int(i) for i in np.argwhere(np.isnan(array))[0])
        raise ValueError(f"{name} must not hold NaN, got {int(np.isnan(array).sum())} of them, the first at {first}")
    return array
