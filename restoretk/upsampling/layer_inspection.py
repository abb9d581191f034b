"""The weights of a transposed convolution with channels: which of them ripple, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array
from restoretk.convolution.operands import per_axis
from restoretk.upsampling.checkerboard import CLEAN_PERCENT, KernelInspection, inspect_kernel
from restoretk.upsampling.kernel_repair import spatial_axes
from restoretk.upsampling.phases import as_kernel, check_reach, dilated, phase_sums, ratio_percent


@dataclass(frozen=True, eq=False, kw_only=True)
class PairInspection:
    """One kernel of a layer.

    Attributes
    ----------
    channel_in, channel_out : int
        Counted over all groups.
    share_percent : float
        Its part of the mean square of the ripple in its output channel.
    inspection : KernelInspection
        What the kernel does by itself.
    """

    channel_in: int
    channel_out: int
    share_percent: float
    inspection: KernelInspection

    def as_dict(self) -> dict[str, Any]:
        """Everything as lists and numbers for JSON."""
        return {**vars(self), "inspection": self.inspection.as_dict()}


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerInspection:
    """What the kernels of a layer do to channels that are flat.

    A flat input channel c gives the output channel o its phase sums S_co. The figures of an output channel are for flat
    inputs that are independent and equally strong: ripple = sqrt(sum_c spread(S_co)^2 / sum_c mean(S_co)^2).

    Attributes
    ----------
    shape : tuple of int
        (C_in, C_out / groups, *k).
    stride, padding : tuple of int
        Of each spatial axis.
    groups : int
        As of the layer.
    tolerance_percent : float
        Up to which ripple an output channel counts as clean.
    ripple_percent, rms_percent : ndarray of shape (C_out,)
        Of each output channel, the spread peak to peak and as a standard deviation over the phases. inf where no kernel
        of it passes a constant, yet some ripple.
    pair_gain, pair_spread : ndarray of shape (C_in, C_out / groups)
        Mean and peak-to-peak spread of the phase sums of each kernel, in units of the weights.
    worst : tuple of PairInspection
        The kernels with the largest spread, that first; kernels that are all 0 are left out.
    """

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    groups: int
    tolerance_percent: float
    ripple_percent: Array
    rms_percent: Array
    pair_gain: Array
    pair_spread: Array
    worst: tuple[PairInspection, ...]

    @property
    def clean(self) -> bool:
        """Whether every output channel is within the tolerance."""
        return bool((self.ripple_percent <= self.tolerance_percent).all())

    @property
    def rippling(self) -> int:
        """How many output channels are not."""
        return int((self.ripple_percent > self.tolerance_percent).sum())

    def as_dict(self) -> dict[str, Any]:
        """Everything as lists and numbers for JSON; NaN and inf as they are."""
        record = {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()
        }
        record["worst"] = [pair.as_dict() for pair in self.worst]
        return record | {"clean": self.clean, "rippling": self.rippling}


def inspect_layer(
    weights: npt.ArrayLike,
    stride: int | Sequence[int],
    *,
    padding: int | Sequence[int] | None = None,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    spatial_ndim: int | None = None,
    worst: int = 3,
    tolerance_percent: float = CLEAN_PERCENT,
) -> LayerInspection:
    """What every kernel of a transposed convolution layer does to flat channels, and the worst of them in full.

    Parameters
    ----------
    weights : array_like of shape (C_in, C_out / groups, *k)
        In the layout of PyTorch and ONNX.
    stride, padding, dilation
        As in `inspect_kernel`.
    groups : int
        Must divide C_in.
    spatial_ndim : int or None
        The number of spatial axes. None: all but the first two.
    worst : int
        How many kernels to look at in full, at least 1.
    tolerance_percent : float
        The largest ripple of an output channel that counts as clean.

    Raises
    ------
    TypeError, ValueError
        As `inspect_kernel`, and for weights without two channel axes or groups that do not divide them.

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.zeros((2, 2, 4))
    >>> weights[0, 0], weights[1, 1] = [1, 2, 3, 4], [1, 3, 3, 1]
    >>> found = inspect_layer(weights, 2)
    >>> found.ripple_percent
    array([40.,  0.])
    >>> found.worst[0].channel_in, found.worst[0].channel_out
    (0, 0)
    """
    array = as_kernel(weights, "weights")
    ndim = spatial_axes(array.shape, array.ndim - 2 if spatial_ndim is None else spatial_ndim)
    if array.ndim != ndim + 2:
        raise ValueError(f"weights must have shape (C_in, C_out / groups, *k), got {array.shape}")
    (groups,) = per_axis(groups, 1, "groups", 1)
    inputs, per_group = array.shape[:2]
    if inputs % groups:
        raise ValueError(f"groups must divide the channels that go in, {inputs}, got {groups}")
    if not array.any():
        raise ValueError(f"weights must not be all zero, got shape {array.shape}")
    steps = per_axis(stride, ndim, "stride", 1)
    spread_taps = dilated(array, per_axis(dilation, ndim, "dilation", 1))
    check_reach(spread_taps.shape[2:], steps)

    over_phases = tuple(range(2, 2 + ndim))
    sums = phase_sums(spread_taps, steps)
    gain, spread = sums.mean(axis=over_phases), np.ptp(sums, axis=over_phases)
    scale = phase_sums(np.abs(spread_taps), steps).mean(axis=over_phases)

    def of_outputs(values: Array) -> Array:
        """The root of the summed squares over the inputs of each output channel."""
        return np.sqrt((values.reshape(groups, -1, per_group) ** 2).sum(axis=1)).ravel()

    deviation = sums.std(axis=over_phases)
    pairs = []
    variance = of_outputs(deviation) ** 2
    ranked = np.argsort(-spread, axis=None, kind="stable")
    for flat in ranked[scale.ravel()[ranked] > 0][: max(1, worst)]:
        channel, place = divmod(int(flat), per_group)
        out = channel // (inputs // groups) * per_group + place
        pairs.append(
            PairInspection(
                channel_in=channel,
                channel_out=out,
                share_percent=100 * float(deviation[channel, place] ** 2 / variance[out]) if variance[out] else 0.0,
                inspection=inspect_kernel(
                    np.asarray(weights)[channel, place],
                    steps,
                    padding=padding,
                    dilation=dilation,
                    tolerance_percent=tolerance_percent,
                ),
            )
        )
    return LayerInspection(
        shape=array.shape,
        stride=steps,
        padding=pairs[0].inspection.padding,
        groups=groups,
        tolerance_percent=float(tolerance_percent),
        ripple_percent=ratio_percent(of_outputs(spread), of_outputs(np.abs(gain)), of_outputs(scale)),
        rms_percent=ratio_percent(of_outputs(deviation), of_outputs(np.abs(gain)), of_outputs(scale)),
        pair_gain=gain,
        pair_spread=spread,
        worst=tuple(pairs),
    )
