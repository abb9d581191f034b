"""What a user should know about an observation before believing its restoration, a sentence each."""

from __future__ import annotations

import numpy as np

from restoretk._arrays import Array, from_unit, plain_number
from restoretk.noise_estimation.white import estimate_noise_sigma
from restoretk.psf.background import find_background
from restoretk.restoration._problem import Problem
from restoretk.restoration.weighted import shot_noise_in

_WHITE_SHARE = 5e-4
_MOST_CHANNELS, _UNLIKE = 4, 3.0  # times the noise of the quietest channel
_LARGE, _SPREAD = 0.5, 0.7  # of the frame's sides, and of the width of even light over the whole psf
_SEAM = 5.0  # times the step beside it; a picture that was blurred periodically has 1 to 2


def cautions(problem: Problem, *, strength: bool = True) -> tuple[str, ...]:
    """The sentences that hold for any method; of ``strength``, for those that choose one."""
    return (
        *_picture_for_psf(problem),
        *_background(problem),
        *(_unlike_channels(problem) if strength else ()),
        *_seam(problem),
        *_highlights(problem),
    )


def _seam(problem: Problem) -> tuple[str, ...]:
    """A sentence where the boundary is wrap and opposite edges of the frame do not fit together."""
    if problem.boundary != "wrap":
        return ()
    for axis, size in enumerate(problem.frame, start=1):
        if size >= 4 and (sentence := seam_sentence(np.take(problem.planes, [-2, -1, 0, 1], axis), axis)):
            return (sentence,)
    return ()


def seam_sentence(around: Array, axis: int) -> str:
    """What is wrong with a seam, from the two lines before it and the two after it; nothing if it is like its neighbours."""
    # A blur round the torus spreads a jump over its seam: the steps beside it are then as large as the one across.
    before, seam, after = np.abs(np.diff(around, axis=axis)).mean(axis=tuple(set(range(around.ndim)) - {axis}))
    inside = max(float(before), float(after))
    if not (inside > 0 and seam > _SEAM * inside):
        return ""
    return (
        f"boundary 'wrap' takes the picture for periodic, but the step between its opposite edges is {seam / inside:.0f} "
        f"times that beside it: it will ring; boundary 'unknown' does not"
    )


def _highlights(problem: Problem) -> tuple[str, ...]:
    """A sentence where many pixels are at full white and none were masked."""
    share = float(np.mean(problem.observed == 1))
    if problem.masked or share < _WHITE_SHARE or float(problem.observed.max()) > 1:
        return ()
    return (
        f"{share:.1%} of the pixels are at full white: where they are blown out, mask='saturated' keeps their halo away",
    )


def _picture_for_psf(problem: Problem) -> tuple[str, ...]:
    """A sentence where a psf nearly as large as the frame has light all over, as a picture has."""
    for psf in problem.psfs:
        large = all(side > _LARGE * size for side, size in zip(psf.shape, problem.frame, strict=True))
        if large and psf.size > 1 and all(_spread(psf, axis) > _SPREAD for axis in range(psf.ndim)):
            return (
                f"the psf of shape {psf.shape} is nearly as large as the frame {problem.frame} and has light all over: it "
                f"looks like a picture, not like the blur of one point",
            )
    return ()


def _spread(psf: Array, axis: int) -> float:
    """The width of the light along an axis, as a fraction of that of even light."""
    side = psf.shape[axis]
    light = psf.sum(axis=tuple(other for other in range(psf.ndim) if other != axis), dtype=np.float64)
    light /= light.sum()
    places = np.arange(side) - np.sum(np.arange(side) * light)
    return float(np.sqrt(np.sum(light * places**2) * 12 / max(side**2 - 1, 1)))


def _background(problem: Problem) -> tuple[str, ...]:
    """A sentence for the first PSF that stands on a flat background."""
    for psf in problem.psfs:
        background = find_background(psf)
        if background.found:
            return (f"the psf: {background.sentence()}; subtract_background(psf) takes it off",)
    return ()


def _unlike_channels(problem: Problem) -> tuple[str, ...]:
    """A sentence where one strength is chosen for channels that differ much in noise."""
    if not problem.channels or not 1 < len(problem.laid) <= _MOST_CHANNELS:
        return ()
    each_psf = problem.psfs * problem.planes_per_otf
    levels = [float(estimate_noise_sigma(plane, psf)) for plane, psf in zip(problem.observed, each_psf, strict=True)]
    low, high = (plain_number(level, problem.unit) for level in (min(levels), max(levels)))
    if not high > _UNLIKE * low or high <= 0:
        return ()
    return (
        f"the noise differs between the channels (sigma {low:.2g} to {high:.2g}): per_channel=True chooses a strength for "
        f"each",
    )


def shot_noise_caution(problem: Problem) -> tuple[str, ...]:
    """A sentence where the noise grows with brightness: called where the noise was found not to be white."""
    noise = (
        None
        if problem.pixel_weights is not None
        else shot_noise_in(from_unit(problem.observed.astype(np.float64), problem.unit))
    )
    if noise is None:
        return ()
    return (
        f"the noise grows with brightness (variance {noise.gain:.3g} * brightness + {noise.floor:.2g}^2), which may be why "
        f"the rules disagree: weights='poisson' reckons with shot noise",
    )
