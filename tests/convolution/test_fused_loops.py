from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution import _fast, _scatter_planes
from restoretk.convolution._fast import fast, set_fast
from restoretk.convolution._scatter_planes import scatter_plane
from restoretk.upsampling import conv_transpose, upsample

pytest.importorskip("numba", reason="the compiled loops need numba, which the extra fast brings")
pytest.importorskip("ducc0", reason="the extra fast is used where both of its parts are installed")

from restoretk.convolution import _fused_lines, _fused_scatter
from restoretk.convolution._fused_scatter import scatter_fused


@pytest.fixture(autouse=True)
def switch(monkeypatch):
    monkeypatch.setattr(_fast, "_chosen", None)
    monkeypatch.setattr(_scatter_planes, "LEAST_FUSED", 1)


@pytest.fixture(params=["rows whole", "rows cut"])
def rows(request, monkeypatch):
    if request.param == "rows cut":
        monkeypatch.setattr(_fused_scatter, "_LINES_BYTES", 1)
        monkeypatch.setattr(_fused_scatter, "_LEAST_STEPS", 5)


def by_definition(
    source: Array, kernel: Array, stride: Array, dilation: Array, head: Array, out: Array, edge: bool
) -> Array:
    """Output (m, n) takes the pixel (i, j) by the tap (t, u) where i*stride + t*dilation = m + head, and so for columns."""
    result = np.zeros((*out, source.shape[2]))
    for tap in np.ndindex(kernel.shape):
        places, reached = [], []
        for m, size, t, s, d, h in zip(map(np.arange, out), source.shape[:2], tap, stride, dilation, head, strict=True):
            i, rest = np.divmod(m + h - t * d, s)
            places.append(np.clip(i, 0, size - 1))
            reached.append((rest == 0) & (edge | ((i >= 0) & (i < size))))
        result += kernel[tap] * (source[np.ix_(*places)] * np.logical_and.outer(*reached)[..., None])
    return result


def random_case(rng: np.random.Generator, kind: str) -> dict[str, Any]:
    """Heads before the start, outputs beyond the end, kernels larger than the image, strides beyond the kernel."""
    edge = bool(rng.integers(2))
    case = {
        "source": rng.standard_normal((*rng.integers(1, 30, 2), 1 if kind == "2x2 neighbours" else rng.integers(1, 5))),
        "kernel": rng.standard_normal(rng.integers(1, 8, 2)),
        "stride": rng.integers(1, 5, 2),
        "dilation": rng.integers(1, 4, 2),
        "head": rng.integers(0, 9, 2) if edge else rng.integers(-6, 9, 2),
        "out": rng.integers(1, 60, 2),
        "edge": edge,
    }
    if kind == "2x2 neighbours":
        case |= {"kernel": rng.standard_normal((4, 4)), "stride": np.array([2, 2]), "dilation": np.array([1, 1])}
    if kind == "separable":
        case["kernel"] = np.outer(case["kernel"][:, 0], case["kernel"][0])
    if edge:
        case["out"] = np.minimum(case["out"], case["stride"] * case["source"].shape[:2])
    return case


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("kind", ["2x2 neighbours", "separable", "not separable"])
def test_compiled_loops_are_the_scatter_rule(rng, kind):
    for _ in range(300):
        case = random_case(rng, kind)
        expected = by_definition(**case)
        result = np.full(expected.shape, np.nan)
        del case["out"]
        scatter_fused(result, **case)
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize("kind", ["2x2 neighbours", "separable", "not separable"])
def test_the_switch_changes_pixels_by_rounding_only(rng, kind, edge, dtype):
    kernel = rng.standard_normal((4, 4) if kind == "2x2 neighbours" else (5, 7)).astype(dtype)
    if kind == "separable":
        kernel = np.outer(kernel[:, 0], kernel[0])
    source = rng.standard_normal((67, 131, 1 if kind == "2x2 neighbours" else 3)).astype(dtype)
    results = []
    for on in (False, True):
        set_fast(on)
        results.append(np.full((134, 261, source.shape[2]), np.nan, dtype))
        scatter_plane(results[-1], source, kernel, stride=(2, 2), dilation=(1, 1), head=(1, 2), edge=edge)
    np.testing.assert_allclose(*results, rtol=0, atol=50 * np.finfo(dtype).eps)


def test_the_public_functions_agree_with_and_without_the_extra(rng, monkeypatch):
    monkeypatch.setattr("restoretk.convolution.strided._LEAST_OUTPUTS", 1)
    stack, colour = rng.standard_normal((3, 2, 41, 57)), rng.random((41, 57, 3)).astype(np.float32)
    kernel = rng.standard_normal((2, 3, 5, 4))

    def results() -> list[Array]:
        return [
            conv_transpose(stack, kernel, stride=(2, 3), padding=((1, -2), (3, 0)), groups=2, dilation=(1, 2)),
            conv_transpose(stack[0], kernel[0, 0], stride=3, output_padding=2, bias=0.5),
            upsample(colour, 2, channel_axis=2),
            upsample(np.moveaxis(colour, 2, 0), (2, 3), kernel="lanczos3", channel_axis=0),
            upsample(colour, 2, kernel="fitted", channel_axis=2),
            upsample(colour[..., 0], 2, kernel="bilinear"),
            upsample(np.rint(255 * colour[..., 0]).astype(np.uint8), 2, kernel="nearest"),
        ]

    set_fast(False)
    expected = results()
    set_fast(True)
    for with_extra, without in zip(results(), expected, strict=True):
        assert with_extra.dtype == without.dtype
        np.testing.assert_allclose(with_extra, without, rtol=0, atol=1e-5 if without.dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("layout", ["read-only", "turned", "every second row", "columns backwards"])
def test_any_layout_of_the_source_gives_the_same_pixels(rng, layout):
    source, kernel = rng.random((40, 50, 1)), rng.random((4, 4))
    result, expected = np.empty((80, 100, 1)), np.empty((80, 100, 1))
    options = {"stride": (2, 2), "dilation": (1, 1), "head": (1, 1), "edge": False}
    scatter_fused(expected, source, kernel, **options)
    if layout == "read-only":
        source.flags.writeable = False
    elif layout == "turned":
        source = np.asfortranarray(source)
    elif layout == "every second row":
        source = np.repeat(source, 2, axis=0)[::2]
    else:
        source = source[:, ::-1].copy()[:, ::-1]
    scatter_fused(result, source, kernel, **options)
    np.testing.assert_array_equal(result, expected)


def test_the_switch_goes_by_installation_environment_and_call(monkeypatch):
    monkeypatch.delenv("RESTORETK_FAST", raising=False)
    assert fast()
    monkeypatch.setenv("RESTORETK_FAST", "0")
    assert not fast()
    set_fast(True)
    assert fast()
    monkeypatch.delenv("RESTORETK_FAST")
    set_fast(False)
    assert not fast()
    set_fast(None)
    assert fast()


def test_only_large_planes_go_to_the_compiled_loops_whose_errors_are_not_hidden(monkeypatch):
    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("compiled")

    monkeypatch.setattr(_fused_scatter, "scatter_fused", fail)
    monkeypatch.setattr(_scatter_planes, "LEAST_FUSED", 80 * 60)
    set_fast(True)
    upsample(np.ones((39, 30)), 2)
    with pytest.raises(RuntimeError, match="compiled"):
        upsample(np.ones((40, 30)), 2)
    set_fast(False)
    upsample(np.ones((40, 30)), 2)


def test_loops_that_cannot_be_kept_on_disk_are_compiled_all_the_same(monkeypatch):
    def njit(*, cache: bool = False, **_options: object) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(_fused_lines, "njit", njit)
    assert _fused_lines.outer(fast) is fast
