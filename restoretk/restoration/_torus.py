"""An observation laid on its torus: the door, the PSFs, what lies beyond the frame, missing pixels and weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from restoretk._arrays import (
    Array,
    as_real,
    check_layout,
    finite_unit_of,
    from_unit,
    in_unit,
    to_dtype,
    to_planes,
    unit_of,
)
from restoretk.convolution.boundary import BOUNDARIES, check_boundary, crop, extend_periodically
from restoretk.convolution.fourier import fast_shape, frequency_grid
from restoretk.convolution.sweeps import LARGE
from restoretk.convolution.taper import taper_planes
from restoretk.psf.channels import psfs_for
from restoretk.restoration._optics import Optics, Workshop
from restoretk.restoration._planes import ArrayPlanes, PicturePlanes
from restoretk.restoration._precision import Precision
from restoretk.restoration._problem import ON_THE_FRAME, Problem
from restoretk.restoration.missing import NOTHING_SEEN, Observation, first_fill, read_observation
from restoretk.restoration.signal_spectrum import SignalSpectrum, fit_frames, fit_signal_spectrum
from restoretk.restoration.unknown_boundary import extend_unknown
from restoretk.restoration.weighted import PixelWeights, poisson_weights, read_weights

SOLVED_FOR = ("unknown", "smooth")
_APART = 16  # pixels at least between opposite edges, beyond what the PSF needs, where the ring is estimated
RESTORATION_BOUNDARIES = (*BOUNDARIES, "taper", "smooth", "unknown")


def open_problem(
    image: npt.ArrayLike | Problem,
    psf: npt.ArrayLike,
    boundary: str,
    channel_axis: int | None,
    mask: npt.ArrayLike | str | None = None,
    weights: npt.ArrayLike | str | None = None,
    workshop: Workshop | None = None,
    *,
    estimate: bool = True,
) -> Problem:
    """Check the image, the PSF, the boundary and the mask, and lay the observation on its torus.

    ``workshop`` has what was worked out for this very PSF before. A problem that is open already is given back. Without
    ``estimate``, pixels that nobody saw are not estimated: they are 0, and `Problem.unseen` says where they are.

    Raises
    ------
    TypeError, ValueError
        See `restoretk._arrays.as_float_image`, `restoretk.psf.check_psf` and `read_observation`; also for a PSF larger than
        the image and an unknown boundary.
    """
    if isinstance(image, Problem):
        return image
    check_boundary(boundary, RESTORATION_BOUNDARIES)
    workshop = workshop or Workshop()
    image = as_real(image, "image")
    psfs = tuple(each.astype(np.float64) for each in psfs_for(psf, image.shape, channel_axis))
    spatial_ndim = psfs[0].ndim
    spatial_axes = _spatial_axes(image.ndim, spatial_ndim, channel_axis)
    if _may_stay_as_it_is(image, boundary, spatial_ndim, channel_axis, mask, weights):
        return _as_it_is(image, psfs, boundary, channel_axis, workshop)
    seen = read_observation(image, mask, psfs[0], spatial_axes)
    unit = unit_of(seen.image)
    planes, from_planes = to_planes(in_unit(seen.image, unit), spatial_ndim, channel_axis)
    hidden = None if seen.missing is None else to_planes(seen.missing, spatial_ndim, channel_axis)[0]
    frame = planes.shape[1:]
    psfs, side = _for_planes(psfs, len(planes), frame)

    torus = torus_for(frame, side, boundary, estimated=estimate)
    if not estimate:
        extended, unseen, observed = _as_seen(planes, psfs, torus, boundary, hidden)
        return Problem(
            laid=ArrayPlanes(extended),
            optics=workshop.optics(psfs, torus, extended.dtype),
            frame=frame,
            boundary=boundary,
            frames=observed,
            finish=_finisher(seen, from_planes, unit),
            extension_steps=0,
            masked=mask is not None,
            channels=channel_axis is not None,
            unit=unit,
            unseen=unseen,
        )
    missing = hidden
    steps, fits = 0, None
    if missing is not None and boundary not in ("unknown", "wrap"):
        optics = workshop.optics(psfs, torus_for(frame, side, "unknown", estimated=True), np.dtype(np.float64))
        whole, steps, _ = _complete(planes, optics, missing)
        planes, missing = crop(whole, [0] * spatial_ndim, frame).astype(planes.dtype), None
    if boundary == "unknown" or missing is not None:
        extended, steps, fits = _complete(planes, workshop.optics(psfs, torus, planes.dtype), missing)
    else:
        extended, steps = _continued(planes, psfs, torus, boundary)
    observed = planes if missing is None else crop(extended, [0] * spatial_ndim, frame)
    pixel_weights = None
    if weights is not None:
        given, noise = read_weights(weights, seen.image.shape, spatial_axes, seen.missing), None
        if given is None:
            given, noise = poisson_weights(observed.astype(np.float64))
        elif given.shape != frame:
            given = to_planes(given, spatial_ndim, channel_axis)[0]
        values = _weights_on_torus(np.broadcast_to(given, planes.shape), hidden, torus, boundary)
        noise = None if noise is None else noise.in_plain_numbers(unit)
        pixel_weights = PixelWeights(values, "given" if noise is None else "poisson", noise)
    return Problem(
        laid=ArrayPlanes(extended),
        optics=workshop.optics(psfs, torus, extended.dtype),
        frame=frame,
        boundary=boundary,
        frames=observed,
        finish=_finisher(seen, from_planes, unit),
        extension_steps=steps,
        pixel_weights=pixel_weights,
        masked=mask is not None,
        channels=channel_axis is not None,
        unit=unit,
        fits_to_planes=fits if missing is None and len(psfs) == len(planes) else None,
    )


def _continued(planes: Array, psfs: tuple[Array, ...], torus: tuple[int, ...], boundary: str) -> tuple[Array, int]:
    """The planes on their torus under any boundary but ``unknown``, and the FFT pairs that it took."""
    if boundary == "taper":
        each_psf = psfs * (len(planes) // len(psfs))
        return np.concatenate([taper_planes(p[None], k) for p, k in zip(planes, each_psf, strict=True)]), 0
    if boundary == "smooth":
        return extend_unknown(planes, _smoothness(torus), torus)
    return extend_periodically(planes, torus, boundary), 0


def _as_seen(
    planes: Array, psfs: tuple[Array, ...], torus: tuple[int, ...], boundary: str, hidden: Array | None
) -> tuple[Array, Array | None, Array]:
    """The planes on their torus with 0 where nobody saw anything, where that is, and the frames with holes filled in."""
    if hidden is not None and hidden.reshape(len(hidden), -1).all(axis=1).any():
        raise ValueError(NOTHING_SEEN)
    frames = planes if hidden is None else first_fill(planes, hidden)
    if boundary != "unknown":
        extended, _ = _continued(frames, psfs, torus, boundary)
        if hidden is None:
            return extended, None, frames
        # What a hidden pixel is continued to is hidden; tapering changes no place, and a smooth ring is no copy.
        mode = boundary if boundary in BOUNDARIES else "constant"
        unseen = extend_periodically(hidden.astype(np.float32), torus, mode) > 0
    else:
        ring = [(0, 0)] + [(0, grid - size) for grid, size in zip(torus, planes.shape[1:], strict=True)]
        extended = np.pad(frames, ring)
        unseen = np.pad(np.broadcast_to(False if hidden is None else hidden, planes.shape), ring, constant_values=True)
    return np.where(unseen, np.zeros((), extended.dtype), extended), unseen, frames


def torus_for(
    frame: tuple[int, ...], psf_shape: Sequence[int], boundary: str, *, estimated: bool = False
) -> tuple[int, ...]:
    """The torus on which a frame is restored: for most boundaries one with room for the PSF beyond it.

    A ring that is solved for should be narrow, one that is written down should have a fast FFT. Where unknown pixels are
    ``estimated`` under the spectrum of the scene, opposite edges must not be near neighbours: with no more room than the PSF
    needs, sky and ground drew each other towards themselves, by some levels of 255 in the outer rows.
    """
    if boundary in ON_THE_FRAME:
        return frame
    rings = [2 * (longest // 2) + (longest > 1) for longest in psf_shape]
    if estimated and boundary == "unknown":
        rings = [ring + max(_APART, ring // 2) if ring else 0 for ring in rings]
    return fast_shape([size + ring for size, ring in zip(frame, rings, strict=True)], near=boundary in SOLVED_FOR)


def _for_planes(
    psfs: tuple[Array, ...], planes: int, frame: tuple[int, ...]
) -> tuple[tuple[Array, ...], tuple[int, ...]]:
    """The PSFs, one for all planes or one for each, and the longest of their sides."""
    if len(psfs) > 1:
        psfs = tuple(each for each in psfs for _ in range(planes // len(psfs)))  # of a stack of colour pictures
    side = tuple(max(sides) for sides in zip(*(each.shape for each in psfs), strict=True))
    if any(longest > size for longest, size in zip(side, frame, strict=True)):
        raise ValueError(f"psf of shape {side} is larger than the image {frame}")
    return psfs, side


def _may_stay_as_it_is(
    image: Array, boundary: str, spatial_ndim: int, channel_axis: int | None, mask: object, weights: object
) -> bool:
    """Whether a large picture can be filtered without a copy of it as floats: its torus is its frame, all of it is seen."""
    if boundary != "wrap" or spatial_ndim != 2 or mask is not None or weights is not None or not image.size:
        return False
    check_layout(image.shape, spatial_ndim, channel_axis)
    axes = _spatial_axes(image.ndim, spatial_ndim, channel_axis)
    if image.shape[axes[0]] * image.shape[axes[1]] < LARGE or image.dtype == np.float16:
        return False
    if image.dtype.kind == "f":
        return finite_unit_of(image, "image") == 0
    return image.dtype.itemsize <= 2


def _as_it_is(
    image: Array, psfs: tuple[Array, ...], boundary: str, channel_axis: int | None, workshop: Workshop
) -> Problem:
    axes = _spatial_axes(image.ndim, 2, channel_axis)
    frame = image.shape[axes[0]], image.shape[axes[1]]
    laid = PicturePlanes(image, channel_axis)
    seen = Observation(image, image.dtype, None, None)
    return Problem(
        laid=laid,
        optics=workshop.optics(_for_planes(psfs, len(laid), frame)[0], frame, laid.dtype),
        frame=frame,
        boundary=boundary,
        frames=None,
        finish=_finisher(seen, laid.from_planes, 0),
        extension_steps=0,
        channels=channel_axis is not None,
    )


def _spatial_axes(image_ndim: int, spatial_ndim: int, channel_axis: int | None) -> tuple[int, ...]:
    axes = [axis for axis in range(image_ndim) if channel_axis is None or axis != channel_axis % max(image_ndim, 1)]
    return tuple(axes[len(axes) - spatial_ndim :])


def _complete(planes: Array, optics: Optics, missing: Array | None) -> tuple[Array, int, tuple[SignalSpectrum, ...]]:
    """Every plane on the torus, its unknown pixels estimated under its own spectrum: a page alone is as in a stack.

    Also the FFT pairs of the slowest, and the spectra.
    """
    guess = planes if missing is None else first_fill(planes, missing)
    completed = np.empty((len(planes), *optics.torus), planes.dtype)
    fits, most = [], 0
    for index, plane in enumerate(guess):
        which = index if len(optics.psfs) > 1 else 0
        psf = optics.psfs[which]
        periodic = optics.torus == plane.shape
        fitted = fit_signal_spectrum(plane[None], psf, periodic=True) if periodic else fit_frames([plane], psf)
        hole = None if missing is None else missing[index]
        precision = Precision(fitted, optics, which)
        completed[index], steps = extend_unknown(plane, precision.whole, optics.torus, mask=hole)
        fits.append(fitted)
        most = max(most, steps)
    return completed, most, tuple(fits)


def _weights_on_torus(weights: Array, hidden: Array | None, torus: tuple[int, ...], boundary: str) -> Array:
    """Mean variance over variance where something was observed, 0 on hidden pixels and on a ring that nobody saw.

    White noise of the mean variance is what the spectrum of the picture shows, so that the strength found there fits.
    """
    known = weights if hidden is None else np.where(hidden, 0, weights)
    if not known.any():
        raise ValueError("weights must leave at least one pixel that is not masked")
    known = known * np.mean(1 / known[known > 0])
    if boundary in ("unknown", "smooth"):
        ring = [(0, 0)] + [(0, grid - size) for grid, size in zip(torus, known.shape[1:], strict=True)]
        return np.pad(known, ring)
    return extend_periodically(known, torus, boundary if boundary in BOUNDARIES else "wrap")


def _smoothness(torus: tuple[int, ...]) -> Array:
    """The precision under which the likeliest ring is the surface of least gradient energy."""
    symbol: Array = np.asarray(sum(4 * np.sin(np.pi * frequency) ** 2 for frequency in frequency_grid(torus)))
    return symbol + 1e-6  # the mean is free, but not the sum


def _finisher(seen: Observation, from_planes: Callable[[Array], Array], unit: int) -> Callable[[Array], Array]:
    def finish(restored: Array) -> Array:
        image = from_unit(from_planes(restored), unit)
        if seen.kept is not None:
            image = np.where(seen.kept, seen.image, image)
        return to_dtype(image, seen.dtype)

    return finish
