"""Kernels made to keep constants constant: every phase given the same sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array
from restoretk.convolution.operands import per_axis
from restoretk.upsampling.phases import ROUNDING, as_kernel, check_reach, dilated, phase_sums

RULES = ("scale", "project")
# A phase that must grow more than so many times is not unbalanced but empty: scaling it would make up taps from noise.
_MOST = 10.0


def repair_kernel(
    kernel: npt.ArrayLike,
    stride: int | Sequence[int],
    *,
    dilation: int | Sequence[int] = 1,
    rule: str = "scale",
    spatial_ndim: int | None = None,
) -> Array:
    """The kernel with the same sum in every phase, their mean: the gain is kept, the checkerboard is gone.

    Parameters
    ----------
    kernel : array_like of shape (*k) or (C_in, C_out / groups, *k)
        Each pair of channels is repaired by itself.
    stride : int or one int for each spatial axis
        At most the number of taps.
    dilation : int or one int for each spatial axis
        The distance of neighbouring taps.
    rule : {"scale", "project"}
        ``scale`` multiplies the taps of each phase, so that their proportions stay: right for interpolation kernels,
        impossible where a phase sums to 0 or to the other sign. ``project`` adds the same number to all taps of a
        phase: the nearest kernel in least squares that does not ripple, which always exists: for trained weights.
    spatial_ndim : int or None
        How many of the last axes are spatial. None: all of at most three, else all but the first two.

    Returns
    -------
    ndarray
        Of the kernel's dtype where that is a float, else float64.

    Raises
    ------
    TypeError, ValueError
        As `inspect_kernel`, and ValueError where ``scale`` would have to multiply by 0, by a negative number or by more
        than 10.

    Examples
    --------
    >>> repair_kernel([1, 2, 3, 4], 2)
    array([1.25      , 1.66666667, 3.75      , 3.33333333])
    >>> repair_kernel([1, 2, 3, 4], 2, rule="project")
    array([1.5, 1.5, 3.5, 3.5])
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
    given, weights = np.asarray(kernel).dtype, as_kernel(kernel)
    ndim = spatial_axes(weights.shape, spatial_ndim)
    steps = per_axis(stride, ndim, "stride", 1)
    spread = per_axis(dilation, ndim, "dilation", 1)
    own = dilated(np.ones(weights.shape[-ndim:]), spread)  # 1 where there is a tap, 0 between
    check_reach(own.shape, steps)
    counts = phase_sums(own, steps)
    if not counts.all():
        raise ValueError(
            f"kernel of shape {weights.shape[-ndim:]} with dilation {spread} has phases without taps at stride {steps}: "
            f"it ripples whatever the taps are"
        )
    weights = dilated(weights, spread)
    sums = phase_sums(weights, steps)
    over_phases = tuple(range(-ndim, 0))
    target = sums.mean(axis=over_phases, keepdims=True)
    # Phases that agree but for rounding are left alone: they may well all be 0.
    scale = phase_sums(np.abs(weights), steps).max(axis=over_phases, keepdims=True)
    unequal = np.abs(sums - target) > 1e-9 * scale
    if rule == "project":
        result = weights + _to_taps(np.where(unequal, (target - sums) / counts, 0.0), own.shape)
    else:
        _refuse_scaling(sums, target, unequal)
        factors = np.divide(target, sums, out=np.ones(sums.shape), where=unequal)
        result = weights * _to_taps(factors, own.shape)
    every: tuple[Any, ...] = (..., *(slice(None, None, d) for d in spread))
    return result[every].astype(given if given.kind == "f" else np.float64)


def spatial_axes(shape: tuple[int, ...], spatial_ndim: int | None) -> int:
    """How many axes of a kernel are spatial: all, or all but the two of the channels."""
    ndim = spatial_ndim if spatial_ndim is not None else len(shape) if len(shape) <= 3 else len(shape) - 2
    if not 1 <= ndim <= 3 or len(shape) not in (ndim, ndim + 2):
        raise ValueError(
            f"kernel of shape {shape} must have its 1, 2 or 3 spatial axes, or two channel axes before them"
            + ("" if spatial_ndim is None else f", and spatial_ndim is {spatial_ndim}")
        )
    return ndim


def _refuse_scaling(sums: Array, target: Array, unequal: Array) -> None:
    impossible = unequal & (sums * target * _MOST <= target**2 * (1 + ROUNDING))
    if not impossible.any():
        return
    first = tuple(int(i) for i in np.argwhere(impossible)[0])
    middle = float(np.broadcast_to(target, sums.shape)[first])
    raise ValueError(
        f"kernel cannot be repaired by scaling: {int(impossible.sum())} of {sums.size} phase sums are 0, of the other "
        f"sign or below a tenth of the mean they should have, the first {sums[first]:.3g} for {middle:.3g} at {first}; "
        f"the rule 'project' changes the taps by adding instead"
    )


def _to_taps(phases: Array, shape: tuple[int, ...]) -> Array:
    """An array over phases repeated over the taps of a kernel of this spatial shape."""
    stride = phases.shape[phases.ndim - len(shape) :]
    index = np.ix_(*(np.arange(k) % s for k, s in zip(shape, stride, strict=True)))
    return phases[(..., *index)]
