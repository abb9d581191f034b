"""The list of deliberate faults keeps up with the code: `scripts/sabotage.py` itself takes an hour."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SABOTAGES: list[dict[str, Any]] = tomllib.loads((ROOT / "scripts" / "sabotages.toml").read_text("utf-8"))["sabotage"]


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=[entry["name"] for entry in SABOTAGES])
def test_every_sabotage_finds_its_line_and_its_tests(sabotage: dict[str, Any]) -> None:
    assert (ROOT / sabotage["file"]).read_text("utf-8").count(sabotage["old"]) == 1
    assert sabotage["old"] != sabotage["new"]
    assert all((ROOT / test.partition("::")[0]).exists() for test in sabotage["tests"])


def test_the_names_of_sabotages_are_different() -> None:
    assert len({entry["name"] for entry in SABOTAGES}) == len(SABOTAGES) > 0
