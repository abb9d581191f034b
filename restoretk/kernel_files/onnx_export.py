"""An upsampling kernel as an ONNX model: edge pixels repeated, one transposed convolution, nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, check_finite, refuse_masked
from restoretk._version import __version__
from restoretk.image_files import check_output_path, write_bytes
from restoretk.kernel_files.record import KernelFileError, optional

# Of the operator set in which Pad takes its widths as an input (11) and ConvTranspose is as it still is.
_OPSET = 13
_IR_VERSION = 8


def export_onnx(
    path: str | Path, kernel: npt.ArrayLike, factor: int, *, channels: int = 1, overwrite: bool = False
) -> None:
    """Write a kernel as an ONNX model that enlarges pictures as `upsample` does with it.

    The model takes ``image``, float32 of shape (batch, channels, rows, columns), any batch, rows and columns, and gives
    ``enlarged``. It repeats the edge pixels by a Pad node and enlarges by a ConvTranspose node that crops what was
    padded.

    Parameters
    ----------
    path : str or Path
        Ends in .onnx.
    kernel : array_like of shape (k,) or (k, l)
        On the half-pixel grid of ``factor``, as `upsample` takes it; 1-D taps are used along rows and columns.
    factor : int
        At least 2.
    channels : int
        Each is enlarged by itself.
    overwrite : bool
        Replace a file that is there.

    Raises
    ------
    KernelFileError
        Without the package onnx (``pip install "restoretk[onnx]"``), and for another suffix.
    TypeError, ValueError
        For a kernel that is not finite, not real, or not on the grid.
    OSError
        For a file that cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise KernelFileError(f"the suffix of {path} must be .onnx, got {path.suffix!r}")
    onnx = optional("onnx", "onnx", path)
    check_output_path(path, overwrite=overwrite)
    taps = _picture_kernel(kernel, factor)
    if channels < 1:
        raise ValueError(f"channels must be at least 1, got {channels}")
    model = _model(onnx, taps.astype(np.float32), factor, channels)
    onnx.checker.check_model(model)
    write_bytes(path, model.SerializeToString())


def _picture_kernel(kernel: npt.ArrayLike, factor: int) -> Array:
    """The kernel with two axes, checked."""
    refuse_masked(kernel, "kernel")
    taps = np.asarray(kernel)
    if taps.dtype.kind not in "iuf":
        raise TypeError(f"kernel must be an array of real taps, got dtype {taps.dtype} (a bank is no single kernel)")
    if taps.ndim not in (1, 2):
        raise ValueError(f"kernel must have one or two axes, got shape {taps.shape}")
    check_finite(taps, "kernel")
    if factor < 2:
        raise ValueError(f"factor must be at least 2, got {factor}")
    if any(side < factor or (side - factor) % 2 for side in taps.shape):
        raise ValueError(f"kernel must have {factor}, {factor + 2}, ... taps on each axis, got shape {taps.shape}")
    return np.outer(taps, taps) if taps.ndim == 1 else taps


def _model(onnx: Any, taps: Array, factor: int, channels: int) -> Any:
    """Pad by as many input pixels as the kernel reaches, transposed convolution, crop."""
    make = onnx.helper
    heads = [(side - factor) // 2 for side in taps.shape]
    rings = [-(-head // factor) for head in heads]
    crops = [head + ring * factor for head, ring in zip(heads, rings, strict=True)]
    weights = np.tile(taps, (channels, 1, 1, 1))  # (C_in, C_out / groups, k, l)
    stored = [
        onnx.numpy_helper.from_array(np.array([0, 0, *rings, 0, 0, *rings], np.int64), "widths"),
        onnx.numpy_helper.from_array(weights, "kernel"),
    ]
    nodes = [
        make.make_node("Pad", ["image", "widths"], ["extended"], name="repeat_edges", mode="edge"),
        make.make_node(
            "ConvTranspose",
            ["extended", "kernel"],
            ["enlarged"],
            name="enlarge",
            strides=[factor, factor],
            pads=[*crops, *crops],
            group=channels,
        ),
    ]
    kind = onnx.TensorProto.FLOAT
    source = make.make_tensor_value_info("image", kind, ["batch", channels, "rows", "columns"])
    result = make.make_tensor_value_info("enlarged", kind, ["batch", channels, "large_rows", "large_columns"])
    graph = make.make_graph(nodes, "upsample", [source], [result], stored)
    return make.make_model(
        graph,
        opset_imports=[make.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="restoretk",
        producer_version=__version__,
    )
