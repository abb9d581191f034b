"""The noise in a picture that is all there is: its level, and how it grows with the signal."""

from restoretk.noise_estimation.poisson_gaussian import PoissonGaussianNoise, estimate_poisson_gaussian
from restoretk.noise_estimation.white import NoiseEstimate, estimate_noise_sigma, measure_noise

__all__ = [
    "NoiseEstimate",
    "PoissonGaussianNoise",
    "estimate_noise_sigma",
    "estimate_poisson_gaussian",
    "measure_noise",
]
