"""What can be recovered: closed forms, and noise put through filters by Monte-Carlo."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from restoretk._arrays import Array
from restoretk.convolution.boundary import extend_periodically
from restoretk.convolution.fourier import apply_transfer_function, psf_to_otf
from restoretk.diagnostics import recoverability, restored_sigma

DRAWS = 500


def wiener_transfer(psf: Array, torus: tuple[int, ...], ratio: float = 0.01) -> Array:
    otf = psf_to_otf(psf, torus)
    return np.conj(otf) / (np.abs(otf) ** 2 + ratio)


def scatter(psf: Array, torus: tuple[int, ...], sigma: float | Array, frame: tuple[int, ...]) -> Array:
    """The standard deviation of each restored pixel over 500 draws of noise."""
    rng = np.random.default_rng(4)
    transfer = wiener_transfer(psf, torus)
    draws = sigma * rng.standard_normal((DRAWS, *frame))
    window = (slice(None), *(slice(size) for size in frame))
    filtered = apply_transfer_function(extend_periodically(draws, torus, "symmetric"), transfer)[window]
    return np.sqrt(np.mean(filtered**2, axis=0))


def test_the_map_agrees_with_500_draws_to_3_per_cent(lopsided_psf: Array) -> None:
    torus = (45, 63)
    predicted = restored_sigma(wiener_transfer(lopsided_psf, torus), torus, torus, 0.02)
    measured = scatter(lopsided_psf, torus, 0.02, torus)
    assert np.ptp(predicted) == 0
    # One pixel scatters by 1 / sqrt(2 * 500) = 3.2 %; the mean over thousands of correlated pixels by far less.
    assert measured.mean() == pytest.approx(predicted.mean(), rel=0.005)
    assert np.quantile(np.abs(measured / predicted - 1), 0.68) == pytest.approx(0.032, rel=0.15)


def test_the_map_follows_photon_noise(lopsided_psf: Array) -> None:
    torus = (45, 63)
    rows, columns = np.mgrid[:45, :63]
    sigma = 0.05 * np.sqrt(0.05 + (rows > 20) + columns / 40)  # a lopsided map that the periodic seam cuts
    predicted = restored_sigma(wiener_transfer(lopsided_psf, torus), torus, torus, sigma)
    variance = scatter(lopsided_psf, torus, sigma, torus) ** 2
    assert predicted.max() > 2 * predicted.min()
    ratio = uniform_filter(variance, 7, mode="wrap") / uniform_filter(predicted**2, 7, mode="wrap")
    assert np.abs(np.sqrt(ratio) - 1).max() < 0.06
    assert np.sqrt(np.mean((np.sqrt(ratio) - 1) ** 2)) < 0.02


def test_the_map_is_exact_inside_a_padded_frame(lopsided_psf: Array) -> None:
    torus, frame = (60, 80), (45, 63)
    sigma = 0.01 * (1 + np.add.outer(np.arange(45), np.arange(63)) / 60)
    predicted = restored_sigma(wiener_transfer(lopsided_psf, torus, 0.05), torus, frame, sigma)
    transfer = wiener_transfer(lopsided_psf, torus, 0.05)
    # Written out: a pixel is a weighted sum of independent pixels, so its variance is the weighted sum of theirs.
    row, column = 22, 31
    impulse = np.zeros(torus)
    impulse[row, column] = 1
    weights = apply_transfer_function(impulse, np.conj(transfer))[:45, :63]
    assert predicted.shape == frame
    assert predicted[row, column] == pytest.approx(np.sqrt(np.sum(weights**2 * sigma**2)), rel=1e-3)


@pytest.mark.parametrize("shape", [(64,), (33,), (12, 9, 14)])
def test_one_and_three_axes_are_the_same_formula(shape: tuple[int, ...]) -> None:
    psf = np.zeros((4,) + (3,) * (len(shape) - 1))
    psf.flat[[0, 2, psf.size - 1]] = 0.2, 0.5, 0.3
    transfer = wiener_transfer(psf, shape, 0.1)
    sigma = np.random.default_rng(0).uniform(0.1, 1, shape)
    impulse = np.zeros(shape)
    impulse.flat[0] = 1
    response = apply_transfer_function(impulse, transfer)
    written_out = np.zeros(shape)
    for position in np.ndindex(shape):  # every input pixel spreads its variance with the squared response
        written_out += sigma[position] ** 2 * np.roll(response**2, position, axis=range(len(shape)))
    np.testing.assert_allclose(restored_sigma(transfer, shape, shape, sigma), np.sqrt(written_out), rtol=1e-10)
    same = restored_sigma(transfer, shape, shape, 0.3)
    assert same.flat[0] == pytest.approx(recoverability(psf, transfer, shape, noise_sigma=0.3).restored_sigma, rel=1e-9)


def test_a_filter_of_ones_returns_the_noise_map(rng: np.random.Generator) -> None:
    sigma = rng.uniform(0, 1, (9, 12))
    before = sigma.copy()
    np.testing.assert_allclose(restored_sigma(np.ones((9, 7)), (9, 12), (9, 12), sigma), sigma, atol=1e-8)
    np.testing.assert_array_equal(sigma, before)


def test_a_gaussian_has_its_mtf_in_closed_form() -> None:
    offset = np.arange(-12, 13)
    bell = np.exp(-0.5 * (offset / 1.6) ** 2)
    psf = np.outer(bell, bell) / bell.sum() ** 2
    found = recoverability(psf, np.ones((128, 65)), (128, 128))
    expected = np.exp(-2 * (np.pi * 1.6 * found.frequencies) ** 2)
    np.testing.assert_allclose(found.mtf_before, expected, atol=0.01)
    np.testing.assert_array_equal(found.mtf_before, found.mtf_after)
    assert found.half_contrast[0] == pytest.approx(np.sqrt(np.log(2) / 2) / (np.pi * 1.6), rel=0.02)
    assert found.tenth_contrast[0] == pytest.approx(np.sqrt(np.log(10) / 2) / (np.pi * 1.6), rel=0.02)


def test_the_filter_moves_the_resolution_up_and_pays_in_noise() -> None:
    psf = np.outer([1, 3, 5, 3, 1], [1, 2, 3, 2, 1, 0]) / 117
    torus = (60, 80)
    weak, strong = (recoverability(psf, wiener_transfer(psf, torus, k), torus, noise_sigma=0.1) for k in (1e-4, 1e-1))
    assert weak.tenth_contrast[1] > strong.tenth_contrast[1] > strong.tenth_contrast[0]
    assert weak.noise_gain > strong.noise_gain
    assert weak.restored_sigma == pytest.approx(0.1 * weak.noise_gain)


def test_nothing_falls_below_a_contrast_that_is_everywhere() -> None:
    found = recoverability(np.ones((1, 1)), np.ones((8, 6)), (8, 10))
    assert found.half_contrast == found.tenth_contrast == (np.inf, np.inf)
    assert found.noise_gain == 1
    assert found.restored_sigma is found.below_noise is found.signal_to_noise is None


def test_frequencies_below_the_noise_are_counted_over_the_whole_spectrum() -> None:
    shape = (8, 10)
    power = np.zeros((8, 6))
    power[0, 0], power[3, 2], power[2, 5] = 1, 0.3, 0.3  # the last two: one bin that counts twice, one that counts once
    found = recoverability(np.ones((1, 1)), np.ones((8, 6)), shape, noise_sigma=0.5, signal_power=power)
    assert found.below_noise == pytest.approx(1 - 4 / 80)
    assert found.signal_to_noise is not None
    assert found.signal_to_noise[0] == 4
    assert recoverability(np.ones((1, 1)), np.ones((8, 6)), shape, signal_power=power).below_noise is None


def test_a_stack_of_few_planes_has_no_empty_annulus() -> None:
    found = recoverability(np.ones((1, 1, 1)), np.ones((3, 20, 13)), (3, 20, 24))
    np.testing.assert_allclose(found.mtf_before, 1)


def test_bad_arguments_are_named() -> None:
    ones, psf = np.ones((8, 6)), np.ones((1, 1))
    with pytest.raises(ValueError, match=r"transfer must have the shape \(8, 6\) of the half spectrum"):
        recoverability(psf, np.ones((8, 10)), (8, 10))
    with pytest.raises(ValueError, match="signal_power must be >= 0, got a minimum of -1"):
        recoverability(psf, ones, (8, 10), signal_power=-ones)
    with pytest.raises(ValueError, match="noise_sigma must be a number >= 0, got -1"):
        recoverability(psf, ones, (8, 10), noise_sigma=-1)
    with pytest.raises(ValueError, match="psf must sum to 1"):
        recoverability(2 * psf, ones, (8, 10))
    with pytest.raises(ValueError, match="transfer must be finite"):
        restored_sigma(ones * np.nan, (8, 10), (8, 10), 1.0)
    with pytest.raises(ValueError, match=r"torus \(8, 10\) must be at least as large as the frame \(9, 10\)"):
        restored_sigma(ones, (8, 10), (9, 10), 1.0)
    with pytest.raises(ValueError, match=r"noise_sigma must be a number or have the shape \(8, 10\)"):
        restored_sigma(ones, (8, 10), (8, 10), np.ones((8, 9)))
    with pytest.raises(ValueError, match="noise_sigma must be >= 0, got -1"):
        restored_sigma(ones, (8, 10), (8, 10), -1.0)
