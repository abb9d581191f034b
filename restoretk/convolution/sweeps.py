"""A filter on the torus in three sweeps over the picture, each step on a block that stays in cache.

A two-dimensional FFT is a transform of every row and then of every column. Taken apart, the columns can be transformed,
filtered and transformed back while they are in cache: the filter costs no pass over the picture of its own, nothing but one
half spectrum is held, and a transfer function is only ever worked out for a block of columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import scipy.fft

from restoretk._arrays import Array
from restoretk.convolution._lines import lines

LARGE = 1 << 17  # pixels: smaller planes stay in cache as they are
_ROW_BLOCK = 1 << 18  # bytes of a block of rows
_COLUMN_BLOCK = 1 << 19  # bytes of a block of columns
_NARROWEST = 16  # columns: narrower blocks use only part of each line of the cache


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


def filter_plane(plane: RowBlocks, apply: Callable[..., None], out: RowBlocks) -> None:
    """A plane circularly filtered.

    Parameters
    ----------
    plane : ndarray of shape (rows, columns), float32 or float64, or what gives its rows as such
    apply : callable (block, columns=slice) -> None
        Multiplies the block, the spectrum at ``half_spectrum[:, columns]``, in place. It is called once for each block of
        columns, by several threads at once where `scipy.fft.set_workers` allows them.
    out : of the shape and dtype of the plane
        May be the plane itself.
    """
    spectrum = empty_spectrum(plane)
    transform_rows(plane, spectrum)
    filter_row_spectra(spectrum, apply, out)


def filter_spectrum(spectrum: Array, apply: Callable[..., None], out: RowBlocks) -> None:
    """As `filter_plane`, for a plane whose half spectrum is there already; it is left as it is."""
    filtered = np.empty_like(spectrum)
    _filter_columns(spectrum, filtered, apply, transformed=True)
    _transform_rows_back(filtered, out)


def filter_row_spectra(row_spectra: Array, apply: Callable[..., None], out: RowBlocks) -> None:
    """As `filter_plane`, for a plane whose rows are transformed already; they are lost."""
    _filter_columns(row_spectra, row_spectra, apply, transformed=False)
    _transform_rows_back(row_spectra, out)


def sample_columns(plane: RowBlocks, columns: Array, row_spectra: Array) -> Array:
    """The spectrum of a plane in some columns of its half spectrum, shape (rows, n).

    ``row_spectra``, of the shape of the half spectrum, takes the transforms of the rows.
    """
    sample = np.empty((len(row_spectra), len(columns)), row_spectra.dtype)
    transform_rows(plane, row_spectra, lambda block: np.take(row_spectra[block], columns, axis=1, out=sample[block]))
    return lines().columns(sample)


def transform_plane(plane: RowBlocks, out: Array) -> None:
    """The half spectrum of a plane, as `scipy.fft.rfft2` gives it."""
    transform_rows(plane, out)
    rows, columns = out.shape
    transforms = lines()

    def work(block: slice) -> None:
        out[:, block] = transforms.columns(out[:, block])

    share(work, blocks(columns, rows * out.itemsize, _COLUMN_BLOCK, _NARROWEST))


def empty_spectrum(plane: RowBlocks) -> Array:
    """An array for the half spectrum of a plane."""
    rows, columns = plane.shape
    return np.empty((rows, columns // 2 + 1), np.result_type(plane.dtype, np.complex64))


def transform_rows(plane: RowBlocks, out: Array, seen: Callable[[slice], object] = lambda _: None) -> None:
    """The real FFT of every row, shape (rows, columns // 2 + 1); ``seen`` is called for each block while it is in cache."""
    rows, columns = plane.shape
    transforms = lines()

    def work(block: slice) -> None:
        transforms.rows(plane[block], out[block])
        seen(block)

    share(work, blocks(rows, columns * plane.dtype.itemsize, _ROW_BLOCK, 1))


def _filter_columns(spectrum: Array, out: Array, apply: Callable[..., None], *, transformed: bool) -> None:
    """The columns transformed (unless they are), filtered and transformed back."""
    rows, columns = spectrum.shape
    transforms = lines()

    def work(block: slice) -> None:
        part = spectrum[:, block].copy() if transformed else transforms.columns(spectrum[:, block])
        apply(part, columns=block)
        transforms.columns_back(part, out[:, block])

    share(work, blocks(columns, rows * spectrum.itemsize, _COLUMN_BLOCK, _NARROWEST))


def _transform_rows_back(spectrum: Array, out: RowBlocks) -> None:
    """The inverse of `transform_rows`."""
    columns = out.shape[1]
    transforms = lines()

    def work(block: slice) -> None:
        out[block] = transforms.rows_back(spectrum[block], columns)

    share(work, blocks(len(spectrum), columns * out.dtype.itemsize, _ROW_BLOCK, 1))


def blocks(size: int, bytes_each: int, wanted: int, least: int) -> Iterator[slice]:
    """Slices of 0 to ``size`` of about ``wanted`` bytes, but at least ``least`` long."""
    step = max(least, wanted // bytes_each)
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))


def in_order(work: Callable[[slice], Any], parts: Iterator[slice]) -> Iterator[Any]:
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


def share(work: Callable[[slice], None], parts: Iterator[slice]) -> None:
    """Do all parts, as `in_order`."""
    for _ in in_order(work, parts):
        pass
