"""The three sweeps over planes that do not fit in memory: the exact solution of the whole, a block at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array, as_float_image, check_finite, to_dtype, unit_of
from restoretk.blockwise.journal import Journal
from restoretk.blockwise.scratch import DamagedScratchError, SpectrumFile, checksum, checksums
from restoretk.blockwise.stores import Sink, Source
from restoretk.convolution._lines import lines
from restoretk.convolution.sweeps import blocks

_SUB_BLOCK = 1 << 18  # bytes of rows transformed at a time
_SUB_COLUMNS = 1 << 19  # bytes of columns filtered at a time
_NARROWEST = 16
_MOST_BLOCK = 1 << 26  # bytes: larger blocks gain nothing
_SPARE = 24 << 20  # bytes for what is not counted here: temporaries of a sub-block, of the codec of a file

#: Multiplies a block of the spectrum by the transfer function of these columns of a plane, in place.
Multiply = Callable[[Array, int, slice], None]
#: Is told how much of the work is done, 0 to 1.
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Layout:
    """How a plane is cut: rows of a block of rows, columns of a block of columns, and the rows of the plane."""

    rows: int
    columns: int
    total: int

    @property
    def starts(self) -> list[int]:
        """The first row of each block of rows."""
        return list(range(0, self.total, self.rows))

    @classmethod
    def within(cls, memory: int, source: Source, row_step: int) -> Layout:
        """The largest blocks for which the whole process stays within ``memory`` bytes; rows in multiples of ``row_step``.

        Raises
        ------
        ValueError
            If not even the smallest blocks do.
        """
        total = source.shape[1]
        of_row, of_column = _bytes_of_lines(source)
        least = cls(min(row_step, total), _NARROWEST, total)
        least.check(memory, source)
        room = min(memory - resident_bytes() - _SPARE, _MOST_BLOCK)
        height = max(row_step, room // of_row // row_step * row_step)
        width = max(_NARROWEST, room // of_column // _NARROWEST * _NARROWEST)
        return cls(min(height, total), width, total)

    def check(self, memory: int, source: Source) -> None:
        """Raise ValueError where the whole process would not stay within ``memory`` bytes in these blocks."""
        of_row, of_column = _bytes_of_lines(source)
        needed = resident_bytes() + _SPARE + max(of_row * self.rows, of_column * self.columns)
        if needed > memory:
            _, rows, columns = source.shape
            raise ValueError(
                f"memory must be at least {-(-needed >> 20)} MiB for planes of {rows} x {columns} {source.dtype} in blocks "
                f"of {self.rows} rows and {self.columns} columns, got {memory >> 20} MiB"
            )


def _bytes_of_lines(source: Source) -> tuple[int, int]:
    """The bytes that a row and a column of a block take: the spectrum, and of a row what is read and written."""
    _, rows, columns = source.shape
    item = working_dtype(source.dtype).itemsize
    return (columns // 2 + 1) * 2 * item + 2 * columns * source.dtype.itemsize, 2 * item * rows


def resident_bytes() -> int:
    """The memory of this process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def working_dtype(stored: np.dtype[Any]) -> np.dtype[Any]:
    """The floats in which numbers of a dtype are worked on; see `as_float_image`."""
    return np.dtype(np.float64 if stored.itemsize > 4 or (stored.kind in "iu" and stored.itemsize > 2) else np.float32)


def as_floats(rows: Array, first: int) -> Array:
    """Rows of a source as floats; ValueError for what a filter cannot work on, with the number of the row."""
    if rows.dtype.kind != "f":
        return as_float_image(rows)[0]
    check_finite(rows, f"image, from row {first} on,")
    if unit_of(rows):
        raise ValueError(f"image holds numbers of extreme size from row {first} on: scale them to about 1")
    return rows.astype(working_dtype(rows.dtype), copy=False)


def _scaled(progress: Progress, plane: int, planes: int, share: float) -> None:
    progress((plane + share) / planes)


class Engine:
    """The work on all planes of a source.

    Parameters
    ----------
    source, sink : Source, Sink
        The sink may be smaller: the frame on the torus of the source.
    frame : (rows, columns)
        Of the sink.
    dtype : dtype
        Of the sink.
    multiply : Multiply
        Called with block, number of the plane, columns.
    folder : Path
        For the scratch file.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        frame: tuple[int, int],
        dtype: np.dtype[Any],
        multiply: Multiply,
        layout: Layout,
        folder: Path,
        journal: Journal,
    ) -> None:
        self._frame, self._stored_dtype = frame, dtype.newbyteorder("=")
        self._source, self._sink, self._multiply = source, sink, multiply
        self._layout, self._journal = layout, journal
        _, rows, columns = source.shape
        self._dtype = working_dtype(source.dtype)
        complex_dtype: np.dtype[Any] = np.result_type(self._dtype, np.complex64)
        self._scratch = SpectrumFile(folder / "spectrum", (rows, columns // 2 + 1), complex_dtype, layout.columns)
        half = columns // 2 + 1
        self._memory = np.empty(max(layout.rows * half, rows * min(layout.columns, half)), complex_dtype)

    def run(self, progress: Progress) -> None:
        """Restore every plane that is not done; what is damaged in the scratch file is made again, once."""
        planes = self._source.shape[0]
        try:
            for plane in range(planes):
                for attempt in (1, 2):
                    try:
                        self._plane(plane, partial(_scaled, progress, plane, planes))
                        break
                    except DamagedScratchError:
                        if attempt == 2:
                            raise
                        self._journal.forget(plane, "rows")
                        self._journal.forget(plane, "columns")
        finally:
            self._scratch.close()

    def _plane(self, plane: int, progress: Progress) -> None:
        starts = self._layout.starts
        todo = [start for start in starts if start < self._frame[0] and not self._written(plane, start)]
        if not todo:
            return
        steps = len(starts) * 2 + self._scratch.blocks
        for number, start in enumerate(starts):
            if self._journal.done(plane, "rows", start) is None:
                self._transform(plane, start)
            progress(number / steps)
        self._filter_columns(plane, lambda block: progress((len(starts) + block) / steps))
        for number, start in enumerate(todo):
            self._transform_back(plane, start)
            progress((len(starts) + self._scratch.blocks + number) / steps)

    def _row_spectra(self, count: int) -> Array:
        """Room for the half spectra of rows: always the same, since fresh memory costs more than a transform."""
        columns = self._scratch.shape[1]
        return self._memory[: count * columns].reshape(count, columns)

    def _rows_of(self, start: int) -> slice:
        return slice(start, min(start + self._layout.rows, self._source.shape[1]))

    def _rows_in_frame(self, start: int) -> slice:
        return slice(start, min(start + self._layout.rows, self._frame[0]))

    def _written(self, plane: int, start: int) -> bool:
        """Whether rows of the result are in the output as they were written there."""
        sums = self._journal.done(plane, "out", start)
        return sums is not None and [checksum(self._sink.read(plane, self._rows_in_frame(start)))] == sums

    def _transform(self, plane: int, start: int) -> None:
        """The first sweep: rows from the source to the scratch file."""
        stored = self._source.read(plane, self._rows_of(start))
        spectra = self._row_spectra(len(stored))
        transforms = lines()
        for part in blocks(len(stored), stored.shape[1] * self._dtype.itemsize, _SUB_BLOCK, 1):
            transforms.rows(as_floats(stored[part], start), spectra[part])
        self._journal.add(plane, "rows", start, sums=self._scratch.write_rows(start, spectra))

    def _filter_columns(self, plane: int, progress: Progress) -> None:
        """The second sweep: blocks of columns, each to the slot before its own."""
        scratch, starts = self._scratch, self._layout.starts
        transforms = lines()
        put_in = [self._journal.done(plane, "rows", start) or [] for start in starts]
        rows = scratch.shape[0]
        for number in range(scratch.blocks):
            progress(number)
            if self._journal.done(plane, "columns", number) is not None:
                continue
            columns = scratch.columns_of(number)
            block = self._memory[: rows * (columns.stop - columns.start)].reshape(rows, -1)
            scratch.read_block(number, block)
            if checksums(block, starts) != [sums[number] for sums in put_in]:
                raise DamagedScratchError(f"block {number} of the scratch file is damaged")
            for part in blocks(block.shape[1], rows * scratch.dtype.itemsize, _SUB_COLUMNS, _NARROWEST):
                piece = transforms.columns(block[:, part])
                self._multiply(piece, plane, slice(columns.start + part.start, columns.start + part.stop))
                transforms.columns_back(piece, block[:, part])
            scratch.write_block(number, block)
            self._journal.add(plane, "columns", number, sums=checksums(block, starts))

    def _transform_back(self, plane: int, start: int) -> None:
        """The third sweep: rows from the scratch file to the sink."""
        whole, rows = self._rows_of(start), self._rows_in_frame(start)
        spectra = self._row_spectra(whole.stop - whole.start)
        number = self._layout.starts.index(start)
        for block, piece in self._scratch.read_rows(start, spectra):
            sums = self._journal.done(plane, "columns", block)
            if sums is None or checksum(piece) != sums[number]:
                raise DamagedScratchError(f"block {block} of the scratch file is damaged")
        columns, kept = self._source.shape[2], self._frame[1]
        restored = np.empty((rows.stop - rows.start, kept), self._stored_dtype)
        transforms = lines()
        for part in blocks(len(restored), columns * self._dtype.itemsize, _SUB_BLOCK, 1):
            restored[part] = to_dtype(transforms.rows_back(spectra[part], columns)[:, :kept], restored.dtype)
        self._sink.write(plane, rows, restored)
        self._journal.add(plane, "out", start, sums=[checksum(restored)])
