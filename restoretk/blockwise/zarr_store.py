"""Zarr arrays and OME-Zarr pictures, in folders."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Mapping
from gzip import BadGzipFile
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.blockwise.numpy_store import check_kind
from restoretk.blockwise.stores import Source, StoreError

_ROWS_OF_A_CHUNK, _COLUMNS_OF_A_CHUNK = 256, 1024  # of an array that did not come from a Zarr


def _zarr() -> Any:
    try:
        import zarr
    except ModuleNotFoundError:
        raise StoreError('is a Zarr, which needs the extra scale: pip install "restoretk[scale]"') from None
    return zarr


class ZarrSource:
    """The planes of an array, or of the finest level of an OME-Zarr picture: its last two axes."""

    def __init__(self, path: Path) -> None:
        zarr = _zarr()
        try:
            opened = zarr.open(path, mode="r")
        except (FileNotFoundError, ValueError, KeyError) as error:
            raise StoreError(f"is no Zarr: {' '.join(str(error).split())}") from None
        multiscales = None
        if isinstance(opened, zarr.Group):
            multiscales, array = _finest(zarr, opened)
        else:
            array = opened
        check_kind(array.dtype)
        if array.ndim < 2 or 0 in array.shape:
            raise StoreError(f"holds an array of shape {array.shape}, not rows of planes")
        self.array = array
        self._lead = array.shape[:-2]
        self.shape = (int(np.prod(self._lead, dtype=np.int64)), *array.shape[-2:])
        self.dtype: np.dtype[Any] = array.dtype
        self.row_step = _rows_together(array)
        self.overhead = 2 * int(np.prod(array.shards or array.chunks, dtype=np.int64)) * array.dtype.itemsize
        self.carried: Mapping[str, Any] = {
            "format": "Zarr",
            "shape": tuple(array.shape),
            "zarr_format": array.metadata.zarr_format,
            "chunks": tuple(array.chunks),
            "shards": array.shards,
            "compressors": array.compressors,
            "attributes": dict(array.attrs),
            "dimension_names": getattr(array.metadata, "dimension_names", None),
            "multiscales": multiscales,
        }
        self.left_behind: tuple[str, ...] = (
            ("the smaller levels of its pyramid",) if multiscales and multiscales["levels"] > 1 else ()
        )

    def read(self, plane: int, rows: slice) -> Array:
        """See `Source`."""
        return _rows_of(self.array, (*np.unravel_index(plane, self._lead), rows))

    def close(self) -> None:
        """See `Source`."""


def _rows_of(array: Any, place: tuple[Any, ...]) -> Array:
    """Rows of a plane in native byte order; StoreError where a chunk of them cannot be decoded."""
    try:
        with _one_chunk_at_a_time():
            found = np.asarray(array[place])
    except (ValueError, RuntimeError, SystemError, EOFError, BadGzipFile, zlib.error) as error:  # one for each codec
        *plane, rows = place
        where = f"rows {rows.start} to {rows.stop}" + (f" of plane {tuple(map(int, plane))}" if plane else "")
        raise StoreError(f"holds a damaged chunk in {where}: {' '.join(str(error).split())}") from None
    return np.ascontiguousarray(found, found.dtype.newbyteorder("="))


def _one_chunk_at_a_time() -> Any:
    """A context in which zarr does not share chunks among threads: from a folder that takes up to four times the CPU time."""
    return _zarr().config.set({"async.concurrency": 1})


def _finest(zarr: Any, group: Any) -> tuple[dict[str, Any], Any]:
    """What an OME-Zarr group says of itself, and its array of full resolution."""
    attributes = dict(group.attrs)
    said = attributes.get("ome", attributes)
    try:
        picture = said["multiscales"][0]
        datasets = picture["datasets"]
        array = group[datasets[0]["path"]]
    except (KeyError, IndexError, TypeError):
        raise StoreError("is a Zarr group without the multiscales of OME-Zarr: name the array in it") from None
    if not isinstance(array, zarr.Array):
        raise StoreError(f"names {datasets[0]['path']!r} as its finest level, which is no array")
    kept = {**picture, "datasets": datasets[:1]}
    rest = {key: value for key, value in said.items() if key != "multiscales"}
    return {
        "levels": len(datasets),
        "path": datasets[0]["path"],
        "said": {**rest, "multiscales": [kept]},
        "under_ome": "ome" in attributes,
        "zarr_format": array.metadata.zarr_format,
    }, array


def _rows_together(array: Any) -> int:
    """The rows of a chunk, or of a shard of chunks."""
    return min(int((array.shards or array.chunks)[-2]), int(array.shape[-2]))


class ZarrSink:
    """A Zarr in the making: with the chunks, the compression and the words of its source where that is one."""

    def __init__(self, folder: Path, source: Source, *, resume: bool) -> None:
        zarr = _zarr()
        self._part, self._source = folder / "output.zarr", source
        carried = source.carried
        self._multiscales = carried.get("multiscales")
        inside = self._multiscales["path"] if self._multiscales else ""
        new, where = folder / "output.new.zarr", self._part / inside
        shutil.rmtree(new, ignore_errors=True)
        self._create(zarr, carried, new, new / inside)
        if resume and _same_words(new, self._part):
            shutil.rmtree(new)
        else:
            shutil.rmtree(self._part, ignore_errors=True)
            new.rename(self._part)
        # To look whether each chunk is empty would take longer than to write it.
        self.array = zarr.open_array(where, mode="r+", config={"write_empty_chunks": True})
        self._lead = self.array.shape[:-2]
        self.row_step = _rows_together(self.array)

    def _create(self, zarr: Any, carried: Mapping[str, Any], root: Path, where: Path) -> None:
        planes, rows, columns = self._source.shape
        shape = tuple(carried.get("shape", (rows, columns) if planes == 1 else (planes, rows, columns)))
        options: dict[str, Any] = {
            "chunks": (1,) * (len(shape) - 2) + (min(_ROWS_OF_A_CHUNK, rows), min(_COLUMNS_OF_A_CHUNK, columns))
        }
        if "chunks" in carried:
            options = {name: carried[name] for name in ("chunks", "shards", "zarr_format", "compressors", "attributes")}
            options["chunks"] = (1,) * (len(shape) - 2) + tuple(carried["chunks"])[-2:]
            if carried["shards"] is not None:
                options["shards"] = (1,) * (len(shape) - 2) + tuple(carried["shards"])[-2:]
            if carried["zarr_format"] == 3:
                options["dimension_names"] = carried["dimension_names"]
        if self._multiscales:
            group = zarr.open_group(root, mode="w", zarr_format=self._multiscales["zarr_format"])
            said = self._multiscales["said"]
            group.attrs.update({"ome": said} if self._multiscales["under_ome"] else said)
        zarr.create_array(where, shape=shape, dtype=self._source.dtype.newbyteorder("="), **options)

    def write(self, plane: int, rows: slice, values: Array) -> None:
        """See `Sink`."""
        with _one_chunk_at_a_time():
            self.array[(*np.unravel_index(plane, self._lead), rows)] = values

    def read(self, plane: int, rows: slice) -> Array:
        """See `Sink`."""
        return _rows_of(self.array, (*np.unravel_index(plane, self._lead), rows))

    def commit(self, output: Path, made_by: Mapping[str, Any]) -> None:
        """See `Sink`."""
        self.array.attrs["restoretk"] = dict(made_by)
        for file in self._part.rglob("*"):
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        old = None
        if output.exists():
            old = self._part.with_name("replaced.zarr")
            output.rename(old)
        self._part.rename(output)
        if old is not None:
            shutil.rmtree(old)

    def close(self) -> None:
        """See `Sink`."""


def _same_words(new: Path, old: Path) -> bool:
    """Whether a Zarr has all the words that a new one, without chunks yet, has."""
    files = [file.relative_to(new) for file in new.rglob("*") if file.is_file()]
    return all((old / file).is_file() and (old / file).read_bytes() == (new / file).read_bytes() for file in files)
