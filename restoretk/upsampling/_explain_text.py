"""The explanations as plain text."""

from __future__ import annotations

import math

import numpy as np

from restoretk.upsampling._number_grids import drawing_text, flat_text, grid_text, matrix_text, row_text
from restoretk.upsampling.description import ConvTransposeDescription
from restoretk.upsampling.explain import TransposeExplanation


def format_explanation(record: TransposeExplanation) -> str:
    """The explanation as plain text, with Cᵀ written out where it is narrow enough to read.

    Examples
    --------
    >>> from restoretk.upsampling.explain import explain_transposed_convolution
    >>> print(format_explanation(explain_transposed_convolution([1, 2, 4], [1, 1])).splitlines()[0])
    Patch D (3):
    """
    patch_size, mask_size = (" x ".join(map(str, array.shape)) for array in (record.patch, record.mask))
    options = {"stride": record.stride, "padding": record.padding, "dilation": record.dilation}
    spelled = ", ".join(f"{name} {_one_or_each(value)}" for name, value in options.items())
    blocks = [
        (f"Patch D ({patch_size}):", grid_text(record.patch)),
        (f"Mask ({mask_size}), {spelled}:", grid_text(record.mask)),
        ("Cᵀ: each row is the mask as it lies on the patch, row after row, for one output:", _matrix(record)),
        ("Convolution, many to few:  DᵀC =", row_text(record.convolved)),
        (
            f"Transposed convolution, few to many:  E Cᵀ for E = {flat_text(record.sent_back)} =",
            grid_text(record.transposed),
        ),
        (
            "E Cᵀ through C again, which would give E if the transpose were the inverse:  E CᵀC =",
            row_text(record.convolved_again),
        ),
        (f"The minimum-norm inverse:  {record.inverse_formula} =", grid_text(record.minimum_norm)),
        ("It gives back  x C =", row_text(record.recovered)),
        ("Singular values of C:", _singular(record)),
    ]
    text = "\n\n".join("\n".join(part for part in block if part) for block in blocks)
    text += "\n\nWhat this shows:\n" + "\n".join(f"- {sentence}" for sentence in record.findings)
    call = record.call
    title = f"E Cᵀ as a layer: {_size(call.shape)} -> {_size(call.window.out)}"
    return f"{text}\n\n{title}\n{'=' * len(title)}\n\n{format_call(call)}"


def _one_or_each(values: tuple[int, ...]) -> str:
    """The number that all axes share, or one for each."""
    return str(values[0]) if len(set(values)) == 1 else ",".join(map(str, values))


def _matrix(record: TransposeExplanation) -> str:
    """Cᵀ with a gap between the rows of the patch, as the 4x4 example prints it, or drawn."""
    rows = record.matrix.T
    text = matrix_text(rows, record.patch.shape[-1])
    if text is not None:
        return text
    where = np.nonzero(rows)
    counted = f"  {rows.shape[0]} rows of {rows.shape[1]} with {where[0].size} numbers that are not 0"
    return f"{counted}:\n{drawing_text(where[0], where[1], rows.shape)}"


def _singular(record: TransposeExplanation) -> str:
    """The singular values on one line, 0 where only rounding is left, the middle ones left out where there are many."""
    words = [f"{value:.4g}" if i < record.rank else "0" for i, value in enumerate(record.singular_values)]
    return "  " + " ".join(words if len(words) <= 12 else [*words[:6], "...", *words[-5:]])


def format_description(call: ConvTransposeDescription) -> str:
    """A transposed convolution as plain text: sizes, crop, matrix, overlap, equivalents and the call elsewhere.

    Examples
    --------
    >>> from restoretk.upsampling.description import describe_conv_transpose
    >>> print(format_description(describe_conv_transpose([3], [1, 2, 3], stride=2)).splitlines()[0])
    Transposed convolution, 3 -> 7: kernel 3, stride 2, padding 0, output_padding 0, dilation 1
    """
    options = {
        "stride": call.stride,
        "padding": call.padding,
        "output_padding": call.output_padding,
        "dilation": call.dilation,
    }
    spelled = ", ".join(f"{name} {_one_or_each(value)}" for name, value in options.items())
    kernel = "Kernel, given by its size: its taps are numbered here" if call.numbered else "Kernel"
    blocks = [
        (
            f"Transposed convolution, {_size(call.shape)} -> {_size(call.window.out)}: kernel "
            f"{_size(call.kernel.shape)}, {spelled}",
        ),
        (f"{kernel}:", grid_text(call.kernel)),
    ]
    if call.image is not None and call.result is not None:
        blocks += [("Input x:", grid_text(call.image)), ("Output y:", grid_text(call.result))]
    blocks.append(
        ("Cᵀ, one row for each input pixel: the kernel as it lies on the output, y = x Cᵀ:", _call_matrix(call))
    )
    return "\n\n".join("\n".join(block) for block in blocks) + "\n\n" + format_call(call)


def format_call(call: ConvTransposeDescription) -> str:
    """What `format_description` says besides the matrix."""
    blocks = [
        ("Size of the output, (n - 1)*stride - 2*padding + dilation*(k - 1) + output_padding + 1:", _formulas(call)),
        (
            f"The copies of the kernel fill {_size(call.window.full)} pixels. Of these are left out before and after:",
            *_crops(call),
        ),
        ("How many copies reach each output pixel:", _overlap(call)),
        ("The same pixels by a convolution and a pixel shuffle:", *_subpixel(call)),
        (
            "The same call in other frameworks (JAX flips the kernel unless transpose_kernel=True; x and w in the layout "
            "of each):",
            *(f"  {name:<8} {code}" for name, code in call.calls.items()),
        ),
    ]
    if call.warnings:
        blocks.append(("Watch out:", *(f"- {sentence}" for sentence in call.warnings)))
    return "\n\n".join("\n".join(block) for block in blocks)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _axis_names(ndim: int) -> tuple[str, ...]:
    return ("planes", "rows", "columns")[3 - ndim :] if ndim > 1 else ("",)


def _formulas(call: ConvTransposeDescription) -> str:
    if len(set(call.formula)) == 1:
        return f"  {call.formula[0]}" + (" on each axis" if len(call.formula) > 1 else "")
    return "\n".join(
        f"  {name:<8} {text}" for name, text in zip(_axis_names(len(call.formula)), call.formula, strict=True)
    )


def _crops(call: ConvTransposeDescription) -> list[str]:
    """Head, tail and where that puts the picture, one line an axis or one for all."""
    lines = []
    for (before, after), shift in zip(call.window.padding, call.shift, strict=True):
        ends = f"{before} and {after}" if after >= 0 else f"{before} and none ({-after} zeros are added)"
        place = "the picture lies in the middle (half-pixel grid)"
        if shift:
            place = f"the picture lies {abs(shift):g} pixels {'after' if shift > 0 else 'before'} the middle"
        lines.append(f"{ends}: {place}")
    if len(set(lines)) == 1:
        return [f"  {lines[0]}" + (" on each axis" if len(lines) > 1 else "")]
    return [f"  {name:<8} {line}" for name, line in zip(_axis_names(len(lines)), lines, strict=True)]


def _overlap(call: ConvTransposeDescription) -> str:
    """The counts where they can be read, else along each axis."""
    if math.prod(call.window.out) <= 1024 and call.window.out[-1] <= 40:
        return grid_text(call.overlap_counts())
    lines = [
        f"  {name:<8} {flat_text(along)}"
        for name, along in zip(_axis_names(len(call.overlap)), call.overlap, strict=True)
    ]
    return "\n".join(lines) + ("\n  and their products in between" if len(lines) > 1 else "")


def _subpixel(call: ConvTransposeDescription) -> list[str]:
    """The weights of each phase, or their shape where they are many."""
    sub, ndim = call.subpixel, len(call.shape)
    taps, phases = sub.weights.shape[ndim:], math.prod(call.stride)
    zeros = " and ".join(sorted({f"{max(a, 0)} before, {max(b, 0)} after" for a, b in sub.padding}))
    which = f"one for each remainder of {'an' if ndim == 1 else 'the'} output's position divided by the stride"
    head = f"  {phases} kernel{'s' if phases > 1 else ''} of {_size(taps)}, {which}; zeros around the input: {zeros}"
    if phases == 1:
        head = f"  a kernel of {_size(taps)}, which is the one above flipped; zeros around the input: {zeros}"
    if sub.weights.size > 144 or phases > 9:
        return [head]
    lines = [head]
    for phase in np.ndindex(call.stride):
        values = sub.weights[phase]
        rows = [flat_text(row) for row in values.reshape(-1, values.shape[-1])]
        lines.append(f"  {','.join(map(str, phase))}: {' '.join(rows)}")
    return lines


def _call_matrix(call: ConvTransposeDescription) -> str:
    shape = (math.prod(call.shape), math.prod(call.window.out))
    if call.entries() > 1_000_000:
        return f"  {shape[0]} rows of {shape[1]} numbers: too large to draw"
    matrix = call.matrix().tocoo()
    if shape[0] * shape[1] <= 64 * 66:
        text = matrix_text(matrix.toarray(), call.window.out[-1])
        if text is not None:
            return text
    counted = f"  {shape[0]} rows of {shape[1]} with {matrix.nnz} numbers that are not 0"
    return f"{counted}:\n{drawing_text(matrix.row, matrix.col, shape)}"
