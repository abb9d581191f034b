"""The report: one file that needs nothing else, says everything that was computed, and looks right in a browser."""

from __future__ import annotations

import base64
import html
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from restoretk._arrays import Array
from restoretk.comparison import Comparison, Panel, compare
from restoretk.report import render_report, write_report
from restoretk.report._charts import log_log_chart
from restoretk.report._page import number, pretty
from restoretk.report._pictures import detail_window, picture_uri, share_outside
from restoretk.restoration import METHODS
from restoretk.upsampling import KERNELS

DATA = Path(__file__).resolve().parents[2] / "data"
EVIL = "<script>alert('x')</script> & \"quoted\""
LOADING = {"src", "href", "srcset", "poster", "data", "action", "formaction", "background", "xlink:href", "manifest"}


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def psf() -> Array:
    kernel = np.array([[0.0, 2, 1, 0, 1], [1, 6, 8, 3, 0], [0, 3, 4, 1, 0], [0, 0, 0, 2, 1]])
    return kernel / kernel.sum()


@pytest.fixture(scope="module")
def simulated(psf: Array) -> Comparison:
    photo = iio.imread(DATA / "coffee.png")[100:197, 240:361] / 255
    return compare(photo, psf, noise="gaussian:sigma=0.01", channel_axis=-1, title="coffee.png", psf_name="lopsided")


@pytest.fixture(scope="module")
def observed(psf: Array) -> Comparison:
    photo = iio.imread(DATA / "clock_motion.png")[80:177, 120:241] / 255
    return compare(photo, psf, observed=True, title="clock_motion.png", psf_name="lopsided")


@pytest.fixture(params=["simulated", "observed"])
def comparison(request: pytest.FixtureRequest) -> Comparison:
    return request.getfixturevalue(request.param)


def test_the_page_refers_to_nothing_outside_itself(comparison: Comparison) -> None:
    text = render_report(comparison)
    page = Page(text)
    for tag, attributes in page.tags:
        for name in LOADING & attributes.keys():
            assert str(attributes[name]).startswith("data:"), f"<{tag} {name}=...>"
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "use", "form"}
    assert "@import" not in text
    assert all(target.startswith("data:image/png;base64,") for target in re.findall(r"url\([\"']?([^)]{5,40})", text))
    without_pictures = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]*", "", text)
    assert not re.search(r"https?:|//[a-z0-9-]+\.[a-z]", without_pictures)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_every_picture_has_a_text_and_is_a_whole_png(comparison: Comparison) -> None:
    pictures = Page(render_report(comparison)).all("img")
    assert len(pictures) > 20
    for picture in pictures:
        assert (picture["alt"] or "").strip()
        kind, _, data = (picture["src"] or "").partition("base64,")
        assert kind == "data:image/png;"
        with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as opened:
            opened.load()


def test_every_method_kernel_and_meaning_is_on_the_page(comparison: Comparison) -> None:
    page = Page(render_report(comparison))
    shown = [picture["alt"] for picture in page.all("img")]
    for name in (*METHODS, *KERNELS):
        assert any(name in str(alt) for alt in shown), name
    for panel in comparison.meanings:
        assert pretty(panel.name) in shown
    assert {"id": "two-meanings", "class": "point"} in page.all("section")
    assert "two meanings of “deconvolution”" in page.text
    assert "τHᵀg" in page.text
    assert ("original" in shown) == (comparison.original is not None)


def test_every_number_is_on_the_page(comparison: Comparison) -> None:
    text = Page(render_report(comparison)).text
    panels = [comparison.observed, *comparison.restorations, *comparison.meanings, *comparison.upsampled]
    for panel in panels:
        for key, value in panel.metrics.items():
            assert number(key, value) in text, (panel.name, key)
    for panel in comparison.restorations:
        for key, value in panel.parameters.items():
            said = value if isinstance(value, str) else f"{value:.4g}"
            assert f"{key} = {said}" in text, (panel.name, key)
    rows, columns = comparison.observed.image.shape[:2]
    assert f"{columns} × {rows}" in text
    assert ("ISNR" in "".join(re.findall(r"<dt>.*?</dt>", render_report(comparison)))) == (
        comparison.original is not None
    )


def test_a_warning_of_a_method_is_shown(observed: Comparison) -> None:
    warned = replace(observed.restorations[0], warnings=("the constraint cannot be met",))
    text = Page(render_report(replace(observed, restorations=(warned, *observed.restorations[1:])))).text
    assert "the constraint cannot be met" in text


def test_foreign_text_is_escaped_everywhere(observed: Comparison) -> None:
    named = replace(observed.restorations[0], name=EVIL, parameters={EVIL: EVIL}, warnings=(EVIL,))
    kernel = replace(observed.upsampled[0], name=EVIL)
    hostile = replace(
        observed,
        title=EVIL,
        psf_name=EVIL,
        noise_name=EVIL,
        restorations=(named,),
        upsampled=(kernel,),
        gains={EVIL: observed.blur_levels},
    )
    text = render_report(hostile)
    page = Page(text)
    assert not page.all("script")
    assert "<script" not in text
    assert text.count(html.escape("<script>alert(", quote=False)) >= 10
    assert EVIL in page.text
    assert [picture["alt"] for picture in page.all("img") if picture["alt"] == EVIL], "quotes end no attribute"


def test_texts_of_the_chart_are_escaped_and_it_is_well_formed() -> None:
    levels = np.geomspace(1e-3, 1, 50)
    svg = log_log_chart(levels, {EVIL: levels}, across_label=EVIL, up_label=EVIL, limits=(1e-3, 1e3))
    assert "<script" not in svg
    root = ET.fromstring(f"<div>{svg}</div>")  # noqa: S314  # our own text
    texts = "".join(root.itertext())
    assert texts.count(EVIL) == 3  # both axes and the legend
    assert root[0].get("aria-label") == f"{EVIL} against {EVIL}"


def test_curves_lie_where_their_values_say() -> None:
    levels = np.array([1e-3, 1e-2, 1e-1, 1.0])
    svg = log_log_chart(
        levels, {"one": levels, "beyond": 1e9 / levels}, across_label="a", up_label="b", limits=(1e-3, 1)
    )
    first, second = re.findall(r'<polyline points="([^"]*)"', svg)
    assert second == "", "a curve outside the limits is cut"
    across, up = np.array([[float(value) for value in point.split(",")] for point in first.split()]).T
    np.testing.assert_allclose(np.diff(across), np.diff(across)[0], atol=0.11)
    assert (np.diff(across) > 0).all()
    assert (np.diff(up) < 0).all(), "larger values stand higher"


def test_pictures_are_shown_clipped_and_rounded_to_nearest() -> None:
    image = np.array([[-1.0, 0.0, 0.4999], [0.5021, 1.0, 7.0]])
    pixels = _pixels(picture_uri(image))
    np.testing.assert_array_equal(pixels, [[0, 0, 127], [128, 255, 255]])
    assert share_outside(image) == pytest.approx(2 / 6)


def test_a_large_picture_is_averaged_down_for_the_page() -> None:
    image = np.zeros((950, 1801))
    image[:, 900:] = 1
    pixels = _pixels(picture_uri(image))
    assert pixels.shape == (316, 600)
    assert pixels[0, 0] == 0
    assert pixels[0, -1] == 255


def test_the_detail_is_where_the_picture_has_most_to_show(rng: np.random.Generator) -> None:
    image = np.full((400, 500), 0.5)
    image[250:330, 60:140] += 0.2 * rng.standard_normal((80, 80))
    rows, columns = detail_window(image)
    assert rows.start <= 250
    assert rows.stop >= 330
    assert columns.start <= 60
    assert columns.stop >= 140
    assert (rows.stop - rows.start, columns.stop - columns.start) == (128, 128)


def _pixels(uri: str) -> Array:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))))


def test_the_file_is_the_page_and_an_older_one_is_replaced_whole(tmp_path: Path, observed: Comparison) -> None:
    target = tmp_path / "report.html"
    target.write_text("x" * 10_000_000)
    write_report(observed, target)
    assert target.read_text("utf-8") == render_report(observed)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_write_that_fails_leaves_the_older_file_and_nothing_else(
    tmp_path: Path, observed: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.html"
    target.write_text("older")

    def full(*_arguments: Any, **_options: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_report(observed, target)
    assert target.read_text() == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_that_does_not_exist_is_not_made(tmp_path: Path, observed: Comparison) -> None:
    with pytest.raises(OSError, match="absent"):
        write_report(observed, tmp_path / "absent" / "report.html")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser test needs the Python package playwright")
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("the browser test needs chromium on the PATH")  # .ci/run installs it: skipped only by hand
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [400, 1280])
def test_a_browser_shows_all_of_it_offline_and_without_sideways_scrolling(
    chromium: Any, comparison: Comparison, tmp_path: Path, width: int
) -> None:
    # A long name without a space in it is the hardest to fit.
    hard = Panel(
        "regularized_filter:regularization=discrepancy,operator=biharmonic,noise_sigma=0.01", comparison.observed.image
    )
    target = tmp_path / "report.html"
    write_report(replace(comparison, title="IMG_" + 60 * "0", restorations=(*comparison.restorations, hard)), target)
    page = chromium.new_page(viewport={"width": width, "height": 800})
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(target.as_uri())
    page.wait_for_load_state("networkidle")
    assert [url for url in requests if not url.startswith("data:")] == [target.as_uri()]
    assert complaints == []
    widths = page.eval_on_selector_all("img", "all => all.map(each => [each.complete, each.naturalWidth])")
    assert len(widths) > 20
    assert all(complete and natural > 0 for complete, natural in widths)
    sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert sideways <= 0, f"{sideways} pixels wider than the window"
    page.close()
