"""Noises: their statistics, their seeds, and what storing does to a picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import scipy.stats
from PIL import Image

from restoretk.noise import (
    NOISES,
    gaussian_noise,
    jpeg,
    make_noise,
    poisson_gaussian_noise,
    poisson_noise,
    quantize,
    salt_and_pepper_noise,
    speckle_noise,
)

GREY = np.full((301, 203), 0.4)
OPTIONS = {
    "gaussian": "sigma=0.05",
    "poisson": "peak=200",
    "poisson_gaussian": "peak=200,sigma=0.05",
    "salt_and_pepper": "amount=0.1",
    "speckle": "sigma=0.1",
    "quantize": "bits=3",
    "jpeg": "quality=40",
}
RANDOM = [name for name in NOISES if name not in ("quantize", "jpeg")]


def spelled(name: str) -> str:
    return f"{name}:{OPTIONS[name]}"


def test_there_is_one_example_of_every_noise_here():
    assert list(OPTIONS) == list(NOISES)


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.uint16, np.int16])
def test_shape_and_dtype_are_kept_and_the_image_is_not_touched(name, dtype, scene, rng):
    image = (scene * np.iinfo(dtype).max).astype(dtype) if np.issubdtype(dtype, np.integer) else scene.astype(dtype)
    before = image.copy()
    noisy = make_noise(spelled(name))(image, rng)
    assert noisy.shape == image.shape
    assert noisy.dtype == image.dtype
    assert not np.shares_memory(noisy, image)
    np.testing.assert_array_equal(image, before)
    assert (noisy != image).any()


@pytest.mark.parametrize("name", RANDOM)
def test_the_same_seed_gives_the_same_noise_and_a_generator_moves_on(name, scene):
    noise = make_noise(spelled(name))
    generator = np.random.default_rng(5)
    first, second = noise(scene, generator), noise(scene, generator)
    np.testing.assert_array_equal(noise(scene, np.random.default_rng(5)), first)
    assert (first != second).any()


@pytest.mark.parametrize("name", RANDOM)
def test_an_integer_seed_is_that_of_a_generator(name, scene):
    options = {key: float(value) for key, value in (item.split("=") for item in OPTIONS[name].split(","))}
    by_seed = NOISES[name](scene, **options, rng=7)
    np.testing.assert_array_equal(by_seed, NOISES[name](scene, **options, rng=np.random.default_rng(7)))


def test_gaussian_noise_is_gaussian_of_its_sigma_and_mean_zero():
    noise = gaussian_noise(GREY, 0.1, rng=1) - GREY
    assert noise.mean() == pytest.approx(0, abs=4 * 0.1 / np.sqrt(noise.size))
    assert noise.std() == pytest.approx(0.1, rel=0.01)
    assert scipy.stats.kstest(noise.ravel() / 0.1, "norm").pvalue > 0.001


def test_gaussian_noise_is_white():
    noise = gaussian_noise(GREY, 0.1, rng=1) - GREY
    assert abs((noise[1:] * noise[:-1]).mean()) < 5 * 0.1**2 / np.sqrt(noise.size)
    assert abs((noise[:, 1:] * noise[:, :-1]).mean()) < 5 * 0.1**2 / np.sqrt(noise.size)


def test_a_sigma_is_a_fraction_of_white_for_integers_too():
    noisy = gaussian_noise(np.full((301, 203), 128, np.uint8), 0.04, rng=1).astype(float)
    assert noisy.std() == pytest.approx(0.04 * 255, rel=0.01)


def test_floats_are_not_clipped_and_integers_saturate():
    assert gaussian_noise(np.zeros(1000), 0.1, rng=1).min() < -0.1
    assert gaussian_noise(np.zeros(1000, np.uint8), 0.1, rng=1).min() == 0


def test_poisson_noise_counts_photons():
    noisy = poisson_noise(GREY, 50, rng=1)
    counts = noisy * 50
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    assert counts.mean() == pytest.approx(20, rel=0.005)
    assert counts.var() == pytest.approx(20, rel=0.02)


def test_a_pixel_below_zero_sends_no_photons():
    np.testing.assert_array_equal(poisson_noise([-1.0, -1e-17, 0.0], 1000, rng=1), 0)


def test_poisson_gaussian_noise_has_both_variances():
    noisy = poisson_gaussian_noise(GREY, 50, 0.1, rng=1)
    assert noisy.mean() == pytest.approx(0.4, rel=0.005)
    assert noisy.var() == pytest.approx(0.4 / 50 + 0.1**2, rel=0.02)


def test_salt_and_pepper_replace_half_and_half():
    noisy = salt_and_pepper_noise(GREY, 0.3, rng=1)
    assert set(np.unique(noisy)) == {0, 0.4, 1}
    assert (noisy == 0).mean() == pytest.approx(0.15, abs=0.006)
    assert (noisy == 1).mean() == pytest.approx(0.15, abs=0.006)


def test_salt_and_pepper_of_everything_and_of_nothing():
    assert set(np.unique(salt_and_pepper_noise(GREY, 1, rng=1))) == {0, 1}
    np.testing.assert_array_equal(salt_and_pepper_noise(GREY, 0, rng=1), GREY)


def test_speckle_grows_with_the_light():
    noise = speckle_noise(np.stack([GREY, 2 * GREY]), 0.2, rng=1) - np.stack([GREY, 2 * GREY])
    assert noise[0].std() == pytest.approx(0.4 * 0.2, rel=0.01)
    assert noise[1].std() == pytest.approx(0.8 * 0.2, rel=0.01)


@pytest.mark.parametrize("bits", [1, 3, 8, 16])
def test_quantize_moves_to_the_nearest_of_its_levels(bits, rng):
    image = rng.random((45, 63))
    levels = np.arange(2**bits) / (2**bits - 1)
    quantized = quantize(image, bits)
    assert np.isin(quantized, levels).all()
    assert np.abs(quantized - image).max() <= 0.5 / (2**bits - 1) + 1e-15


def test_quantize_holds_black_and_white():
    np.testing.assert_array_equal(quantize([-3.0, 0.0, 1.0, 7.0], 4), [0, 0, 1, 1])


def test_eight_bits_are_nothing_new_to_an_image_of_eight_bits(rng):
    image = rng.integers(0, 256, (45, 63), dtype=np.uint8)
    np.testing.assert_array_equal(quantize(image, 8), image)


def test_jpeg_is_what_pillow_writes_and_reads(camera):
    image = np.rint(camera[:45, :63] * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=30)
    np.testing.assert_array_equal(jpeg(image, 30), np.asarray(Image.open(buffer)))


@pytest.mark.parametrize("channel_axis", [-1, 0, 1])
def test_jpeg_in_colour_is_what_pillow_writes_and_reads(channel_axis, camera):
    tiles = [camera[start : start + 45, start : start + 63] for start in (0, 100, 200)]
    picture = np.rint(np.stack(tiles, axis=-1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=30)
    result = jpeg(np.moveaxis(picture, -1, channel_axis), 30, channel_axis=channel_axis)
    np.testing.assert_array_equal(np.moveaxis(result, channel_axis, -1), np.asarray(Image.open(buffer)))


def test_jpeg_codes_every_plane_of_a_stack_by_itself(camera):
    stack = np.stack([camera[:45, :63], camera[100:145, 60:123]])
    result = jpeg(stack, 50)
    np.testing.assert_array_equal(result[1], jpeg(stack[1], 50))
    colours = np.stack([stack, stack[::-1], 1 - stack])  # channels, stack, rows, columns
    both = jpeg(colours, 50, channel_axis=0)
    np.testing.assert_array_equal(both[:, 1], jpeg(colours[:, 1], 50, channel_axis=0))


def test_a_worse_quality_is_further_from_the_picture(camera):
    errors = [np.abs(jpeg(camera, quality) - camera).mean() for quality in (10, 50, 95)]
    assert errors[0] > errors[1] > errors[2] > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_noise(GREY, -0.1), "sigma must be finite and >= 0, got -0.1"),
        (lambda: gaussian_noise(GREY, float("nan")), "sigma must be finite and >= 0"),
        (lambda: gaussian_noise([np.nan], 0.1), "image must be finite"),
        (lambda: poisson_noise(GREY, 0), "peak must be > 0, got 0"),
        (lambda: poisson_noise(GREY, 1e20), r"peak must keep the counts below 2\*\*62"),
        (lambda: salt_and_pepper_noise(GREY, 1.1), "amount must be between 0 and 1, got 1.1"),
        (lambda: speckle_noise(GREY, float("inf")), "sigma must be finite and >= 0, got inf"),
        (lambda: quantize(GREY, 0), "bits must be an integer from 1 to 16, got 0"),
        (lambda: quantize(GREY, 2.5), "bits must be an integer from 1 to 16, got 2.5"),
        (lambda: jpeg(GREY, 96), "quality must be an integer from 1 to 95, got 96"),
        (lambda: jpeg(GREY[0], 50), r"rows and columns, got shape \(203,\)"),
        (lambda: jpeg(np.zeros((1, 65501)), 50), "sides up to 65500"),
        (lambda: jpeg(np.zeros((20, 20, 3)), 50), "pass channel_axis=-1"),
        (lambda: jpeg(np.zeros((20, 20, 4)), 50, channel_axis=-1), "jpeg takes 3 channels, got 4 on axis -1"),
    ],
)
def test_levels_that_cannot_be_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# chains


def test_a_chain_is_applied_from_left_to_right(scene):
    chain = make_noise("speckle:sigma=0.2+salt_and_pepper:amount=0.1+quantize:bits=2")
    rng = np.random.default_rng(3)
    expected = quantize(salt_and_pepper_noise(speckle_noise(scene, 0.2, rng=rng), 0.1, rng=rng), 2)
    np.testing.assert_array_equal(chain(scene, np.random.default_rng(3)), expected)


def test_functions_and_specs_mix_in_a_sequence(scene):
    chain = make_noise(["quantize:bits=2", lambda image, _: image + 1])
    np.testing.assert_array_equal(chain(scene, np.random.default_rng()), quantize(scene, 2) + 1)


def test_what_is_no_noise_is_refused():
    with pytest.raises(TypeError, match="noise must be a spec, a function"):
        make_noise(0.01)
    with pytest.raises(
        ValueError, match=r"noise must be one of gaussian, .*; got 'gausian' \(did you mean 'gaussian'\?\)"
    ):
        make_noise("poisson:peak=10+gausian:sigma=1")
    with pytest.raises(ValueError, match=r"key of noise gaussian must be one of sigma; got 'seed'"):
        make_noise("gaussian:sigma=1,seed=3")
    with pytest.raises(ValueError, match=r"noise gaussian needs sigma=\.\.\."):
        make_noise("gaussian")
