"""With their parameters given, the linear filters are linear, shift-equivariant and blind to other channels: to rounding."""

from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.boundary import BOUNDARIES
from restoretk.restoration import METHODS

GIVEN = {
    "inverse_filter": {"cutoff": 0.3},
    "wiener": {"noise_to_signal": 0.01},
    "regularized_filter": {"regularization": 0.02},
}
every_method = pytest.mark.parametrize("name", GIVEN)
every_boundary = pytest.mark.parametrize("boundary", BOUNDARIES)


def test_every_method_is_here() -> None:
    assert GIVEN.keys() | {"richardson_lucy"} == METHODS.keys()


@every_method
@every_boundary
def test_linear_and_scale_equivariant(name: str, boundary: str, rng: np.random.Generator, lopsided_psf: Array) -> None:
    one, other = rng.standard_normal((2, 37, 51))

    def restored(image: Array) -> Array:
        return METHODS[name](image, lopsided_psf, boundary=boundary, **GIVEN[name])

    np.testing.assert_allclose(restored(3 * one - 700 * other), 3 * restored(one) - 700 * restored(other), atol=1e-8)


@every_method
def test_shift_equivariant(name: str, rng: np.random.Generator, lopsided_psf: Array) -> None:
    image = rng.standard_normal((37, 51))
    restored = METHODS[name](image, lopsided_psf, boundary="wrap", **GIVEN[name])
    for shift in ((1, 0), (-3, 20), (36, 50)):
        shifted = METHODS[name](np.roll(image, shift, (0, 1)), lopsided_psf, boundary="wrap", **GIVEN[name])
        np.testing.assert_allclose(shifted, np.roll(restored, shift, (0, 1)), atol=1e-11)


@every_method
@pytest.mark.parametrize("boundary", [*BOUNDARIES, "unknown"])
def test_channels_and_pages_do_not_see_each_other(name: str, boundary: str, camera: Array, lopsided_psf: Array) -> None:
    image = np.stack([camera[:45, :63], camera[200:245, 100:163] * 50, camera[300:345, 50:113] - 7], axis=-1)
    together = METHODS[name](image, lopsided_psf, boundary=boundary, channel_axis=-1, **GIVEN[name])
    pages = METHODS[name](np.moveaxis(image, -1, 0), lopsided_psf, boundary=boundary, **GIVEN[name])
    for channel in range(3):
        alone = METHODS[name](image[..., channel], lopsided_psf, boundary=boundary, **GIVEN[name])
        np.testing.assert_allclose(together[..., channel], alone, atol=1e-11 * np.ptp(alone))
        np.testing.assert_allclose(pages[channel], alone, atol=1e-11 * np.ptp(alone))
