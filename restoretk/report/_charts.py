"""Line charts as inline SVG, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Mapping
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
    parts.append(
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(across_label)}</text>'
    )
    parts.append(
        f'<text transform="translate(14 {(_TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">{escape(up_label)}</text>'
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(up_label)} against {escape(across_label)}">'
        f"{''.join(parts)}</svg><div class='legend'>{''.join(legend)}</div>"
    )


def _power_of_ten(decade: int) -> str:
    return {0: "1", 1: "10", -1: "0.1"}.get(decade, f'10<tspan dy="-5" font-size="9">{decade}</tspan>')
