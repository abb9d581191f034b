"""Restoring in linear light against restoring in sRGB code values, on pictures blurred in the one and in the other.

Light is what a lens spreads, and a photograph stores a curve of it: so the first half of the cases, blurred in linear
light, is the physics; the second, blurred in code values, is what programs do that know nothing of light, and shows how
large the mistake is the other way round. Frames protocol: a bundled picture (one channel, 8 bits, taken for sRGB) is
blurred whole, cut to the region where no pixel depends on what lies beyond it, given shot and read noise in the space of
the blur, clipped and rounded to 8 bits of sRGB. Everything is estimated: the methods get the frame and the PSF. PSNR and
SSIM are of the 8-bit sRGB picture that would be written, against the scene.

    python benchmarks/linear_light.py [--side 256] [--jobs 1] [--table]
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.signal
import skimage.data

from restoretk import psnr, restore, ssim
from restoretk._arrays import Array
from restoretk.noise import poisson_gaussian_noise
from restoretk.psf import disk_psf, gaussian_psf, motion_psf
from restoretk.tone_curve import LINEAR, SRGB, ToneCurve

# The last four need no camera to be hard: text, a dark sky of stars, and low contrast.
PICTURES = ("astronaut", "camera", "chelsea", "coffee", "rocket", "coins", "page", "hubble_deep_field", "moon")
PSFS = {"gaussian 1.6": gaussian_psf(1.6), "disk 4": disk_psf(4), "motion 15@30": motion_psf(15, 30)}
NOISES = {"low": (20000.0, 0.0005), "middle": (2000.0, 0.002), "high": (300.0, 0.01)}  # photons at white, read sigma
WORLDS: dict[str, ToneCurve] = {"linear light (the physics)": SRGB, "sRGB code values": LINEAR}

# From the 8-bit frame as fractions to the restored picture in sRGB code values.
RESTORERS: dict[str, Callable[[Array, Array], Array]] = {
    "sRGB": lambda frame, psf: quietly(frame, psf),
    "linear": lambda frame, psf: SRGB.encode(quietly(SRGB.decode(frame), psf)),
    "linear, weights=poisson": lambda frame, psf: SRGB.encode(with_weights(SRGB.decode(frame), psf)),
}


class Case(NamedTuple):
    picture: str
    psf: str
    noise: str
    world: str
    side: int


class Result(NamedTuple):
    case: Case
    psnr: dict[str, float]
    ssim: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=256, help="side of the frame cut from the middle")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print every case too")
    options = parser.parse_args()
    cases = [Case(*each, options.side) for each in itertools.product(PICTURES, PSFS, NOISES, WORLDS)]
    with multiprocessing.Pool(options.jobs) as pool:
        results = pool.map(measure, cases, chunksize=1)
    if options.table:
        table(results)
    for world in WORLDS:
        report(world, [result for result in results if result.case.world == world])


def measure(case: Case) -> Result:
    """PSNR and SSIM of every restorer on one case."""
    curve, psf = WORLDS[case.world], PSFS[case.psf]
    scene = channel(case.picture, case.side, psf.shape)
    peak, read_sigma = NOISES[case.noise]
    rng = np.random.default_rng([list(each).index(key) for each, key in ((PICTURES, case.picture), (PSFS, case.psf))])
    blurred = scipy.signal.fftconvolve(curve.decode(scene), psf, "valid").clip(0)
    frame = eight_bits(curve.encode(poisson_gaussian_noise(blurred, peak=peak, sigma=read_sigma, rng=rng)))
    start = [side - 1 - side // 2 for side in psf.shape]
    truth = scene[tuple(slice(s, s + n) for s, n in zip(start, frame.shape, strict=True))]
    pictures = {"blurred": frame} | {name: eight_bits(function(frame, psf)) for name, function in RESTORERS.items()}
    return Result(
        case,
        {name: measured(psnr, truth, picture) for name, picture in pictures.items()},
        {name: measured(ssim, truth, picture) for name, picture in pictures.items()},
    )


def measured(metric: Callable[..., float], truth: Array, picture: Array) -> float:
    return float(metric(truth, picture, data_range=1.0)) if np.isfinite(picture).all() else np.nan


def channel(name: str, side: int, psf_shape: Sequence[int]) -> Array:
    """The middle of a bundled picture, as much larger than the frame as the blur needs: grey, or its green channel."""
    pixels = getattr(skimage.data, name)()
    pixels = pixels[..., 1] if pixels.ndim == 3 else pixels
    sizes = [min(side + extent - 1, size) for extent, size in zip(psf_shape, pixels.shape, strict=True)]
    middle = tuple(slice((n - size) // 2, (n - size) // 2 + size) for n, size in zip(pixels.shape, sizes, strict=True))
    return pixels[middle] / 255


def quietly(image: Array, psf: Array, **options: str) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return restore(image, psf, "wiener", **options).image


def with_weights(image: Array, psf: Array) -> Array:
    """NaN where the noise cannot be read off the picture: too few pixels of a night sky are neither clipped nor an edge."""
    try:
        return quietly(image, psf, weights="poisson")
    except ValueError:
        return np.full_like(image, np.nan)


def eight_bits(image: Array) -> Array:
    return np.rint(np.clip(image, 0, 1) * 255) / 255


def table(results: Sequence[Result]) -> None:
    for result in results:
        numbers = "  ".join(f"{name} {result.psnr[name]:.2f} {result.ssim[name]:.3f}" for name in result.psnr)
        print(
            f"{result.case.world:28s} {result.case.picture:18s} {result.case.psf:13s} {result.case.noise:7s} {numbers}"
        )
    print()


def report(world: str, results: Sequence[Result]) -> None:
    print(f"blurred in {world}: {len(results)} cases")
    print(
        f"{'restored in':26s} {'PSNR':>6s} {'SSIM':>6s}   better than in sRGB: PSNR (mean, least to most), SSIM (mean)"
    )
    for name in ("blurred", *RESTORERS):
        found = np.array([(result.psnr[name], result.ssim[name]) for result in results])
        gain = found - np.array([(result.psnr["sRGB"], result.ssim["sRGB"]) for result in results])
        gain = gain[np.isfinite(gain[:, 0])]
        versus = "" if len(gain) == len(results) else f"; not to be had for {len(results) - len(gain)}"
        if name.startswith("linear"):
            wins = (gain > 0).sum(axis=0)
            versus = (
                f"{wins[0]:3d} of {len(gain)} ({gain[:, 0].mean():+.2f} dB, {gain[:, 0].min():+.2f} to "
                f"{gain[:, 0].max():+.2f}), {wins[1]:3d} of {len(gain)} ({gain[:, 1].mean():+.4f}){versus}"
            )
        print(f"{name:26s} {np.nanmean(found[:, 0]):6.2f} {np.nanmean(found[:, 1]):6.3f}   {versus}")
    weighed = np.array([result.psnr["linear, weights=poisson"] - result.psnr["linear"] for result in results])
    weighed = weighed[np.isfinite(weighed)]
    print(f"  weights over linear: {(weighed > 0).sum()} of {len(weighed)} ({weighed.mean():+.2f} dB)")
    for key, group in (("picture", PICTURES), ("psf", PSFS), ("noise", NOISES)):
        parts = []
        for value in group:
            chosen = [result for result in results if getattr(result.case, key) == value]
            gain = np.array(
                [(r.psnr["linear"] - r.psnr["sRGB"], r.ssim["linear"] - r.ssim["sRGB"]) for r in chosen]
            ).mean(axis=0)
            parts.append(f"{value} {gain[0]:+.2f} dB {gain[1]:+.3f}")
        print(f"  linear over sRGB by {key}: {'; '.join(parts)}")
    print()


if __name__ == "__main__":
    main()
