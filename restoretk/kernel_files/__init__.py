"""Kernels and the weights of layers in files, .npy, .onnx, .safetensors and .pt: read, and put back changed."""

from __future__ import annotations

from restoretk.kernel_files.files import SUFFIXES, check_layer_output, list_layers, read_layer, write_layer
from restoretk.kernel_files.onnx_export import export_onnx
from restoretk.kernel_files.record import KernelFileError, Layer

__all__ = [
    "SUFFIXES",
    "KernelFileError",
    "Layer",
    "check_layer_output",
    "export_onnx",
    "list_layers",
    "read_layer",
    "write_layer",
]
