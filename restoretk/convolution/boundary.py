"""What lies beyond the edge of the frame: pad, its adjoint, periodic extension and crop.

One vocabulary serves every verb. With the frame ``a b c d``:

=============  =====================  ==============================================================
boundary       the scene beyond       numpy.pad mode
=============  =====================  ==============================================================
``wrap``       ``c d|a b c d|a b``    ``wrap``: periodic, the only one that needs no padding
``reflect``    ``c b|a b c d|c b``    ``reflect``: mirrored about the edge pixel
``symmetric``  ``b a|a b c d|d c``    ``symmetric``: mirrored about the edge of the edge pixel
``edge``       ``a a|a b c d|d d``    ``edge``: the edge pixel goes on for ever
``constant``   ``0 0|a b c d|0 0``    ``constant``: black
=============  =====================  ==============================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk._grammar import OptionError

BOUNDARIES = ("wrap", "reflect", "symmetric", "edge", "constant")


def check_boundary(boundary: str, choices: Sequence[str] = BOUNDARIES) -> None:
    """Raise ValueError with the choices unless ``boundary`` is one of them."""
    if boundary not in choices:
        raise OptionError(f"boundary must be one of {', '.join(choices)}, got {boundary!r}")


def pad(planes: Array, before: Sequence[int], after: Sequence[int], boundary: str) -> Array:
    """The planes with the scene continued beyond the frame: ``before[i]`` and ``after[i]`` more pixels on spatial axis i.

    Parameters
    ----------
    planes : ndarray of shape (..., *spatial)
        The trailing ``len(before)`` axes are padded, the others left alone.
    before, after : sequence of int
        Pixels to add at the low and at the high end of each spatial axis, >= 0.
    boundary : str
        One of BOUNDARIES.
    """
    check_boundary(boundary)
    lead = planes.ndim - len(before)
    widths = [(0, 0)] * lead + list(zip(before, after, strict=True))
    return np.pad(planes, widths, mode=boundary)  # type: ignore[call-overload]  # a checked name, not a literal


def pad_adjoint(padded: Array, before: Sequence[int], after: Sequence[int], boundary: str) -> Array:
    """The adjoint of `pad`: every pixel beyond the frame is added to the frame pixel that it was copied from."""
    check_boundary(boundary)
    lead = padded.ndim - len(before)
    for axis, (low, high) in enumerate(zip(before, after, strict=True), start=lead):
        rows = np.moveaxis(padded, axis, 0)
        size = rows.shape[0] - low - high
        folded = rows[low : low + size].copy()
        if boundary != "constant":
            source = np.pad(np.arange(size), (low, high), mode=boundary)  # type: ignore[call-overload]  # a checked name
            outside = np.r_[0:low, low + size : low + size + high]
            np.add.at(folded, source[outside], rows[outside])
        padded = np.moveaxis(folded, 0, axis)
    return padded


def extend_periodically(planes: Array, shape: Sequence[int], boundary: str) -> Array:
    """The planes on a larger torus of ``shape``, frame first: the ring blends from one edge round to the other.

    Along each axis the ring between the end of the frame and its beginning (the torus closes there) fades with a raised
    cosine from what ``boundary`` says lies beyond the high edge to what it says lies beyond the low edge, so that the
    picture has no jump anywhere on the torus. With ``wrap`` the shape must be the frame's own.
    """
    check_boundary(boundary)
    lead = planes.ndim - len(shape)
    frame = planes.shape
    if frame[lead:] == tuple(shape):
        return planes
    if boundary == "wrap":
        raise ValueError(f"boundary 'wrap' needs no padding, got a torus of shape {tuple(shape)} for {frame}")
    extended = np.empty((*frame[:lead], *shape), planes.dtype)
    extended[tuple(slice(size) for size in frame)] = planes
    for axis, size in enumerate(shape, start=lead):
        inside, ring = frame[axis], size - frame[axis]
        if ring == 0:
            continue
        # As wide as the torus on the axes that are done, as the frame on those to come.
        done = extended[(slice(None),) * (axis + 1) + tuple(slice(later) for later in frame[axis + 1 :])]
        rows = np.moveaxis(done, axis, 0)
        if boundary == "constant":
            rows[inside:] = 0
            continue
        fade = 0.5 * (1 + np.cos(np.pi * (np.arange(ring) + 1) / (ring + 1)))  # 1 at the high edge, 0 at the low edge
        fade = fade.astype(planes.dtype).reshape((-1,) + (1,) * (planes.ndim - 1))
        source = np.pad(np.arange(inside), ring, mode=boundary)  # type: ignore[call-overload]  # a checked name
        rows[inside:] = fade * rows[source[-ring:]] + (1 - fade) * rows[source[:ring]]
    return extended


def crop(planes: Array, start: Sequence[int], shape: Sequence[int]) -> Array:
    """The window of ``shape`` that begins at ``start`` on the trailing axes (a view)."""
    window: tuple[Any, ...] = tuple(slice(low, low + size) for low, size in zip(start, shape, strict=True))
    return planes[(..., *window)]
