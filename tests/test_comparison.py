"""The comparison: what it photographs, what the Landweber path between the two meanings is, and what it says in JSON."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.comparison import LANDWEBER_STEPS, Comparison, Panel, compare, landweber_transfer
from restoretk.convolution.blur import Blur, convolve
from restoretk.convolution.fourier import apply_transfer_function, forward_transform, psf_to_otf
from restoretk.degradation import degrade
from restoretk.metrics import isnr, psnr, ssim
from restoretk.psf import box_psf
from restoretk.restoration import METHODS, restore
from restoretk.restoration._torus import open_problem
from restoretk.upsampling import KERNELS, downsample, upsample

DATA = Path(__file__).resolve().parents[1] / "data"
WINDOW = np.s_[110:207, 190:311]  # 97 x 121: odd sides, not square
FRAME = np.s_[1:-2, 3:-3]  # what no boundary reaches, for a PSF of 4 x 7 with its origin at (2, 3)
NOISE = "gaussian:sigma=0.01"


@pytest.fixture(scope="module")
def grey() -> Array:
    return iio.imread(DATA / "camera.png")[WINDOW] / 255


@pytest.fixture(scope="module")
def colour() -> Array:
    return iio.imread(DATA / "astronaut.png")[WINDOW] / 255


@pytest.fixture
def comparison(grey: Array, lopsided_psf: Array) -> Comparison:
    return compare(grey, lopsided_psf, noise=NOISE, seed=3)


def panel(panels: tuple[Panel, ...], name: str) -> Panel:
    return next(each for each in panels if each.name == name)


def test_no_pixel_of_the_frame_depends_on_what_lies_outside_the_picture(
    grey: Array, camera: Array, lopsided_psf: Array
) -> None:
    observed = compare(grey, lopsided_psf).observed.image
    elsewhere = np.zeros_like(camera)
    elsewhere[WINDOW] = grey
    for surroundings in (camera, elsewhere):
        seen = convolve(surroundings, lopsided_psf)[WINDOW]
        np.testing.assert_allclose(observed, seen[FRAME], atol=1e-13)
    differs = np.abs(convolve(camera, lopsided_psf) - convolve(elsewhere, lopsided_psf))[WINDOW] > 1e-12
    assert differs[0].any(), "one more row would depend on it"
    assert differs[-2].any()
    assert differs[:, 2].any()
    assert differs[:, -3].any()


def test_the_observation_is_what_degrade_gives_cut_to_the_frame(
    comparison: Comparison, grey: Array, lopsided_psf: Array
) -> None:
    np.testing.assert_array_equal(comparison.observed.image, degrade(grey, lopsided_psf, noise=NOISE, rng=3)[FRAME])
    np.testing.assert_array_equal(comparison.original, grey[FRAME])
    other = compare(grey, lopsided_psf, noise=NOISE, seed=4)
    assert not np.array_equal(other.observed.image, comparison.observed.image)


def test_colour_is_compared_channels_last_wherever_they_were(colour: Array, lopsided_psf: Array) -> None:
    last = compare(colour, lopsided_psf, noise=NOISE, channel_axis=-1)
    first = compare(np.moveaxis(colour, -1, 0), lopsided_psf, noise=NOISE, channel_axis=0)
    np.testing.assert_array_equal(last.observed.image, first.observed.image)
    np.testing.assert_array_equal(last.original, colour[FRAME])
    expected = degrade(colour, lopsided_psf, noise=NOISE, channel_axis=-1, rng=0)[FRAME]
    np.testing.assert_array_equal(last.observed.image, expected)
    for each in (*last.restorations, *last.meanings):
        assert each.image.shape == last.observed.image.shape
    for each in last.upsampled:
        assert each.image.shape == (94, 114, 3)  # the frame of 94 x 115, cut to a multiple of the factor
    assert last.as_dict()["frame"] == [94, 115, 3]


def test_an_observed_picture_is_taken_as_it_is_and_measured_against_nothing(grey: Array, lopsided_psf: Array) -> None:
    levels = np.rint(255 * grey).astype(np.uint8)
    kept = levels.copy()
    result = compare(levels, lopsided_psf, observed=True)
    np.testing.assert_array_equal(levels, kept)
    np.testing.assert_allclose(result.observed.image, grey, atol=1e-7)
    assert result.original is None
    assert result.noise_name == "already in the picture"
    for each in (result.observed, *result.restorations, *result.meanings):
        assert set(each.metrics) <= {"residual"}
    for each in result.upsampled:
        assert set(each.metrics) == {"psnr", "ssim"}  # against the picture before decimation


def test_every_method_and_kernel_appears(comparison: Comparison) -> None:
    assert [each.name for each in comparison.restorations] == list(METHODS)
    assert [each.name for each in comparison.upsampled] == list(KERNELS)
    names = [each.name for each in comparison.meanings]
    assert names == ["g", "H^T g", *(f"Landweber {steps}" for steps in LANDWEBER_STEPS[1:]), "H^+ g"]


def test_methods_and_kernels_are_taken_in_the_grammar(grey: Array, lopsided_psf: Array) -> None:
    result = compare(
        grey,
        lopsided_psf,
        noise=NOISE,
        seed=3,
        methods=["wiener:noise_to_signal=0.02"],
        kernels=["bicubic:a=-0.75"],
        factor=3,
    )
    seen = result.observed.image
    expected = restore(seen, lopsided_psf, "wiener", noise_to_signal=0.02)
    np.testing.assert_array_equal(result.restorations[0].image, expected.image)
    assert result.restorations[0].parameters["noise_to_signal"] == 0.02
    whole = result.original[:93, :114]
    np.testing.assert_array_equal(result.decimated, downsample(whole, 3))
    np.testing.assert_array_equal(result.upsampled[0].image, upsample(result.decimated, 3, kernel="bicubic:a=-0.75"))


@pytest.mark.parametrize("channels", [None, -1])
def test_the_numbers_are_those_of_the_metrics(
    grey: Array, colour: Array, lopsided_psf: Array, channels: int | None
) -> None:
    picture = grey if channels is None else colour
    result = compare(picture, lopsided_psf, noise=NOISE, channel_axis=channels, factor=3)
    original, seen = result.original, result.observed.image
    for each in (result.observed, *result.restorations, *result.meanings):
        assert each.metrics["psnr"] == pytest.approx(psnr(original, each.image), rel=1e-12)
        assert each.metrics["ssim"] == pytest.approx(ssim(original, each.image, channel_axis=channels), rel=1e-12)
        assert each.metrics["isnr"] == pytest.approx(isnr(original, seen, each.image), rel=1e-12, abs=1e-12)
    assert result.observed.metrics["isnr"] == 0
    whole = original[:93, :114]
    for each in result.upsampled:
        options = {"border": 3, "channel_axis": channels}
        assert each.metrics["psnr"] == pytest.approx(psnr(whole, each.image, **options), rel=1e-12)
        assert each.metrics["ssim"] == pytest.approx(ssim(whole, each.image, **options), rel=1e-12)


def test_the_residual_falls_along_the_path_and_ends_at_nothing(comparison: Comparison) -> None:
    residuals = [each.metrics["residual"] for each in comparison.meanings[1:]]
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[0] > 0.01
    assert residuals[-1] < 1e-9
    assert "residual" not in comparison.meanings[0].metrics  # g does not claim to be the scene


def test_the_first_step_of_landweber_is_the_adjoint(comparison: Comparison, lopsided_psf: Array) -> None:
    seen = comparison.observed.image
    problem = open_problem(seen, lopsided_psf, "unknown", None)
    transposed = Blur(lopsided_psf, problem.torus, "wrap").adjoint(problem.planes)[0]
    ours = panel(comparison.meanings, "H^T g").image
    np.testing.assert_allclose(ours, transposed[: seen.shape[0], : seen.shape[1]], atol=1e-12)
    # Where the transposed PSF stays inside the frame, no continuation is needed to say the same.
    inside = np.s_[4:-4, 7:-7]
    zeros = Blur(lopsided_psf, seen.shape, "constant").adjoint(seen)
    np.testing.assert_allclose(ours[inside], zeros[inside], atol=1e-12)


@pytest.mark.parametrize("tau", [1.0, 0.3])
def test_the_transfer_of_one_step_is_tau_times_the_conjugate(lopsided_psf: Array, tau: float) -> None:
    otf = psf_to_otf(lopsided_psf, (45, 63))
    np.testing.assert_allclose(landweber_transfer(otf, 1, tau), tau * np.conj(otf), atol=1e-15)


@pytest.mark.parametrize("iterations", [1, 2, 7])
@pytest.mark.parametrize("tau", [1.0, 0.3])
def test_the_closed_form_is_the_literal_iteration(
    scene: Array, lopsided_psf: Array, iterations: int, tau: float
) -> None:
    blur = Blur(lopsided_psf, scene.shape, "wrap")
    estimate = np.zeros_like(scene)
    for _ in range(iterations):
        estimate = estimate + tau * blur.adjoint(scene - blur.forward(estimate))
    transfer = landweber_transfer(psf_to_otf(lopsided_psf, scene.shape), iterations, tau)
    np.testing.assert_allclose(apply_transfer_function(scene, transfer), estimate, atol=1e-12)


def test_the_closed_form_is_exact_at_frequencies_that_the_blur_all_but_removed() -> None:
    for contrast in (1e-7, 3e-5, 1e-4, 2e-4, 0.01, 0.5, 1.0):
        for iterations in (1, 10, 1000):
            power = Fraction(contrast) ** 2
            exact = (1 - (1 - power) ** iterations) / Fraction(contrast)
            ours = landweber_transfer(np.array([contrast]), iterations)[0]
            assert ours == pytest.approx(float(exact), rel=1e-12)


def test_each_panel_of_the_path_is_that_many_steps(comparison: Comparison, lopsided_psf: Array) -> None:
    """On the torus of the continued picture, to which the operator is circular."""
    seen = comparison.observed.image
    problem = open_problem(seen, lopsided_psf, "unknown", None)
    blur = Blur(lopsided_psf, problem.torus, "wrap")
    estimate = np.zeros_like(problem.planes)
    for _ in range(10):
        estimate = estimate + blur.adjoint(problem.planes - blur.forward(estimate))
    ours = panel(comparison.meanings, "Landweber 10")
    np.testing.assert_allclose(ours.image, estimate[0, : seen.shape[0], : seen.shape[1]], atol=1e-11)
    assert ours.parameters["iterations"] == 10
    assert panel(comparison.meanings, "H^+ g").parameters["iterations"] == "infinite"


def test_the_limit_is_the_inverse_wherever_the_blur_left_anything(grey: Array) -> None:
    psf = box_psf((4, 6))
    seen = compare(grey[:48, :52], psf, kernels=["nearest"], methods=["wiener"])
    problem = open_problem(seen.observed.image, psf, "unknown", None)
    assert problem.torus == (66, 70), "even sides: the box has a zero at the highest frequency"
    otf = problem.optics.otf[0]
    left = np.abs(otf) > 1e-9
    assert not left.all(), "this blur removes some frequencies altogether"
    spectrum = forward_transform(problem.planes[0], 2)
    expected = np.zeros_like(spectrum)
    expected[left] = spectrum[left] / otf[left]
    rows, columns = seen.observed.image.shape
    inverse = np.fft.irfft2(expected, s=problem.torus)[:rows, :columns]
    np.testing.assert_allclose(panel(seen.meanings, "H^+ g").image, inverse, rtol=1e-9, atol=1e-9)
    limit = landweber_transfer(otf, 1e22)
    np.testing.assert_allclose(limit[left], 1 / otf[left], rtol=1e-9)
    assert (np.abs(limit[~left]) < 1e9).all()
    assert landweber_transfer(np.zeros(1), 1e22)[0] == 0


def test_the_gains_are_those_of_the_filters(comparison: Comparison) -> None:
    levels = comparison.blur_levels
    np.testing.assert_allclose(comparison.gains["transposed: |H|"], levels)
    np.testing.assert_allclose(comparison.gains["inverse: 1/|H|"], 1 / levels)
    np.testing.assert_allclose(comparison.gains["Landweber 10"], (1 - (1 - levels**2) ** 10) / levels, rtol=1e-6)
    (wiener,) = (gain for name, gain in comparison.gains.items() if name.startswith("Wiener"))
    ratio = levels[0] / wiener[0] - levels[0] ** 2
    np.testing.assert_allclose(wiener, levels / (levels**2 + ratio))


def test_the_record_is_strict_json_also_where_a_number_is_infinite(comparison: Comparison, lopsided_psf: Array) -> None:
    text = json.dumps(comparison.as_dict(), allow_nan=False)
    record = json.loads(text)
    assert [each["name"] for each in record["restorations"]] == list(METHODS)
    assert record["observed"]["metrics"]["psnr"] == comparison.observed.metrics["psnr"]
    black = compare(np.zeros((40, 50)), lopsided_psf)
    assert black.observed.metrics["psnr"] == np.inf
    record = json.loads(json.dumps(black.as_dict(), allow_nan=False))
    assert record["observed"]["metrics"]["psnr"] is None
    assert record["meanings"][-1]["parameters"]["iterations"] == "infinite"


def test_what_cannot_be_compared_is_named(grey: Array, colour: Array, lopsided_psf: Array) -> None:
    with pytest.raises(ValueError, match=r"needs a psf of 2 axes, got shape \(3,\)"):
        compare(grey, [0.25, 0.5, 0.25])
    with pytest.raises(ValueError, match=r"image of shape \(18, 121\) is too small for a psf of shape \(4, 7\)"):
        compare(grey[:18], lopsided_psf)
    with pytest.raises(ValueError, match=r"needs an image of 2 spatial axes .*, got shape \(97, 121, 3\)"):
        compare(colour, lopsided_psf)
    with pytest.raises(ValueError, match="channel_axis=2"):
        compare(grey, lopsided_psf, channel_axis=2)
    with pytest.raises(ValueError, match=r"method must be one of inverse_filter, wiener, .*; got 'sharpen'"):
        compare(grey, lopsided_psf, methods=["sharpen"])
    with pytest.raises(ValueError, match=r"kernel must be one of nearest, .*; got 'cubic'"):
        compare(grey, lopsided_psf, kernels=["cubic"])
    with pytest.raises(ValueError, match=r"noise must be one of gaussian, .*; got 'fog'"):
        compare(grey, lopsided_psf, noise="fog")
    with pytest.raises(ValueError, match="sum to 1"):
        compare(grey, 2 * lopsided_psf)
