"""The peak memory of a whole process that restores 24 megapixels of RGB bytes, over the size of the picture as float32.

The picture is made in the process, a row at a time; Python and its libraries count. In place is ``out=image``.

    python benchmarks/memory.py [--shape 4000x6000] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys

import numpy as np
from measuring import ONE_THREAD, Figure, write_figures

CASES = ("wiener, fixed, in place", "wiener, fixed", "wiener, auto, in place", "skimage wiener, float32")


def work(case: str, shape: tuple[int, int]) -> None:
    """Restore a picture and print the peak in bytes."""
    rng = np.random.default_rng(0)
    image = np.empty((*shape, 3), np.uint8)
    for row in image:
        row[...] = rng.integers(0, 256, row.shape, dtype=np.uint8)
    from restoretk.psf import disk_psf

    psf = disk_psf(7.5)
    if case.startswith("skimage"):
        from skimage.restoration import wiener as skimage_wiener

        floats = image.astype(np.float32) / 255
        for channel in range(3):
            floats[..., channel] = skimage_wiener(floats[..., channel], psf.astype(np.float32), 0.01)
    else:
        from restoretk import wiener

        options = {} if "auto" in case else {"noise_to_signal": 0.01}
        out = image if "in place" in case else None
        wiener(image, psf, boundary="wrap", channel_axis=-1, out=out, **options)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="4000x6000")
    parser.add_argument("--json")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    given = parser.parse_args()
    rows, columns = (int(side) for side in given.shape.split("x"))
    if given.case:
        work(given.case, (rows, columns))
        return
    picture = rows * columns * 3 * 4
    figures = []
    for case in CASES:
        command = [sys.executable, __file__, "--shape", given.shape, "--case", case]
        run = subprocess.run(command, env=os.environ | ONE_THREAD, check=True, capture_output=True, text=True)
        peak = int(run.stdout)
        bound = 1.0 if case == CASES[0] else None
        name = f"peak memory, {case}, {rows} x {columns} RGB uint8"
        figures.append(Figure("memory", name, peak / picture, bound, unit="", detail=f"{peak / 1e6:.0f} MB"))
    write_figures(figures, given.json)


if __name__ == "__main__":
    main()
