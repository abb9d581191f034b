"""What the automatic choice costs: CPU time of the automatic path over that of the fixed-parameter path, boundary wrap.

Fixed and automatic calls alternate in one run; the figure is the median over rounds of the ratio of CPU times. Beside it the
bare pair of scipy.fft transforms of the same array.

    python benchmarks/cost_linear.py [--side 2048] [--rounds 9] [--dtype float32]
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy
import scipy.fft

from restoretk import __version__, degrade, regularized_filter, wiener
from restoretk.psf import disk_psf


def random_scene(side: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A periodic random field with the spectrum of a photograph, power falling as 1 / f^2, between 0 and 1."""
    frequency = np.hypot(scipy.fft.fftfreq(side)[:, None], scipy.fft.rfftfreq(side))
    spectrum = scipy.fft.rfft2(rng.standard_normal((side, side))) / np.maximum(frequency, 1 / side)
    field = scipy.fft.irfft2(spectrum, s=(side, side))
    return np.asarray((field - field.min()) / np.ptp(field))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    psf = disk_psf(4)
    scene = random_scene(given.side, rng)
    image = degrade(scene, psf, noise="gaussian:sigma=0.01", boundary="wrap", rng=rng).astype(given.dtype)
    calls: dict[str, Callable[[], object]] = {
        "FFT pair": lambda: scipy.fft.irfft2(scipy.fft.rfft2(image), s=image.shape),
        "wiener, fixed": lambda: wiener(image, psf, noise_to_signal=0.01, boundary="wrap"),
        "wiener, auto": lambda: wiener(image, psf, boundary="wrap"),
        "regularized_filter, fixed": lambda: regularized_filter(image, psf, regularization=0.01, boundary="wrap"),
        "regularized_filter, gcv": lambda: regularized_filter(image, psf, boundary="wrap"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(given.rounds + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            seconds[name].append(time.process_time() - start)
    times = {name: np.array(many[1:]) for name, many in seconds.items()}  # the first round warms up
    print(f"{given.side} x {given.side} {given.dtype}, disk of radius 4, median of {given.rounds} rounds, CPU time")
    print(f"restoretk {__version__}, numpy {np.__version__}, scipy {scipy.__version__}, {platform.machine()}")
    for name, many in times.items():
        print(f"{name:26} {1e3 * np.median(many):7.1f} ms   {np.median(many / times['FFT pair']):5.2f} FFT pairs")
    for method, automatic in (("wiener", "auto"), ("regularized_filter", "gcv")):
        ratio = np.median(times[f"{method}, {automatic}"] / times[f"{method}, fixed"])
        print(f"{method}, {automatic} / fixed: {ratio:.2f}")


if __name__ == "__main__":
    main()
