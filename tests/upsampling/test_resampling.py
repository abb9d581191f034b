from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from restoretk._arrays import Array
from restoretk.upsampling import conv_transpose, downsample, kernel_taps, upsample

ALL_KERNELS = ["nearest", "bilinear", "bicubic", "lanczos3", "bicubic:a=-0.75"]


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("kernel", "mode"), [("nearest", "nearest"), ("bilinear", "linear"), ("bicubic:a=-0.75", "cubic")]
)
@pytest.mark.parametrize("shape", [(13,), (7, 11), (45, 63), (3, 5, 4)])
def test_upsampling_equals_torch_interpolate(rng, factor, kernel, mode, shape):
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs the optional torch")
    names = {"linear": {1: "linear", 2: "bilinear", 3: "trilinear"}, "cubic": {2: "bicubic"}}
    name = mode if mode == "nearest" else names[mode].get(len(shape))
    if name is None:
        return  # PyTorch interpolates cubically on pictures only
    image = rng.random(shape)
    corners = {} if mode == "nearest" else {"align_corners": False}
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(image)[None, None], scale_factor=factor, mode=name, **corners
    )
    np.testing.assert_allclose(upsample(image, factor, kernel=kernel), expected.numpy()[0, 0], rtol=0, atol=1e-12)
    single = upsample(image.astype(np.float32), factor, kernel=kernel)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected.numpy()[0, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
@pytest.mark.parametrize("kernel", ALL_KERNELS)
def test_upsampling_is_conv_transpose_away_from_the_border(rng, factor, kernel):
    image, taps = rng.random((17, 19)), kernel_taps(kernel, factor)
    transposed = conv_transpose(image, np.outer(taps, taps), stride=factor, padding=(taps.size - factor) // 2)
    enlarged = upsample(image, factor, kernel=kernel)
    assert enlarged.shape == transposed.shape
    inner = (slice(3 * factor, -3 * factor),) * 2
    np.testing.assert_allclose(enlarged[inner], transposed[inner], rtol=0, atol=1e-13)


def antialiased_bicubic_matrix(size: int, factor: int) -> Array:
    """H for one axis, from its definition: the cubic stretched by the factor, sampled about each output's centre."""

    def cubic(t: float) -> float:  # Keys 1981, a = -1/2
        t = abs(t)
        if t <= 1:
            return 1.5 * t**3 - 2.5 * t**2 + 1
        return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t < 2 else 0

    H = np.zeros((size // factor, size))
    for i in range(size // factor):
        centre = (i + 0.5) * factor - 0.5
        for m in range(size):
            H[i, m] = cubic((m - centre) / factor) / factor
    return H


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bicubic_upsampling_is_s_squared_times_the_transpose_of_antialiased_bicubic_downsampling(rng, factor):
    rows, columns = antialiased_bicubic_matrix(11 * factor, factor), antialiased_bicubic_matrix(13 * factor, factor)
    small = rng.random((11, 13))
    adjoint = factor**2 * rows.T @ small @ columns
    inner = (slice(2 * factor, -2 * factor),) * 2
    np.testing.assert_allclose(upsample(small, factor)[inner], adjoint[inner], rtol=0, atol=1e-14)
    picture = rng.random((11 * factor, 13 * factor))
    expected = rows @ picture @ columns.T
    np.testing.assert_allclose(downsample(picture, factor)[2:-2, 2:-2], expected[2:-2, 2:-2], rtol=0, atol=1e-14)


@pytest.mark.parametrize("kernel", ALL_KERNELS)
def test_downsample_and_upsample_are_adjoint_where_the_border_is_black(rng, kernel):
    f, g = np.zeros((48, 60)), np.zeros((16, 20))
    f[18:-18, 18:-18] = rng.standard_normal((12, 24))
    g[6:-6, 6:-6] = rng.standard_normal((4, 8))
    left, right = np.vdot(downsample(f, 3, kernel=kernel), g), np.vdot(f, upsample(g, 3, kernel=kernel)) / 9
    assert abs(left - right) < 1e-12


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize(("kernel", "filter_"), [("bicubic", "BICUBIC"), ("lanczos3", "LANCZOS")])
def test_upsampling_is_pillows_away_from_the_border(rng, factor, kernel, filter_):
    picture = rng.random((15, 18)).astype(np.float32)
    shape = (18 * factor, 15 * factor)
    expected = np.asarray(Image.fromarray(picture).resize(shape, Image.Resampling[filter_]))
    inner = (slice(3 * factor, -3 * factor),) * 2
    np.testing.assert_allclose(upsample(picture, factor, kernel=kernel)[inner], expected[inner], rtol=0, atol=1e-6)


def test_downsampling_is_pillows_antialiased_bicubic_away_from_the_border(rng):
    picture = rng.random((48, 60)).astype(np.float32)
    expected = np.asarray(Image.fromarray(picture).resize((15, 12), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(downsample(picture, 4)[2:-2, 2:-2], expected[2:-2, 2:-2], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kernel", ALL_KERNELS)
@pytest.mark.parametrize("factor", [1, 2, 3, (3, 2)])
def test_a_constant_stays_constant_up_to_the_border(kernel, factor):
    flat = np.full((7, 9), 0.3)
    np.testing.assert_allclose(upsample(flat, factor, kernel=kernel), 0.3, rtol=0, atol=1e-14)
    np.testing.assert_allclose(downsample(flat, factor, kernel=kernel), 0.3, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_ramp_keeps_its_place_on_the_half_pixel_grid(kernel, factor):
    ramp = np.arange(15.0)
    expected = (np.arange(15 * factor) + 0.5) / factor - 0.5
    inner = slice(2 * factor, -2 * factor)
    np.testing.assert_allclose(upsample(ramp, factor, kernel=kernel)[inner], expected[inner], rtol=0, atol=1e-13)
    back = downsample(expected, factor, kernel=kernel)
    np.testing.assert_allclose(back[2:-2], ramp[2:-2], rtol=0, atol=1e-13)


def test_each_axis_has_its_own_factor_and_one_leaves_it_alone(scene):
    expected = np.stack([upsample(row, 3) for row in scene])
    np.testing.assert_array_equal(upsample(scene, (1, 3)), expected)
    assert upsample(scene, (2, 3), kernel="nearest").shape == (90, 189)


@pytest.mark.parametrize("resample", [upsample, downsample])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_channels_are_resampled_each_by_itself(rng, resample, axis):
    planes = rng.random((3, 8, 12))
    expected = np.moveaxis(np.stack([resample(plane, 2) for plane in planes]), 0, axis)
    np.testing.assert_array_equal(resample(np.moveaxis(planes, 0, axis), 2, channel_axis=axis), expected)


def test_taps_may_be_given(scene):
    np.testing.assert_array_equal(
        upsample(scene, 2, kernel=[0.25, 0.75, 0.75, 0.25]), upsample(scene, 2, kernel="bilinear")
    )


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f2", "f4", "f8", ">u2", ">f4"])
def test_the_dtype_is_kept(scene, dtype):
    image = (scene * 200).astype(dtype) if np.dtype(dtype).kind in "iu" else scene.astype(dtype)
    for result in (upsample(image, 2), downsample(image, 2)):
        assert result.dtype == np.dtype(dtype).newbyteorder("=")
    whole = upsample(image, 3, kernel="nearest")
    np.testing.assert_array_equal(whole[1::3, 1::3], image)


def test_integers_saturate_instead_of_wrapping_round():
    step = np.repeat(np.array([[0, 255]], np.uint8), 6, axis=1)
    result = upsample(step, (1, 2))
    assert result.min() == 0
    assert result.max() == 255
    assert (np.diff(result.astype(int)[0]) >= 0).all()  # the overshoot is cut, not folded


def test_arguments_are_not_written_to_and_results_are_not_aliases(scene):
    before = scene.copy()
    for resample in (upsample, downsample):
        for factor in (1, 2):
            result = resample(scene, factor)
            assert not np.shares_memory(result, scene)
            result += 1
    np.testing.assert_array_equal(scene, before)


def test_downsampling_cuts_off_what_does_not_fill_a_pixel(scene):
    assert downsample(scene, 4).shape == (11, 15)
    np.testing.assert_array_equal(downsample(scene, 4), downsample(scene[:44, :60], 4))


@pytest.mark.parametrize(
    ("image", "factor", "options", "error", "match"),
    [
        (np.ones((4, 4)), 0, {}, ValueError, "factor must be at least 1, got 0"),
        (np.ones((4, 4)), 2.5, {}, TypeError, "factor must be an integer"),
        (np.ones((4, 4)), (2, 2, 2), {}, ValueError, "factor must be one integer, or one for each of the 2"),
        (
            np.ones((4, 4)),
            (2, 4),
            {"kernel": np.ones(4)},
            ValueError,
            r"belongs to one factor, got the factors \(2, 4\)",
        ),
        (np.ones((20, 20, 3)), 2, {}, ValueError, "looks like colour: pass channel_axis=-1"),
        (np.ones((4, 4)), 2, {"channel_axis": 2}, ValueError, "channel_axis must be an axis of image"),
        (np.ones((2, 2, 2, 2)), 2, {}, ValueError, "image must have 1, 2 or 3 spatial axes"),
        (np.ones(3), 2, {"channel_axis": 0}, ValueError, "image must have 1, 2 or 3 spatial axes"),
        (np.array([1.0, np.nan]), 2, {}, ValueError, "image must be finite, got 1 NaN"),
        (np.array([True]), 2, {}, TypeError, "image must hold integers or floats"),
        (np.ones((4, 4)), 2, {"kernel": "cubic"}, ValueError, "kernel must be one of nearest"),
    ],
)
@pytest.mark.parametrize("resample", [upsample, downsample])
def test_what_does_not_fit_is_refused(resample, image, factor, options, error, match):
    with pytest.raises(error, match=match):
        resample(image, factor, **options)


def test_an_image_smaller_than_the_factor_cannot_be_decimated():
    with pytest.raises(ValueError, match="factor 4 is larger than the side of 3 pixels on axis 1"):
        downsample(np.ones((8, 3)), 4)
