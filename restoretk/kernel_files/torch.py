"""Tensors in .pt and .pth: a state dict, read with ``weights_only=True`` so that no code of the file is ever run."""

from __future__ import annotations

import io
import pickle  # nosec B403  # only its error is named: torch reads weights_only
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from restoretk._arrays import Array
from restoretk.kernel_files.record import KernelFileError, optional


def read_tensors(path: Path) -> dict[str, Array]:
    """All tensors of floats, named by their keys with dots between the levels; bfloat16 as float32."""
    torch = optional("torch", "torch", path)
    found = {name: tensor for name, tensor in _tensors(torch, _load(torch, path), "") if tensor.is_floating_point()}
    return {name: _as_array(torch, tensor) for name, tensor in found.items()}


def with_tensor(path: Path, name: str, weights: Array) -> bytes:
    """The bytes of the file with the values of one tensor replaced, in its own dtype."""
    torch = optional("torch", "torch", path)
    content = _load(torch, path)
    for found, tensor in _tensors(torch, content, ""):
        if found == name:
            tensor.detach().copy_(torch.from_numpy(weights))
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _load(torch: Any, path: Path) -> Any:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise KernelFileError(
            f"{path} does not hold plain weights: only state dicts are read, since reading anything else could run "
            f"code; save model.state_dict()"
        ) from error
    return content


def _tensors(torch: Any, content: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if torch.is_tensor(content):
        yield prefix or "tensor", content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from _tensors(torch, value, f"{prefix}.{key}" if prefix else str(key))


def _as_array(torch: Any, tensor: Any) -> Array:
    known = tensor.dtype in (torch.float16, torch.float32, torch.float64)
    array: Array = (tensor if known else tensor.float()).detach().contiguous().numpy()
    return array
