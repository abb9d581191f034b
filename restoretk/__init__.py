"""One operator, three verbs: degrade (H), restore (a regularised inverse of H), upsample (the transpose of H)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from restoretk._version import __version__ as __version__
    from restoretk.catalogue import make_noise as make_noise
    from restoretk.catalogue import make_psf as make_psf
    from restoretk.comparison import compare as compare
    from restoretk.convolution.average_pooling import average_pool as average_pool
    from restoretk.convolution.blur import Blur as Blur
    from restoretk.convolution.blur import convolve as convolve
    from restoretk.convolution.fourier import apply_transfer_function as apply_transfer_function
    from restoretk.convolution.fourier import otf_to_psf as otf_to_psf
    from restoretk.convolution.fourier import psf_to_otf as psf_to_otf
    from restoretk.convolution.matrix import convolution_matrix as convolution_matrix
    from restoretk.convolution.max_pooling import max_pool as max_pool
    from restoretk.convolution.max_pooling import max_pool_with_indices as max_pool_with_indices
    from restoretk.convolution.max_unpooling import max_unpool as max_unpool
    from restoretk.convolution.strided import conv as conv
    from restoretk.convolution.taper import edge_taper as edge_taper
    from restoretk.degradation import degrade as degrade
    from restoretk.metrics import isnr as isnr
    from restoretk.metrics import mse as mse
    from restoretk.metrics import psnr as psnr
    from restoretk.metrics import ssim as ssim
    from restoretk.noise import NOISES as NOISES
    from restoretk.noise_estimation import estimate_noise_sigma as estimate_noise_sigma
    from restoretk.psf import PSFS as PSFS
    from restoretk.psf import check_psf as check_psf
    from restoretk.psf import find_background as find_background
    from restoretk.psf import subtract_background as subtract_background
    from restoretk.restoration import METHODS as METHODS
    from restoretk.restoration import Restoration as Restoration
    from restoretk.restoration import inverse_filter as inverse_filter
    from restoretk.restoration import plan_restoration as plan_restoration
    from restoretk.restoration import regularized_filter as regularized_filter
    from restoretk.restoration import restore as restore
    from restoretk.restoration import richardson_lucy as richardson_lucy
    from restoretk.restoration import wiener as wiener
    from restoretk.upsampling import KERNELS as KERNELS
    from restoretk.upsampling import KernelBank as KernelBank
    from restoretk.upsampling import conv_transpose as conv_transpose
    from restoretk.upsampling import describe_conv_transpose as describe_conv_transpose
    from restoretk.upsampling import downsample as downsample
    from restoretk.upsampling import explain_transposed_convolution as explain_transposed_convolution
    from restoretk.upsampling import fit_kernel as fit_kernel
    from restoretk.upsampling import fit_kernel_bank as fit_kernel_bank
    from restoretk.upsampling import inspect_kernel as inspect_kernel
    from restoretk.upsampling import load_kernel as load_kernel
    from restoretk.upsampling import repair_kernel as repair_kernel
    from restoretk.upsampling import save_kernel as save_kernel
    from restoretk.upsampling import solve_sizes as solve_sizes
    from restoretk.upsampling import upsample as upsample

__all__ = [
    "KERNELS",
    "METHODS",
    "NOISES",
    "PSFS",
    "Blur",
    "KernelBank",
    "Restoration",
    "__version__",
    "apply_transfer_function",
    "average_pool",
    "check_psf",
    "compare",
    "conv",
    "conv_transpose",
    "convolution_matrix",
    "convolve",
    "degrade",
    "describe_conv_transpose",
    "downsample",
    "edge_taper",
    "estimate_noise_sigma",
    "explain_transposed_convolution",
    "find_background",
    "fit_kernel",
    "fit_kernel_bank",
    "inspect_kernel",
    "inverse_filter",
    "isnr",
    "load_kernel",
    "make_noise",
    "make_psf",
    "max_pool",
    "max_pool_with_indices",
    "max_unpool",
    "mse",
    "otf_to_psf",
    "plan_restoration",
    "psf_to_otf",
    "psnr",
    "regularized_filter",
    "repair_kernel",
    "restore",
    "richardson_lucy",
    "save_kernel",
    "solve_sizes",
    "ssim",
    "subtract_background",
    "upsample",
    "wiener",
]

# Where each public name lives: they are imported on first use, so that the command line starts without numpy.
_HOMES = {
    "KERNELS": "upsampling",
    "METHODS": "restoration",
    "NOISES": "noise",
    "PSFS": "psf",
    "Blur": "convolution.blur",
    "KernelBank": "upsampling",
    "Restoration": "restoration",
    "__version__": "_version",
    "apply_transfer_function": "convolution.fourier",
    "average_pool": "convolution.average_pooling",
    "check_psf": "psf",
    "compare": "comparison",
    "conv": "convolution.strided",
    "conv_transpose": "upsampling",
    "convolution_matrix": "convolution.matrix",
    "convolve": "convolution.blur",
    "degrade": "degradation",
    "describe_conv_transpose": "upsampling",
    "downsample": "upsampling",
    "edge_taper": "convolution.taper",
    "estimate_noise_sigma": "noise_estimation",
    "explain_transposed_convolution": "upsampling",
    "find_background": "psf",
    "fit_kernel": "upsampling",
    "fit_kernel_bank": "upsampling",
    "inspect_kernel": "upsampling",
    "inverse_filter": "restoration",
    "isnr": "metrics",
    "load_kernel": "upsampling",
    "make_noise": "catalogue",
    "make_psf": "catalogue",
    "max_pool": "convolution.max_pooling",
    "max_pool_with_indices": "convolution.max_pooling",
    "max_unpool": "convolution.max_unpooling",
    "mse": "metrics",
    "otf_to_psf": "convolution.fourier",
    "plan_restoration": "restoration",
    "psf_to_otf": "convolution.fourier",
    "psnr": "metrics",
    "regularized_filter": "restoration",
    "repair_kernel": "upsampling",
    "restore": "restoration",
    "richardson_lucy": "restoration",
    "save_kernel": "upsampling",
    "solve_sizes": "upsampling",
    "ssim": "metrics",
    "subtract_background": "psf",
    "upsample": "upsampling",
    "wiener": "restoration",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'restoretk' has no attribute {name!r}")
    value = getattr(import_module(f"restoretk.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
