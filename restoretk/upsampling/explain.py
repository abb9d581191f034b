"""Transposed convolution explained in numbers: the matrix C, its transpose, and why C^T is not the inverse of C."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, check_finite
from restoretk.convolution.matrix import convolution_matrix
from restoretk.convolution.operands import per_axis
from restoretk.convolution.strided import conv_shape

# The worked example of the README: a patch D and a mask whose convolution is E = [12 12; 10 17].
EXAMPLE_PATCH = ((3, 3, 2, 1), (0, 0, 1, 3), (3, 1, 2, 2), (2, 0, 0, 2))
EXAMPLE_MASK = ((0, 1, 2), (2, 2, 0), (0, 1, 2))

# The matrix is dense here and its singular values cost its side cubed: a second or so at this size.
_MOST_PIXELS = 1024
# The widest matrix that is still read rather than looked at, in columns of characters.
_WIDEST = 132


@dataclass(frozen=True)
class TransposeExplanation:
    """What a convolution and its transpose do to one patch.

    Attributes
    ----------
    patch : ndarray
        D, the input.
    mask : ndarray
        The kernel of the convolution.
    stride, padding, dilation : tuple of int
        One for each axis.
    matrix : ndarray of shape (input pixels, output pixels)
        C: ``patch.ravel() @ matrix`` is the convolution.
    convolved : ndarray
        D^T C, in the shape of the output.
    sent_back : ndarray
        E, what the transpose is applied to: the same as ``convolved`` unless another was given.
    transposed : ndarray
        E C^T, the transposed convolution, in the shape of the patch.
    convolved_again : ndarray
        E C^T C: the transposed convolution through the convolution once more. Were C^T the inverse, it would be E.
    minimum_norm : ndarray
        E (C^T C)^+ C^T, in the shape of the patch: the smallest patch whose convolution comes closest to E.
    recovered : ndarray
        The convolution of ``minimum_norm``: E itself wherever E can be reached.
    singular_values : ndarray
        Of C, descending.
    rank : int
        How many of them are not zero: the dimensions of the patch that the convolution keeps.
    scale : float
        The number by which E C^T comes closest to the patch.
    findings : tuple of str
        What these numbers show, as sentences.
    """

    patch: Array
    mask: Array
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    matrix: Array
    convolved: Array
    sent_back: Array
    transposed: Array
    convolved_again: Array
    minimum_norm: Array
    recovered: Array
    singular_values: Array
    rank: int
    scale: float
    findings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Everything as lists, numbers and strings for JSON."""
        plain: dict[str, Any] = {}
        for name, value in vars(self).items():
            plain[name] = value.tolist() if isinstance(value, np.ndarray) else value
            if isinstance(value, tuple):
                plain[name] = list(value)
        return plain


def explain_transposed_convolution(
    patch: npt.ArrayLike = EXAMPLE_PATCH,
    mask: npt.ArrayLike = EXAMPLE_MASK,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    sent_back: npt.ArrayLike | None = None,
) -> TransposeExplanation:
    """The convolution of a patch and its transpose as one matrix, beside the inverse that the transpose is not.

    Parameters
    ----------
    patch : array_like of D axes
        At most 1024 pixels. The default is the 4x4 example.
    mask : array_like of D axes
        Not flipped: cross-correlation, as deep learning means convolution.
    stride, padding, dilation : int or one int for each axis
        As in `restoretk.convolution.strided.conv`.
    sent_back : array_like in the shape of the output, or None
        E, what the transpose is applied to. None: the convolution of the patch.

    Raises
    ------
    TypeError, ValueError
        For arrays that are empty, too large, not real or not finite, and shapes that do not fit.

    Examples
    --------
    >>> record = explain_transposed_convolution()
    >>> record.convolved.ravel()
    array([12, 12, 10, 17])
    >>> record.convolved_again.ravel()
    array([454, 440, 436, 506])
    >>> record.recovered.ravel().round(10)
    array([12., 12., 10., 17.])
    """
    D, K = _numbers(patch, "patch"), _numbers(mask, "mask")
    if D.size > _MOST_PIXELS:
        raise ValueError(f"patch must have at most {_MOST_PIXELS} pixels, its matrix being written out, got {D.size}")
    if D.ndim != K.ndim:
        raise ValueError(f"mask must have as many axes as the patch, {D.ndim}, got shape {K.shape}")
    # E C^T C holds at most max|D| (sum|K|)^3: whole numbers that could pass 64 bits are worked on as floats.
    if float(np.abs(D).max()) * float(np.abs(K.astype(np.float64)).sum()) ** 3 > 2.0**62:
        D, K = D.astype(np.float64), K.astype(np.float64)
    steps = per_axis(stride, D.ndim, "stride", 1)
    heads = per_axis(padding, D.ndim, "padding", 0)
    spread = per_axis(dilation, D.ndim, "dilation", 1)
    C: Array = convolution_matrix(K, D.shape, stride=steps, padding=heads, dilation=spread).toarray()
    out = conv_shape(D.shape, K.shape, stride=steps, padding=heads, dilation=spread)
    convolved = (D.ravel() @ C).reshape(out)
    E = convolved.copy() if sent_back is None else _numbers(sent_back, "sent_back")
    if E.shape != out:
        raise ValueError(f"sent_back must have the shape of the output, {out}, got {E.shape}")

    transposed = E.ravel() @ C.T
    minimum_norm = E.ravel() @ np.linalg.pinv(C.astype(np.float64))  # C^+ = (C^T C)^+ C^T, also where C^T C is singular
    singular_values = np.linalg.svd(C.astype(np.float64), compute_uv=False)
    floor = singular_values[0] * max(C.shape) * np.finfo(np.float64).eps
    energy = float(transposed @ transposed)
    record = TransposeExplanation(
        patch=D,
        mask=K,
        stride=steps,
        padding=heads,
        dilation=spread,
        matrix=C,
        convolved=convolved,
        sent_back=E,
        transposed=transposed.reshape(D.shape),
        convolved_again=(transposed @ C).reshape(out),
        minimum_norm=minimum_norm.reshape(D.shape),
        recovered=(minimum_norm @ C).reshape(out),
        singular_values=singular_values,
        rank=int((singular_values > floor).sum()),
        scale=float(transposed @ D.ravel()) / energy if energy else 0.0,
    )
    return replace(record, findings=tuple(_findings(record, own=sent_back is None)))


def _numbers(values: npt.ArrayLike, name: str) -> Array:
    """A copy as int64 or float64."""
    array = np.array(values)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise TypeError(f"{name} must hold integers or floats of at most 64 bits, got dtype {array.dtype}")
    if array.size == 0 or not 1 <= array.ndim <= 3:
        raise ValueError(f"{name} must have 1, 2 or 3 axes and at least one element, got shape {array.shape}")
    check_finite(array, name)
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)


def _findings(record: TransposeExplanation, *, own: bool) -> Iterator[str]:
    """What the numbers show, sentence by sentence; ``own`` says that E is the convolution of this very patch."""
    (inputs, outputs), E, again, rank = record.matrix.shape, record.sent_back, record.convolved_again, record.rank
    small = 1e-9 * max(1.0, float(np.abs(E).max()))
    loss = "nothing is lost."
    if rank < inputs:
        loss = f"{inputs - rank} of the {inputs} dimensions of D are lost, and no method restores them."
    yield f"C takes {inputs} numbers to {outputs} and has rank {rank}: {loss}"

    gains = record.singular_values[:rank] ** 2
    if rank and rank == outputs and np.ptp(gains) < 1e-9 * gains[0]:
        yield (
            f"The singular values of C are all equal (where copies of the mask overlap, they cancel), so E CᵀC is "
            f"{gains[0]:.6g} E: only in such a case is the transpose the inverse, up to that number."
        )
    elif np.abs(again - E).max() > small:
        yield f"E CᵀC = {_flat(again)} is not E = {_flat(E)}: the transposed convolution does not undo C."

    recovered = _flat(record.recovered)
    if np.abs(record.recovered - E).max() < small:
        yield f"The minimum-norm inverse {_inverse(record)} gives E back: x C = {recovered}."
    else:
        yield f"C cannot produce this E; the closest that it can is x C = {recovered} for {_inverse(record)}."
    yield "Cᵀ multiplies by the singular values where an inverse divides by them: the same places, other gains."
    if own:
        plain, scaled, inverse = (
            round(float(np.linalg.norm(record.patch - guess)), 9)
            for guess in (record.transposed, record.scale * record.transposed, record.minimum_norm)
        )
        yield (
            f"Distance to D: {plain:.4g} from E Cᵀ ({scaled:.3g} at the best scale, {record.scale:.3g}), "
            f"{inverse:.3g} from x."
        )


def format_explanation(record: TransposeExplanation) -> str:
    """The explanation as plain text, with Cᵀ written out where it is narrow enough to read.

    Examples
    --------
    >>> print(format_explanation(explain_transposed_convolution([1, 2, 4], [1, 1])).splitlines()[0])
    Patch D (3):
    """
    patch_size, mask_size = (" x ".join(map(str, array.shape)) for array in (record.patch, record.mask))
    options = {"stride": record.stride, "padding": record.padding, "dilation": record.dilation}
    spelled = ", ".join(f"{name} {_one_or_each(value)}" for name, value in options.items())
    blocks = [
        (f"Patch D ({patch_size}):", _grid(record.patch)),
        (f"Mask ({mask_size}), {spelled}:", _grid(record.mask)),
        ("Cᵀ: each row is the mask as it lies on the patch, row after row, for one output:", _matrix(record)),
        ("Convolution, many to few:  DᵀC =", _row(record.convolved)),
        (
            f"Transposed convolution, few to many:  E Cᵀ for E = {_flat(record.sent_back)} =",
            _grid(record.transposed),
        ),
        (
            "E Cᵀ through C again, which would give E if the transpose were the inverse:  E CᵀC =",
            _row(record.convolved_again),
        ),
        (f"The minimum-norm inverse:  {_inverse(record)} =", _grid(record.minimum_norm)),
        ("It gives back  x C =", _row(record.recovered)),
        ("Singular values of C:", _singular(record)),
    ]
    text = "\n\n".join("\n".join(part for part in block if part) for block in blocks)
    return text + "\n\nWhat this shows:\n" + "\n".join(f"- {sentence}" for sentence in record.findings)


def _inverse(record: TransposeExplanation) -> str:
    """The formula of the minimum-norm inverse, with the pseudo-inverse where CᵀC is singular."""
    return "x = E (CᵀC)⁻¹Cᵀ" if record.rank == record.convolved.size else "x = E (CᵀC)⁺Cᵀ"


def _one_or_each(values: tuple[int, ...]) -> str:
    """The number that all axes share, or one for each."""
    return str(values[0]) if len(set(values)) == 1 else ",".join(map(str, values))


def _matrix(record: TransposeExplanation) -> str:
    """Cᵀ with a gap between the rows of the patch, as the 4x4 example prints it."""
    rows, width = record.matrix.T, record.patch.shape[-1]
    words = _words(rows)
    if words.shape[1] * (len(words[0, 0]) + 1) > _WIDEST or len(words) > 64:
        stored = int(np.count_nonzero(rows))
        return f"  {rows.shape[0]} rows of {rows.shape[1]} with {stored} numbers that are not 0: too large to read here"
    lines = ("  ".join(" ".join(row[i : i + width]) for i in range(0, len(row), width)) for row in words)
    return "\n".join(f"  {line}" for line in lines)


def _singular(record: TransposeExplanation) -> str:
    """The singular values on one line, 0 where only rounding is left, the middle ones left out where there are many."""
    words = [f"{value:.4g}" if i < record.rank else "0" for i, value in enumerate(record.singular_values)]
    return "  " + " ".join(words if len(words) <= 12 else [*words[:6], "...", *words[-5:]])


def _grid(array: Array) -> str:
    """An array as aligned columns, the planes of a stack apart; its shape and range where it is too wide to read."""
    words = _words(array.reshape(-1, array.shape[-1]))
    if words.shape[1] * (len(words[0, 0]) + 1) > _WIDEST:
        return f"  {' x '.join(map(str, array.shape))} numbers from {array.min():.6g} to {array.max():.6g}"
    rows = array.shape[-2] if array.ndim > 1 else 1
    lines = [f"  {' '.join(row)}" for row in words]
    return "\n\n".join("\n".join(lines[i : i + rows]) for i in range(0, len(lines), rows))


def _row(array: Array) -> str:
    """The few numbers of an output on one line, more of them in their own shape."""
    return _grid(array.reshape(1, -1) if array.size <= 16 else array)


def _words(rows: Array) -> npt.NDArray[np.str_]:
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


def _flat(array: Array) -> str:
    """The numbers on one line in brackets, the middle ones left out where there are many."""
    words = [f"{value:.6g}" for value in array.ravel()]
    return f"[{' '.join(words if len(words) <= 16 else [*words[:6], '...', *words[-6:]])}]"
