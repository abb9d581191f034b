"""The background under a measured PSF: named where it is, silent where a PSF has tails, taken off without harm."""

from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.psf import (
    airy_psf,
    box_psf,
    camera_shake_psf,
    check_psf,
    disk_psf,
    find_background,
    gaussian_psf,
    moffat_psf,
    motion_psf,
    subtract_background,
    turbulence_psf,
)
from restoretk.restoration import wiener

GENUINE = {
    "gaussian": gaussian_psf(1.6),
    "wide window": gaussian_psf(1.6, size=41),
    "gaussian cut at one sigma": gaussian_psf(5, size=11),
    "gaussian cut at two sigma": gaussian_psf(5, size=21),
    "strip": gaussian_psf((2, 6), size=(13, 40)),
    "airy": airy_psf(3),
    "airy cut in its rings": airy_psf(3, size=(22, 31)),
    "moffat": moffat_psf(4, 1.5),
    "moffat cut": moffat_psf(6, 1.5, size=25),
    "turbulence": turbulence_psf(0.0025),
    "disk": disk_psf(6),
    "disk that reaches the border": disk_psf(8)[2:-2, 2:-2],
    "box": box_psf(11),
    "motion": motion_psf(25, 30),
    "shake": camera_shake_psf(31, rng=1),
    "shake all over its window": camera_shake_psf(31, rng=27),
    "signal": gaussian_psf(12.0, ndim=1),
    "volume": gaussian_psf((1.0, 2.0, 2.0)),
}
BEADS = {
    "gaussian": gaussian_psf(1.6, size=(24, 31)),
    "disk": np.pad(disk_psf(4), 6),
    "airy": airy_psf(2.5, size=41),
    "motion": np.pad(motion_psf(15, 30), 8),
    "volume": gaussian_psf((1.0, 1.5, 1.5), size=(12, 17, 17)),
    "signal": gaussian_psf(3.0, ndim=1, size=96),
}


def on_a_background(psf: Array, share: float, noise: float, rng: np.random.Generator) -> Array:
    """Counts of a camera: the PSF on a level that holds this share of the sum, with noise, cut off at 0."""
    level = share / (1 - share) * psf.sum() / psf.size
    return 5000 * np.maximum(psf + level * (1 + noise * rng.standard_normal(psf.shape)), 0)


@pytest.mark.parametrize("name", GENUINE)
def test_no_tail_is_taken_for_a_background(name: str, rng: np.random.Generator) -> None:
    psf = GENUINE[name]
    assert not find_background(psf).found
    assert not find_background(np.rint(255 * psf / psf.max())).found
    assert not find_background(rng.poisson(2000 * psf / psf.max())).found
    np.testing.assert_allclose(subtract_background(3 * psf), psf / psf.sum(), rtol=1e-12)


@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize("share", [0.12, 0.3, 0.5])
@pytest.mark.parametrize("name", BEADS)
def test_a_background_is_found_with_its_level_and_share(
    name: str, share: float, noise: float, rng: np.random.Generator
) -> None:
    psf = BEADS[name]
    found = find_background(on_a_background(psf, share, noise, rng))
    assert found.found
    within = 0.4 if noise else 0.2
    assert found.share == pytest.approx(share, rel=within)
    assert found.level == pytest.approx(5000 * share / (1 - share) * psf.sum() / psf.size, rel=within)
    assert f"about {found.share:.0%} of its sum is a flat background of {found.level:.3g}" in found.sentence()


def test_noise_that_was_cut_off_at_zero_is_a_background(rng: np.random.Generator) -> None:
    psf = BEADS["gaussian"]
    noisy = np.maximum(psf + 0.001 * rng.standard_normal(psf.shape), 0)
    assert find_background(noisy).found
    assert find_background(noisy).share == pytest.approx(0.000399 * psf.size / noisy.sum(), rel=0.4)


def test_a_box_in_photon_noise_has_no_background(rng: np.random.Generator) -> None:
    assert not any(find_background(rng.poisson(np.full((15, 15), 9))).found for _ in range(50))


def test_the_verdict_depends_neither_on_scale_nor_on_place(rng: np.random.Generator) -> None:
    measured = on_a_background(np.pad(gaussian_psf(1.5), 8), 0.3, 0.2, rng)
    for other in (1e-9 * measured, np.roll(measured, (5, -6), (0, 1)), measured.T, measured[None]):
        assert find_background(other).found
        assert find_background(other).share == pytest.approx(find_background(measured).share, rel=0.1)


def test_what_is_too_small_or_empty_to_judge_is_passed(rng: np.random.Generator) -> None:
    for psf in (gaussian_psf(1.0, size=7) + 0.1, np.zeros((12, 12)), np.ones((12, 12)), rng.random((20, 21)), [[1.0]]):
        assert not find_background(psf).found
    with pytest.raises(ValueError, match="psf must be finite, got 1 NaN"):
        find_background([0.5, np.nan, 0.5])


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", ["gaussian", "disk", "airy", "motion"])
def test_a_restoration_gets_back_what_the_background_cost(
    name: str, noise: float, camera: Array, rng: np.random.Generator
) -> None:
    psf = BEADS[name] / BEADS[name].sum()
    scene = camera[100:300, 120:340]
    inner = (slice(22, -22), slice(22, -22))
    seen = convolve(scene, psf)[inner] + rng.normal(0, 2 / 255, scene[inner].shape)
    measured = on_a_background(psf, 0.4, noise, rng)

    def loss(kernel: Array) -> float:
        """In decibels, to the restoration by the true PSF."""
        errors = [np.mean((wiener(seen, h) - scene[inner]) ** 2) for h in (kernel, psf)]
        return float(10 * np.log10(errors[0] / errors[1]))

    cleaned = subtract_background(measured)
    assert check_psf(cleaned).shape == psf.shape
    assert loss(measured / measured.sum()) > 3
    assert loss(cleaned) < 0.5


def test_noise_on_both_sides_of_zero_is_taken_off_too(rng: np.random.Generator) -> None:
    psf = np.pad(gaussian_psf(1.6, size=15), 12)
    cleaned = subtract_background(1000 * (psf + 0.0005 * rng.standard_normal(psf.shape)))
    assert cleaned.min() == 0
    assert cleaned.sum() == pytest.approx(1)
    assert np.abs(cleaned - psf).sum() < 0.1
    assert np.count_nonzero(cleaned) < 300  # of 1521: what is not connected to the peak is dark


def test_nothing_but_background_is_refused() -> None:
    for nothing in (np.zeros((12, 12)), np.zeros((0, 3)), -np.ones((12, 12))):
        with pytest.raises(ValueError, match="must hold light above its background, got none"):
            subtract_background(nothing)


def test_the_argument_is_not_written_to(rng: np.random.Generator) -> None:
    measured = on_a_background(BEADS["gaussian"], 0.3, 0.2, rng)
    before = measured.copy()
    subtract_background(measured)
    np.testing.assert_array_equal(measured, before)


def test_a_wrong_sum_names_the_background_that_it_holds() -> None:
    measured = 1000 * (gaussian_psf(1.6, size=21) + 0.001)
    with pytest.raises(
        ValueError, match=r"must sum to 1 within 0.001, got 1441: about 31% of its sum is a flat background of 1 "
    ):
        check_psf(measured)
    with pytest.raises(ValueError, match=r"subtract_background\(psf\) takes it off and divides by the sum"):
        check_psf(measured)
