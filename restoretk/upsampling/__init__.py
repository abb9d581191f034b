"""The transpose of H: a small image to a larger one. This is "deconvolution" in deep learning."""

from __future__ import annotations

from restoretk.upsampling._explain_text import format_description, format_explanation
from restoretk.upsampling._size_text import format_solutions
from restoretk.upsampling.bank_fitting import fit_kernel_bank
from restoretk.upsampling.checkerboard import KernelInspection, inspect_kernel
from restoretk.upsampling.description import ConvTransposeDescription, describe_conv_transpose
from restoretk.upsampling.explain import TransposeExplanation, explain_transposed_convolution
from restoretk.upsampling.fitting import KernelFit, fit_kernel, kernel_fit
from restoretk.upsampling.kernel_bank import BankStage, KernelBank
from restoretk.upsampling.kernel_repair import repair_kernel
from restoretk.upsampling.kernel_storage import load_kernel, save_kernel
from restoretk.upsampling.kernels import KERNELS, kernel_taps, kernels_for, resolve_kernel
from restoretk.upsampling.layer_inspection import LayerInspection, inspect_layer
from restoretk.upsampling.resampling import downsample, upsample
from restoretk.upsampling.shipped_kernels import bank_kernel, fitted_kernel, fitted_provenance
from restoretk.upsampling.size_solver import SizeSolutions, solve_sizes
from restoretk.upsampling.transposed import conv_transpose

__all__ = [
    "KERNELS",
    "BankStage",
    "ConvTransposeDescription",
    "KernelBank",
    "KernelFit",
    "KernelInspection",
    "LayerInspection",
    "SizeSolutions",
    "TransposeExplanation",
    "bank_kernel",
    "conv_transpose",
    "describe_conv_transpose",
    "downsample",
    "explain_transposed_convolution",
    "fit_kernel",
    "fit_kernel_bank",
    "fitted_kernel",
    "fitted_provenance",
    "format_description",
    "format_explanation",
    "format_solutions",
    "inspect_kernel",
    "inspect_layer",
    "kernel_fit",
    "kernel_taps",
    "kernels_for",
    "load_kernel",
    "repair_kernel",
    "resolve_kernel",
    "save_kernel",
    "solve_sizes",
    "upsample",
]
