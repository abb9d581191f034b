"""Pictures restored out of core are those restored in memory, whatever the memory, the format, and what stopped the work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.fft
import tifffile

from restoretk import METHODS, wiener
from restoretk._arrays import Array
from restoretk.blockwise import StoreError, restore_file
from restoretk.blockwise.engine import Engine, Layout, Room, resident_bytes
from restoretk.blockwise.scratch import SpectrumFile, checksum, checksum_of_all, checksums
from restoretk.catalogue import make_method
from restoretk.tone_curve import SRGB

RESIDENT = 50 << 20
PSF = np.array([[0.05, 0.3], [0.1, 0.2], [0.25, 0.1]])
METHOD_OPTIONS = [
    ("wiener", {"noise_to_signal": 0.02}),
    ("wiener", {}),
    ("regularized_filter", {"regularization": 0.01, "operator": "gradient"}),
    ("regularized_filter", {"regularization": "gcv"}),
    ("inverse_filter", {"cutoff": 0.21}),  # 0.2 is the OTF at a frequency of this torus, where rounding would decide
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks of a small picture, in a process of 50 MB, whatever else these tests have loaded."""
    monkeypatch.setattr("restoretk.blockwise.engine._MOST_BLOCK", 1 << 16)
    monkeypatch.setattr("restoretk.blockwise.engine.resident_bytes", lambda: RESIDENT)


def picture(*shape: int, dtype: Any = np.uint16) -> Array:
    rng = np.random.default_rng(3)
    values = rng.random(shape)
    for axis in [axis for axis, size in enumerate(shape) if size > 8]:
        for _ in range(3):
            values = values + np.roll(values, 1, axis)
    # With noise, as pictures have it: without, what lies beyond the frame is found by dividing by almost nothing.
    values = 0.05 + 0.9 * (values - values.min()) / np.ptp(values) + 0.01 * rng.standard_normal(shape)
    values = values.clip(0, 1)
    kind = np.dtype(dtype)
    return np.rint(values * np.iinfo(kind).max).astype(kind) if kind.kind in "iu" else values.astype(kind)


def in_memory(image: Array, method: str, options: dict[str, Any], axis: int | None = None) -> Array:
    return METHODS[method](image, PSF, channel_axis=axis, **options)


def assert_same(found: Array, expected: Array) -> None:
    """Within half a level: equal, but for numbers that rounding may push over the edge of a level."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if found.dtype.kind in "iu":
        difference = np.abs(found.astype(np.int64) - expected.astype(np.int64))
        assert difference.max() <= 1
        assert np.mean(difference > 0) < (1e-3 if found.dtype.itemsize == 1 else 0.05)
    else:
        np.testing.assert_allclose(found, expected, atol=3e-6 if found.dtype == np.float32 else 1e-9)


@pytest.mark.parametrize(("method", "options"), METHOD_OPTIONS)
@pytest.mark.parametrize("shape", [(301, 257), (2, 150, 203)])
@pytest.mark.parametrize("dtype", [np.uint16, np.uint8, np.float32, np.float64])
def test_an_array_in_a_file(
    method: str, options: dict[str, Any], shape: tuple[int, ...], dtype: Any, tmp_path: Path
) -> None:
    image = picture(*shape, dtype=dtype)
    np.save(tmp_path / "in.npy", image)
    told: list[float] = []
    found = restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", method, progress=told.append, **options)
    expected = in_memory(image, method, options)
    assert_same(np.load(tmp_path / "out.npy"), expected)
    assert found["method"] == method
    assert found["shape"] == (image.shape if image.ndim == 3 else (1, *image.shape))
    assert told == sorted(told)
    assert 0 <= told[0] <= told[-1] <= 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "out.npy"]


@pytest.mark.parametrize(
    "written", ["plain", "strips", "tiles", "deflated", "big-endian", "bigtiff", "pages", "predictor"]
)
@pytest.mark.parametrize("kind", ["grey", "rgb", "planar", "stack"])
def test_tiff_of_every_layout(written: str, kind: str, tmp_path: Path) -> None:
    shape = {"grey": (301, 257), "rgb": (151, 129, 3), "planar": (3, 151, 129), "stack": (4, 151, 129)}[kind]
    image = picture(*shape)
    options: dict[str, Any] = {
        "plain": {},
        "strips": {"rowsperstrip": 7, "compression": "zlib"},
        "tiles": {"tile": (32, 48)},
        "deflated": {"tile": (64, 64), "compression": "zlib"},
        "big-endian": {"byteorder": ">"},
        "bigtiff": {"bigtiff": True},
        "pages": {"rowsperstrip": 9, "compression": "zlib", "metadata": None},
        "predictor": {"compression": "zlib", "predictor": True},
    }[written]
    if kind != "grey" and "metadata" not in options:
        options["metadata"] = {"axes": {"rgb": "YXS", "planar": "SYX", "stack": "ZYX"}[kind]}
    photometric = "rgb" if kind in ("rgb", "planar") else "minisblack"
    tifffile.imwrite(
        tmp_path / "in.tif",
        image,
        photometric=photometric,
        planarconfig="separate" if kind == "planar" else None,
        resolution=(300, 200),
        resolutionunit="CENTIMETER",
        iccprofile=b"a profile",
        **options,
    )
    options = {"noise_to_signal": 0.02}
    restore_file(tmp_path / "in.tif", PSF, tmp_path / "out.tif", "wiener", **options)
    expected = in_memory(image, "wiener", options, {"rgb": -1, "planar": 0}.get(kind))
    with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
        assert_same(tiff.asarray(), expected)
        page = tiff.pages.first
        assert page.photometric.name.lower() == photometric
        assert page.iccprofile == b"a profile"
        assert page.resolution == (300, 200)
        assert page.resolutionunit.name == "CENTIMETER"
        assert len(tiff.series) == 1
        with tifffile.TiffFile(tmp_path / "in.tif") as source:
            assert tiff.series[0].axes == source.series[0].axes
        described = json.loads(page.description)
    assert described["restoretk"][0]["noise_to_signal"] == 0.02


@pytest.mark.parametrize(("kind", "zarr_format"), [("array", 2), ("array", 3), ("shards", 3), ("ome", 2), ("ome", 3)])
def test_zarr_and_ome_zarr(zarr_format: int, kind: str, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", reason="the extra scale")
    image = picture(2, 301, 257)
    path = tmp_path / "in.zarr"
    if kind == "ome":
        group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
        axes = [{"name": "z", "type": "space"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
        scale = [{"type": "scale", "scale": [2.0, 0.5, 0.5]}]
        said = {
            "multiscales": [
                {
                    "version": "0.4",
                    "axes": axes,
                    "datasets": [
                        {"path": "0", "coordinateTransformations": scale},
                        {"path": "1", "coordinateTransformations": scale},
                    ],
                }
            ]
        }
        group.attrs.update({"ome": said} if zarr_format == 3 else said)
        array = group.create_array("0", shape=image.shape, dtype=image.dtype, chunks=(1, 64, 100))
        array[:] = image
        group.create_array("1", shape=(2, 150, 128), dtype=image.dtype, chunks=(1, 64, 100))
    else:
        options: dict[str, Any] = {"shards": (1, 128, 200)} if kind == "shards" else {}
        array = zarr.create_array(
            path, shape=image.shape, dtype=image.dtype, chunks=(1, 64, 100), zarr_format=zarr_format, **options
        )
        array[:] = image
        array.attrs["instrument"] = "a microscope"
    found = restore_file(path, PSF, tmp_path / "out.zarr", "wiener:noise_to_signal=0.02")
    expected = in_memory(image, "wiener", {"noise_to_signal": 0.02})
    opened = zarr.open(tmp_path / "out.zarr", mode="r")
    if kind == "ome":
        assert found["left_behind"] == ("the smaller levels of its pyramid",)
        said_now = opened.attrs["ome"] if zarr_format == 3 else dict(opened.attrs)
        assert said_now["multiscales"][0]["axes"] == axes
        assert [each["path"] for each in said_now["multiscales"][0]["datasets"]] == ["0"]
        opened = opened["0"]
    else:
        assert opened.attrs["instrument"] == "a microscope"
    assert_same(opened[:], expected)
    assert opened.chunks == (1, 64, 100)
    assert opened.metadata.zarr_format == zarr_format
    assert opened.attrs["restoretk"]["noise_to_signal"] == 0.02


def test_from_one_format_to_another(tmp_path: Path) -> None:
    pytest.importorskip("zarr", reason="the extra scale")
    image = picture(301, 257)
    tifffile.imwrite(tmp_path / "in.tif", image)
    expected = in_memory(image, "wiener", {"noise_to_signal": 0.02})
    for source, output in (("in.tif", "a.zarr"), ("a.zarr", "b.npy"), ("b.npy", "c.tif")):
        restore_file(tmp_path / source, np.ones((1, 1)), tmp_path / output, "wiener:noise_to_signal=0.0")
    assert_same(tifffile.imread(tmp_path / "c.tif"), image)
    restore_file(tmp_path / "in.tif", PSF, tmp_path / "d.zarr", "wiener:noise_to_signal=0.02")
    restore_file(tmp_path / "d.zarr", np.ones((1, 1)), tmp_path / "e.npy", "wiener:noise_to_signal=0.0")
    assert_same(np.load(tmp_path / "e.npy"), expected)


KILLED = """
import sys
from pathlib import Path
import numpy as np
from restoretk.blockwise import engine, restore_file
engine._MOST_BLOCK = 1 << 17
psf = np.array([[0.05, 0.3], [0.1, 0.2], [0.25, 0.1]])
restore_file(sys.argv[1], psf, sys.argv[2], "wiener", resume=True, overwrite=True)
"""


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".zarr"])
def test_work_that_is_killed_again_and_again_ends_bit_identical(
    suffix: str, kill_again_and_again: Callable[..., int], tmp_path: Path
) -> None:
    if suffix == ".zarr":
        pytest.importorskip("zarr", reason="the extra scale")
    image = picture(2, 701, 657)
    np.save(tmp_path / "in.npy", image)
    whole, output = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "in.npy")]
    subprocess.run([*command, str(whole)], check=True)
    kills = kill_again_and_again(lambda _kills: [*command, str(output)], output, range(3, 200, 17))
    assert kills >= 3
    if suffix == ".zarr":
        files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
        assert files == sorted(path.relative_to(output) for path in output.rglob("*") if path.is_file())
        assert all((whole / file).read_bytes() == (output / file).read_bytes() for file in files)
    else:
        assert whole.read_bytes() == output.read_bytes()


class Interrupted(BaseException):
    pass


def interrupt_at(share: float) -> Any:
    def progress(done: float) -> None:
        if done >= share:
            raise Interrupted

    return progress


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("damaged", ["spectrum", "output.npy"])
def test_damage_to_what_was_done_is_found_and_made_good(share: float, damaged: str, tmp_path: Path) -> None:
    image = picture(301, 257)
    np.save(tmp_path / "in.npy", image)
    options: dict[str, Any] = {"method": "wiener:noise_to_signal=0.02"}
    with pytest.raises(Interrupted):
        restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", progress=interrupt_at(share), **options)
    assert not (tmp_path / "out.npy").exists()
    file = tmp_path / ".restoretk-out.npy" / damaged
    size = file.stat().st_size
    with file.open("r+b") as opened:
        for place in np.linspace(200, size - 200, 40).astype(int):
            opened.seek(place)
            opened.write(b"\xa5\x5a\xa5")
    restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", resume=True, **options)
    assert_same(np.load(tmp_path / "out.npy"), in_memory(image, "wiener", {"noise_to_signal": 0.02}))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_work_goes_on_in_the_blocks_it_was_begun_in_whatever_memory_there_is_now(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(301, 257)
    np.save(tmp_path / "in.npy", image)
    options: dict[str, Any] = {"method": "wiener:noise_to_signal=0.02"}
    restore_file(tmp_path / "in.npy", PSF, tmp_path / "whole.npy", **options)
    with pytest.raises(Interrupted):
        restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", progress=interrupt_at(share), **options)
    monkeypatch.setattr("restoretk.blockwise.engine._MOST_BLOCK", 1 << 17)
    told: list[float] = []
    more: dict[str, Any] = {"resume": True, "memory": 400 << 20, "progress": told.append}
    transformed: list[int] = []
    honest = Engine._transform
    monkeypatch.setattr(Engine, "_transform", lambda *given: (transformed.append(given[-1]), honest(*given)))
    restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", **more, **options)
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert len(transformed) < len(Layout(rows=22, columns=16, total=301).starts)  # what was done was not done again


def test_a_mistake_in_going_on_does_not_cost_what_was_done(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", picture(301, 257))
    options: dict[str, Any] = {"method": "wiener:noise_to_signal=0.02"}
    with pytest.raises(Interrupted):
        restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", progress=interrupt_at(0.9), **options)
    journal = tmp_path / ".restoretk-out.npy" / "journal"
    before = journal.read_bytes().count(b"\n")
    with pytest.raises(ValueError, match="memory must be at least"):
        restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", resume=True, memory=1 << 20, **options)
    assert journal.read_bytes().count(b"\n") >= before


def test_other_work_is_not_gone_on_with(tmp_path: Path) -> None:
    image = picture(301, 257)
    np.save(tmp_path / "in.npy", image)
    with pytest.raises(Interrupted):
        restore_file(
            tmp_path / "in.npy", PSF, tmp_path / "out.npy", "wiener:noise_to_signal=0.5", progress=interrupt_at(0.9)
        )
    found = restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", "wiener:noise_to_signal=0.02", resume=True)
    assert found["warnings"] == ["the work that had been begun was another (options differed): all was done anew"]
    assert_same(np.load(tmp_path / "out.npy"), in_memory(image, "wiener", {"noise_to_signal": 0.02}))


def test_the_scratch_file_may_lie_elsewhere_and_goes_away(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    np.save(tmp_path / "in.npy", picture(301, 257))
    seen: list[list[str]] = []

    def progress(_share: float) -> None:
        seen.append([path.name for path in (tmp_path / "scratch").rglob("*")])

    restore_file(
        tmp_path / "in.npy",
        PSF,
        tmp_path / "out.npy",
        "wiener:noise_to_signal=0.02",
        scratch=tmp_path / "scratch",
        progress=progress,
    )
    assert any("spectrum" in names for names in seen)
    assert not list((tmp_path / "scratch").iterdir())


def test_two_at_the_same_work_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", picture(301, 257))

    def again(_share: float) -> None:
        with pytest.raises(BlockingIOError, match="another process is making"):
            restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", "wiener:noise_to_signal=0.02")
        raise Interrupted

    with pytest.raises(Interrupted):
        restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", "wiener:noise_to_signal=0.02", progress=again)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"memory": 1 << 20}, "memory must be at least"),
        ({"memory": "300M"}, "memory must be a whole number of bytes, got '300M'"),
        ({"method": "wienr"}, "method must be one of"),
        (
            {"boundary": "taper"},
            "boundary must be wrap or reflect or symmetric or edge or constant or unknown to be had",
        ),
        ({"mask": "nan"}, "mask 'nan' cannot be had in blocks"),
        ({"per_channel": True}, "per_channel True cannot be had"),
        ({"psf": np.full((302, 1), 1 / 302)}, "larger than the image"),
        ({"psf": np.full((2, 2, 2), 1 / 8)}, "psf must have two axes"),
        ({"output": "in.npy"}, "is the same as the input"),
        ({"output": "there.npy"}, "exists: overwrite=True replaces it"),
        ({"output": "nowhere/out.npy"}, "the folder of the output"),
        ({"output": "out.png"}, "must end in one of .tif, .tiff, .btf, .zarr, .npy"),
        ({"source": "text.tif"}, "is no TIFF, Zarr or .npy"),
        ({"source": "missing.npy"}, "missing.npy"),
        ({"source": "complex.npy"}, "holds pixels of dtype complex128"),
        ({"source": "nan.npy"}, "image, from row 0 on, must be finite"),
        ({"source": "columns.npy"}, "of shape (301, 257) in Fortran order"),
        ({"source": "line.npy"}, "of shape (301,), which has no rows and columns"),
        ({"source": "rgba.tif"}, "RGB colours and 1 samples beside them: only grey (MINISBLACK) and RGB"),
        ({"source": "cut.tif"}, "cut.tif is a damaged TIFF"),
        ({"source": "short.npy"}, "ends before its data do"),
        ({"scratch": "nowhere"}, "the scratch folder nowhere does not exist"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line_and_leaves_nothing(
    changed: dict[str, Any], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = picture(301, 257)
    np.save("in.npy", image)
    np.save("there.npy", image)
    np.save("complex.npy", image.astype(complex))
    np.save("nan.npy", np.where(image > 0, np.nan, 0.0))
    Path("short.npy").write_bytes(Path("in.npy").read_bytes()[:-1000])
    Path("text.tif").write_text("not a picture", "utf-8")
    np.save("columns.npy", np.asfortranarray(image))
    np.save("line.npy", image[:, 0])
    tifffile.imwrite("cut.tif", image, rowsperstrip=16, compression="zlib")
    Path("cut.tif").write_bytes(Path("cut.tif").read_bytes()[:200])
    tifffile.imwrite("rgba.tif", picture(60, 61, 4, dtype=np.uint8), photometric="rgb", extrasamples=["unassalpha"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    given: dict[str, Any] = {
        "source": "in.npy",
        "psf": PSF,
        "output": "out.npy",
        "method": "wiener:noise_to_signal=0.02",
    }
    with pytest.raises((ValueError, TypeError, OSError), match=re.escape(says)):
        restore_file(**(given | changed))
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert kept == before
    assert not Path("out.npy").exists()


def test_a_damaged_tiff_is_refused(tmp_path: Path) -> None:
    image = picture(301, 257)
    tifffile.imwrite(tmp_path / "in.tif", image, rowsperstrip=16, compression="zlib")
    data = bytearray((tmp_path / "in.tif").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    (tmp_path / "in.tif").write_bytes(data)
    with pytest.raises(StoreError, match=r"in\.tif (is damaged: strip or tile|holds a strip of) \d+"):
        restore_file(tmp_path / "in.tif", PSF, tmp_path / "out.tif", "wiener:noise_to_signal=0.02")
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


def test_a_strip_that_bursts_is_refused(tmp_path: Path) -> None:
    import zlib

    tifffile.imwrite(tmp_path / "in.tif", np.zeros((64, 64), np.uint8), rowsperstrip=64, compression="zlib")
    bomb = zlib.compress(bytes(1 << 22))
    with tifffile.TiffFile(tmp_path / "in.tif", mode="r+") as tiff:
        tags = tiff.pages.first.tags
        place = (tmp_path / "in.tif").stat().st_size
        tags["StripOffsets"].overwrite([place])
        tags["StripByteCounts"].overwrite([len(bomb)])
    place = (tmp_path / "in.tif").stat().st_size
    with tifffile.TiffFile(tmp_path / "in.tif", mode="r+") as tiff:
        tiff.pages.first.tags["StripOffsets"].overwrite([place])
    with (tmp_path / "in.tif").open("ab") as file:
        file.write(bomb)
    with pytest.raises(StoreError, match="made to burst"):
        restore_file(tmp_path / "in.tif", PSF, tmp_path / "out.tif", "wiener:noise_to_signal=0.02")


def test_a_filtered_block_goes_where_no_block_waits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = (rng.random((12, 23)) + 1j).astype(np.complex64)
    file = SpectrumFile(tmp_path / "spectrum", rows.shape, rows.dtype, width=5, strip=2)
    put_in = [file.write_rows(0, rows[:7]), file.write_rows(7, rows[7:])]
    assert [file.strips_of(number) for number in (0, 4)] == [
        [slice(0, 2), slice(2, 4), slice(4, 5)],
        [slice(20, 22), slice(22, 23)],
    ]

    def read(number: int) -> tuple[np.ndarray, list[np.ndarray]]:
        columns = file.columns_of(number)
        block = np.empty(12 * (columns.stop - columns.start), rows.dtype)
        file.read_block(number, block)
        return block, file.strips_in(number, block)

    for number in range(file.blocks):
        block, strips = read(number)
        np.testing.assert_array_equal(np.hstack(strips), rows[:, file.columns_of(number)])
        found = zip(*(checksums(strip, [0, 7]) for strip in strips), strict=True)
        assert [checksum_of_all(sums) for sums in found] == [sums[number] for sums in put_in]
        file.write_block(number, 2 * block)
        for later in range(number, file.blocks):  # what was not filtered is as it was
            np.testing.assert_array_equal(np.hstack(read(later)[1]), rows[:, file.columns_of(later)])
    into = np.empty((5, 23), rows.dtype)
    read_back = list(file.read_rows(4, into))
    assert [number for number, _ in read_back] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(into, 2 * rows[4:9])
    of_the_fourth = [np.ascontiguousarray(into[:, strip]) for strip in file.strips_of(3)]
    assert read_back[3][1] == checksum_of_all([checksum(strip) for strip in of_the_fourth])
    file.close()


def test_blocks_grow_with_the_memory_and_hold_whole_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restoretk.blockwise.engine._MOST_BLOCK", 1 << 26)

    class Planes:
        shape, dtype, row_step = (1, 16384, 16384), np.dtype(np.uint16), 64

    sizes = []
    for memory in (40, 80, 160):
        layout = Layout.within(Room(RESIDENT + (memory << 20)), Planes(), 64)  # type: ignore[arg-type]
        assert layout.rows % 64 == 0
        assert layout.columns % 16 == 0
        assert layout.starts == list(range(0, 16384, layout.rows))
        sizes.append((layout.rows, layout.columns))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    with pytest.raises(ValueError, match=r"memory must be at least \d+ MiB"):
        Layout.within(Room(RESIDENT + (20 << 20)), Planes(), 64)  # type: ignore[arg-type]


_WIDE = """
from pathlib import Path
import numpy as np
from restoretk.blockwise import restore_file
restore_file("in.npy", np.full((5, 101), 1 / 505), "out.npy", "wiener:noise_to_signal=0.01", memory=240 << 20)
peak = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmHWM:"))
print(int(peak.split()[1]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says how much memory a process took at most")
def test_wide_planes_under_the_unknown_boundary_keep_to_the_memory(tmp_path: Path, rng: np.random.Generator) -> None:
    np.save(tmp_path / "in.npy", rng.random((200, 60000), dtype=np.float32))
    found = subprocess.run([sys.executable, "-c", _WIDE], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert int(found.stdout) <= 240


@pytest.mark.parametrize("options", [{"boundary": "wrap"}, {}, {"method": "richardson_lucy:iterations=3"}])
def test_threads_give_the_same_pixels(options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restoretk.blockwise.engine._SUB_BLOCK", 1 << 15)
    monkeypatch.setattr("restoretk.blockwise.engine._STRIP", 1 << 15)
    monkeypatch.setattr("restoretk.blockwise.engine._MOST_BLOCK", 1 << 18)
    image = picture(2, 501, 457)
    np.save(tmp_path / "in.npy", image)
    with scipy.fft.set_workers(3):
        found = restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", **options)
    method, _, _ = options.get("method", "wiener").partition(":")
    given = {"iterations": 3} if method == "richardson_lucy" else {}
    expected = METHODS[method](image, PSF, boundary=options.get("boundary", "unknown"), **given)
    assert_same(np.load(tmp_path / "out.npy"), expected)
    alone = restore_file(tmp_path / "in.npy", PSF, tmp_path / "alone.npy", **options)
    assert found["clipped"] == alone["clipped"]


def test_a_thread_more_needs_memory_more(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", picture(301, 257))
    options: dict[str, Any] = {"memory": 80 << 20, "overwrite": True}
    restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", "wiener:noise_to_signal=0.02,boundary=wrap", **options)
    with scipy.fft.set_workers(4), pytest.raises(ValueError, match=r"memory must be at least 1\d\d MiB"):
        restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", "wiener:noise_to_signal=0.02", **options)


def test_the_memory_of_the_process_is_what_the_system_says() -> None:
    kilobytes = int(re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))[1])  # type: ignore[index]
    assert resident_bytes() == pytest.approx(1024 * kilobytes, rel=0.1)


@pytest.mark.parametrize("boundary", ["unknown", "reflect", "symmetric", "edge", "constant", "wrap"])
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("wiener", {}),
        ("regularized_filter", {"regularization": "gcv"}),
        ("regularized_filter", {"regularization": 0.01}),
    ],
)
def test_every_boundary_with_every_rule(boundary: str, method: str, options: dict[str, Any], tmp_path: Path) -> None:
    image = picture(2, 157, 203, dtype=np.float64)
    np.save(tmp_path / "in.npy", image)
    found = restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", method, boundary=boundary, **options)
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), METHODS[method](image, PSF, boundary=boundary, **options), atol=1e-10
    )
    assert found["boundary"] == boundary


def cut_off(folder: Path, share: float, suffix: str = ".npy", **options: Any) -> Path:
    """Work on in.npy that was stopped there, and where it is kept."""
    with pytest.raises(Interrupted):
        restore_file(folder / "in.npy", PSF, folder / f"out{suffix}", progress=interrupt_at(share), **options)
    assert not (folder / f"out{suffix}").exists()
    return folder / f".restoretk-out{suffix}"


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_what_was_found_beyond_the_frame_is_found_again_if_it_is_damaged(damage: str, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", picture(2, 157, 203))
    restore_file(tmp_path / "in.npy", PSF, tmp_path / "whole.npy")
    ring = cut_off(tmp_path, 0.75) / "ring-1.npy"
    data = ring.read_bytes()
    if damage == "gone":
        ring.unlink()
    else:
        ring.write_bytes(data[: len(data) // 2] if damage == "cut" else data[:-9] + bytes(9))
    restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", resume=True)
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".zarr"])
@pytest.mark.parametrize("damage", ["empty", "cut", "gone"])
def test_an_unfinished_output_that_is_damaged_is_made_anew(suffix: str, damage: str, tmp_path: Path) -> None:
    if suffix == ".zarr":
        pytest.importorskip("zarr", reason="the extra scale")
    np.save(tmp_path / "in.npy", picture(2, 301, 257))
    options: dict[str, Any] = {"method": "wiener:noise_to_signal=0.02"}
    restore_file(tmp_path / "in.npy", PSF, tmp_path / f"whole{suffix}", **options)
    output = cut_off(tmp_path, 0.9, suffix, **options) / f"output{suffix}"
    for file in [output] if output.is_file() else [file for file in output.rglob("*") if file.is_file()]:
        data = file.read_bytes()
        if damage == "gone":
            file.unlink()
        else:
            file.write_bytes(data[: len(data) // 2] if damage == "cut" else b"")
    restore_file(tmp_path / "in.npy", PSF, tmp_path / f"out{suffix}", resume=True, **options)
    whole, made = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    files = [Path()] if whole.is_file() else [path.relative_to(whole) for path in whole.rglob("*") if path.is_file()]
    assert files
    assert all((whole / file).read_bytes() == (made / file).read_bytes() for file in files)
    assert not (tmp_path / f".restoretk-out{suffix}").exists()


def test_work_that_was_cut_off_is_not_thrown_away_without_a_word(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", picture(301, 257))
    folder = cut_off(tmp_path, 0.9)
    steps = (folder / "journal").read_bytes().count(b"\n")
    says = "was cut off and is kept in .* resume=True goes on with it, overwrite=True begins anew"
    with pytest.raises(FileExistsError, match=says):
        restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy")
    assert (folder / "journal").read_bytes().count(b"\n") == steps
    restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", overwrite=True)
    with pytest.raises(FileExistsError, match="exists, and no work on it is unfinished: overwrite=True replaces it"):
        restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", resume=True)


@pytest.mark.parametrize("later", ["unsaid", "the same", "another"])
def test_a_scratch_folder_is_remembered_and_left_empty(later: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "in.npy", picture(301, 257))
    restore_file(tmp_path / "in.npy", PSF, tmp_path / "whole.npy")
    cut_off(tmp_path, 0.9, scratch=tmp_path / "one")
    assert list((tmp_path / "one").rglob("spectrum"))
    scratch = {"unsaid": None, "the same": tmp_path / "one", "another": tmp_path / "two"}[later]
    restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", resume=True, scratch=scratch)
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert not list((tmp_path / "one").iterdir()) + list((tmp_path / "two").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "one", "out.npy", "two", "whole.npy"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planar", [False, True])
def test_a_photograph_in_linear_light(planar: bool, dtype: Any, tmp_path: Path) -> None:
    image = picture(151, 129, 3, dtype=dtype)
    stored = np.moveaxis(image, -1, 0) if planar else image
    tifffile.imwrite(
        tmp_path / "in.tif", stored, photometric="rgb", planarconfig="separate" if planar else "contig", rowsperstrip=7
    )
    found = restore_file(tmp_path / "in.tif", PSF, tmp_path / "out.tif", "wiener:noise_to_signal=0.02", space="auto")
    light = SRGB.decode(image.astype(np.float32) / np.iinfo(dtype).max)
    restored = SRGB.encode(wiener(light, PSF, noise_to_signal=0.02, channel_axis=-1))
    expected = np.rint(restored.clip(0, 1) * np.iinfo(dtype).max).astype(dtype)
    result = tifffile.imread(tmp_path / "out.tif")
    assert_same(np.moveaxis(result, 0, -1) if planar else result, expected)
    assert "linear light" in found["space"]
    as_they_stand = restore_file(tmp_path / "in.tif", PSF, tmp_path / "b.tif", "wiener:noise_to_signal=0.02")
    assert "code values" in as_they_stand["space"]


def test_pixels_outside_the_range_are_counted(tmp_path: Path) -> None:
    image = (picture(64, 57, dtype=np.float64) > 0.5).astype(np.uint8) * 255
    np.save(tmp_path / "in.npy", image)
    found = restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", "wiener:noise_to_signal=0.02")
    values = wiener(image / 255, PSF, noise_to_signal=0.02)
    assert found["clipped"] == np.count_nonzero((values < -0.5 / 255) | (values > 1 + 0.5 / 255)) > 0


def test_integers_that_are_dark_for_their_dtype_are_warned_of_once(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", picture(2, 301, 257).astype(np.int32))
    found = restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", "wiener:noise_to_signal=0.02")
    assert [w for w in found["warnings"] if "int32" in w] == [
        w for w in found["warnings"] if "read as fractions of 2147483647: for other units" in w
    ]
    assert sum("int32" in warning for warning in found["warnings"]) == 1


@pytest.mark.parametrize("axis", [0, 1])
def test_a_seam_is_warned_of(axis: int, tmp_path: Path) -> None:
    ramp = np.moveaxis(np.linspace(0, 1, 157)[:, None] + 0.001 * picture(157, 203, dtype=np.float64), axis, 0)
    np.save(tmp_path / "in.npy", np.ascontiguousarray(ramp))
    options: dict[str, Any] = {"method": "wiener:noise_to_signal=0.02"}
    found = restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", boundary="wrap", **options)
    assert any("takes the picture for periodic" in warning for warning in found["warnings"])
    found = restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", overwrite=True, **options)
    assert not any("periodic" in warning for warning in found["warnings"])


@pytest.mark.parametrize("method", ["wiener:noise_to_signal=0.02", "wiener", "richardson_lucy:iterations=3"])
@pytest.mark.parametrize("boundary", ["unknown", "wrap", "reflect"])
def test_faint_rows_of_a_bright_picture_are_no_extreme(method: str, boundary: str, tmp_path: Path) -> None:
    image = picture(301, 257, dtype=np.float64)
    image[:60] *= 1e-17
    image[-2:] = image[:2]
    np.save(tmp_path / "in.npy", image)
    restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", method, boundary=boundary)
    name, options = make_method(method)
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), METHODS[name](image, PSF, boundary=boundary, **options), atol=1e-7
    )


@pytest.mark.parametrize("factor", [1e-20, 1e12])
def test_pictures_of_extreme_size_are_refused_before_there_is_an_output(factor: float, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", factor * picture(301, 257, dtype=np.float64))
    with pytest.raises(ValueError, match=r"image holds numbers of extreme size.* scale them to about 1"):
        restore_file(tmp_path / "in.npy", PSF, tmp_path / "out.npy", "wiener", boundary="wrap")
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]


def test_a_tiff_that_is_stored_turned_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", picture(60, 61), extratags=[(274, "H", 1, 6, True)])
    with pytest.raises(StoreError, match=r"in\.tif is stored turned \(orientation 6\)"):
        restore_file(tmp_path / "in.tif", PSF, tmp_path / "out.tif")


def test_a_damaged_chunk_of_a_zarr_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", reason="the extra scale")
    array = zarr.create_array(tmp_path / "in.zarr", shape=(2, 301, 257), dtype="uint16", chunks=(1, 64, 100))
    array[:] = picture(2, 301, 257)
    chunk = tmp_path / "in.zarr" / "c" / "1" / "2" / "1"
    chunk.write_bytes(chunk.read_bytes()[:50])
    with pytest.raises(StoreError, match=r"in\.zarr holds a damaged chunk in rows \d+ to \d+ of plane \(1,\)"):
        restore_file(tmp_path / "in.zarr", PSF, tmp_path / "out.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["in.zarr"]
