"""Print how often `restore` warns that the rules disagree: with all assumptions right, and with each of three wrong.

Frames cut from blurred photographs; seeds are the index of the photograph. The first row is the rate of false alarms.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from scipy.ndimage import gaussian_filter

from restoretk import convolve, restore
from restoretk._arrays import Array
from restoretk.psf import box_psf, disk_psf, gaussian_psf, motion_psf

DATA = Path(__file__).resolve().parent.parent / "data"
PHOTOGRAPHS = ("camera", "coffee", "astronaut", "chelsea")
# PSFs whose width is multiplied by a factor.
PSFS: tuple[Callable[[float], Array], ...] = (
    lambda factor: gaussian_psf(1.6 * factor),
    lambda factor: disk_psf(4 * factor),
    lambda factor: motion_psf(15 * factor, angle=30),
    lambda factor: motion_psf(15 * factor, angle=90),
    lambda factor: box_psf(round(9 * factor)),
)
CASES = {"all right": 1.0, "noise not white": 1.0, "psf 1.3 times too wide": 1.3, "psf 1.3 times too narrow": 1 / 1.3}


def main() -> None:
    """Print one line for each kind of case."""
    for case, factor in CASES.items():
        warned = [
            _warns(scene, psf, factor, level / 255, seed, white=case != "noise not white")
            for seed, scene in enumerate(map(_scene, PHOTOGRAPHS))
            for psf in PSFS
            for level in (1, 5)
        ]
        print(f"{case:26} warned in {sum(warned):2} of {len(warned)}")


def _scene(name: str) -> Array:
    picture = iio.imread(DATA / f"{name}.png") / 255
    return picture if picture.ndim == 2 else picture @ np.array([0.2125, 0.7154, 0.0721])


def _warns(scene: Array, psf: Callable[[float], Array], factor: float, sigma: float, seed: int, *, white: bool) -> bool:
    noise = np.random.default_rng(seed).standard_normal(scene.shape)
    if not white:
        noise = gaussian_filter(noise, 0.8)
        noise /= noise.std()
    frame = (convolve(scene, psf(1.0)) + sigma * noise)[20:-20, 20:-20]
    record = restore(frame, psf(factor), "regularized_filter")
    return any("disagree" in warning for warning in record.warnings)


if __name__ == "__main__":
    main()
