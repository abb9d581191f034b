"""Fit the kernels and banks that come with the package, and measure them on photographs that they were not fitted to.

    python scripts/fit_kernels.py [--output restoretk/upsampling/fitted]

Takes the photographs that scikit-image installs with itself, free of licences that would bind a user: public domain or
CC0, as its data/README and its documentation say of each. Pictures are taken at full and at half size, every channel for
itself, and the small pictures are rounded to 8 bits, as files hold them. Held out are coffee, gravel and the motorcycle
(both views), and chelsea, a soft JPEG.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import skimage.data

from restoretk import __version__
from restoretk._arrays import Array
from restoretk.metrics import psnr
from restoretk.upsampling import KernelBank, downsample, fit_kernel_bank, kernel_fit, save_kernel, upsample

TRAINING = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "coins.png",
    "grass.png",
    "hubble_deep_field.jpg",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
HELD_OUT = ("coffee.png", "gravel.png", "motorcycle_left.png", "chelsea.png")
FACTORS = (2, 3, 4)
SHARED: dict[str, Any] = {"bits": 8, "shrink": (1, 2)}
KERNEL: dict[str, Any] = {"size": 9, **SHARED}
BANK: dict[str, Any] = {
    "size": 7,
    "stages": 4,
    "angles": 4,
    "strengths": 4,
    "coherences": 3,
    "sides": 3,
    "overlap": 1,
    **SHARED,
}


def luma(picture: Array) -> Array:
    """Y of BT.601 in studio range, rounded to 8 bits, as a fraction of 255: the plane that the custom measures."""
    levels = picture.astype(np.float64)
    if levels.ndim == 3:
        levels = levels[..., :3] @ np.array([65.481, 128.553, 24.966]) / 255 + 16
    return np.rint(levels) / 255


def gain_over_bicubic(picture: Array, factor: int, kernel: Array | KernelBank) -> float:
    """By how many dB a kernel beats bicubic: Y, antialiased bicubic decimation to 8 bits, border of s pixels cut off."""
    plane = luma(picture)
    rows, columns = (side // factor * factor for side in plane.shape)
    large = plane[:rows, :columns]
    small = np.rint(downsample(large, factor).clip(0, 1) * 255) / 255
    scores = [
        psnr(large, np.rint(upsample(small, factor, kernel=one).clip(0, 1) * 255) / 255, border=factor)
        for one in ("bicubic", kernel)
    ]
    return scores[1] - scores[0]


def main() -> None:
    """Fit, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parent.parent / "restoretk" / "upsampling" / "fitted"
    parser.add_argument("--output", type=Path, default=default)
    output = parser.parse_args().output
    output.mkdir(exist_ok=True)
    folder = Path(skimage.data.__file__).parent
    pictures = [iio.imread(folder / name) for name in TRAINING]
    held_out = {name: iio.imread(folder / name) for name in HELD_OUT}
    figures: dict[str, Any] = {}
    for factor in FACTORS:
        fit = kernel_fit(pictures, factor, **KERNEL)
        bank = fit_kernel_bank(pictures, factor, **BANK)
        save_kernel(output / f"kernel_x{factor}.npy", fit.kernel)
        save_kernel(output / f"bank_x{factor}.npz", bank)
        gains = {
            kind: {name: round(gain_over_bicubic(picture, factor, kernel), 3) for name, picture in held_out.items()}
            for kind, kernel in (("fitted", fit.kernel), ("bank", bank))
        }
        figures[f"x{factor}"] = {"pixels": fit.pixels, "condition": round(fit.condition, 1), "gain_db": gains}
        print(f"x{factor}: condition {fit.condition:.0f}, dB over bicubic on pictures held out: {gains}", flush=True)
    provenance = {
        "made_by": "scripts/fit_kernels.py",
        "pictures": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in TRAINING},
        "held_out": list(HELD_OUT),
        "source": f"scikit-image {metadata.version('scikit-image')}, skimage/data",
        "versions": {"restoretk": __version__, "numpy": np.__version__, "python": platform.python_version()},
        "options": {"fitted": KERNEL, "bank": BANK},
        "figures": figures,
    }
    (output / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in output.iterdir())
    print(f"{size / 1e6:.2f} MB in {output}")


if __name__ == "__main__":
    main()
