"""Figures drawn as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from measuring import Figure

_FONT = 'font-family="Helvetica, Arial, sans-serif"'
_KEPT, _MISSED, _PLAIN, _INK, _FAINT = "#2f7d5b", "#b8452f", "#7a8794", "#20262c", "#d5dade"


def draw_ratios(figures: Sequence[Figure]) -> str:
    """The figures that have a bound, each as a share of it: a bar that should stay short of the line, or reach it."""
    held = [figure for figure in figures if figure.bound]
    row, top, left, scale = 20, 46, 470, 300.0
    rows = []
    for number, figure in enumerate(held):
        y = top + number * row
        share = figure.value / figure.bound if figure.bound else 0.0
        length = scale * min(share, 1.6) / 1.6
        colour = _KEPT if figure.holds else _MISSED
        text = f"{figure.value:.3g} {figure.unit} ({figure.sense} {figure.bound:g})"
        rows.append(
            f'<text x="{left - 8}" y="{y + 11}" text-anchor="end" font-size="12" fill="{_INK}">{escape(figure.name)}</text>'
            f'<rect x="{left}" y="{y + 2}" width="{max(length, 1):.1f}" height="12" fill="{colour}"/>'
            f'<text x="{left + scale + 8}" y="{y + 12}" font-size="11" fill="{_INK}">{escape(text)}</text>'
        )
    height = top + len(held) * row + 16
    line = left + scale / 1.6
    head = (
        f'<text x="12" y="20" font-size="14" font-weight="bold" fill="{_INK}">Measured figures over their bounds</text>'
        f'<text x="12" y="38" font-size="11" fill="{_KEPT}">kept</text><text x="46" y="38" font-size="11" '
        f'fill="{_MISSED}">missed</text>'
        f'<text x="{line}" y="38" font-size="11" text-anchor="middle" fill="{_INK}">bound</text>'
        f'<line x1="{line}" y1="42" x2="{line}" y2="{height - 10}" stroke="{_INK}" stroke-dasharray="3 3"/>'
    )
    return _page(960, height, head + "".join(rows))


def draw_growth(figures: Sequence[Figure]) -> str:
    """Time over number of pixels, both logarithmic, with the line of exponent 1."""
    points = [
        (int(figure.name.split(" x ")[0]), float(figure.detail.split()[0]))
        for figure in figures
        if figure.part == "growth" and figure.unit == "ns/px"
    ]
    exponent = next(figure.value for figure in figures if figure.part == "growth" and not figure.unit)
    width, height, left, bottom, right, top = 620, 380, 80, 330, 590, 50
    low, high = 2 * math.log2(points[0][0]), 2 * math.log2(points[-1][0])
    slow, fast = math.log10(max(t for _, t in points)) + 0.3, math.log10(min(t for _, t in points)) - 0.3

    def place(pixels_log2: float, seconds_log10: float) -> tuple[float, float]:
        return (
            left + (right - left) * (pixels_log2 - low) / max(high - low, 1e-9),
            bottom - (bottom - top) * (seconds_log10 - fast) / (slow - fast),
        )

    parts = [
        f'<text x="12" y="22" font-size="14" font-weight="bold" fill="{_INK}">CPU time of wiener over the number of pixels: '
        f"exponent {exponent:.2f}</text>"
    ]
    for power in range(math.ceil(fast), math.floor(slow) + 1):
        y = place(low, power)[1]
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{_FAINT}"/>')
        label = f"{10.0**power:g} s"
        parts.append(
            f'<text x="{left - 8}" y="{y + 4:.1f}" font-size="11" text-anchor="end" fill="{_INK}">{label}</text>'
        )
    through = math.log10(points[0][1])
    ends = [place(low, through), place(high, through + (high - low) * math.log10(2))]
    parts.append(
        f'<line x1="{ends[0][0]:.1f}" y1="{ends[0][1]:.1f}" x2="{ends[1][0]:.1f}" y2="{ends[1][1]:.1f}" '
        f'stroke="{_PLAIN}" stroke-dasharray="4 4"/>'
        f'<text x="{right - 4}" y="{ends[1][1] - 8:.1f}" font-size="11" text-anchor="end" fill="{_PLAIN}">exponent 1</text>'
    )
    dots = [place(2 * math.log2(side), math.log10(seconds)) for side, seconds in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{_KEPT}" stroke-width="2"/>')
    for (side, _), (x, y) in zip(points, dots, strict=True):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{_KEPT}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 20}" font-size="11" text-anchor="middle" fill="{_INK}">{side}²</text>'
        )
    return _page(width, height, "".join(parts))


def _page(width: int, height: int, content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" {_FONT}>'
        f'<rect width="{width}" height="{height}" fill="white"/>{content}</svg>\n'
    )
