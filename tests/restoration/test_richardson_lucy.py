"""Richardson-Lucy against expectation and maximization written with matrices, and what it must say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from restoretk import METHODS, plan_restoration, restore, richardson_lucy
from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.metrics import psnr
from restoretk.noise import poisson_noise
from restoretk.psf import disk_psf

PSF = np.array([[0.02, 0.1, 0.05, 0.08], [0.1, 0.2, 0.1, 0.05], [0.05, 0.05, 0.15, 0.05]])


def window_matrix(psf: Array, frame: tuple[int, ...]) -> Array:
    """H from a scene that goes on by the PSF beyond every edge to the frame that is seen of it, as a dense matrix."""
    scene = tuple(size + side - 1 for size, side in zip(frame, psf.shape, strict=True))
    matrix = np.zeros((*frame, *scene))
    flipped = psf[::-1, ::-1]  # a pixel of the frame sees the scene under it through the flipped PSF
    for row, column in np.ndindex(frame):
        matrix[row, column, row : row + psf.shape[0], column : column + psf.shape[1]] = flipped
    return matrix.reshape(np.prod(frame), np.prod(scene))


def torus_matrix(psf: Array, frame: tuple[int, ...]) -> Array:
    """H on a torus: the PSF, its origin at every pixel in turn."""
    grid = np.zeros(frame)
    grid[: psf.shape[0], : psf.shape[1]] = psf
    columns = [
        np.roll(grid, (row - psf.shape[0] // 2, column - psf.shape[1] // 2), (0, 1)).ravel()
        for row, column in np.ndindex(frame)
    ]
    return np.stack(columns, axis=1)


def by_matrix(matrix: Array, image: Array, iterations: int, seen: Array | None = None) -> Array:
    """The textbook, from an even grey at the mean of what was seen."""
    weight = np.ones(image.size) if seen is None else seen.ravel().astype(float)
    data = np.maximum(image.ravel(), 0) * weight
    share = matrix.T @ weight
    estimate = np.full(matrix.shape[1], data.sum() / weight.sum())
    part = np.clip((share - 0.01) / 0.02, 0, 1)  # of a step that a pixel takes which is hardly seen
    for _ in range(iterations):
        correction = matrix.T @ (data / (matrix @ estimate)) / np.maximum(share, 0.01)
        estimate = estimate * (1 + part * (correction - 1))
    return estimate


def picture(rng: np.random.Generator, shape: tuple[int, ...] = (14, 17)) -> Array:
    return convolve(rng.random(shape) ** 3 + 0.02, np.full((2, 3), 1 / 6)) + 0.01 * rng.standard_normal(shape)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("psf", [PSF, np.array([[0.3], [0.6], [0.05], [0.05]]), np.ones((1, 1))])
def test_beyond_an_unknown_edge_it_is_the_textbook_for_a_window_on_a_larger_scene(
    masked: bool, psf: Array, rng: np.random.Generator
) -> None:
    image = picture(rng)
    mask = rng.random(image.shape) < 0.2 if masked else None
    found = richardson_lucy(image, psf, iterations=6, mask=mask)
    scene = by_matrix(window_matrix(psf, image.shape), image, 6, None if mask is None else ~mask)
    before = [side - 1 - side // 2 for side in psf.shape]
    scene = scene.reshape([size + side - 1 for size, side in zip(image.shape, psf.shape, strict=True)])
    expected = scene[before[0] :, before[1] :][: image.shape[0], : image.shape[1]]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("masked", [False, True])
def test_on_a_torus_it_is_the_textbook_of_the_blur_matrix(masked: bool, rng: np.random.Generator) -> None:
    image = picture(rng)
    mask = rng.random(image.shape) < 0.2 if masked else None
    expected = by_matrix(torus_matrix(PSF, image.shape), image, 6, None if mask is None else ~mask).reshape(image.shape)
    found = richardson_lucy(image, PSF, iterations=6, boundary="wrap", mask=mask)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("boundary", ["wrap", "unknown"])
@pytest.mark.parametrize(("dtype", "close"), [(np.float64, 1e-11), (np.float32, 2e-5), (np.uint16, 2)])
def test_a_large_plane_goes_the_same_way_as_a_small_one(
    boundary: str, dtype: Any, close: float, camera: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = camera[:400, :331]
    image = np.rint(image * 65535).astype(dtype) if dtype is np.uint16 else image.astype(dtype)
    swept = richardson_lucy(image, PSF, iterations=4, boundary=boundary)
    for module in ("_em_steps", "_torus", "_problem"):
        monkeypatch.setattr(f"restoretk.restoration.{module}.LARGE", 1 << 40)
    whole = richardson_lucy(image, PSF, iterations=4, boundary=boundary)
    assert swept.dtype == image.dtype
    np.testing.assert_allclose(swept.astype(float), whole.astype(float), rtol=0, atol=close)


def test_photon_noise_is_restored_and_nothing_is_negative(camera: Array) -> None:
    scene = camera[60:261, 160:431]
    observed = poisson_noise(convolve(camera, disk_psf(3))[60:261, 160:431], 400, rng=3)
    restored = richardson_lucy(observed, disk_psf(3), iterations=10)
    assert restored.min() >= 0
    assert psnr(scene, restored) > psnr(scene, observed) + 1.5


def test_the_unknown_boundary_beats_a_wrong_guess_near_the_edge(camera: Array) -> None:
    psf = disk_psf(5)
    scene, observed = camera[60:261, 160:431], convolve(camera, psf)[60:261, 160:431]
    near = np.ones(scene.shape, bool)
    near[10:-10, 10:-10] = False
    error = {
        boundary: np.mean((richardson_lucy(observed, psf, iterations=40, boundary=boundary) - scene)[near] ** 2)
        for boundary in ("unknown", "wrap", "symmetric", "constant")
    }
    assert min(error, key=lambda name: error[name]) == "unknown"


def test_what_is_below_zero_counts_as_nothing_and_is_told(camera: Array) -> None:
    image = camera[150:210, 150:221] - 0.2
    record = restore(image, PSF, "richardson_lucy:iterations=3")
    np.testing.assert_array_equal(record.image, richardson_lucy(np.maximum(image, 0), PSF, iterations=3))
    count = np.count_nonzero(image < 0)
    assert any(text.startswith(f"{count} pixels are below 0") for text in record.warnings)
    assert restore(camera[:60, :71], PSF, "richardson_lucy:iterations=3").warnings == ()


def test_the_record_says_what_was_done(camera: Array) -> None:
    image = camera[:60, :71]
    record = restore(image, PSF, "richardson_lucy", iterations=4, boundary="wrap")
    assert dict(record.parameters) == {"iterations": 4, "boundary": "wrap"}
    assert record.diagnostics["fft_pairs"] == 8
    misfit = image - convolve(record.image, PSF, boundary="wrap")
    assert record.diagnostics["residual_sigma"] == pytest.approx(np.sqrt(np.mean(misfit**2)), rel=1e-9)
    assert (record.transfer, record.noise_sigma) == (None, None)


def test_the_residual_leaves_out_what_nobody_saw(camera: Array) -> None:
    image, mask = camera[:60, :71].copy(), np.zeros((60, 71), bool)
    mask[20:25, 30:34] = True
    image[mask] = 5
    record = restore(image, PSF, "richardson_lucy", iterations=20, mask=mask)
    assert record.diagnostics["residual_sigma"] < 0.03


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_black_picture_stays_black_and_one_star_is_drawn_together(dtype: Any) -> None:
    black = np.zeros((20, 23), dtype)
    star = black.copy()
    star[9, 11] = 1
    with np.errstate(all="raise", under="ignore"):
        assert not richardson_lucy(black, PSF).any()
        seen = np.maximum(convolve(star, PSF, boundary="wrap"), 0)
        restored = richardson_lucy(seen, PSF, iterations=500, boundary="wrap")
    assert restored[9, 11] > 0.98
    assert restored.sum() == pytest.approx(1, abs=1e-4)


def test_a_plan_gives_its_pixels(camera: Array) -> None:
    image = camera[:60, :71].astype(np.float32)
    for boundary in ("wrap", "unknown"):
        plan = plan_restoration(image.shape, PSF, "richardson_lucy:iterations=3", boundary=boundary)
        np.testing.assert_array_equal(plan(image), richardson_lucy(image, PSF, iterations=3, boundary=boundary))


@pytest.mark.parametrize("iterations", [0, -3, 2.0, "ten", True, None, 100_001, 10**30])
def test_only_a_whole_number_of_steps_is_taken(iterations: Any) -> None:
    with pytest.raises(ValueError, match=rf"iterations must be a whole number from 1 to 100000, got {iterations!r}"):
        METHODS["richardson_lucy"](np.ones((9, 9)), PSF, iterations=iterations)


def test_iterations_may_be_a_number_of_numpy() -> None:
    richardson_lucy(np.ones((9, 9)), PSF, iterations=np.int64(2))
