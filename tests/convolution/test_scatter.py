from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution import _scatter_channels, _scatter_phases, _scatter_planes, strided
from restoretk.convolution._scatter_channels import rows_are_adjacent, scatter_channels
from restoretk.convolution._scatter_planes import scatter_plane, scatter_planes, separable_factors
from restoretk.convolution.strided import conv_transpose_core


def scattered(source: Array, weights: Array, stride: Array, dilation: Array, head: Array, out: Array) -> Array:
    """The window of the scatter rule written out with channels (C_out, C_in, k, k'), in double precision."""
    reach = [
        (n - 1) * s + (k - 1) * d + 1
        for n, s, k, d in zip(source.shape[1:], stride, weights.shape[2:], dilation, strict=True)
    ]
    before, after = np.maximum(0, -head), np.maximum(0, head + out - reach)
    full = np.zeros((len(weights), *(before + reach + after)))
    for a, b in np.ndindex(weights.shape[2:]):
        first = before + np.array([a, b]) * dilation
        last = first + (np.array(source.shape[1:]) - 1) * stride + 1
        index = tuple(slice(low, top, s) for low, top, s in zip(first, last, stride, strict=True))
        full[(slice(None), *index)] += np.einsum("oi,irc->orc", weights[:, :, a, b], source)
    start = before + head
    return full[:, start[0] : start[0] + out[0], start[1] : start[1] + out[1]]


def random_case(rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Array, Array, dict[str, Array]]:
    """Heads before the start, outputs beyond the end, kernels larger than the image, strides beyond the kernel."""
    source = rng.standard_normal((inputs, *rng.integers(1, 30, 2)))
    weights = rng.standard_normal((outputs, inputs, *rng.integers(1, 8, 2)))
    spans = {"stride": (1, 5), "dilation": (1, 4), "head": (-6, 9), "out": (1, 60)}
    return source, weights, {name: rng.integers(*span, 2) for name, span in spans.items()}


@pytest.fixture(params=["one tile", "many tiles"])
def tiles(request, monkeypatch):
    if request.param == "many tiles":
        monkeypatch.setattr(_scatter_planes, "_TILE_BYTES", 1 << 9)
        monkeypatch.setattr(_scatter_planes, "_TILE_COLUMNS", 9)
        monkeypatch.setattr(_scatter_phases, "_TILE_BYTES", 1 << 9)
        monkeypatch.setattr(_scatter_phases, "_TILE_COLUMNS", 9)
        monkeypatch.setattr(_scatter_channels, "_STRIP_BYTES", 1 << 11)
        monkeypatch.setattr(_scatter_channels, "_STRIP_COLUMNS", 7)
        monkeypatch.setattr(strided, "_STRIP_BYTES", 1 << 9)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("separable", [False, True])
def test_tiles_of_a_plane_are_the_scatter_rule(rng, separable):
    for _ in range(150):
        source, weights, options = random_case(rng, 1, 2)
        if separable:
            weights = weights[..., :1, :] * weights[..., :1]
        expected = scattered(source, weights, **options)
        out = options.pop("out")
        result = np.full((2, *out), np.nan)
        scatter_planes(result, source, weights, **options)
        assert (separable_factors(weights[0, 0]) is not None) == (separable or 1 in weights.shape[2:])
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("tiles")
def test_strips_of_channels_are_the_scatter_rule(rng):
    compared = 0
    while compared < 150:
        source, weights, options = random_case(rng, *rng.integers(1, 5, 2))
        if not rows_are_adjacent(options["stride"][0], options["dilation"][0]):
            continue
        compared += 1
        expected = scattered(source, weights, **options)
        result = np.full(expected.shape, np.nan)
        del options["out"]
        scatter_channels(result, source, weights, **options)
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("tiles")
def test_strips_tap_by_tap_are_the_scatter_rule_exactly_in_integers(rng):
    for _ in range(60):
        source, weights, options = random_case(rng, 2, 3)
        integers, taps = np.rint(100 * source).astype(np.int64), np.rint(100 * weights).astype(np.int64)
        expected = scattered(integers, taps, **options)
        lists = {name: value.tolist() for name, value in options.items()}
        np.testing.assert_array_equal(conv_transpose_core(integers[None, None], taps[None], **lists)[0, 0], expected)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("separable", [False, True])
def test_edge_pixels_that_go_on_are_a_padded_source(rng, separable):
    for _ in range(30):
        rows, columns, k, lanes = rng.integers(2, 20, 4)
        source, kernel = rng.standard_normal((rows, columns, lanes)), rng.standard_normal((k, 5))
        if separable:
            kernel = np.outer(kernel[:, 0], kernel[0])
        stride, head = rng.integers(1, 4, 2), rng.integers(0, 5, 2)
        result = np.full((*np.array([rows, columns]) * stride, lanes), np.nan)
        scatter_plane(result, source, kernel, stride=stride, dilation=(1, 1), head=head, edge=True)
        wide = np.pad(source, ((20, 20), (20, 20), (0, 0)), mode="edge")
        options = {"stride": stride, "dilation": (1, 1), "head": head + 20 * stride, "out": np.array(result.shape[:2])}
        for lane in range(lanes):
            expected = scattered(wide[None, :, :, lane], kernel[None, None], **options)[0]
            np.testing.assert_allclose(result[..., lane], expected, rtol=0, atol=1e-12)


def test_a_kernel_is_separable_only_if_every_tap_is_to_rounding(rng):
    column, row = rng.standard_normal(4), rng.standard_normal(5)
    kernel = np.outer(column, row)
    for dtype in (np.float32, np.float64):
        rounded = (kernel / kernel.sum()).astype(dtype)
        factors = separable_factors(rounded)
        assert factors is not None
        assert factors[0].dtype == factors[1].dtype == dtype
        np.testing.assert_allclose(np.outer(*factors), rounded, rtol=16 * np.finfo(dtype).eps, atol=0)
        off = rounded.copy()
        off[2, 3] *= 1 + 50 * np.finfo(dtype).eps
        assert separable_factors(off) is None
    assert separable_factors(np.diag([1.0, 1e-300])) is None
    assert separable_factors(np.zeros((3, 2))) is not None


@pytest.mark.parametrize(
    "case", ["separable", "not separable", "long", "channels", "dilated channels", "colour kernel"]
)
def test_float32_pictures_agree_with_float64_whatever_the_path(rng, case, monkeypatch):
    monkeypatch.setattr(strided, "_LEAST_OUTPUTS", 1)
    inputs, outputs, k = {"channels": (5, 3, 4), "dilated channels": (5, 3, 3), "colour kernel": (1, 3, 4)}.get(
        case, (1, 1, 11 if case == "long" else 4)
    )
    source = rng.standard_normal((2, 2, inputs, 70, 83))
    weights = rng.standard_normal((2, outputs, inputs, k, k)) / k
    if case == "separable":
        weights = weights[..., :1, :] * weights[..., :1]
    options = {
        "stride": [1, 2],
        "dilation": [3 if case == "dilated channels" else 1, 2],
        "head": [1, 2],
        "out": [70, 169],
    }
    result = conv_transpose_core(source.astype(np.float32), weights.astype(np.float32), **options)
    assert result.dtype == np.float32
    arrays = {name: np.array(value) for name, value in options.items()}
    for image, group in np.ndindex(2, 2):
        expected = scattered(source[image, group], weights[group], **arrays)
        np.testing.assert_allclose(result[image, group], expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("channels", "k", "dtype"), [(1, 4, np.float32), (1, 20, np.float32), (16, 4, np.float32), (1, 4, np.int64)]
)
def test_no_temporary_has_the_size_of_the_picture(rng, channels, k, dtype, monkeypatch):
    monkeypatch.setenv("RESTORETK_FAST", "0")  # tracemalloc sees what importing numba takes, not what its loops take
    side = 1024 if channels == 1 else 512
    source = np.ones((1, 1, channels, side, side), dtype)
    weights = rng.integers(1, 9, (1, channels, channels, k, k)).astype(dtype)
    options = {"stride": [2, 2], "dilation": [1, 1], "head": [k // 2 - 1] * 2, "out": [2 * side] * 2}
    tracemalloc.start()
    result = conv_transpose_core(source, weights, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - result.nbytes < 0.1 * (source.nbytes + result.nbytes)
