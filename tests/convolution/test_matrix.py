from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg

from restoretk._arrays import Array
from restoretk.convolution.matrix import convolution_matrix
from restoretk.convolution.strided import conv
from restoretk.upsampling.transposed import conv_transpose

D = np.array([[3, 3, 2, 1], [0, 0, 1, 3], [3, 1, 2, 2], [2, 0, 0, 2]])
K = np.array([[0, 1, 2], [2, 2, 0], [0, 1, 2]])


def random_case(rng: np.random.Generator, ndim: int) -> tuple[Array, Array, dict[str, tuple[int, ...]]]:
    while True:
        k, n, s, p, d = (rng.integers(low, top, ndim) for low, top in ((1, 5), (1, 8), (1, 4), (0, 4), (1, 4)))
        if np.all(n + 2 * p >= (k - 1) * d + 1):
            options = {"stride": s, "padding": p, "dilation": d}
            plain = {name: tuple(value.tolist()) for name, value in options.items()}
            return rng.standard_normal(n), rng.standard_normal(k), plain


def output_padding(image: Array, kernel: Array, stride: Any, padding: Any, dilation: Any) -> tuple[int, ...]:
    """What a convolution leaves over at the high end: the output_padding that leads back to the size of its input."""
    shapes = zip(image.shape, kernel.shape, stride, padding, dilation, strict=True)
    return tuple((n + 2 * p - (k - 1) * d - 1) % s for n, k, s, p, d in shapes)


def test_the_matrix_of_the_worked_example_is_laid_out_as_printed():
    C = convolution_matrix(K, (4, 4))
    rows = [
        [0, 1, 2, 0, 2, 2, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0],
        [0, 0, 1, 2, 0, 2, 2, 0, 0, 0, 1, 2, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 2, 0, 2, 2, 0, 0, 0, 1, 2, 0],
        [0, 0, 0, 0, 0, 0, 1, 2, 0, 2, 2, 0, 0, 0, 1, 2],
    ]
    np.testing.assert_array_equal(C.toarray().T, rows)
    np.testing.assert_array_equal(D.ravel() @ C, [12, 12, 10, 17])
    back = [[0, 12, 36, 24], [24, 58, 61, 34], [20, 66, 70, 24], [0, 10, 37, 34]]
    np.testing.assert_array_equal(([12, 12, 10, 17] @ C.T).reshape(4, 4), back)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_matrix_is_conv_and_its_transpose_conv_transpose(rng, ndim):
    for _ in range(30):
        image, kernel, options = random_case(rng, ndim)
        C = convolution_matrix(kernel, image.shape, **options)
        convolved = conv(image, kernel, spatial_ndim=ndim, **options)
        np.testing.assert_allclose((image.ravel() @ C).reshape(convolved.shape), convolved, rtol=0, atol=1e-12)

        e = rng.standard_normal(convolved.shape)
        more = output_padding(image, kernel, **options)
        transposed = conv_transpose(e, kernel, output_padding=more, spatial_ndim=ndim, **options)
        np.testing.assert_allclose((e.ravel() @ C.T).reshape(image.shape), transposed, rtol=0, atol=1e-12)
        assert abs(np.vdot(convolved, e) - np.vdot(image, transposed)) < 1e-12 * (1 + np.linalg.norm(e) * image.size)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_channels_and_groups_are_blocks(rng, ndim):
    compared = 0
    while compared < 20:
        n, k, s, d = (rng.integers(1, top, ndim) for top in (7, 4, 4, 4))
        sides = rng.integers(-1, 4, (ndim, 2))
        if np.any(n + sides.sum(axis=1) < (k - 1) * d + 1):
            continue
        compared += 1
        groups, inputs, outputs = (int(count) for count in rng.integers(1, 4, 3))
        x = rng.standard_normal((2, groups * inputs, *n))
        kernel = rng.standard_normal((groups * outputs, inputs, *k))
        options = {"stride": s, "dilation": d, "padding": sides, "groups": groups}
        C = convolution_matrix(kernel, x.shape[1:], **options)
        convolved = conv(x, kernel, spatial_ndim=ndim, **options)
        np.testing.assert_allclose(x.reshape(2, -1) @ C, convolved.reshape(2, -1), rtol=0, atol=1e-12)
        e = rng.standard_normal(convolved.shape)
        transposed = conv_transpose(e, kernel, output_size=n, spatial_ndim=ndim, **options)
        np.testing.assert_allclose(e.reshape(2, -1) @ C.T, transposed.reshape(2, -1), rtol=0, atol=1e-12)


def test_each_block_is_the_matrix_of_one_pair_of_channels(rng):
    kernel = rng.standard_normal((4, 2, 2, 3))
    options = {"stride": (1, 2), "padding": ((1, 0), (0, 2))}
    C = convolution_matrix(kernel, (4, 5, 6), groups=2, **options).toarray()
    pixels, results = 30, C.shape[1] // 4
    for o in range(4):
        for i in range(4):
            block = C[i * pixels : (i + 1) * pixels, o * results : (o + 1) * results]
            own = i // 2 == o // 2
            expected = convolution_matrix(kernel[o, i % 2], (5, 6), **options).toarray() if own else 0 * block
            np.testing.assert_array_equal(block, expected)


def test_without_stride_or_padding_it_is_toeplitz(rng):
    kernel = rng.standard_normal(3)
    first_column, first_row = np.r_[kernel[0], np.zeros(4)], np.r_[kernel, np.zeros(4)]
    expected = scipy.linalg.toeplitz(first_column, first_row)
    np.testing.assert_array_equal(convolution_matrix(kernel, (7,)).toarray().T, expected)


def test_only_what_is_not_zero_is_stored():
    assert convolution_matrix(K, (4, 4)).nnz == 4 * 6
    empty = convolution_matrix(np.zeros((2, 2)), (3, 4))
    assert empty.nnz == 0
    assert empty.shape == (12, 6)


@pytest.mark.parametrize(("given", "expected"), [("f4", "f4"), ("f8", "f8"), ("f2", "f8"), ("u1", "i8"), ("i4", "i8")])
def test_the_matrix_has_the_dtype_of_the_arithmetic(given, expected):
    assert convolution_matrix(np.ones(2, given), (3,)).dtype == np.dtype(expected)


@pytest.mark.parametrize(
    ("kernel", "shape", "error", "match"),
    [
        (np.ones((2, 2)), (3,), ValueError, "shape must be one integer, or one for each of the 2"),
        (np.ones(4), (3,), ValueError, "larger than the image"),
        (np.ones(0), (3,), ValueError, "at least one axis and one element"),
        (np.array([np.inf]), (3,), ValueError, "kernel must be finite"),
        (np.array(["a"]), (3,), TypeError, "kernel must hold integers or floats"),
        (np.ones((4, 3, 2)), (3, 5), ValueError, "does not fit an input of 3 channels in 2 groups"),
        (np.ones((3, 2, 2)), (4, 5), ValueError, "C_out divisible by groups"),
        (np.ones((2, 2)), (3, 3), ValueError, "groups must be 1 for a kernel without channel axes, got 2"),
    ],
)
def test_what_does_not_fit_is_refused(kernel, shape, error, match):
    groups = 2 if "groups" in match else 1
    with pytest.raises(error, match=match):
        convolution_matrix(kernel, shape, groups=groups)
