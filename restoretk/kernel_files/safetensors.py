"""Tensors in .safetensors: eight bytes of length, a JSON header, the numbers. No package is needed to read it.

The format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.kernel_files.record import KernelFileError

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_LONGEST_HEADER = 100_000_000  # as the format's own reader has it


def read_tensors(path: Path) -> dict[str, Array]:
    """All tensors of floats; bfloat16 as float32."""
    data = path.read_bytes()
    header, start = _header(data, path)
    return {
        name: _numbers(data, entry, start)
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] in _DTYPES
    }


def with_tensor(path: Path, name: str, weights: Array) -> bytes:
    """The bytes of the file with one tensor replaced, in its own dtype and shape; nothing else changes."""
    data = bytearray(path.read_bytes())
    header, start = _header(bytes(data), path)
    entry = header[name]
    first, last = (start + offset for offset in entry["data_offsets"])
    if entry["dtype"] == "BF16":
        data[first:last] = _to_bfloat16(weights).tobytes()
    else:
        data[first:last] = weights.astype(_DTYPES[entry["dtype"]]).tobytes()
    return bytes(data)


def _header(data: bytes, path: Path) -> tuple[Mapping[str, Any], int]:
    """The header, checked so far as it is read later, and where the numbers begin."""
    try:
        length = int.from_bytes(data[:8], "little")
        if len(data) < 8 or not 2 <= length <= min(_LONGEST_HEADER, len(data) - 8):
            raise ValueError(f"a header of {length} bytes does not fit the file")
        header = json.loads(data[8 : 8 + length])
        room = len(data) - 8 - length
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            first, last = entry["data_offsets"]
            count = int(np.prod(entry["shape"], dtype=object))
            size = np.dtype(_DTYPES[entry["dtype"]]).itemsize if entry["dtype"] in _DTYPES else None
            if not 0 <= first <= last <= room or (size is not None and last - first != size * count):
                raise ValueError(f"the tensor {name} does not fit the file")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KernelFileError(f"{path} is not a .safetensors file, or is cut off: {error}") from error
    return header, 8 + length


def _numbers(data: bytes, entry: Mapping[str, Any], start: int) -> Array:
    first, last = entry["data_offsets"]
    flat: Array = np.frombuffer(data[start + first : start + last], _DTYPES[entry["dtype"]])
    if entry["dtype"] == "BF16":  # the upper half of a float32
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(entry["shape"])


def _to_bfloat16(weights: Array) -> Array:
    """The upper halves of the float32, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(weights, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
