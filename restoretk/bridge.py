"""The bridge between the two meanings of "deconvolution": one decimated picture, transposed and inverted, with noise.

H blurs and keeps every s-th pixel. The transposed convolution s^2 H^T g (bicubic upsampling), the Landweber path that
begins with it, its limit H^+ g, the decimated Wiener filter and a kernel fitted to photographs all get the same g, at
several noise levels. Without noise the inverse is nearer to the scene; with noise the transpose is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image
from restoretk.metrics import psnr
from restoretk.panel import Panel
from restoretk.restoration.decimated import Decimation, decimated_inverse, decimated_wiener, landweber_weight
from restoretk.restoration.decimated_spectrum import fit_decimated_spectrum
from restoretk.restoration.signal_spectrum import SignalSpectrum
from restoretk.upsampling import downsample, upsample
from restoretk.upsampling.kernels import KernelLike, bicubic_kernel, kernels_for

NOISE_LEVELS = (0.0, 2.0, 5.0, 10.0)  # standard deviation in grey levels of 255
LANDWEBER_PATH = (2, 5, 20)  # steps between the first, which is the transpose, and the limit
_CHARTED = 2  # the noise level whose Wiener filter is drawn
TRANSPOSED, INVERSE, WIENER, FITTED = "s^2 H^T g", "H^+ g", "decimated Wiener", "fitted kernel"
_LONGEST_SIDE = 512  # of the picture that is measured: the centre of a larger one
_SHORTEST_SIDE = 16  # of the decimated picture: less has no spectrum to fit
_LUMA = (0.299, 0.587, 0.114)  # BT.601, as in the tables of super-resolution


@dataclass(frozen=True)
class Reading:
    """The decimated picture at one noise level, enlarged in every way.

    Attributes
    ----------
    noise : float
        Standard deviation of the white noise on g, in grey levels of 255.
    decimated : ndarray
        g, noise included.
    panels : tuple of Panel
        s^2 H^T g, the Landweber path, H^+ g, the decimated Wiener filter and, where there is one, the fitted kernel. Their
        ``psnr`` leaves out s border pixels; their ``residual`` is the root mean square of H x - g where H sees no edge.
    """

    noise: float
    decimated: Array
    panels: tuple[Panel, ...]

    @property
    def winner(self) -> Panel:
        """Of the two meanings, transpose and inverse, the one nearer to the picture before decimation."""
        return max((self.panel(TRANSPOSED), self.panel(INVERSE)), key=lambda panel: panel.metrics["psnr"])

    @property
    def best(self) -> Panel:
        """Of all of them the nearest."""
        return max(self.panels, key=lambda panel: panel.metrics["psnr"])

    def panel(self, name: str) -> Panel:
        """The panel of this name."""
        return next(panel for panel in self.panels if panel.name == name)


@dataclass(frozen=True)
class Bridge:
    """One picture decimated by H, and the two meanings of "deconvolution" applied to it.

    Attributes
    ----------
    factor : int
        s.
    scale : float
        s^2, by which H^T is multiplied so that brightness is kept.
    difference : float
        The largest difference, away from the edges, between bicubic upsampling and s^2 H^T g computed from H.
    original : ndarray of shape (M, N)
        The picture before decimation, grey: where every method is measured.
    readings : tuple of Reading
        One for each noise level, the same noise at each strength.
    singular_values : ndarray
        Those of H divided by the largest, from the smallest to 1: a grid of levels between its extremes.
    gains : mapping of str to ndarray
        What each method multiplies a component by whose singular value is `singular_values`, both with sH in place of H.
    frequencies : ndarray
        Along one axis of the large grid, cycles per pixel, 0 to 1/2.
    passes, aliases : mapping of str to ndarray
        Of a wave of each frequency: how much comes back as itself, and how much as waves that were not there.
    """

    factor: int
    scale: float
    difference: float
    original: Array
    readings: tuple[Reading, ...]
    singular_values: Array
    gains: Mapping[str, Array]
    frequencies: Array
    passes: Mapping[str, Array]
    aliases: Mapping[str, Array]

    def as_dict(self) -> dict[str, Any]:
        """The numbers without the pictures, as plain types for strict JSON."""
        return {
            "factor": self.factor,
            "scale": self.scale,
            "difference": self.difference,
            "frame": list(self.original.shape),
            "smallest_singular_value": float(self.singular_values[0]),
            "readings": [
                {
                    "noise_grey_levels": reading.noise,
                    "results": [panel.as_dict() for panel in reading.panels],
                    "winner": reading.winner.name,
                    "best": reading.best.name,
                }
                for reading in self.readings
            ],
        }


def bridge_meanings(
    image: npt.ArrayLike,
    *,
    factor: int = 2,
    channel_axis: int | None = None,
    kernel: KernelLike | None = "fitted",
    seed: int = 0,
) -> Bridge | None:
    """Decimate a picture by H, and enlarge it again by H^T, by the inverse of H and by what lies between, with noise.

    Parameters
    ----------
    image : array_like of shape (M, N) or, with ``channel_axis``, with channels
        Of colours the luma, of other channels the mean; of pictures longer than 512 pixels the centre. H reads real pixels
        only: the decimated picture is cut by its reach, so that the scene goes on beyond the frame.
    factor : int
        s >= 2.
    kernel : str, array_like, KernelBank or None
        What is shown as the fitted kernel. The name ``fitted`` is left out for factors that it does not come for.
    seed : int
        Of the noise.

    Returns
    -------
    Bridge, or None for a picture too small to show anything: less than 16 pixels on a side after decimation.

    Examples
    --------
    >>> rows, columns = np.mgrid[:96, :80]
    >>> stripes = 0.5 + 0.4 * np.sign(np.sin((rows - 40) ** 2 / 300 + columns / 9))
    >>> bridge = bridge_meanings(stripes, kernel=None)
    >>> [reading.winner.name for reading in bridge.readings]
    ['H^+ g', 'H^+ g', 'H^+ g', 's^2 H^T g']
    """
    if kernel == "fitted" and "fitted" not in kernels_for(factor):
        kernel = None
    taps = bicubic_kernel(factor) / factor
    reach = -(-(taps.size - factor) // (2 * factor))  # pixels of g beside an edge that read beyond it
    picture = _centre(_grey(image, channel_axis), factor, reach)
    if any(side // factor - 2 * reach < _SHORTEST_SIDE for side in picture.shape):
        return None
    inner = slice(reach * factor, -reach * factor)
    original, clean = picture[inner, inner], downsample(picture, factor)[reach:-reach, reach:-reach]
    noise = np.random.default_rng(seed).standard_normal(clean.shape)
    readings, spectra = [], []
    for level in NOISE_LEVELS:
        sigma = level / 255
        small = clean + sigma * noise
        spectra.append(_spectrum(small, factor, taps, sigma))
        images = _enlarged(small, factor, taps, spectra[-1], kernel)
        panels = [
            Panel(name, large, parameters, _measured(original, large, small, factor, reach))
            for name, large, parameters in images
        ]
        readings.append(Reading(level, small, tuple(panels)))
    levels, gains = _gains(taps, factor, clean.shape, spectra[_CHARTED], NOISE_LEVELS[_CHARTED])
    frequencies, passes, aliases = _waves(taps, factor)
    margin = slice(reach * factor, -reach * factor)
    transposed = decimated_inverse(readings[0].decimated, factor, taps, iterations=1)
    difference = np.abs(transposed - readings[0].panel(TRANSPOSED).image)[margin, margin].max()
    return Bridge(
        factor=factor,
        scale=float(factor**2),
        difference=float(difference),
        original=original,
        readings=tuple(readings),
        singular_values=levels,
        gains=gains,
        frequencies=frequencies,
        passes=passes,
        aliases=aliases,
    )


def _grey(image: npt.ArrayLike, channel_axis: int | None) -> Array:
    working, _ = as_float_image(image)
    if channel_axis is not None:
        channels = np.moveaxis(working, channel_axis, -1)
        colours = channels.shape[-1] in (3, 4)
        working = channels[..., :3] @ np.array(_LUMA) if colours else channels.mean(axis=-1)
    if working.ndim != 2:
        raise ValueError(f"the bridge needs a picture of 2 spatial axes, got shape {np.shape(image)}")
    return working.astype(np.float64)


def _centre(picture: Array, factor: int, reach: int) -> Array:
    """The centre of a large picture, a whole number of pixels of the small grid, with what H reads beyond the frame."""
    longest = max(_LONGEST_SIDE // factor, _SHORTEST_SIDE) + 2 * reach
    sides = [min(side // factor, longest) * factor for side in picture.shape]
    starts = [(side - kept) // 2 for side, kept in zip(picture.shape, sides, strict=True)]
    rows, columns = (slice(start, start + kept) for start, kept in zip(starts, sides, strict=True))
    return picture[rows, columns]


def _spectrum(small: Array, factor: int, taps: Array, sigma: float) -> SignalSpectrum:
    gain = np.abs(Decimation(np.outer(taps, taps), factor, small.shape).adjoint_transfer()) ** 2
    return fit_decimated_spectrum(small[None], gain, factor, sigma, periodic=False)


def _enlarged(
    small: Array, factor: int, taps: Array, spectrum: SignalSpectrum, kernel: KernelLike | None
) -> list[tuple[str, Array, dict[str, float | str]]]:
    """What every method makes of g."""
    made: list[tuple[str, Array, dict[str, float | str]]] = [
        (TRANSPOSED, upsample(small, factor, kernel="bicubic"), {"scale": factor**2})
    ]
    for steps in LANDWEBER_PATH:
        made.append(
            (f"Landweber {steps}", decimated_inverse(small, factor, taps, iterations=steps), {"iterations": steps})
        )
    made.append((INVERSE, decimated_inverse(small, factor, taps), {"iterations": "infinite"}))
    wiener = decimated_wiener(small, factor, taps, noise_sigma=spectrum.noise_sigma, signal_spectrum=spectrum)
    made.append((WIENER, wiener, {"noise_sigma": spectrum.noise_sigma, "exponent": spectrum.exponent}))
    if kernel is not None:
        said = kernel if isinstance(kernel, str) else "given"
        made.append((FITTED, upsample(small, factor, kernel=kernel), {"kernel": said}))
    return made


def _measured(original: Array, large: Array, small: Array, factor: int, reach: int) -> dict[str, float]:
    inside = slice(reach, -reach)
    residual = (downsample(large, factor) - small)[inside, inside]
    return {
        "psnr": psnr(original, large, data_range=1.0, border=factor),
        "residual": float(np.sqrt(np.mean(residual**2))),
    }


def _gains(
    taps: Array, factor: int, shape: tuple[int, ...], spectrum: SignalSpectrum, noise: float
) -> tuple[Array, Mapping[str, Array]]:
    """What each method multiplies a component by, against its singular value; sH in place of H, whose largest is 1."""
    operator = Decimation(np.outer(taps, taps), factor, shape)
    squared = factor**2 * operator.squared_singular_values()
    power = np.abs(operator.adjoint_transfer()) ** 2 * spectrum.power_at(
        [np.fft.fftfreq(factor * shape[0])[:, None], np.fft.fftfreq(factor * shape[1])[None, :]]
    )
    # In squared / (squared + ratio) the share that is scene, signal / (signal + noise).
    ratio = float(np.median(squared * spectrum.noise_sigma**2 / operator.class_mean(power)))
    levels = np.linspace(np.sqrt(squared.min()), 1, 100)
    gains = {"transposed: σ": levels.copy()}
    for steps in LANDWEBER_PATH[:2]:
        gains[f"Landweber {steps}"] = levels * landweber_weight(levels**2, steps, 1.0)
    gains["inverse: 1/σ"] = 1 / levels
    gains[f"Wiener at {noise:g} grey levels: σ/(σ²+λ), λ = {ratio:.2g}"] = levels / (levels**2 + ratio)
    return levels, gains


def _waves(taps: Array, factor: int) -> tuple[Array, Mapping[str, Array], Mapping[str, Array]]:
    """What becomes of a wave along one axis: its own share and its aliases, under the transpose and under the inverse."""
    frequencies = np.linspace(0, 0.5, 201)
    members = frequencies + np.arange(factor)[:, None] / factor  # (s, frequencies): the first is the wave itself
    positions = np.arange(taps.size) - (taps.size - 1) / 2
    response = np.cos(2 * np.pi * members[..., None] * positions) @ taps
    own, others = response[0], response[1:]
    passes = own**2
    aliases = np.abs(own) * np.sqrt(np.sum(others**2, axis=0))
    total = np.sum(response**2, axis=0)
    return (
        frequencies,
        {TRANSPOSED: passes, INVERSE: passes / total},
        {TRANSPOSED: aliases, INVERSE: aliases / total},
    )
