"""A linear filter on a picture larger than memory: it is chosen, what lies beyond the frame is found, the sweeps are done."""

from __future__ import annotations

import importlib
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.blockwise.choosing import choose_filter, columns_to_look_at, is_fixed
from restoretk.blockwise.completing import Rings
from restoretk.blockwise.engine import (
    Added,
    Engine,
    Layout,
    Room,
    as_floats,
    nothing_added,
    working_dtype,
)
from restoretk.blockwise.extended import FIRST_GUESS, ExtendedSource
from restoretk.blockwise.journal import Journal
from restoretk.blockwise.result import Result
from restoretk.blockwise.source_planes import SourcePlanes
from restoretk.blockwise.stores import Sink, Source
from restoretk.blockwise.task import Task
from restoretk.convolution._lines import lines
from restoretk.convolution.sweeps import blocks
from restoretk.restoration._frame_windows import bytes_of_fit
from restoretk.restoration._frequency_domain import LinearFilter
from restoretk.restoration._optics import Optics
from restoretk.restoration._torus import torus_for

_SUB_BLOCK = 1 << 18  # bytes of rows transformed at a time
_SUB_COLUMNS = 1 << 22
_SOLVING = 0.7  # of the time, for a boundary that is solved for


def do_in_sweeps(
    task: Task, source: Source, sink: Sink, output: Path, folder: Path, scratch_folder: Path, journal: Journal
) -> dict[str, Any]:
    """Do what is not done yet, and give the output its name; what `restoretk.blockwise.restore_file` says of it."""
    boundary = task.boundary
    rows, columns = torus_for(source.shape[1:], task.psf.shape, boundary, estimated=True)
    torus = (rows, columns)
    lit, encode = task.lit(source)
    planes = SourcePlanes(lit)
    laid = lit if boundary == "wrap" else ExtendedSource(lit, torus, FIRST_GUESS.get(boundary, boundary))
    rings = None
    if boundary in FIRST_GUESS:
        rings = Rings(planes, Optics((task.psf,), torus, planes.dtype), folder, journal)
    fixed = is_fixed(task.method, task.options)
    lines()
    fits = 0
    if rings is not None or not fixed:
        importlib.import_module("scipy.optimize")  # its memory is counted before the blocks are cut
        fits = bytes_of_fit(1 if fixed else len(planes), source.shape[1:], task.psf.shape, planes.dtype.itemsize)
    beside = laid.overhead + (0 if rings is None else rings.bytes())
    room = Room(task.memory, besides=beside, at_least=laid.overhead + fits)
    layout = _layout(room, laid, math.lcm(source.row_step, sink.row_step), journal)
    result = Result(sink, source.dtype, encode, journal)
    engine = Engine(laid, result, (source.shape[1], source.shape[2]), layout, scratch_folder, journal)
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
    finally:
        engine.close()
    found = task.outcome(
        source, planes, journal, decided.parameters, result.clipped, decided.warnings, noise_sigma=decided.noise_sigma
    )
    sink.commit(output, task.made_by(decided.parameters))
    return found


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
                spectra = transforms.rows(as_floats(stored[part], start))
                sample[plane, start + part.start : start + part.stop] = spectra[:, chosen]
        beyond = added(plane)
        if beyond is not None:
            sample[plane] += beyond(chosen)
        for part in blocks(len(chosen), rows * sample.itemsize, _SUB_COLUMNS, 1):
            transforms.columns(sample[plane, :, part])
    part_file = file.with_name("sample.part.npy")
    np.save(part_file, sample, allow_pickle=False)
    part_file.replace(file)
    return sample
