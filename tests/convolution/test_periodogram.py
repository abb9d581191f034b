from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from restoretk._arrays import Array
from restoretk.convolution.periodogram import periodogram


@pytest.mark.parametrize("periodic", [True, False])
def test_the_periodogram_of_white_noise_is_its_variance(periodic: bool, rng: np.random.Generator) -> None:
    power = periodogram(rng.normal(3, 0.5, (4, 75, 64)), 2, periodic=periodic)
    assert power.shape == (75, 33)
    assert power[2:-2, 2:].mean() == pytest.approx(0.25, rel=0.03)


def test_a_signal_has_the_periodogram_that_scipy_gives_it(rng: np.random.Generator) -> None:
    signal = rng.normal(2, 1, 61).cumsum()
    window = np.sin(np.pi * (np.arange(61) + 0.5) / 61) ** 2
    mean = np.average(signal, weights=window)
    # One-sided densities count a frequency twice, all but zero.
    _, expected = scipy.signal.periodogram(signal - mean, window=window, detrend=False)
    np.testing.assert_allclose(2 * periodogram(signal, 1, periodic=False)[1:], expected[1:], rtol=1e-9)


@pytest.mark.parametrize("periodic", [True, False])
def test_the_level_of_a_picture_leaks_nowhere(periodic: bool, scene: Array) -> None:
    np.testing.assert_allclose(
        periodogram(scene + 1000, 2, periodic=periodic), periodogram(scene, 2, periodic=periodic), atol=1e-9
    )


def test_planes_are_averaged(rng: np.random.Generator) -> None:
    planes = rng.random((2, 3, 14, 17))
    each = [periodogram(plane, 2, periodic=False) for plane in planes.reshape(6, 14, 17)]
    np.testing.assert_allclose(periodogram(planes, 2, periodic=False), np.mean(each, axis=0))
