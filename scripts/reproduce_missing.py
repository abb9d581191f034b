"""Print what a mask is worth: a bundled photograph with 5 % missing pixels and a blown-out lamp, blurred, noisy, clipped.

PSNR in dB of the result clipped to [0, 1] against the scene clipped to [0, 1], over the whole frame; seed 0.
"""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
from scipy.ndimage import median_filter

from restoretk import convolve, make_psf, psnr, restore

DATA = Path(__file__).resolve().parent.parent / "data"


def main() -> None:
    """Print one line for each PSF."""
    rng = np.random.default_rng(0)
    scene = (iio.imread(DATA / "camera.png") / 255)[60:360, 60:460]
    rows, columns = np.mgrid[0:300, 0:400]
    scene[(rows - 80) ** 2 + (columns - 300) ** 2 <= 25] = 20
    for spec in ("gaussian:sigma=1.6", "disk:radius=4", "motion:length=15,angle=30"):
        psf = make_psf(spec)
        seen = np.clip(convolve(scene, psf, boundary="edge") + rng.standard_normal(scene.shape) / 255, 0, 1)
        missing = rng.random(scene.shape) < 0.05
        results = {
            "masked": restore(np.where(missing, np.nan, seen), psf, mask="nan+saturated"),
            "zeros first": restore(np.where(missing, 0, seen), psf),
            "median of the picture first": restore(np.where(missing, np.median(seen), seen), psf),
            "5 x 5 median filter first": restore(np.where(missing, median_filter(seen, 5), seen), psf),
        }
        white = np.clip(scene, 0, 1)
        decibels = {name: psnr(white, np.clip(result.image, 0, 1)) for name, result in results.items()}
        print(f"{spec:26}", *(f"{name} {value:.2f} dB," for name, value in decibels.items()))


if __name__ == "__main__":
    main()
