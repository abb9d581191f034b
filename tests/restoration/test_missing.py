from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import median_filter

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.psf import disk_psf
from restoretk.restoration import METHODS, restore, wiener

every_method = pytest.mark.parametrize("name", METHODS)


def _error(image: Array, scene: Array) -> float:
    return float(np.mean((np.clip(image, 0, 1) - np.clip(scene, 0, 1)) ** 2))


@pytest.fixture
def lamp(camera: Array) -> Array:
    """A sky with a small lamp thirty times brighter than white."""
    scene = camera[60:261, 160:431].copy()
    rows, columns = np.mgrid[0:201, 0:271]
    scene[(rows - 50) ** 2 + (columns - 210) ** 2 <= 20] = 30
    return scene


@every_method
def test_a_mask_without_missing_pixels_changes_no_bit(name: str, camera: Array, lopsided_psf: Array) -> None:
    image = camera[100:191, 80:203]
    for boundary in ("wrap", "symmetric", "unknown"):
        expected = METHODS[name](image, lopsided_psf, boundary=boundary)
        for mask in (np.zeros(image.shape, bool), "nan"):
            np.testing.assert_array_equal(METHODS[name](image, lopsided_psf, boundary=boundary, mask=mask), expected)


@every_method
@pytest.mark.parametrize("boundary", ["wrap", "symmetric", "taper", "smooth", "unknown"])
def test_what_lies_under_the_mask_does_not_matter(
    name: str, boundary: str, camera: Array, lopsided_psf: Array, rng: np.random.Generator
) -> None:
    image = camera[100:191, 80:203]
    mask = rng.random(image.shape) < 0.05
    results = [
        METHODS[name](np.where(mask, value, image), lopsided_psf, boundary=boundary, mask=mask)
        for value in (0.0, -1e6, np.nan)
    ]
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])
    holed = np.where(mask, np.nan, image)
    np.testing.assert_array_equal(METHODS[name](holed, lopsided_psf, boundary=boundary, mask="nan"), results[0])


def test_missing_pixels_cost_next_to_nothing_and_filling_them_first_costs_much(
    camera: Array, rng: np.random.Generator
) -> None:
    psf = disk_psf(3)
    scene = camera[60:261, 160:431]
    seen = convolve(camera, psf)[60:261, 160:431] + 0.004 * rng.standard_normal(scene.shape)
    mask = rng.random(scene.shape) < 0.05
    whole = _error(wiener(seen, psf, boundary="unknown"), scene)
    masked = _error(wiener(seen, psf, boundary="unknown", mask=mask), scene)
    assert masked < 1.06 * whole  # 0.25 dB
    for filling in (np.where(mask, 0, seen), np.where(mask, np.median(seen), seen)):
        assert _error(wiener(filling, psf, boundary="unknown"), scene) > 2 * masked  # 3 dB


def test_a_blown_out_lamp_leaves_no_halo(lamp: Array, rng: np.random.Generator) -> None:
    psf = disk_psf(4)
    seen = np.clip(convolve(lamp, psf) + 0.004 * rng.standard_normal(lamp.shape), 0, 1)
    around = np.s_[25:76, 185:236]
    believed = wiener(seen, psf, boundary="unknown")
    masked = wiener(seen, psf, boundary="unknown", mask="saturated")
    assert _error(masked[around], lamp[around]) < 0.9 * _error(believed[around], lamp[around])
    ring = np.s_[20:30, 185:236]  # sky above the lamp, out of reach of its blur
    # At one strength for both: the automatic choice sees that the lamp does not fit, and is careful.
    alike = [wiener(seen, psf, noise_to_signal=1e-3, mask=mask) for mask in ("saturated", None)]
    assert alike[0][ring].std() < 0.6 * alike[1][ring].std()
    np.testing.assert_array_equal(masked[seen >= 1], 1)  # shown as observed


def test_what_a_highlight_reaches_is_not_believed(lamp: Array) -> None:
    psf = disk_psf(4)
    seen = np.clip(convolve(lamp, psf), 0, 1)
    changed = seen.copy()
    beside = np.s_[50, 200:222]
    changed[beside] = np.where(seen[beside] < 1, 0.3, 1)
    assert not np.array_equal(changed, seen)
    results = [wiener(image, psf, noise_to_signal=0.01, mask="saturated") for image in (seen, changed)]
    np.testing.assert_array_equal(results[1], results[0])


def test_an_integer_picture_is_saturated_at_full_range(lamp: Array) -> None:
    psf = disk_psf(4)
    seen = np.rint(np.clip(convolve(lamp, psf), 0, 1) * 255).astype(np.uint8)
    masked = wiener(seen, psf, boundary="unknown", mask="saturated")
    assert masked.dtype == np.uint8
    assert (masked[seen == 255] == 255).all()
    dark = (seen // 2).astype(np.uint8)  # the plateau is at 127: not saturated for an 8-bit picture
    np.testing.assert_array_equal(
        wiener(dark, psf, boundary="unknown", mask="saturated"), wiener(dark, psf, boundary="unknown")
    )


def test_a_mask_of_the_spatial_shape_serves_all_channels(camera: Array, lopsided_psf: Array) -> None:
    image = np.stack([camera[100:191, 80:203], camera[200:291, 80:203]], axis=-1)
    mask = np.zeros(image.shape[:2], bool)
    mask[30:34, 40:50] = True
    both = np.repeat(mask[..., None], 2, axis=-1)
    one = wiener(image, lopsided_psf, channel_axis=-1, mask=mask, boundary="unknown")
    np.testing.assert_array_equal(wiener(image, lopsided_psf, channel_axis=-1, mask=both, boundary="unknown"), one)


def test_missing_pixels_and_a_lamp_together(lamp: Array, rng: np.random.Generator) -> None:
    psf = disk_psf(4)
    seen = np.clip(convolve(lamp, psf) + 0.004 * rng.standard_normal(lamp.shape), 0, 1)
    hit = rng.random(lamp.shape) < 0.05
    error = _error(restore(np.where(hit, np.nan, seen), psf, mask="nan+saturated").image, lamp)
    for filling in (np.zeros_like(seen), np.full_like(seen, np.median(seen))):
        assert _error(restore(np.where(hit, filling, seen), psf).image, lamp) > 2 * error  # 3 dB
    smoothed = restore(np.where(hit, median_filter(seen, 5), seen), psf).image
    assert _error(smoothed, lamp) > 1.1 * error


def test_bad_masks_are_named(camera: Array, lopsided_psf: Array) -> None:
    image = camera[100:191, 80:203]
    with pytest.raises(
        ValueError, match=r"mask must be a boolean array or nan or saturated or both joined by .*, got 'holes'"
    ):
        wiener(image, lopsided_psf, mask="holes")
    with pytest.raises(ValueError, match=r"mask must be boolean of shape \(91, 123\), got int64"):
        wiener(image, lopsided_psf, mask=np.zeros(image.shape, np.int64))
    with pytest.raises(ValueError, match=r"mask must be boolean .* of shape \(3, 3\)"):
        wiener(image, lopsided_psf, mask=np.zeros((3, 3), bool))
    with pytest.raises(ValueError, match="mask must leave at least one pixel"):
        wiener(image, lopsided_psf, mask=np.ones(image.shape, bool))
    with pytest.raises(ValueError, match="image must be finite"):
        wiener(np.where(image > 0.9, np.nan, image), lopsided_psf, mask="saturated")


def test_many_white_pixels_without_a_mask_are_pointed_out(lamp: Array) -> None:
    psf = disk_psf(4)
    seen = np.clip(convolve(lamp, psf), 0, 1)
    assert any("mask='saturated'" in warning for warning in restore(seen, psf).warnings)
    assert not any("mask='saturated'" in warning for warning in restore(seen, psf, mask="saturated").warnings)
    assert not any("mask='saturated'" in warning for warning in restore(seen * 0.9, psf).warnings)
