"""The ConvTranspose nodes of an ONNX model, with what they say of stride, crop and groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.kernel_files.record import KernelFileError, Layer, optional


def onnx_layers(path: Path) -> list[Layer]:
    """All transposed convolutions of the model whose weights are stored in it."""
    onnx = optional("onnx", "onnx", path)
    model = _load(onnx, path)
    return [_layer(onnx, node, tensor, path, name) for name, node, tensor in _nodes(model)]


def with_weights(path: Path, name: str, weights: Array) -> bytes:
    """The model with the weights of one layer replaced, in their own dtype."""
    onnx = optional("onnx", "onnx", path)
    model = _load(onnx, path)
    for node_name, node, tensor in _nodes(model):
        if node_name == name:
            users = sum(list(other.input).count(node.input[1]) for other in model.graph.node)
            if users > 1:
                raise KernelFileError(
                    f"{path}: {users} nodes share the weights {node.input[1]!r} of the layer {name!r}"
                )
            dtype = onnx.numpy_helper.to_array(tensor).dtype
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights.astype(dtype), tensor.name))
            return bytes(model.SerializeToString())
    raise KernelFileError(f"{path} has no layer {name!r}")


def _load(onnx: Any, path: Path) -> Any:
    protobuf = optional("google.protobuf.message", "onnx", path)
    try:
        model = onnx.load(str(path))
    except protobuf.DecodeError as error:
        raise KernelFileError(f"{path} is not an ONNX model, or is cut off") from error
    except onnx.checker.ValidationError as error:  # weights in a file beside the model, and that is missing
        raise KernelFileError(f"{path} cannot be read: {error}") from error
    if not model.graph.node:
        raise KernelFileError(f"{path} is not an ONNX model, or one without nodes")
    return model


def _nodes(model: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, node and weights of each ConvTranspose: weights are an initializer or the value of a Constant."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    stored[node.output[0]] = attribute.t
    taken: set[str] = set()
    for node in model.graph.node:
        if node.op_type == "ConvTranspose" and len(node.input) > 1 and node.input[1] in stored:
            name = node.name or node.input[1]
            name = name if name not in taken else node.output[0]
            taken.add(name)
            yield name, node, stored[node.input[1]]


def _layer(onnx: Any, node: Any, tensor: Any, path: Path, name: str) -> Layer:
    weights = onnx.numpy_helper.to_array(tensor)
    if weights.dtype.kind != "f":  # bfloat16 comes as a type of ml_dtypes
        weights = weights.astype(np.float32)
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    ndim = weights.ndim - 2
    if not 1 <= ndim <= 3:
        raise KernelFileError(f"{path}: the layer {name!r} must have 1, 2 or 3 spatial axes, got {weights.shape}")
    ones = (1,) * ndim
    stride = tuple(int(s) for s in attributes.get("strides", ones))
    dilation = tuple(int(d) for d in attributes.get("dilations", ones))
    reach = [(k - 1) * d + 1 for k, d in zip(weights.shape[2:], dilation, strict=True)]
    return Layer(
        name=name,
        weights=weights,
        path=path,
        stride=stride,
        padding=_head(attributes, reach, stride),
        dilation=dilation,
        groups=int(attributes.get("group", 1)),
    )


def _head(attributes: dict[str, Any], reach: list[int], stride: tuple[int, ...]) -> tuple[int, ...] | None:
    """The crop before the output begins; None where it depends on the size of the image."""
    if "output_shape" in attributes:
        return None
    mode = attributes.get("auto_pad", b"NOTSET").decode()
    more = attributes.get("output_padding", (0,) * len(stride))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        # total = s (n - 1) + output_padding + k - out, and out = s n: the size of the image falls out.
        totals = [max(k + int(p) - s, 0) for k, p, s in zip(reach, more, stride, strict=True)]
        return tuple(total // 2 if mode == "SAME_UPPER" else total - total // 2 for total in totals)
    pads = attributes.get("pads", (0,) * 2 * len(stride))
    return (0,) * len(stride) if mode == "VALID" else tuple(int(p) for p in pads[: len(stride)])
