from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.signal

from restoretk._arrays import Array
from restoretk.convolution.operands import per_axis, per_side
from restoretk.convolution.strided import conv, conv_core, conv_transpose_core
from restoretk.upsampling.transposed import conv_transpose

D = [[3, 3, 2, 1], [0, 0, 1, 3], [3, 1, 2, 2], [2, 0, 0, 2]]
K = [[0, 1, 2], [2, 2, 0], [0, 1, 2]]


def scatter(
    source: Array, weights: Array, stride: list[int], dilation: list[int], head: list[int], out: list[int]
) -> Array:
    """The rule written out: full[i*s + t*d] += x[i] * w[t], then the window (head, out), zeros beyond."""
    result = np.zeros((source.shape[0], *weights.shape[:2], *out))
    for i in np.ndindex(source.shape[3:]):
        for t in np.ndindex(weights.shape[3:]):
            m = [a * s + b * d - h for a, s, b, d, h in zip(i, stride, t, dilation, head, strict=True)]
            if all(0 <= position < size for position, size in zip(m, out, strict=True)):
                result[(..., *m)] += np.einsum("goc,ngc->ngo", weights[(..., *t)], source[(..., *i)])
    return result


def gather(
    source: Array, weights: Array, stride: list[int], dilation: list[int], head: list[int], out: list[int]
) -> Array:
    result = np.zeros((source.shape[0], *weights.shape[:2], *out))
    for j in np.ndindex(*out):
        for t in np.ndindex(weights.shape[3:]):
            i = [a * s + b * d - h for a, s, b, d, h in zip(j, stride, t, dilation, head, strict=True)]
            if all(0 <= position < size for position, size in zip(i, source.shape[3:], strict=True)):
                result[(..., *j)] += np.einsum("goc,ngc->ngo", weights[(..., *t)], source[(..., *i)])
    return result


def random_case(rng: np.random.Generator, ndim: int) -> tuple[Array, Array, dict[str, list[int]]]:
    """Any window at all: heads before the start, outputs beyond the end, kernels larger than the image."""
    groups, inputs, outputs = rng.integers(1, 4, 3)
    source = rng.standard_normal((2, groups, inputs, *rng.integers(1, 6, ndim)))
    weights = rng.standard_normal((groups, outputs, inputs, *rng.integers(1, 5, ndim)))
    options = {"stride": (1, 5), "dilation": (1, 4), "head": (-3, 6), "out": (1, 12)}
    return source, weights, {name: rng.integers(*span, ndim).tolist() for name, span in options.items()}


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_transposed_core_is_the_scatter_rule(rng, ndim):
    for _ in range(25):
        source, weights, options = random_case(rng, ndim)
        expected = scatter(source, weights, **options)
        np.testing.assert_allclose(conv_transpose_core(source, weights, **options), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_core_is_the_written_out_gather(rng, ndim):
    for _ in range(25):
        source, weights, options = random_case(rng, ndim)
        np.testing.assert_allclose(
            conv_core(source, weights, **options), gather(source, weights, **options), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_cores_are_adjoint_to_1e_12(rng, ndim):
    for _ in range(40):
        x, weights, options = random_case(rng, ndim)
        y = rng.standard_normal((2, *weights.shape[:2], *options["out"]))
        back = options | {"out": list(x.shape[3:])}
        forward = conv_core(x, weights, **options)
        adjoint = conv_transpose_core(y, np.swapaxes(weights, 1, 2), **back)
        scale = np.linalg.norm(forward) * np.linalg.norm(y) + 1
        assert abs(np.vdot(forward, y) - np.vdot(x, adjoint)) < 1e-12 * scale


def test_the_worked_example_in_integers():
    result = conv(D, K)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, [[12, 12], [10, 17]])


def test_no_stride_is_scipys_correlation(scene, lopsided_psf):
    expected = scipy.signal.correlate2d(scene, lopsided_psf, mode="valid")
    np.testing.assert_allclose(conv(scene, lopsided_psf), expected, rtol=0, atol=1e-12)


def test_stride_keeps_every_nth_result(scene, lopsided_psf):
    full = conv(scene, lopsided_psf, padding=(2, 1), dilation=(1, 3))
    strided = conv(scene, lopsided_psf, stride=(3, 2), padding=(2, 1), dilation=(1, 3))
    np.testing.assert_array_equal(strided, full[::3, ::2])


def test_a_stack_of_planes_is_taken_plane_by_plane(scene, lopsided_psf):
    stack = np.stack([scene, scene[::-1], scene[:, ::-1]])
    expected = np.stack([conv(plane, lopsided_psf, stride=2) for plane in stack])
    np.testing.assert_array_equal(conv(stack, lopsided_psf, stride=2), expected)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_conv_equals_torch(rng, ndim):
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs the optional torch")
    reference = getattr(torch.nn.functional, f"conv{ndim}d")
    compared = 0
    while compared < 30:
        groups, inputs, outputs = (int(n) for n in rng.integers(1, 4, 3))
        k, n, s, p, d = (rng.integers(1, top, ndim) for top in (5, 9, 4, 4, 4))
        if np.any(n + 2 * p < (k - 1) * d + 1):
            continue
        compared += 1
        image = rng.standard_normal((2, groups * inputs, *n)).astype(np.float32)
        kernel = rng.standard_normal((groups * outputs, inputs, *k)).astype(np.float32)
        bias = rng.standard_normal(groups * outputs).astype(np.float32)
        options = {
            "stride": tuple(s.tolist()),
            "padding": tuple(p.tolist()),
            "dilation": tuple(d.tolist()),
            "groups": groups,
        }
        expected = reference(*map(torch.from_numpy, (image, kernel, bias)), **options).numpy()
        result = conv(image, kernel, bias=bias, spatial_ndim=ndim, **options)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("image", "kernel", "bias", "expected"),
    [
        (np.float32, np.float64, np.float64, np.float32),
        (np.float64, np.float32, np.int64, np.float64),
        (np.float16, np.float64, np.float64, np.float16),
        (np.uint8, np.int16, np.int64, np.int64),
        (np.uint8, np.float32, np.int64, np.float64),
        (np.int32, np.int32, np.float32, np.float64),
    ],
)
def test_floats_keep_the_images_dtype_and_integers_stay_exact(image, kernel, bias, expected):
    result = conv(np.array([200, 100], image), np.array([2, 1], kernel), bias=np.array(1, bias))
    assert result.dtype == expected
    np.testing.assert_array_equal(result, [501])


def test_big_endian_and_strided_views_are_read_right():
    image = np.arange(20.0).astype(">f8")[::2]
    np.testing.assert_array_equal(conv(image, [1.0, -1.0]), np.full(9, -2.0))


def test_arguments_are_not_written_to_and_results_are_not_aliases(scene):
    before = scene.copy()
    result = conv(scene, [[1.0]], bias=0.0)
    assert not np.shares_memory(result, scene)
    result += 1
    np.testing.assert_array_equal(scene, before)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (
            {"kernel": np.ones((1, 9))},
            ValueError,
            r"kernel of shape \(1, 9\) with dilation \(1, 1\) is larger than the image",
        ),
        ({"stride": 0}, ValueError, "stride must be at least 1, got 0"),
        ({"padding": -1}, ValueError, "padding must be at least 0, got -1"),
        ({"dilation": (1, 2, 3)}, ValueError, "dilation must be one integer, or one for each of the 2"),
        ({"stride": 1.5}, TypeError, "stride must be an integer"),
        ({"kernel": np.ones((2, 2), bool)}, TypeError, "kernel must hold integers or floats"),
        ({"kernel": np.ones((2, 2), complex)}, TypeError, "kernel must hold integers or floats"),
        ({"kernel": np.array([[1, np.nan]])}, ValueError, "kernel must be finite, got 1 NaN"),
        ({"kernel": np.ones((0, 2))}, ValueError, "kernel must not be empty"),
        ({"kernel": np.ones((1,) * 6)}, ValueError, "kernel of shape .* must have its 1, 2 or 3 spatial axes"),
        ({"kernel": np.ones((1, 1, 2, 2))}, ValueError, "image of shape .* has too few axes"),
        ({"image": np.ones((20, 20, 3))}, ValueError, "looks like colour with its channels last"),
        (
            {"image": np.ones((3, 6, 6)), "kernel": np.ones((2, 2, 2, 2))},
            ValueError,
            r"it must be \(C_out, C_in / groups",
        ),
        ({"image": np.ones((3, 6, 6)), "kernel": np.ones((2, 1, 2, 2)), "groups": 2}, ValueError, "groups must divide"),
        ({"bias": [1.0, 2.0]}, ValueError, r"bias must have shape \(1,\)"),
        ({"spatial_ndim": 1}, ValueError, "and spatial_ndim is 1"),
        ({"image": np.ma.masked_array(np.ones((4, 4)))}, TypeError, "image is a masked array"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(change, error, match):
    arguments = {"image": np.ones((6, 6)), "kernel": np.ones((2, 2))} | change
    with pytest.raises(error, match=match) as caught:
        conv(**arguments)
    assert "\n" not in str(caught.value)


def test_padding_of_each_side_is_zeros_put_there(scene, lopsided_psf):
    padded = np.pad(scene, ((2, 0), (1, 5)))
    options = {"stride": (2, 3), "dilation": (1, 2)}
    np.testing.assert_array_equal(
        conv(scene, lopsided_psf, padding=((2, 0), (1, 5)), **options), conv(padded, lopsided_psf, **options)
    )


def test_negative_padding_of_a_side_cuts_pixels_off(scene, lopsided_psf):
    expected = conv(scene[3:, :-2], lopsided_psf, padding=((0, 2), (1, 0)), stride=2)
    np.testing.assert_array_equal(conv(scene, lopsided_psf, padding=((-3, 2), (1, -2)), stride=2), expected)


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        (2, ((2, 2), (2, 2))),
        ((2, 3), ((2, 2), (3, 3))),
        ((2, (0, -1)), ((2, 2), (0, -1))),
        (np.array([[1, 2], [3, 4]]), ((1, 2), (3, 4))),
        ([np.int32(1), np.array([0, 2])], ((1, 1), (0, 2))),
    ],
)
def test_padding_is_one_number_one_an_axis_or_pairs(padding, expected):
    assert per_side(padding, 2, "padding") == expected


@pytest.mark.parametrize(
    ("padding", "error", "match"),
    [
        ((1, 2, 3), ValueError, "padding must be one integer, or one for each of the 2 spatial axes"),
        (((1, 2),), ValueError, r"or for each of the 2 spatial axes one or a pair \(before, after\), got"),
        ((-1, (1, 2)), ValueError, "padding must be at least 0, got -1"),
        (((1, 2, 3), 0), ValueError, r"padding must have two numbers \(before, after\) in a pair, got \(1, 2, 3\)"),
        (((1.5, 2), 0), TypeError, "padding must be an integer"),
        ("same", TypeError, "padding must be an integer or a sequence of integers, got 'same'"),
        (("same", (1, 1)), TypeError, "padding must be an integer"),
        (((-4, -3), 0), ValueError, r"larger than the image \(6, 6\) with padding \(\(-4, -3\), \(0, 0\)\)"),
    ],
)
def test_padding_of_sides_that_does_not_fit_is_refused(padding, error, match):
    with pytest.raises(error, match=match):
        conv(np.ones((6, 6)), np.ones((2, 2)), padding=padding)


def test_per_axis_takes_numpy_integers_and_arrays():
    assert per_axis(np.int32(2), 2, "stride", 1) == (2, 2)
    assert per_axis(np.array([2, 3]), 2, "stride", 1) == (2, 3)


def test_three_axes_mean_a_volume_unless_they_may_be_signals_with_channels(rng):
    image, kernel = rng.standard_normal((4, 5, 6)), rng.standard_normal((2, 5, 3))
    assert conv(image, kernel, spatial_ndim=3).shape == (3, 1, 4)
    assert conv(image, kernel[:, :4]).shape == (3, 2, 4)
    with pytest.raises(ValueError, match="pass spatial_ndim=1 or spatial_ndim=3"):
        conv(image, kernel)
    with pytest.raises(ValueError, match="pass spatial_ndim=1 or spatial_ndim=3"):
        conv_transpose(rng.standard_normal((2, 2, 5)), rng.standard_normal((2, 3, 4)))
    assert conv(image, kernel, spatial_ndim=1).shape == (4, 2, 4)
    assert conv(image[0], kernel).shape == (2, 4)
    for batch, out in itertools.product(range(4), range(2)):
        expected = sum(np.correlate(image[batch, c], kernel[out, c]) for c in range(5))
        np.testing.assert_allclose(conv(image, kernel, spatial_ndim=1)[batch, out], expected, rtol=0, atol=1e-12)
