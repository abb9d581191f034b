"""Our functions against the documented formulas of the Image Processing Toolbox and scikit-image, by plain numpy FFT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, fminbound

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.convolution.fourier import otf_to_psf, psf_to_otf
from restoretk.convolution.taper import edge_taper
from restoretk.metrics import psnr
from restoretk.noise import gaussian_noise
from restoretk.psf import box_psf, disk_psf, gaussian_psf, motion_psf
from restoretk.restoration import regularized_filter, restore, wiener


def _psf2otf(psf: Array, shape: tuple[int, ...]) -> Array:
    """Zeros after the PSF, then a circular shift by -floor(size / 2), then the FFT."""
    padded = np.pad(psf, [(0, size - side) for size, side in zip(shape, psf.shape, strict=True)])
    return np.fft.fftn(np.roll(padded, [-(side // 2) for side in psf.shape], range(psf.ndim)))


def _otf2psf(otf: Array, shape: tuple[int, ...]) -> Array:
    """The inverse FFT, shifted until the first element is in the middle of the window, then cut to it."""
    psf = np.roll(np.fft.ifftn(otf).real, [side // 2 for side in shape], range(otf.ndim))
    return psf[tuple(slice(side) for side in shape)]


LAPLACIAN = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])


def _deconvreg(image: Array, psf: Array, lagra: float, regop: Array = LAPLACIAN) -> Array:
    """conj(H) G / (|H|^2 + lagra |C|^2)."""
    H, C, G = _psf2otf(psf, image.shape), _psf2otf(regop, image.shape), np.fft.fftn(image)
    return np.fft.ifftn(np.conj(H) * G / (np.abs(H) ** 2 + lagra * np.abs(C) ** 2)).real


def _residual_power(image: Array, psf: Array, restored: Array) -> float:
    """||g - h * f||^2 with a circular convolution."""
    blurred = np.fft.ifftn(np.fft.fftn(restored) * _psf2otf(psf, image.shape)).real
    return float(np.sum((image - blurred) ** 2))


@pytest.fixture
def observed(scene: Array, lopsided_psf: Array, rng: np.random.Generator) -> Array:
    blurred = np.fft.ifftn(np.fft.fftn(scene) * _psf2otf(lopsided_psf, scene.shape)).real
    return blurred + 0.02 * rng.standard_normal(scene.shape)


# --- psf2otf, otf2psf, imfilter -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 12), (8, 11), (4, 7)])
def test_psf_to_otf_is_the_half_of_psf2otf(lopsided_psf: Array, shape: tuple[int, int]) -> None:
    expected = _psf2otf(lopsided_psf, shape)
    np.testing.assert_allclose(psf_to_otf(lopsided_psf, shape), expected[:, : shape[1] // 2 + 1], atol=1e-15)


@pytest.mark.parametrize("window", [(4, 7), (3, 6), (9, 12)])
def test_otf_to_psf_is_otf2psf_and_undoes_psf_to_otf(lopsided_psf: Array, window: tuple[int, int]) -> None:
    full = _psf2otf(lopsided_psf, (9, 12))
    restored = otf_to_psf(full[:, :7], window, (9, 12))
    np.testing.assert_allclose(restored, _otf2psf(full, window), atol=1e-16)
    if window == lopsided_psf.shape:
        np.testing.assert_allclose(restored, lopsided_psf, atol=1e-16)


def test_a_flipped_kernel_correlates_as_imfilter_does(rng: np.random.Generator) -> None:
    image, kernel = rng.random((6, 8)), rng.random((3, 5))
    padded = np.pad(image, ((1, 1), (2, 2)))  # imfilter's default: zeros beyond the frame, correlation
    expected = [[np.sum(kernel * padded[r : r + 3, c : c + 5]) for c in range(8)] for r in range(6)]
    np.testing.assert_allclose(convolve(image, np.flip(kernel), boundary="constant"), expected, atol=1e-14)


@pytest.mark.parametrize(("ours", "numpys"), [("wrap", "wrap"), ("symmetric", "symmetric"), ("edge", "edge")])
def test_boundaries_are_circular_symmetric_and_replicate(rng: np.random.Generator, ours: str, numpys: str) -> None:
    image, kernel = rng.random((6, 8)), rng.random((3, 5))
    padded = np.pad(image, ((1, 1), (2, 2)), mode=numpys)  # type: ignore[call-overload]  # a name, not a literal
    expected = [[np.sum(np.flip(kernel) * padded[r : r + 3, c : c + 5]) for c in range(8)] for r in range(6)]
    np.testing.assert_allclose(convolve(image, kernel, boundary=ours), expected, atol=1e-14)


# --- deconvreg ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lagra", [1e-5, 0.01, 3.0])
def test_a_given_lagra_is_our_regularization(observed: Array, lopsided_psf: Array, lagra: float) -> None:
    ours = regularized_filter(observed, lopsided_psf, regularization=lagra, boundary="wrap")
    np.testing.assert_allclose(ours, _deconvreg(observed, lopsided_psf, lagra), atol=1e-11)


@pytest.mark.parametrize("regop", [np.array([[1.0, -2, 1]]), np.array([[1.0], [-1]]), np.array([[0, 1.0], [-3, 1]])])
def test_an_array_is_a_regop(observed: Array, lopsided_psf: Array, regop: Array) -> None:
    ours = regularized_filter(observed, lopsided_psf, regularization=0.05, operator=regop, boundary="wrap")
    np.testing.assert_allclose(ours, _deconvreg(observed, lopsided_psf, 0.05, regop), atol=1e-11)


def test_the_default_regop_is_the_laplacian_on_the_axes_of_the_psf(rng: np.random.Generator) -> None:
    row, cube = np.array([[0.2, 0.5, 0.3]]), rng.random((2, 3, 4))
    image, volume = rng.random((9, 12)), rng.random((5, 6, 7))
    ours = regularized_filter(image, row, regularization=0.1, boundary="wrap")
    np.testing.assert_allclose(ours, _deconvreg(image, row, 0.1, np.array([[1.0, -2, 1]])), atol=1e-13)
    seven = np.zeros((3, 3, 3))
    seven[1, 1, [0, 2]] = seven[1, [0, 2], 1] = seven[[0, 2], 1, 1] = 1
    seven[1, 1, 1] = -6
    ours = regularized_filter(volume, cube / cube.sum(), regularization=0.1, boundary="wrap")
    np.testing.assert_allclose(ours, _deconvreg(volume, cube / cube.sum(), 0.1, seven), atol=1e-13)


def test_discrepancy_meets_the_noise_power_at_brents_root(observed: Array, lopsided_psf: Array) -> None:
    power = 0.02**2 * observed.size  # NP = V * numel(I)

    def excess(log_lagra: float) -> float:
        restored = _deconvreg(observed, lopsided_psf, float(np.exp(log_lagra)))
        return _residual_power(observed, lopsided_psf, restored) / power - 1

    lagra = float(np.exp(brentq(excess, np.log(1e-9), np.log(1e9), xtol=1e-12)))
    options: dict[str, Any] = {
        "regularization": "discrepancy",
        "noise_sigma": np.sqrt(power / observed.size),
        "boundary": "wrap",
    }
    result = restore(observed, lopsided_psf, "regularized_filter", **options)
    assert result.parameters["regularization"] == pytest.approx(lagra, rel=1e-6)
    np.testing.assert_allclose(result.image, _deconvreg(observed, lopsided_psf, lagra), atol=1e-6)
    assert _residual_power(observed, lopsided_psf, result.image) == pytest.approx(power, rel=1e-6)


def test_one_lagra_serves_all_channels_and_the_power_counts_them_all(scene: Array, lopsided_psf: Array) -> None:
    colour = np.stack([scene, scene[::-1], 0.3 * scene], axis=-1)
    noisy = gaussian_noise(convolve(colour, lopsided_psf, boundary="wrap", channel_axis=-1), 0.02, rng=0)
    options: dict[str, Any] = {
        "regularization": "discrepancy",
        "noise_sigma": 0.02,
        "boundary": "wrap",
        "channel_axis": -1,
    }
    result = restore(noisy, lopsided_psf, "regularized_filter", **options)
    lagra = float(result.parameters["regularization"])
    planes = [_deconvreg(noisy[..., c], lopsided_psf, lagra) for c in range(3)]
    np.testing.assert_allclose(result.image, np.stack(planes, axis=-1), atol=1e-12)
    total = sum(_residual_power(noisy[..., c], lopsided_psf, planes[c]) for c in range(3))
    assert total == pytest.approx(0.02**2 * noisy.size, rel=1e-6)


@pytest.mark.parametrize(
    ("variance", "ratio", "gain"),
    [(1e-2, pytest.approx(1, abs=1e-4), pytest.approx(0, abs=1e-3)), (1e-8, pytest.approx(190, rel=0.05), 9.5)],
)
def test_a_linear_search_on_the_documented_interval_stops_at_a_floor(
    variance: float, ratio: float, gain: float
) -> None:
    board = np.tile(np.kron([[0.0, 1], [1, 0]], np.ones((8, 8))), (4, 4))
    board[:, 32:] *= 0.7
    psf = gaussian_psf(10, size=7)
    noisy = gaussian_noise(convolve(board, psf, boundary="wrap"), np.sqrt(variance), rng=0)
    power = variance * noisy.size

    def distance(lagra: float) -> float:
        return abs(_residual_power(noisy, psf, _deconvreg(noisy, psf, lagra)) - power)

    linear = float(fminbound(distance, 1e-9, 1e9, xtol=1e-4, maxfun=500))
    theirs = _deconvreg(noisy, psf, linear)
    options: dict[str, Any] = {"regularization": "discrepancy", "noise_sigma": np.sqrt(variance), "boundary": "wrap"}
    ours = regularized_filter(noisy, psf, **options)
    assert linear > 3.3e-5
    assert _residual_power(noisy, psf, theirs) / power == ratio
    assert _residual_power(noisy, psf, ours) / power == pytest.approx(1, rel=1e-6)
    assert psnr(board, ours) - psnr(board, theirs) == pytest.approx(gain, abs=0.2)


# --- deconvwnr ------------------------------------------------------------------------------------------------------


def _deconvwnr(image: Array, psf: Array, nsr: float | Array) -> Array:
    """conj(H) G / (|H|^2 + nsr)."""
    H = _psf2otf(psf, image.shape)
    return np.fft.ifftn(np.conj(H) * np.fft.fftn(image) / (np.abs(H) ** 2 + nsr)).real


@pytest.mark.parametrize("nsr", [0.0, 1e-3, 0.5])
def test_a_scalar_nsr_is_a_constant_ratio(observed: Array, lopsided_psf: Array, nsr: float) -> None:
    ours = wiener(observed, lopsided_psf, noise_to_signal=nsr, boundary="wrap")
    np.testing.assert_allclose(ours, _deconvwnr(observed, lopsided_psf, nsr), atol=1e-11)


def test_an_array_nsr_is_in_the_order_of_fftn(observed: Array, lopsided_psf: Array) -> None:
    rows, columns = (np.fft.fftfreq(size) for size in observed.shape)
    nsr = 0.01 + 3 * rows[:, None] ** 2 + columns**2
    ours = wiener(observed, lopsided_psf, noise_to_signal=nsr, boundary="wrap")
    np.testing.assert_allclose(ours, _deconvwnr(observed, lopsided_psf, nsr), atol=1e-12)


def test_ncorr_and_icorr_are_autocorrelations_put_in_the_middle_by_fftshift(
    scene: Array, lopsided_psf: Array, rng: np.random.Generator
) -> None:
    noise = np.apply_along_axis(np.convolve, 1, 0.02 * rng.standard_normal(scene.shape), [1, 2, 1], "same")  # not white
    observed = convolve(scene, lopsided_psf, boundary="wrap") + noise
    noise_power, scene_power = (np.abs(np.fft.fftn(part)) ** 2 for part in (noise, scene))
    ncorr, icorr = (np.fft.fftshift(np.fft.ifftn(power).real) for power in (noise_power, scene_power))
    ours = wiener(observed, lopsided_psf, noise_autocorrelation=ncorr, signal_autocorrelation=icorr, boundary="wrap")
    np.testing.assert_allclose(ours, _deconvwnr(observed, lopsided_psf, noise_power / scene_power), atol=1e-10)


def test_a_scalar_ncorr_is_an_array_of_one_element(observed: Array, scene: Array, lopsided_psf: Array) -> None:
    scene_power = np.abs(np.fft.fftn(scene)) ** 2
    icorr = np.fft.fftshift(np.fft.ifftn(scene_power).real)
    ours = wiener(observed, lopsided_psf, noise_autocorrelation=[[1.5]], signal_autocorrelation=icorr, boundary="wrap")
    np.testing.assert_allclose(ours, _deconvwnr(observed, lopsided_psf, 1.5 / scene_power), atol=1e-10)


# --- edgetaper ------------------------------------------------------------------------------------------------------


def test_edge_taper_weighs_by_the_circular_autocorrelation_of_the_psf(scene: Array, lopsided_psf: Array) -> None:
    weights = np.ones(scene.shape)
    for axis, size in enumerate(scene.shape):
        # Of period size - 1, so that the first and the last pixel both stand at lag 0.
        profile = lopsided_psf.sum(axis=1 - axis)
        correlation = np.fft.ifft(np.abs(np.fft.fft(profile, size - 1)) ** 2).real
        fall = np.append(correlation, correlation[0]) / correlation[0]
        weights *= (1 - fall)[:, None] if axis == 0 else 1 - fall
    blurred = np.fft.ifftn(np.fft.fftn(scene) * _psf2otf(lopsided_psf, scene.shape)).real
    expected = weights * scene + (1 - weights) * blurred
    np.testing.assert_allclose(edge_taper(scene, lopsided_psf), expected, atol=1e-14)
    np.testing.assert_array_equal(edge_taper(scene, lopsided_psf)[10:-10, 10:-10], scene[10:-10, 10:-10])


# --- fspecial -------------------------------------------------------------------------------------------------------


def _moments(psf: Array, degrees: float) -> tuple[Array, float, float]:
    """Centroid from the middle, and the root mean square extent along a direction and across it."""
    rows, columns = (np.arange(side) - side // 2 for side in psf.shape)
    centroid = np.array([psf.sum(1) @ rows, psf.sum(0) @ columns])
    sine, cosine = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    along = -sine * rows[:, None] + cosine * columns
    across = cosine * rows[:, None] + sine * columns
    return centroid, float(np.sqrt(np.sum(psf * along**2))), float(np.sqrt(max(np.sum(psf * across**2), 0)))


@pytest.mark.parametrize(("shape", "sigma"), [((3, 3), 0.5), ((11, 11), 5), ((7, 13), 10), ((13, 5), 1)])
def test_gaussian_is_the_documented_formula_on_the_given_size(shape: tuple[int, int], sigma: float) -> None:
    rows, columns = (np.arange(side) - (side - 1) / 2 for side in shape)
    expected = np.exp(-(rows[:, None] ** 2 + columns**2) / (2 * sigma**2))
    np.testing.assert_allclose(gaussian_psf(sigma, size=shape), expected / expected.sum(), rtol=1e-13)


def test_gaussian_of_even_size_peaks_on_a_pixel_where_matlab_peaks_between_two() -> None:
    ours = gaussian_psf(1, size=6)
    assert np.argmax(ours) == 3 * 6 + 3
    offsets = np.arange(6) - 3.0
    expected = np.exp(-(offsets[:, None] ** 2 + offsets**2) / 2)
    np.testing.assert_allclose(ours, expected / expected.sum(), rtol=1e-13)


def test_average_is_the_box() -> None:
    np.testing.assert_allclose(box_psf(3), np.full((3, 3), 1 / 9), rtol=1e-15)
    np.testing.assert_allclose(box_psf((3, 8)), np.full((3, 8), 1 / 24), rtol=1e-15)


@pytest.mark.parametrize("radius", [1, 2, 5, 10])
def test_disk_is_the_area_under_a_pillbox_in_a_square_of_2r_plus_1(radius: int) -> None:
    fine = 40  # points per pixel and axis
    offsets = (np.arange((2 * radius + 1) * fine) + 0.5) / fine - radius - 0.5
    inside = offsets[:, None] ** 2 + offsets**2 <= radius**2
    area = inside.reshape(2 * radius + 1, fine, 2 * radius + 1, fine).mean(axis=(1, 3))
    psf = disk_psf(radius)
    assert psf.shape == (2 * radius + 1, 2 * radius + 1)
    np.testing.assert_allclose(psf * np.pi * radius**2, area, atol=0.02)
    centroid, rows, columns = _moments(psf, 0)
    np.testing.assert_allclose(centroid, 0, atol=1e-15)
    assert rows == pytest.approx(columns)
    assert rows == pytest.approx(np.sqrt(radius**2 / 4 + 1 / 12), abs=0.05)  # of the disk and of a pixel


def _documented_motion(length: float, degrees: float) -> Array:
    """max(1 - distance to the segment, 0), normalised; the segment joins the first and the last of ``length`` pixels."""
    half, reach = (length - 1) / 2, int(np.ceil(length / 2)) + 1
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    up, right = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    nearest = np.clip(columns * right - rows * up, -half, half)
    weight = np.maximum(1 - np.hypot(rows + nearest * up, columns - nearest * right), 0)
    return weight / weight.sum()


def _same_window(first: Array, second: Array) -> tuple[Array, Array]:
    side = max(*first.shape, *second.shape)
    padded = [np.pad(psf, [((side - size) // 2,) * 2 for size in psf.shape]) for psf in (first, second)]
    return padded[0], padded[1]


@pytest.mark.parametrize("length", [1, 4, 9, 21, 36.5])
@pytest.mark.parametrize("angle", [0, 90, 180])
def test_motion_is_the_documented_kernel_along_the_axes(length: float, angle: float) -> None:
    ours, documented = _same_window(motion_psf(length, angle), _documented_motion(length, angle))
    np.testing.assert_allclose(ours, documented, atol=1e-14)


@pytest.mark.parametrize("length", [9, 20, 31.5, 40])
def test_motion_agrees_with_the_documented_kernel_in_place_length_and_width(length: float) -> None:
    for angle in range(180):
        ours, documented = _same_window(motion_psf(length, angle), _documented_motion(length, angle))
        (centre, along, across), (_, expected_along, expected_across) = (
            _moments(ours, angle),
            _moments(documented, angle),
        )
        np.testing.assert_allclose(centre, 0, atol=1e-12)
        assert along == pytest.approx(expected_along, rel=0.035)
        assert across == pytest.approx(expected_across, abs=0.1)
        assert np.abs(ours - documented).sum() < 0.25


def test_motion_turns_counter_clockwise_from_the_row() -> None:
    for psf in (motion_psf(21, 30), _documented_motion(21, 30)):
        rows, columns = (np.arange(side) - side // 2 for side in psf.shape)
        assert rows @ psf @ columns < 0  # right is up


@pytest.mark.parametrize("alpha", [0, 0.2, 1])
def test_laplacian_of_alpha_is_an_operator(observed: Array, lopsided_psf: Array, alpha: float) -> None:
    side, corner = (1 - alpha) / 4, alpha / 4
    regop = 4 / (alpha + 1) * np.array([[corner, side, corner], [side, -1, side], [corner, side, corner]])
    ours = regularized_filter(observed, lopsided_psf, regularization=0.05, operator=regop, boundary="wrap")
    np.testing.assert_allclose(ours, _deconvreg(observed, lopsided_psf, 0.05, regop), atol=1e-12)
    named = regularized_filter(observed, lopsided_psf, regularization=0.05, boundary="wrap")
    assert np.allclose(ours, named, atol=1e-12) is (alpha == 0)


# --- scikit-image ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operator", [None, np.array([[0, 1.0, 0], [-3, 4, -3], [0, 1, 0]])])
def test_scikit_images_wiener_is_our_regularized_filter(
    observed: Array, lopsided_psf: Array, operator: Array | None
) -> None:
    from skimage.restoration import uft
    from skimage.restoration import wiener as theirs

    expected = theirs(observed, lopsided_psf, 0.05, reg=operator, clip=False)  # type: ignore[no-untyped-call]
    chosen = "laplacian" if operator is None else operator
    ours = regularized_filter(observed, lopsided_psf, regularization=0.05, operator=chosen, boundary="wrap")
    np.testing.assert_allclose(ours, expected, atol=1e-12)
    otf = uft.ir2tf(lopsided_psf, observed.shape)  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(psf_to_otf(lopsided_psf, observed.shape), otf, atol=1e-15)
