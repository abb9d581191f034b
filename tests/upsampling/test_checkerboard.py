from __future__ import annotations

import math

import numpy as np
import pytest

from restoretk.upsampling import KERNELS, conv_transpose
from restoretk.upsampling.checkerboard import inspect_kernel
from restoretk.upsampling.kernel_findings import format_kernel_inspection, kernel_verdict
from restoretk.upsampling.ripple_cost import TYPICAL, ripple_cost

# A lopsided kernel without any symmetry, one side even, no side a multiple of its stride.
SHAPE, STRIDE, PADDING = (5, 8), (3, 2), (2, 1)


@pytest.fixture
def lopsided(rng):
    return rng.standard_normal(SHAPE) + 0.5


def _interior(image, kernel, stride, padding, first):
    """Two periods of the transposed convolution of a large image, from the copies of the input pixels ``first`` on."""
    large = conv_transpose(image, kernel, stride=stride, padding=padding)
    return large[tuple(slice(f * s, (f + 2) * s) for f, s in zip(first, stride, strict=True))]


def test_the_answer_to_a_constant_is_what_the_transposed_convolution_gives(lopsided):
    found = inspect_kernel(lopsided, STRIDE, padding=PADDING)
    expected = _interior(np.ones((11, 13)), lopsided, STRIDE, PADDING, (5, 6))
    np.testing.assert_allclose(found.constant, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_answer_to_a_ramp_is_what_the_transposed_convolution_gives(lopsided, axis):
    first = (5, 6)
    ramp = np.indices((11, 13))[axis] - float(first[axis])  # counted from the pixel where the record begins
    found = inspect_kernel(lopsided, STRIDE, padding=PADDING)
    expected = _interior(ramp, lopsided, STRIDE, PADDING, first)
    np.testing.assert_allclose(found.ramps[axis], expected, rtol=0, atol=1e-12)


def test_the_answer_to_an_impulse_is_the_kernel_and_its_zeros_of_dilation(lopsided):
    impulse = np.ones((1, 1))
    found = inspect_kernel(lopsided, STRIDE, dilation=(2, 3))
    np.testing.assert_array_equal(found.kernel, conv_transpose(impulse, lopsided, stride=STRIDE, dilation=(2, 3)))


def test_overlap_is_the_answer_of_a_kernel_of_ones(lopsided):
    found = inspect_kernel(lopsided, STRIDE, padding=0)
    ones = inspect_kernel(np.ones(SHAPE), STRIDE, padding=0)
    np.testing.assert_array_equal(found.overlap, ones.constant[: STRIDE[0], : STRIDE[1]])
    np.testing.assert_array_equal(inspect_kernel(np.ones((3, 3)), 2).overlap, [[4, 2], [2, 1]])


@pytest.mark.parametrize("seed", range(20))
def test_a_constant_stays_constant_exactly_if_the_phase_sums_are_equal(seed):
    rng = np.random.default_rng(seed)
    ndim = 1 + seed % 3
    stride = tuple(int(s) for s in rng.integers(1, 4, ndim))
    shape = tuple(int(s + more) for s, more in zip(stride, rng.integers(0, 5, ndim), strict=True))
    kernel = rng.standard_normal(shape)
    if seed % 2:  # every second kernel with all phases made to sum to 0.7
        for phase in np.ndindex(*stride):
            taps = kernel[tuple(slice(p, None, s) for p, s in zip(phase, stride, strict=True))]
            taps += (0.7 - taps.sum()) / taps.size
    flat = conv_transpose(np.ones((9,) * ndim), kernel, stride=stride)
    middle = flat[tuple(slice(k, size - k) for k, size in zip(shape, flat.shape, strict=True))]
    found = inspect_kernel(kernel, stride)
    assert found.clean == bool(np.ptp(middle) < 1e-9)
    assert found.ripple_percent == pytest.approx(100 * np.ptp(middle) / abs(found.gain), abs=1e-9)


def test_four_taps_at_stride_two_ripple_and_three_need_not():
    found = inspect_kernel([1, 2, 3, 4], 2)
    np.testing.assert_array_equal(found.phase_sums, [4, 6])
    assert found.ripple_percent == pytest.approx(40)
    assert found.rms_percent == pytest.approx(20)
    assert (found.order, found.clean) == (0, False)
    even = inspect_kernel([0.5, 1, 0.5], 2)
    assert even.clean
    assert even.order == 2
    np.testing.assert_array_equal(even.overlap, [2, 1])


def test_aliases_are_the_spectrum_at_multiples_of_the_sampling_frequency(lopsided):
    found = inspect_kernel(lopsided, STRIDE)
    rows, columns = np.indices(SHAPE)
    for j in np.ndindex(*STRIDE):
        wave = np.exp(-2j * np.pi * (rows * j[0] / STRIDE[0] + columns * j[1] / STRIDE[1]))
        assert found.aliases[j] == pytest.approx(abs((lopsided * wave).sum() / lopsided.sum()))
    # Parseval over the phases: the aliases hold the variance of the phase sums.
    assert (found.aliases**2).sum() - 1 == pytest.approx((found.rms_percent / 100) ** 2)


@pytest.mark.parametrize(
    ("name", "options", "orders"),
    [
        ("nearest", {}, {2: 1, 3: 1, 4: 1}),
        ("bilinear", {}, {2: 3, 3: 2, 4: 2}),  # at 2 the two phases mirror each other: the second moments agree too
        ("bicubic", {}, {2: 3, 3: 3, 4: 3}),
        ("bicubic", {"a": -0.75}, {2: 1, 3: 1, 4: 1}),
        ("lanczos3", {}, {2: 1, 3: 1, 4: 1}),
    ],
)
def test_the_orders_of_the_named_kernels(name, options, orders):
    for stride, order in orders.items():
        taps = KERNELS[name](stride, **options)
        assert inspect_kernel(taps, stride).order == order
        assert inspect_kernel(taps.astype(np.float32), stride).order == order
        assert inspect_kernel(np.multiply.outer(taps, taps), stride).order == order


def test_lanczos_without_normalisation_ripples_by_four_thousandths():
    t = (np.arange(17) - 8) / 3
    found = inspect_kernel(np.sinc(t) * np.sinc(t / 3), 3)
    assert found.order == 0
    assert 0.3 < found.ripple_percent < 1.0


@pytest.mark.parametrize("smoothings", [1, 2, 3, 4])
@pytest.mark.parametrize("stride", [2, 3])
def test_order_l_brings_polynomials_of_degree_l_minus_one_through(smoothings, stride):
    kernel = np.array([2.0, 1.0, -0.3])  # lopsided, and no zero at an alias of its own
    for _ in range(smoothings):  # each box of length stride is one zero at every alias
        kernel = np.convolve(kernel, np.ones(stride) / stride)
    assert inspect_kernel(kernel, stride).order == smoothings
    x = np.arange(60) - 30.0
    for degree in (smoothings - 1, smoothings):
        y = conv_transpose((x / 30) ** degree, kernel, stride=stride)[kernel.size : -kernel.size]
        m = np.linspace(-1, 1, y.size)
        left = np.abs(y - np.polynomial.Polynomial.fit(m, y, degree)(m)).max()
        assert (left < 1e-10) == (degree == smoothings - 1)


def test_the_order_counts_mixed_moments():
    # Phase sums equal, moments along rows and along columns equal, those of rows * columns not.
    kernel = np.ones((4, 4)) + np.kron([[1, -1], [-1, 1]], [[1, 0], [0, 0]])
    assert inspect_kernel(kernel, 2).order == 1  # the box's own ramps
    smooth = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) + 0.5 * np.kron([[1, -1], [-1, 1]], [[1, 0], [0, 0]])
    assert inspect_kernel(np.outer([1, 3, 3, 1], [1, 3, 3, 1]), 2).order == 3
    assert inspect_kernel(smooth, 2).order == 2


@pytest.mark.parametrize("padding", [None, (2, 1)])
def test_the_shift_of_a_moved_kernel_is_how_far_it_was_moved(padding):
    taps = np.outer(KERNELS["bilinear"](3), KERNELS["bilinear"](2))
    assert inspect_kernel(taps, (3, 2)).shift == pytest.approx((0, 0))
    moved = np.pad(taps, ((2, 0), (0, 4)))
    heads = padding or ((7 - 3) // 2, (8 - 2) // 2)
    found = inspect_kernel(moved, (3, 2), padding=padding)
    # The taps moved down by 2, and the crop grew from (1, 1): what the crop takes comes up again.
    expected = (2 - (heads[0] - 1), 0 - (heads[1] - 1))
    assert found.shift == pytest.approx(expected)
    np.testing.assert_allclose(
        found.phase_shifts, np.broadcast_to(np.reshape(expected, (2, 1, 1)), (2, 3, 2)), atol=1e-12
    )


def test_the_shift_is_seen_in_the_centre_of_a_spot(rng):
    kernel = rng.random((5, 6))
    spot = np.zeros((9, 9))
    spot[4, 4] = 1
    large = conv_transpose(spot, kernel, stride=2, padding=1)
    found = inspect_kernel(kernel, 2, padding=1)
    for axis in (0, 1):
        centre = (np.indices(large.shape)[axis] * large).sum() / large.sum()
        assert centre == pytest.approx((4 + 0.5) * 2 - 0.5 + found.shift[axis])


def test_ramps_come_out_straight_exactly_from_order_two():
    assert inspect_kernel(KERNELS["bicubic"](4), 4).ramp_errors == pytest.approx((0,), abs=1e-12)
    assert inspect_kernel(KERNELS["nearest"](2), 2).ramp_errors == pytest.approx((0.25,))


def test_taps_along_both_axes_ripple_as_their_outer_product(rng):
    taps = rng.random(7)
    line, plane = inspect_kernel(taps, 3), inspect_kernel(np.outer(taps, taps), 3)
    assert line.picture_ripple_percent == pytest.approx(plane.ripple_percent)
    assert line.picture_rms_percent == pytest.approx(plane.rms_percent)


@pytest.mark.parametrize("scale", [-1e6, 1e-15])
def test_figures_do_not_change_with_the_scale_of_the_kernel(rng, scale):
    taps = rng.random(7)
    one, other = inspect_kernel(taps, 2), inspect_kernel(scale * taps, 2)
    assert other.ripple_percent == pytest.approx(one.ripple_percent)
    assert other.shift == pytest.approx(one.shift)
    assert other.gain == pytest.approx(scale * one.gain)
    assert other.order == one.order


def test_without_padding_the_crop_is_that_of_the_half_pixel_grid_or_half_a_pixel_less():
    assert inspect_kernel(np.ones((4, 7)), (2, 3)).padding == (1, 2)
    found = inspect_kernel([1.0, 2.0, 1.0], 2)
    assert (found.padding, found.shift) == ((0,), (0.5,))
    assert found.ramp_errors == pytest.approx((0,), abs=1e-12)  # moved, and straight all the same


def test_a_kernel_that_passes_no_constant_is_all_ripple():
    found = inspect_kernel([1.0, -1.0], 2)
    assert math.isinf(found.ripple_percent)
    assert found.order == 0
    assert not found.clean
    assert "without limit" in kernel_verdict(found)
    # Both phases 0: nothing of a constant is left, and no grid either.
    nothing = inspect_kernel([1.0, 1.0, -1.0, -1.0], 2)
    assert (nothing.ripple_percent, nothing.order) == (0, 0)
    assert math.isnan(nothing.shift[0])
    assert "inf" in format_kernel_inspection(nothing)
    assert "nothing is left" in kernel_verdict(nothing)


def test_stride_one_has_one_phase():
    found = inspect_kernel([1.0, 2.0, 4.0], 1)
    assert (found.order, found.ripple_percent, found.clean) == (None, 0, True)
    assert "one phase" in format_kernel_inspection(found)


def test_the_tolerance_says_what_is_clean():
    taps = [1.0, 1.002]
    assert not inspect_kernel(taps, 2).clean
    assert inspect_kernel(taps, 2, tolerance_percent=1).clean


def test_the_kernel_is_not_the_callers_array():
    taps = np.array([1.0, 1.0])
    assert not np.shares_memory(inspect_kernel(taps, 2).kernel, taps)


@pytest.mark.parametrize("ripple", [0.005, 0.02, 0.08])
def test_the_formula_foretells_what_a_rippling_kernel_costs(camera, ripple):
    from restoretk.metrics import psnr
    from restoretk.upsampling import downsample, upsample

    taps = KERNELS["bicubic"](2)
    bad = taps * np.resize([1 + ripple, 1 - ripple], taps.size)
    small = downsample(camera, 2)
    plain, rippled = (psnr(camera, upsample(small, 2, kernel=one), border=2) for one in (taps, bad))
    rms = inspect_kernel(bad, 2).picture_rms_percent
    assert plain - rippled == pytest.approx(ripple_cost(rms, mean_square=np.mean(camera**2), psnr=plain), abs=0.05)


def test_the_verdict_on_a_clean_kernel_says_what_becomes_of_the_brightness():
    assert kernel_verdict(inspect_kernel([0.25, 0.75, 0.75, 0.25], 2)) == "clean: a constant stays constant"
    assert kernel_verdict(inspect_kernel([1, 3, 3, 1], 2)).endswith(", times 4 along each axis")
    assert kernel_verdict(inspect_kernel(np.full((2, 2), 3.0), 2)).endswith(", times 3")


def test_the_verdict_says_the_cost_in_one_sentence():
    taps = KERNELS["bicubic"](2) * np.resize([1.01, 0.99], 8)
    verdict = kernel_verdict(inspect_kernel(taps, 2))
    cost = ripple_cost(inspect_kernel(taps, 2).picture_rms_percent, **TYPICAL[2]._asdict())
    assert verdict.startswith("ripples: along rows and columns")
    assert f"costs {cost:.2g} dB" in verdict
    assert "\n" not in verdict
    assert f"a grid from {128 * 0.99**2:.4g} to {128 * 1.01**2:.4g} (4 %" in verdict
    assert "holds the PSNR below" in kernel_verdict(inspect_kernel(np.arange(1, 8.0), 7))


@pytest.mark.parametrize(
    ("kernel", "stride", "error", "match"),
    [
        ([1.0, np.nan], 2, ValueError, "finite, got 1 NaN"),
        ([1.0], 2, ValueError, "at least as many taps as the stride"),
        ([[1.0, 1.0]], (2, 2), ValueError, r"got shape \(1, 2\) for stride \(2, 2\)"),
        ([0.0, 0.0], 2, ValueError, "all zero"),
        ([], 2, ValueError, "at least one"),
        (np.ones((1, 1, 2, 2)), 2, ValueError, "inspect_layer"),
        ([1j, 1], 2, TypeError, "complex"),
        ([1.0, 1.0], 0, ValueError, "stride must be at least 1"),
        ([1.0, 1.0], (2, 2), ValueError, "stride must be one integer, or one for each of the 1"),
    ],
)
def test_what_is_no_kernel_is_told_so(kernel, stride, error, match):
    with pytest.raises(error, match=match):
        inspect_kernel(kernel, stride)
