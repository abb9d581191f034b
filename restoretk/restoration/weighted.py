"""Noise that differs from pixel to pixel: the linear filters as weighted least squares, solved by conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_real, check_finite
from restoretk._grammar import OptionError
from restoretk.convolution.fourier import forward_transform, inverse_transform
from restoretk.noise_estimation import PoissonGaussianNoise, estimate_poisson_gaussian
from restoretk.restoration.unknown_boundary import inner

_ITERATIONS = 40
_TOLERANCE = 1e-4
_GIVEN_UP = 1e-3  # a residual above which the solution is not the one asked for
_LEAST_VARIANCE = 0.1  # of the mean variance: no pixel counts more than ten times
_SURE_GAIN = 5.0  # standard errors: white noise on blurred photographs came to 1.2, shot noise to 35 and more
_SEEN_GROWTH = 1.2  # of the variance, from the dark parts of a picture to the bright ones
_SMOOTHING = 2.0  # pixels: weights that follow the noise would favour its dark side


@dataclass(frozen=True)
class WeightedSolution:
    """Restored planes on the torus, the FFT pairs that they took, and how far the slowest plane came.

    ``steps`` of conjugate gradients; ``residual`` of the normal equations, as a fraction of their right side.
    """

    planes: Array
    fft_pairs: int
    steps: int
    residual: float

    def notes(self) -> tuple[str, ...]:
        """A sentence where the weights changed nothing or the solution is not the one asked for."""
        if self.steps == 0:
            return (
                "the weights changed nothing: the filter without them solves the weighted problem to a part in "
                f"{1 / _TOLERANCE:.0f}",
            )
        if self.residual > _GIVEN_UP:
            return (
                f"the weighted problem was given up after {self.steps} steps at a residual of {self.residual:.1e}: the "
                f"picture is between the filter without weights and the weighted solution",
            )
        return ()


@dataclass(frozen=True)
class PixelWeights:
    """What the noise of each pixel counts, and where that was read.

    Attributes
    ----------
    values : ndarray of shape (P, *torus)
        Mean noise variance over that of the pixel, 0 where nothing was observed.
    source : str
        ``poisson`` or ``given``.
    noise : PoissonGaussianNoise or None
        The gain and floor behind ``poisson``.
    """

    values: Array
    source: str
    noise: PoissonGaussianNoise | None = None

    def parameters(self) -> dict[str, float | str]:
        """What to put on record."""
        found: dict[str, float | str] = {"weights": self.source}
        if self.noise is not None:
            found |= {"gain": self.noise.gain, "floor": self.noise.floor}
        return found

    def notes(self) -> tuple[str, ...]:
        """A sentence where the picture shows no shot noise, or hardly any."""
        if self.noise is None:
            return ()
        low, high = np.quantile(self.values[self.values > 0], [0.05, 0.95])
        if high > _SEEN_GROWTH * low:
            return ()
        return (
            f"weights='poisson' found noise that hardly grows with brightness (gain {self.noise.gain:.3g} +- "
            f"{self.noise.gain_error:.2g}, floor {self.noise.floor:.3g}): the weights change little or nothing",
        )


def read_weights(
    weights: npt.ArrayLike | str,
    shape: tuple[int, ...],
    spatial_axes: tuple[int, ...],
    hidden: Array | None = None,
) -> Array | None:
    """The weights as an array that broadcasts with the image; None for ``poisson``, which is read off the picture.

    Pixels that are ``hidden`` by the mask count nothing, whatever the weights hold there: NaN too.

    Raises
    ------
    ValueError
        For another word, a shape that is neither the image's nor its spatial axes', negative or infinite weights, or none
        above zero.
    """
    if isinstance(weights, str):
        if weights != "poisson":
            raise OptionError(f"weights must be an array of numbers >= 0 or 'poisson', got {weights!r}")
        return None
    array = as_real(weights, "weights").astype(np.float64, copy=False)
    spatial = tuple(shape[axis] for axis in spatial_axes)
    if array.shape not in (shape, spatial):
        raise ValueError(f"weights must have the shape {shape} or {spatial}, got {array.shape}")
    if hidden is not None:
        others = tuple(axis for axis in range(len(shape)) if axis not in spatial_axes)
        ignored = hidden if array.shape == shape else hidden.all(axis=others)
        array = np.where(ignored, 0.0, array)
    check_finite(array, "weights")
    if (array < 0).any() or not array.any():
        raise ValueError(f"weights must be >= 0 and not all zero, got a minimum of {array.min():.6g}")
    return array


def poisson_weights(planes: Array) -> tuple[Array, PoissonGaussianNoise]:
    """1 / (gain * mean + floor^2) for each pixel of planes (P, *spatial), with one gain and floor fitted to all of them."""
    from scipy.ndimage import gaussian_filter  # only pictures with shot noise pay for the import

    noise = estimate_poisson_gaussian(planes, channel_axis=0)
    smooth = np.stack([gaussian_filter(plane, _SMOOTHING) for plane in planes])
    variance = noise.sigma(np.maximum(smooth, 0)) ** 2
    least = max(_LEAST_VARIANCE * float(variance.mean()), np.finfo(np.float64).tiny)
    return 1 / np.maximum(variance, least), noise


def shot_noise_in(planes: Array) -> PoissonGaussianNoise | None:
    """The shot noise of planes (P, *spatial) where their noise grows with brightness beyond doubt, else None."""
    try:
        noise = estimate_poisson_gaussian(planes, channel_axis=0)
    except ValueError:  # too few pixels to tell
        return None
    dark, bright = noise.sigma(np.quantile(planes, [0.1, 0.9])) ** 2
    return noise if noise.gain > _SURE_GAIN * noise.gain_error and bright > _SEEN_GROWTH * dark else None


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
    solved, most, steps, worst = np.empty_like(start), 0, 0, 0.0
    for index, plane in enumerate(planes):
        which = index if len(otf) > 1 else 0
        weight = np.broadcast_to(weights, planes.shape)[index].astype(plane.dtype, copy=False)
        equations = _NormalEquations(otf[which], penalty[which].astype(otf.real.dtype, copy=False), weight)
        solved[index], taken, residual = equations.solve(plane, start[index])
        most, steps, worst = max(most, 3 * taken + 3), max(steps, taken), max(worst, residual)
    return WeightedSolution(solved, most, steps, worst)


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

    def solve(self, plane: Array, start: Array) -> tuple[Array, int, float]:
        """The solution from a first estimate, the steps that it took (three FFT pairs each) and the residual left."""
        closed_form = 1 / np.maximum(np.abs(self.otf) ** 2 + self.penalty, np.finfo(self.penalty.dtype).tiny)
        right = self._filtered(self.weight * plane, np.conj(self.otf))
        estimate = start.copy()
        residual = right - self._apply(estimate)
        direction, previous, steps = np.zeros_like(residual), 0.0, 0
        whole = float(np.linalg.norm(right)) or 1.0
        while (left := float(np.linalg.norm(residual)) / whole) > _TOLERANCE and steps < _ITERATIONS:
            guided = self._filtered(residual, closed_form)
            energy = inner(residual, guided)
            direction = guided + (energy / previous if previous else 0.0) * direction
            curved = self._apply(direction)
            step = energy / inner(direction, curved)
            estimate += step * direction
            residual -= step * curved
            previous, steps = energy, steps + 1
        return estimate, steps, left
