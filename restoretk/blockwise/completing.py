"""What lies beyond the frames of planes out of core, estimated with them: the boundary ``unknown``.

The ring around a frame is small. It is solved for in memory, with a matrix that is worked out and used a few columns at a
time (`restoretk.restoration._ring_product`); the frame itself is read from the scratch file once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from restoretk._arrays import Array
from restoretk.blockwise.engine import Engine, Progress
from restoretk.blockwise.journal import Journal
from restoretk.blockwise.scratch import checksum
from restoretk.convolution.sweeps import RowBlocks
from restoretk.restoration._optics import Optics
from restoretk.restoration._planes import Planes
from restoretk.restoration._precision import Precision
from restoretk.restoration._ring import Ring, SideInverses
from restoretk.restoration._ring_product import RingProduct, RingSum, rows_of
from restoretk.restoration.signal_spectrum import fit_frames
from restoretk.restoration.unknown_boundary import ITERATIONS, TOLERANCE, solve_unknown

_FIELDS = 10  # as large as the ring, in use at a time


class LevelFree:
    """The precision of a plane, some columns at a time, by the spectrum fitted to its frame; its mean is left free."""

    def __init__(self, frame: RowBlocks, optics: Optics) -> None:
        self._precision = Precision(fit_frames([frame], optics.psfs[0]), optics, 0)

    def __call__(self, columns: slice) -> Array:
        """The values in some columns."""
        values = self._precision.columns(columns)
        if columns.start == 0:
            values = values.copy()
            values[0, 0] = 0
        return values


class Rings:
    """The rings around planes: what is to be added to a first guess of them, the symmetric boundary.

    Parameters
    ----------
    planes : Planes
        The frames.
    optics : Optics
        On the torus.
    folder : Path
        Where the rings are kept, so that work that was cut off goes on with them.
    """

    def __init__(self, planes: Planes, optics: Optics, folder: Path, journal: Journal) -> None:
        self._planes, self._optics, self._folder, self._journal = planes, optics, folder, journal
        self._ring = Ring(planes.plane(0).shape, optics.torus)

    def bytes(self) -> int:
        """About the memory that solving for one takes at most, beside the blocks of the engine."""
        return SideInverses.bytes_of(self._ring) + _FIELDS * self._ring.size * self._optics.dtype.itemsize

    def solve(self, engine: Engine, progress: Progress) -> None:
        """Find every ring that is not there, by the rows that the engine transforms; as `extend_unknown` does it."""
        count = len(self._planes)
        for plane in range(count):
            if self._read(plane) is None:

                def work(plane: int = plane) -> None:
                    self._solve(plane, engine, lambda share: progress((plane + share) / count))

                engine.once_more_if_damaged(plane, work)
                if count > 1:
                    engine.forget(plane)  # the next plane takes its place

    def added(self, plane: int) -> Callable[[slice | Array], Array]:
        """What a ring adds to the half spectra of the rows of its plane."""
        found = self._read(plane)
        assert found is not None  # noqa: S101 - they have been solved for
        return rows_of(self._ring, found)

    def _file(self, plane: int) -> Path:
        return self._folder / f"ring-{plane}.npy"

    def _read(self, plane: int) -> Array | None:
        sums = self._journal.done("ring", plane)
        if sums is None or not self._file(plane).exists():
            return None
        try:
            found: Array = np.load(self._file(plane), allow_pickle=False)
        except (ValueError, EOFError):
            return None
        return found if checksum(found) == sums[0] else None

    def _solve(self, plane: int, engine: Engine, progress: Progress) -> None:
        ring, dtype = self._ring, self._optics.dtype
        engine.rest()
        precision = LevelFree(self._planes.plane(plane), self._optics)
        engine.transform(plane, lambda share: progress(0.15 * share))
        product, residual = RingProduct(ring, precision, dtype), RingSum(ring, dtype)
        for columns, block in engine.row_spectra(plane):
            residual.add(-product.columns(block, columns), columns)
        del block  # the last holder of the memory of a block
        engine.rest()
        steps = 0

        def applied(field: Array) -> Array:
            nonlocal steps
            steps += 1
            progress(0.2 + 0.8 * steps / (ITERATIONS + 1))
            return product(field)

        found = np.zeros(ring.size, dtype)
        solve_unknown(found, residual.field(), applied, SideInverses(ring, precision), ITERATIONS, TOLERANCE)
        part = self._file(plane).with_suffix(".part.npy")
        np.save(part, found, allow_pickle=False)
        part.replace(self._file(plane))
        self._journal.add("ring", plane, sums=[checksum(found)])
