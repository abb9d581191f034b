"""The methods for arrays of other libraries: on their device, and so that gradients can flow through them.

A parameter that a rule chooses is chosen by the NumPy code on a copy on the host, and is a constant for the gradient.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from restoretk._any_array import (
    AnyArray,
    as_float,
    asks_for_gradient,
    beside,
    device_of,
    is_foreign,
    namespace,
    on_host,
    to_dtype,
    to_host,
    to_planes,
    window,
)
from restoretk._arrays import Array
from restoretk._grammar import OptionError
from restoretk.convolution._any_blur import conj_otfs, extend_periodically, forward, inverse, taper
from restoretk.convolution.boundary import check_boundary
from restoretk.psf.channels import psfs_for
from restoretk.restoration._em_steps import checked_iterations, likeliest_anywhere
from restoretk.restoration._torus import RESTORATION_BOUNDARIES, torus_for
from restoretk.restoration._transfer import whole_addend
from restoretk.restoration.operators import operator_power

_ON_DEVICE = ("wrap", "reflect", "symmetric", "edge", "constant", "taper")
_HOST_ONLY = ("mask", "weights", "per_channel", "noise_autocorrelation", "signal_autocorrelation")


@dataclass(frozen=True)
class Method:
    """A method for NumPy: the function, and what decides for it."""

    restore: Callable[..., Array]
    decide: Callable[..., Any]

    @property
    def name(self) -> str:
        """The name in METHODS."""
        return self.restore.__name__

    @property
    def is_iterated(self) -> bool:
        """Whether it is no linear filter."""
        return self.name == "richardson_lucy"

    @property
    def on_device(self) -> tuple[str, ...]:
        """The boundaries under which it stays on the device."""
        return (*_ON_DEVICE, "unknown") if self.is_iterated else _ON_DEVICE

    def every_option(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Its options: those given, and the defaults of the others."""
        known = inspect.signature(self.restore).parameters.values()
        return {each.name: each.default for each in known if each.kind is each.KEYWORD_ONLY} | dict(given)


@dataclass(frozen=True)
class _Prepared:
    """What a method needs besides the picture, on its device: PSFs, torus, conj(H) and transfer function (K, 1, *half)."""

    psfs: list[AnyArray]
    torus: tuple[int, ...]
    conj_otf: AnyArray
    transfer: AnyArray | None  # None where the method is iterated


#: What was prepared before for one PSF, one shape and fixed options, by library, device and dtype.
Preparations = dict[tuple[str, str, str], _Prepared]


def restore_anywhere(
    method: Method, image: AnyArray, psf: Any, options: Mapping[str, Any], before: Preparations | None = None
) -> AnyArray:
    """What a method makes of an image of another library: an array of the same kind, shape, dtype and device.

    With ``before``, which is added to, nothing is prepared twice: for images of one shape, no rule and no gradients but to
    the image.

    Raises
    ------
    TypeError, ValueError
        As the method; and for ``out``, and for a gradient where it could not flow.
    """
    options = dict(options)
    if options.pop("out", None) is not None:
        raise TypeError(f"out must be None for an image that is a {type(image).__name__}")
    check_boundary(options["boundary"], RESTORATION_BOUNDARIES)
    off = [name for name in _HOST_ONLY if options.get(name) is not None and options[name] is not False]
    if off or options["boundary"] not in method.on_device:
        return _by_way_of_the_host(method, image, psf, options, off)
    return _on_device(method, image, psf, options, before)


def _by_way_of_the_host(
    method: Method, image: AnyArray, psf: Any, options: Mapping[str, Any], off: list[str]
) -> AnyArray:
    """What is iterated is iterated by the NumPy code, on a copy."""
    if asks_for_gradient(image, psf, *options.values()):
        why = f"with {off[0]}" if off else f"beyond the boundary {options['boundary']!r}"
        raise ValueError(
            f"gradients do not flow {why}: boundary must be one of {', '.join(method.on_device)}, without "
            f"{', '.join(_HOST_ONLY)}; or detach the image"
        )
    restored = method.restore(to_host(image), on_host(psf), **{name: on_host(value) for name, value in options.items()})
    return beside(restored, image)


def _on_device(
    method: Method, image: AnyArray, psf: Any, options: Mapping[str, Any], before: Preparations | None
) -> AnyArray:
    boundary, axis = options["boundary"], options["channel_axis"]
    xp = namespace(image)
    working, unit = as_float(image)
    prepared = None
    key = (xp.__name__, str(device_of(image)), str(working.dtype))
    if before is not None:
        prepared = before.get(key)
    if prepared is None:
        prepared = _prepare(method, image, working, psf, options)
        if before is not None:
            before[key] = prepared
    planes, from_planes = to_planes(working, prepared.psfs[0].ndim, axis)
    frame, torus = tuple(planes.shape[2:]), prepared.torus
    seen = None
    if boundary == "unknown":
        seen = extend_periodically(xp.ones_like(planes), torus, "constant")
        planes = extend_periodically(planes, torus, "constant")
    elif boundary == "taper":
        planes = taper(planes, prepared.psfs, prepared.conj_otf)
    elif torus != frame:
        planes = extend_periodically(planes, torus, boundary)
    if prepared.transfer is None:
        light = xp.where(planes > 0, planes, xp.zeros_like(planes))
        restored = likeliest_anywhere(light, seen, prepared.conj_otf, options["iterations"])
    else:
        restored = inverse(forward(planes, torus) * prepared.transfer, torus)
    restored = from_planes(window(restored, [slice(0, size) for size in frame]))
    return to_dtype(xp.astype(restored, working.dtype, copy=False), image.dtype, unit)


def _prepare(method: Method, image: AnyArray, working: AnyArray, psf: Any, options: Mapping[str, Any]) -> _Prepared:
    psfs = _psfs(psf, working, options["channel_axis"])
    planes, _ = to_planes(working, psfs[0].ndim, options["channel_axis"])
    frame = tuple(planes.shape[2:])
    if any(side > size for side, size in zip(psfs[0].shape, frame, strict=True)):
        raise ValueError(f"psf of shape {tuple(psfs[0].shape)} is larger than the image {frame}")
    torus = torus_for(frame, psfs[0].shape, options["boundary"])
    conj_otf = conj_otfs(psfs, torus)
    if method.is_iterated:
        checked_iterations(options["iterations"])
        return _Prepared(psfs, torus, conj_otf, None)
    return _Prepared(psfs, torus, conj_otf, _transfer(method, image, psf, options, conj_otf, torus))


def _psfs(psf: Any, like: AnyArray, channel_axis: int | None) -> list[AnyArray]:
    """The PSFs, checked on the host, beside the image; where they were tensors, gradients flow to them."""
    checked = psfs_for(on_host(psf), tuple(like.shape), channel_axis)
    if not is_foreign(psf):
        return [beside(each, like) for each in checked]
    given = beside(psf, like)
    if len(checked) == 1 and given.ndim == checked[0].ndim:
        return [given]
    moved = namespace(given).moveaxis(given, channel_axis, 0)
    return [moved[index, ...] for index in range(len(checked))]


def _transfer(
    method: Method, image: AnyArray, psf: Any, options: Mapping[str, Any], conj_otf: AnyArray, torus: tuple[int, ...]
) -> AnyArray:
    """The transfer function, shape (K, 1, *half), from the conjugate of the OTF."""
    xp = namespace(conj_otf)
    real, imaginary = xp.real(conj_otf), xp.imag(conj_otf)
    power = real * real + imaginary * imaginary
    if method.name == "inverse_filter":
        cutoff = _checked_cutoff(options["cutoff"])
        peak = xp.max(power, axis=tuple(range(2, power.ndim)), keepdims=True)
        dark = (power < cutoff * cutoff * peak) | (power == 0)
    else:
        addend = _addend(method, image, psf, options, power, torus)
        power, rounding = power + addend, (8 * xp.finfo(power.dtype).eps) ** 2
        if isinstance(addend, float) and addend > rounding:
            return conj_otf / power  # nowhere dark
        dark = power <= rounding
    # Nothing was seen where it is dark, and nothing damps it. The inner `where` keeps a gradient from meeting 1 / 0.
    factor = xp.where(dark, xp.zeros_like(power), 1 / xp.where(dark, xp.ones_like(power), power))
    return conj_otf * factor


def _checked_cutoff(cutoff: float) -> float:
    _refuse_gradient(cutoff, "cutoff")
    if not 0 <= cutoff < 1:
        raise OptionError(f"cutoff must be in [0, 1), got {cutoff}")
    return float(cutoff)


def _addend(
    method: Method, image: AnyArray, psf: Any, options: Mapping[str, Any], like: AnyArray, torus: tuple[int, ...]
) -> AnyArray:
    """The q of conj(H) / (|H|^2 + q): from a number through which gradients flow, or from what a rule chooses."""
    name = "noise_to_signal" if method.name == "wiener" else "regularization"
    given = options[name]
    if not isinstance(given, str) and getattr(given, "ndim", 0) > 0 and math.prod(given.shape) == 1:
        given = given.reshape(()) if isinstance(given, np.ndarray) else namespace(given).reshape(given, ())
    if isinstance(given, str) or getattr(given, "ndim", 0) > 0:
        _refuse_gradient(given, name)
        decided = method.decide(
            to_host(image), on_host(psf), **{key: on_host(value) for key, value in options.items() if value is not None}
        )
        if method.name == "wiener":
            table = whole_addend(decided.filter.addend, decided.problem.optics.otf)
            return beside(table[:, None] if table.ndim > len(torus) else table, like)
        given = decided.parameters["regularization"]
    value = float(to_host(given)) if is_foreign(given) else float(given)
    if not 0 <= value < np.inf:
        raise OptionError(f"{name} must be a finite number >= 0, got {value}")
    strength = beside(given, like) if is_foreign(given) else value
    return strength if method.name == "wiener" else strength * _penalty(psf, options, like, torus)


def _refuse_gradient(given: Any, name: str) -> None:
    if asks_for_gradient(given):
        raise ValueError(
            f"gradients do not flow to {name} of shape {tuple(given.shape)}, only to the image, the psf and a single number "
            f"of strength: detach it"
        )


def _penalty(psf: Any, options: Mapping[str, Any], like: AnyArray, torus: tuple[int, ...]) -> AnyArray:
    """|P|^2, shape (1, 1, *half)."""
    _refuse_gradient(options["operator"], "operator")
    ndim = len(torus)
    shape = tuple(psf.shape) if hasattr(psf, "shape") else np.shape(psf)
    sides = (
        shape
        if len(shape) == ndim
        else tuple(side for axis, side in enumerate(shape) if axis != options["channel_axis"] % len(shape))
    )
    found: Array = operator_power(on_host(options["operator"]), sides, torus)
    return beside(found[None, None], like)
