"""Both meanings of "deconvolution" on one picture: numbers and images, no appearance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image, looks_like_colour
from restoretk.bridge import Bridge, bridge_meanings
from restoretk.catalogue import make_method
from restoretk.degradation import degrade
from restoretk.metrics import isnr, psnr, ssim
from restoretk.noise import make_photograph_noise
from restoretk.panel import Panel
from restoretk.psf import check_psf
from restoretk.restoration import METHODS, Restoration, restore
from restoretk.restoration._frequency_domain import LinearFilter
from restoretk.restoration._problem import Problem
from restoretk.restoration._torus import open_problem
from restoretk.restoration._transfer import GivenTransfer
from restoretk.tone_curve import AS_GIVEN, WorkingSpace
from restoretk.upsampling import downsample, upsample
from restoretk.upsampling.kernels import kernels_for

LANDWEBER_STEPS = (1, 10, 100, 1000)
_LANDWEBER_TAU = 1.0  # converges for 0 < tau < 2 / max|H|^2, and max|H| = 1 for a PSF of sum 1


@dataclass(frozen=True)
class Comparison:
    """A picture, what the camera saw, every restoration, and the same picture under both meanings of "deconvolution".

    All pictures are as a file would hold them: in the code values of the picture that was given.

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
    bridge : Bridge or None
        Both meanings on the decimated picture, with noise; None for a picture too small for it.
    working_space : WorkingSpace
        In which the picture was blurred and restored; enlarged it was in its code values.
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
    bridge: Bridge | None = None
    working_space: WorkingSpace = AS_GIVEN

    def as_dict(self) -> dict[str, Any]:
        """The numbers without the pictures, as plain types for strict JSON: None for a number that is not finite.

        Only metrics can be infinite: the PSNR and ISNR of a picture that equals the original.
        """
        return {
            "title": self.title,
            "psf": {"name": self.psf_name, "shape": list(self.psf.shape)},
            "noise": self.noise_name,
            "frame": list(self.observed.image.shape),
            "has_original": self.original is not None,
            **self.working_space.as_dict(),
            "observed": self.observed.as_dict(),
            "restorations": [panel.as_dict() for panel in self.restorations],
            "meanings": [panel.as_dict() for panel in self.meanings],
            "upsampling": {"factor": self.factor, "kernels": [panel.as_dict() for panel in self.upsampled]},
            "bridge": None if self.bridge is None else self.bridge.as_dict(),
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
    working_space: WorkingSpace = AS_GIVEN,
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
        In the grammar; None takes all of METHODS, and of KERNELS those for this factor.
    factor : int
        By which the picture is decimated and upsampled again.
    title, psf_name : str
        Labels.
    working_space : WorkingSpace
        How the values of the image become the light that is blurred and restored, and back.

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
    light = working_space.decode(scene, channels)
    if observed:
        original, seen = None, light
    else:
        window = _window(scene, kernel)
        original, seen = scene[window], _photograph(light, kernel, noise, channels, seed, working_space)[window]
    ruler = _Ruler(original, working_space.encode(seen, channels), channels, working_space)

    restorations = []
    for spec in METHODS if methods is None else methods:
        name, options = make_method(spec)
        restorations.append(ruler.restored(spec, restore(seen, kernel, name, channel_axis=channels, **options)))
    meanings, chosen = _two_meanings(seen, kernel, channels, ruler)
    levels = np.geomspace(1e-3, 1, 200)
    source = scene if original is None else original
    chosen_kernels = kernels_for(factor) if kernels is None else kernels
    decimated, upsampled = _resample(source, factor, chosen_kernels, channels)
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
        bridge=bridge_meanings(source, factor=factor, channel_axis=channels, seed=seed),
        working_space=working_space,
    )


def _window(scene: Array, psf: Array) -> tuple[slice, ...]:
    """The pixels that do not depend on what lies beyond the picture."""
    low = [side - 1 - side // 2 for side in psf.shape]
    high = [side // 2 for side in psf.shape]
    window = tuple(slice(a, size - b) for a, b, size in zip(low, high, scene.shape, strict=False))
    cut = scene[window]
    if any(size < max(16, side) for size, side in zip(cut.shape, psf.shape, strict=False)):
        raise ValueError(
            f"image of shape {scene.shape} is too small for a psf of shape {psf.shape}: "
            f"a frame of {cut.shape} would be left, less than the psf or 16 pixels on a side"
        )
    return window


def _photograph(
    light: Array, psf: Array, noise: str | None, channel_axis: int | None, seed: int, space: WorkingSpace
) -> Array:
    """What a camera sees of the scene."""
    added = (
        None
        if noise is None
        else make_photograph_noise(
            noise,
            encode=lambda image: space.encode(image, channel_axis),
            decode=lambda image: space.decode(image, channel_axis),
            channel_axis=channel_axis,
        )
    )
    return degrade(light, psf, noise=added, channel_axis=channel_axis, rng=seed)


@dataclass(frozen=True)
class _Ruler:
    """Turns results into pictures as a file holds them, and measures those against the original, where there is one."""

    original: Array | None
    observed: Array
    channel_axis: int | None
    working_space: WorkingSpace

    def panel(
        self,
        name: str,
        image: Array,
        parameters: Mapping[str, float | str] | None = None,
        residual: float | None = None,
        warnings: tuple[str, ...] = (),
    ) -> Panel:
        metrics: dict[str, float] = {}
        image = self.working_space.encode(image, self.channel_axis)
        if self.original is not None:
            written, observed = self._written(image), self._written(self.observed)
            metrics["psnr"] = psnr(self.original, written, data_range=1.0)
            metrics["ssim"] = ssim(self.original, written, data_range=1.0, channel_axis=self.channel_axis)
            metrics["isnr"] = isnr(self.original, observed, written)
        if residual is not None:
            metrics["residual"] = residual
        return Panel(name, image, parameters or {}, metrics, warnings)

    def _written(self, image: Array) -> Array:
        """Held in [0, 1] where it was encoded: a little light below none is a great number of codes that no file holds."""
        return np.clip(image, 0, 1) if self.working_space.curves else image

    def restored(self, name: str, restoration: Restoration) -> Panel:
        parameters = dict(restoration.parameters)
        if restoration.noise_sigma is not None:
            parameters["noise_sigma"] = restoration.noise_sigma
        if "noise_gain" in restoration.diagnostics:  # of a linear filter
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
        panels.append(_landweber_panel(problem, name, landweber_transfer(problem.optics.otf, steps), steps, ruler))
    magnitude = np.abs(problem.optics.otf)
    inverse = np.divide(
        1, problem.optics.otf, out=np.zeros_like(problem.optics.otf), where=magnitude > 1e-9 * magnitude.max()
    )
    panels.append(_landweber_panel(problem, "H^+ g", inverse, "infinite", ruler))
    frequency_ratio = problem.noise_variance() / np.maximum(problem.signal_power(), 1e-300)
    return panels, {"noise_to_signal": float(np.median(frequency_ratio))}


def _landweber_panel(problem: Problem, name: str, transfer: Array, steps: float | str, ruler: _Ruler) -> Panel:
    restoration = LinearFilter(
        "landweber", problem, GivenTransfer(transfer), {"iterations": steps, "tau": _LANDWEBER_TAU}
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
