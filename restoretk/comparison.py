"""Both meanings of "deconvolution" on one picture: numbers and images, no appearance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image, looks_like_colour
from restoretk.catalogue import make_method
from restoretk.degradation import degrade
from restoretk.metrics import isnr, psnr, ssim
from restoretk.psf import check_psf
from restoretk.restoration import METHODS, Restoration, restore
from restoretk.restoration._frequency_domain import LinearFilter, Problem
from restoretk.restoration._torus import open_problem
from restoretk.upsampling import KERNELS, downsample, upsample

LANDWEBER_STEPS = (1, 10, 100, 1000)
_LANDWEBER_TAU = 1.0  # converges for 0 < tau < 2 / max|H|^2, and max|H| = 1 for a PSF of sum 1


@dataclass(frozen=True)
class Panel:
    """One picture of a comparison with its numbers.

    Attributes
    ----------
    name : str
        A short label.
    image : ndarray of shape (M, N) or (M, N, C)
    parameters : mapping
        What was given and what was chosen.
    metrics : mapping of str to float
        ``psnr`` and ``isnr`` in dB and ``ssim`` against the original, where there is one; ``residual``, the root mean
        square of g - h * f, where the picture claims to be the scene; on unclipped values, data range 1.
    warnings : tuple of str
    """

    name: str
    image: Array
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """A picture, what the camera saw, every restoration, and the same picture under both meanings of "deconvolution".

    Attributes
    ----------
    title, psf_name, noise_name : str
    psf : ndarray
    original : ndarray or None
        The scene inside the frame; None where the picture itself is the observation.
    observed : Panel
        g = h * f + noise.
    restorations : tuple of Panel
        One for each method.
    meanings : tuple of Panel
        g, then H^T g, the Landweber path and its limit: from the transposed convolution to the inverse.
    gains : mapping of str to ndarray
        For each filter, what it multiplies a frequency by, against ``|H|`` = `blur_levels`.
    blur_levels : ndarray
    upsampled : tuple of Panel
        The decimated picture upsampled by each kernel.
    decimated : ndarray
    factor : int
    """

    title: str
    psf_name: str
    noise_name: str
    psf: Array
    original: Array | None
    observed: Panel
    restorations: tuple[Panel, ...]
    meanings: tuple[Panel, ...]
    blur_levels: Array
    gains: Mapping[str, Array]
    upsampled: tuple[Panel, ...]
    decimated: Array
    factor: int

    def as_dict(self) -> dict[str, Any]:
        """The numbers without the pictures, as plain types for strict JSON: None for a number that is not finite.

        Only metrics can be infinite: the PSNR and ISNR of a picture that equals the original.
        """

        def panels(many: Sequence[Panel]) -> list[dict[str, Any]]:
            return [
                {
                    "name": p.name,
                    "parameters": dict(p.parameters),
                    "metrics": {key: value if np.isfinite(value) else None for key, value in p.metrics.items()},
                    "warnings": list(p.warnings),
                }
                for p in many
            ]

        return {
            "title": self.title,
            "psf": {"name": self.psf_name, "shape": list(self.psf.shape)},
            "noise": self.noise_name,
            "frame": list(self.observed.image.shape),
            "has_original": self.original is not None,
            "observed": panels([self.observed])[0],
            "restorations": panels(self.restorations),
            "meanings": panels(self.meanings),
            "upsampling": {"factor": self.factor, "kernels": panels(self.upsampled)},
        }


def compare(
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    *,
    noise: str | None = None,
    observed: bool = False,
    channel_axis: int | None = None,
    seed: int = 0,
    methods: Sequence[str] | None = None,
    kernels: Sequence[str] | None = None,
    factor: int = 2,
    title: str = "picture",
    psf_name: str = "array",
) -> Comparison:
    """Degrade a picture, restore it by every method, upsample it by every kernel, and join the two meanings by Landweber.

    The observation is cut to the pixels that no boundary rule made up (the frame shrinks by the reach of the PSF on every
    side), so the scene goes on beyond the frame, as it does for a camera.

    Parameters
    ----------
    image : array_like of shape (M, N) or, with ``channel_axis``, with channels
        The scene; with ``observed``, the observation itself.
    psf : array_like of shape (K, L)
    noise : str or None
        In the grammar, such as ``gaussian:sigma=0.01``.
    observed : bool
        The picture is already blurred: nothing is degraded, and there is no original to measure against.
    channel_axis : int or None
    seed : int
        Of the noise.
    methods, kernels : sequence of str or None
        In the grammar; None takes all of METHODS and KERNELS.
    factor : int
        By which the picture is decimated and upsampled again.
    title, psf_name : str
        Labels.

    Raises
    ------
    TypeError, ValueError
        For a picture, PSF, noise, method or kernel that cannot be used, and where the frame becomes too small.
    """
    scene, _ = as_float_image(image)
    kernel = check_psf(psf)
    if kernel.ndim != 2:
        raise ValueError(f"compare shows pictures and needs a psf of 2 axes, got shape {kernel.shape}")
    if scene.ndim - (channel_axis is not None) != 2 or (looks_like_colour(scene.shape, 2) and channel_axis is None):
        raise ValueError(
            f"compare needs an image of 2 spatial axes and at most a channel_axis, got shape {scene.shape} with "
            f"channel_axis={channel_axis}"
        )
    scene = scene if channel_axis is None else np.moveaxis(scene, channel_axis, -1)
    channels = None if channel_axis is None else -1
    if observed:
        original, seen = None, scene
    else:
        original, seen = _photograph(scene, kernel, noise, channels, seed)
    ruler = _Ruler(original, seen, channels)

    restorations = []
    for spec in METHODS if methods is None else methods:
        name, options = make_method(spec)
        restorations.append(ruler.restored(spec, restore(seen, kernel, name, channel_axis=channels, **options)))
    meanings, chosen = _two_meanings(seen, kernel, channels, ruler)
    levels = np.geomspace(1e-3, 1, 200)
    source = seen if original is None else original
    decimated, upsampled = _resample(source, factor, list(KERNELS) if kernels is None else list(kernels), channels)
    return Comparison(
        title=title,
        psf_name=psf_name,
        noise_name="already in the picture" if observed else noise or "none",
        psf=kernel,
        original=original,
        observed=ruler.panel("observed", seen),
        restorations=tuple(restorations),
        meanings=tuple(meanings),
        blur_levels=levels,
        gains=_gains(levels, chosen),
        upsampled=tuple(upsampled),
        decimated=decimated,
        factor=factor,
    )


def _photograph(
    scene: Array, psf: Array, noise: str | None, channel_axis: int | None, seed: int
) -> tuple[Array, Array]:
    """The scene and what a camera sees of it, both cut to the pixels that do not depend on the boundary."""
    low = [side - 1 - side // 2 for side in psf.shape]
    high = [side // 2 for side in psf.shape]
    window = tuple(slice(a, size - b) for a, b, size in zip(low, high, scene.shape, strict=False))
    cut = scene[window]
    if any(size < max(16, side) for size, side in zip(cut.shape, psf.shape, strict=False)):
        raise ValueError(
            f"image of shape {scene.shape} is too small for a psf of shape {psf.shape}: "
            f"a frame of {cut.shape} would be left, less than the psf or 16 pixels on a side"
        )
    seen = degrade(scene, psf, noise=noise, channel_axis=channel_axis, rng=seed)
    return cut, seen[window]


@dataclass(frozen=True)
class _Ruler:
    """Measures pictures against the original, where there is one."""

    original: Array | None
    observed: Array
    channel_axis: int | None

    def panel(
        self,
        name: str,
        image: Array,
        parameters: Mapping[str, float | str] | None = None,
        residual: float | None = None,
        warnings: tuple[str, ...] = (),
    ) -> Panel:
        metrics: dict[str, float] = {}
        if self.original is not None:
            metrics["psnr"] = psnr(self.original, image, data_range=1.0)
            metrics["ssim"] = ssim(self.original, image, data_range=1.0, channel_axis=self.channel_axis)
            metrics["isnr"] = isnr(self.original, self.observed, image)
        if residual is not None:
            metrics["residual"] = residual
        return Panel(name, image, parameters or {}, metrics, warnings)

    def restored(self, name: str, restoration: Restoration) -> Panel:
        parameters = dict(restoration.parameters)
        if restoration.noise_sigma is not None:
            parameters["noise_sigma"] = restoration.noise_sigma
        parameters["noise_gain"] = restoration.diagnostics["noise_gain"]
        residual = restoration.diagnostics["residual_sigma"]
        return self.panel(name, restoration.image, parameters, residual, restoration.warnings)


def _two_meanings(
    seen: Array, psf: Array, channel_axis: int | None, ruler: _Ruler
) -> tuple[list[Panel], dict[str, float]]:
    """The Landweber path x <- x + tau H^T (g - H x) from 0, in closed form, and the parameters of its neighbours."""
    problem = open_problem(seen, psf, "unknown", channel_axis)
    panels = [ruler.panel("g", seen)]
    for steps in LANDWEBER_STEPS:
        name = "H^T g" if steps == 1 else f"Landweber {steps}"
        panels.append(_landweber_panel(problem, name, landweber_transfer(problem.otf, steps), steps, ruler))
    magnitude = np.abs(problem.otf)
    inverse = np.divide(1, problem.otf, out=np.zeros_like(problem.otf), where=magnitude > 1e-9 * magnitude.max())
    panels.append(_landweber_panel(problem, "H^+ g", inverse, "infinite", ruler))
    frequency_ratio = problem.noise_variance() / np.maximum(problem.signal_power(), 1e-300)
    return panels, {"noise_to_signal": float(np.median(frequency_ratio))}


def _landweber_panel(problem: Problem, name: str, transfer: Array, steps: float | str, ruler: _Ruler) -> Panel:
    restoration = LinearFilter(
        "landweber", problem, transfer, {"iterations": steps, "tau": _LANDWEBER_TAU}
    ).restoration()
    return ruler.restored(name, restoration)


def landweber_transfer(otf: Array, iterations: float, tau: float = _LANDWEBER_TAU) -> Array:
    """The transfer function of Landweber iteration from 0: (1 - (1 - tau |H|^2)^j) / H, which is tau conj(H) at j = 1."""
    power = np.abs(otf) ** 2
    # log1p and expm1 keep the small |H|^2 exact; tau |H|^2 = 1 converges in one step, and rounding may put it above.
    grown = -np.expm1(iterations * np.log1p(-np.minimum(tau * power, 1 - np.finfo(np.float64).epsneg)))
    return np.divide(grown, otf, out=np.zeros_like(otf), where=power > 0)


def _gains(levels: Array, chosen: Mapping[str, float]) -> dict[str, Array]:
    """What each filter multiplies a frequency by whose contrast the blur reduced to |H|."""
    ratio = chosen["noise_to_signal"]
    gains = {"transposed: |H|": levels.copy()}
    for steps in LANDWEBER_STEPS[1:]:
        gains[f"Landweber {steps}"] = np.abs(landweber_transfer(levels, steps))
    gains[f"Wiener at its median noise-to-signal ratio, {ratio:.2g}"] = levels / (levels**2 + ratio)
    gains["inverse: 1/|H|"] = 1 / levels
    return gains


def _resample(
    picture: Array, factor: int, kernels: Sequence[str], channel_axis: int | None
) -> tuple[Array, list[Panel]]:
    """The picture decimated by H (antialiased bicubic), and upsampled again by each kernel."""
    rows, columns = (size // factor * factor for size in picture.shape[:2])
    whole = picture[:rows, :columns]
    small = downsample(whole, factor, channel_axis=channel_axis)
    panels = []
    for kernel in kernels:
        large = upsample(small, factor, kernel=kernel, channel_axis=channel_axis)
        metrics = {
            "psnr": psnr(whole, large, data_range=1.0, border=factor, channel_axis=channel_axis),
            "ssim": ssim(whole, large, data_range=1.0, border=factor, channel_axis=channel_axis),
        }
        panels.append(Panel(kernel, large, {"factor": factor}, metrics))
    return small, panels
