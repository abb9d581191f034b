"""What a file holds beside the picture and no output carries is named."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from restoretk.image_files import decode_image, read_image, write_image

PIXELS = np.arange(12 * 17, dtype=np.uint16).reshape(12, 17)


def test_names_and_descriptions_of_the_pages_of_a_tiff(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "pages.tif") as writer:
        for number in range(3):
            writer.write(PIXELS + number, description=f"page {number}", metadata=None)
    tifffile.imwrite(tmp_path / "plain.tif", np.stack([PIXELS, PIXELS]), metadata={"axes": "ZYX"})
    assert read_image(tmp_path / "pages.tif").left_behind == ("the names and descriptions of its pages",)
    assert read_image(tmp_path / "plain.tif").left_behind == ()


def test_the_other_units_of_a_fits() -> None:
    fits = pytest.importorskip("astropy.io.fits", reason="the extra astro")
    for units, left in (
        ([fits.PrimaryHDU(PIXELS)], ()),
        ([fits.PrimaryHDU(), fits.ImageHDU(PIXELS), fits.ImageHDU(PIXELS)], ("the other units and their headers",)),
        ([fits.PrimaryHDU(PIXELS), fits.ImageHDU(PIXELS)], ("the other units and their headers",)),
    ):
        target = io.BytesIO()
        fits.HDUList(units).writeto(target)
        assert decode_image(target.getvalue()).left_behind == left


def test_the_depth_of_a_picture_of_one_bit(tmp_path: Path) -> None:
    Image.fromarray(PIXELS > 100).save(tmp_path / "bit.png")
    source = read_image(tmp_path / "bit.png")
    written = write_image(tmp_path / "out.png", source.image, like=source, dtype="uint8")
    assert written.lost == ("the depth of 1 bit (written as uint8)",)
