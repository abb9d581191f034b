"""The regularized filter: least squares under a smoothness constraint, in closed form in the Fourier domain."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from restoretk._any_array import is_foreign
from restoretk._arrays import Array, check_out, plain_number
from restoretk._grammar import OptionError
from restoretk.restoration import regularization as rules
from restoretk.restoration._any_array import Method, restore_anywhere
from restoretk.restoration._frequency_domain import LinearFilter
from restoretk.restoration._optics import Workshop
from restoretk.restoration._problem import ON_THE_FRAME, Problem
from restoretk.restoration._torus import open_problem
from restoretk.restoration._transfer import Quotient, penalty
from restoretk.restoration.operators import check_operator, operator_power, operator_power_at
from restoretk.restoration.per_channel import ChannelFilters, decide_per_channel
from restoretk.restoration.record import Criterion


def decide(
    image: npt.ArrayLike | Problem,
    psf: npt.ArrayLike,
    *,
    regularization: float | str = "gcv",
    operator: str | npt.ArrayLike = "laplacian",
    noise_sigma: float | str = "auto",
    boundary: str = "unknown",
    channel_axis: int | None = None,
    mask: npt.ArrayLike | str | None = None,
    weights: npt.ArrayLike | str | None = None,
    per_channel: bool = False,
    every_criterion: bool = False,
    workshop: Workshop | None = None,
) -> LinearFilter | ChannelFilters:
    """The regularized filter as a `LinearFilter`, or one for each channel; see `regularized_filter`.

    ``every_criterion`` evaluates all rules.
    """
    if per_channel and not isinstance(image, Problem):
        each = partial(
            decide,
            regularization=regularization,
            operator=operator,
            noise_sigma=noise_sigma,
            boundary=boundary,
            every_criterion=every_criterion,
        )
        return decide_per_channel(each, image, psf, channel_axis, mask=mask, weights=weights)
    _check_choice(regularization, noise_sigma)
    problem = open_problem(image, psf, boundary, channel_axis, mask, weights, workshop)
    wanted = [regularization] if isinstance(regularization, str) else []
    if every_criterion:
        wanted += [name for name in rules.SELECTORS if name not in wanted]
    criteria, sigma, doubt = _evaluate(
        problem, operator, wanted, noise_sigma, guarded=isinstance(operator, str) and operator == "laplacian"
    )
    chosen = criteria[regularization].regularization if isinstance(regularization, str) else float(regularization)
    parameters: dict[str, float | str] = {
        "regularization": chosen,
        "chosen_by": _chosen_by(regularization, doubt),
        "operator": operator if isinstance(operator, str) else "array",
    }
    notes = [criteria[regularization].note] if isinstance(regularization, str) else []
    warnings = tuple(note for note in notes if note)
    return LinearFilter(
        "regularized_filter",
        problem,
        Quotient(problem.optics, penalty(chosen, operator, problem.optics)),
        parameters,
        sigma,
        criteria,
        warnings,
        not_white=bool(doubt),
    )


def _check_choice(regularization: float | str, noise_sigma: float | str) -> None:
    if isinstance(regularization, str):
        if regularization not in rules.SELECTORS:
            raise OptionError(
                f"regularization must be a number >= 0 or one of {', '.join(rules.SELECTORS)}, got {regularization!r}"
            )
    elif not 0 <= regularization < np.inf:
        raise OptionError(
            f"regularization must be a number >= 0 or one of {', '.join(rules.SELECTORS)}, got {regularization}"
        )
    if isinstance(noise_sigma, str):
        if noise_sigma != "auto":
            raise OptionError(f"noise_sigma must be a number >= 0 or 'auto', got {noise_sigma!r}")
    elif not 0 <= noise_sigma < np.inf:
        raise OptionError(f"noise_sigma must be a number >= 0 or 'auto', got {noise_sigma}")


def _evaluate(
    problem: Problem, operator: str | npt.ArrayLike, wanted: list[str], noise_sigma: float | str, *, guarded: bool
) -> tuple[dict[str, Criterion], float | None, str]:
    """The wanted rules from one pass over the spectrum, the noise level where one was needed or given, and doubt of gcv.

    ``guarded``: gcv is watched over by the other rules, which is known to work for the Laplacian only.
    """
    # More than 2^100 times the largest pixel is as much as 2^100 times, and its square can be held.
    sigma = None if isinstance(noise_sigma, str) else min(plain_number(noise_sigma, -problem.unit), 2.0**100)
    if not wanted:
        return {}, sigma, ""
    if sigma is None and any(name in rules.NEED_NOISE for name in wanted):
        sigma = problem.noise_sigma
    statistics = problem.statistics(
        _power_at_bins(problem, operator),
        fourth_moment="whiteness" in wanted,
        signal=problem.signal_at_bins() if "model_risk" in wanted else None,
    )
    criteria, doubt = {name: rules.choose(statistics, name, sigma) for name in wanted}, ""
    if guarded and "gcv" in criteria:
        # A fit of the noise level is a small part of the work with a ring, and most of it without one.
        level = problem.noise_sigma if problem.boundary not in ON_THE_FRAME else None
        criteria["gcv"], doubt = rules.guarded_gcv(statistics, level, problem.dark_power)
    return criteria, sigma, doubt


def _power_at_bins(problem: Problem, operator: str | npt.ArrayLike) -> Array:
    """|P|^2 at the bins from which parameters are chosen."""
    shape = problem.psfs[0].shape
    if isinstance(operator, str):
        check_operator(operator)
        return operator_power_at(operator, shape, problem.bins.frequencies)
    return problem.bins.of(operator_power(operator, shape, problem.torus))


def _chosen_by(regularization: float | str, doubt: str) -> str:
    """The rule whose value was used: not gcv where another stood in for it."""
    if not isinstance(regularization, str):
        return "given"
    return "marginal_likelihood, with care" if regularization == "gcv" and doubt else regularization


def regularized_filter(
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    *,
    regularization: float | str = "gcv",
    operator: str | npt.ArrayLike = "laplacian",
    noise_sigma: float | str = "auto",
    boundary: str = "unknown",
    channel_axis: int | None = None,
    mask: npt.ArrayLike | str | None = None,
    weights: npt.ArrayLike | str | None = None,
    per_channel: bool = False,
    out: Array | None = None,
) -> Array:
    """The image f that minimises ||g - h * f||^2 + regularization * ||p * f||^2: the regularized filter.

    Closed form F = conj(H) G / (|H|^2 + lambda |P|^2) for each frequency: constrained least squares [1]_, also known as
    Tikhonov-Miller filter. One lambda serves all channels and planes.

    Parameters
    ----------
    image : array_like of shape (..., *spatial)
        The observed image g.
    psf : array_like of D axes
        The point spread function h: non-negative, sum 1, origin at ``psf.shape // 2``. D says how many trailing axes of
        the image are spatial.
    regularization : float or str
        lambda >= 0, dimensionless, or the rule that chooses it: ``gcv`` (generalised cross-validation, needs no noise
        level; with the Laplacian, 1 to 100 times that of ``marginal_likelihood`` stands in where the noise is seen not to be
        white, as in a JPEG, or the psf not to fit),
        ``predictive_gcv`` (the textbook's), ``discrepancy`` (||g - h * f||^2 = N sigma^2, the constraint of Hunt [1]_; it
        over-smooths), ``upre``, ``marginal_likelihood``, ``whiteness``, ``l_curve``; see
        `restoretk.restoration.regularization.choose`.
    operator : str or array_like
        p: ``laplacian`` (3, 5 or 7 points on the axes of the PSF), ``identity``, ``gradient``, ``biharmonic``, or an array
        with the axes of the PSF and its origin at ``shape // 2``.
    noise_sigma : float or "auto"
        Standard deviation of the noise, in units of the image (fractions of full range for integers); "auto" estimates it
        from the picture. Only ``discrepancy`` and ``upre`` use it.
    boundary : str
        What lies beyond the frame: unknown (estimated with the picture, in some 5 to 30 FFT pairs: right for a photograph);
        wrap (the exact periodic filter, no padding, the fastest); or a guess, quick and ringing where it is wrong: smooth
        (the smoothest continuation), taper (edges faded into the blurred picture, no padding), reflect, symmetric, edge,
        constant.
    channel_axis : int or None
        The axis of the image that holds channels. They share one PSF, or have one each: then the PSF
        has a channel axis in the same place and lambda.
    mask : array_like of bool, "nan", "saturated", "nan+saturated" or None
        Pixels that say nothing about the scene: True where missing (they may be NaN), of the shape of the image or of its
        spatial axes; where the image is not finite; or blown-out highlights with the zone that the PSF reaches from them
        (shown as observed). They are estimated like the scene beyond the frame. None believes every pixel.
    weights : array_like, "poisson" or None
        Inverse variance of the noise of each pixel, up to a factor, >= 0, of the shape of the image or of its spatial axes;
        or ``poisson``: read off the picture as 1 / (gain * brightness + floor^2). The weighted problem is then solved by
        conjugate gradients from the closed form, at some 30 to 120 FFT pairs. None takes the noise for equal everywhere.
    per_channel : bool
        Whether every channel is restored as a picture of its own, with its own strength and its own noise level: right
        where channels differ much in noise, as fluorescence does. False chooses one strength from all of them together.
    out : ndarray or None
        Where to write the result: an array of the shape and dtype of the image, or the image itself, which is then lost.
        None makes a new one.

    Returns
    -------
    ndarray
        Same shape and dtype as the image. Nothing is clipped for float images.

    Raises
    ------
    TypeError, ValueError
        For a negative regularization, an unknown rule, operator or boundary, and for an image or PSF that cannot be used.

    Notes
    -----
    Assumes white noise and data that are linear in light. What a rule chose can be read from
    ``restore(image, psf, "regularized_filter").parameters["regularization"]``.

    References
    ----------
    .. [1] B. R. Hunt, "The application of constrained least squares estimation to image restoration by digital computer",
       IEEE Trans. Comput. C-22, 1973, eq. (16).

    Examples
    --------
    >>> import numpy as np
    >>> from restoretk.convolution.blur import convolve
    >>> psf = np.array([0.1, 0.7, 0.2])
    >>> scene = np.array([0.0, 1, 0, 0, 2, 0])
    >>> blurred = convolve(scene, psf, boundary="wrap")
    >>> regularized_filter(blurred, psf, regularization=1e-9, boundary="wrap").round(4) + 0.0
    array([0., 1., 0., 0., 2., 0.])
    """
    if is_foreign(image):
        options = {
            "regularization": regularization,
            "operator": operator,
            "noise_sigma": noise_sigma,
            "boundary": boundary,
            "channel_axis": channel_axis,
            "mask": mask,
            "weights": weights,
            "per_channel": per_channel,
            "out": out,
        }
        return restore_anywhere(Method(regularized_filter, decide), image, psf, options)
    target = check_out(out, image)
    return decide(
        image,
        psf,
        regularization=regularization,
        operator=operator,
        noise_sigma=noise_sigma,
        boundary=boundary,
        channel_axis=channel_axis,
        mask=mask,
        weights=weights,
        per_channel=per_channel,
    ).image(target)
