"""Pictures larger than memory, restored exactly: in sweeps or in blocks that overlap, out of core and as a Dask graph."""

from __future__ import annotations

from restoretk.blockwise.cluster import restore_zarr_on_cluster
from restoretk.blockwise.dask_graph import restore_dask
from restoretk.blockwise.files import restore_file
from restoretk.blockwise.stores import StoreError

__all__ = ["StoreError", "restore_dask", "restore_file", "restore_zarr_on_cluster"]
