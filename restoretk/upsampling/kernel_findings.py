"""What an inspection of a kernel or a layer found, in sentences and as plain text."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from restoretk._arrays import Array
from restoretk.upsampling.checkerboard import KernelInspection
from restoretk.upsampling.layer_inspection import LayerInspection
from restoretk.upsampling.ripple_cost import TYPICAL, ripple_cost

# The widest array that is still read rather than looked at.
_WIDEST = 16
# The level of a flat area in the sentences, in grey levels of 8 bits.
_GREY = 128


def kernel_verdict(found: KernelInspection) -> str:
    """One sentence: whether the kernel ripples, and what that costs on pictures.

    Examples
    --------
    >>> from restoretk.upsampling.checkerboard import inspect_kernel
    >>> kernel_verdict(inspect_kernel([0.5, 1, 0.5], 2))
    'clean: a constant stays constant'
    """
    ripple, rms = found.picture_ripple_percent, found.picture_rms_percent
    if math.isinf(ripple):
        return "ripples without limit: its taps sum to 0, so of a flat area only the grid is left"
    if found.clean:
        if math.isnan(found.shift[0]):
            return "clean, but useless for pictures: of a constant nothing is left"
        scaled = "" if abs(found.gain - 1) < 1e-3 else f", times {found.gain:.4g}"
        if scaled and found.kernel.ndim == 1:
            scaled += " along each axis"
        return "clean: a constant stays constant" + ("" if ripple < 5e-5 else f" to {ripple:.2g} %") + scaled
    sums = found.phase_sums / found.gain
    if found.kernel.ndim == 1:
        sums = np.outer(sums, sums)
    low, high = (f"{_GREY * one:.4g}" for one in (sums.min(), sums.max()))
    where = "along rows and columns it" if found.kernel.ndim == 1 else "it"
    return (
        f"ripples: {where} turns a flat area of grey {_GREY} into a grid from {low} to {high} ({ripple:.3g} % peak to "
        f"peak), {_cost(found, rms)}"
    )


def layer_verdict(found: LayerInspection) -> str:
    """One sentence: how many output channels ripple, and by how much."""
    outputs = found.ripple_percent.size
    if found.clean:
        largest = float(found.ripple_percent.max())
        return f"clean: flat inputs give flat outputs in all {outputs} output channels" + (
            "" if largest < 5e-5 else f", to {largest:.2g} %"
        )
    channel = int(np.argmax(found.rms_percent))
    worst, middle = float(found.rms_percent[channel]), float(np.median(found.rms_percent))
    cost = (
        f"up to {worst:.3g} % of their mean (median {middle:.3g} %)"
        if math.isfinite(worst)
        else f"without limit in channel {channel}, whose kernels sum to 0"
    )
    return (
        f"ripples: in {found.rippling} of {outputs} output channels flat inputs leave a grid, RMS {cost}, the worst being "
        f"channel {channel}; later layers would have to take it out again"
    )


def _cost(found: KernelInspection, rms: float) -> str:
    """What the ripple costs on pictures, by the formula of `ripple_cost`."""
    factor = found.stride[0] if len(set(found.stride)) == 1 else 0
    typical = TYPICAL.get(factor)
    if typical is None:
        square = next(iter(TYPICAL.values())).mean_square
        ceiling = -20 * math.log10(rms / 100) - 10 * math.log10(square)
        return f"which on a typical photograph holds the PSNR below {ceiling:.1f} dB"
    loss = ripple_cost(rms, **typical._asdict())
    return f"which on a typical photograph at x{factor} costs {loss:.2g} dB of bicubic's {typical.psnr} dB"


def format_kernel_inspection(found: KernelInspection) -> str:
    """The inspection as plain text, the verdict last."""
    taps = " x ".join(map(str, found.kernel.shape))
    step, head = (_each(values) for values in (found.stride, found.padding))
    lines = [("kernel", f"{taps} taps, stride {step}, padding {head}"), *_figures(found), *_responses(found)]
    width = max(len(name) for name, _ in lines) + 2
    text = "\n".join(f"{name:{width}}{value}".replace("\n", "\n" + " " * width) for name, value in lines)
    return f"{text}\n{kernel_verdict(found)}"


def _figures(found: KernelInspection) -> Iterator[tuple[str, str]]:
    yield "overlap", _shown(found.overlap)
    yield "phase sums", _shown(found.phase_sums)
    yield "gain", f"{found.gain:.6g}"
    picture = "" if found.kernel.ndim > 1 else f"; {_percent(found.picture_ripple_percent)} along rows and columns"
    yield "ripple", f"{_percent(found.ripple_percent)} peak to peak, {_percent(found.rms_percent)} RMS{picture}"
    yield "at 2πj/s", _shown(found.aliases) + " of the spectrum at 0"
    yield "order", f"{'any' if found.order is None else found.order}: {_order(found.order)}"
    phases = "phases alike"
    if np.isnan(found.phase_shifts).any():
        phases = "a phase without a centre"
    elif np.ptp(found.phase_shifts.reshape(len(found.stride), -1), axis=1).max() > 5e-4:
        phases = f"phases from {_number(found.phase_shifts.min())} to {_number(found.phase_shifts.max())}"
    yield "shift", f"{', '.join(map(_number, found.shift))} output pixels from the half-pixel grid, {phases}"


def _responses(found: KernelInspection) -> Iterator[tuple[str, str]]:
    """The answers to simple images: in full along one axis, in a number each beyond."""
    if found.kernel.ndim == 1:
        yield "1 1 1 becomes", _shown(found.constant)
        yield "0 1 2 becomes", _shown(found.ramps[0])
    names = ("planes", "rows", "columns")[-found.kernel.ndim :] if found.kernel.ndim > 1 else ("it",)
    errors = ", ".join(
        f"{name} by {'inf' if math.isinf(error) else _number(error)}"
        for name, error in zip(names, found.ramp_errors, strict=True)
    )
    yield "ramps bend", f"{errors} of a step" if found.kernel.ndim > 1 else errors.removeprefix("it ")
    yield "0 1 0 becomes", _shown(found.kernel)


def format_layer_inspection(found: LayerInspection) -> str:
    """The inspection as plain text: the layer, its worst kernels, the verdict last."""
    size = " x ".join(map(str, found.shape[2:]))
    pairs = found.pair_gain.size
    lines = [
        f"layer of {found.shape[0]} channels in, {found.ripple_percent.size} out, groups {found.groups}: {pairs} kernels "
        f"of {size} taps, stride {_each(found.stride)}, padding {_each(found.padding)}",
        f"ripple RMS of the output channels: median {_percent(float(np.median(found.rms_percent)))}, largest "
        f"{_percent(float(found.rms_percent.max()))}",
        "kernels whose phase sums are farthest apart:",
    ]
    for pair in found.worst:
        one = pair.inspection
        lines.append(
            f"  {pair.channel_in} -> {pair.channel_out}: phase sums {_number(one.phase_sums.min())} to "
            f"{_number(one.phase_sums.max())}, mean {_number(one.gain)}, order {one.order}, shift "
            f"{', '.join(map(_number, one.shift))}, {pair.share_percent:.0f} % of the ripple of its channel"
        )
    return "\n".join([*lines, layer_verdict(found)])


def _order(order: int | None) -> str:
    if order is None:
        return "one phase, nothing to disagree"
    kept = ("not even a constant comes out constant", "constants come out constant, ramps do not come out straight")
    return kept[order] if order < 2 else f"polynomials of degree {order - 1} come out as such"


def _each(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else ",".join(map(str, values))


def _percent(value: float) -> str:
    return f"{value if value >= 5e-5 else 0:.3g} %"


def _number(value: float) -> str:
    return f"{round(float(value), 4) + 0.0:.4g}"


def _shown(array: Array) -> str:
    """Few numbers in their own rows, many as their range."""
    if array.shape[-1] > _WIDEST or array.size > _WIDEST**2 or array.ndim > 2:
        return f"{' x '.join(map(str, array.shape))} numbers from {_number(array.min())} to {_number(array.max())}"
    words = [[_number(value) for value in row] for row in array.reshape(-1, array.shape[-1])]
    width = max(len(word) for row in words for word in row) if array.ndim > 1 else 0
    return "\n".join(" ".join(word.rjust(width) for word in row) for row in words)
