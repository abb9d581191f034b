"""The half spectrum of one plane in a file: rows go in, blocks of columns are filtered, rows come out.

The columns lie in blocks of ``width``, each in a slot of its own in which its rows follow each other. There is one slot more
than blocks: the spectrum is written to the slots from 1 on, and the filtered block ``c`` goes to slot ``c``, whose old block
has then been filtered already. So no block is ever overwritten by its own result, and work that was cut off anywhere can go
on. Plain reads and writes: pages of a memory map would count as memory of the process.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
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
    width : int
        Columns of a block.
    """

    def __init__(self, path: Path, shape: tuple[int, int], dtype: np.dtype[Any], width: int) -> None:
        self.shape, self.dtype, self.width = shape, dtype, width
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

    def write_rows(self, start: int, rows: Array) -> list[int]:
        """Put transformed rows in; the checksum of what went to each block."""
        sums = []
        for block in range(self.blocks):
            piece = np.ascontiguousarray(rows[:, self.columns_of(block)])
            write_at(self._descriptor, piece, self._place(block + 1, block, start))
            sums.append(checksum(piece))
        return sums

    def read_block(self, block: int, into: Array) -> None:
        """The block of columns as it was put in, shape (rows, n)."""
        read_at(self._descriptor, into, self._place(block + 1, block, 0))

    def write_block(self, block: int, filtered: Array) -> None:
        """The filtered block, one slot down."""
        write_at(self._descriptor, filtered, self._place(block, block, 0))

    def read_rows(self, start: int, into: Array) -> Iterator[tuple[int, Array]]:
        """Fill rows with what the filtered blocks hold of them; each block and its piece, to be checked."""
        for block in range(self.blocks):
            columns = self.columns_of(block)
            piece = np.empty((len(into), columns.stop - columns.start), self.dtype)
            read_at(self._descriptor, piece, self._place(block, block, start))
            yield block, piece
            into[:, columns] = piece

    def _place(self, slot: int, block: int, row: int) -> int:
        columns = self.columns_of(block)
        return slot * self._slot + row * (columns.stop - columns.start) * self.dtype.itemsize


def checksum(data: Array) -> int:
    """A number that tells bytes that were lost, cut off or overwritten, at the speed of memory: of a contiguous array.

    The CRC-32 of the sums, modulo 2^64, of every 512th word, and of what is left over. A CRC of all bytes would take a
    tenth of the time of the whole work.
    """
    flat = data.reshape(-1).view(np.uint8)
    whole = flat.size // _STRIDE * _STRIDE
    sums = flat[:whole].view(np.uint64).reshape(-1, _STRIDE // 8).sum(axis=0, dtype=np.uint64)
    return zlib.crc32(flat[whole:].data, zlib.crc32(sums.data))


def checksums(block: Array, starts: list[int]) -> list[int]:
    """The checksums of the rows of a contiguous block from each start to the next."""
    ends = [*starts[1:], len(block)]
    return [checksum(block[start:end]) for start, end in zip(starts, ends, strict=True)]


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
