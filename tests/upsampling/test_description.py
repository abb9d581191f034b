from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from restoretk.upsampling import conv_transpose, describe_conv_transpose, format_description
from restoretk.upsampling._number_grids import drawing_text
from restoretk.upsampling.frameworks import jax_window, onnx_window, tensorflow_window

# Lopsided on purpose: other sizes, strides and crops on each axis.
CALLS = [
    ((3,), (3,), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((4, 3), (3, 4), {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2)}),
    ((3, 5), (5, 2), {"stride": (3, 1), "padding": (2, 1), "output_padding": (2, 0)}),
    ((4, 2), (2, 3), {"dilation": (3, 2), "output_padding": (2, 1)}),
    ((3, 4), (2, 3), {"stride": (2, 3), "dilation": (3, 2), "padding": (0, 2), "output_padding": (2, 1)}),
    ((3, 4), (1, 2), {"stride": (3, 4), "padding": 0}),
    ((4, 3), (7, 6), {"stride": 2, "padding": (5, 4)}),
    ((2, 3, 2), (3, 2, 4), {"stride": (2, 1, 3), "padding": (1, 0, 2)}),
]


@pytest.mark.parametrize(("shape", "kernel_shape", "options"), CALLS)
def test_sizes_matrix_and_overlap_are_those_of_the_operator(rng, shape, kernel_shape, options):
    image, kernel = rng.standard_normal(shape), rng.standard_normal(kernel_shape)
    call = describe_conv_transpose(kernel=kernel, image=image, **options)
    expected = conv_transpose(image, kernel, **options, spatial_ndim=kernel.ndim)
    assert call.window.out == expected.shape
    assert all(text.endswith(f" = {size}") for text, size in zip(call.formula, expected.shape, strict=True))
    for text, size in zip(call.formula, expected.shape, strict=True):
        assert eval(text.split(" = ")[0]) == size  # noqa: S307  # our own arithmetic
    np.testing.assert_allclose(call.result, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(image.ravel() @ call.matrix().toarray(), expected.ravel(), rtol=0, atol=1e-12)
    ones = conv_transpose(np.ones(shape, int), np.ones(kernel_shape, int), **options, spatial_ndim=kernel.ndim)
    np.testing.assert_array_equal(call.overlap_counts(), ones)


@pytest.mark.parametrize(("shape", "kernel_shape", "options"), CALLS)
def test_the_subpixel_convolution_returns_the_same_pixels(rng, shape, kernel_shape, options):
    image, kernel = rng.standard_normal(shape), rng.standard_normal(kernel_shape)
    call = describe_conv_transpose(kernel=kernel, image=image, **options)
    weights, ndim = call.subpixel.weights, image.ndim
    ends = [(max(a, 0), max(b, 0)) for a, b in call.subpixel.padding]
    padded = np.pad(image, ends)
    cut = tuple(
        slice(max(-a, 0), size - max(-b, 0)) for (a, b), size in zip(call.subpixel.padding, padded.shape, strict=True)
    )
    windows = np.lib.stride_tricks.sliding_window_view(padded[cut], weights.shape[ndim:])
    convolved = np.einsum(windows, [*range(2 * ndim)], weights, [*range(2 * ndim, 3 * ndim), *range(ndim, 2 * ndim)])
    # pixel shuffle: (rows, columns, phase of rows, phase of columns) -> (rows, phase of rows, columns, ...)
    order = [axis + part * ndim for axis in range(ndim) for part in (0, 1)]
    whole = [count * s for count, s in zip(windows.shape[:ndim], call.stride, strict=True)]
    shuffled = convolved.transpose(order).reshape(whole)
    np.testing.assert_allclose(shuffled[tuple(map(slice, call.window.out))], call.result, rtol=0, atol=1e-12)


def test_the_subpixel_weights_of_4_taps_are_3x3_with_zeros_as_pixel_shuffle_has_them(rng):
    torch = pytest.importorskip("torch", reason="its pixel_shuffle is the layer that is named")
    image, kernel = rng.standard_normal((5, 6)), rng.standard_normal((4, 4))
    call = describe_conv_transpose(kernel=kernel, image=image, stride=2, padding=1)
    assert call.subpixel.padding == ((1, 1), (1, 1))
    weights = torch.tensor(call.subpixel.weights.reshape(4, 1, 3, 3))
    convolved = torch.nn.functional.conv2d(torch.tensor(image)[None, None], weights, padding=1)
    shuffled = torch.nn.functional.pixel_shuffle(convolved, 2)[0, 0]
    np.testing.assert_allclose(shuffled.numpy(), call.result, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("shape", "kernel_shape", "options"), CALLS)
def test_the_pytorch_line_runs_and_returns_the_result(rng, shape, kernel_shape, options):
    torch = pytest.importorskip("torch", reason="runs the line that is printed")
    image, kernel = rng.standard_normal((2, 3, *shape)), rng.standard_normal((3, 2, *kernel_shape))
    call = describe_conv_transpose(shape, kernel_shape=kernel_shape, **options)
    names = {"torch": torch, "x": torch.tensor(image), "w": torch.tensor(kernel)}
    exec(call.calls["PyTorch"], names)  # noqa: S102  # our own line
    expected = conv_transpose(image, kernel, **options, spatial_ndim=len(shape))
    np.testing.assert_allclose(names["y"].numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("shape", "kernel_shape", "options"), CALLS)
def test_the_onnx_line_makes_a_node_with_the_same_window(shape, kernel_shape, options):
    onnx = pytest.importorskip("onnx", reason="runs the line that is printed")
    call = describe_conv_transpose(shape, kernel_shape=kernel_shape, **options)
    names = {"onnx": onnx}
    exec("import onnx.helper\n" + call.calls["ONNX"], names)  # noqa: S102  # our own line
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in names["node"].attribute}
    window = onnx_window(
        shape,
        given.get("kernel_shape", (1,) * len(shape)),
        stride=given.get("strides", 1),
        dilation=given.get("dilations", 1),
        pads=given.get("pads"),
        output_padding=given.get("output_padding"),
    )
    assert window == call.window


@pytest.mark.parametrize(("shape", "kernel_shape", "options"), CALLS)
def test_the_jax_line_has_the_same_window(shape, kernel_shape, options):
    asked = {}
    names = {"jax": SimpleNamespace(lax=SimpleNamespace(conv_transpose=lambda *_, **given: asked.update(given)))}
    call = describe_conv_transpose(shape, kernel_shape=kernel_shape, **options)
    exec(call.calls["JAX"], {**names, "x": None, "w": None})  # noqa: S102  # our own line
    window = jax_window(
        shape,
        kernel_shape,
        stride=asked["strides"],
        dilation=asked["rhs_dilation"],
        padding=asked["padding"],
        transpose_kernel=asked["transpose_kernel"],
    )
    assert window == call.window
    assert [len(word) for word in asked["dimension_numbers"]] == [len(shape) + 2] * 3


@pytest.mark.parametrize(("shape", "kernel_shape", "options"), CALLS)
def test_the_keras_line_returns_the_result(rng, shape, kernel_shape, options):
    image, kernel = rng.standard_normal(shape), rng.standard_normal(kernel_shape)
    call = describe_conv_transpose(kernel=kernel, image=image, **options)
    if call.calls["Keras"].startswith("#"):
        assert max(call.stride) > 1
        assert max(call.dilation) > 1
        return

    def stand_in(x, w, *, padding, strides, dilation_rate=1):
        """Keras's meaning of its arguments, channels last."""
        window = tensorflow_window(shape, w.shape[:-2], stride=strides, dilation=dilation_rate, padding=padding)
        full = conv_transpose(
            x[0, ..., 0], w[..., 0, 0], stride=strides, dilation=dilation_rate, spatial_ndim=w.ndim - 2
        )
        more = [(0, max(0, h + m - n)) for h, m, n in zip(window.head, window.out, full.shape, strict=True)]
        kept = tuple(slice(h, h + m) for h, m in zip(window.head, window.out, strict=True))
        return np.pad(full, more)[kept][None, ..., None]

    names = {"x": image[None, ..., None], "w": kernel[..., None, None]}
    names["keras"] = SimpleNamespace(ops=SimpleNamespace(conv_transpose=stand_in, pad=np.pad))
    exec(call.calls["Keras"], names)  # noqa: S102  # our own line
    np.testing.assert_allclose(names["y"][0, ..., 0], call.result, rtol=0, atol=1e-12)


def test_the_calls_of_a_layer_that_doubles_are_spelled_in_full():
    # Each line was run: keras 3.15 (on jax), onnxruntime 1.32 and jax 0.10.2 return the pixels of PyTorch's line.
    assert describe_conv_transpose((64, 48), kernel_shape=(4, 4), stride=2, padding=1).calls == {
        "PyTorch": "y = torch.nn.functional.conv_transpose2d(x, w, stride=2, padding=1)",
        "Keras": 'y = keras.ops.conv_transpose(x, w, padding="same", strides=2)',
        "ONNX": (
            'node = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], kernel_shape=[4, 4], strides=[2, 2], '
            "pads=[1, 1, 1, 1])"
        ),
        "JAX": (
            "y = jax.lax.conv_transpose(x, w, strides=(2, 2), padding=[(2, 2), (2, 2)], rhs_dilation=(1, 1), "
            "dimension_numbers=('NCHW', 'OIHW', 'NCHW'), transpose_kernel=True)"
        ),
    }


def test_keras_crops_what_it_has_no_argument_for():
    calls = describe_conv_transpose((3,), kernel_shape=(3,), stride=2, padding=1, output_padding=1).calls
    assert calls["Keras"] == 'y = keras.ops.conv_transpose(x, w, padding="valid", strides=2)[:, 1:7]'
    calls = describe_conv_transpose((3,), kernel_shape=(3,), stride=3, output_padding=2).calls
    assert calls["Keras"].startswith('y = keras.ops.pad(keras.ops.conv_transpose(x, w, padding="valid", strides=3), [')
    calls = describe_conv_transpose((3,), kernel_shape=(3,), stride=2, dilation=2).calls
    assert calls["Keras"] == "# Keras has no stride above 1 together with a dilation above 1"


def test_the_pixel_shift_of_odd_kernels_is_warned_of():
    torch_like = describe_conv_transpose((3, 4), kernel_shape=(3, 3), stride=2, padding=1, output_padding=1)
    assert torch_like.shift == (-0.5, -0.5)
    assert torch_like.warnings[0] == (
        "Keras 'same', ONNX SAME_UPPER and JAX 'SAME' also return the size 6 x 8, but not these pixels: this result "
        "has the picture 1 pixel earlier on every axis."
    )
    mixed = describe_conv_transpose((3, 4), kernel_shape=(4, 3), stride=2, padding=1, output_padding=(0, 1))
    assert "(0, 1) pixels earlier" in mixed.warnings[0]


def test_an_even_centred_kernel_has_nothing_to_warn_of():
    call = describe_conv_transpose((5, 6), kernel_shape=(4, 4), stride=2, padding=1)
    assert call.warnings == ()
    assert call.shift == (0.0, 0.0)


@pytest.mark.parametrize(
    ("kernel_shape", "options", "match"),
    [
        ((3,), {"stride": 2}, "reached by 1 or 2 taps"),
        ((2,), {"stride": 3}, "does not fill the stride"),
        ((4,), {"stride": 2, "dilation": 2}, "does not fill the stride"),
    ],
)
def test_uneven_outputs_are_warned_of(kernel_shape, options, match):
    (sentence,) = describe_conv_transpose((6,), kernel_shape=kernel_shape, **options).warnings
    assert match in sentence


def test_the_text_holds_the_matrix_the_size_and_the_result():
    text = format_description(describe_conv_transpose(kernel=[1, 2, 3], image=[1, 10, 100], stride=2))
    for line in (
        "    1   2  13  20 130 200 300",
        "  1 2 3 0 0 0 0",
        "  0 0 0 0 1 2 3",
        "  (3 - 1)*2 - 2*0 + 1*(3 - 1) + 0 + 1 = 7",
        "  1 1 2 1 2 1 1",
        "  0: [3 1]",
        "  1: [0 2]",
    ):
        assert line in text.splitlines()


def test_a_large_matrix_is_drawn():
    text = format_description(describe_conv_transpose((64, 48), kernel_shape=(4, 4), stride=2, padding=1))
    assert "3072 rows of 12288 with 48260 numbers that are not 0" in text
    drawing = [line for line in text.splitlines() if line.startswith("  ▏")]
    assert max(map(len, drawing)) <= 124
    places = [np.flatnonzero([ord(c) > 0x2800 for c in line[3:-1]]) for line in drawing]
    assert places[0][0] == 0  # a band from corner to corner
    assert places[-1][-1] == len(drawing[0]) - 5
    assert all(np.ptp(place) < 20 for place in places)


def test_a_drawing_has_a_dot_in_the_place_of_each_number():
    # The dots 1 to 8 of a Braille character, as Unicode counts them: two columns of three, then the fourth row.
    for place, dot in {(0, 0): 1, (1, 0): 2, (2, 0): 3, (0, 1): 4, (1, 1): 5, (2, 1): 6, (3, 0): 7, (3, 1): 8}.items():
        text = drawing_text(*(np.array([index]) for index in place), (4, 2))
        assert text.splitlines()[0] == f"  ▏{chr(0x2800 + 2 ** (dot - 1))}▕"


def test_a_matrix_too_large_to_draw_is_counted_and_not_built():
    call = describe_conv_transpose((512, 512), kernel_shape=(4, 4), stride=2, padding=1)
    assert "262144 rows of 1048576 numbers: too large to draw" in format_description(call)
    with pytest.raises(ValueError, match="matrix must have at most 1000000 entries to be written out, got 4194304"):
        call.matrix()


@pytest.mark.parametrize("shape", [(3, 4), (40, 50)])
def test_the_description_goes_through_json(shape):
    call = describe_conv_transpose(shape, kernel_shape=(3, 2), stride=2)
    read = json.loads(json.dumps(call.as_dict()))
    assert read["output_shape"] == list(call.window.out)
    assert read["kernel_is_numbered"] is True
    assert (read["matrix"] is None) == (shape == (40, 50))
    assert len(read["overlap_per_axis"][1]) == call.window.out[1]


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"shape": [3]}, ValueError, "give shape or image, and kernel or kernel_shape"),
        ({"shape": [3], "kernel": [1], "kernel_shape": [1]}, ValueError, "one of each pair"),
        ({"shape": [3], "kernel": [[1, 2]]}, ValueError, r"kernel must have as many axes as the input, 1, got shape"),
        ({"shape": [3] * 4, "kernel_shape": [1] * 4}, ValueError, "shape must have 1, 2 or 3 axes"),
        ({"shape": [3], "kernel_shape": [3], "output_padding": 1}, ValueError, "output_padding must be smaller"),
        ({"shape": [1], "kernel_shape": [3], "padding": 2}, ValueError, "padding cuts off everything"),
        ({"shape": [2000000], "kernel_shape": [3]}, ValueError, "full size must be at most 1000000 pixels"),
        ({"shape": [3, 3], "kernel_shape": [3000, 3000]}, ValueError, "kernel_shape must be at most 1000000 pixels"),
        ({"image": [[np.nan]], "kernel": [[1]]}, ValueError, "image must be finite"),
        ({"shape": [3], "kernel": ["a"]}, TypeError, "kernel must hold integers or floats"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        describe_conv_transpose(**arguments)
