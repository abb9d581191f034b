"""The estimated noise level against noise that was put in: blurred, sharp, clipped, quantised, tiny, one axis to three."""

from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.noise_estimation import (
    PoissonGaussianNoise,
    estimate_noise_sigma,
    estimate_poisson_gaussian,
    measure_noise,
)
from restoretk.noise_estimation.quiet_blocks import _blocks_of_bands, quiet_sigma_on_torus


def valid_frame(scene: Array, psf: Array) -> Array:
    """The blurred scene where no pixel depends on what lies beyond it."""
    blurred = convolve(scene, psf)
    return blurred[tuple(slice(side, size - side) for side, size in zip(psf.shape, blurred.shape, strict=True))]


def gaussian_psf(sigma: float = 1.6) -> Array:
    profile = np.exp(-0.5 * (np.arange(-6, 7) / sigma) ** 2)
    psf = np.outer(profile, profile)
    return psf / psf.sum()


def motion_psf() -> Array:
    psf = np.zeros((9, 15))
    psf[np.round(np.linspace(8, 0, 15)).astype(int), np.arange(15)] = 1 / 15
    return psf


def disk_psf(radius: float = 4) -> Array:
    offset = np.arange(-5, 6)
    psf = (np.hypot(*np.meshgrid(offset, offset)) <= radius).astype(float)
    return psf / psf.sum()


PSFS = {"gaussian": gaussian_psf(), "motion": motion_psf(), "disk": disk_psf(), "box": np.full((9, 9), 1 / 81)}


@pytest.mark.parametrize("level", [0.5, 2.0, 10.0])
@pytest.mark.parametrize("name", PSFS)
def test_a_blurred_photograph_tells_its_noise_to_a_few_per_cent(
    name: str, level: float, camera: Array, rng: np.random.Generator
) -> None:
    frame = valid_frame(camera, PSFS[name])
    noisy = frame + rng.normal(0, level / 255, frame.shape)
    assert estimate_noise_sigma(noisy) == pytest.approx(level / 255, rel=0.07)
    assert measure_noise(noisy)[0].confidence > 0.5


def test_knowing_the_psf_does_no_harm(camera: Array, rng: np.random.Generator) -> None:
    for psf in PSFS.values():
        noisy = valid_frame(camera, psf)[:201, 50:333]
        noisy = noisy + rng.normal(0, 1 / 255, noisy.shape)
        assert estimate_noise_sigma(noisy, psf) == pytest.approx(1 / 255, rel=0.15)


def test_white_noise_alone_is_measured_at_any_size(rng: np.random.Generator) -> None:
    for shape in [(64, 64), (65, 201), (17, 40), (300,), (20, 31, 24)]:
        found = [estimate_noise_sigma(rng.normal(0.5, 0.1, shape)) for _ in range(5)]
        assert np.mean(found) == pytest.approx(0.1, rel=0.1), shape


def test_a_small_blurred_picture_is_measured_within_a_quarter(camera: Array, rng: np.random.Generator) -> None:
    frame = valid_frame(camera, gaussian_psf())[120:184, 200:264]
    assert estimate_noise_sigma(frame + rng.normal(0, 0.01, frame.shape)) == pytest.approx(0.01, rel=0.25)


def test_a_sharp_picture_with_a_sky_is_not_far_off(camera: Array, rng: np.random.Generator) -> None:
    estimate = measure_noise(camera + rng.normal(0, 5 / 255, camera.shape))[0]
    assert estimate.sigma == pytest.approx(5 / 255, rel=0.1)
    assert estimate.sigma < estimate.spectral_floor


def test_a_sharp_texture_is_known_to_be_uncertain(rng: np.random.Generator) -> None:
    rows, columns = np.fft.fftfreq(200)[:, None], np.fft.rfftfreq(201)
    falling = (0.02 + np.hypot(rows, columns)) ** -1.5
    texture = np.fft.irfft2(falling * np.fft.rfft2(rng.standard_normal((200, 201))), s=(200, 201))
    uncertain = measure_noise(texture + rng.normal(0, 0.003 * texture.std(), texture.shape))[0]
    assert uncertain.sigma > 0.006 * texture.std()
    assert uncertain.confidence < 0.6
    assert measure_noise(rng.normal(0, 1, (200, 201)))[0].confidence > 0.9


def test_the_estimate_scales_with_the_picture_and_ignores_its_level(camera: Array, rng: np.random.Generator) -> None:
    noisy = valid_frame(camera, disk_psf()) + rng.normal(0, 0.01, (490, 490))
    sigma = estimate_noise_sigma(noisy)
    assert estimate_noise_sigma(64 * noisy) == pytest.approx(64 * sigma, rel=1e-9)
    assert estimate_noise_sigma(noisy + 8) == pytest.approx(sigma, rel=1e-6)


def test_eight_bits_are_read_as_fractions_and_their_rounding_counts(camera: Array, rng: np.random.Generator) -> None:
    frame = valid_frame(camera, gaussian_psf())
    noisy = np.round(255 * np.clip(frame + rng.normal(0, 2 / 255, frame.shape), 0, 1)).astype(np.uint8)
    assert estimate_noise_sigma(noisy) == pytest.approx(np.hypot(2, 12**-0.5) / 255, rel=0.05)
    clean = np.round(255 * frame).astype(np.uint8)
    for image in (clean, clean / 255):  # the grey levels show in floats as well
        estimate = measure_noise(image)[0]
        assert estimate.step == pytest.approx(1 / 255)
        assert estimate.sigma == pytest.approx(1 / 255 / np.sqrt(12), rel=0.05)


def test_line_art_is_not_taken_for_coarsely_quantised() -> None:
    page = np.zeros((64, 80))
    page[8:56:6, 8:72] = 1
    assert measure_noise(page)[0].step == 0


def test_clipped_regions_do_not_pass_for_quiet_ones(camera: Array, rng: np.random.Generator) -> None:
    frame = 1.6 * valid_frame(camera, gaussian_psf()) - 0.3  # a quarter of it black, a fifth white
    noisy = np.clip(frame + rng.normal(0, 0.02, frame.shape), 0, 1)
    assert ((noisy == 0) | (noisy == 1)).mean() > 0.2
    assert estimate_noise_sigma(noisy) == pytest.approx(0.02, rel=0.25)


def test_half_clipped_blocks_do_not_pass_for_quiet_ones(camera: Array, rng: np.random.Generator) -> None:
    dark = camera - 0.02  # the coat of the man is black with half of its noise cut off
    noisy = np.clip(dark + rng.normal(0, 0.02, camera.shape), 0, 1)
    assert 0.9 * 0.02 < estimate_noise_sigma(noisy) < 1.2 * 0.02


def test_a_letterbox_does_not_dilute_the_noise(camera: Array, rng: np.random.Generator) -> None:
    frame = valid_frame(camera, gaussian_psf())
    noisy = frame + rng.normal(0, 0.02, frame.shape)
    noisy[:100] = noisy[-100:] = 0.4
    assert estimate_noise_sigma(noisy) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("value", [0.0, 0.6])
def test_a_constant_picture_has_no_noise(value: float) -> None:
    estimate = measure_noise(np.full((40, 50), value))[0]
    assert estimate.sigma == 0
    assert estimate.confidence == 0


def test_channels_are_measured_apart(camera: Array, rng: np.random.Generator) -> None:
    frame = valid_frame(camera, gaussian_psf())
    levels = np.array([0.005, 0.01, 0.02])
    colour = frame[..., None] + levels * rng.standard_normal((*frame.shape, 3))
    sigmas = estimate_noise_sigma(colour, channel_axis=-1)
    assert isinstance(sigmas, np.ndarray)
    np.testing.assert_allclose(sigmas, levels, rtol=0.05)
    np.testing.assert_allclose(estimate_noise_sigma(np.moveaxis(colour, -1, 0), channel_axis=0), sigmas)


def test_a_stack_of_planes_has_one_level(camera: Array, rng: np.random.Generator) -> None:
    frame = valid_frame(camera, gaussian_psf())[:150, :160]
    stack = frame + rng.normal(0, 0.01, (3, *frame.shape))
    assert estimate_noise_sigma(stack, gaussian_psf()) == pytest.approx(0.01, rel=0.1)


def test_signals_and_volumes_are_measured(rng: np.random.Generator) -> None:
    time = np.arange(2000)
    signal = np.sin(time / 30) + 0.3 * np.sin(time / 11)
    assert estimate_noise_sigma(signal + rng.normal(0, 0.05, 2000)) == pytest.approx(0.05, rel=0.15)
    volume = np.sin(np.indices((30, 40, 41)).sum(0) / 9)
    assert estimate_noise_sigma(volume + rng.normal(0, 0.05, volume.shape)) == pytest.approx(0.05, rel=0.1)


def test_a_large_picture_is_measured_in_windows(rng: np.random.Generator) -> None:
    rows, columns = np.mgrid[0:1500, 0:1400].astype(np.float32)
    noisy = np.sin(rows / 40) * np.cos(columns / 30) + rng.normal(0, 0.03, (1500, 1400)).astype(np.float32)
    assert estimate_noise_sigma(noisy) == pytest.approx(0.03, rel=0.03)


@pytest.mark.parametrize("shape", [(60, 81), (700,), (12, 17, 20)])
def test_quiet_blocks_of_a_torus_do_not_depend_on_where_it_is_cut(
    shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    plane = rng.normal(0, 0.1, shape) + np.sin(np.arange(shape[-1]) / 3)
    sigma = quiet_sigma_on_torus(plane)
    assert sigma == pytest.approx(0.1, rel=0.25)
    shifted = np.roll(plane, tuple(range(5, 5 + len(shape))), tuple(range(len(shape))))
    assert quiet_sigma_on_torus(shifted) == pytest.approx(sigma, rel=1e-9)
    assert np.isnan(quiet_sigma_on_torus(plane[:3]))


def test_the_image_is_not_written_to(scene: Array) -> None:
    before = scene.copy()
    measure_noise(scene)
    estimate_poisson_gaussian(scene)
    assert (scene == before).all()


def test_each_channel_is_measured_through_its_own_psf(camera: Array, rng: np.random.Generator) -> None:
    psfs = [np.pad(psf, [((15 - side) // 2, (16 - side) // 2) for side in psf.shape]) for psf in PSFS.values()]
    frames = [valid_frame(camera, psf)[:201, 50:333] for psf in psfs]
    noisy = np.stack(frames) + rng.normal(0, 1 / 255, (4, *frames[0].shape))
    alone = [estimate_noise_sigma(channel, psf) for channel, psf in zip(noisy, psfs, strict=True)]
    np.testing.assert_array_equal(estimate_noise_sigma(noisy, np.stack(psfs), channel_axis=0), alone)
    last = estimate_noise_sigma(np.moveaxis(noisy, 0, -1), np.stack(psfs, axis=-1), channel_axis=-1)
    np.testing.assert_allclose(last, alone, rtol=1e-6)


def test_wrong_arguments_are_named(scene: Array) -> None:
    with pytest.raises(ValueError, match=r"looks like colour: pass channel_axis"):
        estimate_noise_sigma(np.zeros((32, 32, 3)))
    with pytest.raises(ValueError, match=r"fewer than the 2 spatial"):
        estimate_noise_sigma(np.zeros(32), np.full((3, 3), 1 / 9))
    with pytest.raises(ValueError, match=r"must have a spatial axis"):
        estimate_noise_sigma(np.zeros(32), channel_axis=0)
    with pytest.raises(ValueError, match=r"image must be finite"):
        estimate_noise_sigma(np.where(scene > 0.5, np.nan, scene))
    with pytest.raises(ValueError, match=r"looks like colour: pass channel_axis"):
        estimate_poisson_gaussian(np.zeros((32, 32, 3)))
    with pytest.raises(ValueError, match=r"must have a spatial axis"):
        estimate_poisson_gaussian(np.zeros(3), channel_axis=0)
    with pytest.raises(ValueError, match=r"at least 1024 pixels that are not clipped"):
        estimate_poisson_gaussian(scene[:10, :10])


@pytest.mark.parametrize(("gain", "floor"), [(1e-3, 0.01), (4e-3, 0.0), (0.0, 0.01)])
def test_gain_and_floor_of_a_blurred_photograph_are_found(
    gain: float, floor: float, camera: Array, rng: np.random.Generator
) -> None:
    frame = np.clip(valid_frame(camera, gaussian_psf()), 0, None)
    shot = rng.poisson(frame / gain) * gain if gain else frame
    found = estimate_poisson_gaussian(shot + rng.normal(0, floor, frame.shape))
    assert found.gain == pytest.approx(gain, rel=0.15, abs=2e-5)
    middle = found.mean_level
    assert float(found.sigma(middle)) == pytest.approx(np.sqrt(gain * middle + floor**2), rel=0.03)


def test_the_line_is_evaluated_as_it_is_written() -> None:
    noise = PoissonGaussianNoise(gain=0.01, floor=0.2, mean_level=0.5)
    np.testing.assert_allclose(noise.sigma([0, 1, 4]), np.sqrt([0.04, 0.05, 0.08]))
    assert noise.sigma(-100) == 0


def test_channels_of_one_sensor_are_pooled(camera: Array, rng: np.random.Generator) -> None:
    frame = np.clip(valid_frame(camera, gaussian_psf()), 0, None)
    colour = np.stack([0.4 * frame, 0.7 * frame, frame])
    found = estimate_poisson_gaussian(rng.poisson(colour * 500) / 500, channel_axis=0)
    assert found.gain == pytest.approx(1 / 500, rel=0.1)


def test_hidden_pixels_do_not_count(rng: np.random.Generator) -> None:
    """Whatever is under the mask, in every spelling: blocks and scattered pixels, float, integers and channels."""
    rows, columns = np.mgrid[0:141, 0:180]
    clean = 0.5 + 0.2 * np.sin(rows / 9) * np.cos(columns / 7)
    noisy = clean + rng.normal(0, 0.02, clean.shape)
    hidden = rng.random(clean.shape) < 0.05
    hidden[20:60, 30:90] = True
    for value in (0.0, np.nan, 37.0):
        spoiled = np.where(hidden, value, noisy)
        assert estimate_noise_sigma(spoiled, mask=hidden) == pytest.approx(0.02, rel=0.05)
    holes = np.where(hidden, np.nan, noisy)
    assert estimate_noise_sigma(holes, mask="nan") == estimate_noise_sigma(holes, mask=hidden)
    lamp = noisy.copy()
    lamp[20:60, 30:90] = 1.0
    lamp[20:25, 100:130] = np.nan
    assert estimate_noise_sigma(lamp, mask="nan+saturated") == pytest.approx(0.02, rel=0.05)
    levels = np.rint(255 * np.where(hidden, 1, noisy)).astype(np.uint8)
    assert estimate_noise_sigma(levels, mask="saturated") == pytest.approx(0.02, rel=0.05)
    colour = np.stack([holes, clean + rng.normal(0, 0.05, clean.shape)], -1)
    found = estimate_noise_sigma(colour, channel_axis=-1, mask="nan")
    np.testing.assert_allclose(found, [0.02, 0.05], rtol=0.06)
    np.testing.assert_allclose(
        estimate_noise_sigma(np.nan_to_num(colour), channel_axis=-1, mask=hidden), [0.02, 0.05], rtol=0.06
    )


def test_an_empty_mask_changes_nothing(rng: np.random.Generator) -> None:
    noisy = rng.normal(0.5, 0.1, (64, 71))
    plain = measure_noise(noisy)
    assert measure_noise(noisy, mask=np.zeros(noisy.shape, bool)) == plain
    assert measure_noise(noisy, mask="nan") == plain


def test_bad_masks_are_named(rng: np.random.Generator) -> None:
    noisy = rng.normal(0.5, 0.1, (64, 71))
    for mask, match in (
        ("holes", "mask must be a boolean array or nan or saturated or both joined by \\+, got 'holes'"),
        (np.zeros((3, 3), bool), r"mask must be boolean of shape \(64, 71\)"),
        (np.zeros(noisy.shape), "mask must be boolean of shape .* got float64"),
        (np.ones(noisy.shape, bool), "mask must leave at least one pixel"),
    ):
        with pytest.raises(ValueError, match=match):
            estimate_noise_sigma(noisy, mask=mask)
    with pytest.raises(ValueError, match="image must be finite"):
        estimate_noise_sigma(np.where(noisy > 0.6, np.nan, noisy))


def test_the_error_of_the_gain_tells_shot_noise_from_none(rng: np.random.Generator) -> None:
    ramp = np.linspace(0.1, 0.9, 256) * np.ones((256, 1))
    shot = estimate_poisson_gaussian(rng.poisson(ramp * 1000) / 1000)
    assert shot.gain > 10 * shot.gain_error > 0
    white = estimate_poisson_gaussian(ramp + rng.normal(0, 0.02, ramp.shape))
    assert white.gain < 4 * white.gain_error


def test_what_stands_in_for_hidden_pixels_is_not_taken_for_a_quiet_place(rng: np.random.Generator) -> None:
    noisy = 0.5 + rng.normal(0, 0.02, (128, 160))
    noisy[:, 80:] += rng.normal(0, 0.2, (128, 80))  # a texture, so that quiet blocks are few
    hidden = np.zeros(noisy.shape, bool)
    hidden[40:90, 10:60] = True
    assert measure_noise(noisy, mask=hidden)[0].quiet_blocks == pytest.approx(0.02, rel=0.15)


def test_a_large_periodic_plane_is_read_in_bands_with_the_seam_among_them(rng: np.random.Generator) -> None:
    rows, columns = np.meshgrid(np.arange(1203), np.arange(1101), indexing="ij")
    ramp = np.cos(2 * np.pi * rows / 1203) + np.sin(4 * np.pi * columns / 1101)
    plane = ramp + rng.normal(0, 0.02, ramp.shape)
    sigma = quiet_sigma_on_torus(plane)
    assert sigma == pytest.approx(0.02, rel=0.1)
    assert quiet_sigma_on_torus(np.roll(plane, (700, 333), (0, 1))) == pytest.approx(sigma, rel=0.1)
    # Were the seam padded with anything but the opposite edge, its blocks would not be quiet in a plane of one period.
    bands = _blocks_of_bands(plane, 8)
    step = int(np.ceil(np.sqrt(plane.size / 2**14)))
    tops, lefts = np.arange(0, 1203, step), np.arange(0, 1101, step)
    assert len(bands) == len(tops) * len(lefts)
    whole = np.pad(plane, (0, 7), mode="wrap")
    for index in (0, len(lefts) - 1, len(bands) - 1):
        top, left = tops[index // len(lefts)], lefts[index % len(lefts)]
        np.testing.assert_array_equal(bands[index], whole[top : top + 8, left : left + 8])
