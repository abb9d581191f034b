"""Transposed convolution and upsampling by two."""

from __future__ import annotations

import numpy as np

from restoretk import conv_transpose, upsample


class Upsampling:
    """One channel of 512 x 512, and sixteen to sixteen."""

    def setup(self) -> None:
        rng = np.random.default_rng(0)
        self.image = rng.random((512, 512), dtype=np.float32)
        self.kernel = rng.random((4, 4), dtype=np.float32)
        self.channels = rng.random((16, 256, 256), dtype=np.float32)
        self.weights = rng.random((16, 16, 4, 4), dtype=np.float32)

    def time_conv_transpose(self) -> None:
        conv_transpose(self.image, self.kernel, stride=2, padding=1)

    def time_conv_transpose_channels(self) -> None:
        conv_transpose(self.channels, self.weights, stride=2, padding=1)

    def time_upsample_bicubic(self) -> None:
        upsample(self.image, 2, kernel="bicubic")
