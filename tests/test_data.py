"""The bundled photographs are the ones that data/README.md describes, and stay small."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import imageio.v3 as iio
import pytest

DATA = Path(__file__).resolve().parents[1] / "data"
ROW = re.compile(
    r"^\| `(?P<name>[^`]+)` \| (?P<what>[^|]+) \| (?P<origin>[^|]+) \| (?P<licence>[^|]+) \| `(?P<sha>[0-9a-f]{64})` \|$"
)
LISTED = {row["name"]: row for line in (DATA / "README.md").read_text("utf-8").splitlines() if (row := ROW.match(line))}
IMAGES = sorted(path for path in DATA.iterdir() if path.name != "README.md")


def test_every_file_is_listed_and_every_listed_file_is_there() -> None:
    assert sorted(LISTED) == [path.name for path in IMAGES]
    assert len(IMAGES) >= 4


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_each_file_is_the_one_described(path: Path) -> None:
    row = LISTED[path.name]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha"]
    image = iio.imread(path)
    columns, rows = image.shape[1], image.shape[0]
    assert f"{columns} × {rows}, 8-bit {'grey' if image.ndim == 2 else 'RGB'}" in row["what"]
    assert image.dtype == "uint8"
    assert re.search(r"CC0|public domain", row["licence"])
    assert row["origin"].strip()


def test_together_they_are_below_two_megabytes() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 2_000_000


def test_one_of_them_is_really_blurred() -> None:
    assert any("really blurred" in row["what"] for row in LISTED.values())
