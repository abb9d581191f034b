"""The verdict on a PSF: against photographs with known mistakes; and the variants that it tries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.diagnostics import compare_psfs, transformed_psf
from restoretk.diagnostics.psf_fit import ANGLES, FACTORS
from restoretk.psf import camera_shake_psf, disk_psf, gaussian_psf, motion_psf
from restoretk.restoration.signal_spectrum import fit_signal_spectrum


def misfit_of(scene: Array, true: Array) -> Callable[[Array], float]:
    """The likelihood of a frame of the scene, blurred by ``true`` and with noise."""
    rng = np.random.default_rng(7)
    frame = convolve(scene, true)[20:-20, 20:-20][:301, :280]
    seen = frame + rng.normal(0, 2 / 255, frame.shape)
    return lambda psf: fit_signal_spectrum(seen, psf, noise_sigma=2 / 255).misfit


@pytest.mark.parametrize("psf_of", [lambda f: gaussian_psf(1.6 * f), lambda f: disk_psf(4 * f)])
def test_a_photograph_tells_a_wrong_width(psf_of: Callable[[float], Array], camera: Array) -> None:
    misfit = misfit_of(camera, psf_of(1.0))
    assert compare_psfs(psf_of(1.0), misfit).verdict == "fits"
    assert compare_psfs(psf_of(1.4), misfit).finding.startswith("the psf is probably too wide, by a factor of about 1.")
    assert compare_psfs(psf_of(0.7), misfit).finding.startswith(
        "the psf is probably too narrow, by a factor of about 1."
    )


def test_a_photograph_tells_a_turned_path(camera: Array) -> None:
    misfit = misfit_of(camera, motion_psf(15, 30))
    assert compare_psfs(motion_psf(15, 30), misfit).verdict == "fits"
    found = compare_psfs(motion_psf(15, 50), misfit)
    assert found.finding == "the psf is probably turned, by about 20 degrees counter-clockwise"
    assert compare_psfs(motion_psf(15, 10), misfit).finding.endswith("20 degrees clockwise")


def test_a_flipped_psf_fits_as_well_as_the_right_one(camera: Array) -> None:
    psf = camera_shake_psf(17, rng=3)
    misfit = misfit_of(camera, psf)
    assert compare_psfs(psf[::-1, ::-1], misfit).given == pytest.approx(compare_psfs(psf, misfit).given, abs=1e-6)


def test_another_shape_and_coloured_noise_are_not_called_a_width(camera: Array) -> None:
    rng = np.random.default_rng(1)
    frame = convolve(camera, gaussian_psf(1.6))[20:-20, 20:-20]
    noise = convolve(rng.standard_normal(frame.shape), gaussian_psf(0.8))
    seen = frame + 2 / 255 * noise / noise.std()
    found = compare_psfs(gaussian_psf(1.6), lambda h: fit_signal_spectrum(seen, h, noise_sigma=1 / 255).misfit)
    assert found.verdict == "unexplained"
    assert found.finding == ""


def test_all_variants_are_tried_but_those_larger_than_the_picture() -> None:
    shapes: list[tuple[int, ...]] = []

    def record(psf: Array) -> float:
        shapes.append(psf.shape)
        return 0.0

    psf = gaussian_psf(1.0)
    assert compare_psfs(psf, record).verdict == "fits"
    assert len(shapes) == 1 + len(FACTORS) + len(ANGLES)
    shapes.clear()
    found = compare_psfs(psf, record, image_shape=(11, 11))
    assert max(max(shape) for shape in shapes) <= 11
    assert set(found.by_factor) < set(FACTORS)
    assert compare_psfs(gaussian_psf(1.0, ndim=1), record).by_angle == {}


@pytest.mark.parametrize("shape", [(9,), (5, 7), (3, 5, 7)])
def test_a_factor_of_one_is_the_identity(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    psf = rng.random(shape)
    psf /= psf.sum()
    np.testing.assert_allclose(transformed_psf(psf, 1.0), psf, rtol=1e-12)


def test_an_even_side_keeps_its_origin(lopsided_psf: Array) -> None:
    same = transformed_psf(lopsided_psf)
    assert same.shape == (5, 7)
    np.testing.assert_allclose(same[:4], lopsided_psf, atol=1e-15)


def test_a_wider_psf_is_wider_by_the_factor() -> None:
    for factor in (0.6, 0.8, 1.2, 1.6):
        wide = transformed_psf(gaussian_psf(4.0), factor)
        rows = np.arange(wide.shape[0]) - wide.shape[0] // 2
        assert np.sqrt(wide.sum(axis=1) @ rows**2) == pytest.approx(4 * factor, rel=0.01)


def test_a_turn_is_counter_clockwise_on_the_screen() -> None:
    turned = transformed_psf(motion_psf(21, 30), angle=20)
    rows, columns = (np.arange(side) - side // 2 for side in turned.shape)
    covariance = np.einsum("ij,i,j->", turned, rows, columns)
    variance = turned.sum(axis=0) @ columns**2 - turned.sum(axis=1) @ rows**2
    assert np.rad2deg(np.arctan2(-2 * covariance, variance)) / 2 == pytest.approx(50, abs=0.5)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="psf must sum to 1"):
        compare_psfs(np.ones((3, 3)), lambda _: 0.0)
    with pytest.raises(ValueError, match="factor must be a number > 0, got -1"):
        transformed_psf(np.ones((1, 1)), -1)
    with pytest.raises(ValueError, match="angle needs a psf of 2 axes, got 1"):
        transformed_psf(np.ones(3) / 3, angle=10)
