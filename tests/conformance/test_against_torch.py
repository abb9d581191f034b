"""400 random cases in PyTorch's meaning, float32 and float64, one to three axes, batches and groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.average_pooling import average_pool, average_pool_adjoint
from restoretk.convolution.max_pooling import max_pool, max_pool_adjoint, max_pool_with_indices
from restoretk.convolution.max_unpooling import max_unpool, max_unpool_adjoint
from restoretk.convolution.strided import conv
from restoretk.upsampling.transposed import conv_transpose

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs the optional torch")
functional = torch.nn.functional


def draw(rng: np.random.Generator, low: int, top: int, ndim: int) -> tuple[int, ...]:
    return tuple(rng.integers(low, top, ndim).tolist())


def reach(k: tuple[int, ...], d: tuple[int, ...]) -> tuple[int, ...]:
    return tuple((a - 1) * b + 1 for a, b in zip(k, d, strict=True))


def numbers(rng: np.random.Generator, shape: tuple[int, ...], case: int) -> Array:
    return rng.standard_normal(shape).astype(np.float64 if case % 3 == 0 else np.float32)


def agree(result: Array, expected: Any) -> None:
    wanted = expected.detach().numpy()
    assert result.shape == wanted.shape
    assert result.dtype == wanted.dtype
    tolerance = 1e-12 if wanted.dtype == np.float64 else 2e-5
    np.testing.assert_allclose(result, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", range(90))
def test_conv_with_groups_and_padding_per_side(case):
    rng = np.random.default_rng([1, case])
    ndim = case % 3 + 1
    n, k, s, d = draw(rng, 3, 9, ndim), draw(rng, 1, 4, ndim), draw(rng, 1, 4, ndim), draw(rng, 1, 4, ndim)
    sides = [draw(rng, -1, 5, 2) for _ in range(ndim)]
    short = [max(0, r - a - sum(pair)) for r, a, pair in zip(reach(k, d), n, sides, strict=True)]
    sides = [(before, after + more) for (before, after), more in zip(sides, short, strict=True)]
    groups, inputs, outputs = draw(rng, 1, 4, 3)
    x = numbers(rng, (2, groups * inputs, *n), case)
    w = numbers(rng, (groups * outputs, inputs, *k), case)
    b = numbers(rng, (groups * outputs,), case) if case % 2 else None
    padded = functional.pad(torch.from_numpy(x), [p for pair in reversed(sides) for p in pair])
    reference = getattr(functional, f"conv{ndim}d")
    bias = None if b is None else torch.from_numpy(b)
    expected = reference(padded, torch.from_numpy(w), bias, stride=s, dilation=d, groups=groups)
    options = {"stride": s, "dilation": d, "groups": groups, "spatial_ndim": ndim}
    agree(conv(x, w, bias=b, padding=sides, **options), expected)


@pytest.mark.parametrize("case", range(120))
def test_conv_transpose_with_output_padding_and_output_size(case):
    rng = np.random.default_rng([2, case])
    ndim = case % 3 + 1
    n, k, s, d = draw(rng, 1, 6, ndim), draw(rng, 1, 5, ndim), draw(rng, 1, 5, ndim), draw(rng, 1, 4, ndim)
    longest = [(a - 1) * b + r for a, b, r in zip(n, s, reach(k, d), strict=True)]
    p = tuple(int(rng.integers(0, (size + 1) // 2)) for size in longest)
    # PyTorch takes an output_padding below the dilation too, an output_size only up to stride - 1 above the least.
    tops = s if case % 2 else tuple(map(max, s, d))
    more = tuple(int(rng.integers(0, top)) for top in tops)
    groups, inputs, outputs = draw(rng, 1, 4, 3)
    x = numbers(rng, (2, groups * inputs, *n), case)
    w = numbers(rng, (groups * inputs, outputs, *k), case)
    b = numbers(rng, (groups * outputs,), case)
    reference = getattr(functional, f"conv_transpose{ndim}d")
    options: dict[str, Any] = {"stride": s, "padding": p, "dilation": d, "groups": groups}
    expected = reference(*map(torch.from_numpy, (x, w, b)), output_padding=more, **options)
    tail = {"output_size": tuple(expected.shape[2:])} if case % 2 else {"output_padding": more}
    agree(conv_transpose(x, w, bias=b, spatial_ndim=ndim, **tail, **options), expected)
    one = reference(*map(torch.from_numpy, (x[0], w, b)), output_padding=more, **options)
    agree(conv_transpose(x[0], w, bias=b, spatial_ndim=ndim, **tail, **options), one)


def pooling(rng: np.random.Generator, ndim: int, dilated: bool) -> tuple[tuple[int, ...], dict[str, Any]]:
    """A shape, and options that PyTorch takes: at most half a window of padding."""
    k, s = draw(rng, 1, 5, ndim), draw(rng, 1, 5, ndim)
    d = draw(rng, 1, 4, ndim) if dilated else (1,) * ndim
    p = tuple(int(rng.integers(0, a // 2 + 1)) for a in k)
    n = tuple(int(rng.integers(r, r + 7)) for r in reach(k, d))
    options = {"size": k, "stride": s, "padding": p, "ceil_mode": bool(rng.integers(2))}
    return n, options | ({"dilation": d} if dilated else {})


def said_to_torch(options: dict[str, Any]) -> dict[str, Any]:
    return {"kernel_size" if name == "size" else name: value for name, value in options.items()}


@pytest.mark.parametrize("case", range(60))
def test_average_pool_and_its_gradient(case):
    rng = np.random.default_rng([3, case])
    ndim = case % 3 + 1
    n, options = pooling(rng, ndim, dilated=False)
    options["count_include_pad"] = bool(case // 3 % 2)
    x = numbers(rng, (2, 3, *n), case)
    tensor = torch.from_numpy(x).requires_grad_()
    expected = getattr(functional, f"avg_pool{ndim}d")(tensor, **said_to_torch(options))
    agree(average_pool(x, **options), expected)
    g = numbers(rng, tuple(expected.shape), case)
    expected.backward(torch.from_numpy(g))
    agree(average_pool_adjoint(g, shape=n, **options), tensor.grad)


@pytest.mark.parametrize("case", range(80))
def test_max_pool_with_indices_ties_and_its_gradient(case):
    rng = np.random.default_rng([4, case])
    ndim = case % 3 + 1
    n, options = pooling(rng, ndim, dilated=True)
    x = np.rint(2 * numbers(rng, (2, 3, *n), case))  # few values, many ties
    tensor = torch.from_numpy(x).requires_grad_()
    expected, places = getattr(functional, f"max_pool{ndim}d")(tensor, return_indices=True, **said_to_torch(options))
    values, indices = max_pool_with_indices(x, **options)
    agree(values, expected)
    np.testing.assert_array_equal(indices, places.numpy())
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(max_pool(x, **options), values)
    g = numbers(rng, values.shape, case)
    expected.backward(torch.from_numpy(g))
    agree(max_pool_adjoint(g, indices, n), tensor.grad)


@pytest.mark.parametrize("case", range(50))
def test_max_unpool_and_its_gradient(case):
    rng = np.random.default_rng([5, case])
    ndim = case % 3 + 1
    k = draw(rng, 1, 4, ndim)
    s = tuple(a + int(rng.integers(0, 2)) for a in k)  # windows side by side: which duplicate wins is unspecified
    p = tuple(int(rng.integers(0, a // 2 + 1)) for a in k)
    windows, more = draw(rng, 2, 5, ndim), tuple(int(rng.integers(0, b)) for b in s)
    n = tuple((m - 1) * b - 2 * q + a + e for m, b, q, a, e in zip(windows, s, p, k, more, strict=True))
    options: dict[str, Any] = {"stride": s, "padding": p}
    values, indices = max_pool_with_indices(numbers(rng, (2, 3, *n), case), k, **options)
    assert values.shape[2:] == windows
    size = n if any(more) or case % 2 else None
    tensor = torch.from_numpy(values).requires_grad_()
    unpool = getattr(functional, f"max_unpool{ndim}d")
    expected = unpool(tensor, torch.from_numpy(indices), k, output_size=size, **options)
    result = max_unpool(values, indices, k, output_size=size, spatial_ndim=ndim, **options)
    agree(result, expected)
    g = numbers(rng, result.shape, case)
    expected.backward(torch.from_numpy(g))
    agree(max_unpool_adjoint(g, indices, spatial_ndim=ndim), tensor.grad)
