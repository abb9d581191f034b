"""How a plane is cut into blocks that overlap: what each of them must see around it, and the memory that it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from restoretk.blockwise.engine import Room, working_dtype
from restoretk.blockwise.stores import Source
from restoretk.restoration._torus import torus_for

#: As large as the torus of a block, in use at a time.
FIELDS = 10

_LEAST = 64  # pixels of a block


@dataclass(frozen=True)
class Piece:
    """A stretch of an axis to be restored, and the stretch that is looked at for it, which may leave a periodic axis."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def within(self) -> slice:
        """Where what is to be restored lies in what is looked at."""
        return slice(self.start - self.first, self.stop - self.first)


@dataclass(frozen=True)
class Cut:
    """An axis cut into pieces.

    Attributes
    ----------
    frame : int
        Pixels to restore.
    laid : int
        Pixels that there are: those of the frame, then those that a boundary lays beyond it.
    periodic : bool
        Whether the last of them is a neighbour of the first; else nobody saw anything beyond the ends.
    halo, side : int
        Pixels that must be seen around a piece; the side of the PSF.
    step : int
        Pixels of a piece.
    """

    frame: int
    laid: int
    periodic: bool
    halo: int
    side: int
    step: int

    @property
    def is_whole(self) -> bool:
        """Whether each piece looks at all of a periodic axis, which then is its torus."""
        return self.periodic and self.step + 2 * self.halo + self.side >= self.laid

    @property
    def pieces(self) -> list[Piece]:
        """The pieces in order."""
        return [self.piece(start) for start in range(0, self.frame, self.step)]

    def piece(self, start: int) -> Piece:
        """The piece from a place on."""
        stop = min(start + self.step, self.frame)
        if self.is_whole:
            return Piece(start, stop, 0, self.laid)
        first, last = start - self.halo, stop + self.halo
        return (
            Piece(start, stop, first, last)
            if self.periodic
            else Piece(start, stop, max(first, 0), min(last, self.laid))
        )

    def torus(self, piece: Piece) -> int:
        """The periodic axis that a piece is worked on in: beyond what it looks at there is room for the PSF."""
        length = piece.last - piece.first
        return length if self.is_whole else torus_for((length,), (self.side,), "unknown")[0]

    @property
    def widest(self) -> int:
        """The longest of these."""
        return self.torus(self.largest)

    @property
    def largest(self) -> Piece:
        """The piece that looks at most: one of the first, which see the beginning no more, if they do not see the end."""
        away = math.ceil(self.halo / self.step) + 1
        return max(
            map(self.piece, range(0, self.frame, self.step)[: away + 1]), key=lambda piece: piece.last - piece.first
        )


@dataclass(frozen=True)
class Tiling:
    """A plane cut into blocks: strips of rows, each cut along its columns."""

    rows: Cut
    columns: Cut

    @classmethod
    def within(cls, room: Room, uncut: Tiling, source: Source, laid: Source, row_step: int) -> Tiling:
        """The blocks for which there is room that overlap by the smallest share of their work.

        Raises
        ------
        ValueError
            If there is none for blocks as long as what they must see on either side.
        """
        height = min(math.ceil(max(uncut.rows.halo, _LEAST) / row_step) * row_step, uncut.rows.frame)
        width = min(max(uncut.columns.halo, _LEAST), uncut.columns.frame)
        best = uncut.cut(height, width)
        best.check(room, source, laid)
        tiles = math.ceil(uncut.columns.frame / width)
        for strips in range(1, math.ceil(uncut.rows.frame / height) + 1):
            tall = math.ceil(uncut.rows.frame / strips / row_step) * row_step
            while tiles:  # a lower block may be wider
                tiling = uncut.cut(tall, math.ceil(uncut.columns.frame / tiles))
                if room.taken(tiling.bytes(source, laid)) > room.memory:
                    break
                best = min(best, tiling, key=lambda each: each.work)
                tiles -= 1
        return best

    def cut(self, rows: int, columns: int) -> Tiling:
        """The same plane in blocks of other sides."""
        return Tiling(replace(self.rows, step=rows), replace(self.columns, step=columns))

    @property
    def work(self) -> int:
        """The pixels that are worked on for a plane, if all blocks are as the largest."""
        return math.prod(math.ceil(cut.frame / cut.step) * cut.widest for cut in (self.rows, self.columns))

    def bytes(self, source: Source, laid: Source) -> int:
        """What a strip takes as it is read and as it is written, and a block of it while it is worked on."""
        tallest = self.rows.largest.last - self.rows.largest.first
        chunk = min(laid.row_step, self.rows.laid)
        read = (tallest + chunk) * self.columns.laid * laid.dtype.itemsize
        written = min(self.rows.step, self.rows.frame) * self.columns.frame * source.dtype.itemsize
        block = FIELDS * self.rows.widest * self.columns.widest * working_dtype(laid.dtype).itemsize
        return read + written + block

    def check(self, room: Room, source: Source, laid: Source) -> None:
        """Raise ValueError where there is no room for these blocks."""
        needed = room.taken(self.bytes(source, laid))
        if needed > room.memory:
            raise ValueError(
                f"memory must be at least {-(-needed >> 20)} MiB for blocks of {self.rows.step} x {self.columns.step} pixels "
                f"that overlap by {self.rows.halo} x {self.columns.halo} on every side, and no smaller overlap is safe "
                f"(fewer iterations need a smaller one), got {room.memory >> 20} MiB"
            )
