from __future__ import annotations

import math

import numpy as np
import pytest

from restoretk.upsampling import conv_transpose
from restoretk.upsampling.checkerboard import inspect_kernel
from restoretk.upsampling.kernel_findings import format_layer_inspection, layer_verdict
from restoretk.upsampling.layer_inspection import inspect_layer


@pytest.mark.parametrize("groups", [1, 2])
def test_the_ripple_of_a_channel_is_what_flat_inputs_of_random_strength_leave(groups):
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((4, 3, 4, 5)) + 0.5
    found = inspect_layer(weights, (2, 3), groups=groups)
    assert found.ripple_percent.shape == (3 * groups,)
    flat = np.broadcast_to(rng.standard_normal((4000, 4, 1, 1)), (4000, 4, 4, 4))  # many strengths of the inputs
    cell = conv_transpose(flat, weights, stride=(2, 3), groups=groups)[..., 4:6, 6:9]
    grid, mean = cell.var(axis=(2, 3)).mean(axis=0), (cell.mean(axis=(2, 3)) ** 2).mean(axis=0)
    np.testing.assert_allclose(found.rms_percent, 100 * np.sqrt(grid / mean), rtol=0.1)


def test_one_channel_ripples_as_its_kernel(rng):
    kernel = rng.random((4, 5))
    layer, alone = inspect_layer(kernel[None, None], 2), inspect_kernel(kernel, 2)
    assert layer.ripple_percent == pytest.approx([alone.ripple_percent])
    assert layer.rms_percent == pytest.approx([alone.rms_percent])
    assert layer.padding == alone.padding


def test_the_worst_kernel_comes_first_with_its_channels():
    weights = np.tile([1.0, 1.0, 1.0, 1.0], (4, 2, 1))
    weights[3, 1] = [1, 2, 3, 4]
    weights[0, 1] = [1, 1.5, 1, 1]
    found = inspect_layer(weights, 2, groups=2, worst=2)
    assert [(pair.channel_in, pair.channel_out) for pair in found.worst] == [(3, 3), (0, 1)]
    assert found.worst[0].inspection.ripple_percent == pytest.approx(40)
    assert found.worst[0].share_percent == pytest.approx(100)
    assert found.rippling == 2
    assert "in 2 of 4 output channels" in layer_verdict(found)
    assert "3 -> 3: phase sums 4 to 6" in format_layer_inspection(found)


def test_shares_are_of_the_mean_square_of_the_grid():
    weights = np.array([[[1.0, 1.3]], [[1.0, 1.4]]])  # 3 to 4, so 9 to 16
    found = inspect_layer(weights, 2)
    assert [pair.share_percent for pair in found.worst] == pytest.approx([64, 36])
    assert [pair.channel_in for pair in found.worst] == [1, 0]


def test_kernels_that_are_all_zero_do_not_ripple():
    weights = np.zeros((3, 3, 4, 4))  # the bilinear layer of fully convolutional networks
    taps = np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25])
    for channel in range(3):
        weights[channel, channel] = taps
    found = inspect_layer(weights, 2, worst=9)
    assert found.clean
    assert len(found.worst) == 3
    assert layer_verdict(found) == "clean: flat inputs give flat outputs in all 3 output channels"


def test_a_channel_without_any_gain_ripples_without_limit():
    weights = np.array([[[1.0, -1.0], [1.0, 1.0]]])
    found = inspect_layer(weights, 2)
    assert math.isinf(found.ripple_percent[0])
    assert found.ripple_percent[1] == 0
    assert "without limit in channel 0" in layer_verdict(found)


def test_a_torch_layer_with_equal_phase_sums_keeps_a_constant():
    torch = pytest.importorskip("torch", reason="compares with PyTorch's own layer")
    from restoretk.upsampling.kernel_repair import repair_kernel

    torch.manual_seed(0)
    layer = torch.nn.ConvTranspose2d(6, 4, (4, 5), stride=(2, 3), padding=1, groups=2, bias=False)
    weights = layer.weight.detach().numpy().copy()
    found = inspect_layer(weights, layer.stride, padding=layer.padding, groups=layer.groups)
    strengths = torch.randn(6, 1, 1, generator=torch.Generator().manual_seed(1))
    for new, clean in ((weights, False), (repair_kernel(weights, layer.stride, rule="project"), True)):
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(new))
            flat = layer(strengths.expand(6, 8, 8)).numpy()[:, 5:-5, 6:-6]
        assert bool((np.ptp(flat, axis=(1, 2)) < 1e-6).all()) == clean
        assert inspect_layer(new, layer.stride, groups=2).clean == clean
    # The phase sums of a pair are what the layer makes of one flat channel.
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        one = torch.zeros(6, 8, 8)
        pair = found.worst[0]
        one[pair.channel_in] = 1
        period = layer(one).numpy()[pair.channel_out, 6:10, 9:15]
    np.testing.assert_allclose(period, pair.inspection.constant, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("weights", "options", "match"),
    [
        (np.ones((4, 4)), {}, "channel axes"),
        (np.ones((4, 4)), {"spatial_ndim": 2}, r"weights must have shape \(C_in, C_out / groups, \*k\), got \(4, 4\)"),
        (np.ones((3, 2, 4)), {"groups": 2}, "groups must divide the channels that go in, 3, got 2"),
        (np.zeros((1, 1, 4)), {}, "all zero"),
        (np.full((1, 1, 4), np.nan), {}, "weights must be finite"),
        (np.ones((1, 1, 1, 4)), {}, "at least as many taps"),
    ],
)
def test_what_is_no_layer_is_told_so(weights, options, match):
    with pytest.raises(ValueError, match=match):
        inspect_layer(weights, 2, **options)
