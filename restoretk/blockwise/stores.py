"""Where planes are read from and written to, a few rows at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from restoretk._arrays import Array
from restoretk.blockwise.scratch import ShortFileError, read_at, write_at

_AT_A_TIME = 1 << 22  # bytes


class StoreError(ValueError):
    """What is wrong with a file or folder; its name is put before it on the way up."""

    named = False


class Source(Protocol):
    """Planes of one shape and dtype.

    Attributes
    ----------
    shape : (planes, rows, columns)
    dtype : dtype
    row_step : int
        How many rows lie together: what `read` is best asked for a multiple of.
    overhead : int
        About the bytes that reading takes beside what it returns.
    carried : dict
        What a sink of the same format puts beside the pixels.
    left_behind : tuple of str
        What stands beside the pixels and no sink keeps.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    row_step: int
    overhead: int
    carried: Mapping[str, Any]
    left_behind: tuple[str, ...]

    def read(self, plane: int, rows: slice) -> Array:
        """Rows of a plane, shape (n, columns), in native byte order."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


class Sink(Protocol):
    """An output that is made under another name: it appears whole, by `commit`, or not at all.

    Attributes
    ----------
    row_step : int
        How many rows lie together: what `write` is best given a multiple of.
    """

    row_step: int

    def write(self, plane: int, rows: slice, values: Array) -> None:
        """Put rows of a plane in their place."""
        ...

    def read(self, plane: int, rows: slice) -> Array:
        """Rows that were written, contiguous."""
        ...

    def commit(self, output: Path, made_by: Mapping[str, Any]) -> None:
        """Put everything on the disk, with the record of how it was made, and give it its name."""
        ...

    def close(self) -> None:
        """Give the file back, finished or not."""
        ...


class PlainFile:
    """Numbers that lie in a file one plane after another, or interleaved as samples of pixels: source or half of a sink."""

    overhead = _AT_A_TIME

    def __init__(
        self, path: Path, offsets: list[int], shape: tuple[int, int, int], dtype: np.dtype[Any], *, writable: bool
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._offsets, self._samples = offsets, shape[0] // len(offsets)
        self._descriptor = os.open(path, os.O_RDWR if writable else os.O_RDONLY)

    def read(self, plane: int, rows: slice) -> Array:
        """See `Source`."""
        if self._samples == 1 and self.dtype.isnative:
            return self._stored(plane, rows)
        found = np.empty((rows.stop - rows.start, self.shape[2]), self.dtype.newbyteorder("="))
        for part in self._parts(rows):
            stored = self._stored(plane, part)
            chosen = stored if self._samples == 1 else stored[..., plane % self._samples]
            found[part.start - rows.start : part.stop - rows.start] = chosen
        return found

    def write(self, plane: int, rows: slice, values: Array) -> None:
        """See `Sink`."""
        if self._samples == 1:
            write_at(self._descriptor, np.ascontiguousarray(values, self.dtype), self._place(plane, rows.start))
            return
        for part in self._parts(rows):
            stored = self._stored(plane, part)
            stored[..., plane % self._samples] = values[part.start - rows.start : part.stop - rows.start]
            write_at(self._descriptor, stored, self._place(plane, part.start))

    def _parts(self, rows: slice) -> Iterator[slice]:
        """Some rows at a time, with all their samples."""
        step = max(1, _AT_A_TIME // (self.shape[2] * self._samples * self.dtype.itemsize))
        for start in range(rows.start, rows.stop, step):
            yield slice(start, min(start + step, rows.stop))

    def _stored(self, plane: int, rows: slice) -> Array:
        _, _, columns = self.shape
        shape = (rows.stop - rows.start, columns) + ((self._samples,) if self._samples > 1 else ())
        stored = np.empty(shape, self.dtype)
        try:
            read_at(self._descriptor, stored, self._place(plane, rows.start))
        except ShortFileError as error:
            raise StoreError(f"is cut off: {error}") from None
        return stored

    def _place(self, plane: int, row: int) -> int:
        return self._offsets[plane // self._samples] + row * self.shape[2] * self._samples * self.dtype.itemsize

    def close(self) -> None:
        """Give the file back."""
        os.close(self._descriptor)

    def sync(self) -> None:
        """Put the bytes on the disk."""
        os.fsync(self._descriptor)


def open_source(path: Path) -> Source:
    """The source of a TIFF, a Zarr or OME-Zarr folder or a .npy file, known by what it holds.

    Raises
    ------
    StoreError
        For another format, or a kind of picture that is not filtered here.
    OSError
        If it cannot be read.
    """
    from restoretk.blockwise.numpy_store import NumpySource
    from restoretk.blockwise.tiff_store import TiffSource
    from restoretk.blockwise.zarr_store import ZarrSource

    if path.is_dir():
        return ZarrSource(path)
    with path.open("rb") as file:
        start = file.read(8)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return TiffSource(path)
    if start[:6] == b"\x93NUMPY":
        return NumpySource(path)
    raise StoreError("is no TIFF, Zarr or .npy, which are what is read in blocks")


def make_sink(folder: Path, output: Path, source: Source, *, resume: bool) -> Sink:
    """A sink for an output of this name, its unfinished file in the folder, of the shape and dtype of the source."""
    from restoretk.blockwise.numpy_store import NumpySink
    from restoretk.blockwise.tiff_store import TiffSink
    from restoretk.blockwise.zarr_store import ZarrSink

    kinds: dict[str, Any] = {
        ".tif": TiffSink,
        ".tiff": TiffSink,
        ".btf": TiffSink,
        ".zarr": ZarrSink,
        ".npy": NumpySink,
    }
    kind = kinds.get(output.suffix.lower())
    if kind is None:
        raise StoreError(f"must end in one of {', '.join(kinds)} to be written in blocks")
    sink: Sink = kind(folder, source, resume=resume)
    return sink


def take_up(part: Path, new: Path, head: int, *, resume: bool) -> None:
    """Keep an unfinished file of the same size and beginning as a new one, where work goes on; else replace it by that."""
    if resume and part.exists() and part.stat().st_size == new.stat().st_size:
        with part.open("rb") as old, new.open("rb") as fresh:
            if old.read(head) == fresh.read(head):
                new.unlink()
                return
    new.replace(part)


def as_line(made_by: Mapping[str, Any]) -> str:
    """A record of how a picture was made, as one line of JSON."""
    return json.dumps(made_by, sort_keys=True)
