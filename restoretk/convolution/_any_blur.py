"""Blur and extension beyond the frame for arrays of other libraries: what `fourier`, `boundary` and `blur` do for NumPy.

Planes have the shape (channels, stack, *spatial), OTFs (channels or 1, 1, *half spectrum): they multiply as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from restoretk._any_array import AnyArray, beside, between_zeros, gather, namespace, window
from restoretk.convolution.boundary import check_boundary
from restoretk.convolution.fourier import fast_shape

_FEW = 64  # samples of a PSF along an axis: so many are transformed by matrix products in less time than by an FFT


def forward(planes: AnyArray, torus: Sequence[int]) -> AnyArray:
    """The real FFT of planes, zeros added at their high ends where the torus is larger."""
    return namespace(planes).fft.rfftn(planes, s=tuple(torus), axes=tuple(range(-len(torus), 0)))


def inverse(spectrum: AnyArray, torus: Sequence[int]) -> AnyArray:
    """The planes of a half spectrum."""
    return namespace(spectrum).fft.irfftn(spectrum, s=tuple(torus), axes=tuple(range(-len(torus), 0)))


def conj_otfs(psfs: Sequence[AnyArray], torus: Sequence[int]) -> AnyArray:
    """The conjugates of the OTFs of PSFs with their origin at ``shape // 2``, shape (K, 1, *half).

    The conjugate is what adjoint and quotient need of a whole plane, and it costs nothing when it is made so from the start.
    """
    xp = namespace(*psfs)
    each = [_conj_otf(psf, torus)[None, None, ...] for psf in psfs]
    return each[0] if len(each) == 1 else xp.concat(each, axis=0)


def _conj_otf(psf: AnyArray, torus: Sequence[int]) -> AnyArray:
    xp = namespace(psf)
    if max(psf.shape) > _FEW:
        for axis, (side, size) in enumerate(zip(psf.shape, torus, strict=True)):
            psf = between_zeros(psf, axis, 0, size - side)
            psf = xp.roll(psf, -(side // 2), axis=axis)
        return xp.conj(xp.fft.rfftn(psf))
    spectrum = xp.astype(psf, xp.complex64 if psf.dtype == xp.float32 else xp.complex128)
    for axis, (side, size) in enumerate(zip(psf.shape, torus, strict=True)):
        count = size if axis < psf.ndim - 1 else size // 2 + 1
        turns = np.outer(np.arange(side) - side // 2, np.arange(count)) % size / size
        waves = beside(np.exp(2j * np.pi * turns), spectrum)  # (side, count): positive for the conjugate
        spectrum = xp.moveaxis(xp.matmul(xp.moveaxis(spectrum, axis, -1), waves), -1, axis)
    return spectrum


def extend_periodically(planes: AnyArray, torus: Sequence[int], boundary: str) -> AnyArray:
    """The planes on a larger torus; see `restoretk.convolution.boundary.extend_periodically`."""
    check_boundary(boundary)
    xp = namespace(planes)
    lead = planes.ndim - len(torus)
    for axis, size in enumerate(torus, start=lead):
        frame = planes.shape[axis]
        ring = size - frame
        if ring == 0:
            continue
        if boundary == "constant":
            planes = between_zeros(planes, axis, 0, ring)
            continue
        places = _places(frame, ring, ring, boundary)
        fade = 0.5 * (1 + np.cos(np.pi * (np.arange(ring) + 1) / (ring + 1)))  # 1 at the high edge, 0 at the low edge
        mix = beside(fade.reshape([-1 if each == axis else 1 for each in range(planes.ndim)]), planes)
        low, high = gather(planes, places[:ring], axis), gather(planes, places[-ring:], axis)
        planes = xp.concat([planes, mix * high + (1 - mix) * low], axis=axis)
    return planes


def _places(frame: int, before: int, after: int, boundary: str) -> Any:
    """Which pixel of the frame is seen at each place along an axis that is continued beyond it."""
    return np.pad(np.arange(frame), (before, after), mode=boundary)  # type: ignore[call-overload]  # a checked name


def blur(planes: AnyArray, psfs: Sequence[AnyArray], boundary: str) -> AnyArray:
    """The planes convolved with their PSFs, all of one shape: H f, as `Blur.forward`."""
    check_boundary(boundary)
    xp = namespace(planes)
    sides = psfs[0].shape
    frame = planes.shape[2:]
    if any(side > size for side, size in zip(sides, frame, strict=True)):
        raise ValueError(f"psf of shape {tuple(sides)} is larger than the image {tuple(frame)}")
    torus, start = tuple(frame), [0] * len(frame)
    if boundary != "wrap":
        torus = fast_shape([size + side - 1 for size, side in zip(frame, sides, strict=True)])
    if boundary not in ("wrap", "constant"):  # beyond a black edge the zeros of the torus are enough
        start = [side - 1 - side // 2 for side in sides]
        for axis, (size, before, side) in enumerate(zip(frame, start, sides, strict=True), start=2):
            if side > 1:
                planes = gather(planes, _places(size, before, side // 2, boundary), axis)
    blurred = inverse(forward(planes, torus) * xp.conj(conj_otfs(psfs, torus)), torus)
    return window(blurred, [slice(low, low + size) for low, size in zip(start, frame, strict=True)])


def taper(planes: AnyArray, psfs: Sequence[AnyArray], conj_otf: AnyArray) -> AnyArray:
    """The planes with their edges faded into their circular blur; see `restoretk.convolution.taper.edge_taper`."""
    xp = namespace(planes)
    frame = planes.shape[2:]
    each = [_taper_weights(psf, frame)[None, None, ...] for psf in psfs]
    weights = each[0] if len(each) == 1 else xp.concat(each, axis=0)
    blurred = inverse(forward(planes, frame) * xp.conj(conj_otf), frame)
    return weights * planes + (1 - weights) * blurred


def _taper_weights(psf: AnyArray, frame: Sequence[int]) -> AnyArray:
    """See `restoretk.convolution.taper.taper_weights`."""
    xp = namespace(psf)
    if any(2 * side > size for side, size in zip(psf.shape, frame, strict=True)):
        raise ValueError(
            f"psf of shape {tuple(psf.shape)} is larger than half the image {tuple(frame)}: the edge tapers would meet"
        )
    weights = xp.ones_like(psf[(slice(1),) * psf.ndim])
    for axis, (side, size) in enumerate(zip(psf.shape, frame, strict=True)):
        profile = xp.sum(psf, axis=tuple(other for other in range(psf.ndim) if other != axis)) if psf.ndim > 1 else psf
        lags = [xp.sum(profile[lag:] * profile[: side - lag]) for lag in range(side)]
        correlation = between_zeros(xp.stack(lags) / lags[0], 0, 0, 1)
        distance = np.minimum(np.arange(size), np.arange(size)[::-1])
        fall = gather(correlation, np.minimum(distance, side), 0)
        weights = weights * xp.reshape(1 - fall, tuple(size if other == axis else 1 for other in range(psf.ndim)))
    return weights
