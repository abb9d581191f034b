"""Pairs of a small and a large picture, made from pictures alone, to fit kernels to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image
from restoretk.upsampling.decimation import decimate


class Pair(NamedTuple):
    """A picture and what decimation leaves of it, as planes (1, M, N) and (1, M/s, N/s)."""

    small: Array
    large: Array


def training_pairs(
    images: Iterable[npt.ArrayLike],
    factor: int,
    *,
    blur: Array | None,
    bits: int | None,
    shrink: Sequence[int],
    least: int,
) -> Iterator[Pair]:
    """A pair for each channel of each picture at each size; pictures left with fewer than ``least`` small pixels on a
    side give none.

    Raises
    ------
    TypeError, ValueError
        For options that cannot be, and pictures that are no numbers, not finite, or not of shape (M, N) or (M, N, C).
    """
    if bits is not None and not 1 <= bits <= 16:
        raise ValueError(f"bits must be 1 to 16 or None, got {bits}")
    if not shrink or min(shrink) < 1:
        raise ValueError(f"shrink must be whole numbers of at least 1, got {tuple(shrink)}")
    for image in images:
        pixels, _ = as_float_image(image, "images")
        if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] > 4):
            raise ValueError(f"images must have shape (M, N), or (M, N, C) with at most 4 channels, got {pixels.shape}")
        channels = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
        for smaller in shrink:
            if min(channels.shape[1:]) < least * factor * smaller:
                continue
            planes = channels if smaller == 1 else decimate(channels, smaller, None)
            planes = planes.astype(np.float32, copy=False)
            rows, columns = (side // factor * factor for side in planes.shape[1:])
            for plane in planes[:, :rows, :columns]:
                small = decimate(plane[None], factor, blur)
                yield Pair(small if bits is None else _rounded(small, bits), plane[None])


def _rounded(planes: Array, bits: int) -> Array:
    """As a file of so many bits would hold it."""
    levels = np.float32(2**bits - 1)
    result: Array = np.rint(planes.clip(0, 1) * levels) / levels
    return result
