"""The three sweeps as a Dask graph: row blocks, rechunk, column blocks, rechunk, row blocks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, to_dtype
from restoretk.blockwise.choosing import check_options, choose_filter, columns_to_look_at, is_fixed
from restoretk.blockwise.dask_overlapping import steps_in_blocks
from restoretk.blockwise.engine import as_floats, working_dtype
from restoretk.blockwise.overlapping import OVERLAPPING
from restoretk.convolution._lines import lines
from restoretk.convolution.sweeps import blocks
from restoretk.psf import check_psf
from restoretk.restoration import spelled_out
from restoretk.restoration._transfer import Transfer

if TYPE_CHECKING:
    import dask.array as da

_CHUNK = 1 << 26  # bytes of a block of rows or of columns
_SUB_BLOCK = 1 << 19


def restore_dask(image: da.Array, psf: npt.ArrayLike, method: str = "wiener", **options: Any) -> da.Array:
    """A Dask array restored, as a Dask array: exactly what the method gives for the whole with the same boundary.

    Works on any scheduler; on a cluster each block is transformed where it lies. A rule that chooses a parameter computes a
    few columns of the spectrum at once; nothing else is computed before the result is asked for.

    Linear filters have the boundary ``wrap`` alone. Richardson-Lucy has ``unknown``, its default, and ``wrap``, and takes
    ``mask="nan"``; its blocks overlap by all that its steps reach.

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
    return dask_restoration(image, psf, method, **options)[0]


def dask_restoration(
    image: da.Array, psf: npt.ArrayLike, method: str, **options: Any
) -> tuple[da.Array, dict[str, float | str]]:
    """The array of `restore_dask`, and the parameters that were chosen."""
    if not hasattr(image, "rechunk"):
        raise TypeError(f"image must be a Dask array, got {type(image).__name__}: dask.array.from_array makes one")
    method, options = spelled_out(method, options)
    options.setdefault("boundary", default_boundary(method))
    check_options(options, _boundaries(method), "on Dask", OVERLAPPING.get(method, ()))
    kernel = check_psf(psf).astype(np.float64)
    if kernel.ndim != 2 or image.ndim < 2:
        raise ValueError(f"psf and image must have two axes and at least two, got {kernel.shape} and {image.shape}")
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
    item = working_dtype(image.dtype).itemsize
    complex_dtype = np.result_type(working_dtype(image.dtype), np.complex64)
    height, width = max(1, _CHUNK // (columns * item)), max(16, _CHUNK // (rows * 2 * item))
    stack = dict.fromkeys(range(image.ndim - 2), 1)
    by_rows = image.rechunk({**stack, image.ndim - 2: height, image.ndim - 1: -1})
    half = columns // 2 + 1
    spectra = by_rows.map_blocks(
        _rows_forward,
        dtype=complex_dtype,
        chunks=(*by_rows.chunks[:-1], (half,)),
        meta=_nothing(image.ndim, complex_dtype),
    )
    sample = None if is_fixed(method, options) else _sample(spectra, (rows, columns))
    decided = choose_filter(_DaskPlanes(image), (rows, columns), kernel, method, options, sample)
    by_columns = spectra.rechunk({**stack, image.ndim - 2: -1, image.ndim - 1: width})
    filtered = by_columns.map_blocks(
        _filter_columns,
        dtype=complex_dtype,
        meta=_nothing(image.ndim, complex_dtype),
        transfer=decided.filter,
    )
    back = filtered.rechunk({**stack, image.ndim - 2: height, image.ndim - 1: -1})
    native = image.dtype.newbyteorder("=")
    restored = back.map_blocks(
        _rows_back, columns, native, dtype=native, chunks=by_rows.chunks, meta=_nothing(image.ndim, native)
    )
    return restored, dict(decided.parameters)


def default_boundary(method: str) -> str:
    """What lies beyond the frame of a Dask array where nothing is said."""
    return _boundaries(method)[0]


def _boundaries(method: str) -> tuple[str, ...]:
    return ("unknown", "wrap") if method in OVERLAPPING else ("wrap",)


def _nothing(ndim: int, dtype: np.dtype[Any]) -> Array:
    """What tells Dask the kind of the blocks."""
    return np.empty((0,) * ndim, dtype)


def _sample(spectra: da.Array, torus: tuple[int, int]) -> Array:
    """The spectra of all planes in the columns that are looked at, shape (P, rows, n)."""
    rows, _ = torus
    chosen = columns_to_look_at(torus)
    found = np.asarray(spectra[..., chosen].compute()).reshape(-1, rows, len(chosen))
    transforms = lines()
    return np.stack([transforms.columns(plane) for plane in found])


class _DaskPlanes:
    """The planes of a Dask array as the choice of a filter wants them: computed when rows are asked for."""

    def __init__(self, image: da.Array) -> None:
        self._planes = image.reshape(-1, *image.shape[-2:])
        self.dtype = working_dtype(image.dtype)

    @property
    def whole(self) -> Array:
        """All of them, for a small picture."""
        return np.stack([self.plane(index)[:] for index in range(len(self))])

    def __len__(self) -> int:
        return int(self._planes.shape[0])

    def plane(self, index: int) -> _DaskRows:
        """One of them."""
        return _DaskRows(self._planes[index])


class _DaskRows:
    """A plane of which rows are computed as floats."""

    def __init__(self, plane: da.Array) -> None:
        self._plane = plane
        self.shape: tuple[int, ...] = plane.shape
        self.dtype = working_dtype(plane.dtype)

    def __getitem__(self, rows: slice) -> Array:
        return as_floats(np.asarray(self._plane[rows].compute()), rows.start or 0)

    def __setitem__(self, rows: slice, values: Array) -> None:
        raise TypeError("a Dask array is not written to")


def _rows_forward(block: Array, *, block_info: Any = None) -> Array:
    """The real FFT of every row of a block, whatever axes it has."""
    first = block_info[0]["array-location"][-2][0]
    lead = block.shape[:-1]
    flat = block.reshape(-1, block.shape[-1])
    dtype = working_dtype(block.dtype)
    spectra = np.empty((len(flat), block.shape[-1] // 2 + 1), np.result_type(dtype, np.complex64))
    transforms = lines()
    for part in blocks(len(flat), block.shape[-1] * dtype.itemsize, _SUB_BLOCK // 2, 1):
        transforms.rows(as_floats(flat[part], first + part.start), spectra[part])
    return spectra.reshape(*lead, spectra.shape[-1])


def _filter_columns(block: Array, *, transfer: Transfer, block_info: Any = None) -> Array:
    """Columns transformed, filtered and transformed back, a few at a time."""
    first = block_info[0]["array-location"][-1][0]
    planes = block.reshape(-1, *block.shape[-2:])
    filtered = np.empty_like(planes)
    transforms = lines()
    for plane, into in zip(planes, filtered, strict=True):
        for part in blocks(plane.shape[1], plane.shape[0] * plane.itemsize, _SUB_BLOCK, 16):
            piece = transforms.columns(plane[:, part])
            transfer.multiply(piece, index=0, columns=slice(first + part.start, first + part.stop))
            transforms.columns_back(piece, into[:, part])
    return filtered.reshape(block.shape)


def _rows_back(block: Array, columns: int, dtype: np.dtype[Any]) -> Array:
    """The rows of the result, in the dtype of the image."""
    lead = block.shape[:-1]
    flat = block.reshape(-1, block.shape[-1])
    restored = np.empty((len(flat), columns), dtype)
    transforms = lines()
    for part in blocks(len(flat), columns * block.real.itemsize, _SUB_BLOCK // 2, 1):
        # A copy: the transform may overwrite what it is given, and another task may hold the block.
        restored[part] = to_dtype(transforms.rows_back(flat[part].copy(), columns), dtype)
    return restored.reshape(*lead, columns)
