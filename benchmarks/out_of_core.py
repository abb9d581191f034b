"""A 16384 x 16384 picture of 16 bits, Zarr and TIFF, restored out of core and in memory: CPU time, memory, and the pixels.

Each run is a process of its own with one thread: it reads the file, restores it (disk of radius 7.5, fixed noise-to-signal
ratio; boundary wrap, or --boundary; or another --method) and writes a file of the same format. In memory is the method on the
array, ``out=`` the array itself. CPU time is user and system time of the whole process; memory its largest resident set, over
the bytes of the pixels. With --kill the work is killed (SIGKILL) at a few places and resumed, and the output compared byte by
byte.

    python benchmarks/out_of_core.py [--side 16384] [--memory 290M] [--boundary wrap] [--method SPEC] [--rounds 3] [--kill]
                                     [--folder DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import ONE_THREAD, Figure, write_figures

PSF_SPEC = "disk:radius=7.5"
METHOD = "wiener:noise_to_signal=0.01"
KINDS = ("tif", "zarr")


def make_picture(folder: Path, side: int) -> None:
    """A scene of 16 bits, a few rows at a time, as TIFF and as Zarr."""
    import tifffile
    import zarr

    rng = np.random.default_rng(0)
    small = rng.random((side // 64 + 2, side // 64 + 2)) * 50000
    chunk = min(1024, side)
    stored = zarr.create_array(
        folder / "in.zarr", shape=(side, side), chunks=(chunk, chunk), dtype=np.uint16, compressors=None
    )
    tifffile.imwrite(folder / "in.tif", shape=(side, side), dtype=np.uint16, photometric="minisblack")
    mapped = tifffile.memmap(folder / "in.tif")
    across = np.arange(side) / 64
    for top in range(0, side, chunk):
        down = np.arange(top, min(top + chunk, side)) / 64
        row, column = down.astype(int), across.astype(int)
        a, b = (down - row)[:, None], across - column
        upper = small[row][:, column] * (1 - b) + small[row][:, column + 1] * b
        lower = small[row + 1][:, column] * (1 - b) + small[row + 1][:, column + 1] * b
        block = upper * (1 - a) + lower * a + rng.integers(0, 8000, upper.shape)
        mapped[top : top + chunk] = stored[top : top + chunk] = block.astype(np.uint16)
    mapped.flush()


def work(how: str, source: Path, output: Path, memory: str, method: str, boundary: str) -> None:
    """One run."""
    from restoretk.catalogue import make_method, make_psf

    psf, (name, options) = make_psf(PSF_SPEC), make_method(method)
    options = {**options, "boundary": boundary}
    if how == "blocks":
        from restoretk.blockwise import restore_file

        restore_file(source, psf, output, name, memory=int(memory[:-1]) << 20, overwrite=True, resume=True, **options)
        return
    from restoretk import METHODS

    if source.suffix == ".tif":
        import tifffile

        image = tifffile.imread(source)
        METHODS[name](image, psf, out=image, **options)
        tifffile.imwrite(output, image, photometric="minisblack")
    else:
        import zarr

        array = zarr.open_array(source, mode="r")
        image = array[:]
        METHODS[name](image, psf, out=image, **options)
        zarr.create_array(
            output, shape=image.shape, chunks=array.chunks, dtype=image.dtype, compressors=None, overwrite=True
        )[:] = image


def command(how: str, source: Path, output: Path, given: argparse.Namespace) -> list[str]:
    options = ["--memory", given.memory, "--boundary", given.boundary, "--method", given.method]
    return [sys.executable, __file__, "--work", how, str(source), str(output), *options]


def run(how: str, source: Path, output: Path, given: argparse.Namespace) -> tuple[float, int]:
    """CPU seconds and peak bytes of a run."""
    found = subprocess.run(
        command(how, source, output, given), env=os.environ | ONE_THREAD, check=True, capture_output=True, text=True
    )
    seconds, peak = found.stdout.split()
    return float(seconds), int(peak)


def tell_costs() -> None:
    """Print the CPU seconds of this process and its largest resident set, that of its parent left out."""
    used = os.times()
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    print(used.user + used.system, peak)


def read(path: Path) -> np.ndarray:
    if path.suffix == ".tif":
        import tifffile

        return np.asarray(tifffile.memmap(path, mode="r"))
    import zarr

    return np.asarray(zarr.open_array(path, mode="r")[:])


def difference(one: Path, other: Path) -> tuple[int, float]:
    """The largest difference in levels and the share of pixels that differ."""
    a, b = read(one), read(other)
    largest, differing = 0, 0
    for top in range(0, len(a), 1024):
        apart = np.abs(a[top : top + 1024].astype(np.int32) - b[top : top + 1024])
        largest, differing = max(largest, int(apart.max())), differing + int(np.count_nonzero(apart))
    return largest, differing / a.size


def kill_and_resume(source: Path, whole: Path, given: argparse.Namespace) -> bool:
    """Whether work that was killed three times ends with the bytes of work that was not."""
    output = whole.with_name("killed" + whole.suffix)
    journal = output.parent / f".restoretk-{output.name}" / "journal"
    process = subprocess.Popen(
        command("blocks", source, output, given), env=os.environ | ONE_THREAD, stdout=subprocess.DEVNULL
    )
    for wanted in (5, 60, 110):
        while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < wanted):
            time.sleep(0.01)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = subprocess.Popen(
            command("blocks", source, output, given), env=os.environ | ONE_THREAD, stdout=subprocess.DEVNULL
        )
    if process.wait():
        raise SystemExit("the resumed run failed")
    if whole.is_file():
        return subprocess.run(["cmp", "--silent", str(whole), str(output)], check=False).returncode == 0
    files = sorted(file.relative_to(whole) for file in whole.rglob("*") if file.is_file())
    there = sorted(file.relative_to(output) for file in output.rglob("*") if file.is_file())
    return files == there and all((whole / file).read_bytes() == (output / file).read_bytes() for file in files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=16384)
    parser.add_argument("--memory", default="290M")
    parser.add_argument("--boundary", default="wrap")
    parser.add_argument("--method", default=METHOD)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to put some 4 GB for the time being")
    parser.add_argument("--json")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        how, source, output = given.work
        work(how, Path(source), Path(output), given.memory, given.method, given.boundary)
        tell_costs()
        return
    pixels = given.side**2 * 2
    figures = []
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        make_picture(folder, given.side)
        for kind in KINDS:
            source = folder / f"in.{kind}"
            runs: dict[str, list[tuple[float, int]]] = {"memory": [], "blocks": []}
            for _ in range(given.rounds):
                for how, found in runs.items():
                    found.append(run(how, source, folder / f"{how}.{kind}", given))
            largest, share = difference(folder / f"memory.{kind}", folder / f"blocks.{kind}")
            seconds = {how: [cpu for cpu, _ in found] for how, found in runs.items()}
            peaks = {how: max(peak for _, peak in found) for how, found in runs.items()}
            size = f"{given.side}^2 uint16 {kind}" + (f", {given.boundary}" if given.boundary != "wrap" else "")
            size += f", {given.method}" if given.method != METHOD else ""
            over = float(np.median(np.array(seconds["blocks"]) / np.array(seconds["memory"])))
            figures += [
                Figure("out of core", f"CPU over that in memory, {size}", over, 1.0,
                       detail=f"{min(seconds['blocks']):.1f} s, in memory {min(seconds['memory']):.1f} s"),
                Figure("out of core", f"peak memory over the pixels, {size}", peaks["blocks"] / pixels, 0.6,
                       detail=f"{peaks['blocks'] / 1e6:.0f} MB, in memory {peaks['memory'] / 1e6:.0f} MB"),
                Figure("out of core", f"largest difference in levels, {size}", float(largest), 1.0,
                       detail=f"{share:.2%} of the pixels"),
            ]  # fmt: skip
            if given.kill:
                same = kill_and_resume(source, folder / f"blocks.{kind}", given)
                figures.append(
                    Figure("out of core", f"killed and resumed, bytes the same, {size}", float(same), 1.0, "at least")
                )
    write_figures(figures, given.json)


if __name__ == "__main__":
    main()
