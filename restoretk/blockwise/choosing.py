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
from restoretk.restoration._problem import ON_THE_FRAME, Problem
from restoretk.restoration.signal_spectrum import fit_frames

_FAINT = 2.0**-30  # a spectrum all below it has powers that single precision does not hold
_NOT_IN_BLOCKS = ("mask", "weights", "per_channel", "boundary")


def check_options(
    options: Mapping[str, Any], boundaries: tuple[str, ...], where: str, masks: tuple[str, ...] = ()
) -> None:
    """Raise OptionError for an option that needs more than a block at a time."""
    for name in _NOT_IN_BLOCKS[:-1]:
        value = options.get(name)
        off = value is None or (name == "per_channel" and value is False)
        if off or (name == "mask" and isinstance(value, str) and value in masks):
            continue
        shown = repr(value) if isinstance(value, (str, bool, int, float)) else "an array"
        why = "it takes many passes over the whole picture"
        if name == "mask":
            why = f"of masks there is only {masks[0]!r}" if masks else f"{why} (richardson_lucy takes 'nan')"
        raise OptionError(f"{name} {shown} cannot be had {where}: {why}")
    if options.get("channel_axis") is not None:
        raise OptionError(
            f"channel_axis {options['channel_axis']!r} cannot be had {where}: the last two axes are rows and columns, and "
            f"those before them a stack"
        )
    boundary = options.get("boundary", "wrap")
    if boundary not in boundaries:
        raise OptionError(f"boundary must be {' or '.join(boundaries)} to be had {where}, got {boundary!r}")


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
    planes : Planes
        The frames.
    torus : (rows, columns)
        Where the boundary in the options lays them.
    sample : ndarray of shape (P, rows, n) or None
        The spectra of the planes on the torus in `columns_to_look_at`; None for a filter that `is_fixed`.
    """
    if sample is not None and 0 < (largest := float(np.abs(sample).max())) < _FAINT:
        raise ValueError(
            f"image holds numbers of extreme size, by which a rule cannot choose (its spectrum is at most {largest:.1e}): "
            f"scale them to about 1"
        )
    boundary = options.get("boundary", "wrap")
    on_the_frame = boundary in ON_THE_FRAME or sample is None
    frames = [planes.plane(index) for index in range(len(planes))]
    problem = Problem(
        laid=planes,
        optics=Optics((psf,), torus, planes.dtype),
        frame=frames[0].shape,
        boundary=boundary,
        frames=None,
        finish=lambda restored: restored,
        extension_steps=0,
        fits_to_planes=None if on_the_frame else (fit_frames(frames, psf),),
    )
    if sample is not None:
        if torus[0] * torus[1] >= LARGE and drawn_columns(torus) is not None:
            vars(problem)["sample"] = GivenSample(sample, columns_to_look_at(torus))
        else:
            vars(problem)["spectrum"] = sample
    given = {name: value for name, value in options.items() if name not in _NOT_IN_BLOCKS}
    return decide_on(problem, psf, method, given)
