from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.psf import disk_psf, gaussian_psf
from restoretk.restoration import restore
from restoretk.restoration._frame_noise import frame_noise_sigma

RING = 8


@pytest.mark.parametrize("psf", [gaussian_psf(1.6), disk_psf(4)], ids=["gaussian", "disk"])
@pytest.mark.parametrize("method", ["wiener", "regularized_filter"])
def test_shot_noise_has_its_root_mean_square_over_the_whole_frame(psf: Array, method: str, camera: Array) -> None:
    """The coat in the middle of this photograph is darker than its edges: a window alone is 12 % too low."""
    blurred = np.clip(convolve(camera, psf), 0, None)[RING:-RING, RING:-RING]
    seen = np.random.default_rng(0).poisson(300 * blurred) / 300
    found = restore(seen, psf, method, boundary="unknown")
    assert found.noise_sigma == pytest.approx(np.sqrt(blurred.mean() / 300), rel=0.02)
    assert not found.warnings


def test_noise_of_one_half_of_the_frame_counts_by_its_share(camera: Array, rng: np.random.Generator) -> None:
    psf = gaussian_psf(1.6)
    sigma = np.where(np.arange(241) < 40, 0.1, 0.01) * np.ones((191, 1))
    seen = convolve(camera, psf)[100:291, 80:321] + sigma * rng.standard_normal(sigma.shape)
    assert restore(seen, psf).noise_sigma == pytest.approx(np.sqrt(np.mean(sigma**2)), rel=0.03)


def test_the_power_of_the_scene_is_told_from_that_of_the_noise(rng: np.random.Generator) -> None:
    """White scenes of known spectrum behind a one-sided blur in 1, 2 and 3 axes: only dark frequencies count."""
    for shape, side in (((4001,), 9), ((71, 83), 6), ((19, 20, 22), 4)):
        psf = gaussian_psf((side / 4,) * len(shape))
        scene = convolve(rng.standard_normal(shape), psf, boundary="symmetric")
        seen = scene + 0.05 * rng.standard_normal(shape)
        found = frame_noise_sigma(seen[None], psf, lambda f: np.ones(np.broadcast_shapes(*(a.shape for a in f))), 0.045)
        assert found == pytest.approx(0.05, rel=0.04)


def test_without_dark_frequencies_the_first_estimate_stands(rng: np.random.Generator) -> None:
    seen = rng.standard_normal((1, 40, 43))
    assert frame_noise_sigma(seen, np.ones((1, 1)), lambda f: 1 + 0 * (f[0] + f[1]), 0.1) == 0.1
