"""A file in, a file out, with as much memory as one says."""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array
from restoretk._version import __version__
from restoretk.blockwise.choosing import check_options, choose_filter, columns_to_look_at, is_fixed
from restoretk.blockwise.engine import Engine, Layout, as_floats, working_dtype
from restoretk.blockwise.extended import EXTENDED, ExtendedSource, torus_for
from restoretk.blockwise.journal import Journal
from restoretk.blockwise.stores import Source, StoreError, make_sink, open_source
from restoretk.convolution._lines import lines
from restoretk.convolution.sweeps import blocks
from restoretk.psf import check_psf
from restoretk.restoration import spelled_out
from restoretk.restoration._frequency_domain import LinearFilter

_SUB_BLOCK = 1 << 18


def restore_file(
    source: str | Path,
    psf: npt.ArrayLike,
    output: str | Path,
    method: str = "wiener",
    *,
    memory: int = 300 << 20,
    scratch: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[float], None] = lambda share: None,  # noqa: ARG005 - its name is what it is told
    **options: Any,
) -> dict[str, Any]:
    """Restore a picture that need not fit in memory: exactly what the method gives with ``boundary="wrap"``, the default.

    Three sweeps over the file: rows are transformed into a scratch file, columns are transformed, filtered and transformed
    back, rows are transformed back into the output. There are no tiles, and no seams.

    With a given strength ``boundary`` may also be reflect, symmetric, edge or constant, as exactly. What is iterated over the
    whole picture (the boundary ``unknown``, masks, weights) is not to be had in blocks: blocks that overlap would differ from
    the whole near the frame and around holes by more than could be bounded.

    Parameters
    ----------
    source : path
        A TIFF or BigTIFF (plain or deflated, grey or RGB, any number of alike pages), a Zarr array or OME-Zarr picture (its
        finest level), or a .npy file. Each plane, and each sample of a colour, is restored by itself; one strength serves
        all. Numbers are taken as linear in light.
    psf : array_like of two axes
        As for the method.
    output : path
        Ends in .tif, .tiff, .btf, .zarr or .npy. It appears when it is whole.
    method : str
        A name in METHODS or a spec such as ``wiener:noise_to_signal=0.01``. A rule such as ``gcv`` reads the picture once
        more.
    memory : int
        Bytes that the whole process may take.
    scratch : path or None
        A folder for the scratch file, which takes as much as one plane in float32 (8 bytes for 2 pixels) and a little more;
        None puts it beside the output.
    resume : bool
        Whether to go on with work of the same kind that was cut off.
    overwrite : bool
        Whether an output that is there may be replaced.
    progress : callable
        Is told the share of the work that is done.
    **options
        Those of the method.

    Returns
    -------
    dict
        The method, its parameters, shape, dtype, what was left behind beside the pixels, warnings.

    Raises
    ------
    TypeError, ValueError, OSError
        For a picture, PSF or option that cannot be used, too little memory, an output that is there, a full disk, or another
        process at the same work.
    """
    source, output = Path(source), Path(output)
    method, options = spelled_out(method, options)
    check_options(method, options, ("wrap", *EXTENDED))
    kernel = check_psf(psf).astype(np.float64)
    if kernel.ndim != 2:
        raise ValueError(f"psf must have two axes, got shape {kernel.shape}")
    check_output(source, output, overwrite=overwrite)
    if scratch is not None and not Path(scratch).is_dir():
        raise FileNotFoundError(f"the scratch folder {scratch} does not exist")
    opened = naming(source, lambda: open_source(source))
    try:
        _, rows, columns = opened.shape
        if kernel.shape[0] > rows or kernel.shape[1] > columns:
            raise ValueError(f"psf of shape {kernel.shape} is larger than the image {(rows, columns)}")
        work = {
            "restoretk": __version__,
            "input": _identity(source),
            "shape": list(opened.shape),
            "psf": hashlib.sha256(kernel.tobytes() + str(kernel.shape).encode()).hexdigest(),
            "method": method,
            "options": {name: repr(value) for name, value in sorted(options.items())},
        }
        with work_folder(output, scratch) as (folder, scratch_folder):
            found = naming(
                source,
                lambda: _restore(
                    opened,
                    output,
                    folder,
                    scratch_folder,
                    kernel,
                    method,
                    options,
                    work,
                    memory,
                    progress,
                    resume=resume,
                ),
            )
            shutil.rmtree(folder)
    finally:
        opened.close()
    return {**found, "left_behind": opened.left_behind}


def _restore(
    source: Source,
    output: Path,
    folder: Path,
    scratch_folder: Path,
    psf: Array,
    method: str,
    options: Mapping[str, Any],
    work: dict[str, Any],
    memory: int,
    progress: Callable[[float], None],
    *,
    resume: bool,
) -> dict[str, Any]:
    journal = Journal(folder / "journal", work, resume=resume)
    sink = None
    try:
        sink = naming(output, lambda: make_sink(folder, output, source, resume=journal.resumed))
        boundary = str(options.get("boundary", "wrap"))
        torus = torus_for(source.shape[1:], psf.shape, boundary)
        planes = SourcePlanes(source)
        laid: Source = source if boundary == "wrap" else ExtendedSource(source, torus, boundary)
        fixed = is_fixed(method, options)
        sample = None if fixed else _sample(source, folder / "sample.npy", resume=journal.resumed)
        decided = choose_filter(planes, torus, psf, method, options, sample)
        del sample
        layout = _layout(memory, laid, math.lcm(source.row_step, sink.row_step), journal)
        multiply = partial(_multiply, decided)
        engine = Engine(laid, sink, source.shape[1:], source.dtype, multiply, layout, scratch_folder, journal)
        engine.run(progress)
        record = {"method": method, **decided.parameters, "boundary": boundary, "restoretk": __version__}
        sink.commit(output, record)
    except (ValueError, TypeError):
        if not journal.resumed:  # wrong data or options: there is nothing to go on with
            for each in {folder, scratch_folder}:
                shutil.rmtree(each)
        raise
    finally:
        journal.close()
        if sink is not None:
            sink.close()
    return {
        "method": method,
        "parameters": dict(decided.parameters),
        "noise_sigma": decided.noise_sigma,
        "shape": source.shape,
        "dtype": str(source.dtype),
        "warnings": [*_begun_anew(journal), *decided.warnings],
    }


def _begun_anew(journal: Journal) -> list[str]:
    """A warning where work was to be gone on with that was not the same."""
    if not journal.differing:
        return []
    return [f"the work that had been begun was another ({', '.join(journal.differing)} differed): all was done anew"]


def _layout(memory: int, source: Source, row_step: int, journal: Journal) -> Layout:
    """The blocks of this work: those it was begun in, which the steps that are done are counted in, else what fits."""
    begun = journal.done("layout")
    if begun is not None:
        layout = Layout(begun[0], begun[1], source.shape[1])
        layout.check(memory, source)
        return layout
    layout = Layout.within(memory, source, row_step)
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


def _sample(source: Source, file: Path, *, resume: bool) -> Array:
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
        for part in blocks(len(chosen), rows * sample.itemsize, 1 << 22, 1):
            sample[plane, :, part] = transforms.columns(sample[plane, :, part])
    part_file = file.with_name("sample.part.npy")
    np.save(part_file, sample, allow_pickle=False)
    part_file.replace(file)
    return sample


def check_output(source: Path, output: Path, *, overwrite: bool) -> None:
    """Raise OSError for an output that may not be made."""
    if not output.parent.is_dir():
        raise FileNotFoundError(f"the folder of the output {output} does not exist: {output.parent}")
    if output.exists() and source.exists() and source.samefile(output):
        raise FileExistsError(f"the output {output} is the same as the input: give it another name")
    if output.exists() and not overwrite:
        raise FileExistsError(f"the output {output} exists: overwriting it must be asked for (--force)")
    if output.is_dir() and not any((output / name).exists() for name in ("zarr.json", ".zarray", ".zgroup")):
        raise IsADirectoryError(f"the output {output} is a folder that is no Zarr: give another name")


def _identity(source: Path) -> dict[str, Any]:
    """What tells one input from another without reading it all."""
    files = [source] if source.is_file() else sorted(file for file in source.rglob("*") if file.is_file())
    digest = hashlib.sha256()
    for file in files:
        seen = file.stat()
        digest.update(f"{file.relative_to(source.parent)} {seen.st_size} {seen.st_mtime_ns}\n".encode())
    return {"name": source.name, "files": len(files), "digest": digest.hexdigest()}


@contextmanager
def work_folder(output: Path, scratch: str | Path | None) -> Iterator[tuple[Path, Path]]:
    """The folder beside the output in which it is made, held by this process alone, and the one for the scratch file."""
    folder = output.parent / f".restoretk-{output.name}"
    folder.mkdir(exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(f"another process is making {output}") from None
        if scratch is None:
            yield folder, folder
            return
        key = hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:16]
        elsewhere = Path(scratch) / f".restoretk-{key}"
        elsewhere.mkdir(exist_ok=True)
        yield folder, elsewhere
        shutil.rmtree(elsewhere)
    finally:
        os.close(lock)


def naming(path: Path, make: Callable[[], Any]) -> Any:
    """The result, what is wrong with a store said with its name."""
    try:
        return make()
    except StoreError as error:
        named = StoreError(str(error) if error.named else f"{path} {error}")
        named.named = True
        raise named from None
