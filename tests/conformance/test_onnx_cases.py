from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the official cases ship in the onnx wheel")

OPERATORS = ("Conv", "ConvTranspose", "AveragePool", "MaxPool", "MaxUnpool")
COUNTS = {"Conv": 33, "ConvTranspose": 14, "AveragePool": 27, "MaxPool": 28, "MaxUnpool": 2}


def official_cases() -> list[tuple[str, Any]]:
    """Every backend case with one of the five operators, and the name of that operator."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        # The generators of other operators' cases divide by 0 and overflow on purpose, in numpy, when imported.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"onnx\.backend\.test\.case\.node\..*")
        from onnx.backend.test.case.node import collect_testcases

        cases = list(collect_testcases(None))
    cases += [*load_model_tests(kind="pytorch-converted"), *load_model_tests(kind="pytorch-operator")]
    found = []
    for case in cases:
        model = case.model if case.model is not None else onnx.load(Path(case.model_dir) / "model.onnx")
        ours = {node.op_type for node in model.graph.node} & set(OPERATORS)
        beside = {node.op_type for node in model.graph.node} - ours
        # Two cases of 1-D average pooling wrap the 2-D operator in Unsqueeze and Squeeze; networks are no cases of it.
        if len(ours) == 1 and beside <= {"Unsqueeze", "Squeeze"}:
            found.append((ours.pop(), case))
    return found


CASES = official_cases()


def data_sets(case: Any) -> list[tuple[list[Any], list[Any]]]:
    if case.data_sets is not None:
        return case.data_sets
    return [
        tuple(
            [
                onnx.numpy_helper.to_array(onnx.load_tensor(folder / f"{kind}_{number}.pb"))
                for number in range(len(list(folder.glob(f"{kind}_*.pb"))))
            ]
            for kind in ("input", "output")
        )
        for folder in sorted(Path(case.model_dir).glob("test_data_set_*"))
    ]


def evaluate(run: Any, model: Any, inputs: list[Any]) -> list[Any]:
    """The outputs of a model of one operator, perhaps between Unsqueeze and Squeeze."""
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    given = [value.name for value in model.graph.input if value.name not in values]  # old models list weights here too
    values |= dict(zip(given, inputs, strict=True))
    for node in model.graph.node:
        attrs = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        attrs = {name: v.decode() if isinstance(v, bytes) else v for name, v in attrs.items()}
        taken = [values[name] if name else None for name in node.input]
        if node.op_type == "Unsqueeze":
            outputs = np.expand_dims(taken[0], tuple(attrs["axes"]))
        elif node.op_type == "Squeeze":
            outputs = np.squeeze(taken[0], tuple(attrs["axes"]))
        else:
            outputs = run(node.op_type, taken, attrs, len(node.output))
        values |= dict(zip(node.output, outputs if isinstance(outputs, tuple) else (outputs,), strict=True))
    return [values[value.name] for value in model.graph.output]


def test_every_official_case_was_found():
    found = Counter(op for op, _ in CASES)
    assert len({case.name for _, case in CASES}) == found.total() >= sum(COUNTS.values()) == 104
    assert found >= Counter(COUNTS)
    # A later onnx may bring more of them, which then run too.
    assert found == COUNTS or not onnx.__version__.startswith("1.23.")


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{op}-{case.name}") for op, case in CASES])
def test_official_case(run, case):
    model = case.model if case.model is not None else onnx.load(Path(case.model_dir) / "model.onnx")
    sets = data_sets(case)
    assert sets
    for inputs, expected in sets:
        results = evaluate(run, model, inputs)
        assert len(results) == len(expected)
        for result, wanted in zip(results, expected, strict=True):
            assert result.shape == wanted.shape
            assert result.dtype == wanted.dtype
            np.testing.assert_allclose(result, wanted, rtol=case.rtol, atol=case.atol)


@pytest.mark.parametrize(
    ("op", "count", "attrs", "n_outputs", "match"),
    [
        ("Resize", 1, {}, 1, "op must be one of Conv, ConvTranspose"),
        ("MaxPool", 1, {"kernel_shape": [2], "group": 1}, 1, "MaxPool has no attribute group"),
        ("MaxPool", 1, {"kernel_shape": [2]}, 3, "MaxPool has 1 to 2 outputs, got 3"),
        ("MaxPool", 1, {}, 1, "kernel_shape is required"),
        ("AveragePool", 2, {"kernel_shape": [2]}, 1, "AveragePool takes 1 to 1 inputs"),
        ("Conv", 2, {"auto_pad": "SAME"}, 1, "auto_pad must be NOTSET"),
        ("Conv", 2, {"kernel_shape": [2]}, 1, "kernel_shape .2. does not fit the weights"),
        ("Conv", 2, {"pads": [1]}, 1, "pads must hold 2 numbers"),
        ("Conv", 2, {"strides": [1, 1]}, 1, "strides must hold 1 numbers"),
    ],
)
def test_a_node_that_onnx_does_not_have_is_refused(run, op, count, attrs, n_outputs, match):
    with pytest.raises(ValueError, match=match):
        run(op, [np.ones((1, 1, 5), np.float32)] * count, attrs, n_outputs)
