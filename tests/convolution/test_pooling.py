from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.average_pooling import average_pool, average_pool_adjoint
from restoretk.convolution.max_pooling import max_pool, max_pool_adjoint, max_pool_with_indices
from restoretk.convolution.max_unpooling import max_unpool, max_unpool_adjoint
from restoretk.convolution.pooling_matrix import average_pooling_matrix, max_pooling_matrix
from restoretk.convolution.strided import conv


def random_pooling(rng: np.random.Generator, ndim: int) -> tuple[Array, dict[str, Any]]:
    """Any pooling at all of a stack of planes, windows that are all padding included."""
    while True:
        n, k, s, d = (rng.integers(1, top, ndim) for top in (8, 4, 5, 4))
        sides = rng.integers(0, 4, (ndim, 2))
        if np.all(n + sides.sum(axis=1) >= (k - 1) * d + 1):
            options = {"size": k, "stride": s, "padding": sides, "dilation": d, "ceil_mode": bool(rng.integers(2))}
            return rng.standard_normal((2, 3, *n)), options


def dot_test(forward: Array, y: Array, x: Array, adjoint: Array) -> None:
    assert forward.shape == y.shape
    assert adjoint.shape == x.shape
    scale = np.linalg.norm(forward) * np.linalg.norm(y) + np.linalg.norm(x) + 1
    assert abs(np.vdot(forward, y) - np.vdot(x, adjoint)) < 1e-12 * scale


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_average_pooling_its_adjoint_and_its_matrix_agree(rng, ndim):
    for include in itertools.islice(itertools.cycle([True, False]), 60):
        x, options = random_pooling(rng, ndim)
        options["count_include_pad"] = include
        pooled = average_pool(x, **options)
        y = rng.standard_normal(pooled.shape)
        back = average_pool_adjoint(y, shape=x.shape[2:], **options)
        dot_test(pooled, y, x, back)
        P = average_pooling_matrix(shape=x.shape[2:], **options)
        np.testing.assert_allclose(x.reshape(6, -1) @ P, pooled.reshape(6, -1), rtol=0, atol=1e-12)
        np.testing.assert_allclose(y.reshape(6, -1) @ P.T, back.reshape(6, -1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_max_pooling_its_adjoint_and_its_matrix_agree(rng, ndim):
    for order in itertools.islice(itertools.cycle("CF"), 60):
        x, options = random_pooling(rng, ndim)
        x = np.rint(x)
        values, indices = max_pool_with_indices(x, **options, order=order)
        np.testing.assert_array_equal(max_pool(x, **options), values)
        y = rng.standard_normal(values.shape)
        seen = np.where(indices < 0, 0, values)  # a window that is all padding selects nothing
        back = max_pool_adjoint(y, indices, x.shape[2:], order=order)
        dot_test(seen, y, x, back)
        S = max_pooling_matrix(x, **options)
        np.testing.assert_array_equal(x.ravel() @ S, seen.ravel())
        np.testing.assert_allclose(y.ravel() @ S.T, back.ravel(), rtol=0, atol=1e-12)
        assert set(S.data) <= {1}


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_unpooling_and_its_adjoint_pass_the_dot_test_also_where_indices_repeat(rng, ndim):
    for over, order in itertools.islice(itertools.cycle(itertools.product(["plane", "array"], "CF")), 40):
        out, shape = rng.integers(1, 5, ndim).tolist(), rng.integers(1, 5, ndim).tolist()
        x = rng.standard_normal((2, 3, *out))
        indices = rng.integers(-1, np.prod(shape) * (6 if over == "array" else 1), x.shape)
        convention = {"spatial_ndim": ndim, "count_over": over, "order": order}
        unpooled = max_unpool(x, indices, 1, output_size=shape, **convention)
        y = rng.standard_normal(unpooled.shape)
        dot_test(unpooled, y, x, max_unpool_adjoint(y, indices, **convention))


def test_average_pooling_is_convolution_with_a_box(scene):
    expected = conv(scene, np.full((3, 2), 1 / 6), stride=(2, 3), padding=((1, 0), (2, 1)), dilation=(2, 1))
    result = average_pool(scene, (3, 2), stride=(2, 3), padding=((1, 0), (2, 1)), dilation=(2, 1))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-14)


def test_without_padding_counted_a_constant_stays_constant():
    image = np.full((7, 9), 3.0)
    options = {"stride": 2, "padding": ((1, 0), (2, 2)), "ceil_mode": True}
    np.testing.assert_array_equal(average_pool(image, 3, count_include_pad=False, **options), np.full((4, 6), 3.0))
    assert average_pool(image, 3, **options).min() < 3


def test_what_hangs_over_beyond_the_padding_never_counts():
    # Windows 0 0 1, 2 3 4 and 5 0 _: the last one has its third place beyond the padding.
    options = {"stride": 3, "padding": ((2, 1),), "ceil_mode": True}
    np.testing.assert_allclose(average_pool([1.0, 2, 3, 4, 5], (3,), **options), [1 / 3, 3, 5 / 2])
    np.testing.assert_allclose(average_pool([1.0, 2, 3, 4, 5], (3,), count_include_pad=False, **options), [1, 3, 5])


def test_a_last_window_that_begins_in_the_padding_behind_is_dropped():
    assert average_pool([1.0, 2.0], 3, stride=3, padding=1, ceil_mode=True).shape == (1,)
    assert max_pool([1.0, 2.0], 3, stride=3, padding=1, ceil_mode=True).shape == (1,)
    assert max_pool([1, 2, 3], 1, stride=2, ceil_mode=True).shape == (2,)
    assert max_pool([1, 2], 1, stride=2, ceil_mode=True).shape == (1,)


def test_windows_side_by_side_make_the_adjoint_the_pseudo_inverse_up_to_a_scale(rng):
    P = average_pooling_matrix((2, 3), (4, 6)).toarray()
    np.testing.assert_allclose(np.linalg.pinv(P), 6 * P.T, rtol=0, atol=1e-12)
    image = rng.standard_normal((4, 6))
    S = max_pooling_matrix(image, (2, 3)).toarray().astype(float)
    np.testing.assert_allclose(np.linalg.pinv(S), S.T, rtol=0, atol=1e-12)
    values, indices = max_pool_with_indices(image, (2, 3))
    np.testing.assert_array_equal(max_unpool(values, indices, (2, 3)).ravel(), values.ravel() @ S.T)


def test_where_windows_overlap_the_adjoint_adds_and_unpooling_overwrites():
    values, indices = max_pool_with_indices([1.0, 9.0, 2.0, 3.0], 3, stride=1)
    np.testing.assert_array_equal(indices, [1, 1])
    np.testing.assert_array_equal(max_pool_adjoint(values, indices, (4,)), [0, 18, 0, 0])
    np.testing.assert_array_equal(max_unpool([4.0, 7.0], indices, 3, stride=1), [0, 7, 0, 0])


def test_pooling_what_was_unpooled_gives_it_back(scene):
    values, indices = max_pool_with_indices(scene, (3, 2), stride=(4, 2))
    unpooled = max_unpool(values, indices, (3, 2), stride=(4, 2), output_size=scene.shape)
    np.testing.assert_array_equal(max_pool(unpooled, (3, 2), stride=(4, 2)), values)


def test_the_index_is_where_the_value_was_in_every_convention(rng):
    image = rng.standard_normal((2, 3, 5, 7))
    options = {"stride": (1, 2), "padding": 1, "dilation": (2, 1)}
    for order in "CF":
        values, plane = max_pool_with_indices(image, (2, 3), order=order, **options)
        for n, c in np.ndindex(2, 3):
            np.testing.assert_array_equal(image[n, c].ravel(order)[plane[n, c]], values[n, c])
        _, whole = max_pool_with_indices(image, (2, 3), order=order, count_over="array", **options)
        np.testing.assert_array_equal(
            whole - plane, np.broadcast_to(35 * np.arange(6).reshape(2, 3, 1, 1), plane.shape)
        )
        restored = max_unpool(values, whole, (2, 3), output_size=(5, 7), order=order, count_over="array")
        assert set(restored.ravel()) <= {0.0, *values.ravel()}
        np.testing.assert_array_equal(np.where(restored != 0, image, 0), restored)


def test_of_equal_pixels_the_first_in_the_image_counts():
    _, indices = max_pool_with_indices(np.zeros((4, 6)), (2, 3))
    np.testing.assert_array_equal(indices, [[0, 3], [12, 15]])


def test_padding_never_wins_a_maximum():
    assert max_pool([[-5, -7]], (1, 2), padding=((1, 1), (1, 1)), stride=(2, 1)).tolist() == [
        [np.iinfo(np.int64).min] * 3,
        [np.iinfo(np.int64).min] * 3,
    ]
    np.testing.assert_array_equal(max_pool([-5.0, -7.0], 2, padding=1, stride=1), [-5, -5, -7])
    np.testing.assert_array_equal(max_pool(np.array([-128, -128], np.int8), 2, padding=1, stride=1), [-128] * 3)
    values, indices = max_pool_with_indices([-np.inf, -np.inf], 2, padding=1, stride=1)
    np.testing.assert_array_equal(indices, [0, 0, 1])
    np.testing.assert_array_equal(values, [-np.inf] * 3)


def test_a_window_without_pixels_is_empty():
    # The places of the one window are 2 before the image and 1 behind it.
    options = {"dilation": 3, "padding": ((2, 1),)}
    np.testing.assert_array_equal(average_pool([4.0], (2,), count_include_pad=False, **options), [0])
    values, indices = max_pool_with_indices([4.0], (2,), **options)
    assert values.tolist() == [-np.inf]
    assert indices.tolist() == [-1]
    np.testing.assert_array_equal(max_pool_adjoint(values, indices, (1,)), [0])
    np.testing.assert_array_equal(max_unpool(values, indices, (2,)), [0, 0])
    assert max_pooling_matrix([4.0], (2,), **options).nnz == 0


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "u1", "i1", "u2", "i8", "u8", ">f4"])
def test_max_keeps_every_dtype_and_the_mean_is_a_float(dtype):
    image = np.array([[1, 4, 2], [3, 7, 0]], dtype)
    assert max_pool(image, (2, 2), stride=1).dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(max_pool(image, (2, 2), stride=1), [[7, 7]])
    mean = average_pool(image, (2, 2), stride=1)
    assert mean.dtype == (np.dtype(dtype).newbyteorder("=") if "f" in dtype else np.float64)
    np.testing.assert_array_equal(mean, [[3.75, 3.25]])


def test_large_integers_are_told_apart():
    image = np.array([2**53, 2**53 + 1])
    assert max_pool(image, 2).tolist() == [2**53 + 1]


def test_one_number_pools_the_axes_of_a_picture(scene):
    stack = np.stack([scene, scene[::-1]])
    assert max_pool(stack, 2).shape == (2, 22, 31)
    assert max_pool(stack, (2, 2, 2)).shape == (1, 22, 31)
    assert max_pool(stack, 2, spatial_ndim=1).shape == (2, 45, 31)
    assert max_pool(scene[0], 2).shape == (31,)


def test_arguments_are_not_written_to_and_results_are_not_aliases(scene):
    before = scene.copy()
    for result in (average_pool(scene, 1), max_pool(scene, 1), *max_pool_with_indices(scene, 1)):
        assert not np.shares_memory(result, scene)
        result += 1
    np.testing.assert_array_equal(scene, before)


IMAGE = np.ones((6, 6))


@pytest.mark.parametrize("pool", [average_pool, max_pool, max_pool_with_indices, max_pooling_matrix])
@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (
            {"size": 7},
            ValueError,
            r"a window of size \(7, 7\) with dilation \(1, 1\) is larger than the image \(6, 6\)",
        ),
        ({"size": 0}, ValueError, "size must be at least 1, got 0"),
        ({"size": (2, 2, 2)}, ValueError, "1, 2 or 3 of them, got 3"),
        ({"size": 2.0}, TypeError, "size must be an integer"),
        ({"stride": 0}, ValueError, "stride must be at least 1"),
        ({"dilation": (1, 2, 3)}, ValueError, "dilation must be one integer, or one for each of the 2"),
        ({"padding": ((0, -1), (0, 0))}, ValueError, "padding must be at least 0, got"),
        ({"spatial_ndim": 4}, ValueError, "1, 2 or 3 of them, got 4"),
        ({"image": np.ones((20, 20, 3))}, ValueError, "looks like colour with its channels last"),
        ({"image": np.ones((0, 3))}, ValueError, "image must not be empty"),
        (
            {"image": np.full((6, 6), np.nan)},
            ValueError,
            r"image must not hold NaN, got 36 of them, the first at \(0, 0\)",
        ),
        ({"image": np.ones((6, 6), bool)}, TypeError, "image must hold integers or floats"),
        ({"image": np.ma.masked_array(IMAGE)}, TypeError, "image is a masked array"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(pool, change, error, match):
    with pytest.raises(error, match=match) as caught:
        pool(**{"image": IMAGE, "size": 2} | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: average_pool(np.array([np.inf, 1]), 2), ValueError, "image must be finite, got 1"),
        (
            lambda: average_pool_adjoint([1.0, 2.0], 2, (6,)),
            ValueError,
            r"must end in the shape of the windows, \(3,\)",
        ),
        (lambda: max_pool_adjoint([1.0], [1, 2], (6,)), ValueError, "indices must have the shape of pooled"),
        (lambda: max_pool_adjoint([1.0], [6], (6,)), ValueError, r"indices must be below 6, the size of one plane"),
        (lambda: max_unpool([1.0], [-2], 2), ValueError, "indices must be below 2.* got -2 to -2"),
        (lambda: max_unpool([1.0], [1.0], 2), TypeError, "indices must be integers, got dtype float64"),
        (lambda: max_unpool([1.0], [1, 2], 2), ValueError, "indices must have the shape of the image"),
        (lambda: max_unpool([1.0], [0], 2, padding=1), ValueError, "padding 1 cuts off everything"),
        (lambda: max_unpool_adjoint(np.ones((2, 4)), [0], spatial_ndim=1), ValueError, "before the 1 spatial ones"),
        (lambda: max_pool_with_indices([1.0], 1, order="K"), ValueError, "order must be 'C' or 'F', got 'K'"),
        (lambda: max_unpool([1.0], [0], 1, count_over="row"), ValueError, "count_over must be 'plane' or 'array'"),
    ],
)
def test_indices_and_shapes_that_do_not_fit_are_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
