"""What a restoration costs, in pairs of FFTs (rfft2 + irfft2 of `scipy.fft`, same size and dtype), and what peers cost.

float32, boundary wrap, one thread, a disk of radius 7.5 (15 x 15 pixels, a sum of 6 products of a row and a column, with a
real OTF) and a camera shake (31 x 31 pixels, 20 products, an OTF that is not real), plan included. All calls take turns; a
figure is the median over rounds of the ratio of CPU times within a round.

    python benchmarks/filters.py [--shapes 2048x2048 4096x4096 4000x6000] [--rounds 9] [--json FILE]
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import scipy.fft
from measuring import Figure, random_scene, ratio, take_turns, write_figures

from restoretk import convolve, regularized_filter, richardson_lucy, wiener
from restoretk.convolution._fast import set_fast
from restoretk.psf import camera_shake_psf, disk_psf

PSF, SHAKE = disk_psf(7.5), camera_shake_psf(31, rng=1)
STEPS, SLOWER_STEPS = 10, 2.0  # of Richardson-Lucy
FIXED, AUTOMATIC = {"numpy": 1.1, "fast": 0.8}, {"numpy": 0.3, "fast": 0.15}
PEERS = {
    "skimage wiener": (2.3, 4.0),
    "torch.fft Wiener": (1.7, 2.5),
}  # times as slow: 2048 x 2048, 24 megapixels of RGB


def picture(shape: tuple[int, int]) -> np.ndarray:
    """A blurred and noisy scene."""
    rng = np.random.default_rng(1)
    blurred = convolve(random_scene(shape), PSF, boundary="wrap")
    return np.asarray(blurred + rng.normal(0, 0.01, shape).astype(np.float32), np.float32)


def with_fast(on: bool, call: Callable[[], object]) -> Callable[[], object]:
    """The call with the extra ``fast`` on or off."""

    def switched() -> object:
        set_fast(on)
        return call()

    return switched


def kinds() -> list[str]:
    """With NumPy and SciPy alone, and with the extra ``fast`` where it is installed."""
    there = all(importlib.util.find_spec(name) for name in ("ducc0", "numba"))
    return ["numpy", "fast"] if there else ["numpy"]


def filters(shape: tuple[int, int], rounds: int) -> Iterator[Figure]:
    """Fixed and automatic, with and without the extra ``fast``."""
    image = picture(shape)
    ours: dict[str, Callable[[], object]] = {
        "wiener, fixed": partial(wiener, image, PSF, noise_to_signal=0.01, boundary="wrap"),
        "wiener, auto": partial(wiener, image, PSF, boundary="wrap"),
        "wiener, fixed, camera shake": partial(wiener, image, SHAKE, noise_to_signal=0.01, boundary="wrap"),
        "regularized_filter, fixed": partial(regularized_filter, image, PSF, regularization=0.01, boundary="wrap"),
        "regularized_filter, gcv": partial(regularized_filter, image, PSF, boundary="wrap"),
    }
    calls: dict[str, Callable[[], object]] = {"pair": lambda: scipy.fft.irfft2(scipy.fft.rfft2(image), s=shape)}
    calls |= {f"{name}, {kind}": with_fast(kind == "fast", call) for name, call in ours.items() for kind in kinds()}
    seconds = take_turns(calls, rounds)
    size, pair = f"{shape[0]} x {shape[1]}", f"pair {1e3 * np.median(seconds['pair']):.0f} ms"
    for kind in kinds():
        for method, rule in (("wiener", "auto"), ("regularized_filter", "gcv")):
            fixed = ratio(seconds, f"{method}, fixed, {kind}", "pair")
            more = np.median(
                (seconds[f"{method}, {rule}, {kind}"] - seconds[f"{method}, fixed, {kind}"]) / seconds["pair"]
            )
            yield Figure("filters", f"{method}, fixed, {size}, {kind}", fixed, FIXED[kind], unit="pairs", detail=pair)
            yield Figure(
                "filters", f"{method}, {rule} adds, {size}, {kind}", float(more), AUTOMATIC[kind], unit="pairs"
            )
        shake = "wiener, fixed, camera shake"
        pairs = ratio(seconds, f"{shake}, {kind}", "pair")
        yield Figure("filters", f"{shake}, {size}, {kind}", pairs, FIXED[kind], unit="pairs", detail=pair)


def steps(shape: tuple[int, int], rounds: int) -> Iterator[Figure]:
    """Richardson-Lucy: two pairs a step, and scikit-image's."""
    from skimage.restoration import richardson_lucy as skimage_richardson_lucy

    image, psf = np.maximum(picture(shape), 0), PSF.astype(np.float32)
    ours = partial(richardson_lucy, image, PSF, iterations=STEPS, boundary="wrap")
    calls: dict[str, Callable[[], object]] = {"pair": lambda: scipy.fft.irfft2(scipy.fft.rfft2(image), s=shape)}
    calls |= {kind: with_fast(kind == "fast", ours) for kind in kinds()}
    calls["skimage"] = partial(skimage_richardson_lucy, image, psf, num_iter=STEPS, clip=False)
    seconds = take_turns(calls, rounds)
    size = f"{shape[0]} x {shape[1]}"
    for kind in kinds():
        pairs = ratio(seconds, kind, "pair") / (2 * STEPS)
        what = f"richardson_lucy, {STEPS} steps, over 2 pairs a step, {size}, {kind}"
        yield Figure("filters", what, pairs, FIXED["numpy"], unit="times")
        slower = ratio(seconds, "skimage", kind)
        what = f"skimage richardson_lucy over ours, {size}, {kind}"
        yield Figure("filters", what, slower, SLOWER_STEPS, "at least", "times")


def torch_wiener(image: object, shape: tuple[int, ...], psf: object, noise_to_signal: float) -> object:
    """The Wiener filter as one writes it with torch.fft."""
    import torch

    rows, columns = shape[-2:]
    padded = torch.zeros(shape[-2:], dtype=torch.float32)
    padded[: psf.shape[0], : psf.shape[1]] = psf  # type: ignore[attr-defined]
    padded = torch.roll(padded, [-(side // 2) for side in psf.shape], dims=(0, 1))  # type: ignore[attr-defined]
    otf = torch.fft.rfft2(padded)
    transfer = torch.conj(otf) / (otf.abs() ** 2 + noise_to_signal)
    return torch.fft.irfft2(torch.fft.rfft2(image) * transfer, s=(rows, columns))


def peers(shape: tuple[int, int], channels: int, rounds: int) -> Iterator[Figure]:
    """How many times slower scikit-image and a straightforward torch.fft are, channel by channel."""
    from skimage.restoration import wiener as skimage_wiener

    plane = picture(shape)
    image = plane if channels == 1 else np.ascontiguousarray(np.stack([plane] * channels, axis=-1))
    axis = None if channels == 1 else -1
    psf = PSF.astype(np.float32)

    def skimage() -> object:
        if channels == 1:
            return skimage_wiener(image, psf, 0.01, clip=False)
        return np.stack([skimage_wiener(image[..., c], psf, 0.01, clip=False) for c in range(channels)], axis=-1)

    ours = partial(wiener, image, PSF, noise_to_signal=0.01, boundary="wrap", channel_axis=axis)
    calls: dict[str, Callable[[], object]] = {kind: with_fast(kind == "fast", ours) for kind in kinds()}
    calls["skimage wiener"] = skimage
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)
        tensor = torch.from_numpy(image if channels == 1 else np.ascontiguousarray(np.moveaxis(image, -1, 0)))
        calls["torch.fft Wiener"] = partial(torch_wiener, tensor, tuple(tensor.shape), torch.from_numpy(psf), 0.01)
    seconds = take_turns(calls, rounds)
    kind = f"{shape[0]} x {shape[1]}" + (" RGB" if channels == 3 else "")
    for name in PEERS.keys() & calls:
        for ours_kind in kinds():
            slower = ratio(seconds, name, ours_kind)
            bound = PEERS[name][channels == 3]
            yield Figure("filters", f"{name} over wiener, {kind}, {ours_kind}", slower, bound, "at least", "times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["2048x2048", "4096x4096", "4000x6000"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json")
    given = parser.parse_args()
    shapes = [tuple(int(side) for side in shape.split("x")) for shape in given.shapes]
    figures: list[Figure] = []
    for rows, columns in shapes:
        figures += filters((rows, columns), given.rounds)
    figures += steps((shapes[0][0], shapes[0][1]), max(2, given.rounds // 3))
    figures += peers((shapes[0][0], shapes[0][1]), 1, given.rounds)
    figures += peers((shapes[-1][0], shapes[-1][1]), 3, max(2, given.rounds // 3))
    write_figures(figures, given.json)


if __name__ == "__main__":
    main()
