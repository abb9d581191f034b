"""Metrics: against their definitions and scikit-image, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.metrics

from restoretk.metrics import isnr, mse, psnr, ssim


@pytest.fixture
def noisy(scene, rng):
    return scene + 0.05 * rng.standard_normal(scene.shape)


def test_mse_and_psnr_are_their_definitions(scene, noisy):
    error = ((scene - noisy) ** 2).mean()
    assert mse(scene, noisy) == pytest.approx(error, rel=1e-14)
    assert psnr(scene, noisy) == pytest.approx(-10 * np.log10(error), rel=1e-14)
    assert psnr(scene, noisy, data_range=0.5) == pytest.approx(10 * np.log10(0.25 / error), rel=1e-14)


def test_psnr_is_that_of_scikit_image(scene, noisy):
    expected = skimage.metrics.peak_signal_noise_ratio(scene, noisy, data_range=1)
    assert psnr(scene, noisy) == pytest.approx(expected, rel=1e-14)


def test_psnr_of_equal_images_is_infinite(scene):
    assert psnr(scene, scene) == float("inf")
    assert mse(scene, scene) == 0


def test_ssim_is_that_of_scikit_image_with_the_window_of_its_authors(scene, noisy):
    expected = skimage.metrics.structural_similarity(
        scene, noisy, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(scene, noisy) == pytest.approx(expected, rel=1e-14)
    assert ssim(scene, scene) == pytest.approx(1, abs=1e-14)


def test_ssim_in_one_window_is_its_definition(rng):
    first, second = rng.random((2, 11, 11))
    weights = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    weights = np.outer(weights, weights) / weights.sum() ** 2
    means = (weights * first).sum(), (weights * second).sum()
    variances = (weights * (first - means[0]) ** 2).sum() + (weights * (second - means[1]) ** 2).sum()
    covariance = (weights * (first - means[0]) * (second - means[1])).sum()
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * means[0] * means[1] + c1) * (2 * covariance + c2)
    expected /= (means[0] ** 2 + means[1] ** 2 + c1) * (variances + c2)
    assert ssim(first, second) == pytest.approx(expected, rel=1e-12)


def test_isnr_is_the_gain_in_psnr(scene, noisy):
    nearer = (scene + noisy) / 2
    assert isnr(scene, noisy, nearer) == pytest.approx(20 * np.log10(2), rel=1e-12)
    assert isnr(scene, noisy, nearer) == pytest.approx(psnr(scene, nearer) - psnr(scene, noisy), rel=1e-12)
    assert isnr(scene, nearer, noisy) == pytest.approx(-20 * np.log10(2), rel=1e-12)


def test_isnr_at_perfection_is_no_nan(scene, noisy):
    assert isnr(scene, noisy, scene) == float("inf")
    assert isnr(scene, scene, noisy) == float("-inf")
    assert isnr(scene, scene, scene) == 0


@pytest.mark.parametrize("metric", [mse, psnr, ssim])
def test_a_border_is_cut_off_every_side(metric, scene, noisy):
    assert metric(scene, noisy, border=7) == metric(scene[7:-7, 7:-7], noisy[7:-7, 7:-7])
    spoilt = noisy.copy()
    spoilt[0], spoilt[-1], spoilt[:, 0], spoilt[:, -1] = 9, 9, 9, 9
    assert metric(scene, spoilt, border=1) == metric(scene, noisy, border=1)
    assert metric(scene, spoilt) != metric(scene, noisy)


@pytest.mark.parametrize("channel_axis", [-1, 0, 1])
@pytest.mark.parametrize("metric", [mse, psnr, ssim])
def test_a_border_is_not_cut_off_the_channels(metric, channel_axis, scene, noisy):
    first, second = np.stack([scene, noisy, 1 - scene]), np.stack([noisy, scene, scene])
    expected = metric(first[:, 3:-3, 3:-3], second[:, 3:-3, 3:-3], channel_axis=0)
    first, second = np.moveaxis(first, 0, channel_axis), np.moveaxis(second, 0, channel_axis)
    assert metric(first, second, border=3, channel_axis=channel_axis) == pytest.approx(expected, rel=1e-12)


def test_ssim_of_colour_is_the_mean_over_channels(scene, noisy):
    first, second = np.stack([scene, noisy], axis=-1), np.stack([noisy, 1 - scene], axis=-1)
    expected = (ssim(scene, noisy) + ssim(noisy, 1 - scene)) / 2
    assert ssim(first, second, channel_axis=-1) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_measured_as_fractions_of_their_full_range(dtype, scene, noisy):
    top = np.iinfo(dtype).max
    first, second = (np.rint(np.clip(image, 0, 1) * top).astype(dtype) for image in (scene, noisy))
    expected = skimage.metrics.peak_signal_noise_ratio(first, second, data_range=top)
    assert psnr(first, second) == pytest.approx(expected, rel=1e-6)
    assert psnr(first / top, second) == pytest.approx(expected, rel=1e-6)  # a float beside an integer


@pytest.mark.parametrize("shape", [(64,), (13, 14, 15)])
def test_signals_and_volumes_are_measured_too(shape, rng):
    first, second = rng.random((2, *shape))
    assert mse(first, second) == pytest.approx(((first - second) ** 2).mean(), rel=1e-14)
    assert -1 <= ssim(first, second) < 0.5


def test_float32_is_measured_in_double_precision():
    first = np.full((200, 200), 0.1, np.float32)
    assert mse(first, first + np.float32(1e-3)) == pytest.approx(1e-6, rel=1e-4)


@pytest.mark.parametrize("metric", [mse, psnr, ssim])
@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda image: image[1:], {}, r"must have the same shape, got \(45, 63\) and \(44, 63\)"),
        (lambda image: image * np.nan, {}, "image must be finite"),
        (lambda image: image, {"border": 23}, r"border must leave some of the image of shape \(45, 63\), got 23"),
        (lambda image: image, {"border": -1}, "border must be an integer >= 0, got -1"),
        (lambda image: image, {"border": 1.5}, "border must be an integer >= 0, got 1.5"),
        (lambda image: image, {"channel_axis": 2}, "channel_axis must be an axis"),
    ],
)
def test_what_cannot_be_compared_is_refused(metric, change, options, message, scene):
    with pytest.raises(ValueError, match=message):
        metric(scene, change(scene), **options)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_a_data_range_that_cannot_be_is_refused(metric, scene):
    for data_range in (0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="data_range must be finite and > 0"):
            metric(scene, scene, data_range=data_range)
    integers = (scene * 255).astype(np.uint8)
    with pytest.raises(ValueError, match=r"data_range is a fraction of the full range for integer images, .* got 255"):
        metric(integers, integers, data_range=255)


def test_ssim_needs_room_for_its_window(scene):
    with pytest.raises(ValueError, match=r"ssim needs at least 11 pixels on each spatial axis, got shape \(10, 63\)"):
        ssim(scene[:10], scene[:10])
    with pytest.raises(ValueError, match=r"got shape \(9, 27\) inside the border"):
        ssim(scene, scene, border=18)
