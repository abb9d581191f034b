"""A file in, a file out, with as much memory as one says."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._version import __version__
from restoretk.blockwise.choosing import check_options
from restoretk.blockwise.extended import EXTENDED
from restoretk.blockwise.journal import Journal, was_begun
from restoretk.blockwise.light import space_of
from restoretk.blockwise.overlapping import OVERLAPPING, do_overlapping
from restoretk.blockwise.stores import StoreError, make_sink, open_source
from restoretk.blockwise.sweeping import do_in_sweeps
from restoretk.blockwise.task import Task
from restoretk.psf import check_psf
from restoretk.restoration import spelled_out


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
    progress: Callable[[float], None] | None = None,
    space: str = "srgb",
    **options: Any,
) -> dict[str, Any]:
    """Restore a picture that need not fit in memory: what the method gives for the whole, to rounding.

    Three sweeps over the file: rows are transformed into a scratch file, columns are transformed, filtered and transformed
    back, rows are transformed back into the output. There are no tiles, and no seams. For the boundary ``unknown``, the
    default as everywhere, the scene beyond the frame is solved for in memory, of which it takes no more than the frame does
    along its edges.

    ``with scipy.fft.set_workers(n):`` has n threads at work.

    Richardson-Lucy, whose steps look no further than the PSF does, works on blocks that overlap by all that they can reach:
    (iterations - 1) times the extent of the PSF and its radius. No pixel feels where the blocks were cut, and no smaller
    overlap is taken: where there is no memory for it, an error says how much is needed.

    ``boundary`` may also be wrap, reflect, symmetric, edge or constant. Masks, weights and ``per_channel`` are not to be had:
    they are iterated over the whole picture, at several sweeps a step, and blocks that overlap would differ from the whole by
    more than could be bounded. Richardson-Lucy takes ``mask="nan"``.

    Parameters
    ----------
    source : path
        A TIFF or BigTIFF (plain or deflated, grey or RGB, any number of alike pages), a Zarr array or OME-Zarr picture (its
        finest level), or a .npy file. Each plane, and each sample of a colour, is restored by itself; one strength serves
        all.
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
    progress : callable or None
        Is told the share of the work that is done.
    space : str
        ``srgb``: the numbers as they stand. ``auto`` decodes photographs (a TIFF of 8 bits, or of 16 in colour or with a
        profile) to linear light, in which blur happens, and writes them as they were; ``linear`` as well, see
        `restoretk.tone_curve.choose_working_space`.
    **options
        Those of the method.

    Returns
    -------
    dict
        The method, its parameters, shape, dtype, the space, how many pixels were clipped, what was left behind beside the
        pixels, warnings; of blocks that overlap the ``halo``: by how many rows and columns on every side.

    Raises
    ------
    TypeError, ValueError, OSError
        For a picture, PSF or option that cannot be used, too little memory, an output that is there, a full disk, or another
        process at the same work.
    """
    source, output = Path(source), Path(output)
    if not isinstance(memory, (int, np.integer)):
        raise TypeError(f"memory must be a whole number of bytes, got {memory!r}")
    method, options = spelled_out(method, options)
    options.setdefault("boundary", "unknown")
    check_options(options, ("wrap", *EXTENDED, "unknown"), "in blocks", OVERLAPPING.get(method, ()))
    kernel = check_psf(psf).astype(np.float64)
    if kernel.ndim != 2:
        raise ValueError(f"psf must have two axes, got shape {kernel.shape}")
    check_output(source, output, overwrite=overwrite, resume=resume)
    if scratch is not None and not Path(scratch).is_dir():
        raise FileNotFoundError(f"the scratch folder {scratch} does not exist")
    opened = naming(source, lambda: open_source(source))
    try:
        chosen = naming(source, lambda: space_of(opened, space))
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
            "space": chosen.words,
        }
        task = Task(kernel, method, options, memory, progress or _told_nobody, chosen)
        with work_folder(output, scratch, resume=resume, overwrite=overwrite) as (folder, scratch_folder):
            journal = Journal(folder / "journal", work, resume=resume)
            sink = None
            try:
                sink = naming(output, lambda: make_sink(folder, output, opened, resume=journal.resumed))
                places = (folder, scratch_folder)
                if method in OVERLAPPING:
                    found = naming(source, lambda: do_overlapping(task, opened, sink, output, journal))
                else:
                    found = naming(source, lambda: do_in_sweeps(task, opened, sink, output, *places, journal))
            except (ValueError, TypeError):
                if not journal.resumed:  # wrong data or options: there is nothing to go on with
                    for each in {folder, scratch_folder}:
                        shutil.rmtree(each)
                raise
            finally:
                journal.close()
                if sink is not None:
                    sink.close()
            shutil.rmtree(folder)
    finally:
        opened.close()
    return {**found, "left_behind": opened.left_behind}


def _told_nobody(_share: float) -> None:
    """Progress that nobody wants to know of."""


def check_output(source: Path, output: Path, *, overwrite: bool, resume: bool = False) -> None:
    """Raise OSError for an output that may not be made."""
    if not output.parent.is_dir():
        raise FileNotFoundError(f"the folder of the output {output} does not exist: {output.parent}")
    if output.exists() and source.exists() and source.samefile(output):
        raise FileExistsError(f"the output {output} is the same as the input: give it another name")
    if output.exists() and not overwrite:
        finished = ", and no work on it is unfinished" if resume and not unfinished(output).exists() else ""
        raise FileExistsError(f"the output {output} exists{finished}: overwrite=True replaces it")
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


def unfinished(output: Path) -> Path:
    """The folder beside an output in which it is made."""
    return output.parent / f".restoretk-{output.name}"


def unfinished_work(output: Path) -> Path | None:
    """The folder of work that was begun and can be gone on with."""
    folder = unfinished(output)
    return folder if was_begun(folder / "journal") else None


@contextmanager
def work_folder(
    output: Path, scratch: str | Path | None, *, resume: bool, overwrite: bool
) -> Iterator[tuple[Path, Path]]:
    """The folder in which an output is made, held by this process alone, and the one for the scratch file.

    Raises
    ------
    FileExistsError
        For work that was cut off and is neither to be gone on with nor to be begun anew.
    BlockingIOError
        If another process holds it.
    """
    folder = unfinished(output)
    folder.mkdir(exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(f"another process is making {output}") from None
        if unfinished_work(output) and not (resume or overwrite):
            raise FileExistsError(
                f"work on {output} was cut off and is kept in {folder}: resume=True goes on with it, overwrite=True begins "
                f"anew"
            )
        for_scratch = _scratch_folder(output, folder, None if scratch is None else Path(scratch), resume=resume)
        yield folder, for_scratch
        if for_scratch != folder:
            shutil.rmtree(for_scratch)
    finally:
        os.close(lock)


def _scratch_folder(output: Path, folder: Path, scratch: Path | None, *, resume: bool) -> Path:
    """The folder for the scratch file: where work that goes on has its own, unless another place is asked for."""
    note = folder / "scratch"
    key = hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:16]
    before = Path(note.read_text("utf-8")) / f".restoretk-{key}" if note.exists() else None
    if resume and scratch is None and before is not None and before.is_dir():
        return before
    wanted = folder if scratch is None else scratch / f".restoretk-{key}"
    if before is not None and before.is_dir() and before.resolve() != wanted.resolve():
        shutil.rmtree(before)
    if scratch is None:
        note.unlink(missing_ok=True)
        return folder
    try:
        wanted.mkdir(exist_ok=True)
    except OSError:
        if not was_begun(folder / "journal"):
            shutil.rmtree(folder)
        raise
    note.write_text(str(scratch.resolve()), "utf-8")
    return wanted


def naming(path: Path, make: Callable[[], Any]) -> Any:
    """The result, what is wrong with a store said with its name."""
    try:
        return make()
    except StoreError as error:
        named = StoreError(str(error) if error.named else f"{path} {error}")
        named.named = True
        raise named from None
