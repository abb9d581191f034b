"""Print how often the sentences of the residual audit are right: photographs with known blur, noise and mistakes.

Every frame is blurred, cut free of what the edges made up, given noise and rounded to 8 bits. Then it is restored and audited
with the right PSF and with wrong ones. Without arguments the bundled photographs are used, on which the thresholds were set;
pictures on the command line are other evidence.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from scipy.ndimage import gaussian_filter

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.diagnostics import ResidualAudit, audit_residual, transformed_psf
from restoretk.noise_estimation import estimate_noise_sigma
from restoretk.psf import box_psf, camera_shake_psf, disk_psf, gaussian_psf, motion_psf
from restoretk.restoration import restore
from restoretk.restoration.signal_spectrum import fit_signal_spectrum

DATA = Path(__file__).resolve().parent.parent / "data"
PHOTOGRAPHS = ("camera", "coffee", "astronaut", "chelsea")
LEVELS = (0.5, 2, 5)  # sigma in 255ths
FACTORS = (0.7, 0.85, 1.2, 1.4)
STRENGTHS = (0.01, 0.1, 1, 10, 100)
MARGIN, SIDE = 20, 320
SHAKE = camera_shake_psf(17, rng=3)


def main() -> None:
    """Print the sentences said in each situation."""
    files = [Path(name) for name in sys.argv[1:]] or [DATA / f"{name}.png" for name in PHOTOGRAPHS]
    said: dict[str, Counter[str]] = {}
    for seed, file in enumerate(files):
        scene = _grey(iio.imread(file) / 255)
        for situation, audit in _cases(scene, seed):
            said.setdefault(situation, Counter()).update(_labels(audit))
        print(f"{file.stem} done", file=sys.stderr)
    print(f"{len(files)} photographs; each line: what was wrong, cases, what was said of them")
    for situation, counts in sorted(said.items()):
        cases = counts.pop("cases")
        print(
            f"{situation:28} {cases:4}  " + ", ".join(f"{label} {n} ({n / cases:.0%})" for label, n in counts.items())
        )


def _cases(scene: Array, seed: int) -> Iterator[tuple[str, ResidualAudit]]:
    """Each situation with its audit."""
    for name, factor_1 in TRUTHS.items():
        true = factor_1(1.0)
        for level in LEVELS:
            rng = np.random.default_rng(seed)
            seen = _frame(scene, true, level, rng.standard_normal(scene.shape))
            yield "right", _audit(seen, true)
            for factor in FACTORS:
                yield f"{'wide' if factor > 1 else 'narrow'} {factor}", _audit(seen, factor_1(factor))
            if name in ("motion", "shake"):
                for angle in (-20.0, 20.0):
                    yield "turned 20", _audit(seen, transformed_psf(true, angle=angle))
            if name in ("gaussian", "disk"):
                other = disk_psf(3.2) if name == "gaussian" else gaussian_psf(2.0)  # the same standard deviation
                yield "another shape", _audit(seen, other)
            for width in (0.5, 0.8):
                coloured = gaussian_filter(rng.standard_normal(scene.shape), width)
                yield f"noise blurred by {width}", _audit(_frame(scene, true, level, coloured / coloured.std()), true)
            yield from _strengths(scene, true, level, rng)


def _strengths(scene: Array, psf: Array, level: float, rng: np.random.Generator) -> Iterator[tuple[str, ResidualAudit]]:
    """The regularized filter, on a torus, with the strength of GCV times a factor."""
    scene = scene[:SIDE, :SIDE]
    seen = convolve(scene, psf, boundary="wrap") + level / 255 * rng.standard_normal(scene.shape)
    best = float(restore(seen, psf, "regularized_filter", boundary="wrap").parameters["regularization"])
    for strength in STRENGTHS:
        result = restore(seen, psf, "regularized_filter", regularization=best * strength, boundary="wrap")
        yield f"strength x {strength:g}", audit_residual(seen, psf, result.image, boundary="wrap")


def _frame(scene: Array, psf: Array, level: float, noise: Array) -> Array:
    seen = convolve(scene, psf) + level / 255 * noise
    cut = seen[MARGIN:-MARGIN, MARGIN:-MARGIN][:SIDE, :SIDE]
    return np.rint(np.clip(cut, 0, 1) * 255) / 255


def _audit(seen: Array, psf: Array) -> ResidualAudit:
    """The audit of the automatic Wiener filter, everything estimated."""
    sigma = float(estimate_noise_sigma(seen))
    restored = restore(seen, psf, "wiener", boundary="unknown").image
    return audit_residual(
        seen, psf, restored, misfit=lambda candidate: fit_signal_spectrum(seen, candidate, noise_sigma=sigma).misfit
    )


def _labels(audit: ResidualAudit) -> list[str]:
    """What was said, shortened; "nothing" if nothing was."""
    keys = ("too wide", "too narrow", "turned", "not flat", "over-regularised", "under-regularised")
    found = [key for key in keys if any(key in sentence for sentence in audit.findings)]
    if audit.whiteness_p_value < 0.01:
        found.append("p < 0.01")
    return ["cases", *(found or ["nothing"])]


def _grey(picture: Array) -> Array:
    return picture if picture.ndim == 2 else picture[..., :3] @ np.array([0.2125, 0.7154, 0.0721])


TRUTHS: Mapping[str, Callable[[float], Array]] = {
    "gaussian": lambda factor: gaussian_psf(1.6 * factor),
    "disk": lambda factor: disk_psf(4 * factor),
    "motion": lambda factor: motion_psf(15 * factor, 30),
    "box": lambda factor: box_psf(2 * round((9 * factor - 1) / 2) + 1),
    "shake": lambda factor: SHAKE if factor == 1 else transformed_psf(SHAKE, factor),
}


if __name__ == "__main__":
    main()
