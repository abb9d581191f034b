from __future__ import annotations

import numpy as np
import pytest

from restoretk.upsampling import KERNELS, kernel_taps

# Functions sampled on the grid; the others were fitted to pictures, have two axes and come for few factors.
INTERPOLATING = ("nearest", "bilinear", "bicubic", "lanczos3")


@pytest.mark.parametrize("name", INTERPOLATING)
@pytest.mark.parametrize("factor", range(1, 8))
def test_every_phase_sums_to_one_and_the_taps_are_symmetric(name, factor):
    taps = KERNELS[name](factor)
    assert (taps.size - factor) % 2 == 0
    np.testing.assert_allclose(taps, taps[::-1], rtol=0, atol=1e-15)
    for phase in range(factor):
        assert abs(taps[phase::factor].sum() - 1) < 1e-14


@pytest.mark.parametrize("name", INTERPOLATING)
def test_an_odd_factor_keeps_the_input_pixels(name):
    taps = KERNELS[name](3)
    middle = taps[taps.size // 2 % 3 :: 3]
    np.testing.assert_allclose(middle, np.arange(middle.size) == middle.size // 2, rtol=0, atol=1e-15)


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
def test_bilinear_taps_are_those_of_fully_convolutional_networks(factor):
    size = 2 * factor - factor % 2
    center = factor - 1 if size % 2 else factor - 0.5
    expected = 1 - np.abs(np.arange(size) - center) / factor
    np.testing.assert_allclose(KERNELS["bilinear"](factor), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("kernel", "sizes"),
    [("nearest", (2, 3, 4)), ("bilinear", (4, 5, 8)), ("bicubic", (8, 11, 16)), ("lanczos3", (12, 17, 24))],
)
def test_the_number_of_taps_is_that_of_the_table(kernel, sizes):
    assert tuple(kernel_taps(kernel, factor).size for factor in (2, 3, 4)) == sizes


def test_the_grammar_reaches_the_parameter():
    np.testing.assert_array_equal(kernel_taps("bicubic:a=-0.75", 3), KERNELS["bicubic"](3, a=-0.75))
    np.testing.assert_array_equal(kernel_taps("bicubic:a=-0.5", 3), kernel_taps("bicubic", 3))
    assert np.abs(kernel_taps("bicubic:a=-0.75", 3) - kernel_taps("bicubic", 3)).max() > 0.01


@pytest.mark.parametrize(
    ("kernel", "error", "match"),
    [
        (
            "bicubik",
            ValueError,
            "kernel must be one of nearest, bilinear, bicubic, lanczos3, fitted, bank; got 'bicubik'",
        ),
        ("bicubic:b=1", ValueError, "key of kernel bicubic must be one of a; got 'b'"),
        ("nearest:a=1", ValueError, "key of kernel nearest must be one of .none.; got 'a'"),
        ("nearest:factor=3", ValueError, "key of kernel nearest must be one of .none.; got 'factor'"),
        ("bicubic:a=soft", ValueError, "a of kernel bicubic must be a number, got 'soft'"),
        ("bicubic:a=nan", ValueError, "numbers must be finite, got 'nan'"),
        (
            [1.0, 2.0, 1.0],
            ValueError,
            "kernel must have 2, 4, 6, ... taps to lie on the half-pixel grid at factor 2, got 3",
        ),
        (np.ones((2, 2)), ValueError, r"must be 1-D taps here, .* got shape \(2, 2\)"),
        ([1.0, np.nan], ValueError, "kernel must be finite"),
        ("fitted", ValueError, "must be 1-D taps here, .* got 'fitted'"),
        ("bank", ValueError, "must be 1-D taps here, .* got 'bank'"),
        (np.ones((2,) * 4), ValueError, "array of 1, 2 or 3 axes"),
        ([True, True], TypeError, "kernel must hold integers or floats"),
    ],
)
def test_wrong_kernels_are_refused_with_the_choices(kernel, error, match):
    with pytest.raises(error, match=match):
        kernel_taps(kernel, 2)


def test_a_slope_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="a must be finite, got inf"):
        KERNELS["bicubic"](2, a=np.inf)


@pytest.mark.parametrize("name", KERNELS)
def test_a_factor_below_one_is_refused(name):
    with pytest.raises(ValueError, match="factor must be at least 1, got 0"):
        KERNELS[name](0)
