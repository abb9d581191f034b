"""What ImageJ and OME say beside the pixels comes through the command line; tifffile is the judge."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from restoretk._arrays import Array
from restoretk.cli import main
from restoretk.image_files import describe, read_image

DELTA = ["--psf", "gaussian:sigma=1e-3,size=1", "--method", "wiener:noise_to_signal=0", "--boundary", "wrap"]


def stack(*shape: int, dtype: str = "uint16") -> Array:
    values = np.random.default_rng(3).integers(0, 200, shape)
    return values.astype(dtype) / np.float32(256) if dtype == "float32" else values.astype(dtype)


def run(*arguments: Any) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.stderr
    return result.stderr


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "CYX", "TZYX", "ZCYX"])
def test_a_stack_of_imagej_keeps_its_pixels_axes_spacing_and_overlays(tmp_path: Path, axes: str, dtype: str) -> None:
    pixels = stack(*(2 + index for index in range(len(axes) - 2)), 21, 34, dtype=dtype)
    said = {"spacing": 0.2, "unit": "um", "finterval": 0.5, "min": 3.0, "max": 99.0, "Info": "mouse 7\nleft eye"}
    said |= {"Labels": ["first"], "Overlays": [b"roi bytes"]}
    tifffile.imwrite(
        tmp_path / "in.tif", pixels, imagej=True, resolution=(1 / 0.0645, 1 / 0.13), metadata={"axes": axes, **said}
    )
    stderr = run("deblur", tmp_path / "in.tif", *DELTA, "-o", tmp_path / "out.tif")
    assert "not kept" not in stderr
    with tifffile.TiffFile(tmp_path / "out.tif") as file, tifffile.TiffFile(tmp_path / "in.tif") as source:
        assert file.is_imagej
        assert (file.series[0].axes, file.series[0].dtype) == (source.series[0].axes, pixels.dtype)
        np.testing.assert_allclose(file.asarray(), pixels, rtol=0, atol=0 if dtype.startswith("u") else 1e-6)
        found, expected = dict(file.imagej_metadata or {}), dict(source.imagej_metadata or {})
        info = found.pop("Info").splitlines()
        assert (info[:2], info[2][:13]) == (["mouse 7", "left eye"], '{"restoretk":')
        assert len(info) == 3
        assert found == {key: value for key, value in expected.items() if key != "Info"}
        assert file.pages[0].resolution == source.pages[0].resolution
    run("deblur", tmp_path / "out.tif", *DELTA, "-o", tmp_path / "again.tif")
    record = describe(read_image(tmp_path / "again.tif"))
    assert [entry["command"] for entry in record["made_by"]] == ["deblur", "deblur"]
    assert record["calibration"] == {
        "pixel x": pytest.approx(0.0645, rel=1e-6),
        "pixel y": pytest.approx(0.13, rel=1e-6),
        "spacing": 0.2,
        "unit": "um",
        "finterval": 0.5,
    }


@pytest.mark.parametrize(
    ("axes", "shape", "read_as"),
    [
        ("YX", (21, 34), "YX"),
        ("CYX", (3, 21, 34), "CYX"),
        ("CYX", (4, 21, 34), "CYX"),
        ("ZYX", (3, 21, 34), "ZYX"),
        ("TZYX", (2, 3, 21, 34), "TZYX"),
        ("ZCYX", (3, 2, 21, 34), "ZCYX"),
        ("TCZYX", (2, 2, 3, 21, 34), "TCZYX"),
        ("ZYXS", (2, 21, 34, 3), "ZYXS"),
    ],
)
def test_ome_keeps_its_pixels_axes_and_description(
    tmp_path: Path, axes: str, shape: tuple[int, ...], read_as: str
) -> None:
    pixels = stack(*shape)
    more = {"PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "µm", "PhysicalSizeZ": 0.3, "SignificantBits": 12}
    more |= {"Channel": {"Name": [f"dye {index}" for index in range(shape[axes.index("C")])]}} if "C" in axes else {}
    tifffile.imwrite(
        tmp_path / "in.ome.tif",
        pixels,
        photometric="rgb" if "S" in axes else "minisblack",
        metadata={"axes": axes, **more, "Description": "a -- dash and é"},
    )
    source = read_image(tmp_path / "in.ome.tif")
    assert (source.axes, source.image.shape) == (read_as, shape)
    stderr = run("deblur", tmp_path / "in.ome.tif", *DELTA, "-o", tmp_path / "out.ome.tif")
    assert "not kept" not in stderr
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file, tifffile.TiffFile(tmp_path / "in.ome.tif") as before:
        assert file.is_ome
        assert (file.series[0].axes, file.series[0].shape) == (before.series[0].axes, before.series[0].shape)
        np.testing.assert_array_equal(file.series[0].asarray().reshape(shape), pixels)
        assert without_planes(file.ome_metadata) == without_planes(before.ome_metadata)
    assert [entry["command"] for entry in describe(read_image(tmp_path / "out.ome.tif"))["made_by"]] == ["deblur"]
    run("deblur", tmp_path / "out.ome.tif", *DELTA, "--dtype", "float32", "-o", tmp_path / "float.ome.tif")
    with tifffile.TiffFile(tmp_path / "float.ome.tif") as file:
        assert (file.series[0].axes, str(file.series[0].dtype)) == (before.series[0].axes, "float32")
        assert 'Type="float"' in (file.ome_metadata or "")
        assert (file.ome_metadata or "").count('{"restoretk"') == 2


def without_planes(xml: str | None) -> str:
    """A description without the numbers of its pages and without how the picture was made."""
    return re.sub(r"<!--.*?-->|<TiffData[^>]*/>", "", xml or "", flags=re.DOTALL)


def test_pages_of_an_ome_file_that_say_another_order_stay_pages(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.ome.tif", stack(2, 21, 34), metadata={"axes": "ZYX"})
    data = (tmp_path / "in.ome.tif").read_bytes()
    for old, new in (
        (b'IFD="0" PlaneCount="2"', b'IFD="1" PlaneCount="1"'),
        (b'SizeZ="2"', b'SizeZ="4"'),
        (b'"XYCZT"', b'"XYCCT"'),
    ):
        assert data.count(old) == 1
        (tmp_path / "other.ome.tif").write_bytes(data.replace(old, new))
        read = read_image(tmp_path / "other.ome.tif")
        assert (read.axes, read.left_behind) == ("IYX", ("the description of its microscope",))


def test_what_another_format_cannot_hold_of_a_microscope_is_said(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", stack(21, 34), imagej=True, metadata={"unit": "um"})
    for output in ("out.png", "out.npy"):
        assert "not kept from the photograph: the description of its microscope" in run(
            "deblur", tmp_path / "in.tif", *DELTA, "-o", tmp_path / output
        )
    run("deblur", tmp_path / "in.tif", *DELTA, "--strip", "-o", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert not file.is_imagej


@pytest.mark.parametrize("axes", ["TYX", "ZYX", "ZCYX"])
def test_a_stack_is_enlarged_plane_by_plane_and_its_pixels_are_smaller(tmp_path: Path, axes: str) -> None:
    from restoretk import upsample

    pixels = stack(*(2 + index for index in range(len(axes) - 2)), 21, 34)
    tifffile.imwrite(
        tmp_path / "in.tif",
        pixels,
        imagej=True,
        resolution=(4, 2),
        metadata={"axes": axes, "unit": "um", "spacing": 0.3},
    )
    run("upsample", tmp_path / "in.tif", "--factor", 3, "-o", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        large = file.asarray()
        assert file.pages[0].resolution == (12, 6)
        assert (file.imagej_metadata or {})["spacing"] == 0.3
    assert large.shape == (*pixels.shape[:-2], 63, 102)
    for place in np.ndindex(pixels.shape[:-2]):
        np.testing.assert_array_equal(large[place], upsample(pixels[place], 3))


def test_pages_and_arrays_are_enlarged_plane_by_plane(tmp_path: Path) -> None:
    from restoretk import upsample

    pixels = stack(2, 21, 34)
    with tifffile.TiffWriter(tmp_path / "in.tif") as writer:
        for page in pixels:
            writer.write(page)
    np.save(tmp_path / "in.npy", pixels)
    tifffile.imwrite(tmp_path / "colours.ome.tif", stack(2, 21, 34, 3), photometric="rgb", metadata={"axes": "ZYXS"})
    for name in ("in.tif", "in.npy"):
        run("upsample", tmp_path / name, "-o", tmp_path / "out.npy", "--force")
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), [upsample(page, 2) for page in pixels])
    run("upsample", tmp_path / "colours.ome.tif", "-o", tmp_path / "large.ome.tif")
    assert read_image(tmp_path / "large.ome.tif").image.shape == (2, 42, 68, 3)
    assert read_image(tmp_path / "large.ome.tif").axes == "ZYXS"
