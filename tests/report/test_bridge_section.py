"""The bridge in the report: its table, its sentence about the winner, its pictures and charts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import imageio.v3 as iio
import numpy as np
import pytest

from restoretk.comparison import Comparison, compare
from restoretk.report import render_report
from restoretk.report._bridge import bridge_section
from restoretk.report._charts import linear_chart

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    photo = iio.imread(DATA / "coffee.png")[100:240, 240:401] / 255
    return compare(photo, np.full((3, 3), 1 / 9), noise="gaussian:sigma=0.01", channel_axis=-1)


def section(comparison: Comparison) -> str:
    return render_report(comparison).split('id="decimated-meanings"')[1].split("</section>")[0]


def test_the_table_has_every_number_with_the_winners_marked(comparison: Comparison) -> None:
    table = section(comparison).split("<table>")[1].split("</table>")[0]
    rows = [row.split("</tr>")[0] for row in table.split("<tr>")[1:]]
    assert re.findall(r'<th class="n[^"]*">([^<]*)</th>', rows[0]) == [
        *("s²Hᵀg", "2 steps", "5 steps", "20 steps", "H⁺g", "Wiener", "fitted")
    ]
    assert re.findall(r'<th class="n step">([^<]*)</th>', rows[0]) == ["2 steps", "5 steps", "20 steps"]
    assert comparison.bridge is not None
    for row, reading in zip(rows[1:], comparison.bridge.readings, strict=True):
        cells = re.findall(r'<td class="n([^"]*)">([^<]*)</td>', row)
        assert [text for _, text in cells] == [f"{panel.metrics['psnr']:.2f}" for panel in reading.panels]
        winners = [panel.name for panel, (kind, _) in zip(reading.panels, cells, strict=True) if "winner" in kind]
        best = [panel.name for panel, (kind, _) in zip(reading.panels, cells, strict=True) if "best" in kind]
        assert winners == [reading.winner.name]
        assert best == [reading.best.name]
    assert re.search(r"<td>H⁺g, by \d\.\d\d dB</td>", rows[1])
    assert re.search(r"<td>s²Hᵀg, by \d\.\d\d dB</td>", rows[-1])


def test_the_sentence_about_the_winner_follows_the_numbers(comparison: Comparison) -> None:
    text = section(comparison)
    assert re.search(
        r"Without noise H⁺g is nearer .* With \d grey levels of noise or more s²Hᵀg is nearer, with 10 by", text
    )
    assert "the noise flips the winner" in text
    assert comparison.bridge is not None
    quiet = replace(comparison.bridge, readings=comparison.bridge.readings[:2])
    said = bridge_section(quiet, comparison.observed.image)
    assert said is not None
    assert "flips" not in said["verdict"]
    assert "stays so at every level" in said["verdict"]


def test_what_a_student_must_read_is_there(comparison: Comparison) -> None:
    text = section(comparison)
    assert "Neither meaning restores the null space of H" in text
    assert "s² = 4" in text
    assert "the picture in grey, without the edges" in text
    assert comparison.bridge is not None
    high, wide = comparison.bridge.original.shape
    assert f"f of {wide} × {high} pixels" in text
    for panel in comparison.bridge.readings[0].panels:
        if panel.name in ("s^2 H^T g", "fitted kernel"):
            assert f"‖Hx − g‖ rms {255 * panel.metrics['residual']:.2f} grey levels" in text
    assert text.count("‖Hx − g‖ rms 0 grey levels") == 3  # H^+ g with and without noise, Wiener without
    assert text.count('class="box" style="inset:25%"') == 5
    assert text.count('class="error"') == 8
    assert text.count("<svg") == 2


def test_a_picture_too_small_for_a_bridge_has_a_report_without_it(comparison: Comparison) -> None:
    page = render_report(replace(comparison, bridge=None))
    assert "decimated-meanings" not in page
    assert "Log spectra" in page


def test_curves_lie_where_their_values_say_and_foreign_text_is_escaped() -> None:
    across = np.array([0.0, 1.0, 2.0, 4.0])
    evil = '<script>&"'
    svg = linear_chart(
        across,
        {evil: across, "beyond": across + 3, "false": 4 - across},
        across_label=evil,
        up_label="up",
        across_ticks=(0, 2, 4),
        up_ticks=(0, 4),
        dashed={"false": evil},
        mark=(2, evil),
    )
    assert "<script" not in svg
    root = ET.fromstring(f"<div>{svg}</div>")  # noqa: S314  # our own text
    assert "".join(root.itertext()).count(evil) == 3  # axis, legend and mark
    lines = re.findall(r'<polyline points="([^"]*)" fill="none" stroke="([^"]*)" stroke-width="2.2"([^/]*)/>', svg)
    first, beyond, false = (
        np.array([[float(value) for value in point.split(",")] for point in points.split()]) for points, _, _ in lines
    )
    np.testing.assert_allclose(np.diff(first[:, 0]) / np.diff(across), 141, atol=0.2)
    np.testing.assert_allclose(-np.diff(first[:, 1]) / np.diff(across), 70, atol=0.2)
    assert len(beyond) == 2, "what lies beyond the last tick is cut"
    np.testing.assert_allclose(false[::3, 1], first[::-3, 1])
    assert [colour for _, colour, _ in lines] == [lines[0][1], lines[1][1], lines[0][1]]
    assert ["dash" in rest for _, _, rest in lines] == [False, False, True]
