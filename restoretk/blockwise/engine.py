"""The three sweeps over planes that do not fit in memory: the exact solution of the whole, a block at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft

from restoretk._arrays import Array, finite_unit_of, fractions_of_range
from restoretk.blockwise.journal import Journal
from restoretk.blockwise.result import Result
from restoretk.blockwise.scratch import DamagedScratchError, SpectrumFile, checksum_of_all, checksums
from restoretk.blockwise.stores import Source
from restoretk.convolution._lines import lines
from restoretk.convolution.sweeps import blocks, in_order, share

_SUB_BLOCK = 1 << 19  # bytes of rows transformed at a time
_STRIP = 1 << 20  # bytes of columns filtered at a time
_NARROWEST, _PARTS = 16, 8
_MOST_CHECKSUMS = 1 << 18
_MOST_BLOCK = 1 << 26  # bytes: larger blocks gain nothing
_SPARE = 24 << 20  # bytes for what is not counted here: temporaries of a sub-block, of the codec of a file
_OF_A_THREAD = 12 << 20  # bytes more of these for each thread beside the first

TOO_LARGE = "image holds numbers of extreme size {}: scale them to about 1"

#: Multiplies a block of the spectrum by the transfer function of these columns of a plane, in place.
Multiply = Callable[[Array, int, slice], None]
#: The half spectra, in some columns, that are added to those of the rows of a plane.
Added = Callable[[int], Callable[[slice | Array], Array] | None]
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
    def within(cls, room: Room, source: Source, row_step: int) -> Layout:
        """The largest blocks for which there is room; rows in multiples of ``row_step``.

        Raises
        ------
        ValueError
            If not even the smallest blocks fit.
        """
        total = source.shape[1]
        of_row, of_column = _bytes_of_lines(source)
        least = cls._least(source, row_step)
        least.check(room, source)
        for_block = min(room.memory - room.taken(0), _MOST_BLOCK)
        height = max(least.rows, for_block // of_row // row_step * row_step)
        # What the rows of a block have in the columns of another is copied: never more than a part of either.
        most = source.shape[2] // 2 // _PARTS
        width = max(least.columns, min(for_block // of_column, most) // _NARROWEST * _NARROWEST)
        return cls(min(height, total), width, total)

    @classmethod
    def _least(cls, source: Source, row_step: int) -> Layout:
        """The smallest blocks: each of rows has a checksum in each of columns, and these take memory too."""
        _, total, columns = source.shape
        times = 1
        while -(-total // (row_step * times)) * -(-(columns // 2 + 1) // (_NARROWEST * times)) > _MOST_CHECKSUMS:
            times += 1
        return cls(min(row_step * times, total), _NARROWEST * times, total)

    def check(self, room: Room, source: Source) -> None:
        """Raise ValueError where there is no room for these blocks."""
        of_row, of_column = _bytes_of_lines(source)
        needed = room.taken(max(of_row * self.rows, of_column * self.columns))
        if needed > room.memory:
            _, rows, columns = source.shape
            raise ValueError(
                f"memory must be at least {-(-needed >> 20)} MiB for planes of {rows} x {columns} {source.dtype} in blocks "
                f"of {self.rows} rows and {self.columns} columns, got {room.memory >> 20} MiB"
            )


@dataclass(frozen=True)
class Room:
    """The memory that the whole process may take, in bytes.

    ``besides``: what is needed beside a block; ``at_least``: what is needed while there is no block.
    """

    memory: int
    besides: int = 0
    at_least: int = 0

    def taken(self, block: int) -> int:
        """The bytes that the process will have taken at most, with a block of so many."""
        spare = _SPARE + _OF_A_THREAD * (scipy.fft.get_workers() - 1)
        return resident_bytes() + spare + max(self.besides + block, self.at_least)


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


def as_floats(rows: Array, first: int, column: int = 0) -> Array:
    """Rows of a source as floats; ValueError for what a filter cannot work on, with the place of the first pixel."""
    if rows.dtype.kind != "f":
        return fractions_of_range(rows)
    place = f" and column {column}" if column else ""
    if (
        finite_unit_of(rows, f"image, from row {first}{place} on,") > 0
    ):  # rows of next to nothing may lie in a picture of something
        raise ValueError(TOO_LARGE.format(f"from row {first} on"))
    return rows.astype(working_dtype(rows.dtype), copy=False)


def with_holes(rows: Array, first: int, column: int = 0) -> Array:
    """As `as_floats`, with NaN where a number is not finite instead of an error."""
    if rows.dtype.kind != "f":
        return as_floats(rows, first, column)
    holes = ~np.isfinite(rows)
    floats = as_floats(np.where(holes, np.zeros((), rows.dtype), rows), first, column)
    floats[holes] = np.nan
    return floats


def nothing_added(_plane: int) -> None:
    """For planes that are as the source has them."""
    return


def scaled(progress: Progress, done: int, of: int, share: float) -> None:
    """Tell how far a part of a work is, of equal ones of which some are done."""
    progress((done + share) / of)


class Engine:
    """The work on all planes of a source.

    Parameters
    ----------
    source : Source
    result : Result
        It may be smaller: the frame on the torus of the source.
    frame : (rows, columns)
        Of the result.
    folder : Path
        For the scratch file.
    """

    def __init__(
        self,
        source: Source,
        result: Result,
        frame: tuple[int, int],
        layout: Layout,
        folder: Path,
        journal: Journal,
    ) -> None:
        self._source, self._result, self._frame = source, result, frame
        self._layout, self._journal = layout, journal
        _, rows, columns = source.shape
        self._dtype = working_dtype(source.dtype)
        complex_dtype: np.dtype[Any] = np.result_type(self._dtype, np.complex64)
        strip = max(_NARROWEST, _STRIP // (rows * complex_dtype.itemsize))
        self._scratch = SpectrumFile(
            folder / "spectrum", (rows, columns // 2 + 1), complex_dtype, layout.columns, strip
        )
        self._memory: Array | None = None

    def run(self, multiply: Multiply, progress: Progress, added: Added) -> None:
        """Restore every plane that is not done."""
        planes = self._source.shape[0]
        for plane in range(planes):
            told = partial(scaled, progress, plane, planes)
            self.once_more_if_damaged(plane, partial(self._plane, plane, multiply, told, added))

    def once_more_if_damaged(self, plane: int, work: Callable[[], None]) -> None:
        """Do some work on a plane; if its scratch file was damaged, make that again, once."""
        try:
            work()
        except DamagedScratchError:
            self.forget(plane)
            work()

    def forget(self, plane: int) -> None:
        """What the scratch file holds of a plane is not to be used."""
        self._journal.forget(plane, "rows")
        self._journal.forget(plane, "columns")

    def close(self) -> None:
        """Give the scratch file back."""
        self._scratch.close()

    def rest(self) -> None:
        """Hold no memory until there is work."""
        self._memory = None

    def transform(self, plane: int, progress: Progress) -> None:
        """The first sweep: rows from the source to the scratch file."""
        starts = self._layout.starts
        for number, start in enumerate(starts):
            if self._journal.done(plane, "rows", start) is None:
                self._transform(plane, start)
            progress((number + 1) / len(starts))

    def row_spectra(self, plane: int) -> Iterator[tuple[slice, Array]]:
        """The transformed rows of a plane, some columns at a time, before they are filtered."""
        for number in range(self._scratch.blocks):
            _, strips = self._block(number)
            self._check(plane, number, [checksums(strip, self._layout.starts) for strip in strips])
            yield from zip(self._scratch.strips_of(number), strips, strict=True)

    def _plane(self, plane: int, multiply: Multiply, progress: Progress, added: Added) -> None:
        starts = self._layout.starts
        todo = [
            start
            for start in starts
            if start < self._frame[0] and not self._result.holds(plane, self._rows_in_frame(start))
        ]
        if not todo:
            return
        steps = len(starts) * 2 + self._scratch.blocks
        self.transform(plane, lambda share: progress(len(starts) / steps * share))
        self._filter_columns(plane, multiply, lambda block: progress((len(starts) + block) / steps), added(plane))
        for number, start in enumerate(todo):
            self._transform_back(plane, start)
            progress((len(starts) + self._scratch.blocks + number) / steps)

    def _row_spectra(self, count: int) -> Array:
        """Room for the half spectra of rows."""
        half = self._scratch.shape[1]
        return self._room(count * half).reshape(count, half)

    def _room(self, numbers: int) -> Array:
        """Always the same memory, since fresh memory costs more than a transform."""
        if self._memory is None:
            height, half = self._scratch.shape
            most = max(self._layout.rows * half, height * min(self._layout.columns, half))
            self._memory = np.empty(most, self._scratch.dtype)
        return self._memory[:numbers]

    def _rows_of(self, start: int) -> slice:
        return slice(start, min(start + self._layout.rows, self._source.shape[1]))

    def _rows_in_frame(self, start: int) -> slice:
        return slice(start, min(start + self._layout.rows, self._frame[0]))

    def _transform(self, plane: int, start: int) -> None:
        """A block of the first sweep."""
        stored = self._source.read(plane, self._rows_of(start))
        spectra = self._row_spectra(len(stored))
        transforms = lines()

        def work(part: slice) -> None:
            spectra[part] = transforms.rows(as_floats(stored[part], start))

        share(work, blocks(len(stored), stored.shape[1] * self._dtype.itemsize, _SUB_BLOCK, 1))
        self._journal.add(plane, "rows", start, sums=self._scratch.write_rows(start, spectra))

    def _block(self, number: int) -> tuple[Array, list[Array]]:
        """The numbers of a block as they are in the file, and its strips in them."""
        scratch = self._scratch
        columns = scratch.columns_of(number)
        block = self._room(scratch.shape[0] * (columns.stop - columns.start))
        scratch.read_block(number, block)
        return block, scratch.strips_in(number, block)

    def _check(self, plane: int, number: int, found: list[list[int]]) -> None:
        """Raise DamagedScratchError unless the strips of a block have the checksums of what was put there."""
        put_in = [self._journal.done(plane, "rows", start) or [] for start in self._layout.starts]
        if [checksum_of_all(sums) for sums in zip(*found, strict=True)] != [sums[number] for sums in put_in]:
            raise DamagedScratchError(f"block {number} of the scratch file is damaged")

    def _filter_columns(
        self, plane: int, multiply: Multiply, progress: Progress, added: Callable[[slice | Array], Array] | None
    ) -> None:
        """The second sweep: blocks of columns, each to the slot before its own."""
        transforms = lines()

        def work(part: tuple[slice, Array]) -> tuple[list[int], list[int]]:
            columns, strip = part
            before = checksums(strip, self._layout.starts)  # while it is in cache
            if added is not None:
                strip += added(columns)
            transforms.columns(strip)
            multiply(strip, plane, columns)
            transforms.columns_back(strip)
            return before, checksums(strip, self._layout.starts)

        for number in range(self._scratch.blocks):
            progress(number)
            if self._journal.done(plane, "columns", number) is not None:
                continue
            block, strips = self._block(number)
            before, after = zip(*in_order(work, zip(self._scratch.strips_of(number), strips, strict=True)), strict=True)
            self._check(plane, number, list(before))
            self._scratch.write_block(number, block)
            sums = [checksum_of_all(each) for each in zip(*after, strict=True)]
            self._journal.add(plane, "columns", number, sums=sums)

    def _transform_back(self, plane: int, start: int) -> None:
        """The third sweep: rows from the scratch file to the sink."""
        whole, rows = self._rows_of(start), self._rows_in_frame(start)
        spectra = self._row_spectra(whole.stop - whole.start)
        number = self._layout.starts.index(start)
        for block, found in self._scratch.read_rows(start, spectra):
            sums = self._journal.done(plane, "columns", block)
            if sums is None or found != sums[number]:
                raise DamagedScratchError(f"block {block} of the scratch file is damaged")
        columns, kept = self._source.shape[2], self._frame[1]
        transforms = lines()
        restored = self._result.room(rows, kept)

        def work(part: slice) -> int:
            values = transforms.rows_back(spectra[part], columns)[:, :kept]
            return self._result.store(values, plane, restored[part])

        clipped = sum(in_order(work, blocks(len(restored), columns * self._dtype.itemsize, _SUB_BLOCK, 1)))
        self._result.write(plane, rows, restored, clipped)
