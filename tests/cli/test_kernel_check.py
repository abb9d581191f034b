"""`restoretk kernel check`: exit codes, what is said, what is written."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from restoretk.cli import main
from restoretk.upsampling import KERNELS
from restoretk.upsampling.checkerboard import inspect_kernel
from restoretk.upsampling.kernel_repair import repair_kernel


def run(*arguments):
    result = CliRunner().invoke(main, ["kernel", "check", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def layers(tmp_path, rng):
    """Two layers without their strides, of which the second does not ripple."""
    bad = rng.standard_normal((3, 2, 4, 4)).astype(np.float32)
    good = np.tile(np.float32([[1, 3, 3, 1]]).T * [1, 3, 3, 1], (2, 1, 1, 1)).astype(np.float32)
    data, header = b"", {}
    for name, tensor in (("bad", bad), ("good", good)):
        offsets = [len(data), len(data) + tensor.nbytes]
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": offsets}
        data += tensor.tobytes()
    text = json.dumps(header).encode()
    (tmp_path / "m.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    return tmp_path / "m.safetensors"


def _model(path, weights, names):
    onnx = pytest.importorskip("onnx", reason="writes the model")
    make = onnx.helper
    nodes = [
        make.make_node("ConvTranspose", ["x", f"w{name}"], [f"y{name}"], name=name, strides=[2, 2], pads=[1, 1, 1, 1])
        for name in names
    ]
    values = [make.make_tensor_value_info(one, onnx.TensorProto.FLOAT, None) for one in ("x", f"y{names[0]}")]
    stored = [onnx.numpy_helper.from_array(w, f"w{name}") for w, name in zip(weights, names, strict=True)]
    onnx.save(make.make_model(make.make_graph(nodes, "g", values[:1], values[1:], stored)), path)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["bicubic:a=-0.75"], 0),
        (["lanczos3", "--stride", 3], 0),
        (["0.5 1 0.5", "--stride", 2], 0),
        (["1 2 3 4", "--stride", 2], 3),
        (["1 2 3 4", "--stride", 2, "--tolerance", 100], 0),
        (["1 2; 3 4", "--stride", 2], 3),
        (["-1 -2 -2 -1", "--stride", 2], 2),  # click takes a leading dash for an option
        (["--stride", 2, "--", "-1 -2 -2 -1"], 0),
    ],
)
def test_the_exit_code_says_whether_the_kernel_ripples(arguments, code):
    assert run(*arguments).exit_code == code


def test_the_text_ends_with_the_sentence_and_the_json_holds_the_record():
    result = run("1 2 3 4", "--stride", 2)
    assert result.stdout.splitlines()[-1].startswith("ripples: along rows and columns it turns")
    record = json.loads(run("1 2 3 4", "--stride", 2, "--json").stdout)
    assert record["clean"] is False
    checked = record["checked"][0]
    assert checked["ripple_percent"] == pytest.approx(40)
    assert checked["phase_sums"] == [4, 6]
    assert checked["verdict"] == result.stdout.splitlines()[-1]


def test_infinite_ripple_is_null_in_json():
    record = json.loads(run("1 -1", "--stride", 2, "--json").stdout)
    assert record["checked"][0]["ripple_percent"] is None


def test_a_named_kernel_is_checked_at_its_stride():
    record = json.loads(run("bilinear", "--stride", 3, "--json").stdout)["checked"][0]
    assert (record["stride"], record["order"], len(record["kernel"])) == ([3], 2, 5)


@pytest.mark.parametrize("name", KERNELS)
def test_no_named_kernel_ripples(name):
    result = run(name, "--stride", 3)
    if isinstance(KERNELS[name](3), np.ndarray):
        assert (result.exit_code, "clean: a constant stays constant" in result.stdout) == (0, True)
    else:
        assert (result.exit_code, "is a bank of kernels" in result.stderr) == (2, True)


def test_padding_moves_the_picture():
    for padding, shift in ((0, 0.5), (1, -0.5)):
        record = json.loads(run("1 2 1", "--stride", 2, "--padding", padding, "--json").stdout)
        assert record["checked"][0]["shift"] == [pytest.approx(shift)]


def test_a_repaired_kernel_passes_the_check(tmp_path):
    result = run("1 2 3 4", "--stride", 2, "--repair", tmp_path / "k.npy")
    assert result.exit_code == 0
    assert "taps moved by up to" in result.stderr
    assert "ripple 40 % before" in result.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "k.npy"), repair_kernel([1.0, 2, 3, 4], 2))
    assert run(tmp_path / "k.npy", "--stride", 2).exit_code == 0


def test_a_layer_of_many_is_chosen_listed_and_repaired(layers, tmp_path):
    assert run(layers, "--list").stdout == "bad (3 x 2 x 4 x 4)\ngood (2 x 1 x 4 x 4)\n"
    assert run(layers, "--layer", "good", "--stride", 2).exit_code == 0
    result = run(layers, "--layer", "bad", "--stride", 2)
    assert result.exit_code == 3
    assert "in 2 of 2 output channels" in result.stdout
    output = tmp_path / "n.safetensors"
    refused = run(layers, "--layer", "bad", "--stride", 2, "--repair", output)
    assert refused.exit_code == 1
    assert "cannot be repaired by scaling" in refused.stderr
    assert not output.exists()
    done = run(layers, "--layer", "bad", "--stride", 2, "--repair", output, "--rule", "project")
    assert done.exit_code == 0
    assert "6 of 6 kernels changed" in done.stderr
    assert run(output, "--layer", "bad", "--stride", 2).exit_code == 0


def test_every_layer_of_an_onnx_model_is_checked(tmp_path, rng):
    bad = rng.random((1, 1, 4, 4)).astype(np.float32)
    good = np.ones((2, 1, 4, 4), np.float32)
    _model(tmp_path / "m.onnx", [good, bad], ["first", "second"])
    result = run(tmp_path / "m.onnx", "--json")
    assert result.exit_code == 3
    first, second = json.loads(result.stdout)["checked"]
    assert (first["name"], first["clean"], second["name"], second["clean"]) == ("first", True, "second", False)
    assert second["ripple_percent"] == [pytest.approx(inspect_kernel(bad[0, 0], 2).ripple_percent)]
    assert run(tmp_path / "m.onnx", "--layer", "first").exit_code == 0
    usage = run(tmp_path / "m.onnx", "--repair", tmp_path / "n.onnx")
    assert (usage.exit_code, "--repair needs --layer" in usage.stderr) == (2, True)
    assert run(tmp_path / "m.onnx", "--layer", "second", "--repair", tmp_path / "n.onnx").exit_code == 0
    assert run(tmp_path / "n.onnx").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (["1 2 x", "--stride", 2], "could not convert", 2),
        (["1 2; 3", "--stride", 2], "same number of taps, got 2, 1", 2),
        (["1 2 1"], "--stride is needed", 2),
        (["1", "--stride", 2], "at least as many taps as the stride", 1),
        (["1 nan", "--stride", 2], "finite, got 1 NaN", 1),
        (["bicubik"], "did you mean 'bicubic'", 2),
        (["bicubic", "--stride", "2,3"], "one stride for all axes", 2),
        (["bicubic:a=wide"], "a of kernel bicubic must be a number", 2),
        (["bicubic", "--stride", "0"], "must be at least 1", 2),
        (["bicubic", "--stride", "two"], "must be a whole number", 2),
        (["bicubic", "--layer", "a"], "--layer is for files", 2),
        (["absent.npy", "--stride", 2], "absent.npy: No such file", 1),
        (["1 2", "--stride", 2, "--repair", "k.onnx"], "must be one of .npy", 1),
        (["1 0", "--stride", 2, "--repair", "k.npy"], "cannot be repaired by scaling", 1),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, arguments, says, code):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == code
    assert says in result.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_layer_of_nan_is_named(tmp_path):
    _model(tmp_path / "m.onnx", [np.full((1, 1, 4, 4), np.nan, np.float32)], ["up"])
    result = run(tmp_path / "m.onnx")
    assert (result.exit_code, result.stderr) == (
        1,
        "restoretk: error: up: weights must be finite, got 16 NaN or infinite values, the first at (0, 0, 0, 0)\n",
    )
