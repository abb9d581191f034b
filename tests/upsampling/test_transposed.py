from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from restoretk.convolution.strided import conv
from restoretk.upsampling import conv_transpose

OPTIONS = ("stride", "padding", "output_padding", "dilation")


def random_options(rng: np.random.Generator, ndim: int) -> tuple[np.ndarray, np.ndarray, dict[str, tuple[int, ...]]]:
    """Sizes of an image and a kernel, and options that PyTorch takes."""
    while True:
        k, n, s, p, d = (rng.integers(low, top, ndim) for low, top in ((1, 6), (1, 9), (1, 5), (0, 4), (1, 4)))
        more = np.array([rng.integers(0, max(pair)) for pair in zip(s, d, strict=True)])
        if np.all((n - 1) * s - 2 * p + d * (k - 1) + more + 1 >= 1):
            return n, k, {name: tuple(v.tolist()) for name, v in zip(OPTIONS, (s, p, more, d), strict=True)}


@pytest.mark.parametrize(("ndim", "cases"), [(1, 60), (2, 200), (3, 40)])
def test_random_cases_equal_torch(rng, ndim, cases):
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs the optional torch")
    reference = getattr(torch.nn.functional, f"conv_transpose{ndim}d")
    for _ in range(cases):
        n, k, options = random_options(rng, ndim)
        groups, inputs, outputs = (int(count) for count in rng.integers(1, 4, 3))
        image = rng.standard_normal((2, groups * inputs, *n)).astype(np.float32)
        kernel = rng.standard_normal((groups * inputs, outputs, *k)).astype(np.float32) / np.float32(np.prod(k))
        bias = rng.standard_normal(groups * outputs).astype(np.float32)
        expected = reference(*map(torch.from_numpy, (image, kernel, bias)), groups=groups, **options).numpy()
        result = conv_transpose(image, kernel, bias=bias, groups=groups, spatial_ndim=ndim, **options)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_it_is_the_adjoint_of_conv_to_1e_12(rng, ndim):
    for _ in range(30):
        n, k, options = random_options(rng, ndim)
        groups, inputs, outputs = (int(count) for count in rng.integers(1, 4, 3))
        y = rng.standard_normal((2, groups * inputs, *n))
        kernel = rng.standard_normal((groups * inputs, outputs, *k))  # the same array is the kernel of the convolution
        transposed = conv_transpose(y, kernel, groups=groups, spatial_ndim=ndim, **options)
        x = rng.standard_normal(transposed.shape)
        more = options.pop("output_padding")
        if any(m >= s for m, s in zip(more, options["stride"], strict=True)):
            continue  # output_padding below the dilation only: the convolution then has one output more
        convolved = conv(x, kernel, groups=groups, spatial_ndim=ndim, **options)
        assert convolved.shape == y.shape
        scale = np.linalg.norm(convolved) * np.linalg.norm(y) + 1
        assert abs(np.vdot(convolved, y) - np.vdot(x, transposed)) < 1e-12 * scale


def test_without_stride_it_is_true_convolution(scene, lopsided_psf):
    expected = scipy.signal.convolve2d(scene, lopsided_psf)
    np.testing.assert_allclose(conv_transpose(scene, lopsided_psf), expected, rtol=0, atol=1e-12)


def test_the_worked_example_in_integers():
    result = conv_transpose([[12, 12], [10, 17]], [[0, 1, 2], [2, 2, 0], [0, 1, 2]])
    np.testing.assert_array_equal(result, [[0, 12, 36, 24], [24, 58, 61, 34], [20, 66, 70, 24], [0, 10, 37, 34]])


def test_a_single_pixel_becomes_the_kernel_not_its_mirror(lopsided_psf):
    np.testing.assert_array_equal(conv_transpose([[1.0]], lopsided_psf, stride=3), lopsided_psf)


def test_output_padding_appends_computed_pixels_at_the_high_end():
    image, kernel = [1, 10, 100], [1, 2, 3]
    full = [1, 2, 13, 20, 130, 200, 300]
    np.testing.assert_array_equal(conv_transpose(image, kernel, stride=2, padding=1), full[1:6])
    np.testing.assert_array_equal(conv_transpose(image, kernel, stride=2, padding=1, output_padding=1), full[1:])
    np.testing.assert_array_equal(conv_transpose(image, kernel, stride=2, output_padding=1), [*full, 0])


def test_pixels_that_no_copy_reaches_hold_the_bias():
    np.testing.assert_array_equal(conv_transpose([1, 2], [1], stride=3, bias=7), [8, 7, 7, 9])


def test_a_channel_axis_works_with_and_without_a_batch(rng):
    image, kernel = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((3, 2, 2, 3))
    batch = conv_transpose(image, kernel, stride=2)
    assert batch.shape == (2, 2, 8, 11)
    np.testing.assert_array_equal(conv_transpose(image[1], kernel, stride=2), batch[1])
    planes = [conv_transpose(image[1, c], kernel[c, 0], stride=2) for c in range(3)]
    np.testing.assert_allclose(batch[1, 0], sum(planes), rtol=0, atol=1e-12)


def test_padding_of_each_side_is_a_window_of_the_full_result(scene, lopsided_psf):
    options = {"stride": (2, 3), "dilation": (3, 1)}
    full = conv_transpose(scene, lopsided_psf, **options)
    cut = conv_transpose(scene, lopsided_psf, padding=((2, 5), (0, 1)), **options)
    np.testing.assert_array_equal(cut, full[2:-5, :-1])
    wider = conv_transpose(scene, lopsided_psf, padding=((-2, 3), (4, -6)), **options)
    np.testing.assert_array_equal(wider, np.pad(full[:-3, 4:], ((2, 0), (0, 6))))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_with_the_images_size_it_is_the_adjoint_of_conv_whatever_the_padding(rng, ndim):
    compared = 0
    while compared < 40:
        n, k, s, d = (rng.integers(1, top, ndim) for top in (9, 5, 5, 4))
        sides = rng.integers(-2, 5, (ndim, 2))
        if np.any(n + sides.sum(axis=1) < (k - 1) * d + 1):
            continue
        compared += 1
        groups, inputs, outputs = (int(count) for count in rng.integers(1, 4, 3))
        x = rng.standard_normal((2, groups * inputs, *n))
        kernel = rng.standard_normal((groups * outputs, inputs, *k))
        options = {"stride": s, "dilation": d, "padding": sides, "groups": groups, "spatial_ndim": ndim}
        convolved = conv(x, kernel, **options)
        y = rng.standard_normal(convolved.shape)
        transposed = conv_transpose(y, kernel, output_size=n, **options)
        assert transposed.shape == x.shape
        scale = np.linalg.norm(convolved) * np.linalg.norm(y) + 1
        assert abs(np.vdot(convolved, y) - np.vdot(x, transposed)) < 1e-12 * scale


def test_output_size_is_output_padding_said_by_the_result(scene, lopsided_psf):
    options = {"stride": (4, 3), "padding": ((1, 0), (2, 2))}
    for more in [(0, 0), (3, 1), (1, 2)]:
        expected = conv_transpose(scene, lopsided_psf, output_padding=more, **options)
        np.testing.assert_array_equal(
            conv_transpose(scene, lopsided_psf, output_size=expected.shape, **options), expected
        )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"stride": (2, 3), "output_size": (9, 9)},
            r"output_size \(9, 9\) cannot be reached with stride \(2, 3\): .* axis by axis, are 7 to 8; 9 to 11",
        ),
        ({"output_size": 6}, r"output_size \(6, 6\) cannot be reached .* are 5; 5"),
        ({"stride": 2, "output_size": 6}, "are 7 to 8; 7 to 8"),
        ({"padding": 3, "output_size": 1}, "are none; none"),
        ({"stride": 3, "padding": 5, "output_size": 2}, "are 1; 1"),
        ({"stride": 2, "output_size": 8, "output_padding": 1}, "output_padding 1 and output_size 8 exclude each other"),
        ({"output_size": (5, 5, 5)}, "output_size must be one integer, or one for each of the 2"),
        ({"output_size": 0}, "output_size must be at least 1, got 0"),
    ],
)
def test_a_size_that_cannot_be_reached_is_answered_with_those_that_can(options, match):
    with pytest.raises(ValueError, match=match):
        conv_transpose(np.ones((3, 3)), np.ones((3, 3)), **options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"output_padding": 1},
            r"output_padding must be smaller than the stride \(1, 1\) or the dilation \(1, 1\), got 1",
        ),
        ({"stride": 2, "output_padding": (0, 2)}, "output_padding must be smaller"),
        ({"padding": 4}, r"padding 4 cuts off everything"),
        ({"stride": 0}, "stride must be at least 1"),
        ({"output_padding": -1}, "output_padding must be at least 0"),
        ({"groups": 2}, "groups must divide"),
        ({"kernel": np.ones((2, 1, 2, 2)), "image": np.ones((3, 4, 4))}, r"it must be \(C_in, C_out / groups"),
        ({"image": np.full((3, 3), np.nan)}, "image must be finite, got 9"),
    ],
)
def test_what_torch_refuses_is_refused_in_one_sentence(options, match):
    with pytest.raises(ValueError, match=match):
        conv_transpose(**{"image": np.ones((3, 3)), "kernel": np.ones((3, 3))} | options)


def test_output_padding_below_the_dilation_is_legal():
    assert conv_transpose([1.0, 2.0], [1.0, 1.0], dilation=2, output_padding=1).shape == (5,)
