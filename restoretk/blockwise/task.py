"""What is to be done with one picture larger than memory, and what is said of it when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from restoretk._arrays import Array, dark_integers
from restoretk._version import __version__
from restoretk.blockwise.engine import Progress, as_floats, with_holes
from restoretk.blockwise.journal import Journal
from restoretk.blockwise.light import LightSource
from restoretk.blockwise.result import Encode, as_it_is
from restoretk.blockwise.source_planes import SourcePlanes
from restoretk.blockwise.stores import Source
from restoretk.restoration._cautions import seam_sentence
from restoretk.tone_curve import WorkingSpace

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

    @property
    def boundary(self) -> str:
        """What lies beyond the frame."""
        return str(self.options["boundary"])

    @property
    def floats(self) -> Callable[[Array, int], Array]:
        """What makes floats of stored rows, told the number of the first: NaN where a mask lets pixels be missing."""
        return as_floats if self.options.get("mask") is None else with_holes

    def lit(self, source: Source) -> tuple[Source, Encode]:
        """The source in the light in which to work, and what makes stored numbers of that again."""
        if not self.space.curves:
            return source, as_it_is
        light = LightSource(source, self.space)
        return light, light.encode

    def made_by(self, parameters: Mapping[str, float | str]) -> dict[str, Any]:
        """The record that is kept beside the pixels."""
        return {"method": self.method, **parameters, "boundary": self.boundary, "restoretk": __version__}

    def outcome(
        self,
        source: Source,
        planes: SourcePlanes,
        journal: Journal,
        parameters: Mapping[str, float | str],
        clipped: int,
        warnings: Sequence[str],
        **more: Any,
    ) -> dict[str, Any]:
        """What `restoretk.blockwise.restore_file` says; the warnings of any method are put before those given."""
        found = [
            *_begun_anew(journal),
            *seam(planes, self.boundary),
            _dark_integers(source),
            self.space.warning,
            *warnings,
        ]
        return {
            "method": self.method,
            "parameters": dict(parameters),
            **more,
            "shape": source.shape,
            "dtype": str(source.dtype),
            "boundary": self.boundary,
            "space": self.space.words,
            "clipped": clipped,
            "warnings": [each for each in found if each],
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
    highest = max(int(source.read(plane, band).max()) for plane in range(planes) for band in bands)
    return dark_integers(np.array([highest], source.dtype), "image")


def seam(planes: SourcePlanes, boundary: str) -> list[str]:
    """A warning where opposite edges are taken for neighbours and are none; columns are looked at in a few bands of rows."""
    if boundary != "wrap":
        return []
    for index in range(len(planes)):
        plane = planes.plane(index)
        rows, columns = plane.shape
        if rows >= 4 and (sentence := seam_sentence(np.nan_to_num(np.concatenate([plane[-2:], plane[:2]])), 0)):
            return [sentence]
        if columns >= 4:
            starts = np.linspace(0, max(0, rows - _ROWS_OF_BAND), _BANDS).astype(int)
            bands = np.concatenate([plane[start : start + _ROWS_OF_BAND][:, [-2, -1, 0, 1]] for start in starts])
            if sentence := seam_sentence(np.nan_to_num(bands), 1):
                return [sentence]
    return []
