from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from restoretk._arrays import Array
from restoretk.convolution.blur import Blur, convolve
from restoretk.convolution.boundary import BOUNDARIES

SCIPY_MODES = {"wrap": "wrap", "reflect": "mirror", "symmetric": "reflect", "edge": "nearest", "constant": "constant"}
CASES = [((31,), (6,)), ((17, 23), (4, 7)), ((16, 22), (5, 6)), ((9, 11, 8), (3, 4, 2))]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("shape", "psf_shape"), CASES)
def test_forward_is_the_convolution_of_scipy(
    rng: np.random.Generator, boundary: str, shape: tuple[int, ...], psf_shape: tuple[int, ...]
) -> None:
    psf, image = rng.standard_normal(psf_shape), rng.standard_normal(shape)
    expected = scipy.ndimage.convolve(image, psf, mode=SCIPY_MODES[boundary])
    np.testing.assert_allclose(Blur(psf, shape, boundary).forward(image), expected, atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("shape", "psf_shape"), CASES)
def test_adjoint_passes_the_dot_test(
    rng: np.random.Generator, boundary: str, shape: tuple[int, ...], psf_shape: tuple[int, ...]
) -> None:
    blur = Blur(rng.standard_normal(psf_shape), shape, boundary)
    x, y = rng.standard_normal((2, *shape)), rng.standard_normal((2, *shape))
    left, right = np.vdot(blur.forward(x), y), np.vdot(x, blur.adjoint(y))
    assert abs(left - right) <= 1e-12 * np.linalg.norm(x) * np.linalg.norm(y)


def test_convolution_flips_the_kernel_and_correlation_does_not(rng: np.random.Generator, lopsided_psf: Array) -> None:
    image = rng.random((20, 31))
    blur = Blur(lopsided_psf, image.shape, "constant")
    full = scipy.signal.convolve2d(image, lopsided_psf)
    np.testing.assert_allclose(blur.forward(image), full[2 : 2 + 20, 3 : 3 + 31], atol=1e-13)
    correlation = scipy.signal.correlate2d(image, lopsided_psf)
    # the origin of the reversed kernel is at side - 1 - side // 2
    np.testing.assert_allclose(blur.adjoint(image), correlation[1 : 1 + 20, 3 : 3 + 31], atol=1e-13)


def test_an_impulse_is_answered_by_the_psf_around_it(lopsided_psf: Array) -> None:
    image = np.zeros((15, 19))
    image[7, 9] = 1
    blurred = convolve(image, lopsided_psf)
    np.testing.assert_allclose(blurred[7 - 2 : 7 + 2, 9 - 3 : 9 + 4], lopsided_psf, atol=1e-14)


def test_channels_and_stacks_are_independent_planes(rng: np.random.Generator, lopsided_psf: Array) -> None:
    image = rng.random((20, 31, 3))
    together = convolve(image, lopsided_psf, channel_axis=-1)
    for channel in range(3):
        np.testing.assert_allclose(together[..., channel], convolve(image[..., channel], lopsided_psf), atol=1e-14)
    stack = np.moveaxis(image, -1, 0)
    np.testing.assert_allclose(convolve(stack, lopsided_psf), np.moveaxis(together, -1, 0), atol=1e-14)
    np.testing.assert_allclose(convolve(stack, lopsided_psf, channel_axis=0), np.moveaxis(together, -1, 0), atol=1e-14)


def test_dtype_is_kept_and_integers_are_rounded(rng: np.random.Generator, lopsided_psf: Array) -> None:
    real = rng.random((20, 31))
    assert convolve(real.astype(np.float32), lopsided_psf).dtype == np.float32
    assert convolve(real, lopsided_psf).dtype == np.float64
    for dtype in (np.uint8, np.uint16):
        levels = (real * np.iinfo(dtype).max).astype(dtype)
        blurred = convolve(levels, lopsided_psf)
        assert blurred.dtype == dtype
        np.testing.assert_array_equal(blurred, np.rint(convolve(levels.astype(np.float64), lopsided_psf)).astype(dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_black_and_white_of_every_integer_dtype_stay_what_they_are(dtype: type, lopsided_psf: Array) -> None:
    """The largest integers of 64 bits have no float of their own: rounded up, they would wrap round to black."""
    for level in (0, np.iinfo(dtype).max):
        flat = np.full((9, 12), level, dtype)
        np.testing.assert_array_equal(convolve(flat, np.ones((1, 1))), flat)
        assert convolve(flat, lopsided_psf).dtype == dtype


def test_arguments_are_not_written_to(rng: np.random.Generator, lopsided_psf: Array) -> None:
    image = rng.random((20, 31))
    image.setflags(write=False)
    lopsided_psf.setflags(write=False)
    for boundary in BOUNDARIES:
        assert not np.shares_memory(convolve(image, lopsided_psf, boundary=boundary), image)


def test_bad_input_is_named(lopsided_psf: Array) -> None:
    with pytest.raises(ValueError, match=r"psf of shape \(4, 7\) is larger than the image \(3, 9\)"):
        convolve(np.ones((3, 9)), lopsided_psf)
    with pytest.raises(ValueError, match=r"looks like colour .* pass channel_axis=-1"):
        convolve(np.ones((30, 40, 3)), np.ones((3, 3)))
    with pytest.raises(ValueError, match="psf must have at least one axis"):
        convolve(np.ones((3, 9)), 1.0)
    with pytest.raises(ValueError, match="fewer than the 2 spatial axes"):
        convolve(np.ones(9), lopsided_psf)
    with pytest.raises(ValueError, match=r"psf has 2 axes and the frame \(9,\) has 1"):
        Blur(lopsided_psf, (9,))
