"""Richardson-Lucy as a Dask graph: blocks that overlap by all that the steps reach, as `overlapping` does it with files."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from restoretk._arrays import Array, to_dtype
from restoretk.blockwise.engine import as_floats, with_holes, working_dtype
from restoretk.blockwise.tiling import FIELDS
from restoretk.convolution.fourier import psf_to_otf
from restoretk.restoration._em_steps import DEFAULT_ITERATIONS, checked_iterations, likeliest_plane, reach
from restoretk.restoration._torus import torus_for
from restoretk.restoration.missing import NOTHING_SEEN

if TYPE_CHECKING:
    import dask.array as da

_SIDE = 2048  # pixels of a block, unless its halo is longer
_MUCH = 1 << 31  # bytes of a block


def steps_in_blocks(image: da.Array, psf: Array, options: Mapping[str, Any]) -> tuple[da.Array, dict[str, float | str]]:
    """The restored array, and the parameters of the method."""
    from dask.array.overlap import overlap, trim_internal

    iterations = checked_iterations(options.get("iterations", DEFAULT_ITERATIONS))
    holes, periodic = options.get("mask") is not None, options["boundary"] == "wrap"
    chunks: dict[int, Any] = dict.fromkeys(range(image.ndim - 2), 1)
    depth = dict.fromkeys(range(image.ndim), 0)
    for axis, halo in zip((image.ndim - 2, image.ndim - 1), reach(psf, iterations), strict=True):
        size = image.shape[axis]
        pieces = max(1, size // max(_SIDE, halo))
        chunks[axis] = tuple(size // pieces + (number < size % pieces) for number in range(pieces))
        depth[axis] = halo if pieces > 1 else 0
    cut = image.rechunk(chunks)
    largest = math.prod(max(chunks[axis]) + 2 * depth[axis] for axis in (image.ndim - 2, image.ndim - 1))
    needed = FIELDS * largest * working_dtype(image.dtype).itemsize
    if needed > _MUCH:
        warnings.warn(
            f"{iterations} iterations with a PSF of shape {psf.shape} reach so far that a block takes "
            f"{needed / 2**30:.1f} GiB: give each worker as much, or take fewer",
            stacklevel=4,
        )
    uncut = tuple(periodic and not depth[axis] for axis in (image.ndim - 2, image.ndim - 1))
    nothing = np.empty((0,) * image.ndim)
    light = cut.map_blocks(
        _light, holes, dtype=working_dtype(image.dtype), meta=nothing.astype(working_dtype(image.dtype))
    )
    seen = light.map_blocks(np.isfinite, dtype=bool, meta=nothing.astype(bool))
    whole = (image.ndim - 2, image.ndim - 1)
    total, count = (
        each.sum(axis=whole, dtype=np.float64, keepdims=True)
        for each in (light.map_blocks(np.nan_to_num, dtype=light.dtype, meta=light._meta), seen)
    )
    native = image.dtype.newbyteorder("=")
    edges = dict.fromkeys(range(image.ndim), "periodic" if periodic else "none")
    stepped = overlap(cut, depth, edges, allow_rechunk=False).map_blocks(
        _steps, total, count, psf, iterations, holes, uncut, native, dtype=native, meta=nothing.astype(native)
    )
    return trim_internal(stepped, depth, edges), {"iterations": float(iterations)}


def _light(block: Array, holes: bool, *, block_info: Any = None) -> Array:
    """What light a block holds, NaN where a mask lets it be missing."""
    row, column = (start for start, _ in block_info[0]["array-location"][-2:])
    return np.maximum((with_holes if holes else as_floats)(block, row, column), 0)


def _steps(
    block: Array,
    total: Array,
    count: Array,
    psf: Array,
    iterations: int,
    holes: bool,
    uncut: tuple[bool, bool],
    dtype: np.dtype[Any],
) -> Array:
    """The scene of a block, of which the halo is cut off later."""
    seen = int(count.item())
    if not seen:
        raise ValueError(NOTHING_SEEN)
    light = (with_holes if holes else as_floats)(block.reshape(block.shape[-2:]), 0)
    along = zip(light.shape, psf.shape, uncut, strict=True)
    torus = tuple(size if whole else torus_for((size,), (side,), "unknown")[0] for size, side, whole in along)
    here = tuple(slice(size) for size in light.shape)
    data, unseen = np.zeros(torus, light.dtype), np.ones(torus, bool)
    data[here], unseen[here] = np.fmax(light, 0), np.isnan(light)
    otf = psf_to_otf(psf.astype(light.dtype), torus)
    estimate = likeliest_plane(data, unseen if unseen.any() else None, otf, iterations, float(total.item()) / seen)
    return to_dtype(estimate[here], dtype).reshape(block.shape)
