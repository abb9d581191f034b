"""A patch of a plane, with what lies beyond the plane's edges: zeros, or the edge pixels going on."""

from __future__ import annotations

from restoretk._arrays import Array
from restoretk.convolution._windows import overlap


def load_patch(patch: Array, source: Array, top: int, left: int, edge: bool) -> None:
    """Fill the patch with the source from (top, left) on, and with what lies beyond the source."""
    rows, from_rows = _met(patch.shape[0], source.shape[0], top, edge)
    columns, from_columns = _met(patch.shape[1], source.shape[1], left, edge)
    patch[rows, columns] = source[from_rows, from_columns]
    patch[: rows.start, columns] = patch[rows.start, columns] if edge else 0
    patch[rows.stop :, columns] = patch[rows.stop - 1, columns] if edge else 0
    patch[:, : columns.start] = patch[:, columns.start, None] if edge else 0
    patch[:, columns.stop :] = patch[:, columns.stop - 1, None] if edge else 0


def _met(length: int, size: int, start: int, edge: bool) -> tuple[slice, slice]:
    """The part of a patch's side that lies on the source, and where; for ``edge`` it is at least the nearest pixel."""
    into, taken = overlap(length, size, 1, start)
    if edge and into.stop == 0:
        return (slice(0, 1), slice(size - 1, size)) if start > 0 else (slice(length - 1, length), slice(0, 1))
    return into, taken
