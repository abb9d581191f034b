"""Noise that differs from pixel to pixel: the linear filters as weighted least squares, solved by conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, check_finite
from restoretk.convolution.fourier import forward_transform, inverse_transform
from restoretk.noise_estimation import estimate_poisson_gaussian

_ITERATIONS = 40
_TOLERANCE = 1e-4
_LEAST_VARIANCE = 0.1  # of the mean variance: no pixel counts more than ten times
_SMOOTHING = 2.0  # pixels: weights that follow the noise would favour its dark side


@dataclass(frozen=True)
class WeightedSolution:
    """Restored planes on the torus, and the FFT pairs that they took."""

    planes: Array
    fft_pairs: int


def read_weights(weights: npt.ArrayLike | str, shape: tuple[int, ...], spatial: tuple[int, ...]) -> Array | None:
    """The weights as an array that broadcasts with the image; None for ``poisson``, which is read off the picture.

    Raises
    ------
    ValueError
        For another word, a shape that is neither the image's nor its spatial axes', negative or infinite weights, or none
        above zero.
    """
    if isinstance(weights, str):
        if weights != "poisson":
            raise ValueError(f"weights must be an array of numbers >= 0 or 'poisson', got {weights!r}")
        return None
    array = np.asarray(weights, np.float64)
    check_finite(array, "weights")
    if array.shape not in (shape, spatial):
        raise ValueError(f"weights must have the shape {shape} or {spatial}, got {array.shape}")
    if (array < 0).any() or not array.any():
        raise ValueError(f"weights must be >= 0 and not all zero, got a minimum of {array.min():.6g}")
    return array


def poisson_weights(planes: Array) -> Array:
    """1 / (gain * mean + floor^2) for each pixel of planes (P, *spatial), with one gain and floor fitted to all of them."""
    from scipy.ndimage import gaussian_filter  # only pictures with shot noise pay for the import

    noise = estimate_poisson_gaussian(planes, channel_axis=0)
    smooth = np.stack([gaussian_filter(plane, _SMOOTHING) for plane in planes])
    variance = noise.sigma(np.maximum(smooth, 0)) ** 2
    return 1 / np.maximum(variance, max(_LEAST_VARIANCE * float(variance.mean()), np.finfo(np.float64).tiny))


def solve_weighted(planes: Array, otf: Array, addend: Array, weights: Array, start: Array) -> WeightedSolution:
    """Minimise sum w (g - h * f)^2 + sum q |F|^2 for each plane, by preconditioned conjugate gradients.

    The preconditioner is the closed form for weights that are 1 everywhere, so that equal weights are solved at once.

    Parameters
    ----------
    planes : ndarray of shape (P, *torus)
        The observation g; what it holds where the weight is 0 does not matter.
    otf : ndarray of complex, shape (K, *half), K = 1 or P
    addend : ndarray, broadcasts with the OTF
        q >= 0: what the closed form adds to |H|^2.
    weights : ndarray, broadcasts with the planes
        w >= 0: the mean variance of the noise over that of the pixel.
    start : ndarray of shape (P, *torus)
        The closed form, or any other first estimate.

    References
    ----------
    .. [1] J. A. Fessler and S. D. Booth, "Conjugate-gradient preconditioning methods for shift-variant PET image
       reconstruction", IEEE Trans. Image Process. 8, 1999: circulant preconditioners for weighted least squares.
    """
    penalty = np.broadcast_to(addend, otf.shape)
    solved, most = np.empty_like(start), 0
    for index, plane in enumerate(planes):
        which = index if len(otf) > 1 else 0
        weight = np.broadcast_to(weights, planes.shape)[index].astype(plane.dtype, copy=False)
        equations = _NormalEquations(otf[which], penalty[which].astype(otf.real.dtype, copy=False), weight)
        solved[index], pairs = equations.solve(plane, start[index])
        most = max(most, pairs)
    return WeightedSolution(solved, most)


@dataclass(frozen=True)
class _NormalEquations:
    """(H^T W H + Q) f = H^T W g for one plane."""

    otf: Array
    penalty: Array
    weight: Array

    def _filtered(self, image: Array, transfer: Array) -> Array:
        return inverse_transform(transfer * forward_transform(image, image.ndim), image.shape)

    def _apply(self, image: Array) -> Array:
        spectrum = forward_transform(image, image.ndim)
        blurred = inverse_transform(self.otf * spectrum, image.shape)
        back = np.conj(self.otf) * forward_transform(self.weight * blurred, image.ndim)
        return inverse_transform(back + self.penalty * spectrum, image.shape)

    def solve(self, plane: Array, start: Array) -> tuple[Array, int]:
        """The solution from a first estimate, and the FFT pairs that it took."""
        closed_form = 1 / np.maximum(np.abs(self.otf) ** 2 + self.penalty, np.finfo(self.penalty.dtype).tiny)
        right = self._filtered(self.weight * plane, np.conj(self.otf))
        estimate = start.copy()
        residual = right - self._apply(estimate)
        direction, previous, pairs = np.zeros_like(residual), 0.0, 3
        for _ in range(_ITERATIONS):
            if np.vdot(residual, residual) <= _TOLERANCE**2 * np.vdot(right, right):
                break
            guided = self._filtered(residual, closed_form)
            energy = float(np.vdot(residual, guided))
            direction = guided + (energy / previous if previous else 0.0) * direction
            curved = self._apply(direction)
            step = energy / float(np.vdot(direction, curved))
            estimate += step * direction
            residual -= step * curved
            previous, pairs = energy, pairs + 3
        return estimate, pairs
