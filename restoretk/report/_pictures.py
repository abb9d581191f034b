"""Arrays as pictures inside the page: one grey scale for all, spectra in decibels, a detail where there is most to see."""

from __future__ import annotations

import base64
import io

import numpy as np

from restoretk._arrays import Array

_LONGEST_SIDE = 900  # larger pictures are averaged down for the page; the detail stays at full size
_DETAIL = 128


def picture_uri(image: Array) -> str:
    """A picture in [0, 1], clipped to it, as a PNG data URI."""
    return _png(np.rint(np.clip(_shrunk(image), 0, 1) * 255).astype(np.uint8))


def psf_uri(psf: Array) -> str:
    """A PSF with its peak white; the square root shows its faint parts."""
    return _png(np.rint(np.sqrt(psf / psf.max()) * 255).astype(np.uint8))


def spectrum_uri(image: Array) -> str:
    """The log power spectrum with the zero frequency in the middle, 0 dB at its peak and black 80 dB below."""
    grey = image if image.ndim == 2 else image.mean(axis=-1)
    window = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])
    power = np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * window))) ** 2
    decibels = 10 * np.log10(np.maximum(power, 1e-300) / max(power.max(), 1e-300))
    return picture_uri(1 + decibels / 80)


def detail_window(image: Array) -> tuple[slice, slice]:
    """The square with most gradient energy: where blur and its removal show."""
    grey = image if image.ndim == 2 else image.mean(axis=-1)
    side = min(_DETAIL, *grey.shape)
    energy = sum(np.square(part) for part in np.gradient(grey))
    total = np.pad(energy, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    row, column = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return slice(int(row), int(row) + side), slice(int(column), int(column) + side)


def share_outside(image: Array) -> float:
    """The share of values outside [0, 1], which a screen cannot show."""
    return float(np.mean((image < 0) | (image > 1)))


def _shrunk(image: Array) -> Array:
    step = -(-max(image.shape[:2]) // _LONGEST_SIDE)
    if step == 1:
        return image
    rows, columns = (size // step * step for size in image.shape[:2])
    blocks = image[:rows, :columns].reshape(rows // step, step, columns // step, step, *image.shape[2:])
    return blocks.mean(axis=(1, 3))


def _png(pixels: Array) -> str:
    from PIL import Image

    if pixels.ndim == 3 and pixels.shape[-1] not in (3, 4):
        pixels = pixels[..., 0]  # two channels have no PNG of their own; the first stands for both
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
