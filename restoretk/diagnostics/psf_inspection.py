"""A look at a PSF before it is used: what will shift, darken, ring or get lost, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_real, check_finite
from restoretk.convolution.fourier import frequency_grid, half_spectrum_weights, psf_to_otf
from restoretk.psf.background import Background, find_background
from restoretk.psf.check import SUM_TOLERANCE, say_several

_GRID = {1: 8192, 2: 256, 3: 64}  # the OTF is looked at on a grid of at least this side
_DARK = 0.02  # contrast that a blur leaves of a pattern, below which it is as good as gone
_OFF_CENTRE = 0.05  # pixels: a shift that can be seen in a difference of pictures
_RIM = 0.01  # share of the light on the rim
_LOPSIDED = 0.02  # energy of the part without point symmetry: 2 % of the amplitudes
_SHARP = 0.4  # contrast at the Nyquist frequency; a Gaussian of 0.43 pixels
_FINE = 0.125  # cycles per pixel: all that passes would fit on a quarter of the pixels on each axis


@dataclass(frozen=True)
class PsfInspection:
    """What a PSF is like. Where it has no light at all (sum 0), ratios and positions are NaN.

    Attributes
    ----------
    shape : tuple of int
    total : float
        The sum; `check_psf` wants 1 within 1e-3.
    negative_share : float
        The sum of the negative values over that of all magnitudes, in [0, 1]; `check_psf` wants 0.
    even_axes : tuple of int
        The axes with an even side, on which the origin, ``side // 2``, lies half a pixel after the middle.
    centroid : tuple of float
        Centre of mass less the origin at ``shape // 2``, in pixels, for each axis.
    width : tuple of float
        Standard deviation of the light about its centroid along each axis, in pixels (NaN if negatives prevent it).
    rim_share : float
        Share of the magnitude in the outermost elements of the array, on axes of at least 3 elements.
    background : Background
        The flat level under it, see `restoretk.psf.find_background`.
    asymmetry : float
        In [0, 1]: the root of the energy share of the part that changes sign when the PSF is turned by 180 degrees about
        its centroid. 0 for a point-symmetric PSF, wherever it lies.
    nyquist_contrast : tuple of float
        |H| / |H(0)| at the highest frequency along each axis; NaN on axes of one element.
    dark_share : float
        Share of all frequencies where |H| < 0.02 |H(0)|.
    first_dark_frequency : float
        The lowest of those in cycles per pixel; infinite if there are none.
    last_light_frequency : float
        The highest frequency in cycles per pixel with at least that contrast.
    findings : tuple of str
        One sentence for everything that the user should know; empty for a PSF without peculiarities.
    """

    shape: tuple[int, ...]
    total: float
    negative_share: float
    even_axes: tuple[int, ...]
    centroid: tuple[float, ...]
    width: tuple[float, ...]
    rim_share: float
    background: Background
    asymmetry: float
    nyquist_contrast: tuple[float, ...]
    dark_share: float
    first_dark_frequency: float
    last_light_frequency: float
    findings: tuple[str, ...]


def inspect_psf(psf: npt.ArrayLike, image_shape: Sequence[int] | None = None) -> PsfInspection:
    """Describe a PSF: what is wrong with it, what it will do to the restored picture, what it extinguishes.

    Describes PSFs that `restoretk.psf.check_psf` refuses (negative, not of sum 1, all zero) instead of raising. An array
    that holds one PSF for each channel is told so; inspect them one by one.

    Parameters
    ----------
    psf : array_like of 1 to 3 axes
        Real and finite; the origin at ``shape // 2``.
    image_shape : sequence of int or None
        The spatial shape of the picture that it is meant for.

    Returns
    -------
    PsfInspection

    Raises
    ------
    TypeError
        For a masked, boolean, complex, object or text array.
    ValueError
        For a PSF of 0 or more than 3 axes, without elements, or with NaN or infinite values, and an image_shape with
        another number of axes: there is nothing to describe.

    Notes
    -----
    A centroid at +c moves a picture by +c when it blurs it, so restoring moves the observed picture by -c. Whether a
    lopsided PSF is flipped cannot be seen in it (nor in the residual: a flipped PSF has the same |H|); the sentence says
    which way round is assumed.

    Examples
    --------
    >>> import numpy as np
    >>> for sentence in inspect_psf(np.full((1, 4), 0.25)).findings[:2]:
    ...     print(sentence)
    axis 1 has the even side 4: the origin is taken at element 2, half a pixel after the middle
    the centroid lies (+0.00, -0.50) pixels from the origin: the restored picture moves by (+0.00, +0.50) pixels
    >>> inspect_psf(np.outer([1, 2, 1], [1, 2, 1])).findings[0]
    'the sum is 16, not 1: divide the psf by it, or the restored picture changes its brightness'
    """
    kernel = _open(psf, image_shape)
    magnitude = np.abs(kernel)
    total, light = float(kernel.sum()), float(magnitude.sum())
    even = tuple(axis for axis, side in enumerate(kernel.shape) if side % 2 == 0)
    # A sum that cancels to (nearly) nothing has no centre and no contrast.
    usable = abs(total) > 1e-9 * light
    nothing = (float("nan"),) * kernel.ndim
    centroid, width = _moments(kernel / total) if usable else (nothing, nothing)
    otf = _describe_otf(kernel / total, centroid) if usable else _Otf(*(float("nan"),) * 4, nothing)
    record = PsfInspection(
        shape=kernel.shape,
        total=total,
        negative_share=float(-kernel[kernel < 0].sum() / light) if light else 0.0,
        even_axes=even,
        centroid=centroid,
        width=width,
        rim_share=float(magnitude[_rim(kernel.shape)].sum() / light) if light else float("nan"),
        background=find_background(kernel),
        asymmetry=otf.asymmetry,
        nyquist_contrast=otf.nyquist_contrast,
        dark_share=otf.dark_share,
        first_dark_frequency=otf.first_dark_frequency,
        last_light_frequency=otf.last_light_frequency,
        findings=(),
    )
    shape = None if image_shape is None else tuple(int(size) for size in image_shape)
    several = "" if abs(total - 1) <= SUM_TOLERANCE else say_several(kernel)
    return replace(record, findings=(several,) if several else tuple(_sentences(record, shape)))


class _Otf(NamedTuple):
    """What is read off a transfer function; see `PsfInspection`."""

    asymmetry: float
    dark_share: float
    first_dark_frequency: float
    last_light_frequency: float
    nyquist_contrast: tuple[float, ...]


def _open(psf: npt.ArrayLike, image_shape: Sequence[int] | None) -> Array:
    array = as_real(psf, "psf")
    if not 1 <= array.ndim <= 3 or array.size == 0:
        raise ValueError(f"psf must have 1 to 3 axes and at least one element, got shape {array.shape}")
    check_finite(array, "psf")
    if image_shape is not None and len(image_shape) != array.ndim:
        several = say_several(array)
        raise ValueError(
            several
            or f"image_shape must have the {array.ndim} axes of the psf, got {tuple(int(n) for n in image_shape)}"
        )
    return array.astype(np.float64)


def _moments(kernel: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Centroid from the origin and standard deviation along each axis, of a kernel of sum 1."""
    centroid, width = [], []
    for axis, side in enumerate(kernel.shape):
        profile = kernel.sum(axis=tuple(other for other in range(kernel.ndim) if other != axis))
        offset = np.arange(side) - side // 2
        centre = float(profile @ offset)
        variance = float(profile @ (offset - centre) ** 2)
        centroid.append(centre)
        width.append(float(np.sqrt(variance)) if variance >= 0 else float("nan"))
    return tuple(centroid), tuple(width)


def _rim(shape: tuple[int, ...]) -> Array:
    """True at the first and the last element along every axis of at least 3."""
    rim = np.ones(shape, bool)
    rim[tuple(slice(1, -1) if side >= 3 else slice(None) for side in shape)] = False
    return rim


def _describe_otf(kernel: Array, centroid: tuple[float, ...]) -> _Otf:
    """What is read off the transfer function of a kernel of sum 1."""
    # Axes of one element have nothing but frequency 0; even grids have the Nyquist frequency, -1/2 in frequency_grid.
    if kernel.size == 1:
        return _Otf(0.0, 0.0, float("inf"), float("inf"), (float("nan"),) * kernel.ndim)
    grid = tuple(1 if side == 1 else max(_GRID[kernel.ndim], 4 * side) for side in kernel.shape)
    otf = psf_to_otf(kernel, grid)
    contrast = np.abs(otf)
    frequencies = frequency_grid(grid)
    radius = np.sqrt(sum(f**2 for f in frequencies))
    weights = np.broadcast_to(half_spectrum_weights(grid), otf.shape)
    dark = contrast < _DARK
    # With the centroid moved to 0 a point-symmetric kernel has a real transfer function.
    centred = otf * np.exp(2j * np.pi * sum(f * c for f, c in zip(frequencies, centroid, strict=True)))
    inside = np.logical_and.reduce(np.broadcast_arrays(*(np.abs(f) < 0.5 for f in frequencies)))
    energy = np.sum((weights * contrast**2)[inside])
    nyquist = []
    for axis, size in enumerate(grid):
        corner = tuple(size // 2 if other == axis else 0 for other in range(kernel.ndim))
        nyquist.append(float(contrast[corner]) if size > 1 else float("nan"))
    return _Otf(
        asymmetry=float(np.sqrt(np.sum((weights * centred.imag**2)[inside]) / energy)),
        dark_share=float(np.sum(weights * dark) / np.prod(grid)),
        first_dark_frequency=float(radius[dark].min()) if dark.any() else float("inf"),
        last_light_frequency=float(radius[~dark].max()),
        nyquist_contrast=tuple(nyquist),
    )


def _sentences(found: PsfInspection, image_shape: tuple[int, ...] | None) -> list[str]:
    """The findings in words: first what `check_psf` refuses, then what shifts, then what is lost."""
    said = []
    if found.negative_share == 0 and found.total == 0:
        return ["all values are 0: this is no psf"]
    if abs(found.total - 1) > SUM_TOLERANCE:
        remedy = "divide the psf by it, or the restored picture changes its brightness" if found.total > 0 else "no psf"
        if found.background.found:
            remedy = "take its background off, then divide by what is left"
        said.append(f"the sum is {found.total:.6g}, not 1: {remedy}")
    if found.background.found:
        said.append(f"{found.background.sentence()}: subtract_background(psf) takes it off")
    if found.negative_share > 0:
        said.append(f"negative values hold {found.negative_share:.2%} of the magnitude: light cannot be taken away")
    said += _size_sentences(found, image_shape)
    said += [
        f"axis {axis} has the even side {found.shape[axis]}: the origin is taken at element {found.shape[axis] // 2}, "
        f"half a pixel after the middle"
        for axis in found.even_axes
    ]
    if max(np.abs(found.centroid)) > _OFF_CENTRE:
        said.append(
            f"the centroid lies {_offset(found.centroid)} pixels from the origin: "
            f"the restored picture moves by {_offset([-c for c in found.centroid])} pixels"
        )
    if found.asymmetry > _LOPSIDED:
        said.append(
            "it is lopsided, so it matters which way round it is: convolution is assumed (the psf is the picture of a "
            "point); a kernel for correlation (cross-correlation, a layer of a neural network) must be flipped first"
        )
    if found.rim_share > _RIM and not found.background.found:
        said.append(
            f"{found.rim_share:.1%} of the light lies on the rim of the array: unless the blur ends there (a disk, a box, "
            f"a path), its tail was cut off"
        )
    return said + _sampling_sentences(found)


def _size_sentences(found: PsfInspection, image_shape: tuple[int, ...] | None) -> list[str]:
    if image_shape is None:
        return []
    sides = list(zip(found.shape, image_shape, strict=True))
    if any(side > size for side, size in sides):
        return [f"its shape {found.shape} is larger than the picture {image_shape}: crop it"]
    if any(2 * side > size for side, size in sides if side > 1):
        return [
            f"its shape {found.shape} is larger than half the picture {image_shape}: every pixel feels the scene beyond "
            f"the frame"
        ]
    return []


def _sampling_sentences(found: PsfInspection) -> list[str]:
    if np.prod(found.shape) == 1:
        return ["it is a single element: nothing is blurred and nothing will be restored"]
    said = []
    for axis, contrast in enumerate(found.nyquist_contrast):
        if contrast > _SHARP:
            said.append(
                f"along axis {axis} it leaves a contrast of {contrast:.2f} at the Nyquist frequency: it hardly blurs that "
                f"axis, or it is sampled too coarsely and the picture is aliased"
            )
    if found.last_light_frequency < _FINE:
        said.append(
            f"nothing above {found.last_light_frequency:.3f} cycles per pixel passes: it is sampled far more finely than "
            f"it resolves, one pixel in {int(0.5 / found.last_light_frequency)} along each axis would do"
        )
    elif found.dark_share > 0:
        said.append(
            f"{found.dark_share:.0%} of the frequencies are extinguished (contrast below {_DARK:.0%}), the lowest at "
            f"{found.first_dark_frequency:.3f} cycles per pixel: no linear filter brings them back"
        )
    return said


def _offset(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value + 0.0:+.2f}" for value in values) + ")"
