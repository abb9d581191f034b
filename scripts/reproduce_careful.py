"""Print what care is worth where the rules contradict each other: JPEGs and PSFs that are a little wrong.

Bundled photographs are blurred in linear light with the noise of 5000 photons at white, then kept as JPEG, or restored with a
PSF of another size. Beside the automatic choice stand the likeliest regularization, with no care, and the best of a grid.

    python scripts/reproduce_careful.py
"""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np

from restoretk import degrade, make_psf, psnr, restore
from restoretk._arrays import Array
from restoretk.noise import jpeg
from restoretk.tone_curve import SRGB

DATA = Path(__file__).resolve().parent.parent / "data"
PSFS = (
    ("motion:length=15,angle=30", "motion:length=17,angle=33"),
    ("disk:radius=4", "disk:radius=5"),
    ("gaussian:sigma=2", "gaussian:sigma=2.4"),
)


def main() -> None:
    """Print the table."""
    print(f"{'':34s} blurred  likeliest  automatic  best of a grid   PSNR in dB of code values")
    for name in ("camera", "chelsea", "coffee"):
        photograph = iio.imread(DATA / f"{name}.png") / 255
        axis = -1 if photograph.ndim == 3 else None
        for right, wrong in PSFS:
            blurred = degrade(
                SRGB.decode(photograph), make_psf(right), noise="poisson:peak=5000", channel_axis=axis, rng=1
            )
            compressed = SRGB.decode(jpeg(np.clip(SRGB.encode(blurred), 0, 1), 90, channel_axis=axis))
            for seen, spec, label in ((compressed, right, "JPEG 90"), (blurred, wrong, wrong.split(":")[1])):
                row = " ".join(f"{value:9.2f}" for value in measure(photograph, seen, make_psf(spec), axis))
                print(f"{name:8s} {right.split(':')[0]:9s} {label:16s} {row}", flush=True)


def measure(photograph: Array, seen: Array, psf: Array, axis: int | None) -> list[float]:
    """The PSNR of the blurred picture and of its restorations."""

    def score(image: Array) -> float:
        return psnr(photograph, np.clip(SRGB.encode(image), 0, 1), data_range=1.0)

    def restored(regularization: float | str) -> float:
        return score(restore(seen, psf, "regularized_filter", regularization=regularization, channel_axis=axis).image)

    grid = [restored(float(value)) for value in 10.0 ** np.arange(-5, 1.1)]
    return [score(seen), restored("marginal_likelihood"), restored("gcv"), max(grid)]


if __name__ == "__main__":
    main()
