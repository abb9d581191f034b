"""On Dask the pixels are those in memory, on threads and on a cluster that loses a worker."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from restoretk import METHODS
from restoretk._arrays import Array
from restoretk.blockwise import restore_dask, restore_zarr_on_cluster
from restoretk.catalogue import make_method

da = pytest.importorskip("dask.array", reason="the extra scale")
distributed = pytest.importorskip("distributed", reason="the extra scale")
zarr = pytest.importorskip("zarr", reason="the extra scale")

PSF = np.array([[0.05, 0.3], [0.1, 0.2], [0.25, 0.1]])
# What distributed says while it goes away is not about restoretk.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning:distributed"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restoretk.blockwise.dask_graph._CHUNK", 1 << 16)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit="2GB"
    ) as found:
        yield found


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


def assert_same(found: Array, expected: Array) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if found.dtype.kind in "iu":
        assert np.abs(found.astype(np.int64) - expected.astype(np.int64)).max() <= 1
    else:
        np.testing.assert_allclose(found, expected, atol=3e-6 if found.dtype == np.float32 else 1e-9)


BOUNDARIES = ["unknown", "wrap", "reflect", "symmetric", "edge", "constant"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("wiener", {"noise_to_signal": 0.02}),
        ("wiener", {}),
        ("regularized_filter", {"regularization": "gcv"}),
        ("inverse_filter", {"cutoff": 0.21}),  # 0.2 is the OTF at a frequency, where rounding would decide
    ],
)
@pytest.mark.parametrize(("shape", "chunks"), [((301, 257), (50, 64)), ((2, 2, 51, 103), (1, 2, 51, 30))])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_a_dask_array_in_a_dask_array_out(
    method: str, boundary: str, options: dict[str, Any], shape: tuple[int, ...], chunks: tuple[int, ...], dtype: Any
) -> None:
    image = picture(*shape, dtype=dtype)
    restored = restore_dask(da.from_array(image, chunks=chunks), PSF, method, boundary=boundary, **options)
    assert isinstance(restored, da.Array)
    assert restored.shape == image.shape
    assert restored.dtype == image.dtype
    assert restored.npartitions > 1
    expected = METHODS[method](image, PSF, boundary=boundary, **options)
    assert_same(restored.compute(scheduler="threads"), expected)
    assert_same(restored[..., 20:40, 30:50].compute(scheduler="synchronous"), expected[..., 20:40, 30:50])


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("shape", "blocks"), [((301, 249), (3, 2)), ((2, 151, 203), (2, 1, 2)), ((2, 2, 43, 50), (2, 2, 1, 1))]
)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_richardson_lucy_in_blocks_that_overlap(
    dtype: Any,
    shape: tuple[int, ...],
    blocks: tuple[int, ...],
    boundary: str,
    lopsided_psf: Array,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restoretk.blockwise.dask_overlapping._SIDE", 90)
    image = picture(*shape, dtype=dtype)
    options: dict[str, Any] = {"iterations": 5, "boundary": boundary}
    restored = restore_dask(da.from_array(image, chunks=70), lopsided_psf, "richardson_lucy", **options)
    assert restored.numblocks == blocks
    expected = METHODS["richardson_lucy"](image, lopsided_psf, **options)
    assert_same(restored.compute(scheduler="threads"), expected)
    assert_same(restored[..., 20:40, 30:50].compute(scheduler="synchronous"), expected[..., 20:40, 30:50])


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_richardson_lucy_on_dask_leaves_out_what_is_not_a_number(
    boundary: str, lopsided_psf: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restoretk.blockwise.dask_overlapping._SIDE", 90)
    image = picture(301, 257, dtype=np.float64)
    image[100:104, 3:240] = np.nan
    options: dict[str, Any] = {"iterations": 5, "boundary": boundary, "mask": "nan"}
    array = da.from_array(image, chunks=70)
    restored = restore_dask(array, lopsided_psf, "richardson_lucy", **options).compute(scheduler="threads")
    assert_same(restored, METHODS["richardson_lucy"](image, lopsided_psf, **options))
    unmasked = restore_dask(array, lopsided_psf, "richardson_lucy:iterations=5")
    with pytest.raises(ValueError, match="must be finite") as error:
        unmasked.compute(scheduler="synchronous")
    found = re.findall(r"from row (\d+)(?: and column (\d+))? on.* at \((\d+), (\d+)\)", str(error.value))[0]
    row, column, within, across = (int(each or 0) for each in found)
    assert np.isnan(image[row + within, column + across])
    nothing = restore_dask(da.from_array(np.full((2, 30, 31), np.nan)), lopsided_psf, "richardson_lucy", mask="nan")
    with pytest.raises(ValueError, match="mask must leave at least one pixel of every plane observed"):
        nothing.compute(scheduler="synchronous")


def test_a_reach_that_fills_the_memory_of_a_worker_is_warned_of(lopsided_psf: Array) -> None:
    image = da.zeros((20000, 20000), dtype=np.float32, chunks=5000)
    with pytest.warns(UserWarning, match=r"reach so far that a block takes \d+\.\d GiB"):
        restore_dask(image, lopsided_psf, "richardson_lucy:iterations=1000")


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    asked: list[Any] = []

    def block(block_info: Any = None) -> Array:
        asked.append(block_info)
        return np.ones((50, 257))

    image = da.map_blocks(block, chunks=((50,) * 6, (257,)), dtype=float, meta=np.empty((0, 0)))
    restored = restore_dask(image, PSF, "wiener:noise_to_signal=0.02", boundary="wrap")
    assert not asked
    np.testing.assert_allclose(restored.compute(scheduler="synchronous"), 1 / 1.02, atol=1e-12)
    assert asked


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"boundary": "taper"}, "boundary must be unknown or wrap or reflect"),
        ({"mask": "nan"}, "mask 'nan' cannot be had on Dask: it takes many passes"),
        ({"mask": "saturated", "method": "richardson_lucy"}, "mask 'saturated' cannot be had on Dask: of masks"),
        ({"iterations": 0, "method": "richardson_lucy"}, "iterations must be a whole number from 1 to 100000, got 0"),
        ({"channel_axis": -1}, "channel_axis -1 cannot be had on Dask: the last two axes are rows and columns"),
        ({"image": np.zeros((0, 60, 50))}, "image must not be empty, got shape (0, 60, 50)"),
        ({"image": np.zeros(60)}, "image must have two axes or more, got shape (60,)"),
        ({"method": "wienr"}, "method must be one of"),
        ({"psf": np.full((302, 1), 1 / 302)}, "larger than the image"),
        ({"image": np.zeros((30, 30), complex)}, "image must hold integers or floats"),
    ],
)
def test_what_cannot_be_done_is_refused(changed: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {"image": picture(301, 257), "psf": PSF, "method": "wiener:noise_to_signal=0.02"} | changed
    given["image"] = da.from_array(given["image"])
    with pytest.raises((ValueError, TypeError), match=re.escape(says)):
        restore_dask(**given)


@pytest.mark.parametrize("method", ["wiener", "richardson_lucy"])
def test_chunks_of_unknown_sizes_are_refused(method: str) -> None:
    image = da.from_array(picture(61, 57), chunks=20)
    with pytest.raises(ValueError, match=r"of sizes that are not known yet: image\.compute_chunk_sizes\(\)"):
        restore_dask(image[image[:, 0] > 0], PSF, method)


@pytest.mark.parametrize("method", ["wiener:noise_to_signal=0.02", "richardson_lucy:iterations=3"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("psf", "shape"), [((1, 9), (2, 1, 92)), ((1, 1), (3, 40, 41)), ((4, 1), (90, 1))])
def test_an_axis_that_nothing_is_laid_beyond(
    psf: tuple[int, int], shape: tuple[int, ...], boundary: str, method: str
) -> None:
    kernel = np.arange(1.0, 1 + psf[0] * psf[1]).reshape(psf)
    kernel /= kernel.sum()
    image = picture(*shape, dtype=np.float64)
    found = restore_dask(da.from_array(image, chunks=30), kernel, method, boundary=boundary)
    name, options = make_method(method)
    assert_same(found.compute(scheduler="threads"), METHODS[name](image, kernel, boundary=boundary, **options))


@pytest.mark.parametrize("method", ["wiener:noise_to_signal=0.02", "richardson_lucy:iterations=3"])
def test_faint_blocks_of_a_bright_picture_are_no_extreme(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restoretk.blockwise.dask_overlapping._SIDE", 90)
    image = picture(301, 257, dtype=np.float32)
    image[100:] = 1e-12
    name, options = make_method(method)
    found = restore_dask(da.from_array(image, chunks=70), PSF, method).compute(scheduler="threads")
    assert_same(found, METHODS[name](image, PSF, **options))


def test_nan_in_a_block_is_refused_when_it_is_met() -> None:
    image = picture(301, 257, dtype=np.float64)
    image[200, 100] = np.nan
    options = {"boundary": "wrap", "noise_to_signal": 0.02}
    restored = restore_dask(da.from_array(image, chunks=(50, 257)), PSF, "wiener", **options)
    with pytest.raises(ValueError, match="must be finite") as error:
        restored.compute(scheduler="synchronous")
    row, within, column = map(int, re.findall(r"from row (\d+) on.* at \((\d+), (\d+)\)", str(error.value))[0])
    assert (row + within, column) == (200, 100)


def test_an_array_that_is_none_of_dasks_is_refused() -> None:
    with pytest.raises(TypeError, match=r"image must be a Dask array, got ndarray: dask\.array\.from_array makes one"):
        restore_dask(picture(30, 31), PSF)


def test_wide_integers_are_warned_of_when_the_graph_is_made_and_not_by_the_workers() -> None:
    image = da.from_array(picture(301, 257).astype(np.int32), chunks=(50, 257))
    with pytest.warns(UserWarning, match="int32 is read as fractions of 2147483647"):
        restored = restore_dask(image, PSF, "wiener:noise_to_signal=0.02")
    restored.compute(scheduler="synchronous")  # a warning of a worker would be an error


def test_a_cluster_that_loses_a_worker_in_the_middle_loses_nothing_else(cluster: Any) -> None:
    image = picture(1501, 1203)
    expected = METHODS["wiener"](image, PSF, noise_to_signal=0.02)
    with distributed.Client(cluster) as client:
        restored = restore_dask(da.from_array(image, chunks=(200, 1203)), PSF, "wiener:noise_to_signal=0.02")
        before = set(client.scheduler_info(n_workers=-1)["workers"])
        future = client.compute(restored)
        victim = next(iter(client.run(os.getpid).values()))
        killed = threading.Event()

        def kill_one() -> None:
            while not client.run_on_scheduler(lambda dask_scheduler: any(dask_scheduler.tasks.values())):
                time.sleep(0.001)
            os.kill(victim, signal.SIGKILL)
            killed.set()

        kill_one()
        assert killed.is_set()
        assert_same(future.result(timeout=120), expected)
        limit = time.monotonic() + 60
        while set(client.scheduler_info(n_workers=-1)["workers"]) == before and time.monotonic() < limit:
            time.sleep(0.05)
        assert set(client.scheduler_info(n_workers=-1)["workers"]) != before


@pytest.mark.parametrize(
    ("method", "boundary", "options"),
    [
        ("wiener:noise_to_signal=0.02", "unknown", {"noise_to_signal": 0.02}),
        ("regularized_filter", "unknown", {}),
        ("richardson_lucy:iterations=4", "unknown", {"iterations": 4}),
    ],
)
def test_a_zarr_on_a_cluster(cluster: Any, method: str, boundary: str, options: dict[str, Any], tmp_path: Path) -> None:
    image = picture(2, 301, 257)
    stored = zarr.create_array(tmp_path / "in.zarr", shape=image.shape, dtype=image.dtype, chunks=(1, 64, 100))
    stored[:] = image
    stored.attrs["instrument"] = "a microscope"
    name = method.partition(":")[0]
    found = restore_zarr_on_cluster(cluster.scheduler_address, tmp_path / "in.zarr", PSF, tmp_path / "out.zarr", method)
    assert found["method"] == name
    written = zarr.open_array(tmp_path / "out.zarr", mode="r")
    assert_same(written[:], METHODS[name](image, PSF, boundary=boundary, **options))
    assert written.attrs["instrument"] == "a microscope"
    assert written.attrs["restoretk"]["boundary"] == found["boundary"] == boundary
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.zarr", "out.zarr"]


def test_a_scheduler_that_does_not_answer_is_an_error_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restoretk.blockwise.cluster._PATIENCE", "1s")
    stored = zarr.create_array(tmp_path / "in.zarr", shape=(64, 64), dtype=np.uint16, chunks=(64, 64))
    stored[:] = picture(64, 64)
    with pytest.raises(OSError, match=r"the scheduler tcp://127\.0\.0\.1:9 does not answer"):
        restore_zarr_on_cluster("tcp://127.0.0.1:9", tmp_path / "in.zarr", PSF, tmp_path / "out.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["in.zarr"]
