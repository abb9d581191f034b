"""Transposed convolution explained in numbers: the matrix C, its transpose, and why C^T is not the inverse of C."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_real, check_finite
from restoretk.convolution.matrix import convolution_matrix
from restoretk.convolution.operands import per_axis
from restoretk.convolution.strided import conv_shape
from restoretk.upsampling._number_grids import flat_text
from restoretk.upsampling.description import ConvTransposeDescription, describe_conv_transpose

# The worked example of the README: a patch D and a mask whose convolution is E = [12 12; 10 17].
EXAMPLE_PATCH = ((3, 3, 2, 1), (0, 0, 1, 3), (3, 1, 2, 2), (2, 0, 0, 2))
EXAMPLE_MASK = ((0, 1, 2), (2, 2, 0), (0, 1, 2))

# The matrix is dense here and its singular values cost its side cubed: a second or so at this size.
_MOST_PIXELS = 1024


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
    call : ConvTransposeDescription
        The transposed convolution E Cᵀ as a call: sizes, overlap, the same in other frameworks.
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
    call: ConvTransposeDescription
    findings: tuple[str, ...] = ()

    @property
    def inverse_formula(self) -> str:
        """The formula of the minimum-norm inverse, with the pseudo-inverse where CᵀC is singular."""
        return "x = E (CᵀC)⁻¹Cᵀ" if self.rank == self.convolved.size else "x = E (CᵀC)⁺Cᵀ"

    def as_dict(self) -> dict[str, Any]:
        """Everything as lists, numbers and strings for JSON."""
        plain: dict[str, Any] = {}
        for name, value in vars(self).items():
            plain[name] = value.tolist() if isinstance(value, np.ndarray) else value
            if isinstance(value, ConvTransposeDescription):
                plain[name] = value.as_dict()
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
        call=_as_call(E, K, D.shape, steps, heads, spread),
    )
    return replace(record, findings=tuple(_findings(record, own=sent_back is None)))


def _as_call(
    E: Array,
    K: Array,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> ConvTransposeDescription:
    """E Cᵀ as a call of conv_transpose: the output_padding is what the stride of C did not read."""
    unread = tuple(
        size - ((n - 1) * s - 2 * p + (k - 1) * d + 1)
        for size, n, k, s, p, d in zip(shape, E.shape, K.shape, stride, padding, dilation, strict=True)
    )
    return describe_conv_transpose(
        kernel=K, image=E, stride=stride, padding=padding, output_padding=unread, dilation=dilation
    )


def _numbers(values: npt.ArrayLike, name: str) -> Array:
    """A copy as int64 or float64."""
    array = as_real(values, name).copy()
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
        yield f"E CᵀC = {flat_text(again)} is not E = {flat_text(E)}: the transposed convolution does not undo C."

    recovered = flat_text(record.recovered)
    if np.abs(record.recovered - E).max() < small:
        yield f"The minimum-norm inverse {record.inverse_formula} gives E back: x C = {recovered}."
    else:
        yield f"C cannot produce this E; the closest that it can is x C = {recovered} for {record.inverse_formula}."
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
