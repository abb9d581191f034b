"""Noise and what else a camera does to the light: random noises, quantisation and JPEG.

Every function takes an image and gives a new one of the same shape and dtype. Levels are fractions of the image's full
range: a sigma of 0.01 is 1 % of white for floats in [0, 1] and for integers alike (`restoretk._arrays`). Random noises
take ``rng``, a seed or a generator, and do not clip: a float image may leave [0, 1], as a sensor before its converter
does. Two limits are physical and kept: a pixel cannot send fewer than no photons, and `quantize` and `jpeg` code black
to white, [0, 1], and nothing beyond.
"""

from __future__ import annotations

from restoretk.noise.chain import NOISES, Noise, make_noise, make_photograph_noise
from restoretk.noise.coding import jpeg, quantize
from restoretk.noise.sensor import (
    gaussian_noise,
    poisson_gaussian_noise,
    poisson_noise,
    salt_and_pepper_noise,
    speckle_noise,
)

__all__ = [
    "NOISES",
    "Noise",
    "gaussian_noise",
    "jpeg",
    "make_noise",
    "make_photograph_noise",
    "poisson_gaussian_noise",
    "poisson_noise",
    "quantize",
    "salt_and_pepper_noise",
    "speckle_noise",
]
