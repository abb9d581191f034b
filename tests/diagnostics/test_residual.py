"""What the residual says, where the truth is known: noise of known colour, filters of known strength."""

from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import Blur, convolve
from restoretk.degradation import degrade
from restoretk.diagnostics import ResidualAudit, audit_residual
from restoretk.psf import disk_psf, gaussian_psf, motion_psf
from restoretk.restoration import regularized_filter, restore
from restoretk.restoration.signal_spectrum import fit_signal_spectrum

SIGMA = 3 / 255


def frame_of(scene: Array, psf: Array, noise: Array) -> Array:
    return (convolve(scene, psf) + SIGMA * noise)[20:-20, 20:-20][:301, :280]


def white(scene: Array) -> Array:
    return np.random.default_rng(3).standard_normal(scene.shape)


def test_the_truth_leaves_the_noise_and_nothing_else(lopsided_psf: Array, rng: np.random.Generator) -> None:
    scene = rng.random((101, 128))
    for boundary in ("wrap", "symmetric", "unknown"):
        named = "symmetric" if boundary == "unknown" else boundary
        blurred = Blur(lopsided_psf, scene.shape, named).forward(scene)
        seen = blurred + rng.normal(0, 0.05, scene.shape)
        audit = audit_residual(seen, lopsided_psf, scene, noise_sigma=0.05, boundary=boundary)
        assert audit.chi2_ratio == pytest.approx(1, abs=4 * np.sqrt(2 / scene.size))
        assert audit.residual_sigma == pytest.approx(0.05, rel=0.03)
        assert audit.autocorrelation.shape == (7, 7)
        assert audit.autocorrelation[3, 3] == 1
        off_centre = np.delete(audit.autocorrelation.ravel(), 24)
        assert np.abs(off_centre).max() < 4.5 / np.sqrt(scene.size)


def test_degrees_of_freedom_correct_chi_square(lopsided_psf: Array, rng: np.random.Generator) -> None:
    scene = rng.random((64, 63))
    seen = scene + 0.1
    plain, corrected = (
        audit_residual(seen, lopsided_psf, scene, noise_sigma=0.1, degrees_of_freedom=part).chi2_ratio
        for part in (None, 0.25)
    )
    assert corrected == pytest.approx(plain / 0.75)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_whiteness_test_keeps_its_level(channels: int) -> None:
    psf = gaussian_psf(2.0)
    rng = np.random.default_rng(5)
    shape = (128, 131, channels)
    p_values = []
    for _ in range(150):
        noise = rng.standard_normal(shape)
        audit = audit_residual(noise, psf, np.zeros(shape), noise_sigma=1.0, boundary="wrap", channel_axis=-1)
        p_values.append(audit.whiteness_p_value)
    for level in (0.05, 0.5):
        expected = level + 3 * np.sqrt(level * (1 - level) / len(p_values))
        assert np.mean(np.array(p_values) < level) < expected
    assert np.mean(np.array(p_values) < 0.5) > 0.3  # and is not idle


def test_noise_that_is_not_white_is_noticed(camera: Array) -> None:
    psf = gaussian_psf(1.6)
    smooth = convolve(white(camera), gaussian_psf(0.6))
    seen = frame_of(camera, psf, smooth / smooth.std())
    audit = audit_residual(seen, psf, restore(seen, psf).image)
    assert audit.whiteness_p_value < 1e-6
    assert any("the noise is not white" in sentence for sentence in audit.findings)


@pytest.mark.parametrize(
    "psf", [gaussian_psf(1.6), disk_psf(4), motion_psf(15, 30)], ids=["gaussian", "disk", "motion"]
)
def test_a_good_restoration_is_passed_in_silence(psf: Array, camera: Array) -> None:
    seen = frame_of(camera, psf, white(camera))
    audit = audit_residual(
        seen, psf, restore(seen, psf).image, misfit=lambda h: fit_signal_spectrum(seen, h, noise_sigma=SIGMA).misfit
    )
    assert audit.findings == ()
    assert audit.noise_sigma == pytest.approx(SIGMA, rel=0.05)
    assert 0.3 < audit.chi2_ratio < 1
    assert audit.psf_fit is not None
    assert audit.psf_fit.verdict == "fits"


def test_a_wrong_psf_is_named_in_the_findings(camera: Array) -> None:
    seen = frame_of(camera, disk_psf(4), white(camera))
    audit = audit_residual(
        seen,
        disk_psf(5.5),
        restore(seen, disk_psf(5.5)).image,
        misfit=lambda h: fit_signal_spectrum(seen, h, noise_sigma=SIGMA).misfit,
    )
    assert audit.findings[0].startswith("the psf is probably too wide")


def test_the_strength_of_the_filter_shows(camera: Array) -> None:
    psf = disk_psf(4)
    scene = camera[100:360, 100:401]
    seen = convolve(scene, psf, boundary="wrap") + SIGMA * white(scene)

    def audit(regularization: float) -> ResidualAudit:
        restored = regularized_filter(seen, psf, regularization=regularization, boundary="wrap")
        return audit_residual(seen, psf, restored, noise_sigma=SIGMA, boundary="wrap")

    best = float(restore(seen, psf, "regularized_filter", boundary="wrap").parameters["regularization"])
    assert audit(best).findings == ()
    assert "over-regularised" in audit(300 * best).findings[0]
    assert "under-regularised" in audit(1e-4 * best).findings[0]


def test_channels_have_their_own_noise(camera: Array, rng: np.random.Generator) -> None:
    psf = gaussian_psf(1.6)
    colour = np.stack([camera[:200, :180], camera[200:400, 200:380], camera[:200, 300:480]], axis=-1)
    blurred = convolve(colour, psf, channel_axis=-1)
    seen = blurred + rng.standard_normal(colour.shape) * [0.005, 0.01, 0.02]
    audit = audit_residual(seen, psf, colour, channel_axis=-1)
    assert audit.noise_sigma == pytest.approx(np.sqrt(np.mean(np.square([0.005, 0.01, 0.02]))), rel=0.05)
    assert audit.chi2_ratio == pytest.approx(1, abs=0.1)
    assert audit.whiteness_p_value > 0.001


@pytest.mark.parametrize("shape", [(20000,), (40, 44, 48)])
def test_one_and_three_axes_are_audited_too(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    psf = gaussian_psf(1.5, ndim=len(shape))
    scene = rng.random(shape)
    seen = convolve(scene, psf, boundary="wrap") + rng.normal(0, 0.1, shape)
    audit = audit_residual(seen, psf, scene, noise_sigma=0.1, boundary="wrap")
    assert audit.chi2_ratio == pytest.approx(1, abs=5 * np.sqrt(2 / scene.size))
    assert audit.autocorrelation.shape == (7,) * len(shape)
    assert audit.whiteness_p_value > 0.001


def test_integers_are_fractions_of_their_range(camera: Array) -> None:
    psf = gaussian_psf(1.6)
    seen = np.rint(255 * frame_of(camera, psf, white(camera))).clip(0, 255).astype(np.uint8)
    restored = restore(seen / 255, psf).image
    of_integers = audit_residual(seen, psf, restored, noise_sigma=SIGMA)
    of_floats = audit_residual(seen / 255, psf, restored, noise_sigma=SIGMA)
    assert of_integers.chi2_ratio == pytest.approx(of_floats.chi2_ratio, rel=1e-4)


def test_channels_may_have_their_own_psf(camera: Array) -> None:
    psfs = np.stack([gaussian_psf(sigma, size=(13, 14)) for sigma in (1.3, 1.6, 2.0)], axis=-1)
    colour = np.stack([camera[:200, :180], camera[200:400, 200:380], camera[:200, 300:480]], axis=-1)
    seen = degrade(colour, psfs, noise=f"gaussian:sigma={SIGMA}", channel_axis=-1, rng=3)
    audit = audit_residual(seen, psfs, colour, noise_sigma=SIGMA, channel_axis=-1)
    assert audit.chi2_ratio == pytest.approx(1, abs=0.05)
    assert audit.whiteness_p_value > 0.001
    wrong = audit_residual(seen, psfs[..., ::-1], colour, noise_sigma=SIGMA, channel_axis=-1)
    assert wrong.chi2_ratio > 1.1
    thrice = np.stack([psfs[..., 0]] * 3, axis=-1)
    one, three = (audit_residual(seen, h, colour, noise_sigma=SIGMA, channel_axis=-1) for h in (psfs[..., 0], thrice))
    assert three.chi2_ratio == pytest.approx(one.chi2_ratio)
    assert three.bright_excess == pytest.approx(one.bright_excess)
    restored = restore(seen, psfs, channel_axis=-1).image
    assert audit_residual(seen, psfs, restored, channel_axis=-1).findings == ()
    with pytest.raises(ValueError, match="misfit must judge one psf, got 3: audit each channel by itself"):
        audit_residual(seen, psfs, colour, misfit=lambda _: 0.0, channel_axis=-1)


def test_bad_arguments_are_named(rng: np.random.Generator) -> None:
    image, psf = rng.random((30, 31)), np.full((3, 4), 1 / 12)
    with pytest.raises(ValueError, match=r"restored must have the shape \(30, 31\) of the image, got \(30, 30\)"):
        audit_residual(image, psf, image[:, 1:])
    with pytest.raises(ValueError, match="noise_sigma must be a number > 0, got 0"):
        audit_residual(image, psf, image, noise_sigma=0)
    with pytest.raises(ValueError, match="none was found, give noise_sigma"):
        audit_residual(np.ones((30, 31)), psf, image)
    with pytest.raises(ValueError, match=r"degrees_of_freedom must be a share of the pixels in \[0, 1\), got 1"):
        audit_residual(image, psf, image, noise_sigma=1, degrees_of_freedom=1)
    with pytest.raises(ValueError, match=r"boundary must be one of wrap, .*, unknown, got 'mirror'"):
        audit_residual(image, psf, image, noise_sigma=1, boundary="mirror")
    with pytest.raises(
        ValueError, match=r"image must leave 16 pixels on every axis away from its edges, got \(12, 27\)"
    ):
        audit_residual(image[:14], psf, image[:14], noise_sigma=1)
    with pytest.raises(ValueError, match=r"psf of shape \(3, 4\) is larger than the image \(2, 31\)"):
        audit_residual(image[:2], psf, image[:2], noise_sigma=1)
    with pytest.raises(ValueError, match="psf must not be negative"):
        audit_residual(image, -psf, image, noise_sigma=1)
