"""`restoretk info`: everything about a file, in words and as JSON; hostile text is shown, never obeyed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image, ImageCms, PngImagePlugin

from restoretk.cli import main
from restoretk.image_files import read_image, write_image


def _info(path: Path, *options: str) -> str:
    result = CliRunner().invoke(main, ["info", str(path), *options])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    exif.get_ifd(0x8769)[0x829A] = 0.004
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = np.arange(21 * 34 * 3, dtype=np.uint8).reshape(21, 34, 3)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", exif=exif, icc_profile=profile, dpi=(300, 300))
    return tmp_path / "photo.jpg"


def test_info_says_what_the_file_holds(photo: Path) -> None:
    record = json.loads(_info(photo, "--json"))
    assert (record["format"], record["rows"], record["columns"], record["channels"]) == ("JPEG", 34, 21, 3)
    assert (record["dtype"], record["bit_depth"], record["orientation"], record["dpi"]) == ("uint8", 8, 6, [300, 300])
    assert record["icc_profile"].startswith("sRGB")
    assert (record["exif"]["Make"], record["exif"]["ExposureTime"]) == ("Maker", "0.004")
    assert record["bytes"] == photo.stat().st_size
    assert record["lost_in"]["PNG"] == []
    assert record["lost_in"]["BMP"] == ["EXIF", "ICC profile"]
    words = _info(photo)
    assert "icc profile    sRGB" in words
    assert "lost in        BMP: EXIF, ICC profile" in words
    assert "exif           Make: Maker" in words


def test_info_says_how_a_picture_was_made(photo: Path, tmp_path: Path) -> None:
    source = read_image(photo)
    write_image(tmp_path / "out.png", source.image, like=source, made_by={"method": "wiener"})
    record = json.loads(_info(tmp_path / "out.png", "--json"))
    assert [entry["method"] for entry in record["made_by"]] == ["wiener"]
    assert "method: wiener" in _info(tmp_path / "out.png")


def test_info_reads_floats_with_holes_and_says_what_it_assumed(tmp_path: Path) -> None:
    holes = np.linspace(0, 7, 21 * 34, dtype=np.float32).reshape(21, 34)
    holes[3, 4] = np.nan
    tifffile.imwrite(tmp_path / "holes.png", holes)
    record = json.loads(_info(tmp_path / "holes.png", "--json"))
    assert (record["missing_values"], record["highest"], record["format"]) == (1, 7.0, "TIFF")
    assert record["notes"] == ["is a TIFF file, whatever its name says, and is read as one"]
    all_missing = np.full((4, 5), np.nan, np.float32)
    np.save(tmp_path / "nothing.npy", all_missing)
    assert json.loads(_info(tmp_path / "nothing.npy", "--json"))["highest"] is None


def test_hostile_text_is_shown_escaped_and_cut(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "\x1b[2J<script>alert(1)</script>\r\n" + "x" * 5000)
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "a.png", pnginfo=info)
    words = _info(tmp_path / "a.png")
    assert "\x1b" not in words
    assert r"\x1b[2J" in words
    assert max(map(len, words.splitlines())) < 300


def test_a_file_that_is_no_picture_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"text")
    result = CliRunner().invoke(main, ["info", str(tmp_path / "a.png")])
    assert result.exit_code == 1
    assert "is not a picture" in result.output
    assert result.output.count("\n") == 1


def test_info_keeps_to_the_limits_it_is_given(photo: Path) -> None:
    result = CliRunner().invoke(main, ["info", str(photo), "--max-pixels", "100"])
    assert result.exit_code == 1
    assert "714 pixels, more than the limit of 100 (--max-pixels)" in result.output
