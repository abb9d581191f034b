"""Richardson-Lucy as a Dask graph: blocks that overlap by all that the steps reach, as `overlapping` does it with files."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from restoretk._arrays import Array, to_dtype
from restoretk.blockwise.dask_laid import DaskRestoration, extended, floats_of, nothing
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


def steps_in_blocks(image: da.Array, psf: Array, options: Mapping[str, Any]) -> DaskRestoration:
    """The restored array, and the parameters of the method."""
    from dask.array.overlap import overlap, trim_internal

    iterations = checked_iterations(options.get("iterations", DEFAULT_ITERATIONS))
    holes, boundary = options.get("mask") is not None, options["boundary"]
    ndim, dtype, native = image.ndim, working_dtype(image.dtype), image.dtype.newbyteorder("=")
    rows, columns = image.shape[-2:]
    periodic, laid = boundary != "unknown", image
    if boundary not in ("unknown", "wrap"):
        height, width = torus_for((rows, columns), psf.shape, boundary)
        laid = extended(image, (height, width), boundary, holes=holes)
    spatial = (ndim - 2, ndim - 1)
    chunks: dict[int, Any] = dict.fromkeys(range(ndim - 2), 1)
    depth = dict.fromkeys(range(ndim), 0)
    reached = reach(psf, iterations)
    for axis, halo in zip(spatial, reached, strict=True):
        size = laid.shape[axis]
        pieces = max(1, size // max(_SIDE, halo))
        chunks[axis] = tuple(size // pieces + (number < size % pieces) for number in range(pieces))
        depth[axis] = halo if pieces > 1 else 0
    needed = FIELDS * dtype.itemsize * math.prod(max(chunks[axis]) + 2 * depth[axis] for axis in spatial)
    if needed > _MUCH:
        warnings.warn(
            f"{iterations} iterations with a PSF of shape {psf.shape} reach so far that a block takes "
            f"{needed / 2**30:.1f} GiB: give each worker as much, or take fewer",
            stacklevel=4,
        )
    cut = laid.rechunk(chunks)
    light = cut.map_blocks(_light, holes, dtype=dtype, meta=nothing(ndim, dtype))
    seen = light.map_blocks(np.isfinite, dtype=bool, meta=nothing(ndim, np.dtype(bool)))
    counted = light.map_blocks(np.nan_to_num, dtype=dtype, meta=nothing(ndim, dtype))
    total, count = (each.sum(axis=spatial, dtype=np.float64, keepdims=True) for each in (counted, seen))
    uncut = tuple(periodic and not depth[axis] for axis in spatial)
    edges = dict.fromkeys(range(ndim), "periodic" if periodic else "none")
    stepped = overlap(cut, depth, edges, allow_rechunk=False).map_blocks(
        _steps, total, count, psf, iterations, holes, uncut, native, dtype=native, meta=nothing(ndim, native)
    )
    return DaskRestoration(
        trim_internal(stepped, depth, edges)[..., :rows, :columns], {"iterations": iterations}, halo=reached
    )


def _light(block: Array, holes: bool, *, block_info: Any = None) -> Array:
    """What light a block holds, NaN where a mask lets it be missing."""
    return np.maximum(floats_of(block, holes, block_info=block_info), 0)


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
