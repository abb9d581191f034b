"""ONNX's five operators of convolution and pooling, said in the words of restoretk's public functions.

``run(op, inputs, attrs, n_outputs)`` takes one node of a model: the name of its operator, its inputs in ONNX's order
with None where an optional one is left out, and its attributes as the model stores them (strings as str, defaults not
filled in). It returns the output, or a tuple of them where the node has several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.average_pooling import average_pool
from restoretk.convolution.max_pooling import max_pool, max_pool_with_indices
from restoretk.convolution.max_unpooling import max_unpool
from restoretk.convolution.strided import conv
from restoretk.upsampling.frameworks import onnx_window
from restoretk.upsampling.transposed import conv_transpose

Pairs = tuple[tuple[int, int], ...]


def run(op: str, inputs: Sequence[Array | None], attrs: dict[str, Any], n_outputs: int) -> Array | tuple[Array, ...]:
    """The outputs of one node."""
    if op not in OPERATORS:
        raise ValueError(f"op must be one of {', '.join(OPERATORS)}, got {op!r}")
    function, known, most_inputs, most_outputs = OPERATORS[op]
    unknown = sorted(set(attrs) - {"kernel_shape", "strides", "pads", *known})
    if unknown:
        raise ValueError(f"{op} has no attribute {', '.join(unknown)}")
    if not 1 <= len(inputs) <= most_inputs or inputs[0] is None:
        raise ValueError(f"{op} takes 1 to {most_inputs} inputs, of which the first is required, got {len(inputs)}")
    if not 1 <= n_outputs <= most_outputs:
        raise ValueError(f"{op} has 1 to {most_outputs} outputs, got {n_outputs}")
    full = [*inputs, *[None] * (most_inputs - len(inputs))]
    return function(*full, attrs=attrs, n_outputs=n_outputs)


def _conv(x: Array, w: Array, b: Array | None, *, attrs: dict[str, Any], n_outputs: int) -> Array:  # noqa: ARG001
    ndim = x.ndim - 2
    _check_kernel_shape(attrs, w)
    stride, dilation = _ints(attrs, "strides", ndim), _ints(attrs, "dilations", ndim)
    return conv(
        x,
        w,
        stride=stride,
        padding=_padding(attrs, x.shape[2:], w.shape[2:], stride, dilation),
        dilation=dilation,
        groups=attrs.get("group", 1),
        bias=b,
        spatial_ndim=ndim,
    )


def _conv_transpose(x: Array, w: Array, b: Array | None, *, attrs: dict[str, Any], n_outputs: int) -> Array:  # noqa: ARG001
    ndim = x.ndim - 2
    _check_kernel_shape(attrs, w)
    stride, dilation = _ints(attrs, "strides", ndim), _ints(attrs, "dilations", ndim)
    window = onnx_window(
        x.shape[2:],
        w.shape[2:],
        stride=stride,
        dilation=dilation,
        pads=attrs.get("pads"),
        auto_pad=attrs.get("auto_pad", "NOTSET"),
        output_padding=attrs.get("output_padding"),
        output_shape=attrs.get("output_shape"),
    )
    return conv_transpose(
        x,
        w,
        stride=stride,
        padding=window.padding,
        dilation=dilation,
        groups=attrs.get("group", 1),
        bias=b,
        spatial_ndim=ndim,
    )


def _average_pool(x: Array, *, attrs: dict[str, Any], n_outputs: int) -> Array:  # noqa: ARG001
    return average_pool(x, **_pooling(x, attrs), count_include_pad=bool(attrs.get("count_include_pad", 0)))


def _max_pool(x: Array, *, attrs: dict[str, Any], n_outputs: int) -> Array | tuple[Array, Array]:
    options = _pooling(x, attrs)
    if n_outputs == 1:
        return max_pool(x, **options)
    return max_pool_with_indices(x, **options, count_over="array", order="F" if attrs.get("storage_order") else "C")


def _max_unpool(
    x: Array,
    indices: Array,
    output_shape: Array | None,
    *,
    attrs: dict[str, Any],
    n_outputs: int,  # noqa: ARG001
) -> Array:
    ndim = x.ndim - 2
    # The indices always refer to the size that the attributes give; an output_shape then extends it with zeros.
    inferred = max_unpool(
        x,
        indices,
        attrs["kernel_shape"],
        stride=_ints(attrs, "strides", ndim),
        padding=_explicit(attrs, ndim),
        spatial_ndim=ndim,
        count_over="array",
    )
    if output_shape is None:
        return inferred
    result = np.zeros(tuple(int(n) for n in output_shape), inferred.dtype)
    common = tuple(slice(min(pair)) for pair in zip(result.shape, inferred.shape, strict=True))
    result[common] = inferred[common]
    return result


def _pooling(x: Array, attrs: dict[str, Any]) -> dict[str, Any]:
    """The options that both poolings share.

    ceil_mode also counts with auto_pad=VALID, as in ONNX's shape inference and in onnxruntime; the formula in the text of
    the specification would there be the same with and without it.
    """
    ndim = x.ndim - 2
    size = _ints(attrs, "kernel_shape", ndim)
    stride, dilation = _ints(attrs, "strides", ndim), _ints(attrs, "dilations", ndim)
    return {
        "size": size,
        "stride": stride,
        "padding": _padding(attrs, x.shape[2:], size, stride, dilation),
        "dilation": dilation,
        "ceil_mode": bool(attrs.get("ceil_mode", 0)),
        "spatial_ndim": ndim,
    }


def _padding(
    attrs: dict[str, Any], shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Pairs:
    """The pairs (before, after) of a convolution or pooling."""
    auto_pad = attrs.get("auto_pad", "NOTSET")
    if auto_pad == "NOTSET":
        return _explicit(attrs, len(shape))
    if auto_pad == "VALID":
        return ((0, 0),) * len(shape)
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"auto_pad must be NOTSET, SAME_UPPER, SAME_LOWER or VALID, got {auto_pad!r}")
    pairs = []
    for n, k, s, d in zip(shape, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)  # for ceil(n / s) results
        small, large = total // 2, total - total // 2
        pairs.append((small, large) if auto_pad == "SAME_UPPER" else (large, small))
    return tuple(pairs)


def _explicit(attrs: dict[str, Any], ndim: int) -> Pairs:
    """ONNX's pads, all begins and then all ends, as pairs."""
    pads = [int(p) for p in attrs.get("pads", [0] * (2 * ndim))]
    if len(pads) != 2 * ndim:
        raise ValueError(f"pads must hold {2 * ndim} numbers, got {pads}")
    return tuple(zip(pads[:ndim], pads[ndim:], strict=True))


def _ints(attrs: dict[str, Any], name: str, ndim: int) -> tuple[int, ...]:
    if name == "kernel_shape" and name not in attrs:
        raise ValueError("kernel_shape is required")
    values = tuple(int(v) for v in attrs.get(name, (1,) * ndim))
    if len(values) != ndim:
        raise ValueError(f"{name} must hold {ndim} numbers, got {values}")
    return values


def _check_kernel_shape(attrs: dict[str, Any], w: Array) -> None:
    if tuple(attrs.get("kernel_shape", w.shape[2:])) != w.shape[2:]:
        raise ValueError(f"kernel_shape {attrs['kernel_shape']} does not fit the weights of shape {w.shape}")


# For each operator: the function, its attributes beside those that all share, and the most inputs and outputs it has.
OPERATORS: dict[str, tuple[Any, tuple[str, ...], int, int]] = {
    "Conv": (_conv, ("auto_pad", "dilations", "group"), 3, 1),
    "ConvTranspose": (
        _conv_transpose,
        ("auto_pad", "dilations", "group", "output_padding", "output_shape"),
        3,
        1,
    ),
    "AveragePool": (_average_pool, ("auto_pad", "ceil_mode", "count_include_pad", "dilations"), 1, 1),
    "MaxPool": (_max_pool, ("auto_pad", "ceil_mode", "dilations", "storage_order"), 1, 2),
    "MaxUnpool": (_max_unpool, (), 3, 1),
}
