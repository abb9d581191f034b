"""What of large frames is looked at to fit a spectrum: windows spread over them, and the memory that it takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.sweeps import RowBlocks, blocks

_LOOKED_AT, _WINDOW = 1 << 22, 512  # pixels of a frame that are looked at, and side of a window of a larger one
_OF_NOISE, _NOISE_WINDOW = 55, 1280  # bytes of a pixel, pixels along an axis
_OF_BLOCKS = 4 << 20, 5 << 20  # bytes, and numbers
_LOOKED_AT_IN_ALL = 1 << 24  # pixels of a stack
_BAND = 1 << 24  # bytes of rows read at a time


def windows_of_all(frames: Sequence[RowBlocks], psf_shape: Sequence[int]) -> Array:
    """The `windows_of` frames of one shape, and of very many only of some."""
    looked_at = min(math.prod(frames[0].shape), _LOOKED_AT)
    step = -(-len(frames) * looked_at // _LOOKED_AT_IN_ALL)
    windows = [windows_of(frame, psf_shape) for frame in frames[::step]]
    return windows[0] if len(windows) == 1 else np.concatenate(windows)


def windows_of(frame: RowBlocks, psf_shape: Sequence[int]) -> Array:
    """The frame, or, of one of more than 2^22 pixels, up to 16 windows spread evenly over it, shape (n, *window).

    They tell its spectrum as well: what the frame has more are frequencies below those of a window, of which a blur takes
    nothing. No window is smaller than eight PSFs, or 512 pixels, on a side.
    """
    shape = frame.shape
    sides, counts = _windows(shape, psf_shape)
    if max(counts) == 1 and sides == shape:
        return frame[:][None]
    tops, lefts = map(_spread, shape, sides, counts)
    windows = np.empty((len(tops), len(lefts), *sides), frame.dtype)
    for top, row_of_windows in zip(tops, windows, strict=True):
        for part in blocks(sides[0], shape[1] * frame.dtype.itemsize, _BAND, 1):
            band = frame[top + part.start : top + part.stop]
            for left, window in zip(lefts, row_of_windows, strict=True):
                window[part] = band[:, left : left + sides[1]]
    return windows.reshape((-1, *sides))


def bytes_of_fit(planes: int, shape: Sequence[int], psf_shape: Sequence[int], itemsize: int) -> int:
    """About the memory that `fit_frames` takes at most."""
    sides, counts = _windows(tuple(shape), psf_shape)
    window = math.prod(sides)
    looked_at = max(window, min(planes * math.prod(counts) * window, _LOOKED_AT_IN_ALL))
    # The noise is estimated from cosine spectra of windows, and from small blocks of them.
    looked_at_for_noise = math.prod(side if side <= _NOISE_WINDOW else _NOISE_WINDOW // 2 for side in sides)
    of_blocks = _OF_BLOCKS[0] + _OF_BLOCKS[1] * itemsize
    of_noise = max(_OF_NOISE * looked_at_for_noise, min(300 * window, of_blocks))
    return (1 if planes == 1 else 2) * looked_at * itemsize + max(4 * window * np.dtype(np.float64).itemsize, of_noise)


def _windows(shape: tuple[int, ...], psf_shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sides of a window, and how many there are along each axis."""
    if len(shape) != 2 or math.prod(shape) <= _LOOKED_AT:
        return shape, (1,) * len(shape)
    sides = tuple(min(size, max(_WINDOW, 8 * length)) for size, length in zip(shape, psf_shape, strict=True))
    return sides, tuple(
        max(1, min(size, math.isqrt(_LOOKED_AT)) // side) for size, side in zip(shape, sides, strict=True)
    )


def _spread(size: int, side: int, count: int) -> list[int]:
    """Where ``count`` windows begin: from one end to the other, a single one in the middle."""
    room = size - side
    return [room // 2] if count == 1 else [room * number // (count - 1) for number in range(count)]
