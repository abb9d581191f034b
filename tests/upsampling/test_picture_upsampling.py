from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

from restoretk.convolution import _scatter_planes
from restoretk.upsampling import upsample
from restoretk.upsampling.axis_resampling import upsample_axis, upsample_planes
from restoretk.upsampling.kernels import kernel_taps
from restoretk.upsampling.picture_upsampling import upsample_axes, upsample_by_whole_kernel


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(_scatter_planes, "_TILE_BYTES", 1 << 10)
    monkeypatch.setattr(_scatter_planes, "_TILE_COLUMNS", 50)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("shape", [(17, 23), (17, 23, 3), (17, 23, 6), (3, 17, 23), (5, 17, 23)])
@pytest.mark.parametrize("name", ["nearest", "bilinear", "bicubic", "lanczos3"])
def test_two_axes_at_once_are_one_axis_after_the_other(rng, shape, name):
    image = rng.random(shape)
    for axes, factors in itertools.product([(0, 1), (1, 2), (0, 2)], [(2, 3), (4, 2)]):
        if axes[1] >= len(shape):
            continue
        steps = [(axis, s, kernel_taps(name, s)) for axis, s in zip(axes, factors, strict=True)][::-1]
        expected = image
        for axis, s, taps in steps:
            expected = upsample_axis(expected, axis, s, taps)
        np.testing.assert_allclose(upsample_axes(image, steps), expected, rtol=0, atol=1e-13)


@pytest.mark.usefixtures("small_tiles")
def test_a_volume_is_enlarged_along_all_three_axes(rng):
    image = rng.random((5, 7, 9))
    steps = [(axis, s, kernel_taps("bicubic", s)) for axis, s in ((2, 2), (1, 3), (0, 2))]
    expected = image
    for axis, s, taps in steps:
        expected = upsample_axis(expected, axis, s, taps)
    np.testing.assert_allclose(upsample_axes(image, steps), expected, rtol=0, atol=1e-13)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("size", [(2, 2), (4, 6), (8, 4), (40, 40)])
@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (0, 2)])
def test_a_kernel_that_is_not_separable_is_that_of_the_patches(rng, size, axes):
    image, kernel = rng.random((11, 13, 12)), rng.random(size)
    stack = (set(range(3)) - set(axes)).pop()
    expected = np.moveaxis(upsample_planes(np.moveaxis(image, stack, 0), 2, kernel), 0, stack)
    np.testing.assert_allclose(upsample_by_whole_kernel(image, axes, 2, kernel), expected, rtol=1e-12, atol=0)


def test_a_picture_may_be_a_view_that_is_not_contiguous(rng):
    wide = rng.random((40, 90, 3), dtype=np.float32)
    view = wide[::2, ::-3]
    expected = upsample(view.copy(), 2, channel_axis=-1)
    np.testing.assert_array_equal(upsample(view, 2, channel_axis=-1), expected)


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("name", ["bilinear", "lanczos3"])
def test_no_temporary_has_the_size_of_the_picture(rng, channels, name):
    image = rng.random((1024, 1024, *channels), dtype=np.float32)
    upsample(
        image, 2, kernel=name, channel_axis=-1 if channels else None
    )  # the extra fast compiles when it is first used
    tracemalloc.start()
    result = upsample(image, 2, kernel=name, channel_axis=-1 if channels else None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - result.nbytes < 0.1 * (image.nbytes + result.nbytes)
