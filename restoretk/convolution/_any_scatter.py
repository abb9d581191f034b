"""The scatter rule of a transposed convolution for arrays of other libraries, so that gradients can flow through it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from restoretk._any_array import AnyArray, between_zeros, namespace, window, zeros_like
from restoretk.convolution._windows import phase_taps


def conv_transpose_core(
    source: AnyArray,
    weights: AnyArray,
    *,
    stride: Sequence[int],
    dilation: Sequence[int],
    head: Sequence[int],
    out: Sequence[int],
) -> AnyArray:
    """As `restoretk.convolution.strided.conv_transpose_core`, phase by phase: no zeros are inserted between the pixels.

    Parameters
    ----------
    source : array of shape (N, groups, C_in / groups, *spatial)
    weights : array of shape (groups, C_out / groups, C_in / groups, *k)
    """
    xp = namespace(source, weights)
    axes = list(zip(weights.shape[3:], stride, dilation, head, strict=True))
    steps = [-(-size // s) for size, s in zip(out, stride, strict=True)]
    taps = [[phase_taps(phase, *axis) for phase in range(axis[1])] for axis in axes]
    starts = []
    for axis, (phases, count) in enumerate(zip(taps, steps, strict=True), start=3):
        offsets = [offset for phase in phases for _, offset in phase] or [0]
        before, size = max(0, -min(offsets)), source.shape[axis]
        source = between_zeros(source, axis, before, max(0, max(offsets) + count - size))
        starts.append(before)
    found = []
    for phase in itertools.product(*(range(s) for s in stride)):
        total = None
        for pairs in itertools.product(*(along[number] for along, number in zip(taps, phase, strict=True))):
            places = [
                slice(start + offset, start + offset + count)
                for start, (_, offset), count in zip(starts, pairs, steps, strict=True)
            ]
            part = _mix(weights[(..., *(tap for tap, _ in pairs))], window(source, places))
            total = part if total is None else total + part
        shape = (source.shape[0], *weights.shape[:2], *steps)
        found.append(zeros_like(source, shape) if total is None else total)
    whole = _interleaved(xp, found, steps, stride)
    return window(whole, [slice(0, size) for size in out])


def _interleaved(xp: object, phases: list[AnyArray], steps: Sequence[int], stride: Sequence[int]) -> AnyArray:
    """The phases in turns: (N, g, C, *steps) each, to (N, g, C, *(steps times stride))."""
    lead, ndim = phases[0].shape[:3], len(steps)
    stacked = xp.reshape(xp.stack(phases, axis=-1), (*lead, *steps, *stride))  # type: ignore[attr-defined]
    order = [0, 1, 2, *itertools.chain.from_iterable((3 + axis, 3 + ndim + axis) for axis in range(ndim))]
    turned = xp.permute_dims(stacked, tuple(order))  # type: ignore[attr-defined]
    sides = tuple(count * s for count, s in zip(steps, stride, strict=True))
    return xp.reshape(turned, (*lead, *sides))  # type: ignore[attr-defined]


def _mix(weights: AnyArray, pixels: AnyArray) -> AnyArray:
    """The channels of pixels (N, g, C_in, *spatial) mixed by weights (g, C_out, C_in): (N, g, C_out, *spatial)."""
    xp = namespace(weights, pixels)
    spatial = pixels.shape[3:]
    if weights.shape[2] == 1:
        return xp.reshape(weights, (*weights.shape[:2], *(1 for _ in spatial))) * pixels
    flat = xp.reshape(pixels, (*pixels.shape[:3], math.prod(spatial)))
    return xp.reshape(xp.matmul(weights, flat), (*pixels.shape[:2], weights.shape[1], *spatial))
