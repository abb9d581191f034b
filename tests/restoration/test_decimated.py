"""The inverse of a decimation against matrices: pseudo-inverse, Landweber path and Wiener filter, alias class by class."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.metrics import mse
from restoretk.restoration.decimated import Decimation, decimated_inverse, decimated_wiener, landweber_weight
from restoretk.restoration.decimated_spectrum import fit_decimated_spectrum
from restoretk.restoration.signal_spectrum import SignalSpectrum
from restoretk.upsampling import downsample, upsample
from restoretk.upsampling.kernels import bicubic_kernel

LAW = SignalSpectrum(2.0, 2.4, 0.03, (0.0, 0.0, 0.0, 0.0), 0.0)


def lopsided(shape: tuple[int, ...]) -> Array:
    """A kernel without symmetry, some of it negative, of sum 1."""
    kernel = np.random.default_rng(7).random(shape) - 0.1
    return kernel / kernel.sum()


def matrix(kernel: Array, s: int, small: tuple[int, ...]) -> Array:
    """H on a torus, written out: row i of the small grid adds up kernel[t] * f[i*s + t - (k - s)/2]."""
    large = tuple(s * n for n in small)
    rows = np.zeros((*small, *large))
    for i in np.ndindex(small):
        for t in np.ndindex(kernel.shape):
            place = tuple((a * s + b - (k - s) // 2) % n for a, b, k, n in zip(i, t, kernel.shape, large, strict=True))
            rows[(*i, *place)] += kernel[t]
    return rows.reshape(int(np.prod(small)), int(np.prod(large)))


CASES = [
    (lopsided((4, 6)), 2, (5, 4)),
    (lopsided((8, 2)), 2, (4, 7)),
    (lopsided((5, 7)), 3, (3, 5)),
    (np.outer(*[bicubic_kernel(2) / 2] * 2), 2, (5, 7)),
    (np.outer(*[bicubic_kernel(3) / 3] * 2), 3, (4, 5)),
    (lopsided((7,)), 3, (9,)),
    (lopsided((1,)), 3, (5,)),
    (lopsided((2, 4, 2)), 2, (3, 2, 4)),
    (lopsided((12,)), 2, (3,)),  # longer than its torus of 6
]


@pytest.mark.parametrize(("kernel", "s", "small"), CASES)
def test_the_operator_and_its_transpose_are_the_matrix_written_out(
    kernel: Array, s: int, small: tuple[int, ...], rng: np.random.Generator
) -> None:
    dense, operator = matrix(kernel, s, small), Decimation(kernel, s, small)
    f, g = rng.random(operator.large_shape), rng.random(small)
    np.testing.assert_allclose(operator.forward(f[None])[0].ravel(), dense @ f.ravel(), atol=1e-13)
    spread = operator.spread(g[None], np.ones(small))[0]
    np.testing.assert_allclose(spread.ravel(), dense.T @ g.ravel(), atol=1e-13)
    values = np.sort(np.sqrt(operator.squared_singular_values().ravel()))
    np.testing.assert_allclose(values, np.sort(np.linalg.svd(dense, compute_uv=False)), atol=1e-7)


@pytest.mark.parametrize(("kernel", "s", "small"), CASES)
def test_the_inverse_is_the_pseudo_inverse_of_the_matrix(
    kernel: Array, s: int, small: tuple[int, ...], rng: np.random.Generator
) -> None:
    g = rng.random(small)
    ours = decimated_inverse(g, s, kernel, boundary="wrap")
    expected = np.linalg.pinv(matrix(kernel, s, small), rcond=1e-7) @ g.ravel()
    np.testing.assert_allclose(ours.ravel(), expected, atol=1e-9 * max(1.0, np.abs(expected).max()))


def test_what_the_kernel_extinguishes_stays_zero() -> None:
    box = np.full(4, 0.25)  # no response at half a cycle per pixel of the small grid
    g = np.array([1.0, -1, 1, -1, 1, -1])
    np.testing.assert_allclose(decimated_inverse(g, 2, box, boundary="wrap"), 0, atol=1e-12)


@pytest.mark.parametrize("iterations", [1, 2, 7])
@pytest.mark.parametrize(("kernel", "s", "small"), CASES[:6])
def test_the_path_is_the_literal_iteration(
    kernel: Array, s: int, small: tuple[int, ...], iterations: int, rng: np.random.Generator
) -> None:
    dense, g = matrix(kernel, s, small), rng.random(small)
    step, estimate = float(s ** len(small)), np.zeros(dense.shape[1])
    for _ in range(iterations):
        estimate = estimate + step * dense.T @ (g.ravel() - dense @ estimate)
    ours = decimated_inverse(g, s, kernel, iterations=iterations, boundary="wrap")
    np.testing.assert_allclose(ours.ravel(), estimate, atol=1e-12 * max(1.0, np.abs(estimate).max()))


def test_the_path_ends_at_the_inverse(rng: np.random.Generator) -> None:
    g, taps = rng.random((5, 8)), bicubic_kernel(2) / 2
    near = decimated_inverse(g, 2, taps, iterations=500)
    np.testing.assert_allclose(near, decimated_inverse(g, 2, taps), atol=1e-12)


@pytest.mark.parametrize("s", [2, 3, 4])
def test_bicubic_upsampling_is_the_transpose_of_bicubic_decimation(s: int, rng: np.random.Generator) -> None:
    small = (9, 8)
    large = (9 * s, 8 * s)
    impulses = np.eye(72 * s * s).reshape(-1, *large)
    dense = np.stack([downsample(impulse, s).ravel() for impulse in impulses], axis=1)
    g = rng.random(small)
    transposed = (s**2 * dense.T @ g.ravel()).reshape(large)
    inside = np.s_[2 * s : -2 * s, 2 * s : -2 * s]
    np.testing.assert_allclose(upsample(g, s)[inside], transposed[inside], atol=1e-13)
    assert np.abs(upsample(g, s) - transposed).max() > 0.01, "the edges differ by the rule for what lies beyond"
    ours = decimated_inverse(g, s, bicubic_kernel(s) / s, iterations=1)
    np.testing.assert_allclose(ours[inside], transposed[inside], atol=1e-13)
    periodic = s**2 * matrix(np.outer(*[bicubic_kernel(s) / s] * 2), s, small).T @ g.ravel()
    np.testing.assert_allclose(periodic.reshape(large)[inside], transposed[inside], atol=1e-13)


@pytest.mark.parametrize("sigma", [0.0, 0.3])
@pytest.mark.parametrize(("kernel", "s", "small"), CASES)
def test_wiener_is_the_dense_formula(
    kernel: Array, s: int, small: tuple[int, ...], sigma: float, rng: np.random.Generator
) -> None:
    dense, large = matrix(kernel, s, small), tuple(s * n for n in small)
    frequencies = np.meshgrid(*(np.fft.fftfreq(n) for n in large), indexing="ij")
    covariance = np.fft.ifftn(LAW.power_at(frequencies)).real
    # One row for each pixel: the covariance of a stationary scene on a torus.
    scene = np.stack([np.roll(covariance, i, range(len(large))).ravel() for i in np.ndindex(large)])
    g = rng.random(small)
    observed = dense @ scene @ dense.T + sigma**2 * np.eye(len(dense))
    expected = scene @ dense.T @ np.linalg.solve(observed, (g - g.mean()).ravel()) + g.mean()
    ours = decimated_wiener(g, s, kernel, noise_sigma=sigma, signal_spectrum=LAW, boundary="wrap")
    np.testing.assert_allclose(ours.ravel(), expected, atol=1e-9 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("boundary", ["symmetric", "edge", "reflect", "constant"])
def test_without_noise_the_inverse_returns_to_the_picture_that_was_seen(
    boundary: str, rng: np.random.Generator
) -> None:
    g, taps = rng.random((20, 25)), bicubic_kernel(3) / 3
    for restored in (
        decimated_inverse(g, 3, taps, boundary=boundary),
        decimated_wiener(g, 3, taps, noise_sigma=0.0, signal_spectrum=LAW, boundary=boundary),
        decimated_wiener(g, 3, taps, noise_sigma=0.0),
    ):
        np.testing.assert_allclose(downsample(restored, 3)[2:-2, 2:-2], g[2:-2, 2:-2], atol=1e-9)
    transposed = downsample(upsample(g, 3), 3)
    assert np.abs(transposed - g)[2:-2, 2:-2].max() > 0.05


def _field(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    frequencies = [np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :]]
    white = np.fft.fft2(rng.standard_normal(shape))
    return np.fft.ifft2(white * np.sqrt(LAW.power_at(frequencies))).real


@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_the_spectrum_is_found_through_blur_aliases_and_noise(sigma: float, rng: np.random.Generator) -> None:
    small = (96, 81)
    operator = Decimation(np.outer(*[bicubic_kernel(2) / 2] * 2), 2, small)
    planes = operator.forward(_field(operator.large_shape, rng)[None]) + sigma * rng.standard_normal(small)
    fitted = fit_decimated_spectrum(planes, np.abs(operator.adjoint_transfer()) ** 2, 2, sigma, periodic=True)
    assert fitted.exponent == pytest.approx(LAW.exponent, rel=0.06)
    assert fitted.noise_sigma == sigma
    frequencies = [np.array([0.02, 0.1, 0.2, 0.3]), np.array([0.0, 0.05, 0.1, 0.2])]
    np.testing.assert_allclose(fitted.power_at(frequencies), LAW.power_at(frequencies), rtol=0.2)


def test_wiener_has_the_least_error_on_the_scenes_it_assumes(rng: np.random.Generator) -> None:
    small, sigma = (48, 63), 0.4
    operator = Decimation(np.outer(*[bicubic_kernel(2) / 2] * 2), 2, small)
    wiener = functools.partial(decimated_wiener, factor=2, kernel=bicubic_kernel(2) / 2, boundary="wrap")
    errors: dict[str, list[float]] = {}
    for _ in range(8):
        scene = _field(operator.large_shape, rng)
        g = operator.forward(scene[None])[0] + sigma * rng.standard_normal(small)
        rivals = {
            "wiener": wiener(g, noise_sigma=sigma, signal_spectrum=LAW),
            "fitted": wiener(g, noise_sigma=sigma),
            "too little noise": wiener(g, noise_sigma=0.7 * sigma, signal_spectrum=LAW),
            "too much noise": wiener(g, noise_sigma=1.4 * sigma, signal_spectrum=LAW),
            "inverse": decimated_inverse(g, 2, bicubic_kernel(2) / 2, boundary="wrap"),
            "transposed": upsample(g, 2),
        }
        for name, estimate in rivals.items():
            errors.setdefault(name, []).append(mse(scene, estimate))
    mean = {name: np.mean(each) for name, each in errors.items()}
    # The spectrum fitted to a scene may suit it better than that of all scenes, but not by much.
    assert mean.pop("fitted") == pytest.approx(mean["wiener"], rel=0.01)
    assert min(mean, key=lambda name: mean[name]) == "wiener"


def test_the_edges_of_a_frame_do_not_ring(camera: Array) -> None:
    """Cut from a larger picture: near the edges the estimate is little worse than inside."""
    whole = camera[100:228, 180:330]
    g = downsample(whole, 2)[8:-8, 8:-8]
    scene = whole[16:-16, 16:-16]
    taps = bicubic_kernel(2) / 2
    outcome = {
        "unknown": decimated_wiener(g, 2, taps, noise_sigma=0.0),
        "symmetric": decimated_inverse(g, 2, taps),
        "wrap": decimated_inverse(g, 2, taps, boundary="wrap"),
    }
    rim = np.ones(scene.shape, bool)
    rim[4:-4, 4:-4] = False
    at_rim = {name: np.sqrt(np.mean((image - scene)[rim] ** 2)) for name, image in outcome.items()}
    bicubic = np.sqrt(np.mean((upsample(g, 2) - scene)[rim] ** 2))
    assert at_rim["unknown"] < bicubic
    assert at_rim["symmetric"] < 1.05 * bicubic
    assert at_rim["wrap"] > 1.2 * at_rim["symmetric"]


def test_noise_told_and_noise_seen_agree(camera: Array, rng: np.random.Generator) -> None:
    scene = camera[:256, :300]
    g = downsample(scene, 2)
    g = g + 0.04 * rng.standard_normal(g.shape)
    taps = bicubic_kernel(2) / 2
    told, seen = (decimated_wiener(g, 2, taps, noise_sigma=sigma) for sigma in (0.04, "auto"))
    assert mse(scene, seen) < 1.05 * mse(scene, told)
    assert mse(scene, told) < 0.9 * mse(scene, upsample(g, 2))


def test_channels_are_planes_and_dtypes_are_kept(rng: np.random.Generator) -> None:
    g, taps = rng.random((12, 17, 3)), bicubic_kernel(2) / 2
    kept = g.copy()
    together = decimated_inverse(g, 2, taps, channel_axis=-1)
    assert together.shape == (24, 34, 3)
    for channel in range(3):
        np.testing.assert_allclose(together[..., channel], decimated_inverse(g[..., channel], 2, taps), atol=1e-13)
    first = decimated_wiener(np.moveaxis(g, -1, 0), 2, taps, channel_axis=0, noise_sigma=0.1, signal_spectrum=LAW)
    last = decimated_wiener(g, 2, taps, channel_axis=-1, noise_sigma=0.1, signal_spectrum=LAW)
    np.testing.assert_allclose(np.moveaxis(first, 0, -1), last, atol=1e-13)
    np.testing.assert_array_equal(g, kept)
    single = decimated_inverse(g[..., 0].astype(np.float32), 2, taps)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, together[..., 0], atol=1e-5)
    levels = np.rint(255 * g[..., 0]).astype(np.uint8)
    assert decimated_wiener(levels, 2, taps, noise_sigma=0.0).dtype == np.uint8
    alone = decimated_inverse(g[..., 0], 1, [1.0])
    np.testing.assert_allclose(alone, g[..., 0], atol=1e-13)
    assert not np.shares_memory(alone, g)


def test_a_constant_picture_stays_constant() -> None:
    taps = bicubic_kernel(3) / 3
    g = np.full((10, 13), 0.4)
    for large in (
        decimated_inverse(g, 3, taps),
        decimated_wiener(g, 3, taps),
        decimated_wiener(g, 3, taps, noise_sigma=1.0),
    ):
        np.testing.assert_allclose(large, np.full((30, 39), 0.4), atol=1e-12)


def test_one_step_has_the_weight_of_the_step_and_the_limit_is_finite() -> None:
    squared = np.array([0.25, 0.1, 1e-30])
    np.testing.assert_allclose(landweber_weight(squared, 1, 4.0)[:2], 4.0)
    np.testing.assert_allclose(landweber_weight(squared, np.inf, 4.0), [4, 10, 0])


def test_what_cannot_be_used_is_named() -> None:
    g, taps = np.zeros((20, 24)), bicubic_kernel(2) / 2
    with pytest.raises(ValueError, match=r"kernel must have 3, 5, ... taps .* factor 3, got shape \(8, 8\)"):
        decimated_inverse(g, 3, taps)
    with pytest.raises(ValueError, match="kernel must sum to 1, got 2: divide"):
        decimated_inverse(g, 2, 2 * taps)
    with pytest.raises(ValueError, match=r"kernel must have 1 axis or the 1 of the image, got shape \(8, 8\)"):
        decimated_inverse(g[0], 2, np.outer(taps, taps))
    with pytest.raises(ValueError, match="kernel must be finite"):
        decimated_inverse(g, 2, [np.nan, 0.5])
    with pytest.raises(ValueError, match=r"factor must be a whole number >= 1, got 1\.5"):
        decimated_inverse(g, 1.5, taps)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="iterations must be a whole number >= 1 or inf, got 0"):
        decimated_inverse(g, 2, taps, iterations=0)
    with pytest.raises(ValueError, match=r"boundary must be one of wrap, .*, got 'unknown'"):
        decimated_inverse(g, 2, taps, boundary="unknown")
    with pytest.raises(ValueError, match="noise_sigma must be finite and >= 0, got -1"):
        decimated_wiener(g, 2, taps, noise_sigma=-1)
    with pytest.raises(ValueError, match="noise_sigma must be a number >= 0 or 'auto', got 'low'"):
        decimated_wiener(g, 2, taps, noise_sigma="low")
    with pytest.raises(ValueError, match="signal_spectrum must be a SignalSpectrum or 'auto', got 'flat'"):
        decimated_wiener(g, 2, taps, signal_spectrum="flat")
    with pytest.raises(ValueError, match=r"image of shape \(20, 24, 3\) looks like colour"):
        decimated_inverse(np.zeros((20, 24, 3)), 2, taps)
