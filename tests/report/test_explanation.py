from __future__ import annotations

import re

import numpy as np
import pytest

from restoretk.comparison import compare
from restoretk.report import render_explanation, render_report, write_explanation
from restoretk.report._number_pictures import grid_svg, pattern_svg
from restoretk.upsampling import describe_conv_transpose, explain_transposed_convolution


def numbers(svg: str) -> list[str]:
    """The texts of a picture in the order of the cells."""
    return re.findall(r'font-size="13">([^<]*)</text>', svg)


def drawing(page: str, name: str) -> str:
    """The picture under a heading."""
    return page.split(f"<h3>{name}</h3>")[1].split("</figure>")[0]


def test_the_page_of_the_example_draws_its_numbers():
    page = render_explanation(explain_transposed_convolution())
    assert numbers(drawing(page, "E = DᵀC, the convolution")) == ["12", "12", "10", "17"]
    transposed = "0 12 36 24 24 58 61 34 20 66 70 24 0 10 37 34"
    assert numbers(drawing(page, "E Cᵀ, the transposed convolution")) == transposed.split()
    assert numbers(drawing(page, "E CᵀC: the transpose, convolved again")) == ["454", "440", "436", "506"]
    assert numbers(drawing(page, "x C: the inverse, convolved again")) == ["12", "12", "10", "17"]
    assert numbers(drawing(page, "Copies that reach each output"))[4:8] == ["2", "4", "4", "2"]
    matrix = page.split("with a gap after each row of the patch.")[1].split("</div>")[0]
    assert numbers(matrix)[:16] == ["0", "1", "2", "0", "2", "2", "0", "0", "0", "1", "2", "0", "0", "0", "0", "0"]
    assert "12 of the 16 dimensions of D are lost" in page
    assert "torch.nn.functional.conv_transpose2d(x, w)" in page


def test_the_copies_add_up_to_the_transposed_convolution():
    page = render_explanation(explain_transposed_convolution())
    row = page.split("Where copies overlap, they add.")[1].split("With a stride of 2")[0]
    grids = [np.array(numbers(figure), int) for figure in row.split("</figure>")[:-1]]
    assert len(grids) == 5
    np.testing.assert_array_equal(sum(grids[:4]), grids[4])


def test_the_page_asks_for_nothing_from_the_network():
    page = render_explanation(explain_transposed_convolution())
    assert not re.search(r"https?://|<script|<link|@import|src=", page)


def test_the_page_of_a_layer_draws_its_matrix_and_warns():
    page = render_explanation(
        describe_conv_transpose((3, 4), kernel_shape=(3, 3), stride=2, padding=1, output_padding=1)
    )
    assert "A transposed convolution: 3 × 4 → 6 × 8" in page
    assert "this result has the picture 1 pixel earlier on every axis." in page.replace("&#39;", "'")
    assert numbers(drawing(page, "phase 1, 1")) == ["9", "7", "3", "1"]
    matrix = page.split("read row after row")[1].split("</div>")[0]
    assert len(numbers(matrix)) == 12 * 48


@pytest.mark.parametrize(
    "call",
    [
        describe_conv_transpose((64, 48), kernel_shape=(4, 4), stride=2, padding=1),
        describe_conv_transpose((512, 512), kernel_shape=(4, 4), stride=2),
        describe_conv_transpose(image=[1, 10, 100], kernel=[1.5, -2, 3], stride=2),
        describe_conv_transpose((2, 3, 4), kernel_shape=(2, 3, 2), stride=(2, 1, 3)),
        describe_conv_transpose((1,), kernel_shape=(1,)),
        describe_conv_transpose((900_000,) * 3, kernel_shape=(2, 2, 2)),
    ],
)
def test_every_size_has_a_page_of_modest_size(call):
    page = render_explanation(call)
    assert len(page) < 1_000_000
    assert "Copies that reach each output" in page


def test_a_patch_too_large_for_its_numbers_has_a_page():
    patch = np.arange(12 * 30).reshape(12, 30) % 7
    page = render_explanation(explain_transposed_convolution(patch, np.ones((3, 4), int)))
    assert numbers(drawing(page, "Patch D")) == []
    assert drawing(page, "Patch D").count("<rect") == 12 * 30 + 1
    assert len(page) < 1_000_000


def test_the_report_has_the_explanation_as_a_section(camera):
    psf = np.full((3, 3), 1 / 9)
    page = render_report(compare(camera[:96, :80], psf, seed=0))
    assert page.count('id="explain"') == 1
    assert numbers(drawing(page, "E CᵀC: the transpose, convolved again")) == ["454", "440", "436", "506"]


def test_a_pattern_marks_every_number_once():
    svg = pattern_svg(np.array([0, 0, 1, 2]), np.array([0, 1, 3, 2]), (3, 4), "some")
    assert re.findall(r"M(\d+) (\d+)h(\d+)", svg) == [("0", "0", "16"), ("24", "8", "8"), ("16", "16", "8")]


def test_labels_are_escaped():
    assert "a &lt; b" in grid_svg(np.ones((1, 1)), "a < b")


def test_the_page_is_written_whole(tmp_path):
    record = explain_transposed_convolution()
    write_explanation(record, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == render_explanation(record)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
