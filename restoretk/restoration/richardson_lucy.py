"""Richardson-Lucy: the likeliest scene for light that was counted, never negative, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restoretk._any_array import is_foreign
from restoretk._arrays import Array, check_out, plain_number
from restoretk.convolution.boundary import crop
from restoretk.restoration._any_array import Method, restore_anywhere
from restoretk.restoration._cautions import cautions
from restoretk.restoration._em_steps import (
    DEFAULT_ITERATIONS,
    below_zero,
    checked_iterations,
    filtered,
    likeliest_plane,
)
from restoretk.restoration._frequency_domain import given
from restoretk.restoration._optics import Workshop
from restoretk.restoration._planes import PicturePlanes
from restoretk.restoration._problem import Problem
from restoretk.restoration._torus import open_problem
from restoretk.restoration.record import Restoration


@dataclass(frozen=True)
class CountedLight:
    """What Richardson-Lucy was asked to do with an observation: nothing is computed before it is looked at."""

    problem: Problem
    iterations: int

    def image(self, out: Array | None = None, seen: Callable[[int, Array], None] | None = None) -> Array:
        """The restored image, in ``out`` where there is one; ``seen`` is shown every plane on its torus."""
        problem = self.problem
        origin = [0] * len(problem.frame)
        if isinstance(problem.laid, PicturePlanes):
            result, rows = problem.laid.results(out)
            for index, into in enumerate(rows):
                into[slice(None)] = self._plane(index, seen)
            return result
        frames = np.empty((len(problem.laid), *problem.frame), problem.laid.dtype)
        for index, into in enumerate(frames):
            into[...] = crop(self._plane(index, seen), origin, problem.frame)
        return given(problem.finish(frames), out)

    def restoration(self) -> Restoration:
        """The restored image with the record of it."""
        problem = self.problem
        squares: list[float] = []
        below: list[int] = []

        def compare(index: int, estimate: Array) -> None:
            observed = problem.laid.plane(index)[:]
            misfit = observed - filtered(estimate, self._otf(index))
            if problem.unseen is not None:
                misfit = misfit[~problem.unseen[index]]
            squares.append(float(np.mean(misfit * misfit, dtype=np.float64)))
            below.append(int(np.count_nonzero(crop(observed, [0] * observed.ndim, problem.frame) < 0)))

        image = self.image(seen=compare)
        return Restoration(
            image=image,
            method="richardson_lucy",
            parameters={"iterations": self.iterations, "boundary": problem.boundary},
            diagnostics={
                "residual_sigma": plain_number(float(np.sqrt(np.mean(squares))), problem.unit),
                "fft_pairs": float(2 * self.iterations + (problem.unseen is not None)),
            },
            warnings=(*below_zero(sum(below)), *cautions(problem, strength=False)),
        )

    def _otf(self, index: int) -> Array:
        otf: Array = self.problem.optics.otf[index // self.problem.planes_per_otf]
        return otf

    def _plane(self, index: int, seen: Callable[[int, Array], None] | None) -> Array:
        problem = self.problem
        data = np.maximum(np.ascontiguousarray(problem.laid.plane(index)[:]), 0)
        unseen = None if problem.unseen is None else problem.unseen[index]
        estimate = likeliest_plane(data, unseen, self._otf(index), self.iterations)
        if seen is not None:
            seen(index, estimate)
        return estimate


def decide(
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    *,
    iterations: int = DEFAULT_ITERATIONS,
    boundary: str = "unknown",
    channel_axis: int | None = None,
    mask: npt.ArrayLike | str | None = None,
    workshop: Workshop | None = None,
) -> CountedLight:
    """Richardson-Lucy as `CountedLight`; see `richardson_lucy`."""
    count = checked_iterations(iterations)
    return CountedLight(open_problem(image, psf, boundary, channel_axis, mask, None, workshop, estimate=False), count)


def richardson_lucy(
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    *,
    iterations: int = DEFAULT_ITERATIONS,
    boundary: str = "unknown",
    channel_axis: int | None = None,
    mask: npt.ArrayLike | str | None = None,
    out: Array | None = None,
) -> Array:
    """The image that becomes likelier with every step for light that was counted: Richardson-Lucy, also called MLEM.

    f <- f / (H^T w) * H^T (w g / (H f)) from an even grey, w = 1 at observed pixels and 0 elsewhere: expectation and
    maximization for Poisson noise. The scene is never negative, its light is that of the picture, and the likelihood never
    falls; but after some steps what grows is noise. Two FFT pairs a step.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        The observed image g, in numbers proportional to light. What is below 0 is taken for 0.
    psf : array_like of D axes
        The point spread function h: non-negative, sum 1, origin at ``psf.shape // 2``. D says how many trailing axes of
        the image are spatial.
    iterations : int
        Steps, 1 to 100000: the one thing that holds the noise down. 10 suit a noise of 3 % of full range, some 30 one of 1 %,
        100 and more one of 0.3 % (photographs, 4 PSFs: `benchmarks/richardson_lucy_steps.py`).
    boundary : str
        What lies beyond the frame: unknown (only the observed pixels count, and the scene beyond them is estimated with the
        picture: right for a photograph); wrap (periodic, no padding, the fastest); or a guess: smooth (the smoothest
        continuation), taper (edges faded into the blurred picture, no padding), reflect, symmetric, edge, constant.
    channel_axis : int or None
        The axis of the image that holds channels. They share one PSF, or have one each: then the PSF
        has a channel axis in the same place.
    mask : array_like of bool, "nan", "saturated", "nan+saturated" or None
        Pixels that say nothing about the scene: True where missing (they may be NaN), of the shape of the image or of its
        spatial axes; where the image is not finite; or blown-out highlights with the zone that the PSF reaches from them
        (shown as observed). They are estimated like the scene beyond the frame. None believes every pixel.
    out : ndarray or None
        Where to write the result: an array of the shape and dtype of the image, or the image itself, which is then lost.
        None makes a new one.

    Returns
    -------
    ndarray
        Same shape and dtype as the image, >= 0. Nothing is clipped from above for float images.

    Raises
    ------
    TypeError, ValueError
        For iterations that are not a whole number from 1 to 100000, and for an image, PSF or boundary that cannot be used.

    Notes
    -----
    A scene pixel of whose light less than a hundredth can fall on observed pixels stays at the mean of the picture; from
    there to three hundredths it takes parts of the steps.

    References
    ----------
    .. [1] W. H. Richardson, "Bayesian-based iterative method of image restoration", J. Opt. Soc. Am. 62, 1972.
    .. [2] L. B. Lucy, "An iterative technique for the rectification of observed distributions", Astron. J. 79, 1974.
    .. [3] M. Bertero and P. Boccacci, "A simple method for the reduction of boundary effects in the Richardson-Lucy approach
       to image deconvolution", Astron. Astrophys. 437, 2005: the unknown boundary.

    Examples
    --------
    >>> import numpy as np
    >>> from restoretk.convolution.blur import convolve
    >>> psf = np.array([0.1, 0.7, 0.2])
    >>> scene = np.array([0.0, 1, 0, 0, 2, 0])
    >>> blurred = convolve(scene, psf, boundary="wrap")
    >>> richardson_lucy(blurred, psf, iterations=500, boundary="wrap").round(2)
    array([0., 1., 0., 0., 2., 0.])
    """
    if is_foreign(image):
        options = {
            "iterations": iterations,
            "boundary": boundary,
            "channel_axis": channel_axis,
            "mask": mask,
            "out": out,
        }
        return restore_anywhere(Method(richardson_lucy, decide), image, psf, options)
    target = check_out(out, image)
    return decide(image, psf, iterations=iterations, boundary=boundary, channel_axis=channel_axis, mask=mask).image(
        target
    )
