"""The transpose of H: a small image to a larger one. This is "deconvolution" in deep learning."""

from __future__ import annotations

from restoretk.upsampling.explain import (
    TransposeExplanation,
    explain_transposed_convolution,
    format_explanation,
)
from restoretk.upsampling.kernels import KERNELS, kernel_taps
from restoretk.upsampling.resampling import downsample, upsample
from restoretk.upsampling.transposed import conv_transpose

__all__ = [
    "KERNELS",
    "TransposeExplanation",
    "conv_transpose",
    "downsample",
    "explain_transposed_convolution",
    "format_explanation",
    "kernel_taps",
    "upsample",
]
