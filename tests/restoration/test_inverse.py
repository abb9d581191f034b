from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.convolution.fourier import psf_to_otf
from restoretk.restoration import inverse_filter


def test_without_noise_the_scene_comes_back(scene: Array, lopsided_psf: Array) -> None:
    blurred = convolve(scene, lopsided_psf, boundary="wrap")
    restored = inverse_filter(blurred, lopsided_psf, cutoff=0, boundary="wrap")
    np.testing.assert_allclose(restored, scene, atol=1e-9)


def test_frequencies_below_the_cutoff_are_dropped_and_the_others_are_exact(scene: Array, lopsided_psf: Array) -> None:
    blurred = convolve(scene, lopsided_psf, boundary="wrap")
    restored = inverse_filter(blurred, lopsided_psf, cutoff=0.4, boundary="wrap")
    kept = np.abs(psf_to_otf(lopsided_psf, scene.shape)) >= 0.4
    assert 0.1 < kept.mean() < 0.9
    np.testing.assert_allclose(np.fft.rfft2(restored), np.fft.rfft2(scene) * kept, atol=1e-9)


def test_an_exact_zero_of_the_otf_is_never_divided_by() -> None:
    image = np.arange(24.0).reshape(4, 6)
    restored = inverse_filter(image, np.full((2, 2), 0.25), cutoff=0, boundary="wrap")
    assert np.isfinite(restored).all()


def test_a_cutoff_outside_its_range_is_named(scene: Array, lopsided_psf: Array) -> None:
    for cutoff in (-0.1, 1.0, np.nan):
        with pytest.raises(ValueError, match=rf"cutoff must be in \[0, 1\), got {cutoff}"):
            inverse_filter(scene, lopsided_psf, cutoff=cutoff)


@pytest.mark.parametrize("boundary", ["reflect", "symmetric", "edge", "unknown"])
def test_opposite_edges_of_the_frame_do_not_meet(boundary: str) -> None:
    """A PSF that moves the scene, on a frame whose FFT needs no padding: undoing it looks beyond the frame at one edge."""
    for axis, shape in ((0, (5, 1)), (1, (1, 5))):
        moved = np.zeros(shape)
        moved[0, 0] = 1  # two pixels towards lower indices
        image = np.zeros((64, 64))
        np.swapaxes(image, 0, axis)[32:] = 1  # black at the low edge, white at the high one
        restored = inverse_filter(image, moved, cutoff=0, boundary=boundary)
        assert abs(np.take(restored, [0, 1], axis)).max() < 0.3
        assert np.take(restored, [62, 63], axis).min() > 0.7
