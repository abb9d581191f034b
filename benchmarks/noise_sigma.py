"""How near `estimate_noise_sigma` comes to the truth on blurred frames cut from photographs.

    python benchmarks/noise_sigma.py [--photographs DIR] [--count 8] [--quantise]

Seeds are the index of the photograph. Without the folder, the photographs bundled with scikit-image are used.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import skimage.data

from restoretk import convolve, estimate_noise_sigma, make_psf
from restoretk._arrays import Array

BENCH = Path(__file__).resolve().parents[2] / "shared" / "bench" / "kodak"
BUNDLED = ("camera", "coffee", "astronaut", "chelsea", "moon", "rocket", "page", "brick")
PSFS = ("gaussian:sigma=1.6", "disk:radius=4", "motion:length=15,angle=30", "box:size=9")
LEVELS = (0.5, 1, 2, 5, 10)  # of 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, default=BENCH)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--quantise", action="store_true", help="round the frames to 8 bits")
    given = parser.parse_args()
    scenes = _scenes(given.photographs, given.count)
    ratios: dict[tuple[str, float], list[float]] = {}
    for seed, scene in enumerate(scenes):
        for spec in PSFS:
            psf = make_psf(spec)
            blurred = convolve(scene, psf)[20:-20, 20:-20]
            for level in LEVELS:
                seen = blurred + level / 255 * np.random.default_rng(seed).standard_normal(blurred.shape)
                if given.quantise:
                    seen = np.rint(255 * np.clip(seen, 0, 1)) / 255
                ratios.setdefault((spec, level), []).append(float(estimate_noise_sigma(seen, psf)) * 255 / level)
    print(f"estimated / true sigma on {len(scenes)} photographs: median [least, most]")
    for (spec, level), many in ratios.items():
        print(f"{spec:26} sigma {level:4}/255   {np.median(many):.3f} [{min(many):.3f}, {max(many):.3f}]")
    every = np.concatenate(list(ratios.values()))
    print(f"all                                        {np.median(every):.3f} [{every.min():.3f}, {every.max():.3f}]")


def _scenes(folder: Path, count: int) -> list[Array]:
    files = sorted(folder.glob("*.png"))[:count] if folder.is_dir() else []
    pictures = [iio.imread(file) for file in files] or [getattr(skimage.data, name)() for name in BUNDLED[:count]]
    return [(p if p.ndim == 2 else p[..., :3] @ np.array([0.2125, 0.7154, 0.0721])) / 255 for p in pictures]


if __name__ == "__main__":
    main()
