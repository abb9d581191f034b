"""A restoration prepared once for many pictures of one shape and one PSF."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, check_out
from restoretk.restoration._frequency_domain import LinearFilter
from restoretk.restoration._optics import Workshop
from restoretk.restoration._torus import open_problem
from restoretk.restoration._transfer import GivenTransfer, Transfer
from restoretk.restoration.per_channel import ChannelFilters


class RestorationPlan:
    """A function that restores pictures of one shape, dtype and PSF: what the method itself gives, to the bit.

    What depends on the PSF alone is worked out once, and with a fixed parameter so is the transfer function of a picture
    that fits in cache. Made by `restoretk.plan_restoration`. A plan may be used by several threads at once.

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
        decide: Callable[..., LinearFilter | ChannelFilters],
        options: Mapping[str, Any],
    ) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self._psf = np.array(psf)  # a copy: the caller may change his
        self._decide, self._options, self._workshop = decide, dict(options), Workshop()
        # Any picture finds out what is wrong with the options, and what depends on the PSF alone.
        blank = np.broadcast_to(np.zeros((), self.dtype), self.shape)
        decided = self._decided(blank)
        self._transfer = _fixed_transfer(decided, options)

    def __call__(self, image: npt.ArrayLike, *, out: Array | None = None) -> Array:
        """The image restored; see the method for ``out``.

        Raises
        ------
        TypeError, ValueError
            For an image of another shape or dtype than the plan's, and what the method raises.
        """
        given = np.asarray(image)
        if given.shape != self.shape or given.dtype != self.dtype:
            raise ValueError(
                f"image must have the shape {self.shape} and dtype {self.dtype} of the plan, got {given.shape} and "
                f"{given.dtype}"
            )
        target = check_out(out, image)
        if self._transfer is None:
            return self._decided(image).image(target)
        problem = open_problem(
            image, self._psf, self._options["boundary"], self._options["channel_axis"], workshop=self._workshop
        )
        return LinearFilter("plan", problem, self._transfer, {}).image(target)

    def _decided(self, image: npt.ArrayLike) -> LinearFilter | ChannelFilters:
        return self._decide(image, self._psf, workshop=self._workshop, **self._options)


def _fixed_transfer(decided: LinearFilter | ChannelFilters, options: Mapping[str, Any]) -> Transfer | None:
    """The transfer function where it is the same for every picture."""
    per_picture = any(options.get(name) is not None for name in ("mask", "weights"))
    if per_picture or not isinstance(decided, LinearFilter) or decided.parameters.get("chosen_by", "given") != "given":
        return None
    if decided.problem.in_sweeps:
        return decided.filter  # worked out for a block of columns at a time: whole, it would be as large as the picture
    return GivenTransfer(decided.filter.whole, decided.filter.addend)
