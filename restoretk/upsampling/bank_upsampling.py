"""Enlarging with a bank of kernels: classes, then one matrix product for all pixels of a class."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from restoretk._arrays import Array
from restoretk.upsampling.decimation import corrected
from restoretk.upsampling.kernel_bank import BankStage, KernelBank
from restoretk.upsampling.local_gradients import feature_margin, gradient_features

# Pixels a strip; beyond it temporaries leave the cache, below it the rows read twice begin to count.
_STRIP_PIXELS = 1 << 18
_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601


def upsample_with_bank(planes: Array, bank: KernelBank) -> Array:
    """Enlarge planes (P, M, N): the channels of one picture, whose luma alone chooses the kernels for all of them."""
    small, result = planes, planes
    for stage in bank.stages:
        result = apply_stage(result, stage)
        result = corrected(result, small, bank.factor, bank.blur)
    return result


def apply_stage(planes: Array, stage: BankStage) -> Array:
    """One stage of a bank on planes (P, M, N), in strips of rows; beyond the frame the edge pixels go on for ever."""
    margin, s = stage.margin, stage.factor
    rows, columns = planes.shape[1:]
    taps = stage.turned_taps().astype(planes.dtype)
    extended = np.pad(planes, [(0, 0), (margin, margin), (margin, margin)], mode="edge")
    guide = luma(extended)
    result = np.empty((len(planes), rows * s, columns * s), planes.dtype)
    strip = max(4 * margin, _STRIP_PIXELS // (columns + 2 * margin))
    for top in range(0, rows, strip):
        window = slice(top, min(top + strip, rows) + 2 * margin)
        result[:, top * s : (top + strip) * s] = _strip(extended[:, window], guide[window], stage, taps)
    return result


def _strip(block: Array, guide: Array, stage: BankStage, taps: Array) -> Array:
    """The output of the pixels that are at least the margin away from the border of a block."""
    s, margin, count = stage.factor, stage.margin, len(block)
    rows, columns = block.shape[1] - 2 * margin, block.shape[2] - 2 * margin
    # Pixels one beyond the strip give their share of what neighbours agree on.
    estimates = np.empty((rows + 2, columns + 2, count, stage.width**2), block.dtype)
    flat = estimates.reshape(-1, count, stage.width**2)
    for key, chosen, patches in grouped_patches(block, guide, stage, margin - 1):
        rows_of_all = patches.reshape(-1, patches.shape[-1])  # channels below each other: one matrix product
        centre = rows_of_all[:, patches.shape[-1] // 2, None].copy()
        # Around the centre, because then not even rounding changes a constant.
        rows_of_all -= centre
        flat[chosen] = (rows_of_all @ taps[key] + centre).reshape(len(chosen), count, -1)
    estimates = estimates.reshape(rows + 2, columns + 2, count, stage.width, stage.width)
    result = np.zeros((count, rows, s, columns, s), block.dtype)
    votes = np.zeros((s, s), block.dtype)
    for a in range(stage.width):
        for b in range(stage.width):
            (down, i), (right, j) = divmod(a - stage.overlap, s), divmod(b - stage.overlap, s)
            seen = estimates[1 - down : 1 - down + rows, 1 - right : 1 - right + columns, :, a, b]
            result[:, :, i, :, j] += seen.transpose(2, 0, 1)
            votes[i, j] += 1
    result /= votes[:, None, :]
    return result.reshape(count, rows * s, columns * s)


def grouped_patches(block: Array, guide: Array, stage: BankStage, inset: int) -> Iterator[tuple[int, Array, Array]]:
    """The patches about all pixels of planes (P, M, N) that are ``inset`` from the border, class by class.

    Yields the class, turn * classes + class; the flat indices of its pixels; and their patches, (n, P, size**2).
    """
    cut, inner = inset - feature_margin(stage.sigma), inset - stage.size // 2
    features = gradient_features(guide[cut : len(guide) - cut, cut : guide.shape[1] - cut], stage.sigma)
    keys = (features.turn.astype(np.int32) * len(stage.taps) + stage.kernel_classes(features)).ravel()
    order = np.argsort(keys.astype(np.int16) if keys.max() < 1 << 15 else keys, kind="stable")  # 16 bits: radix sort
    bounds = np.flatnonzero(np.diff(keys[order], prepend=-1, append=-1))
    window = (stage.size, stage.size)
    patches = sliding_window_view(
        block[:, inner : block.shape[1] - inner, inner : block.shape[2] - inner], window, axis=(1, 2)
    ).transpose(1, 2, 0, 3, 4)
    columns = features.turn.shape[1]
    for first, last in itertools.pairwise(bounds):
        chosen = order[first:last]
        rows, across = np.divmod(chosen, columns)
        yield int(keys[chosen[0]]), chosen, patches[rows, across].reshape(len(chosen), len(block), -1)


def luma(planes: Array) -> Array:
    """The grey picture whose gradients choose: BT.601 luma of three or four channels, the mean of any others."""
    if len(planes) in (3, 4):
        return sum(planes.dtype.type(weight) * plane for weight, plane in zip(_LUMA, planes, strict=False))
    return planes.mean(axis=0)
