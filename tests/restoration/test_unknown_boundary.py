"""The completed torus: the conditional mean that a dense solver finds, observed pixels untouched, no ringing."""

from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.convolution.boundary import extend_periodically
from restoretk.convolution.fourier import apply_transfer_function, fast_shape, psf_to_otf
from restoretk.restoration.regularized import regularized_filter
from restoretk.restoration.signal_spectrum import SignalSpectrum, fit_signal_spectrum
from restoretk.restoration.unknown_boundary import extend_unknown

SPECTRUM = SignalSpectrum(amplitude=1e-3, exponent=2.4, corner=0.05, anisotropy=(0.3, 0.2, 0.1, -0.1), noise_sigma=0.05)


def model(psf: Array, torus: tuple[int, ...], spectrum: SignalSpectrum = SPECTRUM) -> Array:
    """The precision of an observation through the PSF."""
    precision: Array = 1 / (np.abs(psf_to_otf(psf, torus)) ** 2 * spectrum.power(torus) + spectrum.noise_sigma**2)
    return precision


def dense(precision: Array, torus: tuple[int, ...]) -> Array:
    """Q as a matrix on the flattened torus, the mean level nearly free."""
    precision = precision.copy()
    precision.flat[0] = 1e-7 * precision.min()
    units = np.eye(int(np.prod(torus))).reshape((-1, *torus))
    return apply_transfer_function(units, precision).reshape(len(units), -1).T


def conditional_mean(z: Array, unknown: Array, covariance: Array) -> Array:
    """E[unknown | observed] of a zero-mean Gaussian, from its covariance: not the formula that the code uses."""
    u, o = unknown.ravel(), ~unknown.ravel()
    filled = z.ravel().copy()
    filled[u] = covariance[np.ix_(u, o)] @ np.linalg.solve(covariance[np.ix_(o, o)], filled[o])
    return filled.reshape(z.shape)


def ring(frame: tuple[int, ...], torus: tuple[int, ...]) -> Array:
    unknown = np.ones(torus, bool)
    unknown[tuple(slice(size) for size in frame)] = False
    return unknown


def test_the_ring_is_the_conditional_mean_of_a_gaussian(rng: np.random.Generator, lopsided_psf: Array) -> None:
    frame, torus = (8, 11), (12, 18)
    planes = rng.random(frame)
    precision = model(lopsided_psf, torus)
    extended, _ = extend_unknown(planes, precision, torus, iterations=400, tolerance=1e-12)
    z = np.zeros(torus)
    z[:8, :11] = planes
    expected = conditional_mean(z, ring(frame, torus), np.linalg.inv(dense(precision, torus)))
    np.testing.assert_allclose(extended, expected, atol=1e-6)


def test_missing_pixels_are_one_more_ring(rng: np.random.Generator, lopsided_psf: Array) -> None:
    frame, torus = (9, 10), (12, 17)
    planes = rng.random(frame)
    hole = rng.random(frame) < 0.2
    precision = model(lopsided_psf, torus)
    spoiled = np.where(hole, np.nan, planes)
    extended, _ = extend_unknown(spoiled, precision, torus, mask=hole, iterations=400, tolerance=1e-12)
    unknown = ring(frame, torus)
    unknown[:9, :10] = hole
    z = np.zeros(torus)
    z[:9, :10] = planes
    expected = conditional_mean(z, unknown, np.linalg.inv(dense(precision, torus)))
    np.testing.assert_allclose(extended, expected, atol=1e-6)


def test_missing_pixels_of_a_torus_without_ring_are_solved_for(rng: np.random.Generator, lopsided_psf: Array) -> None:
    shape = (8, 12)
    planes, hole = rng.random(shape), rng.random(shape) < 0.15
    precision = model(lopsided_psf, shape)
    extended, _ = extend_unknown(planes, precision, shape, mask=hole, iterations=400, tolerance=1e-12)
    expected = conditional_mean(planes, hole, np.linalg.inv(dense(precision, shape)))
    np.testing.assert_allclose(extended, expected, atol=1e-6)


def test_signals_take_the_same_path(rng: np.random.Generator) -> None:
    psf = np.array([0.1, 0.5, 0.3, 0.1])
    precision = model(psf, (28,), SignalSpectrum(0.01, 2, 0.05, (0, 0, 0, 0), 0.05))
    planes = rng.random(22)
    extended, _ = extend_unknown(planes, precision, (28,), iterations=200, tolerance=1e-12)
    z = np.concatenate([planes, np.zeros(6)])
    expected = conditional_mean(z, ring((22,), (28,)), np.linalg.inv(dense(precision, (28,))))
    np.testing.assert_allclose(extended, expected, atol=1e-6)


def test_observed_pixels_stay_bit_for_bit(scene: Array, lopsided_psf: Array) -> None:
    torus = fast_shape([size + 8 for size in scene.shape])
    precision = model(lopsided_psf, torus)
    hole = np.zeros(scene.shape, bool)
    hole[10:14, 20:25] = True
    before = scene.copy()
    extended, _ = extend_unknown(scene, precision, torus, mask=hole)
    assert (extended[:45, :63][~hole] == scene[~hole]).all()
    assert (scene == before).all()
    assert not np.shares_memory(extended, scene)


def test_nothing_unknown_means_nothing_done(scene: Array, lopsided_psf: Array) -> None:
    precision = model(lopsided_psf, scene.shape)
    extended, pairs = extend_unknown(scene, precision, scene.shape, mask=np.zeros(scene.shape, bool))
    assert pairs == 0
    assert (extended == scene).all()
    assert not np.shares_memory(extended, scene)


def test_an_empty_mask_is_no_mask(scene: Array, lopsided_psf: Array) -> None:
    precision = model(lopsided_psf, (60, 80))
    plain, _ = extend_unknown(scene, precision, (60, 80))
    masked, _ = extend_unknown(scene, precision, (60, 80), mask=np.zeros(scene.shape, bool))
    assert (plain == masked).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_planes_take_columns_at_a_time_and_come_to_the_same(
    scene: Array, lopsided_psf: Array, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    planes, torus = scene[:61, :47].astype(dtype), (67, 54)
    precision = model(lopsided_psf, torus)
    whole, pairs = extend_unknown(planes, precision, torus)
    monkeypatch.setattr("restoretk.restoration.unknown_boundary.LARGE", 1)
    by_columns, as_many = extend_unknown(planes, precision, torus)
    assert pairs == as_many
    np.testing.assert_allclose(by_columns, whole, atol=200 * np.finfo(dtype).eps)


def test_planes_do_not_hear_of_each_other(rng: np.random.Generator, lopsided_psf: Array) -> None:
    planes = rng.random((2, 3, 20, 21))
    precision = model(lopsided_psf, (30, 32))
    together, _ = extend_unknown(planes, precision, (30, 32))
    assert together.shape == (2, 3, 30, 32)
    alone, _ = extend_unknown(planes[1, 2], precision, (30, 32))
    assert (together[1, 2] == alone).all()


def test_scaling_and_lifting_the_picture_scales_and_lifts_the_ring(scene: Array, lopsided_psf: Array) -> None:
    precision = model(lopsided_psf, (60, 80))
    extended, _ = extend_unknown(scene, precision, (60, 80), iterations=500, tolerance=1e-12)
    scaled, _ = extend_unknown(50 * scene, precision, (60, 80), iterations=500, tolerance=1e-12)
    np.testing.assert_allclose(scaled, 50 * extended, atol=1e-6)
    lifted, _ = extend_unknown(7 + scene, precision, (60, 80), iterations=500, tolerance=1e-12)
    np.testing.assert_allclose(lifted, 7 + extended, atol=1e-8)


def test_the_scale_of_the_precision_does_not_matter(scene: Array, lopsided_psf: Array) -> None:
    precision = model(lopsided_psf, (60, 80))
    extended, _ = extend_unknown(scene, precision, (60, 80))
    rescaled, _ = extend_unknown(scene, 1024 * precision, (60, 80))
    np.testing.assert_allclose(rescaled, extended, atol=1e-12)


def test_float32_stays_float32_and_agrees(scene: Array, lopsided_psf: Array) -> None:
    precision = model(lopsided_psf, (60, 80))
    single, _ = extend_unknown(scene.astype(np.float32), precision, (60, 80))
    double, _ = extend_unknown(scene, precision, (60, 80))
    assert single.dtype == np.float32
    assert np.abs(single - double).max() < 2e-3


def test_the_work_is_bounded_and_counted(scene: Array, lopsided_psf: Array) -> None:
    precision = model(lopsided_psf, (60, 80))
    hole = np.zeros(scene.shape, bool)
    hole[10:14, 20:25] = True
    for mask, most in ((None, 8), (hole, 16)):
        _, pairs = extend_unknown(scene, precision, (60, 80), mask=mask, iterations=7, tolerance=0)
        assert pairs == most
        _, default = extend_unknown(scene, precision, (60, 80), mask=mask, tolerance=0)
        assert default < 60
        _, loose = extend_unknown(scene, precision, (60, 80), mask=mask, tolerance=0.5)
        assert loose < 8


def test_the_steps_are_conjugate(rng: np.random.Generator, lopsided_psf: Array) -> None:
    precision = model(lopsided_psf, (30, 33))
    _, pairs = extend_unknown(rng.random((24, 25)), precision, (30, 33), iterations=400, tolerance=1e-6)
    assert pairs < 60


@pytest.mark.parametrize("value", [0.0, 0.8])
def test_a_constant_picture_goes_on_as_it_is(value: float, lopsided_psf: Array) -> None:
    precision = model(lopsided_psf, (30, 32))
    extended, _ = extend_unknown(np.full((20, 21), value), precision, (30, 32))
    np.testing.assert_allclose(extended, value, atol=1e-6)


def test_a_frame_of_a_larger_scene_is_restored_without_ringing(camera: Array) -> None:
    psf = np.zeros((5, 13))
    psf[np.round(np.linspace(0, 4, 13)).astype(int), np.arange(13)] = 1 / 13
    whole = convolve(camera[:320, :330], psf) + np.random.default_rng(1).normal(0, 1 / 255, (320, 330))
    window = (slice(60, 253), slice(70, 271))
    frame, truth = whole[window], camera[window]
    torus = fast_shape([size + side for size, side in zip(frame.shape, psf.shape, strict=True)])
    fitted = fit_signal_spectrum(frame, psf)
    otf, precision = psf_to_otf(psf, torus), model(psf, torus, fitted)
    unknown, _ = extend_unknown(frame, precision, torus)
    mirrored = extend_periodically(frame, torus, "symmetric")
    signal = fitted.power(torus)
    wiener = np.conj(otf) * signal / (np.abs(otf) ** 2 * signal + fitted.noise_sigma**2)
    error = {
        name: np.sqrt(np.mean((apply_transfer_function(z, wiener)[:193, :201] - truth) ** 2))
        for name, z in (("unknown", unknown), ("mirrored", mirrored))
    }
    assert error["unknown"] < 0.6 * error["mirrored"]


def test_edges_that_differ_do_not_draw_each_other(camera: Array, rng: np.random.Generator) -> None:
    """A dark top and a bright bottom are neighbours on the torus."""
    y, x = np.mgrid[0:23, 0:17]
    psf = np.exp(-(((y - 14) / 4) ** 2) - ((x - 6) / 3) ** 2) + 0.3 * np.exp(
        -(((y - 5) / 2) ** 2) - ((x - 12) / 2) ** 2
    )
    psf /= psf.sum()
    scene = (0.3 + 0.4 * camera) * np.linspace(0.1, 1.4, len(camera))[:, None]
    seen = convolve(scene, psf, boundary="wrap") + rng.normal(0, 0.01, scene.shape)
    inside = np.s_[30:-30, 30:-30]
    error = regularized_filter(seen[inside], psf, regularization=0.0225) - scene[inside]
    for rows in (error[:8], error[-8:]):
        assert np.abs(rows.mean(axis=1)).max() < 5 / 255


def test_wrong_arguments_are_named(scene: Array, lopsided_psf: Array) -> None:
    precision = model(lopsided_psf, (60, 80))
    with pytest.raises(ValueError, match=r"torus \(40, 80\) is smaller than the frame"):
        extend_unknown(scene, precision, (40, 80))
    with pytest.raises(ValueError, match=r"precision must have the shape \(60, 41\)"):
        extend_unknown(scene, precision[1:], (60, 80))
    with pytest.raises(ValueError, match=r"mask must be boolean of shape \(45, 63\)"):
        extend_unknown(scene, precision, (60, 80), mask=np.ones((3, 3), bool))
    with pytest.raises(ValueError, match=r"at least one pixel of every plane observed"):
        extend_unknown(scene, precision, (60, 80), mask=np.ones(scene.shape, bool))
