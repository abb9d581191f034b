"""The lopsided fixtures: no symmetry hides a missing conj, a flip or a half-pixel shift."""

from __future__ import annotations

import os
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from restoretk._arrays import Array

# The same examples in every run, unless HYPOTHESIS_PROFILE=nightly asks for many new ones.
settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=10, database=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile("nightly", deadline=None, max_examples=2000, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

DATA = Path(__file__).resolve().parent.parent / "data"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261122)


@pytest.fixture
def lopsided_psf() -> Array:
    """A PSF without any symmetry, one side even, sum 1."""
    psf = np.zeros((4, 7))
    psf[0, 1], psf[1, 2], psf[1, 5], psf[2, 3], psf[2, 4], psf[3, 6] = 1, 4, 2, 8, 3, 1
    return psf / psf.sum()


@pytest.fixture
def scene(rng: np.random.Generator) -> Array:
    """A smooth-and-edged picture in [0, 1], not square, odd sides."""
    rows, columns = np.mgrid[0:45, 0:63]
    picture = 0.4 + 0.2 * np.sin(rows / 7) * np.cos(columns / 5) + 0.2 * (columns > 30) * (rows > 12)
    return picture + 0.05 * rng.random(picture.shape)


@pytest.fixture(scope="session")
def camera() -> Array:
    """The bundled grey photograph as float64 in [0, 1]."""
    return iio.imread(DATA / "camera.png") / 255
