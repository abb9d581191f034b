from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import skimage.restoration

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.psf import box_psf, disk_psf, gaussian_psf, motion_psf
from restoretk.restoration import regularized_filter, restore
from restoretk.restoration._torus import open_problem
from restoretk.restoration.operators import operator_power

DATA = Path(__file__).resolve().parents[2] / "data"
BUNDLED = ("camera", "coffee", "astronaut", "chelsea")


def test_a_fixed_number_is_the_filter_of_scikit_image(scene: Array, lopsided_psf: Array) -> None:
    for balance in (1e-3, 0.05, 3.0):
        theirs = skimage.restoration.wiener(scene, lopsided_psf, balance, clip=False)
        ours = regularized_filter(scene, lopsided_psf, regularization=balance, boundary="wrap")
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_the_result_solves_the_normal_equations(lopsided_psf: Array, rng: np.random.Generator) -> None:
    """Minimise ||g - H f||^2 + lambda ||P f||^2 with dense matrices of the blur and of the operator."""
    shape, weight = (6, 9), 0.07
    image = rng.standard_normal(shape)
    operator = np.array([[0.0, 1, 0], [2, -5, 1], [0, 3, 0]])
    units = np.eye(54).reshape(54, *shape)
    H = np.stack([convolve(unit, lopsided_psf, boundary="wrap").ravel() for unit in units], axis=1)
    P = np.stack([convolve(unit, operator, boundary="wrap").ravel() for unit in units], axis=1)
    expected = np.linalg.solve(H.T @ H + weight * P.T @ P, H.T @ image.ravel()).reshape(shape)
    ours = regularized_filter(image, lopsided_psf, regularization=weight, operator=operator, boundary="wrap")
    np.testing.assert_allclose(ours, expected, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("identity", [[1.0]]),
        ("laplacian", [[0, 1.0, 0], [1, -4, 1], [0, 1, 0]]),
        ("biharmonic", [[0, 0, 1.0, 0, 0], [0, 2, -8, 2, 0], [1, -8, 20, -8, 1], [0, 2, -8, 2, 0], [0, 0, 1, 0, 0]]),
    ],
)
def test_named_operators_are_their_stencils(
    name: str, array: list[list[float]], scene: Array, lopsided_psf: Array
) -> None:
    for boundary in ("wrap", "symmetric"):
        named = regularized_filter(scene, lopsided_psf, regularization=0.02, operator=name, boundary=boundary)
        given = regularized_filter(scene, lopsided_psf, regularization=0.02, operator=array, boundary=boundary)
        np.testing.assert_allclose(named, given, atol=1e-12)


def test_gradient_is_the_sum_of_the_forward_differences() -> None:
    rows = operator_power(np.array([[0.0], [-1], [1]]), (4, 7), (9, 12))
    columns = operator_power(np.array([[0.0, -1, 1]]), (4, 7), (9, 12))
    np.testing.assert_allclose(operator_power("gradient", (4, 7), (9, 12)), rows + columns, atol=1e-12)


def test_the_laplacian_stands_on_the_axes_of_the_psf() -> None:
    volume = operator_power("laplacian", (3, 5, 4), (6, 7, 8))
    seven = np.zeros((3, 3, 3))
    seven[1, 1, 1] = -6
    for axis in range(3):
        for end in (0, 2):
            index = [1, 1, 1]
            index[axis] = end
            seven[tuple(index)] = 1
    np.testing.assert_allclose(volume, operator_power(seven, (3, 5, 4), (6, 7, 8)), atol=1e-12)
    flat = operator_power("laplacian", (1, 5), (6, 7))
    np.testing.assert_allclose(flat, operator_power(np.array([[1.0, -2, 1]]), (1, 5), (6, 7)), atol=1e-12)


def _checkerboard(square: int) -> Array:
    """MATLAB's checkerboard: 4 by 4 pairs of squares, the white of the right half at 0.7."""
    rows, columns = np.mgrid[0 : 8 * square, 0 : 8 * square] // square
    board = ((rows + columns) % 2).astype(float)
    board[:, 4 * square :] *= 0.7
    return board


def _psnr(image: Array, reference: Array) -> float:
    return float(-10 * np.log10(((image - reference) ** 2).mean()))


def test_discrepancy_meets_its_constraint_where_a_linear_search_stops_at_a_floor(rng: np.random.Generator) -> None:
    board, psf = _checkerboard(8), gaussian_psf(10, size=7)
    variance = 1e-8
    blurred = convolve(board, psf, boundary="wrap")
    seen = blurred + np.sqrt(variance) * rng.standard_normal(board.shape)
    record = restore(
        seen, psf, "regularized_filter", regularization="discrepancy", noise_sigma=np.sqrt(variance), boundary="wrap"
    )
    residual = ((seen - convolve(record.image, psf, boundary="wrap")) ** 2).sum()
    assert residual == pytest.approx(variance * board.size, rel=0.01)
    floor = regularized_filter(seen, psf, regularization=3.5e-5, boundary="wrap")
    assert _psnr(record.image, board) > _psnr(floor, board) + 8


def test_discrepancy_says_when_the_constraint_cannot_be_met(scene: Array, rng: np.random.Generator) -> None:
    seen = convolve(scene, box_psf(4), boundary="wrap") + 0.01 * rng.standard_normal(scene.shape)
    loud = restore(
        seen, box_psf(4), "regularized_filter", regularization="discrepancy", noise_sigma=10, boundary="wrap"
    )
    assert not loud.criteria["discrepancy"].attained
    assert "cannot be met" in loud.warnings[0]
    quiet = restore(
        seen, box_psf(4), "regularized_filter", regularization="discrepancy", noise_sigma=0, boundary="wrap"
    )
    assert "below every residual power" in quiet.warnings[0]


@pytest.mark.parametrize("boundary", ["wrap", "symmetric", "unknown"])
def test_the_noise_power_of_the_constraint_is_that_of_the_observed_pixels(
    boundary: str, scene: Array, lopsided_psf: Array, rng: np.random.Generator
) -> None:
    """What was estimated beyond the frame brings no noise of its own; what a boundary rule copied there does."""
    seen = convolve(scene, lopsided_psf) + 0.02 * rng.standard_normal(scene.shape)
    options = {"regularization": "discrepancy", "noise_sigma": 0.02, "boundary": boundary}
    record = restore(seen, lopsided_psf, "regularized_filter", **options)
    assert record.criteria["discrepancy"].attained
    torus = open_problem(seen, lopsided_psf, boundary, None).torus
    observed = scene.size if boundary == "unknown" else np.prod(torus)
    residual_power = record.diagnostics["residual_sigma"] ** 2 * np.prod(torus)
    assert residual_power == pytest.approx(observed * 0.02**2, rel=1e-4)
    assert boundary == "wrap" or np.prod(torus) > scene.size


def test_gcv_is_near_the_oracle_on_the_bundled_photographs() -> None:
    psfs = [gaussian_psf(1.6), disk_psf(4), motion_psf(15, angle=30), box_psf(9)]
    losses = []
    for index, name in enumerate(BUNDLED):
        picture = iio.imread(DATA / f"{name}.png").astype(np.float64) / 255
        scene = picture if picture.ndim == 2 else picture @ [0.2125, 0.7154, 0.0721]
        for psf in psfs:
            for level in (1, 5):
                noise = level / 255 * np.random.default_rng(index).standard_normal(scene.shape)
                seen = convolve(scene, psf, boundary="wrap") + noise
                losses.append(_loss_to_the_oracle(seen, psf, scene))
    assert np.mean(losses) < 0.02
    assert max(losses) < 0.1


def _loss_to_the_oracle(seen: Array, psf: Array, scene: Array) -> float:
    from scipy.optimize import minimize_scalar

    def error(log: float) -> float:
        return -_psnr(regularized_filter(seen, psf, regularization=np.exp(log), boundary="wrap"), scene)

    automatic = restore(seen, psf, "regularized_filter", boundary="wrap")
    chosen = np.log(float(automatic.parameters["regularization"]))
    oracle = minimize_scalar(error, bounds=(chosen - 3, chosen + 3), method="bounded", options={"maxiter": 12})
    return float(-oracle.fun) - _psnr(automatic.image, scene)


def test_bad_choices_are_named(scene: Array, lopsided_psf: Array) -> None:
    cases = [
        ({"regularization": -1}, "regularization must be a number >= 0 or one of gcv, .*, got -1"),
        ({"regularization": "best"}, "regularization must be a number >= 0 or one of gcv, .*, got 'best'"),
        ({"regularization": np.nan}, "regularization must be a number >= 0"),
        (
            {"operator": "sobel"},
            "operator must be one of identity, gradient, laplacian, biharmonic or an array, got 'sobel'",
        ),
        ({"operator": np.zeros((3, 3))}, "operator must be a non-zero array of 2 axes"),
        ({"operator": np.ones(3)}, "operator must be a non-zero array of 2 axes"),
        ({"operator": np.ones((50, 3)), "boundary": "wrap"}, r"operator of shape \(50, 3\) is larger than the image"),
        ({"noise_sigma": -1}, "noise_sigma must be a number >= 0 or 'auto', got -1"),
        ({"noise_sigma": "low"}, "noise_sigma must be a number >= 0 or 'auto', got 'low'"),
    ]
    for options, match in cases:
        with pytest.raises(ValueError, match=match):
            regularized_filter(scene, lopsided_psf, **options)
