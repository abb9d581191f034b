"""How far automatic linear restoration stays behind filters that were tuned on the truth, on photographs with real edges.

Frames protocol: a photograph is blurred whole, cut to the region where no pixel depends on what lies beyond it, and
white noise is added; PSNR over the full frame against the scene under it, nothing clipped. Everything is estimated: the
methods get the frame and the PSF.

Reference of the losses: the regularized filter (Laplacian) with lambda tuned on the truth for each case, on the same
extended picture (boundary "unknown"). The last rows say what the boundary costs: the same Wiener filter given an
impossible periodic scene, less the one that had to do with the frame (negative: the seam of the periodic scene costs
more than the unknown boundary).

    python benchmarks/quality_linear.py [--photographs DIR] [--kernels DIR] [--count 8] [--side 384] [--quantise]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import imageio.v3 as iio
import numpy as np
import scipy.optimize
import scipy.signal
import skimage.data
import skimage.restoration

from restoretk import restore
from restoretk._arrays import Array
from restoretk.convolution.fourier import (
    apply_transfer_function,
    fast_shape,
    forward_transform,
    frequency_grid,
    inverse_transform,
    psf_to_otf,
)
from restoretk.noise_estimation import estimate_noise_sigma
from restoretk.psf import box_psf, disk_psf, gaussian_psf, motion_psf
from restoretk.restoration.signal_spectrum import SignalSpectrum, fit_signal_spectrum
from restoretk.restoration.unknown_boundary import extend_unknown

BENCH = Path(__file__).resolve().parents[2] / "shared" / "bench"
SIGMAS = (0.5, 2.0, 5.0)  # of 255
BUNDLED = ("camera", "coffee", "astronaut", "chelsea", "moon", "rocket", "brick", "grass")

# The restorers under comparison: (frame, psf) -> restored frame.
RESTORERS: dict[str, Callable[[Array, Array], Array]] = {
    "wiener, automatic": lambda frame, psf: restore(frame, psf, "wiener", boundary="unknown").image,
    "regularized, gcv": lambda frame, psf: (
        restore(frame, psf, "regularized_filter", regularization="gcv", boundary="unknown").image
    ),
    "skimage wiener(0.01)": lambda frame, psf: skimage.restoration.wiener(frame, psf, 0.01, clip=False),
    "skimage unsupervised": lambda frame, psf: skimage.restoration.unsupervised_wiener(frame, psf, clip=False, rng=0)[
        0
    ],
    "skimage RL, 30": lambda frame, psf: skimage.restoration.richardson_lucy(
        np.clip(frame, 1e-6, None), psf, 30, clip=False
    ),
}
OURS = ("wiener, automatic", "regularized, gcv")


class Case(NamedTuple):
    photograph: str
    scene: Array
    name: str
    psf: Array
    sigma: float
    quantise: bool


class Result(NamedTuple):
    photograph: str
    psf: str
    sigma: float
    psnr: dict[str, float]
    sigma_ratio: float
    pairs: int


def main() -> None:
    options = parse()
    photographs = read_photographs(options.photographs, options.count)
    psfs = read_psfs(options.kernels)
    cases = [
        Case(photograph, cut(scene, options.side, psf.shape), name, psf, sigma, options.quantise)
        for photograph, scene in photographs.items()
        for name, psf in psfs.items()
        for sigma in SIGMAS
    ]
    with multiprocessing.Pool(options.jobs) as pool:
        results = pool.map(measure, cases, chunksize=1)
    report(results, list(psfs))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("RESTORETK_BENCH", BENCH))
    parser.add_argument("--photographs", type=Path, default=default / "kodak", help="folder of .png files")
    parser.add_argument("--kernels", type=Path, default=default / "kernels", help="folder of .npy files")
    parser.add_argument("--count", type=int, default=8, help="photographs at most, besides the bundled camera")
    parser.add_argument("--side", type=int, default=384, help="side of the frame cut from the middle; 0 for all of it")
    parser.add_argument("--quantise", action="store_true", help="clip the frame to [0, 1] and round it to 8 bits")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def read_photographs(folder: Path, count: int) -> dict[str, Array]:
    """Luminance in [0, 1] by name: the folder's, or those of scikit-image that need no download."""
    files = sorted(folder.glob("*.png"))[:count]
    if files:
        return {path.stem: luminance(iio.imread(path) / 255) for path in files}
    return {name: luminance(getattr(skimage.data, name)() / 255) for name in BUNDLED[:count]}


def luminance(pixels: Array) -> Array:
    return pixels[..., :3] @ np.array([0.299, 0.587, 0.114]) if pixels.ndim == 3 else pixels


def read_psfs(folder: Path) -> dict[str, Array]:
    psfs = {
        "gaussian 1.6": gaussian_psf(1.6),
        "disk 4": disk_psf(4),
        "motion 15@30": motion_psf(15, 30),
        "box 9": box_psf(9),
    }
    files = sorted(folder.glob("*.npy"))
    for path in (files[:1] + files[-1:])[: len(files)]:
        kernel = np.load(path, allow_pickle=False)
        psfs[path.stem] = kernel / kernel.sum()
    return psfs


def cut(scene: Array, side: int, psf_shape: tuple[int, ...]) -> Array:
    """The middle of the scene, as much larger than the frame as the blur needs."""
    if side == 0:
        return scene
    sizes = [min(side + extent - 1, size) for extent, size in zip(psf_shape, scene.shape, strict=True)]
    window = tuple(slice((n - size) // 2, (n - size) // 2 + size) for n, size in zip(scene.shape, sizes, strict=True))
    return scene[window]


def measure(case: Case) -> Result:
    """Every PSNR of one case."""
    rng = np.random.default_rng([len(case.photograph), int(10 * case.sigma), case.psf.size])
    psf, level = case.psf, case.sigma / 255
    frame = scipy.signal.fftconvolve(case.scene, psf, "valid")
    start = [side - 1 - side // 2 for side in psf.shape]
    truth = case.scene[tuple(slice(s, s + n) for s, n in zip(start, frame.shape, strict=True))]
    periodic = apply_transfer_function(truth, psf_to_otf(psf, truth.shape)) + rng.normal(0, level, truth.shape)
    frame = frame + rng.normal(0, level, frame.shape)
    if case.quantise:
        frame = np.rint(255 * np.clip(frame, 0, 1)) / 255
        level = np.hypot(level, 1 / 255 / np.sqrt(12))
    fitted = fit_signal_spectrum(frame, psf)
    torus = fast_shape([size + side for size, side in zip(frame.shape, psf.shape, strict=True)])
    otf = psf_to_otf(psf, torus)
    precision = 1 / (np.abs(otf) ** 2 * fitted.power(torus) + fitted.noise_sigma**2)
    extended, pairs = extend_unknown(frame, precision, torus)
    found = {"blurred": psnr(frame, truth), "oracle lambda": oracle(extended, otf, truth)}
    for name, restorer in RESTORERS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peers divide by zero where they do
            found[name] = psnr(restorer(frame, psf), truth)
    found["wiener on frame"] = psnr(power_law_wiener(extended, otf, fitted)[window_of(truth)], truth)
    found["wiener on periodic scene"] = psnr(power_law_wiener(periodic, psf_to_otf(psf, truth.shape), fitted), truth)
    ratio = float(estimate_noise_sigma(frame)) / level
    return Result(case.photograph, case.name, case.sigma, found, ratio, pairs)


def window_of(truth: Array) -> tuple[slice, ...]:
    return tuple(slice(size) for size in truth.shape)


def power_law_wiener(planes: Array, otf: Array, fitted: SignalSpectrum) -> Array:
    signal = fitted.power(planes.shape)
    return apply_transfer_function(planes, np.conj(otf) * signal / (np.abs(otf) ** 2 * signal + fitted.noise_sigma**2))


def oracle(extended: Array, otf: Array, truth: Array) -> float:
    """The PSNR of the Laplacian-regularized filter at the best lambda for this case."""
    torus = extended.shape
    laplacian = sum(4 * np.sin(np.pi * f) ** 2 for f in frequency_grid(torus)) ** 2
    numerator, power = np.conj(otf) * forward_transform(extended, 2), np.abs(otf) ** 2

    def loss(log_regularization: float) -> float:
        restored = inverse_transform(numerator / (power + np.exp(log_regularization) * laplacian), torus)
        return -psnr(restored[window_of(truth)], truth)

    coarse = np.arange(-20.0, 1.0)
    best = coarse[int(np.argmin([loss(value) for value in coarse]))]
    fine = scipy.optimize.minimize_scalar(loss, bounds=(best - 1, best + 1), method="bounded", options={"xatol": 0.02})
    return -float(fine.fun)


def psnr(image: Array, truth: Array) -> float:
    return float(-10 * np.log10(np.mean((image - truth) ** 2)))


def report(results: list[Result], psfs: list[str]) -> None:
    reference = np.array([result.psnr["oracle lambda"] for result in results])
    print(f"{len(results)} cases, blurred {mean(results, 'blurred'):.2f} dB, oracle lambda {reference.mean():.2f} dB")
    print(f"{'loss to the oracle-tuned filter, dB':36s} {'mean':>7s} {'p90':>7s} {'worst':>7s}   worst case")
    for name in RESTORERS:
        loss = reference - np.array([result.psnr[name] for result in results])
        worst = results[int(loss.argmax())]
        case = f"{worst.photograph}, {worst.psf}, sigma {worst.sigma}"
        print(f"{name:36s} {loss.mean():7.3f} {np.quantile(loss, 0.9):7.3f} {loss.max():7.3f}   {case}")
    print("\nloss of the frame to the impossible periodic scene, same filter, dB")
    for psf in ["all", *psfs]:
        chosen = [result for result in results if psf in ("all", result.psf)]
        loss = [result.psnr["wiener on periodic scene"] - result.psnr["wiener on frame"] for result in chosen]
        ours = "  ".join(f"{name} {mean(chosen, 'oracle lambda') - mean(chosen, name):.3f}" for name in OURS)
        pairs = [result.pairs for result in chosen]
        print(
            f"{psf:36s} {np.mean(loss):7.3f} {np.quantile(loss, 0.9):7.3f} {np.max(loss):7.3f}   "
            f"FFT pairs {np.mean(pairs):.0f} (most {max(pairs)}); loss to oracle: {ours}"
        )
    ratios = np.array([result.sigma_ratio for result in results])
    print(f"\nestimated sigma / true: median {np.median(ratios):.3f}, from {ratios.min():.3f} to {ratios.max():.3f}")


def mean(results: list[Result], name: str) -> float:
    return float(np.mean([result.psnr[name] for result in results]))


if __name__ == "__main__":
    main()
