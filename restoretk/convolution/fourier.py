"""Fourier transforms with one convention: real FFT over the trailing axes, origin of a PSF at ``shape // 2``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft

from restoretk._arrays import Array


def fast_shape(shape: Sequence[int], *, near: bool = False) -> tuple[int, ...]:
    """The smallest shape, at least as large on every axis, whose real FFT is fast.

    ``near``: whose complex FFT is fast, which is nearer (real transforms of it take up to half as long again).
    """
    return tuple(scipy.fft.next_fast_len(int(size), real=not near) for size in shape)


def psf_to_otf(psf: Array, shape: Sequence[int]) -> Array:
    """The optical transfer function of a PSF on a grid of ``shape``: its real FFT with the origin moved to index 0.

    The PSF is padded with zeros at its high ends, then rolled so that its element ``shape // 2`` lands on index 0. Any
    array may be given (a Laplacian, an autocorrelation), not only a PSF.

    Parameters
    ----------
    psf : ndarray of D axes
        Its origin is ``psf.shape[i] // 2`` on axis i, for odd and for even sides.
    shape : sequence of D int
        The grid; no side smaller than that of the PSF.

    Returns
    -------
    ndarray of complex, shape (*shape[:-1], shape[-1] // 2 + 1)
        complex64 for a float32 PSF, else complex128.

    Raises
    ------
    ValueError
        If the number of axes differs or the PSF is larger than the grid.

    Examples
    --------
    >>> import numpy as np
    >>> delta = np.zeros((3, 4))
    >>> delta[1, 2] = 1
    >>> np.abs(psf_to_otf(delta, (5, 8)) - 1).max() < 1e-15
    np.True_
    """
    if psf.ndim != len(shape):
        raise ValueError(f"psf has {psf.ndim} axes and the grid {tuple(shape)} has {len(shape)}")
    if any(side > size for side, size in zip(psf.shape, shape, strict=True)):
        raise ValueError(f"psf of shape {psf.shape} is larger than the image {tuple(shape)}")
    grid = np.zeros(tuple(shape), np.float32 if psf.dtype == np.float32 else np.float64)
    grid[tuple(slice(side) for side in psf.shape)] = psf
    origin = tuple(-(side // 2) for side in psf.shape)
    otf: Array = scipy.fft.rfftn(np.roll(grid, origin, axis=tuple(range(psf.ndim))))
    return otf


def otf_to_psf(otf: Array, psf_shape: Sequence[int], shape: Sequence[int]) -> Array:
    """The PSF of ``psf_shape`` whose transfer function on a grid of ``shape`` is ``otf``: the inverse of `psf_to_otf`.

    Parameters
    ----------
    otf : ndarray of complex, shape (*shape[:-1], shape[-1] // 2 + 1)
    psf_shape : sequence of int
        The window to keep, around the origin; what lies outside it is cut off.
    shape : sequence of int
        The grid of the OTF (its last side cannot be read off a half spectrum).

    Raises
    ------
    ValueError
        If the window is larger than the grid, or the OTF is not the half spectrum of the grid.
    """
    half = (*shape[:-1], shape[-1] // 2 + 1)
    if otf.shape != half:
        raise ValueError(f"otf on a grid of shape {tuple(shape)} must have shape {half}, got {otf.shape}")
    if any(side > size for side, size in zip(psf_shape, shape, strict=True)):
        raise ValueError(f"psf_shape {tuple(psf_shape)} is larger than the grid {tuple(shape)}")
    grid: Array = scipy.fft.irfftn(otf, s=tuple(shape))
    origin = tuple(side // 2 for side in psf_shape)
    return np.roll(grid, origin, axis=tuple(range(grid.ndim)))[tuple(slice(side) for side in psf_shape)]


def forward_transform(planes: Array, spatial_ndim: int) -> Array:
    """The real FFT over the trailing ``spatial_ndim`` axes."""
    spectrum: Array = scipy.fft.rfftn(planes, axes=range(-spatial_ndim, 0))
    return spectrum


def inverse_transform(spectrum: Array, shape: Sequence[int]) -> Array:
    """The inverse of `forward_transform` onto planes of spatial ``shape``, whose last side a half spectrum does not tell."""
    planes: Array = scipy.fft.irfftn(spectrum, s=tuple(shape), axes=range(-len(shape), 0))
    return planes


def apply_transfer_function(planes: Array, transfer: Array) -> Array:
    """The planes of shape (..., *spatial) circularly filtered by a transfer function on the half spectrum of ``spatial``.

    ``transfer`` has the shape that `psf_to_otf` gives for ``spatial``, or any shape that broadcasts with it from the left.
    """
    spatial_ndim = min(transfer.ndim, planes.ndim)
    shape = planes.shape[planes.ndim - spatial_ndim :]
    return inverse_transform(forward_transform(planes, spatial_ndim) * transfer, shape)


def half_spectrum_weights(shape: Sequence[int]) -> Array:
    """How many bins of the full FFT each column of the half spectrum stands for: 2, but 1 where it is its own conjugate."""
    weights = np.full(shape[-1] // 2 + 1, 2.0)
    weights[0] = 1
    if shape[-1] % 2 == 0:
        weights[-1] = 1
    return weights


def frequency_grid(shape: Sequence[int]) -> list[Array]:
    """The frequencies of the half spectrum, in cycles per pixel, as one broadcastable array per axis."""
    axes = [np.fft.fftfreq(size) for size in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    return [axis.reshape([-1 if i == j else 1 for j in range(len(shape))]) for i, axis in enumerate(axes)]


def blur_power(psf: Array, frequencies: Sequence[Array]) -> Array:
    """|H|^2 at every combination of frequencies; only its magnitude, so the origin of the PSF does not matter."""
    otf: Array = psf
    for axis_frequencies in frequencies:
        positions = np.arange(otf.shape[0])
        waves = np.exp(-2j * np.pi * np.outer(positions, axis_frequencies))
        otf = np.tensordot(otf, waves, axes=(0, 0))  # takes the first axis away and puts its frequencies last
    power: Array = otf.real**2 + otf.imag**2
    return power
