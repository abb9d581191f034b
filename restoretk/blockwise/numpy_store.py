"""Arrays in .npy files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.blockwise.stores import PlainFile, Source, StoreError, take_up


class NumpySource(PlainFile):
    """The planes of an array in a .npy file: its last two axes; those before them are a stack."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            offset = file.tell()
        check_kind(dtype)
        if len(shape) < 2:
            raise StoreError(f"holds an array of shape {shape}, which has no rows and columns")
        if fortran:
            raise StoreError(
                f"holds an array of shape {shape} in Fortran order, of which no rows can be read: save it by "
                f"np.save(path, np.ascontiguousarray(array))"
            )
        planes = int(np.prod(shape[:-2], dtype=np.int64))
        size = shape[-2] * shape[-1] * dtype.itemsize
        offsets = [offset + plane * size for plane in range(planes)]
        super().__init__(path, offsets, (planes, shape[-2], shape[-1]), dtype, writable=False)
        self.row_step = 1
        self.carried: Mapping[str, Any] = {"shape": shape}
        self.left_behind: tuple[str, ...] = ()


class NumpySink:
    """A .npy file in the making."""

    def __init__(self, folder: Path, source: Source, *, resume: bool) -> None:
        self._part = folder / "output.npy"
        self.row_step = 1
        planes, rows, columns = source.shape
        dtype = source.dtype.newbyteorder("=")
        shape = tuple(source.carried.get("shape", source.shape if planes > 1 else source.shape[1:]))
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        new = folder / "output.new.npy"
        with new.open("wb") as file:
            np.lib.format.write_array_header_2_0(file, header)
            offset = file.tell()
            file.truncate(offset + planes * rows * columns * dtype.itemsize)
        take_up(self._part, new, offset, resume=resume)
        offsets = [offset + plane * rows * columns * dtype.itemsize for plane in range(planes)]
        self._file = PlainFile(self._part, offsets, source.shape, dtype, writable=True)

    def write(self, plane: int, rows: slice, values: Array) -> None:
        """See `Sink`."""
        self._file.write(plane, rows, values)

    def read(self, plane: int, rows: slice) -> Array:
        """See `Sink`."""
        return self._file.read(plane, rows)

    def commit(self, output: Path, made_by: Mapping[str, Any]) -> None:  # noqa: ARG002 - .npy holds nothing but numbers
        """See `Sink`."""
        self._file.sync()
        self._part.replace(output)

    def close(self) -> None:
        """See `Sink`."""
        self._file.close()


def check_kind(dtype: np.dtype[Any]) -> None:
    """Raise StoreError for pixels that no filter works on."""
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or dtype == np.float16:
        raise StoreError(f"holds pixels of dtype {dtype}, not integers or floats of 32 or 64 bits")
