"""g = h * f + η: against scipy.ndimage, and what the boundary may and may not touch."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from restoretk.degradation import degrade
from restoretk.noise import gaussian_noise, quantize

BOUNDARIES = ("symmetric", "reflect", "edge", "constant", "wrap")


def test_a_delta_psf_without_noise_changes_nothing(scene):
    np.testing.assert_allclose(degrade(scene, [[1.0]]), scene, atol=1e-14)


def test_a_point_becomes_the_psf_at_its_place(lopsided_psf):
    point = np.zeros((21, 33))
    point[10, 15] = 1
    expected = np.zeros_like(point)
    expected[8:12, 12:19] = lopsided_psf
    np.testing.assert_allclose(degrade(point, lopsided_psf), expected, atol=1e-15)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_blur_is_that_of_scipy_ndimage(boundary, scene, lopsided_psf):
    padded = np.pad(scene, 10, mode=boundary)
    # A row of zeros at the high end makes the even side odd and leaves the origin, 4 // 2 = 5 // 2, where it is.
    whole = scipy.ndimage.convolve(padded, np.pad(lopsided_psf, ((0, 1), (0, 0))), mode="constant")
    np.testing.assert_allclose(degrade(scene, lopsided_psf, boundary=boundary), whole[10:-10, 10:-10], atol=1e-14)


def test_the_default_is_the_scene_mirrored_at_the_edge(scene, lopsided_psf):
    odd = lopsided_psf[:3] / lopsided_psf[:3].sum()
    np.testing.assert_allclose(degrade(scene, odd), scipy.ndimage.convolve(scene, odd, mode="reflect"), atol=1e-14)


def test_by_default_nothing_comes_round_from_the_opposite_edge(lopsided_psf):
    scene = np.zeros((45, 63))
    scene[0], scene[:, 0] = 1, 1
    observed = degrade(scene, lopsided_psf)
    assert np.abs(observed[4:-1, -7:]).max() < 1e-14
    assert np.abs(observed[-4:, 7:]).max() < 1e-14
    assert degrade(scene, lopsided_psf, boundary="wrap")[-4:, 7:].max() > 0.01


@pytest.mark.parametrize("boundary", ["wrap", "reflect", "edge", "constant"])
def test_the_frame_cut_by_the_psf_depends_on_no_boundary(boundary, scene, lopsided_psf):
    low = [side - 1 - side // 2 for side in lopsided_psf.shape]
    high = [side // 2 for side in lopsided_psf.shape]
    inside = tuple(slice(a, n - b) for a, b, n in zip(low, high, scene.shape, strict=True))
    default, other = degrade(scene, lopsided_psf), degrade(scene, lopsided_psf, boundary=boundary)
    np.testing.assert_allclose(default[inside], other[inside], atol=1e-14)


@pytest.mark.parametrize("edge", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_a_frame_cut_by_one_pixel_less_depends_on_the_boundary(edge, scene, lopsided_psf):
    top, bottom, left = edge
    wider = (slice(1 - top, 45 - 2 + bottom), slice(3 - left, 63 - 3))
    default, black = (degrade(scene, lopsided_psf, boundary=boundary)[wider] for boundary in ("symmetric", "constant"))
    assert np.abs(default - black).max() > 1e-3


def test_colour_is_blurred_channel_by_channel(scene, lopsided_psf):
    colour = np.stack([scene, scene[::-1], 1 - scene], axis=-1)
    observed = degrade(colour, lopsided_psf, channel_axis=-1)
    np.testing.assert_allclose(observed[..., 1], degrade(scene[::-1], lopsided_psf), atol=1e-14)


@pytest.mark.parametrize("shape", [(50,), (9, 11, 13)])
def test_signals_and_volumes_take_the_same_path(shape, rng):
    image = rng.random(shape)
    psf = rng.random((3,) * len(shape))
    psf /= psf.sum()
    np.testing.assert_allclose(degrade(image, psf), scipy.ndimage.convolve(image, psf, mode="reflect"), atol=1e-14)


def test_noise_is_added_to_the_blurred_image(scene, lopsided_psf):
    expected = gaussian_noise(degrade(scene, lopsided_psf), 0.1, rng=4)
    np.testing.assert_array_equal(degrade(scene, lopsided_psf, noise="gaussian:sigma=0.1", rng=4), expected)


def test_noises_are_chained_in_text_and_in_a_sequence(scene, lopsided_psf):
    expected = quantize(gaussian_noise(degrade(scene, lopsided_psf), 0.1, rng=4), 3)
    in_text = degrade(scene, lopsided_psf, noise="gaussian:sigma=0.1+quantize:bits=3", rng=4)
    in_sequence = degrade(
        scene, lopsided_psf, noise=[lambda f, rng: gaussian_noise(f, 0.1, rng=rng), "quantize:bits=3"], rng=4
    )
    np.testing.assert_array_equal(in_text, expected)
    np.testing.assert_array_equal(in_sequence, expected)


def test_jpeg_is_told_where_the_channels_are(scene):
    colour = np.stack([scene, scene[::-1], 1 - scene])
    first = degrade(colour, [[1.0]], noise="jpeg:quality=60", channel_axis=0)
    last = degrade(np.moveaxis(colour, 0, -1), [[1.0]], noise="jpeg:quality=60", channel_axis=-1)
    np.testing.assert_array_equal(np.moveaxis(first, 0, -1), last)
    assert np.abs(first - degrade(colour, [[1.0]], noise="jpeg:quality=60")).max() > 0.01  # three grey pictures


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.uint16])
def test_shape_and_dtype_are_kept_and_nothing_is_written_to(dtype, scene, lopsided_psf):
    image = (scene * np.iinfo(dtype).max).astype(dtype) if np.issubdtype(dtype, np.integer) else scene.astype(dtype)
    copies = image.copy(), lopsided_psf.copy()
    observed = degrade(image, lopsided_psf, noise="gaussian:sigma=0.01", rng=1)
    assert observed.dtype == dtype
    assert observed.shape == image.shape
    np.testing.assert_array_equal(image, copies[0])
    np.testing.assert_array_equal(lopsided_psf, copies[1])
    assert not np.shares_memory(degrade(image, [[1.0]]), image)


def test_an_integer_image_is_rounded_once_at_the_end(scene, lopsided_psf):
    image = np.rint(scene * 255).astype(np.uint8)
    exact = degrade(image.astype(np.float32) / np.float32(255), lopsided_psf, noise="gaussian:sigma=0.003", rng=1)
    observed = degrade(image, lopsided_psf, noise="gaussian:sigma=0.003", rng=1)
    np.testing.assert_array_equal(observed, np.clip(np.rint(exact.astype(float) * 255), 0, 255))


def test_what_is_no_psf_image_or_noise_is_refused(scene, lopsided_psf):
    with pytest.raises(ValueError, match="divide the psf by its sum"):
        degrade(scene, np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"psf of shape \(1, 99\) is larger than the image \(45, 63\)"):
        degrade(scene, np.full((1, 99), 1 / 99))
    with pytest.raises(ValueError, match="boundary must be one of"):
        degrade(scene, lopsided_psf, boundary="periodic")
    with pytest.raises(ValueError, match="noise must be one of"):
        degrade(scene, lopsided_psf, noise="white:sigma=1")
    with pytest.raises(ValueError, match=r"noise must keep the shape \(45, 63\), got \(44, 63\)"):
        degrade(scene, lopsided_psf, noise=lambda image, _: image[1:])
    with pytest.raises(TypeError, match="psf must hold real numbers"):
        degrade(scene, "motion:length=15")


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_each_channel_is_blurred_by_its_own_psf(boundary, scene, lopsided_psf):
    colour = np.stack([scene, scene[::-1], 1 - scene], axis=-1)
    psfs = np.stack([lopsided_psf, lopsided_psf[::-1], np.roll(lopsided_psf, 1, axis=1)], axis=-1)
    observed = degrade(colour, psfs, boundary=boundary, channel_axis=-1)
    for channel in range(3):
        alone = degrade(colour[..., channel], psfs[..., channel], boundary=boundary)
        np.testing.assert_allclose(observed[..., channel], alone, atol=1e-14)
    first = degrade(np.moveaxis(colour, -1, 0), np.moveaxis(psfs, -1, 0), boundary=boundary, channel_axis=0)
    np.testing.assert_array_equal(np.moveaxis(first, 0, -1), observed)
