"""Print what ripple costs: PSNR lost by bicubic when its phases are scaled apart, measured and by the formula.

Photographs of scikit-image in the luma of BT.601, decimated by antialiased bicubic and upsampled by a bicubic kernel
(a = -0.5) whose taps are multiplied by 1 + r and 1 - r in turn from phase to phase (rms_percent says by how much that
makes the phase sums differ over the whole picture); PSNR without the outermost `factor` pixels, float arithmetic.
"""

from __future__ import annotations

import numpy as np
from skimage import data

from restoretk import downsample, psnr, upsample
from restoretk._arrays import Array
from restoretk.upsampling import kernel_taps
from restoretk.upsampling.checkerboard import inspect_kernel
from restoretk.upsampling.ripple_cost import ripple_cost

PHOTOGRAPHS = ("camera", "astronaut", "coffee", "chelsea", "rocket")
RIPPLES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
LUMA = np.array([65.481, 128.553, 24.966]) / 255  # BT.601 in its 16..235 range


def main() -> None:
    """Print the medians that `ripple_cost` is fed with, and the table."""
    for factor in (2, 3, 4):
        scenes = [_crop(_luma(name), factor) for name in PHOTOGRAPHS]
        plain = [_quality(scene, factor, kernel_taps("bicubic", factor)) for scene in scenes]
        squares = [float(np.mean(scene**2)) for scene in scenes]
        for name, decibels, square in zip(PHOTOGRAPHS, plain, squares, strict=True):
            print(f"x{factor} {name:10} bicubic {decibels:.2f} dB, mean(image^2) {square:.3f}")
        print(f"x{factor} median: bicubic {np.median(plain):.1f} dB, mean(image^2) {np.median(squares):.2f}")
        for ripple in RIPPLES:
            taps = _rippled(factor, ripple)
            rms = inspect_kernel(taps, factor).picture_rms_percent
            measured = [before - _quality(scene, factor, taps) for scene, before in zip(scenes, plain, strict=True)]
            predicted = [
                ripple_cost(rms, mean_square=square, psnr=before) for square, before in zip(squares, plain, strict=True)
            ]
            each = " ".join(f"{a:.2f}/{b:.2f}" for a, b in zip(measured, predicted, strict=True))
            worst = max(abs(a - b) for a, b in zip(measured, predicted, strict=True))
            print(
                f"x{factor} ripple {rms:6.3f} % rms: median loss {np.median(measured):.2f} dB, formula "
                f"{np.median(predicted):.2f}; each measured/formula {each}; worst difference {worst:.2f}"
            )


def _luma(name: str) -> Array:
    image = getattr(data, name)() / 255
    return image if image.ndim == 2 else image[..., :3] @ LUMA + 16 / 255


def _crop(scene: Array, factor: int) -> Array:
    rows, columns = (side // factor * factor for side in scene.shape)
    return scene[:rows, :columns]


def _rippled(factor: int, ripple: float) -> Array:
    """Bicubic taps with the phase sums 1 + ripple and 1 - ripple in turn, divided by their mean."""
    taps = kernel_taps("bicubic", factor)
    sums = 1 + ripple * (-1.0) ** np.arange(factor)
    return taps * np.resize(sums / sums.mean(), taps.size)


def _quality(scene: Array, factor: int, taps: Array) -> float:
    return psnr(scene, upsample(downsample(scene, factor), factor, kernel=taps), border=factor)


if __name__ == "__main__":
    main()
