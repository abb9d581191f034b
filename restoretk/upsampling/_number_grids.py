"""Arrays of numbers as text: aligned columns where they can be read, a drawing of dots where they cannot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array

# The widest rows of numbers that are still read rather than looked at, in columns of characters.
WIDEST = 132
# The largest drawing, in characters of 2 x 4 dots.
_DRAWN_COLUMNS, _DRAWN_LINES = 120, 32


def grid_text(array: Array) -> str:
    """An array as aligned columns, the planes of a stack apart; its shape and range where it is too wide to read."""
    words = as_words(array.reshape(-1, array.shape[-1]))
    if words.shape[1] * (len(words[0, 0]) + 1) > WIDEST:
        return f"  {' x '.join(map(str, array.shape))} numbers from {array.min():.6g} to {array.max():.6g}"
    rows = array.shape[-2] if array.ndim > 1 else 1
    lines = [f"  {' '.join(row)}" for row in words]
    return "\n\n".join("\n".join(lines[i : i + rows]) for i in range(0, len(lines), rows))


def row_text(array: Array) -> str:
    """The few numbers of an output on one line, more of them in their own shape."""
    return grid_text(array.reshape(1, -1) if array.size <= 16 else array)


def as_words(rows: Array) -> npt.NDArray[np.str_]:
    """The numbers as words of one width: whole ones as integers, others to three decimals or four digits."""
    whole = np.rint(rows)
    if np.abs(rows - whole).max() < 1e-9 and np.abs(whole).max() < 1e15:  # exact, or whole but for rounding
        words = [str(int(value)) for value in whole.ravel()]
    else:
        largest = np.abs(rows).max()
        words = [
            f"{value:.3f}" if 0.01 <= largest < 1e5 else f"{value:.4g}" for value in np.round(rows, 12).ravel() + 0.0
        ]
    width = max(map(len, words))
    return np.array([word.rjust(width) for word in words]).reshape(rows.shape)


def flat_text(array: Array) -> str:
    """The numbers on one line in brackets, the middle ones left out where there are many."""
    words = [f"{value:.6g}" for value in array.ravel()]
    return f"[{' '.join(words if len(words) <= 16 else [*words[:6], '...', *words[-6:]])}]"


def matrix_text(rows: Array, width: int) -> str | None:
    """A matrix with a gap after every ``width`` columns, as the 4x4 example prints it; None where it is too large."""
    if rows.shape[0] > 64 or 2 * rows.shape[1] > WIDEST:
        return None
    words = as_words(rows)
    if words.shape[1] * (len(words[0, 0]) + 1) > WIDEST:
        return None
    lines = ("  ".join(" ".join(row[i : i + width]) for i in range(0, len(row), width)) for row in words)
    return "\n".join(f"  {line}" for line in lines)


def occupied(
    rows: Array, columns: Array, shape: tuple[int, ...], most: tuple[int, int]
) -> tuple[npt.NDArray[np.bool_], int]:
    """Where the entries (rows, columns) of a matrix lie, in square blocks so that at most ``most`` of them remain."""
    block = max(1, *(-(-size // limit) for size, limit in zip(shape, most, strict=True)))
    drawn = np.zeros([-(-size // block) for size in shape], bool)
    drawn[rows // block, columns // block] = True
    return drawn, block


def drawing_text(rows: Array, columns: Array, shape: tuple[int, ...]) -> str:
    """A matrix drawn with the dots of Braille characters: a dot wherever a number is not 0."""
    drawn, block = occupied(rows, columns, shape, (4 * _DRAWN_LINES, 2 * _DRAWN_COLUMNS))
    lines, across = -(-drawn.shape[0] // 4), -(-drawn.shape[1] // 2)
    cells = np.zeros((4 * lines, 2 * across), np.int64)
    cells[: drawn.shape[0], : drawn.shape[1]] = drawn
    # The bits of the eight dots of U+2800, row by row.
    bits = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
    codes = np.einsum("iajb,ab->ij", cells.reshape(lines, 4, across, 2), bits)
    body = "\n".join("  ▏" + "".join(chr(0x2800 + int(code)) for code in line) + "▕" for line in codes)
    each = "number" if block == 1 else f"block of {block} x {block} numbers"
    return f"{body}\n  (a dot for every {each} that is not 0)"
