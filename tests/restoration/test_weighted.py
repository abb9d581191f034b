from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.noise import poisson_noise
from restoretk.noise_estimation import estimate_poisson_gaussian
from restoretk.psf import disk_psf, gaussian_psf
from restoretk.restoration import regularized_filter, restore, wiener


def test_the_weighted_normal_equations_are_solved(lopsided_psf: Array, rng: np.random.Generator) -> None:
    """Dense: minimise sum w (g - H f)^2 + lambda |P f|^2, with w = mean variance / variance."""
    shape = (6, 9)
    image, weights = rng.standard_normal(shape), rng.uniform(0.2, 3, shape)
    units = np.eye(54).reshape(54, *shape)
    laplacian = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    H = np.stack([convolve(unit, lopsided_psf, boundary="wrap").ravel() for unit in units], axis=1)
    P = np.stack([convolve(unit, laplacian, boundary="wrap").ravel() for unit in units], axis=1)
    W = np.diag((weights * np.mean(1 / weights)).ravel())
    expected = np.linalg.solve(H.T @ W @ H + 0.05 * P.T @ P, H.T @ W @ image.ravel()).reshape(shape)
    ours = regularized_filter(image, lopsided_psf, regularization=0.05, boundary="wrap", weights=weights)
    np.testing.assert_allclose(ours, expected, atol=2e-3 * np.ptp(expected))
    scaled = regularized_filter(image, lopsided_psf, regularization=0.05, boundary="wrap", weights=7000 * weights)
    np.testing.assert_allclose(scaled, ours, atol=1e-9)


@pytest.mark.parametrize("boundary", ["wrap", "symmetric", "unknown"])
def test_equal_weights_are_the_closed_form(boundary: str, camera: Array, lopsided_psf: Array) -> None:
    image = camera[100:191, 80:203]
    for options in ({"noise_to_signal": 0.02}, {}):
        plain = wiener(image, lopsided_psf, boundary=boundary, **options)
        weighted = wiener(image, lopsided_psf, boundary=boundary, weights=np.full(image.shape, 3.0), **options)
        inner = np.s_[8:-8, 8:-8]  # at the edge the weighted problem is the exact one, the ring the approximate
        np.testing.assert_allclose(weighted[inner], plain[inner], atol=5e-3)


def test_a_weight_of_zero_is_a_missing_pixel(camera: Array, lopsided_psf: Array, rng: np.random.Generator) -> None:
    image = camera[100:191, 80:203]
    weights = (rng.random(image.shape) > 0.05).astype(float)
    results = [
        wiener(np.where(weights == 0, value, image), lopsided_psf, noise_to_signal=0.02, weights=weights)
        for value in (image, 0.5)
    ]
    np.testing.assert_allclose(results[1], results[0], atol=0.02)


def test_weights_help_where_the_noise_is_uneven(camera: Array, rng: np.random.Generator) -> None:
    psf = gaussian_psf(1.5)
    scene = camera[100:291, 80:321]
    sigma = np.where(np.arange(241) < 120, 0.002, 0.05) * np.ones((191, 1))
    seen = convolve(camera, psf)[100:291, 80:321] + sigma * rng.standard_normal(scene.shape)
    quiet = np.s_[:, 10:110]
    for method in ("wiener", "regularized_filter"):
        plain = restore(seen, psf, method).image
        weighted = restore(seen, psf, method, weights=1 / sigma**2).image
        assert ((weighted - scene)[quiet] ** 2).mean() < 0.8 * ((plain - scene)[quiet] ** 2).mean()
        assert ((weighted - scene) ** 2).mean() < ((plain - scene) ** 2).mean()


def test_poisson_weights_help_on_a_picture_with_few_photons(camera: Array) -> None:
    psf = disk_psf(3)
    blurred = np.clip(convolve(camera**2, psf), 0, 1)  # squared: a wide range of brightness
    scene = (camera**2)[50:251, 60:301]
    for photons in (300, 2000):
        seen = poisson_noise(blurred, photons, rng=0)[50:251, 60:301]
        plain, weighted = restore(seen, psf).image, restore(seen, psf, weights="poisson").image
        assert ((weighted - scene) ** 2).mean() < 0.97 * ((plain - scene) ** 2).mean()


def test_the_record_names_the_gain_and_floor_behind_the_weights(camera: Array) -> None:
    psf = gaussian_psf(1.5)
    seen = poisson_noise(np.clip(convolve(camera, psf), 0, 1), 500, rng=0)[50:251, 60:301]
    result = restore(seen, psf, weights="poisson")
    noise = estimate_poisson_gaussian(seen)
    assert (result.parameters["weights"], result.parameters["gain"]) == ("poisson", noise.gain)
    assert result.parameters["floor"] == noise.floor
    assert result.diagnostics["weighted_fft_pairs"] > 3
    assert not result.warnings
    given = restore(seen, psf, weights=np.where(camera[50:251, 60:301] > 0.5, 1.0, 4.0))
    assert given.parameters["weights"] == "given"
    assert "gain" not in given.parameters
    assert "weights" not in restore(seen, psf).parameters


def test_weights_that_change_nothing_say_so(camera: Array, rng: np.random.Generator) -> None:
    psf = gaussian_psf(1.5)
    seen = convolve(camera, psf)[50:251, 60:301] + 0.02 * rng.standard_normal((201, 241))
    white = restore(seen, psf, weights="poisson")
    assert any("found noise that hardly grows with brightness" in text for text in white.warnings)
    equal = restore(seen, psf, noise_to_signal=0.01, boundary="wrap", weights=np.full(seen.shape, 3.0))
    np.testing.assert_array_equal(equal.image, restore(seen, psf, noise_to_signal=0.01, boundary="wrap").image)
    assert any("the weights changed nothing" in text for text in equal.warnings)


def test_a_solution_that_was_given_up_says_so(camera: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    image = camera[50:151, 60:181]
    weights = np.where(image > 0.5, 1.0, 0.01)
    options = {"noise_to_signal": 1e-4, "boundary": "wrap", "weights": weights}
    said = restore(image, gaussian_psf(2.5), "wiener", **options).warnings
    assert not any("given up" in text for text in said)
    monkeypatch.setattr("restoretk.restoration.weighted._ITERATIONS", 1)
    said = restore(image, gaussian_psf(2.5), "wiener", **options).warnings
    assert any("the weighted problem was given up after 1 steps at a residual of" in text for text in said)


def test_what_the_weights_hold_under_masked_pixels_does_not_matter(camera: Array, lopsided_psf: Array) -> None:
    image = camera[100:191, 80:203].copy()
    hole = np.zeros(image.shape, bool)
    hole[20:24, 30:37] = True
    weights = np.where(image > 0.5, 1.0, 2.0)
    expected = wiener(image, lopsided_psf, noise_to_signal=0.02, mask=hole, weights=weights)
    for value in (np.nan, np.inf, -1.0):
        spoiled = np.where(hole, value, weights)
        result = wiener(image, lopsided_psf, noise_to_signal=0.02, mask=hole, weights=spoiled)
        np.testing.assert_array_equal(result, expected)
    image[hole] = np.nan
    result = wiener(image, lopsided_psf, noise_to_signal=0.02, mask="nan", weights=np.where(hole, np.nan, weights))
    np.testing.assert_array_equal(result, expected)
    colour, masks = np.stack([image, image], -1), np.stack([hole, np.zeros_like(hole)], -1)
    with pytest.raises(ValueError, match="weights must be finite, got 28 NaN"):  # one channel was seen there
        wiener(
            np.nan_to_num(colour),
            lopsided_psf,
            channel_axis=-1,
            mask=masks,
            weights=np.where(hole, np.nan, weights),
        )


def test_shot_noise_is_named_where_the_rules_disagree(rng: np.random.Generator) -> None:
    psf = gaussian_psf((1.2, 1.4, 1.4))
    scene = np.full((16, 48, 50), 0.05)
    scene[tuple(rng.integers(3, size - 3, 160) for size in scene.shape)] = rng.uniform(20, 60, 160)
    blurred = np.maximum(convolve(scene, psf, boundary="symmetric"), 0)
    shot = rng.poisson(200 * blurred) / 200
    for method in ("wiener", "regularized_filter"):
        said = restore(shot, psf, method).warnings
        assert any("the rules for the regularization disagree" in text for text in said)
        assert any("the noise grows with brightness" in text and "weights='poisson'" in text for text in said)
        weighted = restore(shot, psf, method, weights="poisson").warnings
        assert not any("the noise grows with brightness" in text for text in weighted)


def test_bad_weights_are_named(camera: Array, lopsided_psf: Array) -> None:
    image = camera[100:191, 80:203]
    cases = [
        ("shot", "weights must be an array of numbers >= 0 or 'poisson', got 'shot'"),
        (np.ones((3, 3)), r"weights must have the shape \(91, 123\)"),
        (-np.ones(image.shape), "weights must be >= 0 and not all zero, got a minimum of -1"),
        (np.zeros(image.shape), "weights must be >= 0 and not all zero"),
        (np.full(image.shape, np.nan), "weights must be finite"),
    ]
    for weights, match in cases:
        with pytest.raises(ValueError, match=match):
            wiener(image, lopsided_psf, weights=weights)
