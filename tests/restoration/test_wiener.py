from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.restoration import restore, wiener
from restoretk.restoration.wiener import decide


def _origin_first(psf: Array, shape: tuple[int, ...]) -> Array:
    grid = np.zeros(shape)
    grid[tuple(slice(side) for side in psf.shape)] = psf
    return np.roll(grid, [-(side // 2) for side in psf.shape], range(psf.ndim))


def test_scalar_ratio_is_the_written_out_formula(scene: Array, lopsided_psf: Array) -> None:
    H, G = np.fft.fft2(_origin_first(lopsided_psf, scene.shape)), np.fft.fft2(scene)
    expected = np.fft.ifft2(np.conj(H) * G / (np.abs(H) ** 2 + 0.03)).real
    np.testing.assert_allclose(wiener(scene, lopsided_psf, noise_to_signal=0.03, boundary="wrap"), expected, atol=1e-10)


def test_a_spectrum_may_be_whole_or_half(scene: Array, lopsided_psf: Array, rng: np.random.Generator) -> None:
    ratio = np.abs(np.fft.fft2(rng.standard_normal(scene.shape))) ** 2
    H, G = np.fft.fft2(_origin_first(lopsided_psf, scene.shape)), np.fft.fft2(scene)
    expected = np.fft.ifft2(np.conj(H) * G / (np.abs(H) ** 2 + ratio)).real
    for given in (ratio, ratio[:, : scene.shape[1] // 2 + 1]):
        restored = wiener(scene, lopsided_psf, noise_to_signal=given, boundary="wrap")
        np.testing.assert_allclose(restored, expected, atol=1e-10)


def test_autocorrelations_give_the_filter_of_their_spectra(
    scene: Array, lopsided_psf: Array, rng: np.random.Generator
) -> None:
    noise_power = 1e-3 * np.ones(scene.shape)
    signal_power = np.abs(np.fft.fft2(rng.standard_normal(scene.shape))) ** 2
    H, G = np.fft.fft2(_origin_first(lopsided_psf, scene.shape)), np.fft.fft2(scene)
    expected = np.fft.ifft2(np.conj(H) * signal_power * G / (np.abs(H) ** 2 * signal_power + noise_power)).real
    restored = wiener(
        scene,
        lopsided_psf,
        noise_autocorrelation=np.fft.fftshift(np.fft.ifft2(noise_power).real),
        signal_autocorrelation=np.fft.fftshift(np.fft.ifft2(signal_power).real),
        boundary="wrap",
    )
    np.testing.assert_allclose(restored, expected, atol=1e-9)


def test_a_flat_spectrum_is_the_scalar_under_every_boundary(scene: Array, lopsided_psf: Array) -> None:
    for boundary in ("wrap", "symmetric", "unknown"):
        flat = wiener(scene, lopsided_psf, noise_to_signal=np.full(scene.shape, 0.02), boundary=boundary)
        np.testing.assert_allclose(
            flat, wiener(scene, lopsided_psf, noise_to_signal=0.02, boundary=boundary), atol=1e-12
        )


def test_a_spectrum_is_resampled_by_frequency_not_by_index(camera: Array, lopsided_psf: Array) -> None:
    image = camera[:91, :123]
    rows, columns = np.fft.fftfreq(91)[:, None], np.fft.fftfreq(123)
    ratio = 0.5 * (rows**2 + 2 * columns**2)
    restored = wiener(image, lopsided_psf, noise_to_signal=ratio, boundary="symmetric")
    wrapped = wiener(image, lopsided_psf, noise_to_signal=ratio, boundary="wrap")
    np.testing.assert_allclose(restored[20:-20, 20:-20], wrapped[20:-20, 20:-20], atol=2e-3)


def test_a_resampled_spectrum_has_the_values_of_the_given_one_at_the_new_frequencies(
    camera: Array, rng: np.random.Generator
) -> None:
    """A spectrum that is linear in either frequency is resampled exactly."""
    psf = rng.random((12, 17))
    psf /= psf.sum()

    def ratio(rows: Array, columns: Array) -> Array:
        return 0.2 + np.abs(rows)[:, None] + 3 * np.abs(columns)

    given = ratio(np.fft.fftfreq(91), np.fft.fftfreq(123))
    decided = decide(camera[:91, :123], psf, noise_to_signal=given, boundary="symmetric")
    rows, columns = (np.fft.fftfreq(size) for size in decided.problem.torus)
    columns = np.abs(columns[: len(columns) // 2 + 1])
    otf = decided.problem.optics.otf[0]
    expected = np.conj(otf) / (np.abs(otf) ** 2 + ratio(rows, columns))
    inside = np.ix_(np.abs(rows) < 45 / 91, columns < 61 / 123)  # beyond lies half a sample of either spectrum
    assert otf.shape[0] > 100
    np.testing.assert_allclose(decided.transfer[0][inside], expected[inside], atol=1e-12)


def test_without_noise_a_zero_ratio_is_the_inverse(scene: Array, lopsided_psf: Array) -> None:
    H = np.fft.fft2(_origin_first(lopsided_psf, scene.shape))
    assert np.abs(H).min() > 1e-3  # this PSF has an inverse
    blurred = convolve(scene, lopsided_psf, boundary="wrap")
    np.testing.assert_allclose(wiener(blurred, lopsided_psf, noise_to_signal=0, boundary="wrap"), scene, atol=1e-9)


def test_auto_is_within_a_tenth_of_a_decibel_of_the_best_constant_or_better(
    camera: Array, lopsided_psf: Array, rng: np.random.Generator
) -> None:
    scene = camera[100:291, 80:321]
    for sigma in (0.002, 0.01, 0.04):
        seen = convolve(scene, lopsided_psf, boundary="wrap") + sigma * rng.standard_normal(scene.shape)
        record = restore(seen, lopsided_psf, "wiener", boundary="wrap")
        errors = [
            ((wiener(seen, lopsided_psf, noise_to_signal=ratio, boundary="wrap") - scene) ** 2).mean()
            for ratio in np.geomspace(1e-6, 1, 25)
        ]
        assert ((record.image - scene) ** 2).mean() < min(errors) * 10**0.01
        assert record.noise_sigma == pytest.approx(sigma, rel=0.15)


def test_bad_ratios_are_named(scene: Array, lopsided_psf: Array) -> None:
    with pytest.raises(ValueError, match="noise_to_signal must be >= 0 everywhere, got -1"):
        wiener(scene, lopsided_psf, noise_to_signal=-1)
    with pytest.raises(ValueError, match="noise_to_signal must be a number >= 0, a spectrum or 'auto', got 'best'"):
        wiener(scene, lopsided_psf, noise_to_signal="best")
    with pytest.raises(ValueError, match=r"noise_to_signal must be a number or have the shape \(45, 63\)"):
        wiener(scene, lopsided_psf, noise_to_signal=np.ones((3, 3)))
    with pytest.raises(ValueError, match="must be given together"):
        wiener(scene, lopsided_psf, noise_autocorrelation=np.ones((1, 1)))
    with pytest.raises(ValueError, match="noise_to_signal must be finite"):
        wiener(scene, lopsided_psf, noise_to_signal=np.nan)
    with pytest.raises(ValueError, match="signal_autocorrelation must not be zero everywhere"):
        wiener(scene, lopsided_psf, noise_autocorrelation=np.ones((1, 1)), signal_autocorrelation=np.zeros((1, 1)))
