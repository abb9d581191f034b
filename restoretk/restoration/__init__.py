"""The inverse of H: (image, psf, *, options) -> image. This is "deconvolution" in signal and image processing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._any_array import asks_for_gradient, beside, is_foreign, on_host, to_host
from restoretk._arrays import Array
from restoretk._grammar import OptionError, check_choice, parse_spec
from restoretk.restoration._any_array import Method
from restoretk.restoration._frequency_domain import LinearFilter
from restoretk.restoration._problem import Problem
from restoretk.restoration.inverse import decide as _decide_inverse
from restoretk.restoration.inverse import inverse_filter
from restoretk.restoration.per_channel import ChannelFilters
from restoretk.restoration.plan import RestorationPlan
from restoretk.restoration.record import Criterion, Restoration
from restoretk.restoration.regularized import decide as _decide_regularized
from restoretk.restoration.regularized import regularized_filter
from restoretk.restoration.richardson_lucy import CountedLight, richardson_lucy
from restoretk.restoration.richardson_lucy import decide as _decide_richardson_lucy
from restoretk.restoration.wiener import decide as _decide_wiener
from restoretk.restoration.wiener import wiener

__all__ = [
    "METHODS",
    "Criterion",
    "Restoration",
    "RestorationPlan",
    "inverse_filter",
    "plan_restoration",
    "regularized_filter",
    "restore",
    "richardson_lucy",
    "wiener",
]

METHODS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        "inverse_filter": inverse_filter,
        "wiener": wiener,
        "regularized_filter": regularized_filter,
        "richardson_lucy": richardson_lucy,
    }
)

# The same methods, answering with what they decided instead of the image alone.
_DECIDE: Mapping[str, Callable[..., LinearFilter | ChannelFilters | CountedLight]] = MappingProxyType(
    {
        "inverse_filter": _decide_inverse,
        "wiener": _decide_wiener,
        "regularized_filter": _decide_regularized,
        "richardson_lucy": _decide_richardson_lucy,
    }
)
# The record of a choice shows what every rule would have chosen.
_RECORD: Mapping[str, Callable[..., LinearFilter | ChannelFilters | CountedLight]] = MappingProxyType(
    {**_DECIDE, "regularized_filter": partial(_decide_regularized, every_criterion=True)}
)


def restore(
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    method: str = "wiener",
    *,
    boundary: str = "unknown",
    channel_axis: int | None = None,
    **options: Any,
) -> Restoration:
    """The image restored by a method of METHODS, with the record of what was chosen and why.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        The observed image g.
    psf : array_like of D axes
        The point spread function h: non-negative, sum 1, origin at ``psf.shape // 2``.
    method : str
        A name in METHODS, or a spec in the grammar such as ``wiener:noise_to_signal=0.01``.
    boundary : str
        What lies beyond the frame. ``unknown``: only the observed pixels count and the scene beyond them is estimated with
        the picture; or wrap, reflect, symmetric, edge, constant, taper, smooth.
    channel_axis : int or None
        The axis of the image that holds channels.
    **options
        The options of the method, such as ``regularization="discrepancy"``.

    Returns
    -------
    Restoration

    Raises
    ------
    TypeError, ValueError
        For a method or option that does not exist, and what the method raises.

    Examples
    --------
    >>> import numpy as np
    >>> from restoretk.convolution.blur import convolve
    >>> psf = np.array([0.1, 0.7, 0.2])
    >>> blurred = convolve(np.array([0.0, 1, 0, 0, 2, 0]), psf, boundary="wrap")
    >>> result = restore(blurred, psf, "wiener", noise_to_signal=0.01, boundary="wrap")
    >>> result.parameters["noise_to_signal"], result.image.shape
    (0.01, (6,))
    """
    method, options = spelled_out(method, options)
    options = {"boundary": boundary, "channel_axis": channel_axis} | options
    if not is_foreign(image):
        return _RECORD[method](image, psf, **options).restoration()
    if asks_for_gradient(image, psf, *options.values()):
        raise ValueError(
            f"gradients do not flow through the record of a restoration: call {method}, or detach the image"
        )
    there = {name: on_host(value) for name, value in options.items()}
    found: Restoration = _RECORD[method](to_host(image), on_host(psf), **there).restoration()
    return replace(found, image=beside(found.image, image))


def plan_restoration(
    shape: Sequence[int],
    psf: npt.ArrayLike,
    method: str = "wiener",
    *,
    dtype: npt.DTypeLike = np.float32,
    boundary: str = "unknown",
    channel_axis: int | None = None,
    **options: Any,
) -> RestorationPlan:
    """A function of an image that restores pictures of one shape with one PSF: the method with its preparations made.

    For pipelines: what depends on the PSF, the shape and the options alone is worked out once. Most is gained on small
    pictures with a fixed parameter.

    Parameters
    ----------
    shape : sequence of int
        Of the images, channels and stacks included.
    psf : array_like of D axes
        As for `restore`.
    method : str
        A name in METHODS, or a spec such as ``wiener:noise_to_signal=0.01``. A rule such as ``gcv`` chooses anew for every
        picture.
    dtype : dtype
        Of the images.
    boundary, channel_axis, **options
        As for `restore`.

    Returns
    -------
    RestorationPlan
        Call it with an image, and ``out=`` for where to put the result. Its pixels are those of the method, to the bit.

    Raises
    ------
    TypeError, ValueError
        For what `restore` would refuse.

    Examples
    --------
    >>> import numpy as np
    >>> psf = np.full((3, 4), 1 / 12)
    >>> deblur = plan_restoration((40, 50), psf, "wiener:noise_to_signal=0.01", boundary="wrap")
    >>> deblur(np.ones((40, 50), np.float32)).shape
    (40, 50)
    """
    method, options = spelled_out(method, options)
    options = {"boundary": boundary, "channel_axis": channel_axis} | options
    return RestorationPlan(shape, dtype, psf, Method(METHODS[method], _DECIDE[method]), options)


def decide_on(problem: Problem, psf: npt.ArrayLike, method: str, options: Mapping[str, Any]) -> LinearFilter:
    """The filter of a method for a problem that is open already: for those who hold no picture."""
    decided = _DECIDE[method](problem, psf, boundary=problem.boundary, **options)
    assert isinstance(decided, LinearFilter)  # noqa: S101 - a problem has no channels to be told apart, and no steps
    return decided


def spelled_out(method: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of a method and its options, those of the spec among them."""
    method, spelled = parse_spec(method)
    check_choice(method, METHODS, "method")
    for name in spelled.keys() & options.keys():
        raise OptionError(f"{name} is given twice: as {spelled[name]!r} in the method and as {options[name]!r}")
    options = spelled | options
    parameters = inspect.signature(METHODS[method]).parameters.values()
    known = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.name != "out"]
    for name in options:
        if name not in known:
            raise OptionError(f"method {method!r} takes the options {', '.join(known)}, got {name!r}")
    return method, options
