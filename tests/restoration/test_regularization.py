from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.convolution.fourier import forward_transform, half_spectrum_weights, psf_to_otf
from restoretk.noise import jpeg
from restoretk.psf import disk_psf
from restoretk.restoration import restore
from restoretk.restoration._spectral_statistics import SpectralStatistics, gather_statistics
from restoretk.restoration.operators import operator_power
from restoretk.restoration.regularization import NEED_NOISE, SELECTORS, choose
from restoretk.restoration.regularized import regularized_filter
from restoretk.restoration.signal_spectrum import fit_signal_spectrum

SIGMA = 0.01


def _statistics(seen: Array, psf: Array) -> SpectralStatistics:
    signal = fit_signal_spectrum(seen, psf, periodic=True).power(seen.shape)
    H = psf_to_otf(psf, seen.shape)
    power = np.abs(forward_transform(seen, 2)) ** 2 / seen.size
    penalty = operator_power("laplacian", psf.shape, seen.shape)
    return gather_statistics(
        np.abs(H) ** 2, penalty, [power], half_spectrum_weights(seen.shape), seen.size, signal=signal
    )


@pytest.fixture
def seen(camera: Array, lopsided_psf: Array, rng: np.random.Generator) -> Array:
    scene = camera[100:291, 80:321]
    return convolve(scene, lopsided_psf, boundary="wrap") + SIGMA * rng.standard_normal(scene.shape)


def test_residual_and_degrees_of_freedom_are_those_of_the_filter(seen: Array, lopsided_psf: Array) -> None:
    statistics = _statistics(seen, lopsided_psf)
    H = psf_to_otf(lopsided_psf, seen.shape)
    penalty = operator_power("laplacian", lopsided_psf.shape, seen.shape)
    for weight in (1e-5, 1e-2, 10.0):
        restored = regularized_filter(seen, lopsided_psf, regularization=weight, boundary="wrap")
        residual = ((seen - convolve(restored, lopsided_psf, boundary="wrap")) ** 2).sum()
        assert statistics.residual_power(np.array([weight]))[0] == pytest.approx(residual, rel=1e-5)
        trace = (np.abs(H) ** 2 / (np.abs(H) ** 2 + weight * penalty) * half_spectrum_weights(seen.shape)).sum()
        assert statistics.degrees_of_freedom(np.array([weight]))[0] == pytest.approx(trace, rel=1e-5)


def test_binning_moves_no_choice_by_more_than_1e_4(
    camera: Array, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    psf = disk_psf(4)
    image = convolve(camera, psf, boundary="wrap") + SIGMA * rng.standard_normal(camera.shape)
    binned = _statistics(image, psf)
    monkeypatch.setattr("restoretk.restoration._spectral_statistics._EXACT_BINS", 10**9)
    exact = _statistics(image, psf)
    assert len(binned.ratio) < 20_000 < len(exact.ratio)
    for selector in ("gcv", "predictive_gcv", "discrepancy", "upre", "marginal_likelihood", "whiteness", "model_risk"):
        one = choose(binned, selector, SIGMA).regularization
        with monkeypatch.context() as here:  # without coarse classes either
            here.setattr("restoretk.restoration._spectral_statistics._COARSE_FROM", 10**9)
            other = choose(replace(exact), selector, SIGMA).regularization
        assert one == pytest.approx(other, rel=1e-4)


def test_predictive_gcv_is_the_minimum_of_its_written_out_definition(
    camera: Array, lopsided_psf: Array, rng: np.random.Generator
) -> None:
    """N ||(I - A) g||^2 / trace(I - A)^2 with the dense influence matrix A (Golub, Heath and Wahba 1979)."""
    image = convolve(camera[200:210, 240:253], lopsided_psf, boundary="wrap") + 8 * SIGMA * rng.standard_normal(
        (10, 13)
    )
    units = np.eye(130).reshape(130, 10, 13)

    def score(weight: float) -> float:
        filtered = [regularized_filter(unit, lopsided_psf, regularization=weight, boundary="wrap") for unit in units]
        A = np.stack([convolve(f, lopsided_psf, boundary="wrap").ravel() for f in filtered], axis=1)
        misfit = np.eye(130) - A
        return float(130 * ((misfit @ image.ravel()) ** 2).sum() / np.trace(misfit) ** 2)

    chosen = choose(_statistics(image, lopsided_psf), "predictive_gcv").regularization
    assert score(chosen) <= min(score(chosen * step) for step in (0.25, 0.8, 0.97, 1.03, 1.25, 4)) + 1e-15


def _full_spectra(image: Array, psf: Array) -> tuple[Array, Array, Array]:
    """|H|^2, |P|^2 of the Laplacian and |G|^2 / N on the whole spectrum, without the zero frequency."""
    H = np.fft.fft2(_origin_first(psf, image.shape))
    P = np.fft.fft2(_origin_first(np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]), image.shape))
    G = np.fft.fft2(image)
    return tuple(np.abs(each.ravel()[1:]) ** 2 / scale for each, scale in ((H, 1), (P, 1), (G, image.size)))


def _origin_first(kernel: Array, shape: tuple[int, ...]) -> Array:
    grid = np.zeros(shape)
    grid[tuple(slice(side) for side in kernel.shape)] = kernel
    return np.roll(grid, [-(side // 2) for side in kernel.shape], range(kernel.ndim))


def test_gcv_is_the_minimum_of_its_written_out_definition(seen: Array, lopsided_psf: Array) -> None:
    """The notes of `choose`, on the full spectrum: the risk weighted by the squared gain of a pilot filter."""
    H2, P2, power = _full_spectra(seen, lopsided_psf)
    pilot = choose(_statistics(seen, lopsided_psf), "predictive_gcv").regularization
    left = pilot * P2 / (H2 + pilot * P2)
    variance = (left**2 * power).sum() / left.sum()
    assert np.sqrt(variance) == pytest.approx(SIGMA, rel=0.1)
    weight = H2 / (H2 + 0.3 * pilot * P2) ** 2

    def risk(regularization: float) -> float:
        left = regularization * P2 / (H2 + regularization * P2)
        return float((weight * (left**2 * power + 2 * variance * (1 - left))).sum())

    chosen = choose(_statistics(seen, lopsided_psf), "gcv").regularization
    assert risk(chosen) < min(risk(chosen * step) for step in (0.25, 0.9, 0.99, 1.01, 1.1, 4))


def test_marginal_likelihood_is_the_likeliest_ratio_of_noise_to_a_smooth_scene(
    seen: Array, lopsided_psf: Array
) -> None:
    """G / sqrt(N) is Gaussian of variance v (1 + |H|^2 / (lambda |P|^2)) at each frequency, v unknown too."""
    H2, P2, power = _full_spectra(seen, lopsided_psf)

    def surprise(regularization: float) -> float:
        shape = 1 + H2 / (regularization * P2)
        levels = np.geomspace(1e-3, 1e3, 6001)[:, None] * (power / shape).mean()
        at_level = np.log(levels).ravel() * power.size + (power / shape).sum() / levels.ravel()
        return float(np.log(shape).sum() + at_level.min())

    chosen = choose(_statistics(seen, lopsided_psf), "marginal_likelihood").regularization
    assert surprise(chosen) < min(surprise(chosen * step) for step in (0.1, 0.9, 0.98, 1.02, 1.1, 10))


def test_upre_estimates_the_predictive_risk(camera: Array, lopsided_psf: Array, rng: np.random.Generator) -> None:
    clean = convolve(camera[100:291, 80:321], lopsided_psf, boundary="wrap")
    image = clean + SIGMA * rng.standard_normal(clean.shape)
    rule = choose(_statistics(image, lopsided_psf), "upre", SIGMA)
    risks = [
        (
            (
                convolve(
                    regularized_filter(image, lopsided_psf, regularization=w, boundary="wrap"),
                    lopsided_psf,
                    boundary="wrap",
                )
                - clean
            )
            ** 2
        ).sum()
        for w in rule.regularization * np.array([0.2, 1, 5])
    ]
    assert risks[1] < risks[0]
    assert risks[1] < risks[2]


@pytest.mark.parametrize("selector", SELECTORS)
def test_every_selector_restores_and_does_not_depend_on_brightness(
    selector: str, seen: Array, camera: Array, lopsided_psf: Array
) -> None:
    scene = camera[100:291, 80:321]
    sigma = SIGMA if selector in NEED_NOISE else None
    rule = choose(_statistics(seen, lopsided_psf), selector, sigma)
    restored = regularized_filter(seen, lopsided_psf, regularization=rule.regularization, boundary="wrap")
    assert ((restored - scene) ** 2).mean() < ((seen - scene) ** 2).mean()
    brighter = choose(_statistics(seen * 255, lopsided_psf), selector, sigma and sigma * 255)
    assert brighter.regularization == pytest.approx(rule.regularization, rel=1e-3)
    assert rule.attained == (selector != "l_curve")  # an invertible blur leaves the L-curve without a corner
    assert len(rule.candidates) == len(rule.values)


def test_model_risk_is_the_minimum_of_its_written_out_definition(seen: Array, lopsided_psf: Array) -> None:
    H = psf_to_otf(lopsided_psf, seen.shape)
    penalty = operator_power("laplacian", lopsided_psf.shape, seen.shape)
    S = fit_signal_spectrum(seen, lopsided_psf, periodic=True).power(seen.shape)
    weights = half_spectrum_weights(seen.shape)

    def risk(tried: float) -> float:
        R = np.conj(H) / (np.abs(H) ** 2 + tried * penalty)
        return float(np.sum(weights * (np.abs(1 - R * H) ** 2 * S + np.abs(R) ** 2 * SIGMA**2)))

    rule = choose(_statistics(seen, lopsided_psf), "model_risk", SIGMA)
    risks = [risk(rule.regularization * factor) for factor in (0.97, 1, 1.03)]
    assert risks[1] < min(risks[0], risks[2])


def test_model_risk_needs_the_spectrum_of_the_scene(seen: Array, lopsided_psf: Array) -> None:
    statistics = replace(_statistics(seen, lopsided_psf), signal=np.zeros(1))
    with pytest.raises(ValueError, match="'model_risk' needs statistics with the spectrum of the scene"):
        choose(statistics, "model_risk", SIGMA)


def test_the_corrected_discrepancy_leaves_the_residual_its_share_of_the_noise(seen: Array, lopsided_psf: Array) -> None:
    """Residual power = sigma^2 (N - trace A), written out; the plain rule, which forgets the trace, smooths more."""
    statistics = _statistics(seen, lopsided_psf)
    rule = choose(statistics, "edf_discrepancy", SIGMA)
    H = psf_to_otf(lopsided_psf, seen.shape)
    penalty = operator_power("laplacian", lopsided_psf.shape, seen.shape)
    A = np.abs(H) ** 2 / (np.abs(H) ** 2 + rule.regularization * penalty)
    restored = regularized_filter(seen, lopsided_psf, regularization=rule.regularization, boundary="wrap")
    residual = ((seen - convolve(restored, lopsided_psf, boundary="wrap")) ** 2).sum()
    trace = (A * half_spectrum_weights(seen.shape)).sum()
    assert residual == pytest.approx(SIGMA**2 * (seen.size - trace), rel=1e-3)
    assert rule.regularization < choose(statistics, "discrepancy", SIGMA).regularization


def test_coarse_classes_keep_every_sum(camera: Array) -> None:
    statistics = _statistics(camera, disk_psf(4))
    coarse = statistics.coarse
    assert len(coarse.ratio) < len(statistics.ratio) / 8
    for name in ("count", "power", "squared_power", "count_per_penalty", "power_per_penalty", "signal"):
        assert getattr(coarse, name).sum() == pytest.approx(getattr(statistics, name).sum())
    tried = np.array([1e-4, 1e-2, 1.0])
    np.testing.assert_allclose(coarse.residual_power(tried), statistics.residual_power(tried), rtol=1e-3)


def test_channels_count_like_more_data_of_one_kind(seen: Array, lopsided_psf: Array) -> None:
    H = psf_to_otf(lopsided_psf, seen.shape)
    penalty = operator_power("laplacian", lopsided_psf.shape, seen.shape)
    power = np.abs(forward_transform(seen, 2)) ** 2 / seen.size
    weights = half_spectrum_weights(seen.shape)
    signal = fit_signal_spectrum(seen, lopsided_psf, periodic=True).power(seen.shape)
    three = gather_statistics(np.abs(H) ** 2, penalty, [power] * 3, weights, 3.0 * seen.size, signal=signal)
    for selector in SELECTORS:
        one = choose(_statistics(seen, lopsided_psf), selector, SIGMA).regularization
        assert choose(three, selector, SIGMA).regularization == pytest.approx(one, rel=1e-4)


def test_a_selector_that_needs_the_noise_says_so(seen: Array, lopsided_psf: Array) -> None:
    statistics = _statistics(seen, lopsided_psf)
    with pytest.raises(ValueError, match="regularization 'upre' needs noise_sigma"):
        choose(statistics, "upre")
    with pytest.raises(ValueError, match=r"regularization must be .* one of gcv, .*, got 'best'"):
        choose(statistics, "best")


def test_the_l_curve_has_its_corner_where_the_blur_is_not_invertible(camera: Array, rng: np.random.Generator) -> None:
    for sigma in (0.002, 0.02):
        image = convolve(camera, disk_psf(4), boundary="wrap") + sigma * rng.standard_normal(camera.shape)
        statistics = _statistics(image, disk_psf(4))
        corner, best = choose(statistics, "l_curve"), choose(statistics, "gcv")
        assert corner.attained
        assert 1 < corner.regularization / best.regularization < 100


def test_the_rules_agree_on_white_noise_and_a_warning_says_when_it_is_not(
    camera: Array, rng: np.random.Generator
) -> None:
    blurred = convolve(camera, disk_psf(4))
    white = rng.standard_normal(camera.shape)
    coloured = gaussian_filter(white, 0.8)
    frame = np.s_[20:-20, 20:-20]
    right = restore((blurred + 0.01 * white)[frame], disk_psf(4), "regularized_filter")
    assert right.warnings == ()
    wrong = restore((blurred + 0.01 * coloured / coloured.std())[frame], disk_psf(4), "regularized_filter")
    assert "the noise is probably not white" in wrong.warnings[0]


def test_a_jpeg_is_restored_carefully_and_says_so(camera: Array, rng: np.random.Generator) -> None:
    psf = disk_psf(3)
    seen = jpeg(np.clip(convolve(camera, psf) + 0.002 * rng.standard_normal(camera.shape), 0, 1), 90)
    frame, scene = seen[20:-20, 20:-20], camera[20:-20, 20:-20]
    for method in ("wiener", "regularized_filter"):
        record = restore(frame, psf, method)
        assert any("the noise is probably not white" in warning for warning in record.warnings)
        assert str(record.parameters["chosen_by"]).startswith("marginal_likelihood")
        assert ((record.image - scene) ** 2).mean() < 0.6 * ((frame - scene) ** 2).mean()


def test_the_guard_is_not_asked_about_other_operators(camera: Array, rng: np.random.Generator) -> None:
    frame = (convolve(camera, disk_psf(3)) + 0.01 * rng.standard_normal(camera.shape))[20:-20, 20:-20]
    for operator in ("identity", "gradient", "biharmonic"):
        record = restore(frame, disk_psf(3), "regularized_filter", operator=operator)
        assert "stands in" not in "".join(record.warnings)


def test_a_picture_without_noise_is_not_said_to_have_the_wrong_kind() -> None:
    from skimage.data import camera, moon

    for photograph in (camera(), moon()):
        seen = convolve(photograph / 255.0, disk_psf(4))[10:-10, 10:-10]
        for method in ("wiener", "regularized_filter"):
            said = " ".join(restore(seen, disk_psf(4), method).warnings)
            assert "not white" not in said
            assert "there is next to no noise to choose by" in said
