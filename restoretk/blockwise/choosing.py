"""The filter for planes that nobody holds in memory: made from the PSF, and from a few columns of their spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk._grammar import OptionError
from restoretk.convolution.sweeps import LARGE
from restoretk.restoration import decide_on
from restoretk.restoration._column_sample import GivenSample
from restoretk.restoration._frequency_domain import LinearFilter
from restoretk.restoration._optics import Optics
from restoretk.restoration._periodogram import drawn_columns
from restoretk.restoration._planes import Planes
from restoretk.restoration._problem import Problem

_NOT_IN_BLOCKS = ("mask", "weights", "per_channel", "boundary")


def check_options(method: str, options: Mapping[str, Any], boundaries: tuple[str, ...] = ("wrap",)) -> None:
    """Raise OptionError for an option that needs more than a block at a time."""
    for name in _NOT_IN_BLOCKS[:-1]:
        if options.get(name) is not None and options[name] is not False:
            raise OptionError(
                f"{name} {options[name]!r} cannot be had in blocks: it is iterated over the whole picture"
            )
    boundary = options.get("boundary", "wrap")
    if boundary not in boundaries:
        raise OptionError(f"boundary must be one of {', '.join(boundaries)} to be had in blocks, got {boundary!r}")
    if boundary != "wrap" and not (is_fixed(method, options) and np.ndim(options.get("noise_to_signal", 0.0)) == 0):
        name = "noise_to_signal" if method == "wiener" else "regularization"
        raise OptionError(
            f"{name} must be a number for the boundary {boundary!r} in blocks: a piece of the picture tells it"
        )


def is_fixed(method: str, options: Mapping[str, Any]) -> bool:
    """Whether the filter does not depend on the picture."""
    chosen = {"wiener": "noise_to_signal", "regularized_filter": "regularization"}.get(method)
    return chosen is None or not isinstance(options.get(chosen, "rule"), str)


def columns_to_look_at(torus: tuple[int, int]) -> Array:
    """The columns of the half spectrum from which parameters are chosen: a few of a large one, all of a small one."""
    chosen = drawn_columns(torus)
    return np.arange(torus[1] // 2 + 1) if chosen is None else chosen


def choose_filter(
    planes: Planes,
    torus: tuple[int, int],
    psf: Array,
    method: str,
    options: Mapping[str, Any],
    sample: Array | None,
) -> LinearFilter:
    """The filter of a method, as for the whole picture in memory.

    Parameters
    ----------
    sample : ndarray of shape (P, rows, n) or None
        The spectra of the planes in `columns_to_look_at`; None for a filter that `is_fixed`.
    """
    problem = Problem(
        laid=planes,
        optics=Optics((psf,), torus, planes.dtype),
        frame=torus,
        boundary="wrap",
        frames=None,
        finish=lambda restored: restored,
        extension_steps=0,
    )
    if sample is not None:
        if torus[0] * torus[1] >= LARGE and drawn_columns(torus) is not None:
            vars(problem)["sample"] = GivenSample(sample, columns_to_look_at(torus))
        else:
            vars(problem)["spectrum"] = sample
    given = {name: value for name, value in options.items() if name not in _NOT_IN_BLOCKS}
    return decide_on(problem, psf, method, given)
