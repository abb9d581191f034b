"""Random ONNX nodes that PyTorch cannot express, against ONNX's definitions written out as loops over pixels."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from restoretk._arrays import Array

DTYPES = (np.float32, np.float64, np.float16)


def draw(rng: np.random.Generator, low: int, top: int, ndim: int) -> list[int]:
    return rng.integers(low, top, ndim).tolist()


def agree(result: Array, expected: Array, dtype: Any) -> None:
    assert result.shape == expected.shape
    assert result.dtype == dtype
    tolerance = {2: 3e-2, 4: 1e-4, 8: 1e-11}[result.dtype.itemsize]
    np.testing.assert_allclose(result.astype(np.float64), expected, rtol=tolerance, atol=tolerance)


def forward_pads(auto_pad: str, n: int, k: int, s: int, d: int) -> tuple[int, int]:
    """The padding of a convolution or a pooling along one axis, from the sentences of the specification."""
    if auto_pad == "VALID":
        return 0, 0
    total = max((math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0)
    half = total // 2
    return (half, total - half) if auto_pad == "SAME_UPPER" else (total - half, half)


def random_pads(rng: np.random.Generator, n: list[int], k: list[int], s: list[int], d: list[int]) -> tuple[Any, Any]:
    """One way of saying the padding in a node, and the pairs that it means."""
    ndim = len(n)
    auto_pad = str(rng.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if auto_pad == "VALID" and any(a < (b - 1) * c + 1 for a, b, c in zip(n, k, d, strict=True)):
        auto_pad = "SAME_LOWER"
    if auto_pad != "NOTSET":
        pairs = [forward_pads(auto_pad, *axis) for axis in zip(n, k, s, d, strict=True)]
        return {"auto_pad": auto_pad}, pairs
    begin = draw(rng, 0, 4, ndim)
    end = [int(rng.integers(max(0, (b - 1) * c + 1 - a - p), max(0, (b - 1) * c + 1 - a - p) + 4))
           for a, b, c, p in zip(n, k, d, begin, strict=True)]  # fmt: skip
    return {"pads": [*begin, *end]}, list(zip(begin, end, strict=True))


@pytest.mark.parametrize("case", range(60))
def test_conv_with_every_auto_pad(run, case):
    rng = np.random.default_rng([11, case])
    ndim, dtype = case % 3 + 1, DTYPES[case % 4 % 3]
    n, k, s, d = draw(rng, 2, 6, ndim), draw(rng, 1, 4, ndim), draw(rng, 1, 4, ndim), draw(rng, 1, 4, ndim)
    group, inputs, outputs = draw(rng, 1, 4, 3)
    attrs, pairs = random_pads(rng, n, k, s, d)
    x = rng.standard_normal((2, group * inputs, *n)).astype(dtype)
    w = rng.standard_normal((group * outputs, inputs, *k)).astype(dtype)
    b = rng.standard_normal(group * outputs).astype(dtype)

    out = [(a + sum(p) - d_ * (k_ - 1) - 1) // s_ + 1 for a, p, k_, s_, d_ in zip(n, pairs, k, s, d, strict=True)]
    if attrs.get("auto_pad", "").startswith("SAME"):
        assert out == [math.ceil(a / b_) for a, b_ in zip(n, s, strict=True)]
    expected = np.zeros((2, group * outputs, *out)) + b.astype(np.float64).reshape(-1, *[1] * ndim)
    for j, t in itertools.product(np.ndindex(*out), np.ndindex(*k)):
        i = [a * s_ + c * d_ - p[0] for a, c, s_, d_, p in zip(j, t, s, d, pairs, strict=True)]
        if all(0 <= a < size for a, size in zip(i, n, strict=True)):
            for o in range(group * outputs):
                own = slice(o // outputs * inputs, (o // outputs + 1) * inputs)
                expected[(slice(None), o, *j)] += x[(slice(None), own, *i)].astype(np.float64) @ w[
                    (o, slice(None), *t)
                ].astype(np.float64)

    attrs |= {"strides": s, "dilations": d, "group": group} | ({"kernel_shape": k} if case % 2 else {})
    agree(run("Conv", [x, w, b], attrs, 1), expected, dtype)


@pytest.mark.parametrize("case", range(120))
def test_conv_transpose_with_every_way_of_saying_the_window(run, case):
    rng = np.random.default_rng([12, case])
    ndim, dtype = case % 3 + 1, DTYPES[case % 4 % 3]
    n, k, s, d = draw(rng, 1, 5, ndim), draw(rng, 1, 5, ndim), draw(rng, 1, 4, ndim), draw(rng, 1, 4, ndim)
    group, inputs, outputs = draw(rng, 1, 4, 3)
    x = rng.standard_normal((2, group * inputs, *n)).astype(dtype)
    w = rng.standard_normal((group * inputs, outputs, *k)).astype(dtype)
    b = rng.standard_normal(group * outputs).astype(dtype) if case % 2 else None
    full = [(a - 1) * s_ + (k_ - 1) * d_ + 1 for a, k_, s_, d_ in zip(n, k, s, d, strict=True)]
    op = [int(rng.integers(0, max(s_, d_))) for s_, d_ in zip(s, d, strict=True)] if rng.integers(2) else None
    extra = op or [0] * ndim

    attrs: dict[str, Any] = {"strides": s, "dilations": d, "group": group}
    way = str(rng.choice(["pads", "output_shape", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if way in ("pads", "VALID"):
        head = [int(rng.integers(0, (size + 1) // 2)) if way == "pads" else 0 for size in full]
        tail = [int(rng.integers(0, (size + 1) // 2)) if way == "pads" else 0 for size in full]
        out = [size + e - h - t for size, e, h, t in zip(full, extra, head, tail, strict=True)]
        attrs |= {"pads": [*head, *tail]} if way == "pads" else {"auto_pad": way}
    else:
        auto_pad = str(rng.choice(["NOTSET", "SAME_UPPER", "SAME_LOWER"])) if way == "output_shape" else way
        out = [int(rng.integers(1, size + e + 3)) for size, e in zip(full, extra, strict=True)]
        if way != "output_shape":
            out = [a * s_ for a, s_ in zip(n, s, strict=True)]
        else:
            attrs["output_shape"] = out
        # Where the sizes leave nothing to cut, nothing is cut, and the end is filled with zeros.
        totals = [max(size + e - m, 0) for size, e, m in zip(full, extra, out, strict=True)]
        head = [t // 2 if auto_pad == "SAME_UPPER" else t - t // 2 for t in totals]
        attrs |= {"auto_pad": auto_pad} if auto_pad != "NOTSET" or case % 2 else {}
    attrs |= {"output_padding": op} if op else {}

    expected = np.zeros((2, group * outputs, *out))
    for i, t in itertools.product(np.ndindex(*n), np.ndindex(*k)):
        m = [a * s_ + c * d_ - h for a, c, s_, d_, h in zip(i, t, s, d, head, strict=True)]
        if all(0 <= a < size for a, size in zip(m, out, strict=True)):
            for c, o in itertools.product(range(group * inputs), range(outputs)):
                weight = float(w[(c, o, *t)])
                expected[(slice(None), c // inputs * outputs + o, *m)] += weight * x[(slice(None), c, *i)]
    if b is not None:
        expected += b.reshape(-1, *[1] * ndim)
    agree(
        run("ConvTranspose", [x, w, b] if case % 4 else [x, w, b][: 3 if b is not None else 2], attrs, 1),
        expected,
        dtype,
    )


def pooled(x: Array, k: Any, s: Any, d: Any, pairs: Any, ceil_mode: int) -> tuple[list[int], Any]:
    """The shape of a pooling, and for each window its place, the pixels in it, and how many places are not overhang."""
    n, out = x.shape[2:], []
    for a, k_, s_, d_, (begin, end) in zip(n, k, s, d, pairs, strict=True):
        steps = (a + begin + end - d_ * (k_ - 1) - 1) / s_
        m = (math.ceil(steps) if ceil_mode else math.floor(steps)) + 1
        if ceil_mode and (m - 1) * s_ >= a + begin:  # the last window starts in the padding behind the image
            m -= 1
        out.append(m)  # with SAME this is ceil(a / s_), whatever ceil_mode

    def windows() -> Any:
        for j in np.ndindex(*out):
            pixels, places = [], 0
            for t in np.ndindex(*k):
                i = tuple(a * s_ + c * d_ - p[0] for a, c, s_, d_, p in zip(j, t, s, d, pairs, strict=True))
                places += all(a < size + p[1] for a, size, p in zip(i, n, pairs, strict=True))
                if all(0 <= a < size for a, size in zip(i, n, strict=True)):
                    pixels.append(i)
            yield j, pixels, places

    return out, windows()


def random_pooling(rng: np.random.Generator, ndim: int) -> tuple[list[int], dict[str, Any], Any]:
    n, k, s, d = draw(rng, 2, 7, ndim), draw(rng, 1, 4, ndim), draw(rng, 1, 4, ndim), draw(rng, 1, 4, ndim)
    padding, pairs = random_pads(rng, n, k, s, d)
    attrs = padding | {"kernel_shape": k, "strides": s, "dilations": d, "ceil_mode": int(rng.integers(2))}
    return n, attrs, (k, s, d, pairs, attrs["ceil_mode"])


@pytest.mark.parametrize("case", range(90))
def test_average_pool_with_dilation_and_uneven_pads(run, case):
    rng = np.random.default_rng([13, case])
    ndim, dtype = case % 3 + 1, DTYPES[case % 4 % 3]
    n, attrs, meaning = random_pooling(rng, ndim)
    x = rng.standard_normal((2, 3, *n)).astype(dtype)
    include = int(rng.integers(2))
    out, windows = pooled(x, *meaning)
    expected = np.zeros((2, 3, *out))
    for j, pixels, places in windows:
        count = places if include else len(pixels)
        total = sum((x[(..., *i)].astype(np.float64) for i in pixels), np.zeros((2, 3)))
        expected[(..., *j)] = total / count if count else 0
    attrs |= {"count_include_pad": include} if include or case % 2 else {}
    agree(run("AveragePool", [x], attrs, 1), expected, dtype)


@pytest.mark.parametrize("case", range(120))
def test_max_pool_with_indices_over_batch_and_channels(run, case):
    rng = np.random.default_rng([14, case])
    ndim, dtype = case % 3 + 1, (np.float32, np.float64, np.int8, np.uint8)[case % 4]
    n, attrs, meaning = random_pooling(rng, ndim)
    x = rng.integers(0, 4, (2, 3, *n)) - (0 if dtype == np.uint8 else 3)  # few values, many ties; negative ones below 0
    x = x.astype(dtype)
    storage_order = int(rng.integers(2))
    out, windows = pooled(x, *meaning)
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(dtype).min
    values, indices = np.full((2, 3, *out), lowest, dtype), np.full((2, 3, *out), -1)
    size = math.prod(n)
    for (j, pixels, _), batch, channel in itertools.product(windows, range(2), range(3)):
        if not pixels:
            continue
        best = max(pixels, key=lambda i: x[(batch, channel, *i)])
        fastest_first = best if storage_order else best[::-1]
        sizes = n if storage_order else n[::-1]
        within = sum(a * math.prod(sizes[:axis]) for axis, a in enumerate(fastest_first))
        values[(batch, channel, *j)] = x[(batch, channel, *best)]
        indices[(batch, channel, *j)] = (batch * 3 + channel) * size + within
    attrs |= {"storage_order": storage_order} if storage_order else {}
    result, places = run("MaxPool", [x], attrs, 2)
    np.testing.assert_array_equal(result, values, strict=True)
    np.testing.assert_array_equal(places, indices, strict=True)
    np.testing.assert_array_equal(run("MaxPool", [x], attrs, 1), values, strict=True)


@pytest.mark.parametrize("case", range(50))
def test_max_unpool_refers_to_the_inferred_size_and_overwrites(run, case):
    rng = np.random.default_rng([15, case])
    ndim, dtype = case % 3 + 1, DTYPES[case % 4 % 3]
    m, k, s = draw(rng, 1, 5, ndim), draw(rng, 2, 5, ndim), draw(rng, 1, 4, ndim)
    begin, end = draw(rng, 0, 2, ndim), draw(rng, 0, 2, ndim)
    inferred = [max((a - 1) * b - p - q + c, 0) for a, b, p, q, c in zip(m, s, begin, end, k, strict=True)]
    if 0 in inferred:
        begin, end = [0] * ndim, [0] * ndim
        inferred = [(a - 1) * b + c for a, b, c in zip(m, s, k, strict=True)]
    x = rng.standard_normal((2, 3, *m)).astype(dtype)
    size = math.prod(inferred)
    planes = np.arange(6).reshape(2, 3, *[1] * ndim) * size
    indices = rng.integers(0, size, x.shape) + planes  # many of them repeat: the last one stays
    flat = np.zeros(6 * size, dtype)
    for place, value in zip(indices.ravel(), x.ravel(), strict=True):
        flat[place] = value
    expected = flat.reshape(2, 3, *inferred)
    inputs = [x, indices]
    if case % 2:
        shape = (2, 3, *[a + int(rng.integers(0, 3)) for a in inferred])
        larger = np.zeros(shape, dtype)
        larger[tuple(slice(0, a) for a in expected.shape)] = expected
        expected = larger
        inputs.append(np.array(shape))
    attrs = {"kernel_shape": k, "strides": s} | ({"pads": [*begin, *end]} if any(begin + end) else {})
    np.testing.assert_array_equal(run("MaxUnpool", inputs, attrs, 1), expected, strict=True)
