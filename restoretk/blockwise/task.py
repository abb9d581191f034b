"""One picture larger than memory: the filter is chosen, what lies beyond the frame is found, the sweeps are done."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array, dark_integers
from restoretk._version import __version__
from restoretk.blockwise.choosing import choose_filter, columns_to_look_at, is_fixed
from restoretk.blockwise.completing import Rings
from restoretk.blockwise.engine import (
    Added,
    Encode,
    Engine,
    Layout,
    Progress,
    Room,
    as_floats,
    as_it_is,
    nothing_added,
    working_dtype,
)
from restoretk.blockwise.extended import ExtendedSource
from restoretk.blockwise.journal import Journal
from restoretk.blockwise.light import LightSource
from restoretk.blockwise.stores import Sink, Source
from restoretk.convolution._lines import lines
from restoretk.convolution.sweeps import blocks
from restoretk.restoration._cautions import seam_sentence
from restoretk.restoration._frequency_domain import LinearFilter
from restoretk.restoration._optics import Optics
from restoretk.restoration._torus import torus_for
from restoretk.restoration.signal_spectrum import bytes_of_fit
from restoretk.tone_curve import WorkingSpace

_SUB_BLOCK = 1 << 18  # bytes of rows transformed at a time
_SUB_COLUMNS = 1 << 22
_AROUND = {"unknown": "symmetric"}  # the first guess
_SOLVING = 0.7  # of the time, for a boundary that is solved for
_BANDS, _ROWS_OF_BAND = 8, 16  # what is looked at for a seam between the first column and the last


@dataclass(frozen=True)
class Task:
    """What is to be done: ``options`` are those of the method, with a boundary; ``memory`` is in bytes."""

    psf: Array
    method: str
    options: Mapping[str, Any]
    memory: int
    progress: Progress
    space: WorkingSpace


def do_task(
    task: Task, source: Source, sink: Sink, output: Path, folder: Path, scratch_folder: Path, journal: Journal
) -> dict[str, Any]:
    """Do what is not done yet, and give the output its name; what `restoretk.blockwise.restore_file` says of it."""
    boundary = str(task.options["boundary"])
    rows, columns = torus_for(source.shape[1:], task.psf.shape, boundary)
    torus = (rows, columns)
    lit: Source = source
    encode: Encode = as_it_is
    if task.space.curves:
        lit = light = LightSource(source, task.space)
        encode = light.encode
    planes = SourcePlanes(lit)
    laid = lit if boundary == "wrap" else ExtendedSource(lit, torus, _AROUND.get(boundary, boundary))
    rings = None
    if boundary in _AROUND:
        rings = Rings(planes, Optics((task.psf,), torus, planes.dtype), folder, journal)
    fixed = is_fixed(task.method, task.options)
    lines()
    fits = 0
    if rings is not None or not fixed:
        importlib.import_module("scipy.optimize")  # its memory is counted before the blocks are cut
        fits = bytes_of_fit(1 if fixed else len(planes), source.shape[1:], task.psf.shape, planes.dtype.itemsize)
    room = Room(task.memory, besides=0 if rings is None else rings.bytes(), at_least=fits)
    layout = _layout(room, laid, math.lcm(source.row_step, sink.row_step), journal)
    engine = Engine(
        laid, sink, (source.shape[1], source.shape[2]), source.dtype, encode, layout, scratch_folder, journal
    )
    try:
        added: Added = nothing_added
        solved = 0.0
        if rings is not None:
            rings.solve(engine, lambda share: task.progress(_SOLVING * share))
            added, solved = rings.added, _SOLVING
        engine.rest()
        sample = None if fixed else _sample(laid, added, folder / "sample.npy", resume=journal.resumed)
        decided = choose_filter(planes, torus, task.psf, task.method, task.options, sample)
        del sample
        engine.run(partial(_multiply, decided), lambda share: task.progress(solved + (1 - solved) * share), added)
        clipped = engine.clipped
    finally:
        engine.close()
    record = {"method": task.method, **decided.parameters, "boundary": boundary, "restoretk": __version__}
    sink.commit(output, record)
    warnings = [
        *_begun_anew(journal),
        *_seam(planes, boundary),
        _dark_integers(source),
        task.space.warning,
        *decided.warnings,
    ]
    return {
        "method": task.method,
        "parameters": dict(decided.parameters),
        "noise_sigma": decided.noise_sigma,
        "shape": source.shape,
        "dtype": str(source.dtype),
        "boundary": boundary,
        "space": task.space.words,
        "clipped": clipped,
        "warnings": [each for each in warnings if each],
    }


def _begun_anew(journal: Journal) -> list[str]:
    """A warning where work was to be gone on with that was not the same."""
    if not journal.differing:
        return []
    return [f"the work that had been begun was another ({', '.join(journal.differing)} differed): all was done anew"]


def _dark_integers(source: Source) -> str:
    """A warning for integers that are small for their dtype, from a few bands of rows."""
    if source.dtype.kind == "f" or source.dtype.itemsize <= 2:
        return ""
    planes, rows, _ = source.shape
    starts = np.linspace(0, max(0, rows - _ROWS_OF_BAND), _BANDS).astype(int)
    bands = [slice(int(start), min(int(start) + _ROWS_OF_BAND, rows)) for start in starts]
    return dark_integers(np.stack([source.read(plane, band) for plane in range(planes) for band in bands]), "image")


def _seam(planes: SourcePlanes, boundary: str) -> list[str]:
    """A warning where opposite edges are taken for neighbours and are none; columns are looked at in a few bands of rows."""
    if boundary != "wrap":
        return []
    for index in range(len(planes)):
        plane = planes.plane(index)
        rows, columns = plane.shape
        if rows >= 4 and (sentence := seam_sentence(np.concatenate([plane[-2:], plane[:2]]), 0)):
            return [sentence]
        if columns >= 4:
            starts = np.linspace(0, max(0, rows - _ROWS_OF_BAND), _BANDS).astype(int)
            bands = np.concatenate([plane[start : start + _ROWS_OF_BAND][:, [-2, -1, 0, 1]] for start in starts])
            if sentence := seam_sentence(bands, 1):
                return [sentence]
    return []


def _layout(room: Room, source: Source, row_step: int, journal: Journal) -> Layout:
    """The blocks of this work: those it was begun in, which the steps that are done are counted in, else what fits."""
    begun = journal.done("layout")
    if begun is not None:
        layout = Layout(begun[0], begun[1], source.shape[1])
        layout.check(room, source)
        return layout
    layout = Layout.within(room, source, row_step)
    journal.add("layout", sums=[layout.rows, layout.columns])
    return layout


def _multiply(decided: LinearFilter, block: Array, _plane: int, columns: slice) -> None:
    decided.filter.multiply(block, index=0, columns=columns)


class SourcePlanes:
    """The planes of a source as the choice of a filter wants them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.dtype = working_dtype(source.dtype)

    @property
    def whole(self) -> Array:
        """All of them, for a small picture."""
        return np.stack([self.plane(index)[:] for index in range(len(self))])

    def __len__(self) -> int:
        return self._source.shape[0]

    def plane(self, index: int) -> SourceRows:
        """One of them."""
        return SourceRows(self._source, index)


class SourceRows:
    """A plane of which rows are read as floats."""

    def __init__(self, source: Source, index: int) -> None:
        self._source, self._index = source, index
        self.shape: tuple[int, ...] = source.shape[1:]
        self.dtype = working_dtype(source.dtype)

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(self.shape[0])
        return as_floats(self._source.read(self._index, slice(start, stop)), start)

    def __setitem__(self, rows: slice, values: Array) -> None:
        raise TypeError("a source is not written to")


def _sample(source: Source, added: Added, file: Path, *, resume: bool) -> Array:
    """The spectra of all planes in the columns that are looked at; kept in a file for work that goes on."""
    if resume and file.exists():
        return np.asarray(np.load(file, allow_pickle=False))
    planes, rows, columns = source.shape
    chosen = columns_to_look_at((rows, columns))
    dtype = working_dtype(source.dtype)
    sample = np.empty((planes, rows, len(chosen)), np.result_type(dtype, np.complex64))
    transforms = lines()
    step = max(source.row_step, _SUB_BLOCK // (columns * dtype.itemsize) // source.row_step * source.row_step)
    for plane in range(planes):
        for start in range(0, rows, step):
            stored = source.read(plane, slice(start, min(start + step, rows)))
            for part in blocks(len(stored), columns * dtype.itemsize, _SUB_BLOCK, 1):
                spectra = np.empty((part.stop - part.start, columns // 2 + 1), sample.dtype)
                transforms.rows(as_floats(stored[part], start), spectra)
                sample[plane, start + part.start : start + part.stop] = spectra[:, chosen]
        beyond = added(plane)
        if beyond is not None:
            sample[plane] += beyond(chosen)
        for part in blocks(len(chosen), rows * sample.itemsize, _SUB_COLUMNS, 1):
            sample[plane, :, part] = transforms.columns(sample[plane, :, part])
    part_file = file.with_name("sample.part.npy")
    np.save(part_file, sample, allow_pickle=False)
    part_file.replace(file)
    return sample
