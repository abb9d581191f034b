"""A thin but faithful choice of the bins of a periodogram for a likelihood."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.fourier import half_spectrum_weights

_BINS_PER_SHELL = 2500  # of the periodogram, drawn from each octave of frequency
_LARGE = 1 << 19  # bins of a half spectrum, from which they are drawn from a choice of its columns
_FEWER = 2  # times as few of each octave then: there are more octaves, and the fit should not cost more than the filter
_LOW_COLUMNS, _COLUMNS_PER_OCTAVE = 128, 24  # all of the first ones, and so many of each octave above


def draw_bins(shape: Sequence[int], skip: int, per_shell: int = _BINS_PER_SHELL) -> tuple[tuple[Array, ...], Array]:
    """Indices into the half spectrum and their weights: all bins of low frequency, a fixed draw in every octave above.

    The likelihood is a mean over bins, a few thousand of each octave determine it to 1 % in sigma, and its cost no
    longer depends on the size of the picture. A draw depends on the shape alone: a pipeline pays for it once.

    The bins of a large picture lie in its `drawn_columns`, so that no other needs to be transformed.
    """
    return _draw(tuple(shape), skip, per_shell)


def drawn_columns(shape: Sequence[int]) -> Array | None:
    """The columns of the half spectrum in which the bins of a large picture lie, ascending; None where any may be."""
    stand_in = _stand_ins(tuple(shape))
    return None if stand_in is None else np.unique(stand_in)


@lru_cache(maxsize=8)
def _stand_ins(shape: tuple[int, ...]) -> Array | None:
    """For each column of a large half spectrum the one that stands in for it: one of 24 in an octave, at random there."""
    columns = shape[-1] // 2 + 1
    if len(shape) != 2 or shape[0] * columns <= _LARGE:
        return None
    rng = np.random.default_rng(1)
    stand_in = np.arange(columns)
    # No stand-in crosses the edge of an octave, for either way of counting the highest frequency.
    halvings = range(int(np.log2(columns)) + 1)
    edges = sorted({reach >> halving for reach in (shape[-1] // 2, (shape[-1] - 1) // 2) for halving in halvings})
    for low, high in itertools.pairwise(edges):
        if high <= _LOW_COLUMNS:
            continue
        for cell in np.array_split(np.arange(low + 1, high + 1), min(_COLUMNS_PER_OCTAVE, high - low)):
            stand_in[cell] = rng.choice(cell)
    return stand_in


@lru_cache(maxsize=8)
def _draw(shape: tuple[int, ...], skip: int, per_shell: int) -> tuple[tuple[Array, ...], Array]:
    """`draw_bins`, remembered; a few MB each."""
    rng = np.random.default_rng(0)  # the same draw each time: the fit is a function of the picture
    if _stand_ins(shape) is not None:
        per_shell //= _FEWER
    half = half_spectrum_weights(shape)
    # The highest frequency of an even side has no sign, and so no direction: a fit to directions does without it.
    reach = [n // 2 if skip < 0 else (n - 1) // 2 for n in shape]
    parts, weights = [], []
    inner = [-1] * len(shape)  # the box of the octaves done before: nothing yet
    for octave in range(int(np.ceil(np.log2(max(max(reach), 1)))), -1, -1):
        outer = [max(r >> octave, i) for r, i in zip(reach, inner, strict=True)]
        drawn, weight = _draw_shell(rng, shape, inner, outer, per_shell)
        parts.append(drawn)
        weights.append(np.full(drawn.shape[1], weight))
        inner = outer
    signed = np.concatenate(parts, axis=1)
    stand_in = _stand_ins(shape)
    if stand_in is not None:
        signed[-1] = stand_in[signed[-1]]
    kept = np.abs(signed).max(axis=0) > skip
    signed, weight_of = signed[:, kept], np.concatenate(weights)[kept]
    indices = tuple(k % n for k, n in zip(signed, shape, strict=True))
    counts: Array = weight_of * half[indices[-1]]
    for array in (*indices, counts):
        array.flags.writeable = False
    return indices, counts


def _draw_shell(
    rng: np.random.Generator, shape: Sequence[int], inner: Sequence[int], outer: Sequence[int], per_shell: int
) -> tuple[Array, float]:
    """Signed indices in the box ``outer`` but not ``inner`` (last axis >= 0), all or a draw of them; bins per draw."""
    low = [-min(o, (n - 1) // 2) for o, n in zip(outer[:-1], shape[:-1], strict=True)] + [0]
    sides = [o - a + 1 for o, a in zip(outer, low, strict=True)]
    total = int(np.prod(sides, dtype=np.float64))
    if total <= 2 * per_shell:
        box = np.stack([grid.ravel() for grid in np.indices(sides)])
        each = 1.0
    else:
        box = np.stack([rng.integers(0, side, 2 * per_shell) for side in sides])
        each = total / (2 * per_shell)
    signed = box + np.array(low)[:, None]
    outside = np.any(np.abs(signed) > np.array(inner)[:, None], axis=0)
    return signed[:, outside], each
