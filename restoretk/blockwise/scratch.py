"""The half spectrum of one plane in a file: rows go in, blocks of columns are filtered, rows come out.

The columns lie in blocks of ``width``, each in a slot of its own; a block is a row of strips of a few columns, and in a strip
its rows follow each other, so that the columns of one can be transformed where they lie. There is one slot more than blocks:
the spectrum is written to the slots from 1 on, and the filtered block ``c`` goes to slot ``c``, whose old block
has then been filtered already. So no block is ever overwritten by its own result, and work that was cut off anywhere can go
on. Plain reads and writes: pages of a memory map would count as memory of the process.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array

_STRIDE = 4096  # bytes


class DamagedScratchError(Exception):
    """What was read from the scratch file is not what was written to it."""


class ShortFileError(EOFError):
    """A file ends before the data that it should hold."""


class SpectrumFile:
    """The file, open for reading and writing; its place on the disk is taken from the start.

    Parameters
    ----------
    path : Path
    shape : (rows, columns)
        Of the half spectrum.
    dtype : dtype
        complex64 or complex128.
    width, strip : int
        Columns of a block, and of a strip of it.
    """

    def __init__(self, path: Path, shape: tuple[int, int], dtype: np.dtype[Any], width: int, strip: int) -> None:
        self.shape, self.dtype, self.width, self._strip = shape, dtype, width, strip
        rows, columns = shape
        self.blocks = -(-columns // width)
        self._slot = rows * width * dtype.itemsize
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        size = (self.blocks + 1) * self._slot
        if os.fstat(self._descriptor).st_size != size:
            os.posix_fallocate(self._descriptor, 0, size)  # a full disk is found out now

    def close(self) -> None:
        """Give the file back."""
        os.close(self._descriptor)

    def columns_of(self, block: int) -> slice:
        """The columns of the half spectrum in a block."""
        return slice(block * self.width, min((block + 1) * self.width, self.shape[1]))

    def strips_of(self, block: int) -> list[slice]:
        """The columns of the half spectrum in each strip of a block."""
        columns = self.columns_of(block)
        starts = range(columns.start, columns.stop, self._strip)
        return [slice(start, min(start + self._strip, columns.stop)) for start in starts]

    def strips_in(self, block: int, stored: Array) -> list[Array]:
        """The strips of a block, shape (rows, n), in its numbers as they are stored: views."""
        first, height = self.columns_of(block).start, self.shape[0]
        bounds = [(strip.start - first, strip.stop - first) for strip in self.strips_of(block)]
        return [stored[height * low : height * high].reshape(height, high - low) for low, high in bounds]

    def write_rows(self, start: int, rows: Array) -> list[int]:
        """Put transformed rows in; the checksum of what went to each block."""
        sums = []
        for block in range(self.blocks):
            found = []
            for strip in self.strips_of(block):
                piece = np.ascontiguousarray(rows[:, strip])
                write_at(self._descriptor, piece, self._place(block + 1, block, strip, start))
                found.append(checksum(piece))
            sums.append(checksum_of_all(found))
        return sums

    def read_block(self, block: int, into: Array) -> None:
        """The numbers of the block as it was put in."""
        read_at(self._descriptor, into, (block + 1) * self._slot)

    def write_block(self, block: int, filtered: Array) -> None:
        """The filtered block, one slot down."""
        write_at(self._descriptor, filtered, block * self._slot)

    def read_rows(self, start: int, into: Array) -> Iterator[tuple[int, int]]:
        """Fill rows with what the filtered blocks hold of them; each block and the checksum of its part."""
        for block in range(self.blocks):
            found = []
            for strip in self.strips_of(block):
                piece = np.empty((len(into), strip.stop - strip.start), self.dtype)
                read_at(self._descriptor, piece, self._place(block, block, strip, start))
                into[:, strip] = piece
                found.append(checksum(piece))
            yield block, checksum_of_all(found)

    def _place(self, slot: int, block: int, strip: slice, row: int) -> int:
        before = self.shape[0] * (strip.start - self.columns_of(block).start) + row * (strip.stop - strip.start)
        return slot * self._slot + before * self.dtype.itemsize


def checksum(data: Array) -> int:
    """A number that tells bytes that were lost, cut off or overwritten, at the speed of memory: of a contiguous array.

    The CRC-32 of the sums, modulo 2^64, of every 512th word, and of what is left over. A CRC of all bytes would take a
    tenth of the time of the whole work.
    """
    flat = data.reshape(-1).view(np.uint8)
    whole = flat.size // _STRIDE * _STRIDE
    sums = flat[:whole].view(np.uint64).reshape(-1, _STRIDE // 8).sum(axis=0, dtype=np.uint64)
    return zlib.crc32(flat[whole:].data, zlib.crc32(sums.data))


def checksums(strip: Array, starts: list[int]) -> list[int]:
    """The checksums of the rows of a contiguous strip from each start to the next."""
    ends = [*starts[1:], len(strip)]
    return [checksum(strip[start:end]) for start, end in zip(starts, ends, strict=True)]


def checksum_of_all(sums: Sequence[int]) -> int:
    """One for those of all strips of a block."""
    return zlib.crc32(np.array(sums, "<u4").data)


def read_at(descriptor: int, into: Array, offset: int) -> None:
    """Fill a contiguous array from a place in a file."""
    view = into.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        count = os.preadv(descriptor, [view[done:]], offset + done)
        if count == 0:
            raise ShortFileError("the file ends before its data do")
        done += count


def write_at(descriptor: int, data: Array, offset: int) -> None:
    """Write a contiguous array to a place in a file."""
    view = data.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done:], offset + done)
