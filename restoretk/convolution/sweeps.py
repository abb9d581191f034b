"""A filter on the torus in three sweeps over the picture, each step on a block that stays in cache.

A two-dimensional FFT is a transform of every row and then of every column. Taken apart, the columns can be transformed,
filtered and transformed back while they are in cache: the filter costs no pass over the picture of its own, nothing but one
half spectrum is held, and a transfer function is only ever worked out for a block of columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np
import scipy.fft

from restoretk._arrays import Array
from restoretk.convolution._lines import lines
from restoretk.convolution.column_blocks import ColumnBlocks

_Part = TypeVar("_Part")

LARGE = 1 << 17  # pixels: smaller planes stay in cache as they are
_ROW_BLOCK = 1 << 19  # bytes of a block of rows
_COLUMN_BLOCK, _NARROWEST = 1 << 19, 16  # bytes of a block of columns of an array, and columns at least


class RowBlocks(Protocol):
    """A plane of which blocks of rows can be read as floats and written: an array, or something like one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64, of the rows that are read."""
        ...

    def __getitem__(self, rows: slice, /) -> Array: ...

    def __setitem__(self, rows: slice, values: Array, /) -> None: ...


def filter_plane(
    plane: RowBlocks, apply: Callable[..., None], out: RowBlocks, spectrum: ColumnBlocks | None = None
) -> None:
    """A plane circularly filtered.

    Parameters
    ----------
    plane : ndarray of shape (rows, columns), float32 or float64, or what gives its rows as such
    apply : callable (block, columns=slice) -> None
        Multiplies the block, the spectrum at ``half_spectrum[:, columns]``, in place. It is called once for each block of
        columns, by several threads at once where `scipy.fft.set_workers` allows them.
    out : of the shape and dtype of the plane
        May be the plane itself.
    spectrum : ColumnBlocks or None
        Room for the half spectrum.
    """
    room = empty_spectrum(plane) if spectrum is None else spectrum
    transform_rows(plane, room.put_rows)
    filter_row_spectra(room, apply, out)


def filter_spectrum(spectrum: Array, apply: Callable[..., None], out: RowBlocks) -> None:
    """As `filter_plane`, for a plane whose half spectrum is there already; it is left as it is."""
    filtered = empty_spectrum(out)
    transforms = lines()

    def work(part: slice) -> None:
        block = filtered.block(part)
        block[...] = spectrum[:, part]
        apply(block, columns=part)
        transforms.columns_back(block)

    share(work, filtered.parts())
    _transform_rows_back(filtered, out)


def filter_row_spectra(row_spectra: ColumnBlocks, apply: Callable[..., None], out: RowBlocks) -> None:
    """As `filter_plane`, for a plane whose rows are transformed already; they are lost."""
    transforms = lines()

    def work(part: slice) -> None:
        block = row_spectra.block(part)
        transforms.columns(block)
        apply(block, columns=part)
        transforms.columns_back(block)

    share(work, row_spectra.parts())
    _transform_rows_back(row_spectra, out)


def sample_columns(plane: RowBlocks, columns: Array, row_spectra: ColumnBlocks) -> Array:
    """The spectrum of a plane in some columns of its half spectrum, shape (rows, n).

    ``row_spectra`` takes the transforms of the rows.
    """
    sample = np.empty((plane.shape[0], len(columns)), row_spectra.dtype)
    first = int(np.argmin(np.append(columns == np.arange(len(columns)), False)))  # these lie side by side

    def put(rows: slice, values: Array) -> None:
        row_spectra.put_rows(rows, values)
        sample[rows, :first] = values[:, :first]
        sample[rows, first:] = values[:, columns[first:]]

    transform_rows(plane, put)
    lines().columns(sample)
    return sample


def transform_plane(plane: RowBlocks, out: Array) -> None:
    """The half spectrum of a plane, as `scipy.fft.rfft2` gives it."""
    transform_rows(plane, out.__setitem__)
    transforms = lines()

    def work(part: slice) -> None:
        block = out[:, part].copy()
        transforms.columns(block)
        out[:, part] = block

    share(work, blocks(out.shape[1], len(out) * out.itemsize, _COLUMN_BLOCK, _NARROWEST))


def empty_spectrum(plane: RowBlocks) -> ColumnBlocks:
    """Room for the half spectrum of a plane."""
    return ColumnBlocks(plane.shape, plane.dtype)


def transform_rows(plane: RowBlocks, put: Callable[[slice, Array], object]) -> None:
    """The real FFT of every row; ``put`` is called with each block of rows and its transforms, (n, columns // 2 + 1)."""
    rows, columns = plane.shape
    transforms = lines()

    def work(block: slice) -> None:
        put(block, transforms.rows(plane[block]))

    share(work, blocks(rows, columns * plane.dtype.itemsize, _ROW_BLOCK, 1))


def _transform_rows_back(spectrum: ColumnBlocks, out: RowBlocks) -> None:
    """The inverse of `transform_rows`."""
    rows, columns = out.shape
    transforms = lines()

    def work(block: slice) -> None:
        out[block] = transforms.rows_back(spectrum.rows(block), columns)

    share(work, blocks(rows, columns * out.dtype.itemsize, _ROW_BLOCK, 1))


def blocks(size: int, bytes_each: int, wanted: int, least: int) -> Iterator[slice]:
    """Slices of 0 to ``size`` of about ``wanted`` bytes, but at least ``least`` long."""
    step = max(least, wanted // bytes_each)
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))


def in_order(work: Callable[[_Part], Any], parts: Iterable[_Part]) -> Iterator[Any]:
    """What comes of each part, done by as many threads as scipy.fft is set to use."""
    workers = scipy.fft.get_workers()
    if workers == 1:
        yield from map(work, parts)
        return
    ahead: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for part in parts:
            ahead.append(pool.submit(work, part))
            if len(ahead) > workers:  # what is done and waits takes memory
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def share(work: Callable[[_Part], None], parts: Iterable[_Part]) -> None:
    """Do all parts, as `in_order`."""
    for _ in in_order(work, parts):
        pass
