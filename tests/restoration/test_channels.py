from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.psf import gaussian_psf
from restoretk.restoration import METHODS, regularized_filter, restore, wiener

GIVEN = {
    "inverse_filter": {"cutoff": 0.3},
    "wiener": {"noise_to_signal": 0.01},
    "regularized_filter": {"regularization": 0.02},
    "richardson_lucy": {"iterations": 5},
}


@pytest.fixture
def colour(camera: Array) -> Array:
    return np.stack([camera[:91, :123], camera[200:291, 100:223], camera[300:391, 50:173]], axis=-1)


@pytest.fixture
def psfs(lopsided_psf: Array) -> Array:
    """One lopsided PSF for each channel, channels last."""
    return np.stack([lopsided_psf, lopsided_psf[::-1], np.roll(lopsided_psf, 1, axis=1)], axis=-1)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("boundary", ["wrap", "symmetric", "unknown"])
def test_each_channel_is_restored_with_its_own_psf(name: str, boundary: str, colour: Array, psfs: Array) -> None:
    together = METHODS[name](colour, psfs, boundary=boundary, channel_axis=-1, **GIVEN[name])
    for channel in range(3):
        alone = METHODS[name](colour[..., channel], psfs[..., channel], boundary=boundary, **GIVEN[name])
        np.testing.assert_allclose(together[..., channel], alone, atol=1e-11)
    first = METHODS[name](
        np.moveaxis(colour, -1, 0), np.moveaxis(psfs, -1, 0), boundary=boundary, channel_axis=0, **GIVEN[name]
    )
    np.testing.assert_allclose(np.moveaxis(first, 0, -1), together, atol=1e-11)


def test_the_automatic_choice_works_with_a_psf_for_each_channel(colour: Array, rng: np.random.Generator) -> None:
    psfs = np.stack([gaussian_psf(sigma, size=(9, 10)) for sigma in (1.0, 1.4, 1.8)], axis=-1)
    seen = np.stack([convolve(colour[..., c], psfs[..., c], boundary="wrap") for c in range(3)], axis=-1)
    seen += 0.01 * rng.standard_normal(seen.shape)
    for name in ("wiener", "regularized_filter"):
        record = restore(seen, psfs, name, boundary="wrap", channel_axis=-1)
        assert ((record.image - colour) ** 2).mean() < 0.8 * ((seen - colour) ** 2).mean()
        assert record.noise_sigma == pytest.approx(0.01, rel=0.2)


def test_one_psf_for_all_is_the_same_psf_three_times(colour: Array, lopsided_psf: Array) -> None:
    thrice = np.stack([lopsided_psf] * 3, axis=-1)
    for boundary in ("wrap", "unknown"):
        one = restore(colour, lopsided_psf, "regularized_filter", boundary=boundary, channel_axis=-1)
        three = restore(colour, thrice, "regularized_filter", boundary=boundary, channel_axis=-1)
        np.testing.assert_allclose(three.image, one.image, atol=1e-4)
        assert three.diagnostics["noise_gain"] == pytest.approx(one.diagnostics["noise_gain"], rel=1e-4)
        assert three.diagnostics["residual_sigma"] == pytest.approx(one.diagnostics["residual_sigma"], rel=1e-4)


def test_a_wrong_number_of_psfs_is_named(colour: Array, psfs: Array) -> None:
    with pytest.raises(ValueError, match="psf must be one array or one for each of the 3 channels, got 2"):
        restore(colour, psfs[..., :2], channel_axis=-1)
    with pytest.raises(ValueError, match="psf of channel 1 must sum to 1"):
        restore(colour, psfs * np.array([1, 2, 1]), channel_axis=-1)


def _uneven(colour: Array, psf: Array, rng: np.random.Generator) -> Array:
    """The picture blurred, with a hundred times the noise variance in its last channel."""
    return convolve(colour, psf, boundary="wrap", channel_axis=-1) + np.array(
        [0.003, 0.003, 0.03]
    ) * rng.standard_normal(colour.shape)


@pytest.mark.parametrize("method", ["wiener", "regularized_filter"])
def test_per_channel_is_each_channel_restored_alone(
    method: str, colour: Array, lopsided_psf: Array, rng: np.random.Generator
) -> None:
    seen = np.moveaxis(_uneven(colour, lopsided_psf, rng), -1, 1)
    together = restore(seen, lopsided_psf, method, boundary="wrap", channel_axis=1, per_channel=True)
    alone = [restore(seen[:, index], lopsided_psf, method, boundary="wrap") for index in range(3)]
    np.testing.assert_array_equal(together.image, np.stack([record.image for record in alone], 1))
    for index, record in enumerate(alone):
        for name in ("level", "regularization"):
            if name in record.parameters:
                assert together.parameters[f"{name}[{index}]"] == record.parameters[name]
    assert together.parameters["boundary"] == "wrap"
    assert together.transfer is not None
    assert len(together.transfer) == 3


def test_a_strength_for_each_channel_pays_where_they_differ_in_noise(
    colour: Array, lopsided_psf: Array, rng: np.random.Generator
) -> None:
    seen = _uneven(colour, lopsided_psf, rng)
    shared, own = (
        regularized_filter(seen, lopsided_psf, boundary="wrap", channel_axis=-1, per_channel=per_channel)
        for per_channel in (False, True)
    )
    assert ((own - colour) ** 2).mean() < 0.8 * ((shared - colour) ** 2).mean()


def test_per_channel_splits_psfs_and_masks_and_says_what_does_not_fit(
    colour: Array, psfs: Array, rng: np.random.Generator
) -> None:
    seen = colour + 0.01 * rng.standard_normal(colour.shape)
    mask = rng.random(colour.shape) < 0.02
    options = {"boundary": "wrap", "noise_to_signal": 0.01}
    whole = wiener(seen, psfs, mask=mask, channel_axis=-1, per_channel=True, **options)
    np.testing.assert_array_equal(whole[..., 1], wiener(seen[..., 1], psfs[..., 1], mask=mask[..., 1], **options))
    with pytest.raises(ValueError, match=r"psf of shape .* must have 3 channels on axis -1"):
        wiener(seen, psfs[..., :2], channel_axis=-1, per_channel=True, **options)
    with pytest.raises(ValueError, match="per_channel needs the channel_axis"):
        wiener(seen[..., 0], psfs[..., 0], per_channel=True, **options)


def test_channels_that_differ_in_noise_are_pointed_to_a_strength_for_each(
    colour: Array, lopsided_psf: Array, rng: np.random.Generator
) -> None:
    seen = _uneven(colour, lopsided_psf, rng)
    options = {"boundary": "wrap", "noise_to_signal": 0.01, "channel_axis": -1}
    assert any("per_channel=True" in text for text in restore(seen, lopsided_psf, **options).warnings)
    assert not any("per_channel" in text for text in restore(seen, lopsided_psf, per_channel=True, **options).warnings)
    alike = convolve(colour, lopsided_psf, boundary="wrap", channel_axis=-1) + 0.01 * rng.standard_normal(colour.shape)
    assert not any("per_channel" in text for text in restore(alike, lopsided_psf, **options).warnings)
