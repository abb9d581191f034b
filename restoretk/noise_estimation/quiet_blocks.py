"""The noise of the places where a picture is quietest: blocks with next to nothing at low frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.fft

from restoretk._arrays import Array
from restoretk.convolution.sweeps import RowBlocks

_BLOCK_SIDE = {1: 16, 2: 8, 3: 4}  # a block holds 16 or 64 samples
_HIGH_ORDER = {1: 10, 2: 9, 3: 6}  # sum of the indices from which a coefficient of the block is a high frequency
_QUIET_SHARE, _QUIET_LEAST = 0.01, 30  # the quietest 1 % of the blocks (Ponomarenko 2007), and no fewer than 30
_MOST_BLOCKS = 40_000
_MOST_TORUS_BLOCKS = 1 << 16
_AT_A_TIME = 1 << 12  # blocks transformed at a time
_LARGE, _LATTICE_BLOCKS = 1 << 20, 1 << 14  # samples; blocks: 1 % of them is enough


def quiet_blocks(windows: Sequence[Array], holes: Sequence[Array] | None, *, quantised: bool) -> tuple[float, float]:
    """The noise of the quietest blocks (NaN if there are none), and the dead share of the frame: clipped or constant."""
    ndim = windows[0].ndim
    if ndim not in _BLOCK_SIDE or min(min(window.shape) for window in windows) < _BLOCK_SIDE[ndim]:
        return float("nan"), 0.0
    ends = min(window.min() for window in windows), max(window.max() for window in windows)
    blocks = np.concatenate([_blocks(window, _MOST_BLOCKS // len(windows)) for window in windows])
    axes = tuple(range(1, ndim + 1))
    if holes is not None:
        whole = ~np.concatenate([_blocks(hole, _MOST_BLOCKS // len(windows)) for hole in holes]).any(axis=axes)
        blocks = blocks[whole]
        if len(blocks) < _QUIET_LEAST:
            return float("nan"), 0.0
    bottom, top = blocks.min(axis=axes), blocks.max(axis=axes)
    constant = bottom == top
    # Low noise on 8 bits leaves blocks of one grey level by itself: those are dead only where they are clipped.
    clipped = (bottom == ends[0]) | (top == ends[1])
    dead = float(np.mean(constant & clipped if quantised else constant))
    usable = ~constant & ~clipped
    if usable.sum() < _QUIET_LEAST:
        usable = ~constant
    return _sigma_of_quietest(blocks[usable]), min(dead, 0.9)


def _sigma_of_quietest(blocks: Array) -> float:
    """The noise of those blocks that have the least at low frequencies, NaN if there are fewer than 30 to choose from."""
    if len(blocks) < _QUIET_LEAST:
        return float("nan")
    ndim = blocks.ndim - 1
    order = np.indices(blocks.shape[1:]).sum(axis=0)
    high = order >= _HIGH_ORDER[ndim]
    low = ~high & (order > 0)
    low_energy = _energy_in(blocks, low)
    count = max(int(_QUIET_SHARE * len(blocks)), _QUIET_LEAST)
    quietest = np.argpartition(low_energy, count - 1)[:count]
    mean_square = _energy(blocks[quietest])[:, high].mean(axis=0)
    # The median of chi-square of k degrees over k is (1 - 2/(9k))**3 (Wilson and Hilferty 1931).
    return float(np.sqrt(np.median(mean_square) / (1 - 2 / (9 * count)) ** 3))


def _energy_in(blocks: Array, chosen: npt.NDArray[np.bool_]) -> Array:
    """The energy of blocks in the coefficients that are chosen: one product of matrices for many small transforms."""
    ndim, side = blocks.ndim - 1, blocks.shape[1]
    waves = np.eye(side**ndim, dtype=blocks.dtype).reshape(-1, *blocks.shape[1:])
    spectra = scipy.fft.dctn(waves, axes=range(1, ndim + 1), norm="ortho")[:, chosen]
    found = np.empty(len(blocks))
    for start in range(0, len(blocks), _AT_A_TIME):
        part = blocks[start : start + _AT_A_TIME].reshape(-1, side**ndim) @ spectra
        np.einsum("ij,ij->i", part, part, out=found[start : start + _AT_A_TIME], dtype=np.float64)
    return found


def _energy(blocks: Array) -> Array:
    """The squares of the cosine spectra of blocks."""
    axes = range(1, blocks.ndim)
    return np.asarray(scipy.fft.dctn(blocks, axes=axes, norm="ortho").astype(np.float64) ** 2)


def quiet_sigma_on_torus(plane: RowBlocks) -> float:
    """The noise in the quietest blocks of a periodic plane; the same for every circular shift of it.

    All blocks are looked at, those across the seam too (of planes of more than 65536 samples: a lattice of them, and then
    it is the same up to its scatter). NaN for planes smaller than a block.
    """
    ndim = len(plane.shape)
    side = _BLOCK_SIDE.get(ndim, 0)
    if side == 0 or min(plane.shape) < side:
        return float("nan")
    if ndim == 2 and math.prod(plane.shape) > _LARGE:
        return _sigma_of_quietest(_blocks_of_bands(plane, side))
    return _sigma_of_quietest(
        _blocks(np.pad(plane[:], (0, side - 1), mode="wrap"), 2 * _MOST_TORUS_BLOCKS, finest=side)
    )


def _blocks_of_bands(plane: RowBlocks, side: int) -> Array:
    """Some 16384 blocks of a large periodic plane on a lattice, read a band of rows at a time."""
    rows, columns = plane.shape
    step = int(np.ceil(np.sqrt(rows * columns / _LATTICE_BLOCKS)))
    found = []
    for top in range(0, rows, step):
        band = plane[top : top + side]
        if len(band) < side:
            band = np.concatenate([band, plane[: side - len(band)]])
        around = np.concatenate([band, band[:, : side - 1]], axis=1)
        found.append(np.moveaxis(np.lib.stride_tricks.sliding_window_view(around, side, axis=1)[:, ::step], 1, 0))
    return np.concatenate(found)


def _blocks(plane: Array, most: int, finest: int = 4) -> Array:
    """Overlapping blocks of the plane, at most about ``most``, as (blocks, side, ..., side)."""
    side = _BLOCK_SIDE[plane.ndim]
    step = max(side // finest, int(np.ceil((plane.size / most) ** (1 / plane.ndim))))
    views = np.lib.stride_tricks.sliding_window_view(plane, (side,) * plane.ndim)
    return views[(slice(None, None, step),) * plane.ndim].reshape((-1, *(side,) * plane.ndim))
