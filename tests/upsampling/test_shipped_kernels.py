"""The kernels that come with the package, on photographs that they were not fitted to: coffee, gravel, the motorcycle.

Protocol: Y of BT.601 rounded to 8 bits, antialiased bicubic decimation rounded to 8 bits, result rounded, a border of
as many pixels as the factor cut off, PSNR.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import skimage.data
from PIL import Image

from restoretk._arrays import Array
from restoretk.metrics import psnr
from restoretk.upsampling import (
    KERNELS,
    KernelBank,
    bank_kernel,
    conv_transpose,
    downsample,
    fitted_kernel,
    fitted_provenance,
    kernels_for,
    upsample,
)
from restoretk.upsampling.shipped_kernels import SHIPPED_FACTORS

FOLDER = Path(skimage.data.__file__).parent
HELD_OUT = ("coffee.png", "gravel.png", "motorcycle_left.png")


def luma(name: str) -> Array:
    levels = iio.imread(FOLDER / name).astype(np.float64)
    if levels.ndim == 3:
        levels = levels @ np.array([65.481, 128.553, 24.966]) / 255 + 16
    return np.rint(levels) / 255


def rounded(image: Array) -> Array:
    return np.rint(image.clip(0, 1) * 255) / 255


@cache
def gain(name: str, factor: int, kernel: str) -> float:
    """By how many dB a kernel beats bicubic."""
    picture = luma(name)
    rows, columns = (side // factor * factor for side in picture.shape)
    large = picture[:rows, :columns]
    small = rounded(downsample(large, factor))
    scores = [psnr(large, rounded(upsample(small, factor, kernel=one)), border=factor) for one in ("bicubic", kernel)]
    return scores[1] - scores[0]


def test_none_of_the_held_out_photographs_was_used():
    provenance = fitted_provenance()
    assert not set(HELD_OUT) & set(provenance["pictures"])
    assert set(HELD_OUT) <= set(provenance["held_out"])


def test_the_pictures_that_were_used_are_those_that_scikit_image_installs():
    pictures = fitted_provenance()["pictures"]
    for name, digest in pictures.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest


def test_on_photographs_not_used_one_kernel_gains_1_3_db_over_bicubic_and_a_bank_1_8():
    assert np.mean([gain(name, 2, "fitted") for name in HELD_OUT]) >= 1.3
    assert np.mean([gain(name, 2, "bank") for name in HELD_OUT]) >= 1.8


@pytest.mark.parametrize("name", HELD_OUT)
def test_each_photograph_gains(name):
    one, many = gain(name, 2, "fitted"), gain(name, 2, "bank")
    assert one >= 1.1
    assert many >= one + 0.7


@pytest.mark.parametrize(("factor", "one", "many"), [(3, 0.6, 1.1), (4, 0.4, 0.8)])
def test_larger_factors_gain_too(factor, one, many):
    assert gain("coffee.png", factor, "fitted") >= one
    assert gain("coffee.png", factor, "bank") >= many


@pytest.mark.parametrize("name", HELD_OUT)
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bicubic_in_this_protocol_is_an_independent_implementations(name, factor):
    held_out = luma(name)
    rows, columns = (side // factor * factor for side in held_out.shape)
    large = held_out[:rows, :columns]
    small = rounded(downsample(large, factor))
    picture = Image.fromarray(large.astype(np.float32))
    theirs = rounded(np.asarray(picture.resize((columns // factor, rows // factor), Image.Resampling.BICUBIC), float))
    enlarged = np.asarray(
        Image.fromarray(theirs.astype(np.float32)).resize((columns, rows), Image.Resampling.BICUBIC), float
    )
    ours = psnr(large, rounded(upsample(small, factor)), border=factor)
    assert abs(ours - psnr(large, rounded(enlarged), border=factor)) < 0.01


@pytest.mark.parametrize("factor", SHIPPED_FACTORS)
def test_no_shipped_kernel_can_draw_a_checkerboard(factor):
    kernel = fitted_kernel(factor)
    sums = [kernel[a::factor, b::factor].sum() for a in range(factor) for b in range(factor)]
    np.testing.assert_allclose(sums, 1, rtol=0, atol=1e-12)
    taps = fitted_kernel(factor, rank=1)
    np.testing.assert_allclose([taps[a::factor].sum() for a in range(factor)], 1, rtol=0, atol=1e-12)
    for stage in bank_kernel(factor).stages:
        np.testing.assert_allclose(stage.taps.sum(axis=1, dtype=np.float64), 1, rtol=0, atol=1e-5)
    flat = np.full((12, 13), 0.7)
    for name in ("fitted", "bank"):
        np.testing.assert_allclose(upsample(flat, factor, kernel=name), 0.7, rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", SHIPPED_FACTORS)
def test_the_fitted_kernel_is_a_transposed_convolution(rng, factor):
    kernel, image = fitted_kernel(factor), rng.random((15, 16))
    padding = (len(kernel) - factor) // 2
    expected = conv_transpose(np.pad(image, 9, mode="edge"), kernel, stride=factor, padding=padding)
    inner = (slice(9 * factor, -9 * factor),) * 2
    np.testing.assert_allclose(upsample(image, factor, kernel="fitted"), expected[inner], rtol=0, atol=1e-12)


def test_the_separable_form_goes_wherever_1_d_taps_go(rng):
    assert upsample(rng.random(9), 2, kernel="fitted:rank=1").shape == (18,)
    assert upsample(rng.random((5, 6, 7)), (2, 3, 1), kernel="fitted:rank=1").shape == (10, 18, 7)
    image = rng.random((20, 20))
    full, separable = (upsample(image, 2, kernel=name) for name in ("fitted", "fitted:rank=1"))
    assert np.abs(full - separable).max() < 0.1 * np.abs(full - upsample(image, 2)).max()


def test_where_there_is_none_it_is_said():
    for name in ("fitted", "bank"):
        with pytest.raises(ValueError, match=f"kernel {name} comes for the factors 2, 3, 4, got 5"):
            upsample(np.zeros((9, 9)), 5, kernel=name)
        with pytest.raises(ValueError, match="by one factor, got the factors"):
            upsample(np.zeros((9, 9)), (2, 3), kernel=name)
    with pytest.raises(ValueError, match="rank must be at least 1"):
        fitted_kernel(2, rank=0)
    assert kernels_for(2) == tuple(KERNELS)
    assert "bank" not in kernels_for(6)


def test_factor_one_changes_nothing_and_the_result_is_ones_own(rng):
    image = rng.random((7, 8))
    for name in ("fitted", "bank"):
        result = upsample(image, 1, kernel=name)
        np.testing.assert_array_equal(result, image)
        assert not np.shares_memory(result, image)


def test_what_is_handed_out_is_ones_own():
    fitted_kernel(2)[:] = 0
    assert fitted_kernel(2).any()
    assert isinstance(bank_kernel(2), KernelBank)
    assert bank_kernel(2).kernels == 4 * 8 * 144


def test_the_arrays_are_small():
    folder = Path(fitted_kernel.__code__.co_filename).parent / "fitted"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4e6
