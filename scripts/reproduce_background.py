"""Print how often `find_background` is right: PSFs of every kind without and with a background, measured in many ways.

Without: cut by windows of any shape, shifted, with photon noise, rounded to 8 and 16 bits. With: an offset of the camera
with noise of 0 to 1 times its level, cut off at 0, or such noise alone, in windows of 1.2 to 4 times the blur.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from restoretk._arrays import Array
from restoretk.psf import (
    airy_psf,
    box_psf,
    camera_shake_psf,
    disk_psf,
    find_background,
    gaussian_psf,
    moffat_psf,
    motion_psf,
    turbulence_psf,
)

CASES = 6000
SHARES = (0.05, 0.1, 0.2, 0.4, 0.6)
NOISES = (0.0, 0.2, 0.5, 1.0, "alone")
HALF_NORMAL_MEAN = 0.3989  # of max(0, n) for a standard normal n


def main() -> None:
    """Print both error rates."""
    rng = np.random.default_rng(0)
    tried: Counter[str] = Counter()
    accused: Counter[str] = Counter()
    for _ in range(CASES):
        kind = str(rng.choice(list(GENUINE)))
        tried[kind] += 1
        accused[kind] += find_background(_measured(GENUINE[kind](rng), rng)).found
    print(f"without a background: found in {accused.total()} of {CASES}", dict(accused))
    for share in SHARES:
        found: Counter[str] = Counter()
        cases: Counter[str] = Counter()
        shares = []
        for _ in range(CASES // len(SHARES)):
            noise = NOISES[int(rng.integers(len(NOISES)))]
            kind = str(rng.choice(list(BEADS)))
            background = find_background(_on_a_background(BEADS[kind](rng), share, noise, rng))
            cases[kind] += 1
            found[kind] += background.found
            shares += [background.share / share] if background.found else []
        low, middle, high = np.quantile(shares, [0.05, 0.5, 0.95])
        print(
            f"share {share}: found in {found.total() / cases.total():.0%} of {cases.total()}, measured {middle:.2f} "
            f"times the truth (5 to 95 %: {low:.2f} to {high:.2f});",
            ", ".join(f"{kind} {found[kind] / cases[kind]:.0%}" for kind in BEADS),
        )


def _measured(psf: Array, rng: np.random.Generator) -> Array:
    """Shifted or not, with photon noise, rounded, or exact."""
    if psf.ndim == 2 and min(psf.shape) >= 7 and rng.random() < 0.3:
        psf = np.roll(np.pad(psf, 2), tuple(rng.integers(-2, 3, 2)), (0, 1))[2:-2, 2:-2]
    way = rng.random()
    if way < 0.25:
        return rng.poisson(psf / psf.max() * rng.choice([100, 1000, 10000])).astype(float)
    return np.rint(psf / psf.max() * rng.choice([255, 65535])) if way < 0.5 else psf


def _on_a_background(psf: Array, share: float, noise: float | str, rng: np.random.Generator) -> Array:
    """In a window of its own, on a level that holds this share of the sum."""
    half = [side // 2 + int(rng.integers(1, 12)) for side in psf.shape]
    if psf.max() > 3 * np.mean(psf[psf > 0]):  # a peak with tails, not a path or a disk: the window may cut it
        spread = [_width(psf, axis) for axis in range(psf.ndim)]
        half = [int(np.ceil(max(2, 2.5 * width) * rng.uniform(1.2, 4))) for width in spread]
    window = np.zeros([2 * reach + 1 for reach in half])
    inner = [min(side // 2, reach) for side, reach in zip(psf.shape, half, strict=True)]
    target = tuple(slice(reach - n, reach + n + 1) for reach, n in zip(half, inner, strict=True))
    window[target] = psf[tuple(slice(s // 2 - n, s // 2 + n + 1) for s, n in zip(psf.shape, inner, strict=True))]
    level = share / (1 - share) * window.sum() / window.size
    if noise == "alone":
        return np.maximum(window + level / HALF_NORMAL_MEAN * rng.standard_normal(window.shape), 0)
    return np.maximum(window + level * (1 + float(noise) * rng.standard_normal(window.shape)), 0)


def _width(psf: Array, axis: int) -> float:
    profile = psf.sum(axis=tuple(other for other in range(psf.ndim) if other != axis)) / psf.sum()
    return float(np.sqrt(profile @ (np.arange(profile.size) - profile.size // 2) ** 2))


def _odd(psf: Array) -> Array:
    return np.pad(psf, [(0, 1 - side % 2) for side in psf.shape])


def _size(rng: np.random.Generator, ndim: int = 2, most: int = 64) -> tuple[int, ...] | None:
    """Any window, or that of the function."""
    return None if rng.random() < 0.4 else tuple(int(side) for side in rng.integers(5, most, ndim))


def _cropped_disk(rng: np.random.Generator) -> Array:
    psf, cut = disk_psf(rng.uniform(2, 10)), int(rng.integers(0, 3))
    return psf[cut:-cut, cut:-cut] if cut and len(psf) > 2 * cut + 3 else psf


Draw = Callable[[np.random.Generator], Array]
GENUINE: Mapping[str, Draw] = {
    "gaussian": lambda rng: gaussian_psf(rng.uniform(0.5, 8), size=_size(rng)),
    "oblique": lambda rng: gaussian_psf(list(rng.uniform(0.5, 6, 2)), angle=rng.uniform(0, 180), size=_size(rng)),
    "signal": lambda rng: gaussian_psf(rng.uniform(1, 8), ndim=1, size=_size(rng, 1, 100)),
    "volume": lambda rng: gaussian_psf(list(rng.uniform(0.7, 2.5, 3)), size=_size(rng, 3, 20)),
    "motion": lambda rng: motion_psf(rng.uniform(2, 40), rng.uniform(0, 180)),
    "disk": lambda rng: disk_psf(rng.uniform(1, 12)),
    "cropped disk": _cropped_disk,
    "box": lambda rng: box_psf([int(side) for side in rng.integers(1, 20, 2)]),
    "airy": lambda rng: airy_psf(rng.uniform(1, 8), size=_size(rng)),
    "moffat": lambda rng: moffat_psf(rng.uniform(1.5, 10), rng.uniform(1.3, 5), size=_size(rng)),
    "turbulence": lambda rng: turbulence_psf(float(rng.choice([0.0005, 0.001, 0.0025, 0.005])), size=_size(rng)),
    "shake": lambda rng: camera_shake_psf(int(rng.integers(9, 60)), rng=rng),
}
BEADS: Mapping[str, Draw] = {
    "gaussian": lambda rng: gaussian_psf(rng.uniform(0.7, 4)),
    "oblique": lambda rng: gaussian_psf(list(rng.uniform(0.7, 4, 2)), angle=rng.uniform(0, 180)),
    "volume": lambda rng: gaussian_psf(list(rng.uniform(0.8, 2, 3))),
    "motion": lambda rng: _odd(motion_psf(rng.uniform(3, 25), rng.uniform(0, 180))),
    "disk": lambda rng: _odd(disk_psf(rng.uniform(1.5, 8))),
    "airy": lambda rng: airy_psf(rng.uniform(1.5, 4)),
    "moffat": lambda rng: moffat_psf(rng.uniform(1.5, 5), rng.uniform(2, 5)),
    "shake": lambda rng: _odd(camera_shake_psf(int(rng.integers(9, 30)), rng=rng)),
}


if __name__ == "__main__":
    main()
