"""Planes of a Dask array on their torus, with what a boundary says lies beyond the frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from restoretk._arrays import Array
from restoretk.blockwise.completing import LevelFree
from restoretk.blockwise.engine import as_floats, with_holes, working_dtype
from restoretk.blockwise.extended import beyond
from restoretk.convolution.sweeps import blocks
from restoretk.restoration._optics import Optics
from restoretk.restoration._planes import Planes
from restoretk.restoration._ring import Ring, SideInverses
from restoretk.restoration._ring_product import RingProduct, RingSum, RowSpectra, rows_of
from restoretk.restoration.unknown_boundary import ITERATIONS, TOLERANCE, solve_unknown

if TYPE_CHECKING:
    import dask.array as da

_SUB_BLOCK = 1 << 19


@dataclass(frozen=True)
class DaskRestoration:
    """A restored array, and what was chosen; ``halo``: rows and columns by which its blocks overlap on every side."""

    image: da.Array
    parameters: Mapping[str, float | str]
    warnings: tuple[str, ...] = ()
    halo: tuple[int, ...] | None = None


class DaskSource:
    """The planes of a Dask array: computed when rows are asked for."""

    row_step, overhead = 1, 0
    left_behind: tuple[str, ...] = ()

    def __init__(self, image: da.Array) -> None:
        self._planes = image.reshape(-1, *image.shape[-2:])
        self.shape: tuple[int, int, int] = self._planes.shape
        self.dtype: np.dtype[Any] = image.dtype
        self.carried: Mapping[str, Any] = {}

    def read(self, plane: int, rows: slice) -> Array:
        """See `Source`."""
        found = np.asarray(self._planes[plane, rows].compute())
        return np.ascontiguousarray(found, found.dtype.newbyteorder("="))

    def close(self) -> None:
        """See `Source`."""


def nothing(ndim: int, dtype: np.dtype[Any]) -> Array:
    """What tells Dask the kind of the blocks."""
    return np.empty((0,) * ndim, dtype)


def extended(image: da.Array, torus: tuple[int, int], boundary: str, *, holes: bool = False) -> da.Array:
    """The planes as floats on a torus, as `restoretk.convolution.boundary.extend_periodically` makes them.

    With ``holes``, what is not finite is NaN, and so is what is made of it.
    """
    from dask.array import concatenate, map_blocks, take, zeros

    dtype = working_dtype(image.dtype)
    laid = map_blocks(floats_of, image, holes, dtype=dtype, meta=nothing(image.ndim, dtype))
    for axis, whole in zip((image.ndim - 2, image.ndim - 1), torus, strict=True):
        size = laid.shape[axis]
        if whole == size:
            continue
        if boundary == "constant":
            shape = (*laid.shape[:axis], whole - size, *laid.shape[axis + 1 :])
            ring = zeros(shape, dtype=dtype, chunks=(*laid.chunks[:axis], -1, *laid.chunks[axis + 1 :]))
        else:
            low, high, fade = beyond(size, whole - size, boundary, dtype)
            fade = fade.reshape(-1, *(1,) * (image.ndim - 1 - axis))
            ring = fade * take(laid, high, axis) + (1 - fade) * take(laid, low, axis)
        laid = concatenate([laid, ring], axis)
    return laid


def floats_of(block: Array, holes: bool, *, block_info: Any = None) -> Array:
    """A block as floats; with ``holes``, NaN where a number is not finite, else an error that says where."""
    row, column = (start for start, _ in block_info[0]["array-location"][-2:])
    return (with_holes if holes else as_floats)(block, row, column)


def solve_rings(planes: Planes, optics: Optics, by_columns: da.Array) -> list[RowSpectra]:
    """What the rings of planes that were continued symmetrically lack, as half spectra of their rows; as `Rings` finds it.

    The rows of the planes are transformed where they lie, once; the rings are solved for here.

    Parameters
    ----------
    planes : Planes
        The frames.
    optics : Optics
        On the torus.
    by_columns : dask.array.Array of shape (..., rows, half)
        The half spectra of the rows on the torus, in blocks of columns.
    """
    from dask.base import compute
    from dask.delayed import delayed

    rows, columns = planes.plane(0).shape
    ring = Ring((rows, columns), optics.torus)
    products, precisions, parts = [], [], []
    blocks_of = by_columns.reshape(-1, *by_columns.shape[-2:]).to_delayed().reshape(len(planes), -1)
    starts = np.cumsum([0, *by_columns.chunks[-1][:-1]])
    for index, of_plane in enumerate(blocks_of):
        precisions.append(LevelFree(planes.plane(index), optics))
        products.append(RingProduct(ring, precisions[-1], optics.dtype))
        product = delayed(products[-1], pure=False)
        parts.append(
            [
                delayed(_residual)(block, int(start), ring, product)
                for block, start in zip(of_plane, starts, strict=True)
            ]
        )
    found = np.zeros((len(planes), ring.size), optics.dtype)
    for into, residuals, product, precision in zip(found, compute(*parts), products, precisions, strict=True):
        sides = SideInverses(ring, precision)
        solve_unknown(into, np.sum(residuals, axis=0, dtype=optics.dtype), product, sides, ITERATIONS, TOLERANCE)
    return [rows_of(ring, field) for field in found]


def _residual(block: Array, start: int, ring: Ring, product: RingProduct) -> Array:
    """What a block of columns gives to the field on the ring that the first guess leaves to be solved."""
    spectra: Array = block.reshape(block.shape[-2:])
    total = RingSum(ring, spectra.real.dtype)
    for part in blocks(spectra.shape[1], len(spectra) * spectra.itemsize, _SUB_BLOCK, 16):
        columns = slice(start + part.start, start + part.stop)
        total.add(-product.columns(spectra[:, part].copy(), columns), columns)
    return total.field()
