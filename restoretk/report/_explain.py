"""What the page of `restoretk explain` says, and the section of the report: a record turned into the template's pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from restoretk._arrays import Array
from restoretk._version import __version__
from restoretk.report._number_pictures import grid_svg, pattern_svg
from restoretk.upsampling import ConvTransposeDescription, TransposeExplanation, conv_transpose

# Pictures of single copies of the kernel on one page: more are not looked at one by one.
_MOST_COPIES = 6


@dataclass(frozen=True)
class Drawing:
    """A picture with what is written above and below it."""

    name: str
    svg: Markup
    caption: str = ""


def render_explanation(record: TransposeExplanation | ConvTransposeDescription) -> str:
    """The HTML of a page that holds nothing but the explanation."""
    from restoretk.report._page import environment

    return environment().get_template("explain_page.html").render(explain=explanation(record), version=__version__)


def explanation(record: TransposeExplanation | ConvTransposeDescription) -> dict[str, Any]:
    """What the template ``explain_section.html`` needs."""
    if isinstance(record, TransposeExplanation):
        return {**_layer(record.call), **_numbers(record), "numbers": True}
    return {**_layer(record), **_values(record), "numbers": False}


def _numbers(record: TransposeExplanation) -> dict[str, Any]:
    """The convolution of a patch, its transpose and the inverse that the transpose is not."""
    flat = record.patch.ndim == 2 and record.dilation == (1, 1) and record.padding == (0, 0)
    equals = "E = " if np.array_equal(record.sent_back, record.convolved) else ""
    first = [slice(0, k) for k in record.mask.shape] if flat else None
    return {
        "forward": [
            _drawing(
                "Patch D", record.patch, "The first place of the mask is framed." if first else "", outlined=first
            ),
            _drawing("Mask", record.mask, "Laid on the patch as it is, not flipped."),
            _drawing(
                f"{equals}DᵀC, the convolution",
                record.convolved,
                "Multiply and add at every place.",
            ),
        ],
        "matrix": _matrix(record.matrix.T, record.patch.shape[-1], "patch row"),
        "copies": _copies(record.call),
        "transposed": _drawing("E Cᵀ, the transposed convolution", record.transposed, "All copies added."),
        "inverse": [
            _drawing("D, what was convolved", record.patch),
            _drawing(
                f"E Cᵀ × {record.scale:.3g}", record.scale * record.transposed, "Transposed, at the scale closest to D."
            ),
            _drawing(f"{record.inverse_formula}", record.minimum_norm, "The minimum-norm inverse."),
        ],
        "again": [
            _drawing("E, what was sent back", record.sent_back),
            _drawing("E CᵀC: the transpose, convolved again", record.convolved_again),
            _drawing("x C: the inverse, convolved again", record.recovered),
        ],
        "findings": record.findings,
        "strided": _strided(record.call),
    }


def _values(call: ConvTransposeDescription) -> dict[str, Any]:
    """The kernel and the matrix of a layer on its own, with input and output if they are known."""
    kernel = "Its size was given: the taps are numbered to tell them apart." if call.numbered else ""
    shown = [_drawing("Kernel", call.kernel, kernel)]
    if call.image is not None and call.result is not None:
        shown = [_drawing("Input x", call.image), *shown, _drawing("Output y", call.result)]
    shape = (math.prod(call.shape), math.prod(call.window.out))
    matrix: Markup | None = None
    if call.entries() <= 200_000:
        sparse = call.matrix().tocoo()
        if shape[0] * shape[1] <= 4096:
            matrix = _matrix(sparse.toarray(), call.window.out[-1], "output row" if len(call.shape) == 2 else "")
        else:
            matrix = Markup(pattern_svg(sparse.row, sparse.col, shape, "the matrix"))  # noqa: S704  # our own SVG
    return {"forward": shown, "matrix": matrix, "copies": _copies(call), "findings": (), "strided": None}


def _layer(call: ConvTransposeDescription) -> dict[str, Any]:
    """Sizes, crop, overlap, equivalents and calls."""
    counts = call.overlap_counts() if math.prod(call.window.out) <= 1024 else None
    corner = ""
    if counts is None:
        some = [along[:8] for along in call.overlap]
        counts = some[0]
        for along in some[1:]:
            counts = counts[..., None] * along
        corner = " Only the first corner of the output is drawn; its middle goes on like this."
    sub, ndim = call.subpixel, len(call.shape)
    phases = list(np.ndindex(call.stride))
    small = len(phases) <= 16 and sub.weights.size <= 1024
    return {
        "call": call,
        "sizes": (_size(call.shape), _size(call.kernel.shape), _size(call.window.out), _size(call.window.full)),
        "formulas": list(dict.fromkeys(call.formula)),
        "crops": _crops(call),
        "apart": call.stride[0] if len(set(call.stride)) == 1 else _size(call.stride),
        "overlap": _drawing("Copies that reach each output", counts, f"The tint is the number of copies.{corner}"),
        "phases": [_drawing(_phase(phase, len(phases)), sub.weights[phase]) for phase in phases] if small else [],
        "phase_count": len(phases),
        "taps": _size(sub.weights.shape[ndim:]),
        "zeros": [(name, max(a, 0), max(b, 0)) for name, (a, b) in zip(_axes(ndim), sub.padding, strict=True)],
        "calls": call.calls,
    }


def _copies(call: ConvTransposeDescription) -> list[Drawing]:
    """For each input pixel, its copy of the kernel as it lies on the output; none where there are too many."""
    image = call.image
    if image is None or image.size > _MOST_COPIES or math.prod(call.window.out) > 256:
        return []
    matrix = call.matrix().toarray()
    return [
        _drawing(f"{value:.6g} × the mask", value * matrix[i].reshape(call.window.out))
        for i, value in enumerate(image.ravel())
    ]


def _strided(call: ConvTransposeDescription) -> Drawing | None:
    """The same numbers with twice the distance between the copies, where they lie side by side in the example."""
    if set(call.stride) != {1} or call.image is None or call.image.size > _MOST_COPIES:
        return None
    further = conv_transpose(call.image, call.kernel, stride=2, spatial_ndim=call.kernel.ndim)
    return _drawing(f"stride 2: {_size(call.shape)} → {_size(further.shape)}", further)


def _crops(call: ConvTransposeDescription) -> list[tuple[str, tuple[int, int], float]]:
    """Head, tail and shift of each axis, or once if they are the same."""
    ends = list(zip(call.window.padding, call.shift, strict=True))
    if len(set(ends)) == 1 and len(ends) > 1:
        return [("each axis", *ends[0])]
    return [(f"the {name}", pair, shift) for name, (pair, shift) in zip(_axes(len(ends)), ends, strict=True)]


def _phase(phase: tuple[int, ...], count: int) -> str:
    return f"phase {', '.join(map(str, phase))}" if count > 1 else "the mask flipped"


def _matrix(rows: Array, group: int, group_name: str) -> Markup:
    """Cᵀ with its numbers, or drawn."""
    if rows.size <= 4096 and rows.shape[1] <= 72:
        return Markup(grid_svg(rows, "the matrix, transposed", group=group, group_name=group_name))  # noqa: S704  # our own SVG
    where = np.nonzero(rows)
    return Markup(pattern_svg(where[0], where[1], (rows.shape[0], rows.shape[1]), "the matrix"))  # noqa: S704  # same


def _drawing(name: str, array: Array, caption: str = "", *, outlined: list[slice] | None = None) -> Drawing:
    return Drawing(name, Markup(grid_svg(array, name, outlined=outlined)), caption)  # noqa: S704  # our own SVG


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _axes(ndim: int) -> tuple[str, ...]:
    return ("planes", "rows", "columns")[3 - ndim :] if ndim > 1 else ("samples",)
