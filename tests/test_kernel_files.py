from __future__ import annotations

import json

import numpy as np
import pytest

from restoretk.kernel_files import KernelFileError, list_layers, read_layer, write_layer
from restoretk.upsampling import conv_transpose
from restoretk.upsampling.checkerboard import inspect_kernel


@pytest.fixture
def weights(rng):
    return rng.standard_normal((3, 2, 4, 5)).astype(np.float32)


def _onnx(path, weights, *, extra=(), constant=False, **attributes):
    """A model of one ConvTranspose and whatever nodes come after it."""
    onnx = pytest.importorskip("onnx", reason="writes the models")
    node = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], name="up", **attributes)
    tensor = onnx.numpy_helper.from_array(weights, "w")
    nodes = [onnx.helper.make_node("Constant", [], ["w"], value=tensor)] if constant else []
    graph = onnx.helper.make_graph(
        [*nodes, node, *extra],
        "graph",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, None)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [] if constant else [tensor],
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def _safetensors(path, tensors, metadata=None):
    """The format written out: a length, a header, the numbers."""
    names = {
        np.dtype("float32"): "F32",
        np.dtype("float16"): "F16",
        np.dtype("float64"): "F64",
        np.dtype("int64"): "I64",
    }
    header, data = {} if metadata is None else {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        size = len(data) + tensor.nbytes
        header[name] = {"dtype": names[tensor.dtype], "shape": tensor.shape, "data_offsets": [len(data), size]}
        data += tensor.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


@pytest.mark.parametrize("constant", [False, True])
def test_onnx_says_stride_crop_dilation_and_groups(tmp_path, weights, constant):
    path = _onnx(
        tmp_path / "m.onnx", weights, constant=constant, strides=[2, 3], pads=[1, 2, 0, 3], dilations=[1, 2], group=3
    )
    layer = read_layer(path)
    np.testing.assert_array_equal(layer.weights, weights)
    assert (layer.name, layer.stride, layer.padding, layer.dilation, layer.groups) == ("up", (2, 3), (1, 2), (1, 2), 3)
    assert read_layer(path, "up").summary == "up (3 x 2 x 4 x 5, stride 2,3)"


def test_onnx_defaults_are_filled_in(tmp_path, weights):
    layer = read_layer(_onnx(tmp_path / "m.onnx", weights))
    assert (layer.stride, layer.padding, layer.dilation, layer.groups) == ((1, 1), (0, 0), (1, 1), 1)


@pytest.mark.parametrize(
    "attributes",
    [
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        {"auto_pad": "VALID", "strides": [3, 2]},
        {"pads": [1, 2, 2, 0], "strides": [3, 2]},
    ],
)
def test_the_crop_is_the_one_that_onnxruntime_takes(tmp_path, rng, attributes):
    runtime = pytest.importorskip("onnxruntime", reason="runs the models")
    weights = rng.standard_normal((1, 1, 5, 4)).astype(np.float32)
    path = _onnx(tmp_path / "m.onnx", weights, **attributes)
    image = rng.standard_normal((1, 1, 6, 7)).astype(np.float32)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": image})[0][0, 0]
    layer = read_layer(path)
    full = conv_transpose(image[0, 0], weights[0, 0], stride=layer.stride)
    head = [slice(h, h + side) for h, side in zip(layer.padding, expected.shape, strict=True)]
    np.testing.assert_allclose(expected, full[tuple(head)], rtol=0, atol=1e-5)


def test_a_crop_that_depends_on_the_image_is_left_open(tmp_path, weights):
    assert read_layer(_onnx(tmp_path / "m.onnx", weights, output_shape=[9, 9], strides=[2, 2])).padding is None


def test_onnx_weights_are_replaced_and_nothing_else(tmp_path, weights):
    path = _onnx(tmp_path / "m.onnx", weights, strides=[2, 2], pads=[1, 1, 1, 1])
    layer = read_layer(path)
    write_layer(tmp_path / "new.onnx", layer, 2 * weights)
    changed = read_layer(tmp_path / "new.onnx")
    np.testing.assert_array_equal(changed.weights, 2 * weights)
    assert (changed.stride, changed.padding, changed.name) == (layer.stride, layer.padding, layer.name)
    write_layer(tmp_path / "back.onnx", changed, weights)
    assert (tmp_path / "back.onnx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", ["FLOAT16", "BFLOAT16", "DOUBLE"])
def test_onnx_weights_of_other_floats_are_read_and_replaced_in_kind(tmp_path, kind):
    onnx = pytest.importorskip("onnx", reason="writes the models")
    kind = getattr(onnx.TensorProto, kind)
    numbers = np.arange(8.0).reshape(1, 1, 8) / 4  # exact in all of them
    path = _onnx(tmp_path / "m.onnx", numbers.astype(onnx.helper.tensor_dtype_to_np_dtype(kind)), strides=[2])
    layer = read_layer(path)
    assert layer.weights.dtype.kind == "f"
    np.testing.assert_array_equal(layer.weights, numbers)
    write_layer(tmp_path / "n.onnx", layer, 2 * layer.weights)
    assert onnx.load(tmp_path / "n.onnx").graph.initializer[0].data_type == kind
    np.testing.assert_array_equal(read_layer(tmp_path / "n.onnx").weights, 2 * numbers)


def test_weights_that_two_nodes_share_are_not_replaced(tmp_path, weights):
    onnx = pytest.importorskip("onnx", reason="writes the models")
    other = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["z"], name="twin")
    path = _onnx(tmp_path / "m.onnx", weights, extra=[other])
    assert [layer.name for layer in list_layers(path)] == ["up", "twin"]
    with pytest.raises(KernelFileError, match="2 nodes share the weights 'w'"):
        write_layer(tmp_path / "new.onnx", read_layer(path, "up"), weights)
    assert not (tmp_path / "new.onnx").exists()


def test_safetensors_are_read_as_its_own_library_writes_them(tmp_path, weights):
    library = pytest.importorskip("safetensors.numpy", reason="writes the file")
    tensors = {"up.weight": weights, "head": weights.astype(np.float16)[:2], "bias": np.ones(3, np.float32)}
    library.save_file(tensors, tmp_path / "m.safetensors", metadata={"format": "pt"})
    assert sorted(layer.name for layer in list_layers(tmp_path / "m.safetensors")) == ["head", "up.weight"]
    for name in ("up.weight", "head"):
        read = read_layer(tmp_path / "m.safetensors", name).weights
        np.testing.assert_array_equal(read, tensors[name])
        assert read.dtype == tensors[name].dtype
    write_layer(tmp_path / "n.safetensors", read_layer(tmp_path / "m.safetensors", "up.weight"), -weights)
    after = library.load_file(tmp_path / "n.safetensors")
    np.testing.assert_array_equal(after["up.weight"], -weights)
    np.testing.assert_array_equal(after["head"], tensors["head"])


def test_safetensors_are_replaced_in_place(tmp_path, weights):
    tensors = {"before": weights[0].astype(np.float64), "count": np.arange(3), "up": weights}
    path = _safetensors(tmp_path / "m.safetensors", tensors, {"format": "pt"})
    layer = read_layer(path, "up")
    write_layer(tmp_path / "same.safetensors", layer, weights)
    assert (tmp_path / "same.safetensors").read_bytes() == path.read_bytes()
    write_layer(tmp_path / "new.safetensors", layer, weights + 1)
    new = (tmp_path / "new.safetensors").read_bytes()
    assert new[: -weights.nbytes] == path.read_bytes()[: -weights.nbytes]
    np.testing.assert_array_equal(read_layer(tmp_path / "new.safetensors", "up").weights, weights + 1)


def test_bfloat16_is_read_and_rounded_as_torch_does(tmp_path):
    torch = pytest.importorskip("torch", reason="knows bfloat16")
    library = pytest.importorskip("safetensors.torch", reason="writes the file")
    values = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    library.save_file({"w": values.bfloat16()}, tmp_path / "m.safetensors")
    layer = read_layer(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(layer.weights, values.bfloat16().float().numpy())
    new = values + 0.1
    new[0, 0, :2] = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8])  # halfway: to the even neighbour, down and up
    write_layer(tmp_path / "n.safetensors", layer, new.numpy())
    expected = new.bfloat16()
    assert torch.equal(library.load_file(tmp_path / "n.safetensors")["w"], expected)
    torch.save({"w": values.bfloat16()}, tmp_path / "m.pt")
    np.testing.assert_array_equal(read_layer(tmp_path / "m.pt").weights, layer.weights)


def test_a_state_dict_is_read_and_written_back(tmp_path):
    torch = pytest.importorskip("torch", reason="writes the file")
    model = torch.nn.Sequential(torch.nn.ConvTranspose2d(3, 2, 4, 2, 1), torch.nn.ConvTranspose1d(2, 2, 6, 3))
    counts = torch.zeros(2, 2, 2, dtype=torch.int64)
    torch.save({"epoch": 3, "model": model.state_dict(), "counts": counts}, tmp_path / "m.pt")
    assert [layer.name for layer in list_layers(tmp_path / "m.pt")] == ["model.0.weight", "model.1.weight"]
    layer = read_layer(tmp_path / "m.pt", "model.1.weight")
    np.testing.assert_array_equal(layer.weights, model[1].weight.detach().numpy())
    write_layer(tmp_path / "n.pt", layer, 2 * layer.weights)
    after = torch.load(tmp_path / "n.pt", weights_only=True)
    assert after["epoch"] == 3
    assert torch.equal(after["model"]["1.weight"], 2 * model[1].weight)
    assert torch.equal(after["model"]["0.weight"], model[0].weight)


class _Evil:
    def __reduce__(self):
        return (open, ("ran", "w"))


@pytest.mark.parametrize("content", ["module", "evil", "noise", "empty"])
def test_a_pt_file_that_is_no_state_dict_runs_nothing(tmp_path, monkeypatch, content):
    torch = pytest.importorskip("torch", reason="writes the file")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.pt"
    if content in ("module", "evil"):
        torch.save(torch.nn.ConvTranspose2d(1, 1, 2) if content == "module" else {"w": _Evil()}, path)
    else:
        path.write_bytes(b"noise" if content == "noise" else b"")
    with pytest.raises(KernelFileError, match="only state dicts are read"):
        list_layers(path)
    assert not (tmp_path / "ran").exists()


def test_npy_holds_one_array_of_any_shape(tmp_path, rng):
    taps = rng.random((4, 5))
    np.save(tmp_path / "k.npy", taps)
    layer = read_layer(tmp_path / "k.npy")
    np.testing.assert_array_equal(layer.weights, taps)
    assert layer.stride is None
    write_layer(tmp_path / "n.npy", layer, taps + 1)
    np.testing.assert_array_equal(np.load(tmp_path / "n.npy"), taps + 1)
    assert inspect_kernel(layer.weights, 2).kernel.shape == (4, 5)


def _bad(folder, weights):
    np.save(folder / "objects.npy", np.array([None]), allow_pickle=True)
    (folder / "cut.npy").write_bytes(b"\x93NUMPY")
    (folder / "noise.onnx").write_bytes(b"\xff\xff\xff")
    (folder / "empty.onnx").write_bytes(b"")
    whole = _safetensors(folder / "two.safetensors", {"a": weights, "b": weights}).read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[:-7])
    (folder / "noise.safetensors").write_bytes(b"\xff" * 40)
    (folder / "list.safetensors").write_bytes((2).to_bytes(8, "little") + b"[]")
    _safetensors(folder / "flat.safetensors", {"a": weights[0, 0]})
    (folder / "kernel.txt").write_text("1 2 1", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "layer", "match"),
    [
        ("objects.npy", None, "objects.npy is not a .npy file of numbers"),
        ("cut.npy", None, "cut.npy is not a .npy file"),
        ("cut.safetensors", None, "cut off: the tensor b does not fit the file"),
        ("noise.safetensors", None, "a header of .* does not fit"),
        ("list.safetensors", None, "not a .safetensors file"),
        ("flat.safetensors", None, "no tensor of 3, 4 or 5 axes"),
        ("two.safetensors", None, r"has 2 layers: choose one, a \(3 x 2 x 4 x 5\), b"),
        ("two.safetensors", "c", "has no layer 'c': choose one of a "),
        ("kernel.txt", None, "must be one of .npy, .onnx"),
    ],
)
def test_a_file_without_such_a_layer_is_told_so(tmp_path, weights, name, layer, match):
    _bad(tmp_path, weights)
    with pytest.raises(KernelFileError, match=match):
        read_layer(tmp_path / name, layer)


def test_an_onnx_file_without_such_a_layer_is_told_so(tmp_path, weights):
    onnx = pytest.importorskip("onnx", reason="reads the models")
    _bad(tmp_path, weights)
    info = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    values = [info(name, onnx.TensorProto.FLOAT, None) for name in "xy"]
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:1], values[1:])), tmp_path / "relu.onnx"
    )
    for name, match in (("relu", "no ConvTranspose node"), ("noise", "not an ONNX model"), ("empty", "without nodes")):
        with pytest.raises(KernelFileError, match=match):
            list_layers(tmp_path / f"{name}.onnx")


def test_a_missing_package_is_named_with_the_line_that_installs_it(tmp_path, monkeypatch):
    import sys

    for suffix, package in ((".onnx", "onnx"), (".pt", "torch")):
        monkeypatch.setitem(sys.modules, package, None)
        (tmp_path / f"m{suffix}").write_bytes(b"x")
        with pytest.raises(KernelFileError, match=rf'pip install "restoretk\[{package}\]"'):
            list_layers(tmp_path / f"m{suffix}")


def test_an_output_of_another_kind_or_over_the_source_is_refused(tmp_path, weights):
    path = _safetensors(tmp_path / "m.safetensors", {"a": weights})
    layer = read_layer(path)
    with pytest.raises(KernelFileError, match=r"must be one of \.npy, \.safetensors"):
        write_layer(tmp_path / "n.onnx", layer, weights)
    with pytest.raises(ValueError, match="same file as the input"):
        write_layer(path, layer, weights, overwrite=True)
    (tmp_path / "n.npy").write_bytes(b"old")
    with pytest.raises(FileExistsError, match="exists"):
        write_layer(tmp_path / "n.npy", layer, weights)
