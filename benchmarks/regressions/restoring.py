"""The linear filters and Richardson-Lucy, boundary wrap, with and without the extra ``fast``."""

from __future__ import annotations

import importlib.util

import numpy as np

from restoretk import plan_restoration, regularized_filter, richardson_lucy, wiener
from restoretk.convolution._fast import set_fast
from restoretk.psf import disk_psf


class Restoring:
    """Pictures of three sizes."""

    params = ([256, 1024, 2048], ["numpy", "fast"])
    param_names = ("side", "kind")

    def setup(self, side: int, kind: str) -> None:
        if kind == "fast" and importlib.util.find_spec("ducc0") is None:
            raise NotImplementedError("the extra fast is not installed")
        set_fast(kind == "fast")
        rng = np.random.default_rng(0)
        self.image = np.cumsum(rng.standard_normal((side, side), dtype=np.float32), axis=1) / side
        self.psf = disk_psf(7.5)
        self.plan = plan_restoration(
            self.image.shape, self.psf, "wiener:noise_to_signal=0.01", dtype=np.float32, boundary="wrap"
        )

    def teardown(self, _side: int, _kind: str) -> None:
        set_fast(None)

    def time_wiener_fixed(self, _side: int, _kind: str) -> None:
        wiener(self.image, self.psf, noise_to_signal=0.01, boundary="wrap")

    def time_wiener_plan(self, _side: int, _kind: str) -> None:
        self.plan(self.image)

    def time_wiener_auto(self, _side: int, _kind: str) -> None:
        wiener(self.image, self.psf, boundary="wrap")

    def time_regularized_filter_gcv(self, _side: int, _kind: str) -> None:
        regularized_filter(self.image, self.psf, boundary="wrap")

    def time_richardson_lucy(self, _side: int, _kind: str) -> None:
        richardson_lucy(np.abs(self.image), self.psf, iterations=3, boundary="wrap")

    def peakmem_wiener_fixed(self, _side: int, _kind: str) -> None:
        wiener(self.image, self.psf, noise_to_signal=0.01, boundary="wrap", out=self.image)
