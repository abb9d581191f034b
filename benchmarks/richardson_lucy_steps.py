"""How many steps Richardson-Lucy should take: the gain in PSNR over the observation, by the noise.

Four bundled photographs, 240 x 300 frames cut from the blurred scene, four PSFs, white noise, boundary unknown. For each
noise level the mean gain after each number of steps over all 16 cases.

    python benchmarks/richardson_lucy_steps.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from restoretk import convolve, make_psf, psnr, richardson_lucy
from restoretk.image_files import read_image

PICTURES = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png")
PSFS = ("gaussian:sigma=1.6", "gaussian:sigma=3", "disk:radius=4", "motion:length=15,angle=30")
NOISES = (0.003, 0.01, 0.03)
STEPS = (1, 3, 5, 10, 20, 40, 100)
FRAME = np.s_[30:270, 40:340]


def main() -> None:
    """Print one line for each noise level."""
    print("noise " + "".join(f"{steps:>8}" for steps in STEPS))
    data = Path(__file__).resolve().parent.parent / "data"
    scenes = [np.asarray(read_image(data / name).image, np.float64) for name in PICTURES]
    scenes = [scene.mean(axis=-1) if scene.ndim == 3 else scene for scene in scenes]
    for sigma in NOISES:
        gains = []
        for scene in scenes:
            for spec in PSFS:
                psf = make_psf(spec)
                noise = sigma * np.random.default_rng(0).standard_normal((240, 300))
                seen = convolve(scene, psf)[FRAME] + noise
                before = psnr(scene[FRAME], seen)
                gains.append(
                    [psnr(scene[FRAME], richardson_lucy(seen, psf, iterations=steps)) - before for steps in STEPS]
                )
        print(f"{sigma:5.3f} " + "".join(f"{gain:8.2f}" for gain in np.mean(gains, axis=0)))


if __name__ == "__main__":
    main()
