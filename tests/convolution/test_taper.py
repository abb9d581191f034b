from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.convolution.taper import edge_taper, taper_weights
from restoretk.restoration import wiener


def test_weights_fall_with_the_autocorrelation_of_the_psf(lopsided_psf: Array) -> None:
    weights = taper_weights(lopsided_psf, (45, 63))
    rows = lopsided_psf.sum(axis=1)
    lags = [np.dot(rows[lag:], rows[: len(rows) - lag]) / np.dot(rows, rows) for lag in range(4)]
    np.testing.assert_allclose(weights[:4, 31], [1 - lag for lag in lags], atol=1e-14)
    np.testing.assert_array_equal(weights[4:-4, 7:-7], 1)
    np.testing.assert_allclose(weights, weights[::-1, ::-1])


def test_the_middle_is_untouched_and_the_rim_is_the_circular_blur(scene: Array, lopsided_psf: Array) -> None:
    tapered = edge_taper(scene, lopsided_psf)
    np.testing.assert_array_equal(tapered[4:-4, 7:-7], scene[4:-4, 7:-7])
    circular = convolve(scene, lopsided_psf, boundary="wrap")
    for rim in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        np.testing.assert_allclose(tapered[rim], circular[rim], atol=1e-14)


def test_tapering_reduces_the_ringing_of_a_periodic_filter(camera: Array, lopsided_psf: Array) -> None:
    scene = camera[100:200, 60:201]
    seen = convolve(camera, lopsided_psf)[100:200, 60:201]
    plain = wiener(seen, lopsided_psf, noise_to_signal=1e-3, boundary="wrap")
    tapered = wiener(edge_taper(seen, lopsided_psf), lopsided_psf, noise_to_signal=1e-3, boundary="wrap")
    assert ((tapered - scene) ** 2).mean() < 0.5 * ((plain - scene) ** 2).mean()


def test_a_psf_larger_than_half_the_image_is_refused(lopsided_psf: Array) -> None:
    with pytest.raises(ValueError, match=r"psf of shape \(4, 7\) is larger than half the image \(45, 13\)"):
        edge_taper(np.ones((45, 13)), lopsided_psf)


def test_a_psf_of_another_sum_is_refused(scene: Array, lopsided_psf: Array) -> None:
    with pytest.raises(ValueError, match="psf must sum to 1, got 9"):
        edge_taper(scene, 9 * lopsided_psf)
