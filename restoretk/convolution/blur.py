"""H itself: convolution with a PSF under a boundary, as a function and as a frozen operator with its adjoint."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_finite, as_float_image, from_unit, in_unit, to_dtype, to_planes, unit_of
from restoretk.convolution.boundary import check_boundary, crop, pad, pad_adjoint
from restoretk.convolution.fourier import apply_transfer_function, fast_shape, psf_to_otf


@dataclass(frozen=True)
class Blur:
    """The linear operator H: f -> h * f on frames of one shape, what iterative methods see.

    The scene is continued beyond the frame by ``boundary``, convolved (linearly; circularly for ``wrap``) and cut back to
    the frame. ``forward`` and ``adjoint`` take arrays of shape (..., *shape), and <H x, y> = <x, H^T y> to rounding.

    Parameters
    ----------
    psf : ndarray of D axes
        The kernel h, origin at ``psf.shape // 2``. Any real kernel; nothing is normalised.
    shape : tuple of D int
        The frame.
    boundary : str
        One of `restoretk.convolution.boundary.BOUNDARIES`.
    """

    psf: Array
    shape: tuple[int, ...]
    boundary: str = "symmetric"
    _before: tuple[int, ...] = field(init=False, repr=False)
    _after: tuple[int, ...] = field(init=False, repr=False)
    _torus: tuple[int, ...] = field(init=False, repr=False)
    _otf: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_boundary(self.boundary)
        if self.psf.ndim != len(self.shape):
            raise ValueError(f"psf has {self.psf.ndim} axes and the frame {self.shape} has {len(self.shape)}")
        if any(side > size for side, size in zip(self.psf.shape, self.shape, strict=True)):
            raise ValueError(f"psf of shape {self.psf.shape} is larger than the image {self.shape}")
        if self.boundary == "wrap":
            before = after = (0,) * self.psf.ndim
            torus = self.shape
        else:
            # out[i] = sum_j h[j] x[i - (j - side // 2)] reads x from i - (side - 1 - side // 2) to i + side // 2.
            before = tuple(side - 1 - side // 2 for side in self.psf.shape)
            after = tuple(side // 2 for side in self.psf.shape)
            torus = fast_shape([n + low + high for n, low, high in zip(self.shape, before, after, strict=True)])
        object.__setattr__(self, "_before", before)
        object.__setattr__(self, "_after", after)
        object.__setattr__(self, "_torus", torus)
        object.__setattr__(self, "_otf", psf_to_otf(self.psf, torus))

    def forward(self, image: Array) -> Array:
        """H f: the blurred frame."""
        padded = pad(image, self._before, self._after, self.boundary)
        blurred = apply_transfer_function(self._on_torus(padded), self._otf.astype(_complex_of(image), copy=False))
        return crop(blurred, self._before, self.shape)

    def adjoint(self, image: Array) -> Array:
        """H^T g: correlation with the PSF, then the pixels beyond the frame folded back. Not an inverse: it blurs again."""
        zeros = [(0, 0)] * (image.ndim - len(self.shape))
        spread = np.pad(
            image,
            zeros + [(low, t - n - low) for n, low, t in zip(self.shape, self._before, self._torus, strict=True)],
        )
        correlated = apply_transfer_function(spread, np.conj(self._otf).astype(_complex_of(image), copy=False))
        extent = [n + low + high for n, low, high in zip(self.shape, self._before, self._after, strict=True)]
        return pad_adjoint(crop(correlated, [0] * len(extent), extent), self._before, self._after, self.boundary)

    def _on_torus(self, padded: Array) -> Array:
        lead = [(0, 0)] * (padded.ndim - len(self.shape))
        sizes = padded.shape[padded.ndim - len(self.shape) :]
        return np.pad(padded, lead + [(0, t - size) for t, size in zip(self._torus, sizes, strict=True)])


def _complex_of(image: Array) -> type[np.complexfloating]:
    return np.complex64 if image.dtype == np.float32 else np.complex128


def convolve(
    image: npt.ArrayLike, psf: npt.ArrayLike, *, boundary: str = "symmetric", channel_axis: int | None = None
) -> Array:
    """The image convolved with a kernel, h * f, same shape and dtype.

    A true convolution (the kernel is flipped), with the origin of the kernel at ``psf.shape // 2`` on odd and even sides.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        The number of axes D of the kernel says how many trailing axes are spatial; axes before them are a stack.
    psf : array_like of D axes
        Finite, no larger than the image. Not normalised here.
    boundary : str
        What lies beyond the frame: wrap, reflect, symmetric, edge or constant.
    channel_axis : int or None
        The axis of the image that holds colour channels; each channel is convolved by itself.

    Raises
    ------
    TypeError, ValueError
        For an image or kernel that is empty, not real or not finite, or a kernel larger than the image.

    Examples
    --------
    >>> import numpy as np
    >>> convolve(np.array([0.0, 0, 1, 0, 0]), np.array([1.0, 2, 3])).round(6)
    array([0., 1., 2., 3., 0.])
    """
    working, dtype = as_float_image(image)
    kernel = as_finite(psf, "psf", working.dtype)
    if kernel.size == 0 or kernel.ndim == 0:
        raise ValueError(f"psf must have at least one axis and one element, got shape {kernel.shape}")
    units = unit_of(working), unit_of(kernel)
    planes, from_planes = to_planes(in_unit(working, units[0]), kernel.ndim, channel_axis)
    blurred = Blur(in_unit(kernel, units[1]), planes.shape[1:], boundary).forward(planes)
    return to_dtype(from_planes(from_unit(blurred, sum(units))), dtype)
