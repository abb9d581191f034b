"""docs/matlab.md: every block and every call in its tables runs, and what it says of its examples is so."""

from __future__ import annotations

import re
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from restoretk.metrics import psnr
from restoretk.restoration import METHODS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "matlab.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def _table_calls() -> list[str]:
    """The code in the column headed restoretk of every table that has one, but for the table of differences in words."""
    calls, column = [], None
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            column = None
        elif "restoretk" in cells:
            column = cells.index("restoretk") if cells[0] else None
        elif column is not None and not set(line) <= set("|-"):
            calls += re.findall(r"`([^`]+)`", cells[column])
    return calls


CALLS = _table_calls()
PROSE = re.sub(r"^(\|.*|```python\n(?s:.*?)^```)$", "", PAGE, flags=re.MULTILINE)
# Our functions called in the text; what MATLAB and scikit-image call theirs is another name or no name here.
PROSE_CALLS = re.findall(r"`((?:degrade|restore|wiener|box_psf|convolve|inverse_filter)\([^`]+\))`", PROSE)


def _run(source: str, names: dict[str, Any]) -> None:
    exec(compile(source, "docs/matlab.md", "exec"), names)  # noqa: S102 - the page is ours


@pytest.fixture(scope="module")
def setup() -> dict[str, Any]:
    """The names of the first block; the page says to run it from the root of a checkout."""
    names: dict[str, Any] = {}
    with chdir(ROOT):
        _run(BLOCKS[0], names)
    return names


@pytest.fixture(scope="module")
def page(setup: dict[str, Any]) -> dict[str, Any]:
    """The names after all blocks, run in their order as a reader would."""
    names = dict(setup)
    with chdir(ROOT):
        for block in BLOCKS[1:]:
            _run(block, names)
    return names


def test_the_page_has_its_blocks_and_tables() -> None:
    assert len(BLOCKS) == PAGE.count("```python") == PAGE.count("```") // 2
    assert len(PROSE_CALLS) >= 3
    assert len(CALLS) == len(re.findall(r"^\| `", PAGE, flags=re.MULTILINE)) > 30  # one call in each row


@pytest.mark.parametrize("call", CALLS + PROSE_CALLS)
def test_every_call_in_tables_and_text_gives_finite_numbers(call: str, setup: dict[str, Any]) -> None:
    result = eval(compile(call, "docs/matlab.md", "eval"), dict(setup))  # noqa: S307 - the page is ours
    assert np.isfinite(getattr(result, "image", result)).all()


@pytest.mark.parametrize("spec", re.findall(r"`((?:box|gaussian|disk|motion):[a-z]+=[^`]+)`", PAGE))
def test_every_spec_of_a_psf_is_the_call_beside_it(spec: str, setup: dict[str, Any]) -> None:
    calls = {
        "box:size=3": "box_psf(3)",
        "gaussian:sigma=0.5,size=3": "gaussian_psf(0.5, size=3)",
        "disk:radius=5": "disk_psf(5)",
        "motion:length=9,angle=0": "motion_psf(9, 0)",
    }
    assert calls[spec] in CALLS
    np.testing.assert_array_equal(setup["make_psf"](spec), eval(calls[spec], dict(setup)))  # noqa: S307 - the page is ours


def test_an_overestimated_noise_power_smooths_and_an_underestimated_one_does_not(page: dict[str, Any]) -> None:
    def roughness(name: str) -> float:
        return float(np.mean(np.diff(page[name], axis=0) ** 2))

    assert roughness("reg2") < roughness("reg1") < roughness("reg3")
    assert roughness("reg6") < roughness("reg5") < roughness("reg7")


def test_the_constrained_examples_meet_the_noise_power(page: dict[str, Any]) -> None:
    psf = page["gaussian_psf"](5, size=11)
    residual = page["edged"] - page["convolve"](page["reg4"], psf, boundary="wrap", channel_axis=-1)
    assert np.sum(residual.astype(float) ** 2) == pytest.approx(page["V"] / 1.3 * residual.size, rel=1e-4)


def test_nothing_given_is_better_than_the_noise_power_given(page: dict[str, Any]) -> None:
    scene = page["photograph"]
    assert psnr(scene, page["ours"]) > max(psnr(scene, page[f"reg{n}"]) for n in range(1, 9))


def test_the_wiener_examples_come_in_the_order_that_their_knowledge_says(page: dict[str, Any]) -> None:
    scene = page["I"]
    quality = {name: psnr(scene, page[name]) for name in ("wnr1", "wnr2", "wnr3", "wnr6", "wnr7", "auto")}
    assert quality["wnr1"] > 100  # no noise: the inverse filter is exact
    assert quality["wnr2"] < quality["wnr3"] < quality["wnr7"] < quality["wnr6"]
    assert quality["wnr3"] < quality["auto"] < quality["wnr6"]  # only the true spectra know more


def test_integers_come_back_as_integers(page: dict[str, Any]) -> None:
    assert page["blurred_quantized"].dtype == page["wnr5"].dtype == page["edges_tapered"].dtype == np.uint8


def test_the_full_otf_and_the_way_back_are_exact(page: dict[str, Any]) -> None:
    psf, shape = page["psf"], page["I"].shape
    padded = np.zeros(shape)
    padded[: psf.shape[0], : psf.shape[1]] = psf
    expected = np.fft.fft2(np.roll(padded, [-(side // 2) for side in psf.shape], (0, 1)))
    np.testing.assert_allclose(page["full"], expected, atol=1e-12)
    np.testing.assert_allclose(page["PSF2"], page["PSF"], atol=1e-15)


def test_what_the_page_says_is_not_here_is_not() -> None:
    """When blind deconvolution arrives, the page wants its row."""
    assert not [name for name in METHODS if "blind" in name]
    assert "`deconvblind` has no counterpart" in PAGE


@pytest.mark.parametrize("spec", ["gaussian:sigma=1.6", "disk:radius=4", "motion:length=15,angle=30"])
def test_the_unknown_boundary_restores_better_than_a_taper(spec: str, setup: dict[str, Any]) -> None:
    psf, scene = setup["make_psf"](spec), setup["I"][100:320, 90:350]
    cut = (slice(20, -20), slice(20, -20))  # a frame in a scene that goes on
    observed = setup["gaussian_noise"](setup["convolve"](scene, psf)[cut], 0.005, rng=0)
    tapered = setup["wiener"](setup["edge_taper"](observed, psf), psf, boundary="wrap")
    unknown = setup["wiener"](observed, psf, boundary="unknown")
    assert psnr(scene[cut], unknown) > psnr(scene[cut], tapered) + 0.3
    if spec.startswith("motion"):
        mirrored = setup["wiener"](observed, psf, boundary="symmetric")
        assert max(psnr(scene[cut], tapered), psnr(scene[cut], mirrored)) < 23
        assert psnr(scene[cut], unknown) > 27
