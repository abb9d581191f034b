from __future__ import annotations

import itertools

import numpy as np
import pytest

from restoretk.upsampling.frameworks import Window, jax_window, onnx_window, pytorch_window, tensorflow_window

X, W = [1, 10, 100], [1, 2, 3]
CASES = list(itertools.product((1, 2, 5), (1, 2, 3, 4, 7), (1, 2, 3)))  # n, k, s


def scattered(x, w, window, *, stride=1, dilation=1):
    """The scatter rule of one axis, and the window of it, written out."""
    w = w[::-1] if window.flipped else w
    full = dict.fromkeys(range(window.full[0]), 0)
    for i, t in itertools.product(range(len(x)), range(len(w))):
        full[i * stride + t * dilation] += x[i] * w[t]
    assert len(full) == window.full[0]
    return [full.get(j, 0) for j in range(window.head[0], window.head[0] + window.out[0])]


# What the frameworks returned for x = [1, 10, 100], w = [1, 2, 3], s = 2 (torch 2.13, keras 3.15 on TensorFlow 2.21,
# jax 0.10.2, onnxruntime 1.32, one call each).
@pytest.mark.parametrize(
    ("window", "result"),
    [
        (pytorch_window([3], [3], stride=2), [1, 2, 13, 20, 130, 200, 300]),
        (pytorch_window([3], [3], stride=2, padding=1, output_padding=1), [2, 13, 20, 130, 200, 300]),
        (tensorflow_window([3], [3], stride=2), [1, 2, 13, 20, 130, 200]),
        (tensorflow_window([3], [3], stride=2, output_padding=0), [2, 13, 20, 130, 200]),
        (tensorflow_window([3], [3], stride=2, output_padding=1), [1, 2, 13, 20, 130, 200]),
        (tensorflow_window([3], [3], stride=2, padding="valid"), [1, 2, 13, 20, 130, 200, 300]),
        (onnx_window([3], [3], stride=2, auto_pad="SAME_UPPER"), [1, 2, 13, 20, 130, 200]),
        (onnx_window([3], [3], stride=2, auto_pad="SAME_LOWER"), [2, 13, 20, 130, 200, 300]),
        (onnx_window([3], [3], stride=2, output_shape=6), [2, 13, 20, 130, 200, 300]),
        (jax_window([3], [3], stride=2, padding="VALID"), [3, 2, 31, 20, 310, 200, 100]),
        (jax_window([3], [3], stride=2, padding="VALID", transpose_kernel=True), [1, 2, 13, 20, 130, 200, 300]),
        (jax_window([3], [3], stride=2), [3, 2, 31, 20, 310, 200]),
        (jax_window([3], [3], stride=2, padding=[(1, 2)], transpose_kernel=True), [2, 13, 20, 130, 200, 300]),
    ],
)
def test_the_frameworks_return_these_numbers(window, result):
    assert scattered(X, W, window, stride=2) == result


def test_pytorch_agrees_with_torch(rng):
    torch = pytest.importorskip("torch", reason="torch is the definition of its own arguments")
    for n, k, s in CASES:
        p, d = int(rng.integers(0, 3)), int(rng.integers(1, 4))
        more = int(rng.integers(0, max(s, d)))
        x, w = rng.standard_normal(n), rng.standard_normal(k)
        if (n - 1) * s - 2 * p + d * (k - 1) + more + 1 < 1:
            continue
        window = pytorch_window([n], [k], stride=s, padding=p, output_padding=more, dilation=d)
        expected = torch.nn.functional.conv_transpose1d(
            torch.tensor(x)[None, None],
            torch.tensor(w)[None, None],
            stride=s,
            padding=p,
            output_padding=more,
            dilation=d,
        )
        np.testing.assert_allclose(scattered(x, w, window, stride=s, dilation=d), expected[0, 0], rtol=0, atol=1e-12)


def test_pytorch_output_size_is_reached_by_output_padding():
    torch = pytest.importorskip("torch", reason="torch says which sizes are reachable")
    layer = torch.nn.ConvTranspose1d(1, 1, 4, stride=3, padding=1)
    for wanted in range(1, 24):
        try:
            reached = layer(torch.zeros(1, 1, 5), output_size=(wanted,)).shape[-1:]
        except ValueError:
            with pytest.raises(ValueError, match=r"output_size must be from \(14,\) to \(16,\) on each axis"):
                pytorch_window([5], [4], stride=3, padding=1, output_size=wanted)
        else:
            assert pytorch_window([5], [4], stride=3, padding=1, output_size=wanted).out == reached


@pytest.mark.parametrize(("n", "k", "s"), CASES)
def test_tensorflow_same_transposes_the_convolution_that_leads_back(n, k, s):
    for more in (None, *range(s)):
        try:
            window = tensorflow_window([n], [k], stride=s, output_padding=more)
        except ValueError:
            assert -(-((n - 1) * s + k % 2 + more) // s) != n
            continue
        out = window.out[0]
        assert -(-out // s) == n  # the size of a SAME convolution of the result
        assert window.head == (max((n - 1) * s + k - out, 0) // 2,)  # and the zeros that TensorFlow puts before it
        assert out == (n * s if more is None else (n - 1) * s + k - 2 * (k // 2) + more)


@pytest.mark.parametrize(("n", "k", "s"), CASES)
def test_jax_is_a_convolution_of_the_stuffed_input(rng, n, k, s):
    x, w = rng.standard_normal(n), rng.standard_normal(k)
    stuffed = np.zeros((n - 1) * s + 1)
    stuffed[::s] = x
    # lax.conv_transpose: its documented zeros before, and before and after together
    same = (k - 1 if s > k - 1 else -(-(k + s - 2) // 2), k + s - 2)
    valid = (k - 1, k + s - 2 + max(k - s, 0))
    for padding, (low, total) in (("SAME", same), ("VALID", valid), ([(k + 1, k)], (k + 1, 2 * k + 1))):
        window = jax_window([n], [k], stride=s, padding=padding)
        padded = np.pad(stuffed, (low, total - low))
        expected = np.correlate(padded, w, "valid")
        np.testing.assert_allclose(scattered(x, w, window, stride=s), expected, rtol=0, atol=1e-12)


def test_jax_pairs_can_be_cuts_as_in_pytorch():
    window = jax_window([5, 6], [3, 4], stride=2, padding=[(1, 0), (1, 2)], use_consistent_padding=True)
    assert window.padding == ((1, 0), (1, 2))
    assert window.out == (10, 11)


@pytest.mark.parametrize(("n", "k", "s"), CASES)
@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
def test_onnx_output_shape_follows_the_equations_of_the_specification(n, k, s, auto_pad):
    for d, wanted in itertools.product((1, 2), range(1, n * s + k)):
        window = onnx_window([n], [k], stride=s, dilation=d, auto_pad=auto_pad, output_shape=wanted)
        total = max(s * (n - 1) + (k - 1) * d + 1 - wanted, 0)
        assert window.head == ((total // 2,) if auto_pad == "SAME_UPPER" else (total - total // 2,))
        assert window.out == (wanted,)


def test_onnx_pads_are_begins_then_ends():
    window = onnx_window([5, 6], [3, 4], stride=(2, 3), pads=[0, 1, 2, 0], output_padding=[1, 2])
    assert window.head == (0, 1)
    assert window.out == (10, 20)
    assert window.padding == ((0, 1), (1, -2))


def test_onnx_output_padding_with_same_moves_the_head_and_not_the_size():
    plain, padded = (onnx_window([4], [4], stride=2, auto_pad="SAME_UPPER", output_padding=more) for more in (0, 1))
    assert plain.out == padded.out == (8,)
    assert onnx_window([4], [3], stride=2, auto_pad="SAME_UPPER", output_padding=1).head == (1,)
    assert onnx_window([4], [3], stride=2, auto_pad="SAME_UPPER").head == (0,)


def test_a_kernel_shorter_than_its_stride_leaves_zeros_after():
    for window in (
        tensorflow_window([3], [2], stride=3),
        tensorflow_window([3], [2], stride=3, padding="valid"),
        jax_window([3], [2], stride=3, transpose_kernel=True),
        jax_window([3], [2], stride=3, padding="VALID", transpose_kernel=True),
        onnx_window([3], [2], stride=3, auto_pad="SAME_LOWER"),
    ):
        assert window == Window((0,), (9,), (8,))
        assert window.padding == ((0, -1),)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda: pytorch_window([3], [3], stride=2, output_padding=2),
            "output_padding must be smaller than the stride",
        ),
        (lambda: pytorch_window([3], [3], padding=-1), "padding must be at least 0, got -1"),
        (lambda: pytorch_window([1], [3], padding=2), r"padding cuts off everything: of the full size \(3,\)"),
        (lambda: pytorch_window([3], [3], output_size=5, stride=2, output_padding=1), "output_size or output_padding"),
        (lambda: pytorch_window([3, 4], [3]), "kernel_shape must be one integer, or one for each of the 2"),
        (lambda: pytorch_window([0], [3]), "shape must be at least 1"),
        (lambda: onnx_window([3], [3], auto_pad="SAME"), "auto_pad must be NOTSET, SAME_UPPER, SAME_LOWER or VALID"),
        (lambda: onnx_window([3], [3], pads=[1]), "pads must be 2 integers of at least 0"),
        (lambda: onnx_window([3], [3], pads=[-1, 0]), "pads must be 2 integers of at least 0"),
        (lambda: onnx_window([3], [3], output_padding=1), "output_padding must be smaller than the stride"),
        (lambda: tensorflow_window([3], [3], padding="SAME"), "padding must be 'same' or 'valid', got 'SAME'"),
        (lambda: tensorflow_window([3], [3], stride=2, dilation=2), "Keras has no stride"),
        (lambda: tensorflow_window([3], [3], stride=2, output_padding=2), "output_padding must be smaller"),
        (lambda: tensorflow_window([3], [4], stride=2, output_padding=0), "TensorFlow refuses it"),
        (lambda: jax_window([3], [3], padding="same"), "padding must be 'SAME', 'VALID' or pairs"),
        (lambda: jax_window([3, 4], [3, 3], padding=[(1, 1)]), "a pair of integers for each of the 2 axes"),
        (lambda: jax_window([1], [3], padding=[(0, 0)]), "padding cuts off everything"),
    ],
)
def test_what_a_framework_does_not_have_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()
