"""The solutions of a size as a table for a terminal: one line for each different picture."""

from __future__ import annotations

from collections.abc import Sequence

from restoretk.upsampling.size_solver import FRAMEWORKS, Setting, SizeSolutions

# Spellings of one framework on one line; the others return the same pixels and are in the record.
_MOST_SPELLINGS = 2


def format_solutions(found: SizeSolutions, *, everything: bool = False) -> str:
    """A table of the settings, recommended ones first; those shifted by a pixel or more only with ``everything``.

    Examples
    --------
    >>> from restoretk.upsampling.size_solver import solve_sizes
    >>> print(format_solutions(solve_sizes([64], [128], kernel_sizes=[2, 3])))  # doctest: +ELLIPSIS
    64 -> 128 with kernels of 2 or 3 taps...
    """
    if found.unreachable is not None:
        return found.unreachable[0].upper() + found.unreachable[1:] + "."
    title = f"{_size(found.shape)} -> {_size(found.wanted)} with kernels of {found.span} taps"
    title += f", dilation {found.dilation}" if found.dilation > 1 else ""
    if found.settings:
        parts = [title + (", the same on every axis" if len(found.shape) > 1 else "") + "."]
        parts += _tables(found.settings, everything)
    else:
        parts = [title + ": no setting does it on every axis alike, so each axis has its own."]
        for axis, settings in enumerate(found.axes):
            parts.append(f"Axis {axis}, {found.shape[axis]} -> {found.wanted[axis]}:")
            parts += _tables(settings, everything)
    parts.append(
        "Settings on one line return the same pixels (more spellings of them in --json). Two lines with the same kernel\n"
        "and stride have the same size and the picture in another place: their shifts differ. The shift is counted in\n"
        "output pixels from where the middle of the output is the middle of the input (the half-pixel grid).\n"
        "JAX: with transpose_kernel=True; without it the kernel is flipped."
    )
    return "\n\n".join(parts)


def _tables(settings: Sequence[Setting], everything: bool) -> list[str]:
    """The lines of one axis under three headings."""
    lines: dict[tuple[int, int, int], list[Setting]] = {}
    for setting in settings:
        lines.setdefault((setting.kernel_size, setting.stride, setting.head), []).append(setting)
    good = [line for line in lines.values() if line[0].recommended]
    rest = [line for line in lines.values() if not line[0].recommended]
    near = [line for line in rest if everything or abs(line[0].shift) < 1]
    tables = []
    if good:
        tables.append("Recommended: every output reached by equally many taps, nothing shifted\n" + _table(good))
    if near:
        tables.append("Uneven or shifted: know what you do\n" + _table(near))
    hidden = len(rest) - len(near)
    if hidden:
        tables.append(
            f"{hidden} more {'line' if hidden == 1 else 'lines'} shifted by a pixel or more: "
            f"--all shows {'it' if hidden == 1 else 'them'}."
        )
    return tables


def _table(lines: Sequence[Sequence[Setting]]) -> str:
    """Aligned columns."""
    cells = [["kernel", "stride", "shift", "taps", *FRAMEWORKS]]
    for line in lines:
        first = line[0]
        taps = "gaps" if first.gaps else "even" if first.even else "uneven"
        shift = f"{first.shift:+g}" if first.shift else "0"
        cells.append(
            [str(first.kernel_size), str(first.stride), shift, taps, *(_spellings(line, name) for name in FRAMEWORKS)]
        )
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _spellings(line: Sequence[Setting], framework: str) -> str:
    """The plainest spellings of one framework: those without an output_padding come first."""
    texts = [setting.spelled() for setting in line if setting.framework == framework]
    texts.sort(key=lambda text: " op=" in text and "op=0" not in text)
    return ", ".join(texts[:_MOST_SPELLINGS]) if texts else "-"


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
