from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from restoretk.cli.explain import explain


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(explain, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_it_prints_the_worked_example():
    code, out, err = run()
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[lines.index("Convolution, many to few:  DᵀC =") + 1] == "  12 12 10 17"
    start = lines.index("Transposed convolution, few to many:  E Cᵀ for E = [12 12 10 17] =") + 1
    assert lines[start : start + 4] == ["   0 12 36 24", "  24 58 61 34", "  20 66 70 24", "   0 10 37 34"]
    assert "  454 440 436 506" in lines
    assert lines[lines.index("It gives back  x C =") + 1] == "  12 12 10 17"


def test_it_takes_a_patch_a_mask_a_stride_and_a_padding():
    code, out, _ = run(
        "--patch", "1, 2, 3; 4 5 6.5", "--mask", "1 0;0 2", "--stride", "1,2", "--padding", "1", "--json"
    )
    record = json.loads(out)
    assert code == 0
    assert record["patch"] == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]]
    assert (record["stride"], record["padding"]) == ([1, 2], [1, 1])
    assert record["convolved"] == [[2.0, 6.0], [8.0, 15.0], [0.0, 5.0]]


def test_help_begins_with_examples():
    code, out, _ = run("--help")
    assert code == 0
    assert out.index("Examples:") < out.index("restoretk explain --stride 2") < out.index("Options:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--patch", "1 2; 3"], "rows must have the same number of numbers, got 2, 1"),
        (["--patch", ""], "must hold numbers, got none"),
        (["--mask", "a b"], "could not convert string to float: 'a'"),
        (["--stride", "x"], "must be a whole number or two with a comma, got 'x'"),
        (["--stride", "0"], "stride must be at least 1, got 0"),
        (["--padding", "1,2,3"], "padding must be one integer, or one for each of the 2"),
        (["--padding=-1"], "padding must be at least 0, got -1"),
        (["--mask", "1 2 3 4 5"], "larger than the image"),
        (["--patch", "1" * 30], "patch must hold integers or floats of at most 64 bits"),
        (["--patch", "nan"], "patch must be finite"),
    ],
)
def test_bad_input_gets_one_clear_line_and_no_traceback(arguments, message):
    code, out, err = run(*arguments)
    assert code != 0
    assert out == ""
    assert err.splitlines()[-1].startswith("Error: ")
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err


def test_importing_the_command_does_not_import_numpy():
    code = "import sys, restoretk.cli.explain; print('numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )
