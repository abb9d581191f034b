"""How the cost of a restoration grows with the picture: the exponent of CPU time per number of pixels, 256^2 to 16384^2.

N log N from 2^16 to 2^28 pixels has the exponent 1.06. float32, boundary wrap, fixed parameter, one thread, with a plan (at
256 x 256 the checks of the arguments would else be half of it). The least of some rounds, for a machine with other work.

    python benchmarks/growth.py [--largest 16384] [--json FILE]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from measuring import Figure, write_figures

from restoretk import plan_restoration
from restoretk.convolution._fast import set_fast
from restoretk.psf import disk_psf

PART = "growth"


def seconds_for(side: int) -> float:
    """The least CPU time of a restoration of ``side`` x ``side`` pixels."""
    image = np.random.default_rng(0).random((side, side), dtype=np.float32)
    plan = plan_restoration(image.shape, disk_psf(7.5), "wiener:noise_to_signal=0.01", boundary="wrap")
    rounds = max(3, min(50, (1 << 24) // image.size))
    found = []
    for _ in range(rounds):
        start = time.process_time()
        plan(image, out=image)
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=16384)
    parser.add_argument("--json")
    given = parser.parse_args()
    set_fast(False)
    sides = [side for side in (256, 512, 1024, 2048, 4096, 8192, 16384) if side <= given.largest]
    times = [seconds_for(side) for side in sides]
    exponent = float(np.polyfit(2 * np.log(sides), np.log(times), 1)[0])
    figures = [Figure(PART, f"exponent of the cost, {sides[0]}^2 to {sides[-1]}^2 pixels", exponent, 1.1)]
    for side, seconds in zip(sides, times, strict=True):
        figures.append(
            Figure(PART, f"{side} x {side}", 1e9 * seconds / side**2, unit="ns/px", detail=f"{seconds:.4g} s")
        )
    write_figures(figures, given.json)


if __name__ == "__main__":
    main()
