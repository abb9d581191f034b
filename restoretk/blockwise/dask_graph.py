"""Restoration as a Dask graph: linear filters in three sweeps, row blocks, rechunk, column blocks, rechunk, row blocks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, to_dtype
from restoretk.blockwise.choosing import check_options, choose_filter, columns_to_look_at, is_fixed
from restoretk.blockwise.dask_laid import DaskRestoration, DaskSource, extended, nothing, solve_rings
from restoretk.blockwise.dask_overlapping import steps_in_blocks
from restoretk.blockwise.engine import as_floats, working_dtype
from restoretk.blockwise.extended import EXTENDED, FIRST_GUESS
from restoretk.blockwise.overlapping import OVERLAPPING
from restoretk.blockwise.source_planes import SourcePlanes
from restoretk.convolution._lines import lines
from restoretk.convolution.sweeps import blocks
from restoretk.psf import check_psf
from restoretk.restoration import spelled_out
from restoretk.restoration._optics import Optics
from restoretk.restoration._ring_product import RowSpectra
from restoretk.restoration._torus import torus_for
from restoretk.restoration._transfer import Transfer

if TYPE_CHECKING:
    import dask.array as da

_CHUNK = 1 << 26  # bytes of a block of rows or of columns
_SUB_BLOCK = 1 << 19


def restore_dask(image: da.Array, psf: npt.ArrayLike, method: str = "wiener", **options: Any) -> da.Array:
    """A Dask array restored, as a Dask array: what the method gives for the whole with the same boundary, to rounding.

    Works on any scheduler; on a cluster each block is transformed where it lies. A rule that chooses a parameter computes a
    few columns of the spectrum at once, and for the boundary ``unknown``, the default as everywhere, all rows are transformed
    at once, and what lies beyond the frame is solved for here. Nothing else is computed before the result is asked for.

    ``boundary`` may also be wrap (periodic), reflect, symmetric, edge or constant. Richardson-Lucy works on blocks of about
    2048 x 2048 pixels and all that its steps reach around them, each of which takes ten times its size as floats. It takes
    ``mask="nan"``, and computes nothing before the result is asked for.

    Parameters
    ----------
    image : dask.array.Array of shape (..., rows, columns)
        Axes before the last two are a stack: planes that are restored each by itself, with one strength.
    psf : array_like of two axes
    method, **options
        As for `restoretk.blockwise.restore_file`.

    Returns
    -------
    dask.array.Array
        Of the shape and dtype of the image, in blocks of rows; in blocks of rows and columns from Richardson-Lucy.
    """
    return dask_restoration(image, psf, method, **options).image


def dask_restoration(image: da.Array, psf: npt.ArrayLike, method: str, **options: Any) -> DaskRestoration:
    """The array of `restore_dask`, and what was chosen."""
    if not hasattr(image, "rechunk"):
        raise TypeError(f"image must be a Dask array, got {type(image).__name__}: dask.array.from_array makes one")
    from dask.delayed import delayed

    method, options = spelled_out(method, options)
    boundary = options.setdefault("boundary", "unknown")
    check_options(options, ("unknown", "wrap", *EXTENDED), "on Dask", OVERLAPPING.get(method, ()))
    kernel = check_psf(psf).astype(np.float64)
    if kernel.ndim != 2:
        raise ValueError(f"psf must have two axes, got shape {kernel.shape}")
    if image.ndim < 2:
        raise ValueError(f"image must have two axes or more, got shape {image.shape}")
    if any(size != size for size in image.shape):  # NaN stands for sizes that Dask does not know
        raise ValueError("image has chunks of sizes that are not known yet: image.compute_chunk_sizes() finds them out")
    if 0 in image.shape:
        raise ValueError(f"image must not be empty, got shape {image.shape}")
    if image.dtype.kind in "iu" and image.dtype.itemsize > 2:
        warnings.warn(
            f"image of dtype {image.dtype} is read as fractions of {np.iinfo(image.dtype).max}: for other units pass uint8, "
            f"uint16 or floats",
            stacklevel=3,
        )
    rows, columns = image.shape[-2:]
    if kernel.shape[0] > rows or kernel.shape[1] > columns:
        raise ValueError(f"psf of shape {kernel.shape} is larger than the image {(rows, columns)}")
    if image.dtype.kind not in "iuf" or image.dtype.itemsize > 8 or image.dtype == np.float16:
        raise TypeError(f"image must hold integers or floats of 32 or 64 bits, got {image.dtype}")
    if method in OVERLAPPING:
        return steps_in_blocks(image, kernel, options)
    dtype = working_dtype(image.dtype)
    height, width = torus_for((rows, columns), kernel.shape, boundary, estimated=True)
    torus = (height, width)
    laid = image if boundary == "wrap" else extended(image, torus, FIRST_GUESS.get(boundary, boundary))
    complex_dtype = np.result_type(dtype, np.complex64)
    stack = dict.fromkeys(range(image.ndim - 2), 1)
    in_rows = {**stack, image.ndim - 2: max(1, _CHUNK // (width * dtype.itemsize)), image.ndim - 1: -1}
    in_columns = {**stack, image.ndim - 2: -1, image.ndim - 1: max(16, _CHUNK // (height * 2 * dtype.itemsize))}
    by_rows = laid.rechunk(in_rows)
    spectra = by_rows.map_blocks(
        _rows_forward,
        dtype=complex_dtype,
        chunks=(*by_rows.chunks[:-1], (width // 2 + 1,)),
        meta=nothing(image.ndim, complex_dtype),
    )
    by_columns = spectra.rechunk(in_columns)
    planes = SourcePlanes(DaskSource(image))
    optics = Optics((kernel,), torus, dtype)
    rings = solve_rings(planes, optics, by_columns) if boundary in FIRST_GUESS else []
    sample = None if is_fixed(method, options) else _sample(spectra, torus, rings)
    decided = choose_filter(planes, torus, kernel, method, options, sample)
    filtered = by_columns.map_blocks(
        _filter_columns,
        dtype=complex_dtype,
        meta=nothing(image.ndim, complex_dtype),
        transfer=decided.filter,
        lead=image.shape[:-2],
        rings=delayed(rings, pure=False) if rings else None,
    )
    back = filtered.rechunk(in_rows)[..., :rows, :]
    native = image.dtype.newbyteorder("=")
    restored = back.map_blocks(
        _rows_back,
        width,
        columns,
        native,
        dtype=native,
        chunks=(*back.chunks[:-1], (columns,)),
        meta=nothing(image.ndim, native),
    )
    return DaskRestoration(restored, dict(decided.parameters), tuple(decided.warnings))


def _sample(spectra: da.Array, torus: tuple[int, int], rings: list[RowSpectra]) -> Array:
    """The spectra of all planes in the columns that are looked at, shape (P, rows, n)."""
    rows, _ = torus
    chosen = columns_to_look_at(torus)
    found = np.array(spectra[..., chosen].compute()).reshape(-1, rows, len(chosen))
    for plane, beyond in zip(found, rings, strict=bool(rings)):
        plane += beyond(chosen)
    transforms = lines()
    for plane in found:
        transforms.columns(plane)
    return found


def _rows_forward(block: Array, *, block_info: Any = None) -> Array:
    """The real FFT of every row of a block, whatever axes it has."""
    first = block_info[0]["array-location"][-2][0]
    lead = block.shape[:-1]
    flat = block.reshape(-1, block.shape[-1])
    dtype = working_dtype(block.dtype)
    spectra = np.empty((len(flat), block.shape[-1] // 2 + 1), np.result_type(dtype, np.complex64))
    transforms = lines()
    for part in blocks(len(flat), block.shape[-1] * dtype.itemsize, _SUB_BLOCK // 2, 1):
        spectra[part] = transforms.rows(as_floats(flat[part], first + part.start))
    return spectra.reshape(*lead, spectra.shape[-1])


def _filter_columns(
    block: Array, *, transfer: Transfer, lead: tuple[int, ...], rings: list[RowSpectra] | None, block_info: Any = None
) -> Array:
    """Columns of a plane transformed, filtered and transformed back, a few at a time."""
    *stack, _, (first, _) = block_info[0]["array-location"]
    plane: Array = block.reshape(block.shape[-2:])
    filtered = np.empty_like(plane)
    transforms = lines()
    beyond = rings[np.ravel_multi_index([start for start, _ in stack], lead) if lead else 0] if rings else None
    for part in blocks(plane.shape[1], plane.shape[0] * plane.itemsize, _SUB_BLOCK, 16):
        chosen = slice(first + part.start, first + part.stop)
        piece = plane[:, part].copy() if beyond is None else plane[:, part] + beyond(chosen)
        transforms.columns(piece)
        transfer.multiply(piece, index=0, columns=chosen)
        transforms.columns_back(piece)
        filtered[:, part] = piece
    return filtered.reshape(block.shape)


def _rows_back(block: Array, width: int, columns: int, dtype: np.dtype[Any]) -> Array:
    """The rows of the result, in the dtype of the image, from a torus that is as wide or wider."""
    lead = block.shape[:-1]
    flat = block.reshape(-1, block.shape[-1])
    restored = np.empty((len(flat), columns), dtype)
    transforms = lines()
    for part in blocks(len(flat), width * block.real.itemsize, _SUB_BLOCK // 2, 1):
        # A copy: the transform may overwrite what it is given, and another task may hold the block.
        restored[part] = to_dtype(transforms.rows_back(flat[part].copy(), width)[:, :columns], dtype)
    return restored.reshape(*lead, columns)
