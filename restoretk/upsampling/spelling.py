"""One transposed convolution as code for four frameworks, and where calls that look the same return other pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from restoretk.upsampling.frameworks import Window, jax_window, onnx_window, tensorflow_window


def spell_calls(
    shape: Sequence[int],
    kernel_shape: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    window: Window,
) -> dict[str, str]:
    """The call in PyTorch, Keras, ONNX and JAX, each returning the same pixels from the same kernel.

    ``x`` and ``w`` are the arrays of the framework: channels before the spatial axes for PyTorch, ONNX and JAX, with the
    kernel (C_in, C_out, *k); channels last for Keras, with the kernel (*k, C_out, C_in).
    """
    ndim = len(shape)
    letters = "DHW"[-ndim:]
    options = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    default = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}
    spelled = "".join(f", {name}={_one(value)}" for name, value in options.items() if set(value) != {default[name]})
    attributes = "".join(
        f", {name}={list(value)}"
        for name, value, usual in (
            ("kernel_shape", kernel_shape, -1),
            ("strides", stride, 1),
            ("pads", [*padding, *padding], 0),
            ("output_padding", output_padding, 0),
            ("dilations", dilation, 1),
        )
        if set(value) != {usual}
    )
    pairs = [(d * (k - 1) - b, d * (k - 1) - e) for d, k, (b, e) in _axes(dilation, kernel_shape, window)]
    layout = tuple(word + letters for word in ("NC", "OI", "NC"))
    return {
        "PyTorch": f"y = torch.nn.functional.conv_transpose{ndim}d(x, w{spelled})",
        "Keras": _keras(shape, kernel_shape, stride, dilation, window),
        "ONNX": f'node = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"]{attributes})',
        "JAX": (
            f"y = jax.lax.conv_transpose(x, w, strides={_tuple(stride)}, padding={pairs}, "
            f"rhs_dilation={_tuple(dilation)}, dimension_numbers={layout}, transpose_kernel=True)"
        ),
    }


def _axes(
    dilation: Sequence[int], kernel_shape: Sequence[int], window: Window
) -> Iterator[tuple[int, int, tuple[int, int]]]:
    return zip(dilation, kernel_shape, window.padding, strict=True)


def _keras(
    shape: Sequence[int], kernel_shape: Sequence[int], stride: Sequence[int], dilation: Sequence[int], window: Window
) -> str:
    """The shortest of: "same" alone, "valid" alone, "valid" and a crop."""
    if max(stride) > 1 and max(dilation) > 1:
        return "# Keras has no stride above 1 together with a dilation above 1"
    options = f"strides={_one(stride)}"
    if max(dilation) > 1:
        options += f", dilation_rate={_one(dilation)}"
    for padding in ("same", "valid"):
        if tensorflow_window(shape, kernel_shape, stride=stride, dilation=dilation, padding=padding) == window:
            return f'y = keras.ops.conv_transpose(x, w, padding="{padding}", {options})'
    valid = tensorflow_window(shape, kernel_shape, stride=stride, dilation=dilation, padding="valid")
    missing = [max(0, h + m - size) for h, m, size in zip(window.head, window.out, valid.out, strict=True)]
    crop = ", ".join(f"{h}:{h + m}" for h, m in zip(window.head, window.out, strict=True))
    line = f'keras.ops.conv_transpose(x, w, padding="valid", {options})'
    if any(missing):
        line = f"keras.ops.pad({line}, {[(0, 0), *((0, more) for more in missing), (0, 0)]})"
    return f"y = {line}[:, {crop}]"


def shift_warnings(
    shape: Sequence[int], kernel_shape: Sequence[int], stride: Sequence[int], dilation: Sequence[int], window: Window
) -> tuple[str, ...]:
    """A sentence for every group of calls of the same size, kernel and stride that start at another pixel."""
    moved: dict[tuple[int, ...], list[str]] = {}
    for name, other in _same_calls(shape, kernel_shape, stride, dilation):
        if other.out == window.out and other.head != window.head:
            moved.setdefault(tuple(a - b for a, b in zip(window.head, other.head, strict=True)), []).append(name)
    return tuple(
        f"{_listed(names)} also return{'s' if len(names) == 1 else ''} the size {' x '.join(map(str, window.out))}, but "
        f"not these pixels: this result has the picture {_moved(delta)}."
        for delta, names in moved.items()
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _moved(delta: tuple[int, ...]) -> str:
    """By how much, for the difference of two heads: a longer head leaves the picture earlier."""
    if len(set(delta)) > 1:
        return f"({', '.join(map(str, delta))}) pixels earlier"
    amount = f"{abs(delta[0])} pixel{'s' if abs(delta[0]) > 1 else ''} {'earlier' if delta[0] > 0 else 'later'}"
    return amount + (" on every axis" if len(delta) > 1 else "")


def _same_calls(
    shape: Sequence[int], kernel_shape: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Iterator[tuple[str, Window]]:
    """What people write for "the same size times the stride"."""
    if max(stride) == 1 or max(dilation) == 1:
        yield "Keras 'same'", tensorflow_window(shape, kernel_shape, stride=stride, dilation=dilation)
    for auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        yield (
            f"ONNX {auto_pad}",
            onnx_window(shape, kernel_shape, stride=stride, dilation=dilation, auto_pad=auto_pad),
        )
    yield (
        "JAX 'SAME'",
        jax_window(shape, kernel_shape, stride=stride, dilation=dilation, transpose_kernel=True),
    )


def _one(values: Sequence[int]) -> str:
    """The number that all axes share, or a tuple."""
    return str(values[0]) if len(set(values)) == 1 else _tuple(values)


def _tuple(values: Sequence[int]) -> str:
    return str(tuple(values))
