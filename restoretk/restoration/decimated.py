"""The inverse of a decimation: pictures blurred by a kernel of which every s-th pixel was kept, estimated on the large
grid.

H blurs and keeps one pixel in s along each axis. On a torus it mixes only the s^D frequencies of the large grid that look
alike on the small one, an alias class, so that H H^T is a circular filter on the small grid with the transfer function
V = mean over the class of |A|^2, A the transfer function of the blur. Every linear estimate here is then a filter on the
small grid followed by the transposed convolution H^T:

====================  ====================================
s^D H^T g             s^D: the transposed convolution
Landweber, j steps    (1 - (1 - s^D V)^j) / V
H^+ g                 1 / V: the pseudo-inverse
Wiener                S H^T after 1 / (mean |A|^2 S + sigma^2)
====================  ====================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from restoretk._arrays import Array, as_float_image, check_finite, looks_like_colour, to_dtype, to_planes
from restoretk._grammar import OptionError
from restoretk.convolution.boundary import BOUNDARIES, check_boundary, crop, extend_periodically
from restoretk.convolution.fourier import fast_shape
from restoretk.noise_estimation import estimate_noise_sigma
from restoretk.restoration.decimated_spectrum import fit_decimated_spectrum
from restoretk.restoration.signal_spectrum import SignalSpectrum
from restoretk.restoration.unknown_boundary import extend_unknown

_LEAST_RING = 16  # pixels of the small grid between opposite edges: the inverse filter reaches further than its kernel
_DARK = 1e-12  # singular values squared below this share of the largest are taken for rounding of 0


@dataclass(frozen=True)
class Decimation:
    """H on a torus: correlate with a kernel, keep every s-th pixel, on the half-pixel grid.

    Along each axis ``g[i] = sum_t kernel[t] * f[i*s + t - (k - s)/2]``, indices modulo ``s * shape``.

    Attributes
    ----------
    kernel : ndarray of D axes
        What a pixel of the small grid adds up; of sum 1 to keep the brightness.
    factor : int
        s.
    shape : tuple of D int
        The small grid.
    """

    kernel: Array
    factor: int
    shape: tuple[int, ...]

    @property
    def large_shape(self) -> tuple[int, ...]:
        """The large grid."""
        return tuple(self.factor * size for size in self.shape)

    def adjoint_transfer(self) -> Array:
        """conj(A), the transfer function of spreading out through the kernel, on the full spectrum of the large grid."""
        grid = np.zeros(self.large_shape)
        places = [
            (np.arange(k) - (k - self.factor) // 2) % size
            for k, size in zip(self.kernel.shape, self.large_shape, strict=True)
        ]
        # A kernel longer than a small torus laps itself.
        np.add.at(grid, np.ix_(*places), self.kernel)
        transfer: Array = scipy.fft.fftn(grid)
        return transfer

    def class_mean(self, power: Array) -> Array:
        """The mean of a spectrum on the large grid over the s^D frequencies of each alias class: one on the small grid."""
        split = power.reshape([side for size in self.shape for side in (self.factor, size)])
        mean: Array = split.mean(axis=tuple(range(0, split.ndim, 2)))
        return mean

    def squared_singular_values(self) -> Array:
        """V, the eigenvalues of H H^T, on the full spectrum of the small grid; their roots are those of H."""
        return self.class_mean(np.abs(self.adjoint_transfer()) ** 2)

    def forward(self, planes: Array) -> Array:
        """H of planes (P, *large_shape)."""
        axes = tuple(range(1, planes.ndim))
        blurred = scipy.fft.ifftn(scipy.fft.fftn(planes, axes=axes) * np.conj(self.adjoint_transfer()), axes=axes).real
        kept: Array = blurred[(slice(None), *(slice(None, None, self.factor),) * len(axes))]
        return kept

    def spread(self, planes: Array, weight: Array, signal: Array | float = 1.0) -> Array:
        """S H^T W of planes (P, *shape): W a filter on the small grid, S one on the large grid, both as full spectra."""
        axes = tuple(range(1, planes.ndim))
        small = scipy.fft.fftn(planes, axes=axes) * weight
        # Zeros between the pixels repeat the small spectrum s times along each axis.
        large = np.tile(small, (1, *(self.factor,) * len(axes))) * (signal * self.adjoint_transfer())
        result: Array = scipy.fft.ifftn(large, axes=axes).real
        return result


def landweber_weight(squared_singular_values: Array, iterations: float, step: float) -> Array:
    """W of j steps x <- x + tau H^T (g - H x) from 0: (1 - (1 - tau V)^j) / V, tau = ``step``; inf gives 1 / V.

    One step gives tau itself: tau H^T g. Where V = 0 nothing was seen, and the limit is 0.

    References
    ----------
    L. Landweber, An iteration formula for Fredholm integral equations of the first kind, American Journal of
    Mathematics 73 (1951) 615.

    Examples
    --------
    >>> landweber_weight(np.array([0.25, 0.1]), 1, 4.0)
    array([4., 4.])
    >>> landweber_weight(np.array([0.25, 0.0]), np.inf, 4.0)
    array([4., 0.])
    """
    seen = squared_singular_values > _DARK * squared_singular_values.max()
    done = 1.0 if np.isinf(iterations) else 1 - (1 - step * squared_singular_values) ** iterations
    weight: Array = np.divide(done, squared_singular_values, out=np.zeros(seen.shape), where=seen)
    return weight


def decimated_inverse(
    image: npt.ArrayLike,
    factor: int,
    kernel: npt.ArrayLike,
    *,
    iterations: float = np.inf,
    boundary: str = "symmetric",
    channel_axis: int | None = None,
) -> Array:
    """The pseudo-inverse H^+ g of a decimated image, or a point on the Landweber path that leads to it.

    Of all images f on the large grid with H f = g (or, where there is none, with H f nearest to g) the one of least
    energy. It has no model of pictures and holds no noise down: what H made s times fainter, noise included, comes back s
    times stronger, and what H cannot see stays 0. With ``iterations`` the path x <- x + tau H^T (g - H x) from 0 stops
    there, tau = s^D: one step is s^D H^T g, the transposed convolution, and infinitely many are H^+ g.

    Parameters
    ----------
    image : array_like of shape (*spatial), with or without a channel axis
        g, the decimated image.
    factor : int
        s >= 1, the same along every spatial axis.
    kernel : array_like of 1 axis, or of as many as are spatial
        What H adds up for one pixel, of sum 1, correlated, on the half-pixel grid: k - s even on each axis. 1-D: the same
        along every axis. For the decimation of `restoretk.downsample`: the taps of the kernel divided by s.
    iterations : float
        >= 1, a whole number or inf.
    boundary : str
        What lies beyond the frame: one of BOUNDARIES. ``wrap`` is exact for a picture on a torus.
    channel_axis : int or None
        The axis that is not spatial.

    Returns
    -------
    ndarray
        s times as long on every spatial axis; of the dtype of the image, nothing clipped for floats.

    Raises
    ------
    TypeError, ValueError
        For an image, factor, kernel, number of steps or boundary that cannot be used.

    Notes
    -----
    Not a super-resolution method: the null space of H stays empty. With ``wrap`` and s^D V at most 1, as for the kernels
    of `restoretk.downsample`, the path converges.

    References
    ----------
    .. [1] N. Zhao, Q. Wei, A. Basarab, N. Dobigeon, D. Kouame, J.-Y. Tourneret, Fast single image super-resolution using a
       new analytical solution for l2-l2 problems, IEEE TIP 25 (2016) 3683, arXiv 1510.00143, section III: alias classes.

    Examples
    --------
    >>> decimated_inverse(np.array([0.0, 1.0, 4.0, 2.0]), 2, [0.5, 0.5], boundary="wrap")
    array([0., 0., 1., 1., 4., 4., 2., 2.])
    """
    if not (iterations >= 1 and (np.isinf(iterations) or float(iterations).is_integer())):
        raise OptionError(f"iterations must be a whole number >= 1 or inf, got {iterations}")
    check_boundary(boundary)
    planes, finish = _open(image, channel_axis)
    operator = _decimation(kernel, factor, planes.shape[1:], boundary)
    extended = extend_periodically(planes, operator.shape, boundary)
    weight = landweber_weight(operator.squared_singular_values(), iterations, float(factor ** (planes.ndim - 1)))
    large = operator.spread(extended, weight)
    return finish(crop(large, [0] * (planes.ndim - 1), [factor * size for size in planes.shape[1:]]))


def decimated_wiener(
    image: npt.ArrayLike,
    factor: int,
    kernel: npt.ArrayLike,
    *,
    noise_sigma: float | str = "auto",
    signal_spectrum: SignalSpectrum | str = "auto",
    boundary: str = "unknown",
    channel_axis: int | None = None,
) -> Array:
    """The image on the large grid of least mean squared error among all linear estimates from a decimated, noisy one.

    f = S H^T (H S H^T + sigma^2 I)^-1 g with S the power spectrum of the scene: for each alias class,
    F = conj(A) S G / (mean |A|^2 S + sigma^2). Within a class it gives most to the frequency where scenes have most power,
    which is what keeps aliases down; where the noise is above the scene it lets go. Without noise H f = g.

    Parameters
    ----------
    image, factor, kernel, channel_axis
        As for `decimated_inverse`.
    noise_sigma : float or "auto"
        Standard deviation of the white noise on the image, >= 0, as a fraction of full range for integers. ``"auto"``
        takes what `estimate_noise_sigma` sees; fine texture that was aliased by the decimation can pass for noise.
    signal_spectrum : SignalSpectrum or "auto"
        S on the large grid. ``"auto"`` fits a power law through H to the image.
    boundary : str
        ``unknown``: what lies beyond the frame is estimated with the picture; or one of BOUNDARIES.

    Returns
    -------
    ndarray
        s times as long on every spatial axis; of the dtype of the image, nothing clipped for floats.

    Raises
    ------
    TypeError, ValueError
        For an image, factor, kernel, noise level or boundary that cannot be used.

    Notes
    -----
    The mean of the image passes unchanged. Assumes a stationary scene and white noise.

    References
    ----------
    .. [1] N. Zhao et al., as for `decimated_inverse`, theorem 1: the closed form for one alias class.

    Examples
    --------
    >>> flat = decimated_wiener(np.full((16, 20), 0.5), 2, [0.5, 0.5], noise_sigma=0.1)
    >>> flat.shape, bool(np.allclose(flat, 0.5))
    ((32, 40), True)
    """
    check_boundary(boundary, (*BOUNDARIES, "unknown"))
    if isinstance(signal_spectrum, str) and signal_spectrum != "auto":
        raise OptionError(f"signal_spectrum must be a SignalSpectrum or 'auto', got {signal_spectrum!r}")
    planes, finish = _open(image, channel_axis)
    sigma = _noise_sigma(noise_sigma, planes)
    frame = planes.shape[1:]
    operator = _decimation(kernel, factor, frame, boundary)
    if isinstance(signal_spectrum, str):
        on_frame = Decimation(operator.kernel, factor, frame)
        gain = np.abs(on_frame.adjoint_transfer()) ** 2
        signal_spectrum = fit_decimated_spectrum(planes, gain, factor, sigma, periodic=boundary == "wrap")
    signal = signal_spectrum.power_at(_frequencies(operator.large_shape))
    expected = operator.class_mean(np.abs(operator.adjoint_transfer()) ** 2 * signal) + sigma * sigma
    # The mean of the scene is not a draw from its spectrum: it is taken off and given back.
    level = planes.mean(axis=tuple(range(1, planes.ndim)), keepdims=True)
    if boundary == "unknown":
        half = operator.shape[-1] // 2 + 1
        extended, _ = extend_unknown(planes - level, 1 / expected[..., :half], operator.shape)
    else:
        extended = extend_periodically(planes - level, operator.shape, boundary)
    large = operator.spread(extended, 1 / expected, signal) + level / operator.kernel.sum()
    return finish(crop(large, [0] * len(frame), [factor * size for size in frame]))


def _open(image: npt.ArrayLike, channel_axis: int | None) -> tuple[Array, Callable[[Array], Array]]:
    """The image as planes (P, *spatial) of float64, and the way back."""
    working, dtype = as_float_image(image)
    if channel_axis is None and looks_like_colour(working.shape, 2):
        raise ValueError(f"image of shape {working.shape} looks like colour: pass channel_axis=-1")
    planes, from_planes = to_planes(working, working.ndim - (channel_axis is not None), channel_axis)
    return planes.astype(np.float64), lambda large: to_dtype(np.ascontiguousarray(from_planes(large)), dtype)


def _decimation(kernel: npt.ArrayLike, factor: int, frame: Sequence[int], boundary: str) -> Decimation:
    """The checked operator on the torus that the frame is laid on."""
    if isinstance(factor, bool) or not isinstance(factor, (int, np.integer)) or factor < 1:
        raise OptionError(f"factor must be a whole number >= 1, got {factor!r}")
    taps = np.asarray(kernel, np.float64)
    check_finite(taps, "kernel")
    if abs(taps.sum() - 1) > 1e-3:
        raise ValueError(f"kernel must sum to 1, got {taps.sum():.6g}: divide the taps of an upsampling kernel by s")
    if taps.ndim == 1 and len(frame) > 1:
        line, taps = taps, np.ones(())
        for _ in frame:
            taps = taps[..., None] * line
    if taps.ndim != len(frame) or taps.size == 0:
        raise ValueError(f"kernel must have 1 axis or the {len(frame)} of the image, got shape {taps.shape}")
    if any((side - factor) % 2 for side in taps.shape):
        raise ValueError(
            f"kernel must have {factor}, {factor + 2}, ... taps to lie on the half-pixel grid at factor {factor}, got "
            f"shape {taps.shape}"
        )
    if boundary == "wrap":
        return Decimation(taps, int(factor), tuple(frame))
    ring = [max(_LEAST_RING, 2 * -(-side // factor)) for side in taps.shape]
    return Decimation(taps, int(factor), fast_shape([size + more for size, more in zip(frame, ring, strict=True)]))


def _noise_sigma(noise_sigma: float | str, planes: Array) -> float:
    if isinstance(noise_sigma, str):
        if noise_sigma != "auto":
            raise OptionError(f"noise_sigma must be a number >= 0 or 'auto', got {noise_sigma!r}")
        return float(np.sqrt(np.mean([estimate_noise_sigma(plane) ** 2 for plane in planes])))
    if not 0 <= noise_sigma < np.inf:
        raise OptionError(f"noise_sigma must be finite and >= 0, got {noise_sigma}")
    return float(noise_sigma)


def _frequencies(shape: Sequence[int]) -> list[Array]:
    """The frequencies of the full spectrum in cycles per pixel, as one broadcastable array per axis."""
    ndim = len(shape)
    return [np.fft.fftfreq(size).reshape([-1 if i == j else 1 for j in range(ndim)]) for i, size in enumerate(shape)]
