"""Line charts as inline SVG, both axes logarithmic or both linear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from restoretk._arrays import Array

_COLOURS = ("#0b6e99", "#d9a400", "#e07b00", "#8a6d3b", "#2e7d32", "#c0392b", "#7b5ea7", "#555555")
_WIDTH, _HEIGHT = 640, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 14, 46


def log_log_chart(
    across: Array, curves: Mapping[str, Array], *, across_label: str, up_label: str, limits: tuple[float, float]
) -> str:
    """An SVG chart of positive curves over a positive axis, with a legend below; curves are cut at the limits."""
    low, high = (np.log10(value) for value in limits)
    first, last = np.log10(across[0]), np.log10(across[-1])

    def place(logs: Array, start: float, end: float, pixels_start: float, pixels_end: float) -> Array:
        return pixels_start + (logs - start) / (end - start) * (pixels_end - pixels_start)

    bottom = _HEIGHT - _BOTTOM
    parts = []
    for decade in range(int(np.ceil(low)), int(np.floor(high)) + 1):
        level = place(np.array(decade), low, high, bottom, _TOP)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{level + 4:.1f}" text-anchor="end">{_power_of_ten(decade)}</text>')
    for decade in range(int(np.ceil(first)), int(np.floor(last)) + 1):
        level = place(np.array(decade), first, last, _LEFT, _WIDTH - _RIGHT)
        parts.append(f'<line class="grid" x1="{level:.1f}" x2="{level:.1f}" y1="{_TOP}" y2="{bottom}"/>')
        parts.append(f'<text x="{level:.1f}" y="{bottom + 16}" text-anchor="middle">{_power_of_ten(decade)}</text>')
    legend = []
    for (name, values), colour in zip(curves.items(), _COLOURS, strict=False):
        logs = np.log10(np.maximum(values, 1e-300))
        inside = (logs >= low) & (logs <= high)
        columns = place(np.log10(across[inside]), first, last, _LEFT, _WIDTH - _RIGHT)
        rows = place(logs[inside], low, high, bottom, _TOP)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(columns, rows, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.2"/>')
        legend.append(f'<span><i style="background:{colour}"></i>{escape(name)}</span>')
    return _labelled(parts, legend, across_label, up_label)


def linear_chart(
    across: Array,
    curves: Mapping[str, Array],
    *,
    across_label: str,
    up_label: str,
    across_ticks: Sequence[float],
    up_ticks: Sequence[float],
    dashed: Mapping[str, str] | None = None,
    mark: tuple[float, str] | None = None,
) -> str:
    """An SVG chart of curves between the first and last tick of each axis, and a named upright line where there is one.

    ``dashed`` names the curves to draw dashed, each with the curve whose colour it takes.
    """
    bottom = _HEIGHT - _BOTTOM
    dashed = dashed or {}
    colours = dict(zip((name for name in curves if name not in dashed), _COLOURS, strict=False))

    def column(value: Array | float) -> Array:
        return np.asarray(np.interp(value, (across_ticks[0], across_ticks[-1]), (_LEFT, _WIDTH - _RIGHT)))

    def row(value: Array | float) -> Array:
        return np.asarray(np.interp(value, (up_ticks[0], up_ticks[-1]), (bottom, _TOP)))

    parts, legend = [], []
    for tick in up_ticks:
        level = row(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{level + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in across_ticks:
        level = column(tick)
        parts.append(f'<line class="grid" x1="{level:.1f}" x2="{level:.1f}" y1="{_TOP}" y2="{bottom}"/>')
        parts.append(f'<text x="{level:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    if mark is not None:
        level = column(mark[0])
        ends = f'x1="{level:.1f}" x2="{level:.1f}" y1="{_TOP}" y2="{bottom}"'
        parts.append(f'<line {ends} stroke="#5b6575" stroke-dasharray="2 3"/>')
        parts.append(f'<text x="{level + 5:.1f}" y="{_TOP + 12}">{escape(mark[1])}</text>')
    for name, values in curves.items():
        colour = colours[dashed.get(name, name)]
        inside = (values >= up_ticks[0]) & (values <= up_ticks[-1])
        inside &= (across >= across_ticks[0]) & (across <= across_ticks[-1])
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(column(across[inside]), row(values[inside]), strict=True))
        dash = ' stroke-dasharray="6 4"' if name in dashed else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.2"{dash}/>')
        swatch = "solid" if name not in dashed else "dashed"
        legend.append(f'<span><i style="height:0;border-top:3px {swatch} {colour}"></i>{escape(name)}</span>')
    return _labelled(parts, legend, across_label, up_label)


def _labelled(parts: list[str], legend: list[str], across_label: str, up_label: str) -> str:
    """The chart with the names of its axes and its legend."""
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    names = (
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(across_label)}</text>'
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(up_label)}</text>'
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(up_label)} against {escape(across_label)}">'
        f"{''.join(parts)}{names}</svg><div class='legend'>{''.join(legend)}</div>"
    )


def _power_of_ten(decade: int) -> str:
    return {0: "1", 1: "10", -1: "0.1"}.get(decade, f'10<tspan dy="-5" font-size="9">{decade}</tspan>')
