"""The compiled loops of the extra ``fast`` give the pixels of the tiles, for every window, stride and kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from restoretk import conv_transpose, upsample
from restoretk._arrays import Array
from restoretk.convolution import _fast, _scatter_planes

pytest.importorskip("numba", reason="the compiled loops of the extra fast")
pytest.importorskip("ducc0", reason="the extra fast")


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_scatter_planes, "LEAST_FUSED", 1)
    yield
    _fast.set_fast(None)


def both(call: Any) -> tuple[Array, Array]:
    _fast.set_fast(False)
    tiles = call()
    _fast.set_fast(True)
    return tiles, call()


def scattered(
    source: Array,
    kernel: Array,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    head: tuple[int, int],
    out: tuple[int, int],
) -> Array:
    """The scatter rule, written out."""
    full = np.zeros(
        [(n - 1) * s + (k - 1) * d + 1 for n, k, s, d in zip(source.shape, kernel.shape, stride, dilation, strict=True)]
    )
    for (i, j), value in np.ndenumerate(source):
        rows = slice(i * stride[0], i * stride[0] + (kernel.shape[0] - 1) * dilation[0] + 1, dilation[0])
        columns = slice(j * stride[1], j * stride[1] + (kernel.shape[1] - 1) * dilation[1] + 1, dilation[1])
        full[rows, columns] += value * kernel
    window = np.zeros(out)
    for m in range(out[0]):
        for n in range(out[1]):
            row, column = m + head[0], n + head[1]
            if 0 <= row < full.shape[0] and 0 <= column < full.shape[1]:
                window[m, n] = full[row, column]
    return window


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 2), (1, 4)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3)])
@pytest.mark.parametrize("size", [(4, 4), (3, 5), (6, 4), (1, 1), (5, 2)])
@pytest.mark.parametrize("head", [(1, 1), (0, 2), (-3, 4)])
@pytest.mark.parametrize("separable", [True, False])
def test_every_window_is_that_of_the_scatter_rule(
    stride: tuple[int, int], dilation: tuple[int, int], size: tuple[int, int], head: tuple[int, int], separable: bool
) -> None:
    rng = np.random.default_rng(1)
    source = rng.standard_normal((9, 13))
    kernel = np.outer(rng.random(size[0]), rng.random(size[1])) if separable else rng.standard_normal(size)
    out = (17, 31)
    target = np.full((*out, 1), np.nan)
    options = {"stride": stride, "dilation": dilation, "head": head}
    assert _scatter_planes.fits_in_tiles(kernel, stride, dilation)
    _fast.set_fast(True)
    _scatter_planes.scatter_plane(target, source[..., None], kernel, **options)
    np.testing.assert_allclose(target[..., 0], scattered(source, kernel, out=out, **options), atol=1e-12)


@pytest.mark.parametrize("shape", [(300, 257), (1, 700), (701, 1), (33, 2050)])
@pytest.mark.parametrize(("dtype", "close"), [(np.float32, 3e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("size", [(4, 4), (3, 3), (6, 5), (2, 2), (9, 9)])
@pytest.mark.parametrize("separable", [True, False])
def test_a_transposed_convolution_has_the_same_pixels(
    shape: tuple[int, int], dtype: type, close: float, size: tuple[int, int], separable: bool, rng: np.random.Generator
) -> None:
    image = rng.random(shape).astype(dtype)
    kernel = rng.random(size) if not separable else np.outer(rng.random(size[0]), rng.random(size[1]))
    tiles, fused = both(lambda: conv_transpose(image, kernel.astype(dtype), stride=2, padding=1, output_padding=1))
    assert fused.dtype == dtype
    np.testing.assert_allclose(fused, tiles, atol=close * kernel.size)


@pytest.mark.parametrize("shape", [(150, 131), (150, 131, 3), (60, 61, 4), (70, 1), (1, 90)])
@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "lanczos3", "fitted"])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_an_enlarged_picture_has_the_same_pixels(
    shape: tuple[int, ...], kernel: str, factor: int, rng: np.random.Generator
) -> None:
    axis = -1 if len(shape) == 3 else None
    image = rng.random(shape, dtype=np.float32)
    tiles, fused = both(lambda: upsample(image, factor, kernel=kernel, channel_axis=axis))
    np.testing.assert_allclose(fused, tiles, atol=3e-6)


def test_views_that_are_not_contiguous_and_many_channels(rng: np.random.Generator) -> None:
    image = rng.random((3, 300, 400))[:, ::2, ::-1]
    kernel = rng.random((4, 4))
    tiles, fused = both(lambda: conv_transpose(image, kernel, stride=2, padding=1))
    np.testing.assert_allclose(fused, tiles, atol=1e-12)
    depthwise = rng.random((3, 1, 4, 4))
    tiles, fused = both(lambda: conv_transpose(image, depthwise, stride=2, padding=1, groups=3))
    np.testing.assert_allclose(fused, tiles, atol=1e-12)


def test_lines_that_are_cut_give_the_same_pixels(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    from restoretk.convolution import _fused_scatter

    monkeypatch.setattr(_fused_scatter, "_LINES_BYTES", 1)
    image = rng.random((40, 333))
    for kernel in (rng.random((4, 4)), np.outer(rng.random(4), rng.random(4)), rng.random((5, 3))):
        tiles, fused = both(lambda kernel=kernel: conv_transpose(image, kernel, stride=2, padding=1))
        np.testing.assert_allclose(fused, tiles, atol=1e-12)
