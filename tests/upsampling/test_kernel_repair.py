from __future__ import annotations

import numpy as np
import pytest

from restoretk.upsampling import conv_transpose
from restoretk.upsampling.checkerboard import inspect_kernel
from restoretk.upsampling.kernel_repair import repair_kernel
from restoretk.upsampling.layer_inspection import inspect_layer


@pytest.mark.parametrize("rule", ["scale", "project"])
@pytest.mark.parametrize(("shape", "stride"), [((5,), 2), ((4, 7), (2, 3)), ((3, 4, 5), (2, 2, 3))])
def test_a_repaired_kernel_is_clean_and_keeps_its_gain(rng, rule, shape, stride):
    kernel = rng.random(shape) + 0.2
    repaired = repair_kernel(kernel, stride, rule=rule)
    before, after = inspect_kernel(kernel, stride), inspect_kernel(repaired, stride)
    assert before.ripple_percent > 1
    assert after.ripple_percent < 1e-9
    assert after.order >= 1
    assert after.gain == pytest.approx(before.gain)


def test_scaling_keeps_the_proportions_within_a_phase(rng):
    kernel = rng.random(9) + 0.2
    ratio = repair_kernel(kernel, 3) / kernel
    for phase in range(3):
        np.testing.assert_allclose(ratio[phase::3], ratio[phase])


def test_projecting_finds_the_nearest_kernel_that_does_not_ripple(rng):
    kernel = rng.standard_normal((5, 4))
    repaired = repair_kernel(kernel, 2, rule="project")
    # Written out: least squares over all kernels whose phase sums equal the mean of them.
    indicator = np.stack(
        [np.isin(np.arange(5) % 2, a)[:, None] & np.isin(np.arange(4) % 2, b) for a in (0, 1) for b in (0, 1)]
    ).reshape(4, -1)
    sums = indicator @ kernel.ravel()
    change = np.linalg.pinv(indicator) @ (sums.mean() - sums)
    np.testing.assert_allclose(repaired, kernel + change.reshape(5, 4), rtol=0, atol=1e-12)


def test_a_clean_kernel_is_not_touched():
    kernel = np.outer([0.5, 1, 0.5], [0.25, 0.75, 0.75, 0.25])
    for rule in ("scale", "project"):
        np.testing.assert_array_equal(repair_kernel(kernel, 2, rule=rule), kernel)


def test_kernels_of_a_layer_that_are_all_zero_stay_so():
    weights = np.zeros((2, 1, 4))
    weights[1, 0] = [1, 2, 3, 4]
    for rule in ("scale", "project"):
        repaired = repair_kernel(weights, 2, rule=rule, spatial_ndim=1)
        assert not repaired[0].any()
        assert inspect_layer(repaired, 2).clean


def test_a_layer_is_repaired_kernel_by_kernel(rng):
    weights = rng.standard_normal((4, 3, 4, 5)).astype(np.float32)
    repaired = repair_kernel(weights, 2, rule="project")
    assert repaired.dtype == np.float32
    np.testing.assert_allclose(
        repaired[2, 1], repair_kernel(weights[2, 1].astype(np.float64), 2, rule="project"), rtol=0, atol=1e-6
    )
    assert inspect_layer(weights, 2).rippling == 3
    assert inspect_layer(repaired, 2).clean


def test_taps_between_which_zeros_lie_are_the_only_ones_changed(rng):
    kernel = rng.random((3, 4)) + 0.5
    for rule in ("scale", "project"):
        repaired = repair_kernel(kernel, 2, dilation=3, rule=rule)
        assert repaired.shape == kernel.shape
        flat = conv_transpose(np.ones((12, 12)), repaired, stride=2, dilation=3)[8:-8, 10:-10]
        np.testing.assert_allclose(flat, flat[0, 0])


def test_the_argument_is_not_written_to_nor_returned(rng):
    kernel = rng.random(4)
    before = kernel.copy()
    repaired = repair_kernel(kernel, 2)
    np.testing.assert_array_equal(kernel, before)
    assert not np.shares_memory(repaired, kernel)
    clean = np.ones(2)
    assert not np.shares_memory(repair_kernel(clean, 2), clean)


@pytest.mark.parametrize(
    ("kernel", "match"),
    [
        ([1.0, 0.0], "1 of 2 phase sums are 0, of the other sign"),
        ([2.0, -1.0], r"the first -1 for 0.5 at \(1,\)"),
        ([1.0, 0.01], "below a tenth"),
        ([-1.0, 1.0], "2 of 2"),
    ],
)
def test_a_phase_that_cannot_be_scaled_is_refused(kernel, match):
    with pytest.raises(ValueError, match=match):
        repair_kernel(kernel, 2)
    assert inspect_kernel(repair_kernel([3, *kernel], 2, rule="project"), 2).ripple_percent < 1e-9


def test_a_kernel_of_negative_phases_is_scaled_like_its_mirror():
    np.testing.assert_allclose(repair_kernel([-1, -2, -3, -4], 2), -repair_kernel([1, 2, 3, 4], 2))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"stride": 2, "rule": "guess"}, "rule must be one of scale, project"),
        ({"stride": 5}, "at least as many taps as the stride"),
        ({"stride": 2, "dilation": 2}, "phases without taps"),
        ({"stride": 2, "spatial_ndim": 2}, "spatial axes"),
    ],
)
def test_what_cannot_be_repaired_is_told_so(options, match):
    with pytest.raises(ValueError, match=match):
        repair_kernel(np.array([1.0, 2.0, 3.0, 4.0]), **options)
