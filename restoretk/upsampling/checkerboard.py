"""A kernel looked at before it is used: whether it draws a checkerboard, what it keeps straight, where it moves things.

A transposed convolution with stride s builds the output pixels of each residue modulo s, a phase, from the taps of one
residue. An image of ones becomes the sum of those taps, so a flat area stays flat exactly if all phases have the same
sum. How many taps overlap there says nothing about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array
from restoretk.convolution.operands import per_axis
from restoretk.upsampling.phases import (
    ROUNDING,
    as_kernel,
    check_reach,
    dilated,
    first_moments,
    phase_sums,
    ratio_percent,
    strang_fix_order,
)

# A quarter of a grey level of 8 bits at white: no such ripple is seen.
CLEAN_PERCENT = 0.1


@dataclass(frozen=True, eq=False, kw_only=True)
class KernelInspection:
    """What a transposed convolution with this kernel does to flat areas, slopes and positions.

    Phases are counted by tap: phase (a, b) holds the taps ``kernel[a::s, b::s]`` and belongs to the output pixels m
    with ``(m + padding) % stride == (a, b)``.

    Attributes
    ----------
    kernel : ndarray of shape (*k), float64
        The response to an impulse, with the zeros of the dilation.
    stride, padding : tuple of int
        Of each axis.
    tolerance_percent : float
        Up to which ripple the kernel counts as clean.
    phase_sums : ndarray of shape stride
        What an image of ones becomes.
    gain : float
        Their mean: 1 keeps the brightness.
    ripple_percent, rms_percent : float
        How far the phase sums differ, peak to peak and as a standard deviation, in per cent of ``abs(gain)``; inf where
        the gain is 0.
    aliases : ndarray of shape stride
        ``abs(K(2*pi*j/s)) / abs(K(0))``, the spectrum where the copies of a constant's spectrum lie; 1 at j = 0. The sum
        of the squares of the others is ``(rms_percent / 100)**2``.
    order : int or None
        Strang-Fix order: polynomials of degree ``order - 1`` come out as polynomials of that degree (lower terms may
        change), 0 if a constant does not come out constant. None for stride 1.
    shift : tuple of float
        How far the picture moves along each axis, in output pixels, from the half-pixel grid; positive: down, right.
    phase_shifts : ndarray of shape (D, *stride)
        The same for the pixels of each phase; nan where a phase sum is 0. They all agree for order 2 and above.
    overlap : ndarray of int of shape stride
        How many taps meet in a pixel of each phase.
    constant : ndarray of shape 2 * stride
        The first two periods of the output, far from all borders, for an image of ones.
    ramps : tuple of ndarray of shape 2 * stride
        For each axis the same pixels for the image that holds the index along that axis.
    ramp_errors : tuple of float
        How far each of them leaves the straight line that the gain and the shift ask for, in steps of the ramp.
    """

    kernel: Array
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    tolerance_percent: float
    phase_sums: Array
    gain: float
    ripple_percent: float
    rms_percent: float
    aliases: Array
    order: int | None
    shift: tuple[float, ...]
    phase_shifts: Array
    overlap: Array
    constant: Array
    ramps: tuple[Array, ...]
    ramp_errors: tuple[float, ...]

    @property
    def clean(self) -> bool:
        """Whether the ripple in a picture is within the tolerance."""
        return bool(self.picture_ripple_percent <= self.tolerance_percent)

    @property
    def picture_ripple_percent(self) -> float:
        """The ripple in a picture: of 1-D taps used along rows and columns, of other kernels as they are."""
        if self.kernel.ndim > 1 or self.ripple_percent in (0, np.inf):
            return self.ripple_percent
        return 100 * float(np.ptp(np.outer(self.phase_sums, self.phase_sums))) / self.gain**2

    @property
    def picture_rms_percent(self) -> float:
        """As `picture_ripple_percent`, the standard deviation."""
        if self.kernel.ndim > 1:
            return self.rms_percent
        return 100 * float(np.sqrt((1 + (self.rms_percent / 100) ** 2) ** 2 - 1))

    def as_dict(self) -> dict[str, Any]:
        """Everything as lists and numbers for JSON; NaN and inf as they are."""
        record = {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()
        }
        record["ramps"] = [ramp.tolist() for ramp in self.ramps]
        return record | {
            "clean": self.clean,
            "picture_ripple_percent": self.picture_ripple_percent,
            "picture_rms_percent": self.picture_rms_percent,
        }


def inspect_kernel(
    kernel: npt.ArrayLike,
    stride: int | Sequence[int],
    *,
    padding: int | Sequence[int] | None = None,
    dilation: int | Sequence[int] = 1,
    tolerance_percent: float = CLEAN_PERCENT,
) -> KernelInspection:
    """What a transposed convolution with this kernel will do: ripple, order, shift, and its answers to simple images.

    Parameters
    ----------
    kernel : array_like of 1, 2 or 3 axes
        Taps as `conv_transpose` takes them. For the weights of a layer see `inspect_layer`.
    stride : int or one int for each axis
        At least 1 and at most the number of taps.
    padding : int or one int for each axis, or None
        What the transposed convolution cuts off before the output begins; matters for the shift only. None:
        ``(k - stride) // 2``, which is the half-pixel grid where k - stride is even.
    dilation : int or one int for each axis
        The distance of neighbouring taps.
    tolerance_percent : float
        The largest ripple that counts as clean.

    Raises
    ------
    TypeError, ValueError
        For a kernel that is not real, not finite, all zero, of more than three axes or smaller than the stride.

    References
    ----------
    A. Odena, V. Dumoulin, C. Olah, Deconvolution and checkerboard artifacts, Distill 2016: the overlap. G. Strang,
    G. Fix, A Fourier analysis of the finite element variational method, 1971: the order.

    Examples
    --------
    Four taps at stride 2 overlap evenly, and ripple all the same; three taps need not:

    >>> found = inspect_kernel([1, 2, 3, 4], 2)
    >>> found.overlap, found.phase_sums, found.ripple_percent
    (array([2, 2]), array([4., 6.]), 40.0)
    >>> inspect_kernel([0.5, 1, 0.5], 2).clean
    True
    """
    dtype = np.asarray(kernel).dtype
    taps = as_kernel(kernel)
    if taps.ndim > 3:
        raise ValueError(
            f"kernel must have 1, 2 or 3 axes, got shape {taps.shape}: the weights of a layer are for inspect_layer"
        )
    if not taps.any():
        raise ValueError(f"kernel must not be all zero, got shape {taps.shape}")
    if not tolerance_percent >= 0:
        raise ValueError(f"tolerance_percent must be at least 0, got {tolerance_percent}")
    steps = per_axis(stride, taps.ndim, "stride", 1)
    taps = dilated(taps, per_axis(dilation, taps.ndim, "dilation", 1))
    check_reach(taps.shape, steps)
    if padding is None:
        heads = tuple((k - s) // 2 for k, s in zip(taps.shape, steps, strict=True))
    else:
        heads = per_axis(padding, taps.ndim, "padding", 0)

    sums, moments = phase_sums(taps, steps), first_moments(taps, steps)
    gain, scale = float(sums.mean()), float(phase_sums(np.abs(taps), steps).mean())
    # Weights of 16 bits are no more exact than their dtype.
    rounding = max(ROUNDING, 4 * float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0)
    shift, phase_shifts = _shifts(sums, moments, steps, heads, 1e-9 * scale)
    constant, ramps = _responses(sums, moments, steps, heads)
    return KernelInspection(
        kernel=taps,
        stride=steps,
        padding=heads,
        tolerance_percent=float(tolerance_percent),
        phase_sums=sums,
        gain=gain,
        ripple_percent=float(ratio_percent(np.ptp(sums), abs(gain), scale)),
        rms_percent=float(ratio_percent(sums.std(), abs(gain), scale)),
        aliases=ratio_percent(np.abs(np.fft.fftn(sums)) / sums.size, abs(gain), scale) / 100,
        order=strang_fix_order(taps, steps, rounding=rounding),
        shift=shift,
        phase_shifts=phase_shifts,
        overlap=phase_sums(np.ones(taps.shape, int), steps),
        constant=constant,
        ramps=ramps,
        ramp_errors=_ramp_errors(ramps, gain, shift, steps),
    )


def _shifts(
    sums: Array, moments: Array, stride: tuple[int, ...], padding: tuple[int, ...], tiny: float
) -> tuple[tuple[float, ...], Array]:
    """How far the picture moves along each axis in output pixels, as a whole and phase by phase."""
    ndim = len(stride)
    # Output m reads the input at (m + padding - centre)/s on average; the half-pixel grid has it at (m + 1/2)/s - 1/2.
    grid = np.array([p + (s - 1) / 2 for p, s in zip(padding, stride, strict=True)])
    safe = np.where(np.abs(sums) > tiny, sums, np.nan)
    total = float(sums.sum()) if abs(sums.mean()) > tiny else np.nan
    whole = moments.reshape(ndim, -1).sum(axis=1) / total - grid
    return tuple(whole.tolist()), moments / safe - grid.reshape(-1, *[1] * ndim)


def _responses(
    sums: Array, moments: Array, stride: tuple[int, ...], padding: tuple[int, ...]
) -> tuple[Array, tuple[Array, ...]]:
    """Two periods of the output for the image of ones, and for the index along each axis, without borders.

    y[m] = sum_i x[i] w[m + p - i s]: the tap t reads i = (m + p - t)/s, so ones give the phase sum, and x[i] = i gives
    ((m + p) * sum - first moment) / s.
    """
    places = [np.arange(2 * s) + p for s, p in zip(stride, padding, strict=True)]
    index = np.ix_(*(place % s for place, s in zip(places, stride, strict=True)))
    constant = sums[index]
    ramps = []
    for axis, (place, s) in enumerate(zip(places, stride, strict=True)):
        along = place.reshape([-1 if axis == other else 1 for other in range(len(stride))])
        ramps.append((along * constant - moments[axis][index]) / s)
    return constant, tuple(ramps)


def _ramp_errors(
    ramps: tuple[Array, ...], gain: float, shift: tuple[float, ...], stride: tuple[int, ...]
) -> tuple[float, ...]:
    """The largest distance of each ramp from its straight line, in steps of the ramp; inf for a gain of 0."""
    errors = []
    for axis, (ramp, moved, s) in enumerate(zip(ramps, shift, stride, strict=True)):
        if not np.isfinite(moved):
            errors.append(np.inf)
            continue
        line = gain * ((np.arange(2 * s) + 0.5 - moved) / s - 0.5)
        shape = [-1 if axis == other else 1 for other in range(ramp.ndim)]
        errors.append(float(np.abs(ramp - line.reshape(shape)).max() / abs(gain)))
    return tuple(errors)
