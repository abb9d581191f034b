from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from restoretk.cli import main


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["explain", *arguments])
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


def test_a_layer_is_described_by_its_sizes():
    code, out, _ = run("--input", "3x4", "--kernel", "3", "--stride", "2", "--padding", "1", "--output-padding", "1")
    assert code == 0
    assert out.startswith("Transposed convolution, 3 x 4 -> 6 x 8: kernel 3 x 3, stride 2, padding 1, output_padding 1")
    assert "- Keras 'same', ONNX SAME_UPPER and JAX 'SAME' also return the size 6 x 8, but not these pixels" in out


def test_a_layer_is_run_on_numbers():
    code, out, _ = run("--input", "1 10 100", "--mask", "1 2 3", "--stride", "2", "--json")
    assert code == 0
    assert json.loads(out)["result"] == [1, 2, 13, 20, 130, 200, 300]
    code, out, _ = run("--input", "1 2; 3 4", "--mask", "1 0 0; 0 0 2", "--dilation", "2,1", "--json")
    assert json.loads(out)["result"] == [[1, 2, 0, 0], [3, 4, 0, 0], [0, 0, 2, 4], [0, 0, 6, 8]]


def test_sizes_are_solved():
    code, out, _ = run("--solve", "64:128", "--kernels", "3:4")
    assert code == 0
    assert out.index("Recommended") < out.index("  4       2       0 ") < out.index("  3       2       -0.5")
    code, out, _ = run("--solve", "64x48:128x96", "--kernels", "4", "--json")
    record = json.loads(out)
    assert (record["shape"], record["wanted"], record["kernel_sizes"]) == ([64, 48], [128, 96], [4])
    assert record["settings"][0]["framework"] == "PyTorch"


def test_sizes_that_cannot_be_reached_are_an_error_with_the_nearest_ones():
    code, out, err = run("--solve", "100:150")
    assert (code, out) == (1, "")
    assert "takes 100 to 150: the nearest sizes it reaches are 110 and 189" in err
    code, out, _ = run("--solve", "100:150", "--json")
    assert code == 0
    assert json.loads(out)["unreachable"].endswith("110 and 189")


def test_a_page_is_written_and_not_replaced_unasked(tmp_path):
    page = tmp_path / "page.html"
    assert run("-o", str(page)) == (0, "", "")
    assert "<svg" in page.read_text(encoding="utf-8")
    before = page.read_bytes()
    code, out, err = run("-o", str(page))
    assert (code, out) == (1, "")
    assert "page.html exists: --force replaces it" in err
    assert page.read_bytes() == before
    assert run("-o", str(page), "--force", "--input", "3", "--kernel", "2")[0] == 0
    assert "A transposed convolution: 3 → 4" in page.read_text(encoding="utf-8")


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
        (["--kernel", "3x3"], "--kernel describes a layer on its own: give its input too"),
        (["--output-padding", "1"], "--output-padding describes a layer on its own"),
        (["--input", "3x3"], "--input needs a kernel"),
        (["--input", "3x3", "--kernel", "3", "--mask", "1"], "--input needs a kernel"),
        (["--input", "3x3", "--kernel", "3", "--patch", "1"], "--patch is the output side"),
        (["--input", "3x3", "--kernel", "a"], "must be a size, such as 64 or 64x48 (rows x columns), got 'a'"),
        (["--input", "3x3", "--kernel", "3x3x3"], "kernel_shape must be one integer, or one for each of the 2"),
        (
            ["--input", "3x3", "--kernel", "3", "--output-padding", "1"],
            "output_padding must be smaller than the stride",
        ),
        (["--input", "1", "--kernel", "3", "--padding", "2"], "padding cuts off everything"),
        (["--input", "0", "--kernel", "3"], "shape must be at least 1"),
        (["--all"], "--all belongs to --solve"),
        (["--solve", "64"], "must be two sizes with a colon, such as 64:128 or 64x48:128x96, got '64'"),
        (["--solve", "64:1x2"], "wanted must be one integer, or one for each of the 1"),
        (["--solve", "64:128", "--kernels", "a"], "must be one size, or the smallest and the largest with a colon"),
        (["--solve", "64:128", "--kernels", "5:3"], "kernel_sizes must hold at least one size"),
        (
            ["--solve", "64:128", "--kernels", "1:999999999"],
            "kernel_sizes must hold at least one size, each from 1 to 64",
        ),
        (["--solve", "64:128", "--dilation", "1,2"], "must be one number with --solve"),
        (["--solve", "64:128", "--mask", "1"], "leave out --mask"),
    ],
)
def test_bad_input_gets_one_clear_line_and_no_traceback(arguments, message):
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert err.splitlines()[-1].startswith("restoretk: error: ")
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err


def test_importing_the_command_does_not_import_numpy():
    code = "import sys, restoretk.cli.explain; print('numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )


@pytest.mark.parametrize("option", ["--stride", "--padding"])
def test_solve_refuses_what_it_looks_for_itself(option: str) -> None:
    result = CliRunner().invoke(main, ["explain", "--solve", "64:128", option, "4"])
    assert result.exit_code == 2
    assert f"leave out {option}" in result.stderr
