"""How close enlarged photographs come to the originals: the protocol of the super-resolution literature, on any folder.

Each photograph is cut to whole multiples of the factor, its luma (Y of BT.601, rounded to 8 bits) decimated by
antialiased bicubic decimation and rounded to 8 bits, enlarged by each kernel and rounded; PSNR against the luma, with a
border of as many pixels as the factor cut off. On the literature's own Set5 the rows bicubic of this table are 33.64,
30.39 and 28.42 dB for the factors 2, 3 and 4.

Without a folder: the photographs that scikit-image installs and that the fitted kernels have not seen.

    python benchmarks/quality_upsampling.py [FOLDER] [--factors 2 3 4] [--exact] [--kernels NAME ...]

``--exact`` leaves the decimated picture unrounded.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import skimage.data

from restoretk._arrays import Array
from restoretk.metrics import psnr
from restoretk.upsampling import downsample, fitted_provenance, kernels_for, upsample

SUFFIXES = {".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff"}
KERNELS = ("nearest", "bilinear", "bicubic", "bicubic:a=-0.75", "lanczos3", "fitted:rank=1", "fitted", "bank")


def luma(path: Path) -> Array:
    picture = iio.imread(path)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
        raise SystemExit(f"{path} must be a picture of 8 bits, got {picture.dtype} of shape {picture.shape}")
    levels = picture.astype(np.float64)
    if picture.ndim == 3:
        levels = levels[..., :3] @ np.array([65.481, 128.553, 24.966]) / 255 + 16
    return np.rint(levels) / 255


def rounded(image: Array) -> Array:
    return np.rint(image.clip(0, 1) * 255) / 255


def scores(plane: Array, factor: int, kernels: list[str], exact: bool, seconds: dict[str, float]) -> list[float]:
    rows, columns = (side // factor * factor for side in plane.shape)
    large = plane[:rows, :columns]
    small = downsample(large, factor)
    small = (small if exact else rounded(small)).astype(np.float32)
    found = []
    for kernel in kernels:
        start = time.process_time()
        enlarged = upsample(small, factor, kernel=kernel)
        seconds[kernel] += time.process_time() - start
        found.append(psnr(large, rounded(enlarged.astype(np.float64)), border=factor))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--factors", nargs="+", type=int, default=[2, 3, 4])
    parser.add_argument("--kernels", nargs="+")
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    if options.folder is None:
        folder = Path(skimage.data.__file__).parent
        paths = [folder / name for name in fitted_provenance()["held_out"]]
    else:
        paths = sorted(path for path in options.folder.iterdir() if path.suffix.lower() in SUFFIXES)
    planes = {path.stem: luma(path) for path in paths}
    if not planes:
        raise SystemExit(f"{options.folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    for factor in options.factors:
        kernels = options.kernels or [name for name in KERNELS if name.partition(":")[0] in kernels_for(factor)]
        seconds = dict.fromkeys(kernels, 0.0)
        table = {name: scores(plane, factor, kernels, options.exact, seconds) for name, plane in planes.items()}
        pixels = sum(plane.size for plane in planes.values()) / 1e6
        means = np.mean(list(table.values()), axis=0)
        print(f"\nx{factor}, PSNR of Y in dB" + ", decimated pictures exact" * options.exact)
        print(f"{'':20}" + "".join(f"{kernel:>16}" for kernel in kernels))
        for name, row in table.items():
            print(f"{name:20}" + "".join(f"{value:16.2f}" for value in row))
        print(f"{'mean':20}" + "".join(f"{value:16.3f}" for value in means))
        if "bicubic" in kernels:
            print(
                f"{'over bicubic':20}" + "".join(f"{value:+16.3f}" for value in means - means[kernels.index("bicubic")])
            )
        print(f"{'CPU s / megapixel':20}" + "".join(f"{seconds[kernel] / pixels:16.3f}" for kernel in kernels))


if __name__ == "__main__":
    main()
