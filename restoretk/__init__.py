"""One operator, three verbs: degrade (H), restore (a regularised inverse of H), upsample (the transpose of H)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from restoretk._version import __version__ as __version__
    from restoretk.catalogue import make_noise as make_noise
    from restoretk.catalogue import make_psf as make_psf
    from restoretk.comparison import compare as compare
    from restoretk.convolution.blur import Blur as Blur
    from restoretk.convolution.blur import convolve as convolve
    from restoretk.convolution.fourier import apply_transfer_function as apply_transfer_function
    from restoretk.convolution.fourier import otf_to_psf as otf_to_psf
    from restoretk.convolution.fourier import psf_to_otf as psf_to_otf
    from restoretk.convolution.matrix import convolution_matrix as convolution_matrix
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
    from restoretk.restoration import METHODS as METHODS
    from restoretk.restoration import Restoration as Restoration
    from restoretk.restoration import inverse_filter as inverse_filter
    from restoretk.restoration import regularized_filter as regularized_filter
    from restoretk.restoration import restore as restore
    from restoretk.restoration import wiener as wiener
    from restoretk.upsampling import KERNELS as KERNELS
    from restoretk.upsampling import conv_transpose as conv_transpose
    from restoretk.upsampling import downsample as downsample
    from restoretk.upsampling import upsample as upsample

__all__ = [
    "KERNELS",
    "METHODS",
    "NOISES",
    "PSFS",
    "Blur",
    "Restoration",
    "__version__",
    "apply_transfer_function",
    "check_psf",
    "compare",
    "conv_transpose",
    "convolution_matrix",
    "convolve",
    "degrade",
    "downsample",
    "edge_taper",
    "estimate_noise_sigma",
    "inverse_filter",
    "isnr",
    "make_noise",
    "make_psf",
    "mse",
    "otf_to_psf",
    "psf_to_otf",
    "psnr",
    "regularized_filter",
    "restore",
    "ssim",
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
    "Restoration": "restoration",
    "__version__": "_version",
    "apply_transfer_function": "convolution.fourier",
    "check_psf": "psf",
    "compare": "comparison",
    "conv_transpose": "upsampling",
    "convolution_matrix": "convolution.matrix",
    "convolve": "convolution.blur",
    "degrade": "degradation",
    "downsample": "upsampling",
    "edge_taper": "convolution.taper",
    "estimate_noise_sigma": "noise_estimation",
    "inverse_filter": "restoration",
    "isnr": "metrics",
    "make_noise": "catalogue",
    "make_psf": "catalogue",
    "mse": "metrics",
    "otf_to_psf": "convolution.fourier",
    "psf_to_otf": "convolution.fourier",
    "psnr": "metrics",
    "regularized_filter": "restoration",
    "restore": "restoration",
    "ssim": "metrics",
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
