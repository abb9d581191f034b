"""Photographs larger than memory in linear light, in which blur happens: decoded as they are read, encoded when written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from restoretk._arrays import Array, as_float_image
from restoretk.blockwise.stores import Source
from restoretk.convolution.sweeps import blocks
from restoretk.tone_curve import WorkingSpace, choose_working_space

_AT_A_TIME = 1 << 20  # bytes


def space_of(source: Source, space: str) -> WorkingSpace:
    """The space in which to work on a source, by what stands beside its pixels."""
    carried = source.carried
    samples = int(carried.get("samples", 1))
    return choose_working_space(
        space,
        format_=str(carried.get("format", "NPY")),
        dtype=source.dtype,
        channels=samples if samples > 1 else None,
        icc_profile=carried.get("icc"),
        stack=source.shape[0] != samples,
        microscope=bool(carried.get("microscope", False)),
    )


class LightSource:
    """A source whose planes are floats in linear light."""

    def __init__(self, source: Source, space: WorkingSpace) -> None:
        self._source, self._curves = source, space.curves
        self.shape, self.row_step = source.shape, source.row_step
        self.carried: Mapping[str, Any] = source.carried
        self.left_behind = source.left_behind
        self.overhead = source.overhead + 4 * _AT_A_TIME
        self._tables: list[Array] | None = None
        self._lowest = 0
        self.dtype = np.dtype(np.float64 if space.exact or source.dtype.itemsize > 4 else np.float32)
        if source.dtype.kind != "f":
            limits = np.iinfo(source.dtype)
            levels = np.arange(limits.min, limits.max + 1).astype(source.dtype)
            light = as_float_image(levels)[0].astype(self.dtype)
            self._lowest = limits.min
            self._tables = [curve.decode(light).astype(self.dtype) for curve in self._curves]

    def read(self, plane: int, rows: slice) -> Array:
        """See `Source`."""
        stored = self._source.read(plane, rows)
        which = plane % len(self._curves)
        decoded: Array
        if self._tables is None:
            decoded = self._curves[which].decode(stored.astype(self.dtype)).astype(self.dtype, copy=False)
            return decoded
        decoded = np.empty(stored.shape, self.dtype)
        for part in blocks(len(stored), stored.shape[1] * np.dtype(np.intp).itemsize, _AT_A_TIME, 1):
            np.take(self._tables[which], stored[part].astype(np.intp) - self._lowest, out=decoded[part])
        return decoded

    def encode(self, values: Array, plane: int) -> Array:
        """The code values of light, also beyond black and white."""
        encoded: Array = self._curves[plane % len(self._curves)].encode(values)
        return encoded

    def close(self) -> None:
        """See `Source`."""
