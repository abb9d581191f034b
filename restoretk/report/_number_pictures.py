"""Small arrays of numbers and sparse matrices as inline SVG: every cell tinted by its value, its number inside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from restoretk._arrays import Array
from restoretk.upsampling._number_grids import as_words, occupied

_POSITIVE, _NEGATIVE = "#0b6e99", "#c0392b"
_HEIGHT, _GAP = 26, 10
_MOST_NUMBERS = 24  # columns that still have their numbers written in them
_MOST_CELLS = 4096


def grid_svg(
    array: Array,
    label: str,
    *,
    group: int | None = None,
    group_name: str = "",
    outlined: Sequence[slice] | None = None,
) -> str:
    """An array as a grid, planes apart, with a frame around the cells ``outlined``.

    There is a gap after every ``group`` columns, and ``group_name`` with its number above them.

    Numbers are written where there are few enough columns for them. An array too large to draw is its size in words.
    """
    rows = array.reshape(-1, array.shape[-1])
    if rows.size > _MOST_CELLS:
        return f'<p class="why">{escape(" × ".join(map(str, array.shape)))} numbers: too many to draw.</p>'
    words = as_words(rows)
    written = rows.shape[1] <= _MOST_NUMBERS or (group is not None and rows.shape[1] <= 3 * _MOST_NUMBERS)
    height = _HEIGHT if written else 9
    width = max(height, 8 * len(words[0, 0]) + 10) if written else height
    plane = array.shape[-2] if array.ndim > 2 else rows.shape[0]
    across = [j * width + (_GAP * (j // group) if group else 0) for j in range(rows.shape[1])]
    named = bool(group and group_name and written and group * width >= 9 * len(group_name))
    down = [i * height + _GAP * (i // plane) + (18 if named else 0) for i in range(rows.shape[0])]
    peak = float(np.abs(rows).max()) or 1.0
    parts = []
    if named and group:
        parts += [
            f'<text x="{across[j] + group * width / 2:g}" y="12" text-anchor="middle" font-size="11">{group_name} '
            f"{j // group + 1}</text>"
            for j in range(0, rows.shape[1], group)
        ]
    for i, top in enumerate(down):
        for j, left in enumerate(across):
            value = float(rows[i, j])
            tint = 0.75 * abs(value) / peak
            colour = _POSITIVE if value >= 0 else _NEGATIVE
            parts.append(
                f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="{colour}" '
                f'fill-opacity="{tint:.3f}" stroke="#c9d0da" stroke-width="{1 if written else 0.5}"/>'
            )
            if written:
                ink = "#fff" if tint > 0.45 else "#a3abb8" if value == 0 else "#1c2330"
                parts.append(
                    f'<text x="{left + width / 2:g}" y="{top + height / 2 + 4.5:g}" text-anchor="middle" fill="{ink}" '
                    f'font-size="13">{escape(words[i, j].strip())}</text>'
                )
    if outlined is not None:
        (top, bottom), (left, right) = ((s.start, s.stop) for s in outlined)
        parts.append(
            f'<rect x="{across[left]}" y="{down[top]}" width="{(right - left) * width}" '
            f'height="{(bottom - top) * height}" fill="none" stroke="#e07b00" stroke-width="3"/>'
        )
    wide = across[-1] + width
    return _svg(parts, wide, down[-1] + height, label, least=0.8 * wide if written and wide > 480 else 0)


def pattern_svg(rows: Array, columns: Array, shape: tuple[int, int], label: str) -> str:
    """Where the numbers of a large matrix lie: a dot for each, or for each square block that holds one."""
    drawn, block = occupied(rows, columns, shape, (240, 480))
    dot = max(2, min(8, 900 // drawn.shape[1]))
    runs = []
    for i, line in enumerate(drawn):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], line, [False])).astype(np.int8)))
        runs += [f"M{a * dot} {i * dot}h{(b - a) * dot}v{dot}H{a * dot}z" for a, b in edges.reshape(-1, 2)]
    width, height = drawn.shape[1] * dot, drawn.shape[0] * dot
    parts = [
        f'<rect width="{width}" height="{height}" fill="#f5f7fa" stroke="#c9d0da"/>',
        f'<path d="{"".join(runs)}" fill="{_POSITIVE}"/>',
    ]
    each = "number" if block == 1 else f"block of {block} × {block} numbers"
    return _svg(parts, width, height, label) + f'<p class="why">A mark for every {each} that is not 0.</p>'


def _svg(parts: Sequence[str], width: float, height: float, label: str, *, least: float = 0) -> str:
    """Drawn at its own size, smaller where the page is narrow, but not below ``least``: then it is scrolled."""
    style = f"width:{width + 3:g}px;max-width:100%;min-width:{least:g}px"
    return (
        f'<div class="scroll"><svg viewBox="-1.5 -1.5 {width + 3:g} {height + 3:g}" role="img" '
        f'aria-label="{escape(label)}" style="{style}">{"".join(parts)}</svg></div>'
    )
