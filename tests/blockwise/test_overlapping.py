"""Richardson-Lucy in blocks that overlap gives the pixels of the whole, however it is cut, or says why it cannot."""

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
import tifffile

from restoretk import richardson_lucy
from restoretk._arrays import Array
from restoretk.blockwise import restore_file
from restoretk.blockwise.tiling import Cut, Tiling
from restoretk.restoration._em_steps import reach

RESIDENT = 50 << 20
METHOD = "richardson_lucy:iterations=6"


@pytest.fixture(autouse=True)
def small_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of 50 MB, whatever else these tests have loaded, that reads and writes a few rows at a time."""
    monkeypatch.setattr("restoretk.blockwise.engine.resident_bytes", lambda: RESIDENT)
    monkeypatch.setattr("restoretk.blockwise.stores.PlainFile.overhead", 0)
    for module in ("stores", "extended", "light", "overlapping"):
        monkeypatch.setattr(f"restoretk.blockwise.{module}._AT_A_TIME", 1 << 14)


def room(kilobytes: int) -> int:
    """Memory that leaves so much for the blocks."""
    return RESIDENT + (24 << 20) + kilobytes * 1000


@pytest.fixture
def tilings(monkeypatch: pytest.MonkeyPatch) -> list[Tiling]:
    """The blocks that are chosen."""
    chosen: list[Tiling] = []
    honest = Tiling.within

    def within(*given: Any) -> Tiling:
        chosen.append(honest(*given))
        return chosen[-1]

    monkeypatch.setattr(Tiling, "within", within)
    return chosen


def picture(rng: np.random.Generator, dtype: Any, *shape: int) -> Array:
    kind = np.dtype(dtype)
    values = 0.05 + 0.9 * rng.random(shape)
    return np.rint(values * np.iinfo(kind).max).astype(kind) if kind.kind in "iu" else values.astype(kind)


def assert_same(found: Array, expected: Array) -> None:
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    if found.dtype.kind in "iu":
        difference = np.abs(found.astype(np.int64) - expected.astype(np.int64))
        assert difference.max() <= 1
        assert np.mean(difference > 0) < 0.05
    else:
        np.testing.assert_allclose(found, expected, atol=5e-5 if found.dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("boundary", ["unknown", "wrap", "reflect", "symmetric", "edge", "constant"])
@pytest.mark.parametrize(("kilobytes", "cut"), [(2500, (True, True)), (9000, (True, False)), (90000, (False, False))])
@pytest.mark.parametrize("holes", [False, True])
def test_the_pixels_are_those_of_the_whole_however_it_is_cut(
    boundary: str,
    kilobytes: int,
    cut: tuple[bool, bool],
    holes: bool,
    lopsided_psf: Array,
    rng: np.random.Generator,
    tilings: list[Tiling],
    tmp_path: Path,
) -> None:
    image = picture(rng, np.float64, 2, 361, 307)
    said: dict[str, Any] = {"boundary": boundary}
    if holes:
        image[:, 60:75, 3:250] = np.nan
        image[rng.random(image.shape) < 0.05] = np.nan
        image[1, -3:, -8:] = np.inf
        said["mask"] = "nan"
    np.save(tmp_path / "in.npy", image)
    told: list[float] = []
    found = restore_file(
        tmp_path / "in.npy",
        lopsided_psf,
        tmp_path / "out.npy",
        METHOD,
        memory=room(kilobytes),
        progress=told.append,
        **said,
    )
    assert_same(np.load(tmp_path / "out.npy"), richardson_lucy(image, lopsided_psf, iterations=6, **said))
    (tiling,) = tilings
    assert (len(tiling.rows.pieces) > 1, len(tiling.columns.pieces) > 1) == cut
    assert found["halo"] == reach(lopsided_psf, 6) == (2 + 5 * 3, 3 + 5 * 5)
    assert found["parameters"] == {"iterations": 6.0}
    assert found["boundary"] == boundary
    assert told == sorted(told)
    assert 0 <= told[0] <= told[-1] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "out.npy"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("suffix", [".npy", ".tif", ".zarr"])
def test_every_format_and_dtype(
    dtype: Any, suffix: str, lopsided_psf: Array, rng: np.random.Generator, tilings: list[Tiling], tmp_path: Path
) -> None:
    image = picture(rng, dtype, 361, 307)
    if suffix == ".zarr":
        zarr = pytest.importorskip("zarr", reason="the extra scale")
        stored = zarr.create_array(tmp_path / "in.zarr", shape=image.shape, dtype=dtype, chunks=(50, 70))
        stored[:] = image
    elif suffix == ".tif":
        tifffile.imwrite(tmp_path / "in.tif", image, rowsperstrip=7, compression="zlib")
    else:
        np.save(tmp_path / "in.npy", image)
    restore_file(tmp_path / f"in{suffix}", lopsided_psf, tmp_path / f"out{suffix}", METHOD, memory=room(1200))
    expected = richardson_lucy(image, lopsided_psf, iterations=6)
    if suffix == ".zarr":
        array = zarr.open_array(tmp_path / "out.zarr", mode="r")
        assert_same(array[:], expected)
        assert array.attrs["restoretk"]["iterations"] == 6
    elif suffix == ".tif":
        with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
            assert_same(tiff.asarray(), expected)
            assert json.loads(tiff.pages.first.description)["restoretk"][0]["method"] == "richardson_lucy"
    else:
        assert_same(np.load(tmp_path / "out.npy"), expected)
    (tiling,) = tilings
    assert len(tiling.rows.pieces) > 1
    assert len(tiling.columns.pieces) > 1


def test_a_photograph_in_linear_light(lopsided_psf: Array, rng: np.random.Generator, tmp_path: Path) -> None:
    from restoretk.tone_curve import SRGB

    image = picture(rng, np.uint16, 211, 207, 3)
    tifffile.imwrite(tmp_path / "in.tif", image, photometric="rgb")
    found = restore_file(
        tmp_path / "in.tif", lopsided_psf, tmp_path / "out.tif", METHOD, space="auto", memory=room(2500)
    )
    light = SRGB.decode(image.astype(np.float32) / 65535)
    restored = SRGB.encode(richardson_lucy(light, lopsided_psf, iterations=6, channel_axis=-1))
    assert_same(tifffile.imread(tmp_path / "out.tif"), np.rint(restored.clip(0, 1) * 65535).astype(np.uint16))
    assert "linear light" in found["space"]
    assert found["clipped"] == np.count_nonzero((restored > 1 + 0.5 / 65535) | (restored < -0.5 / 65535)) > 0


def test_a_pixel_feels_nothing_from_beyond_its_reach_and_something_from_there(rng: np.random.Generator) -> None:
    psf = np.zeros((5, 4))
    psf[1:, 1:] = rng.random((4, 3)) + 0.1  # its first row and column are dark
    psf /= psf.sum()
    image = 0.1 + rng.random((61, 67))
    for iterations in (1, 2, 5):
        rows, columns = reach(psf, iterations)
        felt = []
        for row, column in ((30 + rows + 1, 33), (30, 33 + columns + 1), (30 + rows, 33), (30, 33 - columns)):
            changed = image.copy()
            changed[row, column] *= 2
            # The same mean, from which the steps begin.
            changed[0, 0] += image.sum() - changed.sum()
            before, after = (
                richardson_lucy(each, psf, iterations=iterations, boundary="wrap")[30, 33] for each in (image, changed)
            )
            felt.append(abs(before - after))
        assert max(felt[:2]) < 1e-14
        assert iterations > 1 or max(felt[2:]) > 1e-6  # later the light that comes so far is little
        assert rows == 2 + (iterations - 1) * 3
        assert columns == 1 + (iterations - 1) * 2


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("step", [20, 64, 100, 300])
def test_pieces_lie_side_by_side_and_see_as_far_as_they_must(step: int, periodic: bool) -> None:
    cut = Cut(frame=301, laid=312, periodic=periodic, halo=20, side=6, step=step)
    pieces = cut.pieces
    assert [piece.start for piece in pieces] == [0, *(piece.stop for piece in pieces[:-1])]
    assert pieces[-1].stop == 301
    for piece in pieces:
        assert piece.first <= (piece.start - 20 if periodic and not cut.is_whole else max(0, piece.start - 20))
        assert piece.last >= (piece.stop + 20 if periodic and not cut.is_whole else min(312, piece.stop + 20))
        assert np.arange(piece.first, piece.last)[piece.within].tolist() == list(range(piece.start, piece.stop))
        assert cut.widest >= cut.torus(piece) >= piece.last - piece.first + (0 if cut.is_whole else 6)
    assert cut.is_whole == (periodic and step == 300)


def test_more_memory_means_less_work(
    lopsided_psf: Array, rng: np.random.Generator, tilings: list[Tiling], tmp_path: Path
) -> None:
    np.save(tmp_path / "in.npy", picture(rng, np.float32, 361, 307))
    for kilobytes in (1500, 2500, 4000, 7000, 90000):
        restore_file(
            tmp_path / "in.npy", lopsided_psf, tmp_path / "out.npy", METHOD, memory=room(kilobytes), overwrite=True
        )
    work = [tiling.work for tiling in tilings]
    assert work == sorted(work, reverse=True)
    assert work[0] > 1.5 * work[-1]


def test_where_no_overlap_is_safe_it_says_how_much_memory_is_needed(
    lopsided_psf: Array, rng: np.random.Generator, tmp_path: Path
) -> None:
    np.save(tmp_path / "in.npy", picture(rng, np.float32, 361, 307))
    given: dict[str, Any] = {"source": tmp_path / "in.npy", "psf": lopsided_psf, "output": tmp_path / "out.npy"}
    with pytest.raises(
        ValueError,
        match=r"overlap by 17 x 28 on every side, and no smaller overlap is safe .fewer iterations.*, got 74",
    ) as error:
        restore_file(**given, method=METHOD, memory=room(500))
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]
    needed = int(re.findall(r"memory must be at least (\d+) MiB", str(error.value))[0])
    restore_file(**given, method=METHOD, memory=needed << 20)
    (tmp_path / "out.npy").unlink()
    with pytest.raises(ValueError, match=r"overlap by 599 x 998 on every side"):
        restore_file(**given, method="richardson_lucy:iterations=200", memory=room(2500))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"iterations": 0}, "iterations must be a whole number from 1 to 100000, got 0"),
        ({"mask": "saturated"}, "mask 'saturated' cannot be had in blocks: of masks there is only 'nan'"),
        ({"mask": np.ones((361, 307), bool)}, "mask an array cannot be had in blocks: of masks there is only 'nan'"),
        ({"mask": False}, "mask False cannot be had in blocks"),
        ({"channel_axis": 0}, "channel_axis 0 cannot be had in blocks: the last two axes are rows and columns"),
        ({"noise_to_signal": 0.1}, "takes the options iterations"),
        ({"boundary": "smooth"}, "boundary must be wrap or"),
    ],
)
def test_what_cannot_be_done_is_refused(
    options: dict[str, Any], says: str, lopsided_psf: Array, rng: np.random.Generator, tmp_path: Path
) -> None:
    np.save(tmp_path / "in.npy", picture(rng, np.float32, 361, 307))
    with pytest.raises((ValueError, TypeError), match=re.escape(says)):
        restore_file(tmp_path / "in.npy", lopsided_psf, tmp_path / "out.npy", "richardson_lucy", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]


def test_nan_without_a_mask_and_a_plane_of_nothing_else_are_refused(
    lopsided_psf: Array, rng: np.random.Generator, tmp_path: Path
) -> None:
    image = picture(rng, np.float32, 2, 61, 57)
    image[1] = np.nan
    np.save(tmp_path / "in.npy", image)
    with pytest.raises(ValueError, match="must be finite"):
        restore_file(tmp_path / "in.npy", lopsided_psf, tmp_path / "out.npy", METHOD)
    with pytest.raises(ValueError, match="mask must leave at least one pixel of every plane observed"):
        restore_file(tmp_path / "in.npy", lopsided_psf, tmp_path / "out.npy", METHOD, mask="nan")
    with pytest.raises(ValueError, match="mask must leave at least one pixel of every plane observed"):
        richardson_lucy(image, lopsided_psf, mask="nan")


def test_numbers_below_zero_are_counted_and_warned_of(
    lopsided_psf: Array, rng: np.random.Generator, tmp_path: Path
) -> None:
    image = picture(rng, np.float64, 2, 161, 157)
    image[0, 3:5, 7:20] = -0.01
    image[1, 100, 150] = -1
    np.save(tmp_path / "in.npy", image)
    found = restore_file(tmp_path / "in.npy", lopsided_psf, tmp_path / "out.npy", METHOD, memory=room(2500))
    assert any("27 pixels are below 0" in warning for warning in found["warnings"])
    assert_same(np.load(tmp_path / "out.npy"), richardson_lucy(image, lopsided_psf, iterations=6))


KILLED = """
import sys
import numpy as np
from restoretk.blockwise import engine, restore_file, stores
engine.resident_bytes = lambda: 50 << 20
stores.PlainFile.overhead = 0
psf = np.array([[0.05, 0.3], [0.1, 0.2], [0.25, 0.1]])
restore_file(
    sys.argv[1], psf, sys.argv[2], "richardson_lucy:iterations=8", memory=int(sys.argv[3]), resume=True, overwrite=True
)
"""


def test_work_that_is_killed_again_and_again_ends_bit_identical(
    kill_again_and_again: Callable[..., int], rng: np.random.Generator, tmp_path: Path
) -> None:
    np.save(tmp_path / "in.npy", picture(rng, np.uint16, 3, 701, 657))
    whole, output = tmp_path / "whole.npy", tmp_path / "out.npy"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "in.npy")]
    subprocess.run([*command, str(whole), str(room(3000))], check=True)
    # With more memory from time to time: the blocks stay those in which it was begun.
    kills = kill_again_and_again(
        lambda kills: [*command, str(output), str(room(3000 + 1000 * kills))], output, range(4, 100, 5)
    )
    assert kills >= 2
    assert whole.read_bytes() == output.read_bytes()


def test_the_command_tells_of_the_overlap(lopsided_psf: Array, rng: np.random.Generator, tmp_path: Path) -> None:
    image = picture(rng, np.uint16, 161, 157)
    tifffile.imwrite(tmp_path / "in.tif", image)
    np.save(tmp_path / "psf.npy", lopsided_psf)
    words = ["deblur-large", "in.tif", "--psf", "psf.npy", "--method", METHOD, "-o", "out.tif", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "restoretk", *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "richardson_lucy: iterations=6" in done.stderr
    assert "overlap by 17 rows and 28 columns" in done.stderr
    assert json.loads(done.stdout)["halo"] == [17, 28]
    assert_same(tifffile.imread(tmp_path / "out.tif"), richardson_lucy(image, lopsided_psf, iterations=6))


@pytest.mark.parametrize("boundary", [None, "wrap"])
def test_the_command_leaves_out_what_is_not_a_number(
    boundary: str | None, lopsided_psf: Array, rng: np.random.Generator, tmp_path: Path
) -> None:
    image = picture(rng, np.float32, 161, 157)
    image[3:9, 40:44] = np.nan
    np.save(tmp_path / "in.npy", image)
    np.save(tmp_path / "psf.npy", lopsided_psf)
    chosen = {} if boundary is None else {"boundary": boundary}
    words = ["deblur-large", "in.npy", "--psf", "psf.npy", "-o", "out.npy", "--mask", "nan"]
    words += [f"--{name}={value}" for name, value in chosen.items()]

    def run(method: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "restoretk", *words, "--method", method]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    refused = run("wiener")
    assert refused.returncode == 2
    assert "mask 'nan' cannot be had in blocks" in refused.stderr
    done = run(METHOD)
    assert done.returncode == 0, done.stderr
    expected = richardson_lucy(image, lopsided_psf, iterations=6, mask="nan", **chosen)
    assert_same(np.load(tmp_path / "out.npy"), expected)
