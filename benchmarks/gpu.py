"""The Wiener filter on tensors of PyTorch against the bare pair of FFTs of the same library, on CUDA where there is a device.

float32, fixed parameter, boundary wrap. Filter and pair take turns and are synchronised; the figure is the median over rounds
of the ratio of wall times. Without a CUDA device the same is done with tensors on the CPU (one thread), and said.

    python benchmarks/gpu.py [--side 4096] [--rounds 15] [--device cuda|cpu] [--json FILE]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from measuring import Figure, random_scene, write_figures

from restoretk import wiener
from restoretk.psf import disk_psf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", choices=["cuda", "cpu"])
    parser.add_argument("--json")
    given = parser.parse_args()
    import torch

    device = given.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu":
        torch.set_num_threads(1)
        print(
            "no CUDA device is at hand, or none was wanted: tensors on the CPU, one thread, for which there is no bound"
        )
    image = random_scene((given.side, given.side))
    tensor, psf = torch.from_numpy(image).to(device), torch.from_numpy(disk_psf(7.5).astype(np.float32)).to(device)

    def synchronised(call: object) -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        call()  # type: ignore[operator]
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    ratios = []
    for _ in range(given.rounds + 2):
        pair = synchronised(lambda: torch.fft.irfft2(torch.fft.rfft2(tensor), s=tensor.shape))
        restored = synchronised(lambda: wiener(tensor, psf, noise_to_signal=0.01, boundary="wrap"))
        ratios.append(restored / pair)
    expected = wiener(image, disk_psf(7.5), noise_to_signal=0.01, boundary="wrap")
    found = wiener(tensor, psf, noise_to_signal=0.01, boundary="wrap").cpu().numpy()
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    size = f"{given.side}^2 float32"
    figures = [
        Figure("gpu", f"wiener over the FFT pair of torch, {size}, {name}", float(np.median(ratios[2:])),
               1.3 if device == "cuda" else None, unit="pairs"),
        Figure("gpu", f"largest difference between torch and NumPy, {size}", float(np.abs(found - expected).max()), 1e-5),
    ]  # fmt: skip
    write_figures(figures, given.json)


if __name__ == "__main__":
    main()
