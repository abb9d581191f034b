"""Print how far the automatic choices stay from the best lambda, on bundled photographs with periodic blur.

For every photograph, PSF and noise level the regularized filter is tuned on the truth (the oracle); the loss of a choice is
the PSNR of the oracle less that of the choice, in dB. Seeds are the index of the photograph.
"""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
from scipy.optimize import minimize_scalar

from restoretk import convolve, make_psf, psnr, regularized_filter, restore
from restoretk._arrays import Array

DATA = Path(__file__).resolve().parent.parent / "data"
PHOTOGRAPHS = ("camera", "coffee", "astronaut", "chelsea")
PSFS = ("gaussian:sigma=1.6", "disk:radius=4", "motion:length=15,angle=30", "box:size=9")
LEVELS = (1, 5)


def main() -> None:
    """Print one line a case, then mean, 90th percentile and worst of each rule."""
    losses: dict[str, list[float]] = {}
    for seed, name in enumerate(PHOTOGRAPHS):
        scene = _grey(iio.imread(DATA / f"{name}.png") / 255)
        for spec in PSFS:
            for level in LEVELS:
                found = _losses(scene, make_psf(spec), level / 255, seed)
                for rule, loss in found.items():
                    losses.setdefault(rule, []).append(loss)
                print(
                    f"{name:10} {spec:26} sigma {level}/255 ", *(f"{rule} {loss:+.3f}" for rule, loss in found.items())
                )
    print(
        "\nloss to the best lambda in dB, mean / 90th percentile / worst of", len(PHOTOGRAPHS) * len(PSFS) * len(LEVELS)
    )
    for rule, many in losses.items():
        print(f"{rule:15} {np.mean(many):+.3f} / {np.quantile(many, 0.9):+.3f} / {np.max(many):+.3f}")


def _losses(scene: Array, psf: Array, sigma: float, seed: int) -> dict[str, float]:
    noise = sigma * np.random.default_rng(seed).standard_normal(scene.shape)
    seen = convolve(scene, psf, boundary="wrap") + noise
    record = restore(seen, psf, "regularized_filter", boundary="wrap")
    start = np.log(float(record.parameters["regularization"]))

    def loss_at(log: float) -> float:
        return -psnr(scene, regularized_filter(seen, psf, regularization=float(np.exp(log)), boundary="wrap"))

    best = -float(
        minimize_scalar(loss_at, bounds=(start - 3, start + 3), method="bounded", options={"xatol": 0.01}).fun
    )
    losses = {
        rule: best + loss_at(np.log(record.criteria[rule].regularization))
        for rule in ("gcv", "predictive_gcv", "discrepancy")
    }
    losses["wiener"] = best - psnr(scene, restore(seen, psf, "wiener", boundary="wrap").image)
    return losses


def _grey(picture: Array) -> Array:
    return picture if picture.ndim == 2 else picture @ np.array([0.2125, 0.7154, 0.0721])


if __name__ == "__main__":
    main()
