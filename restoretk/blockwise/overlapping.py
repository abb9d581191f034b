"""Richardson-Lucy on a picture larger than memory: in blocks that overlap by as much as its steps can reach.

A step looks no further than the PSF there and back. With that much of the picture around a block for every step, and nothing
seen beyond, the inner part of the block is that of the whole, to rounding: there is no seam and nothing to taper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.blockwise.engine import Progress, Room, scaled, working_dtype
from restoretk.blockwise.extended import ExtendedSource
from restoretk.blockwise.journal import Journal
from restoretk.blockwise.result import Result
from restoretk.blockwise.source_planes import SourcePlanes
from restoretk.blockwise.stores import Sink, Source
from restoretk.blockwise.task import Task
from restoretk.blockwise.tiling import Cut, Piece, Tiling
from restoretk.convolution._lines import lines
from restoretk.convolution.sweeps import blocks
from restoretk.restoration._em_steps import DEFAULT_ITERATIONS, below_zero, checked_iterations, likeliest_plane, reach
from restoretk.restoration._optics import Optics
from restoretk.restoration._torus import torus_for
from restoretk.restoration.missing import NOTHING_SEEN

#: The methods that are done in this way, and the masks that they heed in it.
OVERLAPPING = {"richardson_lucy": ("nan",)}

_AT_A_TIME = 1 << 20  # bytes of rows


def do_overlapping(task: Task, source: Source, sink: Sink, output: Path, journal: Journal) -> dict[str, Any]:
    """Do what is not done yet, and give the output its name; what `restoretk.blockwise.restore_file` says of it."""
    iterations = checked_iterations(task.options.get("iterations", DEFAULT_ITERATIONS))
    lit, encode = task.lit(source)
    laid = lit
    if task.boundary not in ("wrap", "unknown"):
        rows, columns = torus_for(source.shape[1:], task.psf.shape, task.boundary)
        laid = ExtendedSource(lit, (rows, columns), task.boundary, task.floats)
    halo = reach(task.psf, iterations)
    along = zip(source.shape[1:], laid.shape[1:], halo, task.psf.shape, strict=True)
    uncut = Tiling(
        *(Cut(frame, there, task.boundary != "unknown", far, side, frame) for frame, there, far, side in along)
    )
    lines()
    room = Room(task.memory, besides=laid.overhead)
    tiling = _tiling(room, uncut, source, laid, math.lcm(source.row_step, sink.row_step), journal)
    result = Result(sink, source.dtype, encode, journal)
    work = _Blocks(task.psf, laid, task.floats, tiling, iterations, result)
    planes, strips, below = source.shape[0], tiling.rows.pieces, 0
    for plane in range(planes):
        level, dark = work.look_over(plane)
        below += dark
        for number, strip in enumerate(strips):
            told = partial(scaled, task.progress, plane * len(strips) + number, planes * len(strips))
            if not result.holds(plane, slice(strip.start, strip.stop)):
                work.restore(plane, strip, level, told)
            told(1.0)
    parameters = {"iterations": iterations}
    planes_seen = SourcePlanes(lit, task.floats)
    found = task.outcome(source, planes_seen, journal, parameters, result.clipped, below_zero(below), halo=halo)
    sink.commit(output, task.made_by(parameters))
    return found


def _tiling(room: Room, uncut: Tiling, source: Source, laid: Source, row_step: int, journal: Journal) -> Tiling:
    """The blocks of this work: those it was begun in, else those for which there is room."""
    begun = journal.done("layout")
    if begun is not None:
        tiling = uncut.cut(*begun)
        tiling.check(room, source, laid)
        return tiling
    tiling = Tiling.within(room, uncut, source, laid, row_step)
    journal.add("layout", sums=[tiling.rows.step, tiling.columns.step])
    return tiling


class _Blocks:
    """The blocks of planes and the steps that are taken on them."""

    def __init__(
        self,
        psf: Array,
        laid: Source,
        floats: Callable[[Array, int], Array],
        tiling: Tiling,
        iterations: int,
        result: Result,
    ) -> None:
        self._floats = floats
        self._laid, self._tiling, self._iterations, self._result = laid, tiling, iterations, result
        self._dtype = working_dtype(laid.dtype)
        self._optics = Optics((psf,), psf.shape, self._dtype)

    def look_over(self, plane: int) -> tuple[float, int]:
        """The mean light of a plane, from which the steps begin, and how many pixels have less than none."""
        total, seen, below = 0.0, 0, 0
        for part in self._together(0, self._laid.shape[1]):
            light = self._floats(self._laid.read(plane, part), part.start)
            seen += light.size - int(np.count_nonzero(np.isnan(light)))
            in_frame = light[: max(0, self._tiling.rows.frame - part.start), : self._tiling.columns.frame]
            below += int(np.count_nonzero(in_frame < 0))
            total += float(np.sum(np.fmax(light, 0), dtype=np.float64))
        if not seen:
            raise ValueError(NOTHING_SEEN)
        return total / seen, below

    def restore(self, plane: int, strip: Piece, level: float, progress: Progress) -> None:
        """Restore a strip of a plane."""
        observed = self._rows(plane, strip)
        pieces = self._tiling.columns.pieces
        rows = slice(strip.start, strip.stop)
        restored = self._result.room(rows, self._tiling.columns.frame)
        clipped = 0
        for number, piece in enumerate(pieces):
            progress(number / len(pieces))
            inner = self._block(observed, strip, piece, level)[strip.within, piece.within]
            for part in blocks(len(inner), inner.shape[1] * inner.itemsize, _AT_A_TIME, 1):
                clipped += self._result.store(inner[part], plane, restored[part, piece.start : piece.stop])
        self._result.write(plane, rows, restored, clipped)

    def _block(self, observed: Array, strip: Piece, piece: Piece, level: float) -> Array:
        """The scene of a block on its torus."""
        torus = (self._tiling.rows.torus(strip), self._tiling.columns.torus(piece))
        if self._optics.torus != torus:
            self._optics = Optics(self._optics.psfs, torus, self._dtype)
        data, unseen = np.zeros(torus, self._dtype), np.ones(torus, bool)
        columns = np.arange(piece.first, piece.last) % self._tiling.columns.laid
        for part in blocks(len(observed), len(columns) * data.itemsize, _AT_A_TIME, 1):
            light = self._floats(observed[part].take(columns, axis=1), strip.first + part.start)
            np.fmax(light, 0, out=data[part, : len(columns)])
            unseen[part, : len(columns)] = np.isnan(light)
        otf = self._optics.otf[0]
        return likeliest_plane(data, unseen if unseen.any() else None, otf, self._iterations, level)

    def _rows(self, plane: int, strip: Piece) -> Array:
        """All that is looked at for a strip, as it is stored."""
        found = np.empty((strip.last - strip.first, self._laid.shape[2]), self._laid.dtype.newbyteorder("="))
        place = 0
        for part in self._together(strip.first, strip.last):
            rows = self._laid.read(plane, part)
            found[place : place + len(rows)] = rows
            place += len(rows)
        return found

    def _together(self, first: int, last: int) -> Iterator[slice]:
        """Rows that are best read together, from one to another on a plane that goes round."""
        _, height, width = self._laid.shape
        step = self._laid.row_step
        step *= max(1, _AT_A_TIME // (width * self._dtype.itemsize * step))
        while first < last:
            row = first % height
            stop = min(row + step - row % step, height, row + last - first)
            yield slice(row, stop)
            first += stop - row
