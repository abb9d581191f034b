"""`restoretk deblur-large` from the outside: pixels, errors in a line, and being stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from restoretk import wiener
from restoretk._arrays import Array

METHOD = ["--method", "wiener:noise_to_signal=0.02"]


def run(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "restoretk", "deblur-large", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.fixture
def image(tmp_path: Path) -> Array:
    pixels = np.random.default_rng(1).integers(0, 60000, (701, 523), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", pixels)
    np.save(tmp_path / "psf.npy", np.array([[0.05, 0.3], [0.1, 0.2], [0.25, 0.1]]))
    return pixels


def test_the_pixels_are_those_in_memory_and_what_was_done_is_told(image: Array, tmp_path: Path) -> None:
    done = run("in.tif", "--psf", "psf.npy", *METHOD, "-o", "out.tif", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["parameters"]["noise_to_signal"] == 0.02
    assert told["shape"] == [1, 701, 523]
    assert "wiener: noise_to_signal=0.02" in done.stderr
    expected = wiener(image, np.load(tmp_path / "psf.npy"), noise_to_signal=0.02)
    assert np.abs(tifffile.imread(tmp_path / "out.tif").astype(int) - expected).max() <= 1
    quiet = run("in.tif", "--psf", "psf.npy", *METHOD, "-o", "out.tif", "--force", "--quiet", "-j", "2", cwd=tmp_path)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (
            ["in.tif", "--psf", "disk:radius=2", "-o", "there.tif"],
            1,
            "exists: --force replaces it",
        ),
        (["in.tif", "--psf", "disk:radius=2", "-o", "out.png"], 1, "must end in one of .tif"),
        (["in.tif", "--psf", "disk:radius=2", "-o", "in.tif", "--force"], 1, "is the same as the input"),
        (["in.tif", "--psf", "psf.npy", "-o", "psf.npy", "--force"], 1, "is the same file as the PSF psf.npy"),
        (["missing.tif", "--psf", "disk:radius=2", "-o", "out.tif"], 1, "missing.tif"),
        (["text.tif", "--psf", "disk:radius=2", "-o", "out.tif"], 1, "is no TIFF, Zarr or .npy"),
        (["in.tif", "--psf", "disc:radius=2", "-o", "out.tif"], 2, "did you mean 'disk'"),
        (["in.tif", "--psf", "disk:radius=2", "--method", "wienr", "-o", "out.tif"], 2, "did you mean 'wiener'"),
        (
            ["in.tif", "--psf", "disk:radius=2", "-o", "out.tif", "--boundary", "taper"],
            2,
            "boundary must be wrap or reflect",
        ),
        (
            [
                "in.tif",
                "--psf",
                "disk:radius=2",
                "-o",
                "out.tif",
                "--boundary",
                "wrap",
                "--method",
                "wiener:boundary=edge",
            ],
            2,
            "both say the boundary",
        ),
        (
            [
                "in.tif",
                "--psf",
                "disk:radius=2",
                "-o",
                "out.zarr",
                "--scheduler",
                "tcp://127.0.0.1:9",
                "--memory",
                "1G",
            ],
            2,
            "--memory cannot be had with --scheduler",
        ),
        (
            ["gone.zarr", "--psf", "disk:radius=2", "-o", "out.zarr", "--scheduler", "tcp://127.0.0.1:9"],
            1,
            "gone.zarr: No such file",
        ),
        (["in.tif", "--psf", "disk:radius=2", "-o", "out.tif", "--memory", "20M"], 1, "memory must be at least"),
        (["in.tif", "--psf", "disk:radius=2", "-o", "out.tif", "--memory", "a lot"], 2, "is not an amount"),
        (["in.tif", "--psf", "disk:radius=2", "-o", "out.tif", "--scheduler", "tcp://127.0.0.1:9"], 2, "Zarr in"),
        (["in.tif", "--psf", "disk:radius=900", "-o", "out.tif"], 1, "larger than the image"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing(
    words: list[str], code: int, says: str, image: Array, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "there.tif", image)
    (tmp_path / "text.tif").write_text("not a picture", "utf-8")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = run(*words, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("restoretk: error: ")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_work_that_is_stopped_goes_on_with_resume(number: signal.Signals, code: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 60000, (6, 2001, 1523), dtype=np.uint16)
    np.save(tmp_path / "in.npy", pixels)
    words = ["in.npy", "--psf", "disk:radius=2", *METHOD, "-o", "out.npy"]
    command = [sys.executable, "-m", "restoretk", "deblur-large", *words]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / ".restoretk-out.npy" / "journal"
    limit = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < limit:
        if journal.exists() and journal.read_bytes().count(b"\n") > 3:
            break
        time.sleep(0.002)
    process.send_signal(number)
    said = process.communicate()[1]
    assert process.returncode == code, said
    assert said.splitlines() == [
        "restoretk: what is done is kept in .restoretk-out.npy: --resume goes on with it",
        f"restoretk: error: {'interrupted' if number == signal.SIGINT else 'terminated'}",
    ]
    assert not (tmp_path / "out.npy").exists()
    assert journal.exists()
    assert run(*words, "--resume", cwd=tmp_path).returncode == 0
    assert run(*words[:-1], "whole.npy", cwd=tmp_path).returncode == 0
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "out.npy", "whole.npy"]


WITHOUT_RIGHTS = """
import ctypes, sys
header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capset(header, nothing) == 0  # access rights hold for root too
from restoretk.__main__ import main
sys.argv[0] = "restoretk"
sys.exit(main())
"""


@pytest.mark.usefixtures("image")
def test_a_folder_that_may_not_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    words = ["deblur-large", "in.tif", "--psf", "disk:radius=2", *METHOD, "-o", "closed/out.tif"]
    done = subprocess.run([sys.executable, "-c", WITHOUT_RIGHTS, *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "closed").iterdir())
