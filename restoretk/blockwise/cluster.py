"""A Zarr in, a Zarr out, on the workers of a Dask cluster."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._version import __version__
from restoretk.blockwise.dask_graph import dask_restoration
from restoretk.blockwise.engine import with_holes
from restoretk.blockwise.files import check_output, naming, work_folder
from restoretk.blockwise.source_planes import SourcePlanes
from restoretk.blockwise.stores import StoreError
from restoretk.blockwise.task import seam
from restoretk.blockwise.zarr_store import ZarrSink, ZarrSource
from restoretk.restoration import spelled_out

_PATIENCE = "10s"


def restore_zarr_on_cluster(
    scheduler: str,
    source: str | Path,
    psf: npt.ArrayLike,
    output: str | Path,
    method: str = "wiener",
    *,
    overwrite: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Restore a Zarr or OME-Zarr on a Dask cluster: the pixels of `restore_file`, by `restore_dask`.

    How many values were clipped, and how many were below 0, is not counted there.

    Parameters
    ----------
    scheduler : str
        The address of the scheduler, ``tcp://host:port``. All workers must see both folders under these names.
    source, psf, output, method, overwrite, **options
        As for `restore_file`. The output appears when it is whole.

    Raises
    ------
    TypeError, ValueError, OSError
        As `restore_file`, and for a scheduler that does not answer.
    """
    try:
        import dask.array as da
    except ModuleNotFoundError:
        raise StoreError('a cluster needs the extra scale: pip install "restoretk[scale]"') from None
    source, output = Path(source), Path(output)
    method, options = spelled_out(method, options)
    boundary = options.setdefault("boundary", "unknown")
    check_output(source, output, overwrite=overwrite)
    opened = naming(source, lambda: ZarrSource(source))
    with connect(scheduler), work_folder(output, None, resume=False, overwrite=overwrite) as (folder, _):
        try:
            sink = naming(output, lambda: ZarrSink(folder, opened, resume=False))
            found = dask_restoration(da.from_zarr(opened.array), psf, method, **options)
            restored, parameters = found.image, dict(found.parameters)
            rows = sink.row_step
            step = max(rows, restored.chunks[-2][0] // rows * rows)
            # Whole chunks to one task each: two that wrote to the same would undo each other's work.
            whole = restored.rechunk({restored.ndim - 2: step, restored.ndim - 1: -1})
            whole.store(sink.array, lock=False, compute=True)
            sink.commit(output, {"method": method, **parameters, "boundary": boundary, "restoretk": __version__})
        finally:  # work on a cluster is not gone on with
            shutil.rmtree(folder)
    return {
        "method": method,
        "parameters": parameters,
        "boundary": boundary,
        "shape": opened.shape,
        "dtype": str(np.dtype(opened.dtype)),
        **({} if found.halo is None else {"halo": found.halo}),
        "warnings": (*seam(SourcePlanes(opened, with_holes), boundary), *found.warnings),
        "left_behind": opened.left_behind,
    }


def connect(scheduler: str) -> Any:
    """A client of the scheduler; OSError where it does not answer."""
    from distributed import Client

    try:
        return Client(scheduler, timeout=_PATIENCE, set_as_default=True)
    except (OSError, ValueError) as error:
        raise OSError(f"the scheduler {scheduler} does not answer: {' '.join(str(error).split())}") from None
