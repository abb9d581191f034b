"""A restoration prepared once for many pictures of one shape and one PSF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._any_array import AnyArray, asks_for_gradient, is_foreign, numpy_dtype, on_host
from restoretk._arrays import Array, check_out
from restoretk.restoration._any_array import Method, Preparations, restore_anywhere
from restoretk.restoration._frequency_domain import LinearFilter
from restoretk.restoration._optics import Workshop
from restoretk.restoration._torus import open_problem
from restoretk.restoration._transfer import GivenTransfer, Transfer
from restoretk.restoration.weighted import read_weights


class RestorationPlan:
    """A function that restores pictures of one shape, dtype and PSF: what the method itself gives, to the bit.

    What depends on the PSF alone is worked out once, and with a fixed parameter so is the transfer function of a picture
    that fits in cache. Made by `restoretk.plan_restoration`. A plan may be used by several threads at once, and be pickled:
    what it prepared is then prepared anew. It takes tensors and gives tensors, as the method does.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
        Of the pictures, and of the results.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: npt.DTypeLike,
        psf: npt.ArrayLike,
        method: Method,
        options: Mapping[str, Any],
    ) -> None:
        self.shape, self.dtype = _checked_shape(shape), np.dtype(numpy_dtype(dtype))
        if asks_for_gradient(psf, *options.values()):
            raise ValueError("gradients flow through a plan to the image alone: detach the psf and the options")
        self._psf = np.array(on_host(psf))  # a copy: the caller may change his
        self._method, self._workshop = method, Workshop()
        self._options = {name: on_host(value) for name, value in options.items()}
        # Any picture finds out what is wrong with the options, and what depends on the PSF alone.
        blank = np.broadcast_to(np.zeros((), self.dtype), self.shape)
        decided = method.decide(blank, self._psf, workshop=self._workshop, **_but_poisson(self._options))
        self._transfer = _fixed_transfer(decided, self._options)
        self._elsewhere: Preparations | None = None if self._transfer is None else {}

    def __reduce__(self) -> tuple[Any, ...]:
        """How to make it anew elsewhere."""
        return RestorationPlan, (self.shape, self.dtype, self._psf, self._method, self._options)

    def __call__(self, image: npt.ArrayLike, *, out: Array | None = None) -> Array | AnyArray:
        """The image restored; see the method for ``out``.

        Raises
        ------
        TypeError, ValueError
            For an image of another shape or dtype than the plan's, and what the method raises.
        """
        if is_foreign(image):
            self._check(tuple(image.shape), str(numpy_dtype(image.dtype)))
            options = self._method.every_option(self._options) | {"out": out}
            return restore_anywhere(self._method, image, self._psf, options, self._elsewhere)
        given = np.asarray(image)
        self._check(given.shape, str(given.dtype))
        target = check_out(out, image)
        if self._transfer is None:
            return self._method.decide(image, self._psf, workshop=self._workshop, **self._options).image(target)
        problem = open_problem(
            image, self._psf, self._options["boundary"], self._options["channel_axis"], workshop=self._workshop
        )
        return LinearFilter("plan", problem, self._transfer, {}).image(target)

    def _check(self, shape: tuple[int, ...], dtype: str) -> None:
        if shape != self.shape or dtype != str(self.dtype):
            raise ValueError(
                f"image must have the shape {self.shape} and dtype {self.dtype} of the plan, got {shape} and {dtype}: "
                f"plan_restoration takes the shape and dtype= of the images"
            )


def _checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of an image, in which only a 0 is left for the method to refuse."""
    if np.ndim(shape) > 1:
        raise ValueError(
            f"shape must be that of the images, such as image.shape, got an array of shape {np.shape(shape)}"
        )
    sides = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if not all(isinstance(side, (int, np.integer)) and side >= 0 for side in sides):
        raise ValueError(f"shape must be the whole numbers of pixels along the axes of the images, got {shape}")
    return tuple(int(side) for side in sides)


def _but_poisson(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options for a blank picture, in which there is no shot noise to be read."""
    weights = options.get("weights")
    if not isinstance(weights, str):
        return dict(options)
    read_weights(weights, (), ())
    return {**options, "weights": None}


def _fixed_transfer(decided: object, options: Mapping[str, Any]) -> Transfer | None:
    """The transfer function where it is the same for every picture."""
    per_picture = any(options.get(name) is not None for name in ("mask", "weights"))
    if per_picture or not isinstance(decided, LinearFilter) or decided.parameters.get("chosen_by", "given") != "given":
        return None
    if decided.problem.in_sweeps:
        return decided.filter  # worked out for a block of columns at a time: whole, it would be as large as the picture
    return GivenTransfer(decided.filter.whole, decided.filter.addend)
