from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from restoretk.image_files import Limits, read_image
from restoretk.image_files.lengths import read_whole
from restoretk.image_files.record import Refusal

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 51, 3), np.uint8)
FORMATS = ["png", "jpeg", "webp", "bmp", "gif", "ppm", "tiff", "npy", "big tiff"]


class Endless(io.RawIOBase):
    """A stream that begins with some bytes and goes on with zeros for ever."""

    def __init__(self, beginning: bytes) -> None:
        self.rest, self.given = beginning, 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "read to an end that never comes"
        self.given += size
        part, self.rest = self.rest[:size], self.rest[size:]
        return part + bytes(size - len(part))


def encoded(format_: str, pixels: np.ndarray[Any, Any] = PIXELS) -> bytes:
    stream = io.BytesIO()
    if format_ == "npy":
        np.save(stream, pixels)
    elif format_ == "big tiff":
        tifffile.imwrite(stream, pixels, bigtiff=True, metadata=None, photometric="rgb")
    else:
        Image.fromarray(pixels).save(stream, format_)
    return stream.getvalue()


@pytest.mark.parametrize("kept", [60, 10**6])
@pytest.mark.parametrize("format_", FORMATS)
def test_a_picture_without_end_is_refused_soon(format_: str, kept: int) -> None:
    stream = Endless(encoded(format_)[:kept])
    with pytest.raises(Refusal, match=r"is longer than any .* with its header can be"):
        read_whole(stream, Limits())  # type: ignore[arg-type]
    assert stream.given < 100 * 2**20


@pytest.mark.parametrize("format_", FORMATS)
def test_a_whole_picture_is_read_whole(format_: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (301, 211, 3), np.uint8)
    data = encoded(format_, noise)
    assert read_whole(io.BytesIO(data), Limits()) == data


def test_what_is_no_picture_is_read_no_further_than_its_beginning() -> None:
    stream = Endless(b"no picture")
    assert len(read_whole(stream, Limits(), only_pictures=True)) < 2**20  # type: ignore[arg-type]


@pytest.mark.parametrize("imagej", [True, False])
def test_a_stack_of_one_directory_may_be_long(tmp_path: Path, imagej: bool) -> None:
    stack = np.random.default_rng(0).integers(0, 2**16, (600, 256, 250), np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", stack, imagej=imagej, truncate=True)
    with tifffile.TiffFile(tmp_path / "stack.tif") as file:
        assert len(file.pages) == 1
    assert read_image(tmp_path / "stack.tif").image.shape == stack.shape


def test_a_long_profile_before_the_frame_of_a_jpeg_is_no_harm(tmp_path: Path) -> None:
    profile = np.random.default_rng(0).bytes(300_000)
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", icc_profile=profile, quality=95)
    data = (tmp_path / "a.jpg").read_bytes()
    assert read_whole(io.BytesIO(data), Limits()) == data


def test_a_pipe_without_end_costs_the_command_little(tmp_path: Path) -> None:
    (tmp_path / "start.png").write_bytes(encoded("png"))
    command = "cat start.png /dev/zero | $PYTHON -m restoretk deblur - --psf disk:radius=2 -o out.png"
    result = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env={"PYTHON": sys.executable}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr == "restoretk: error: stdin is longer than any PNG with its header can be (67174144 bytes)\n"
    assert not (tmp_path / "out.png").exists()
