"""The fitted spectrum of the scene: known fields are recovered, through the PSF, from frames and from tori."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.convolution.fourier import forward_transform, inverse_transform, psf_to_otf
from restoretk.convolution.periodogram import periodogram
from restoretk.restoration._frame_windows import windows_of
from restoretk.restoration._periodogram import draw_bins
from restoretk.restoration._whittle import Whittle
from restoretk.restoration.signal_spectrum import (
    SignalSpectrum,
    fit_frames,
    fit_periodogram,
    fit_signal_spectrum,
)

TRUTH = SignalSpectrum(amplitude=2e-5, exponent=2.6, corner=0.02, anisotropy=(0.0, 0.0, 0.0, 0.0), noise_sigma=0.02)


def gaussian_field(spectrum: SignalSpectrum, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A periodic Gaussian random field of the given power spectrum."""
    white = forward_transform(rng.standard_normal(shape), len(shape))
    return inverse_transform(white * np.sqrt(spectrum.power(shape)), shape)


def gaussian_psf(sigma: float, side: int, ndim: int = 2) -> Array:
    profile = np.exp(-0.5 * ((np.arange(side) - side // 2) / sigma) ** 2)
    psf = profile
    for _ in range(ndim - 1):
        psf = np.multiply.outer(psf, profile)
    return psf / psf.sum()


def observed(psf: Array, shape: tuple[int, ...], rng: np.random.Generator, truth: SignalSpectrum = TRUTH) -> Array:
    blurred = convolve(gaussian_field(truth, shape, rng), psf, boundary="wrap")
    return blurred + rng.normal(0, truth.noise_sigma, shape)


def test_a_periodic_field_gives_its_parameters_back(rng: np.random.Generator, lopsided_psf: Array) -> None:
    fit = fit_signal_spectrum(observed(lopsided_psf, (301, 256), rng), lopsided_psf, periodic=True, anisotropic=False)
    assert fit.exponent == pytest.approx(2.6, abs=0.1)
    assert fit.corner == pytest.approx(0.02, rel=0.25)
    assert fit.noise_sigma == pytest.approx(0.02, rel=0.02)
    ratio = np.log(fit.power((64, 65)) / TRUTH.power((64, 65)))  # high frequencies are buried in the noise
    assert np.sqrt(np.mean(ratio**2)) < 0.3
    assert abs(fit.misfit) < 0.02


def test_a_frame_cut_from_a_larger_field_gives_its_parameters_back(rng: np.random.Generator) -> None:
    psf = gaussian_psf(1.5, 11)
    field = replace(TRUTH, corner=0.004)  # a scene with structure far larger than the frame
    frame = observed(psf, (720, 700), rng, field)[101:402, 57:330]
    fit = fit_signal_spectrum(frame, psf, anisotropic=False)
    assert fit.noise_sigma == pytest.approx(0.02, rel=0.04)
    mid = [np.array(0.05), np.array(0.05)]
    assert fit.power_at(mid) == pytest.approx(field.power_at(mid), rel=0.2)
    naive = fit_signal_spectrum(frame, psf, periodic=True, noise_sigma=None, anisotropic=False)
    assert abs(np.log(fit.noise_sigma / 0.02)) <= abs(np.log(naive.noise_sigma / 0.02)) + 0.01


def test_the_direction_of_a_field_is_found(rng: np.random.Generator) -> None:
    psf = gaussian_psf(1.0, 7)
    turned = replace(TRUTH, anisotropy=(0.7, -0.4, 0.3, -0.2))
    fit = fit_signal_spectrum(observed(psf, (256, 271), rng, turned), psf, periodic=True, anisotropic=True)
    assert fit.anisotropy == pytest.approx((0.7, -0.4, 0.3, -0.2), abs=0.08)


def test_a_known_noise_level_is_kept(rng: np.random.Generator, lopsided_psf: Array) -> None:
    fit = fit_signal_spectrum(observed(lopsided_psf, (96, 81), rng), lopsided_psf, noise_sigma=0.013)
    assert fit.noise_sigma == 0.013


@pytest.mark.parametrize(("shape", "side"), [((4096,), 9), ((40, 48, 37), 5)])
def test_signals_and_volumes_take_the_same_path(shape: tuple[int, ...], side: int, rng: np.random.Generator) -> None:
    psf = gaussian_psf(1.2, side, len(shape))
    fit = fit_signal_spectrum(observed(psf, shape, rng), psf, periodic=True)
    assert fit.noise_sigma == pytest.approx(0.02, rel=0.05)
    assert fit.anisotropy == (0.0, 0.0, 0.0, 0.0)
    assert fit.power(shape).shape == (*shape[:-1], shape[-1] // 2 + 1)


def test_scaling_the_picture_scales_amplitude_and_noise(camera: Array, lopsided_psf: Array) -> None:
    frame = convolve(camera[:201, 100:333], lopsided_psf) + np.random.default_rng(3).normal(0, 0.01, (201, 233))
    fit, scaled = (fit_signal_spectrum(factor * frame, lopsided_psf) for factor in (1.0, 1000.0))
    assert scaled.noise_sigma == pytest.approx(1000 * fit.noise_sigma, rel=1e-3)
    assert scaled.power((16, 17)) == pytest.approx(1e6 * fit.power((16, 17)), rel=1e-2)


def test_an_added_constant_changes_nothing(camera: Array, lopsided_psf: Array) -> None:
    frame = convolve(camera[:201, 100:333], lopsided_psf) + np.random.default_rng(3).normal(0, 0.01, (201, 233))
    fit, lifted = fit_signal_spectrum(frame, lopsided_psf), fit_signal_spectrum(frame + 5, lopsided_psf)
    assert lifted.noise_sigma == pytest.approx(fit.noise_sigma, rel=1e-4)
    assert lifted.exponent == pytest.approx(fit.exponent, rel=1e-3)


@pytest.mark.parametrize("periodic", [True, False])
def test_a_sharp_picture_does_not_pass_its_texture_for_noise(periodic: bool, camera: Array) -> None:
    noisy = camera + np.random.default_rng(5).normal(0, 2 / 255, camera.shape)
    fit = fit_signal_spectrum(noisy, np.ones((1, 1)), periodic=periodic)
    assert fit.noise_sigma < 1.3 * 2 / 255


def test_a_torus_may_be_cut_open_anywhere(scene: Array, lopsided_psf: Array) -> None:
    fit = fit_signal_spectrum(scene, lopsided_psf, periodic=True)
    shifted = fit_signal_spectrum(np.roll(scene, (7, -4), (0, 1)), lopsided_psf, periodic=True)
    assert shifted.noise_sigma == pytest.approx(fit.noise_sigma, rel=1e-6)
    assert shifted.power(scene.shape) == pytest.approx(fit.power(scene.shape), rel=1e-4)


def test_the_gradient_is_that_of_the_likelihood(rng: np.random.Generator) -> None:
    frequencies = [rng.uniform(-0.5, 0.5, 50), rng.uniform(0, 0.5, 50)]
    weights = np.full(50, 0.02)
    likelihood = Whittle(rng.exponential(1, 50), rng.random(50), weights, frequencies, True)
    point = np.array([-3.0, 2.2, -3.0, -2.0, 0.3, -0.2, 0.1, 0.4])
    _, gradient = likelihood(point)
    for index in range(8):
        nudge = 1e-6 * np.eye(8)[index]
        slope = (likelihood(point + nudge)[0] - likelihood(point - nudge)[0]) / 2e-6
        assert gradient[index] == pytest.approx(slope, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("shape", [(7,), (1000,), (9, 8), (300, 411), (1024, 1024), (3, 200, 65)])
def test_the_drawn_bins_stand_for_the_whole_spectrum(shape: tuple[int, ...]) -> None:
    indices, weights = draw_bins(shape, 0)
    half = (*shape[:-1], shape[-1] // 2 + 1)
    assert all((k >= 0).all() and (k < n).all() for k, n in zip(indices, half, strict=True))
    signed = [side - 1 + side % 2 for side in shape]  # without the frequency 1/2 of even sides, which has no sign
    assert weights.sum() == pytest.approx(np.prod(signed) - 1, rel=0.05)
    assert weights.size < 60_000


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_a_constant_picture_gives_a_finite_spectrum(value: float) -> None:
    fit = fit_signal_spectrum(np.full((31, 40), value), gaussian_psf(1.0, 5))
    assert np.isfinite(fit.power((31, 40))).all()
    assert fit.power((31, 40)).min() > 0
    assert 0 < fit.noise_sigma < 1e-3


@pytest.mark.parametrize("shape", [(3, 3), (5, 4), (8, 9)])
def test_a_tiny_picture_gives_a_finite_spectrum(shape: tuple[int, int], rng: np.random.Generator) -> None:
    fit = fit_signal_spectrum(rng.random(shape), np.ones((1, 1)))
    assert np.isfinite([fit.amplitude, fit.exponent, fit.corner, fit.noise_sigma]).all()
    assert np.isfinite(fit.power(shape)).all()


def test_a_picture_without_noise_gives_next_to_no_noise() -> None:
    psf = gaussian_psf(1.5, 9)
    smooth = np.add.outer(np.sin(np.arange(128) / 9), np.cos(np.arange(101) / 7))
    fit = fit_signal_spectrum(convolve(smooth, psf, boundary="wrap"), psf, periodic=True)
    assert 0 < fit.noise_sigma < 1e-3
    assert np.isfinite(fit.power((9, 9))).all()


def test_line_art_gives_a_usable_spectrum(rng: np.random.Generator) -> None:
    psf = gaussian_psf(1.5, 9)
    page = np.ones((160, 200))
    page[20:140:12, 10:190] = 0
    page[:, 30:180:9] = 0
    fit = fit_signal_spectrum(convolve(page, psf) + rng.normal(0, 0.01, page.shape), psf)
    assert fit.noise_sigma == pytest.approx(0.01, rel=0.15)


def test_float32_gives_nearly_the_same(camera: Array, lopsided_psf: Array) -> None:
    frame = convolve(camera[:128, :160], lopsided_psf) + np.random.default_rng(3).normal(0, 0.01, (128, 160))
    fit, single = (fit_signal_spectrum(frame.astype(dtype), lopsided_psf) for dtype in (np.float64, np.float32))
    assert single.noise_sigma == pytest.approx(fit.noise_sigma, rel=1e-3)


def test_planes_of_one_scene_share_a_spectrum(rng: np.random.Generator, lopsided_psf: Array) -> None:
    planes = np.stack([observed(lopsided_psf, (128, 96), rng) for _ in range(3)])
    fit = fit_signal_spectrum(planes, lopsided_psf, periodic=True)
    assert fit.noise_sigma == pytest.approx(0.02, rel=0.03)


def test_a_periodogram_that_is_there_need_not_be_computed_again(rng: np.random.Generator, lopsided_psf: Array) -> None:
    image = observed(lopsided_psf, (97, 128), rng)
    otf_power = np.abs(psf_to_otf(lopsided_psf, image.shape)) ** 2
    fit = fit_periodogram(periodogram(image, 2, periodic=True), otf_power, image.shape, noise_sigma=0.02)
    assert fit == fit_signal_spectrum(image, lopsided_psf, noise_sigma=0.02, periodic=True)


def test_wrong_arguments_are_named(lopsided_psf: Array) -> None:
    with pytest.raises(ValueError, match=r"fewer than the 2 axes"):
        fit_signal_spectrum(np.zeros(8), lopsided_psf)
    with pytest.raises(ValueError, match=r"noise_sigma must be >= 0, got -1"):
        fit_signal_spectrum(np.zeros((8, 8)), lopsided_psf, noise_sigma=-1)
    with pytest.raises(ValueError, match=r"larger than the image"):
        fit_signal_spectrum(np.zeros((3, 8)), lopsided_psf)


@pytest.mark.parametrize("shape", [(32, 28), (33, 40), (80, 90)])
@pytest.mark.parametrize("turned", [np.flipud, np.fliplr, np.transpose])
def test_a_turned_picture_has_the_turned_spectrum(
    shape: tuple[int, int], turned: Callable[[Array], Array], rng: np.random.Generator
) -> None:
    grain = rng.standard_normal(shape)
    for axis, times in ((0, 1), (1, 4)):
        for _ in range(times):
            grain = grain + np.roll(grain, 1, axis) + 0.5 * np.roll(grain, (1, 1), (0, 1))
    picture = grain / grain.std() + 0.1 * rng.standard_normal(shape)
    psf = np.pad(rng.random((3, 4)), [(0, 0), (0, 1)])
    psf /= psf.sum()
    once = fit_signal_spectrum(picture, psf, periodic=True)
    again = fit_signal_spectrum(turned(picture), turned(psf), periodic=True)
    full = np.meshgrid(*(np.fft.fftfreq(side) for side in shape), indexing="ij")
    full_again = np.meshgrid(*(np.fft.fftfreq(side) for side in turned(picture).shape), indexing="ij")
    # Flipped, the frequency k stands where -k stood: index 0 stays in its place.
    if turned is np.transpose:
        expected = once.power_at(full).T
    elif turned is np.flipud:
        expected = np.roll(np.flipud(once.power_at(full)), 1, 0)
    else:
        expected = np.roll(np.fliplr(once.power_at(full)), 1, 1)
    np.testing.assert_allclose(again.power_at(full_again), expected, rtol=2e-3)


@pytest.mark.parametrize("exponent", [1, -3, 5, 8, -7])
def test_the_spectrum_of_twice_the_light_is_four_times_as_strong_bit_for_bit(exponent: int) -> None:
    psf = np.array([[0.52370297, 0.47629703]])
    for seed in range(110, 130):
        image = 0.5 + 0.1 * np.random.default_rng(seed).standard_normal((9, 9))
        once, scaled = (fit_signal_spectrum(picture, psf) for picture in (image, np.ldexp(image, exponent)))
        np.testing.assert_array_equal(scaled.power((12, 13)), np.ldexp(once.power((12, 13)), 2 * exponent))
        ratio = scaled.noise_to_signal((12, 13))
        np.testing.assert_array_equal(ratio, once.noise_to_signal((12, 13)))


def test_a_small_frame_is_looked_at_whole(rng: np.random.Generator) -> None:
    for frame in (rng.random((70, 90)), rng.random(500), rng.random((9, 20, 30))):
        np.testing.assert_array_equal(windows_of(frame, (3,) * frame.ndim), frame[None])


def test_windows_are_spread_from_edge_to_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restoretk.restoration._frame_windows._LOOKED_AT", 40 * 40)
    monkeypatch.setattr("restoretk.restoration._frame_windows._WINDOW", 10)
    monkeypatch.setattr("restoretk.restoration._frame_windows._BAND", 1)
    frame = np.arange(61 * 83).reshape(61, 83)
    windows = windows_of(frame, (1, 1))
    assert windows.shape == (16, 10, 10)
    tops, lefts = np.divmod(windows[:, 0, 0], 83)
    assert sorted(set(tops)) == [0, 17, 34, 51]
    assert sorted(set(lefts)) == [0, 24, 48, 73]
    for window, top, left in zip(windows, tops, lefts, strict=True):
        np.testing.assert_array_equal(window, frame[top : top + 10, left : left + 10])
    large = windows_of(frame, (4, 7))  # no window is smaller than eight PSFs
    assert large.shape == (1, 32, 56)
    assert large[0, 0, 0] == (61 - 32) // 2 * 83 + (83 - 56) // 2
    narrow = windows_of(np.zeros((5, 900)), (1, 1))
    assert narrow.shape == (4, 5, 10)


def test_windows_tell_the_spectrum_of_a_large_frame(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    psf = gaussian_psf(1.5, 11)
    frame = observed(psf, (720, 900), rng)[:-20, :-20]
    whole = fit_frames([frame], psf)
    monkeypatch.setattr("restoretk.restoration._frame_windows._LOOKED_AT", 512 * 512)
    monkeypatch.setattr("restoretk.restoration._frame_windows._WINDOW", 128)
    by_windows = fit_frames([frame], psf)
    assert by_windows != whole
    assert by_windows.noise_sigma == pytest.approx(whole.noise_sigma, rel=0.03)
    assert by_windows.exponent == pytest.approx(whole.exponent, abs=0.15)
    frequencies = [np.array([0.05, 0.1, 0.2]), np.array([0.02, 0.1, 0.3])]
    np.testing.assert_allclose(by_windows.power_at(frequencies), whole.power_at(frequencies), rtol=0.2)
