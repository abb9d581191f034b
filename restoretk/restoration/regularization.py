"""Choose the regularization of a linear filter: every rule evaluated for all candidates from one pass over the spectrum.

The filter is x = conj(H) G / (|H|^2 + lambda |P|^2). With s = |H|^2 / |P|^2 its action on the data is A = s / (s + lambda):
every rule below depends on the spectrum only through s, so the bins of equal s (to 1 / 256 of an octave) are summed once
and each candidate then costs a few thousand operations, whatever the size of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from restoretk._arrays import Array
from restoretk.restoration._spectral_statistics import SpectralStatistics
from restoretk.restoration.record import Criterion

SELECTORS = ("gcv", "predictive_gcv", "discrepancy", "upre", "marginal_likelihood", "whiteness", "l_curve")
NEED_NOISE = ("discrepancy", "upre")

_PILOT = 0.3  # of the textbook choice: weaker than it, so that the weights reach the frequencies in question
_LEAST_PIXELS = 4096
_LEAST_REGULARISED = 0.01  # share of the bins
_LEAST_CURVATURE = 0.05  # of a corner of the L-curve; less is a bend


def choose(statistics: SpectralStatistics, selector: str, noise_sigma: float | None = None) -> Criterion:
    """The regularization that one rule chooses, with its curve.

    Parameters
    ----------
    statistics : SpectralStatistics
    selector : str
        One of SELECTORS: ``gcv`` (generalised cross-validation of the restored picture, see Notes), ``predictive_gcv``
        (the textbook's, of the blurred picture [1]_), ``discrepancy`` (residual power = noise power
        [2]_), ``upre`` (unbiased predictive risk, Mallows' C_L [3]_), ``marginal_likelihood`` [4]_, ``whiteness`` (of the
        residual [5]_), ``l_curve`` (its corner [6]_).
    noise_sigma : float or None
        Needed by ``discrepancy`` and ``upre``.

    Raises
    ------
    ValueError
        For a selector that does not exist, or one that needs the noise level and is not given it.

    Notes
    -----
    Textbook generalised cross-validation estimates the error of h * f, in which the frequencies that the blur weakened
    hardly count, although it is there that the restored picture goes wrong: where the blur and the structures of a picture
    share a direction it lost up to 0.8 dB to the best lambda. ``gcv`` therefore takes the textbook's choice only as a pilot
    lambda_0, reads sigma^2 off its residual (Wahba's estimate), and minimises residual power plus 2 sigma^2 times degrees
    of freedom with every frequency weighted by the squared gain of a pilot filter,
    W = |H|^2 / (|H|^2 + 0.3 lambda_0 |P|^2)^2: the error then counts as it will in the picture. Needs no noise level either.
    ``scripts/reproduce_gcv.py`` measures both. The filters use it through `guarded_gcv`.

    References
    ----------
    .. [1] G. H. Golub, M. Heath and G. Wahba, Technometrics 21, 1979, eq. (1.4).
    .. [2] B. R. Hunt, IEEE Trans. Comput. 22, 1973, eq. (22); V. A. Morozov, 1966.
    .. [3] C. L. Mallows, Technometrics 15, 1973; C. R. Vogel, Computational Methods for Inverse Problems, 2002, sec. 7.1.
    .. [4] N. P. Galatsanos and A. K. Katsaggelos, IEEE Trans. Image Process. 1, 1992.
    .. [5] A. Lanza, M. Pragliola and F. Sgallari, ETNA 53, 2020.
    .. [6] P. C. Hansen, SIAM Review 34, 1992.
    """
    if selector not in SELECTORS:
        raise ValueError(f"regularization must be a number >= 0 or one of {', '.join(SELECTORS)}, got {selector!r}")
    if selector in NEED_NOISE and noise_sigma is None:
        raise ValueError(f"regularization {selector!r} needs noise_sigma")
    if selector == "discrepancy":
        return _discrepancy(statistics, float(noise_sigma or 0.0))
    if selector == "l_curve":
        return _l_curve(statistics)
    if selector == "gcv":
        return _gcv(statistics)
    variance = float(noise_sigma or 0.0) ** 2
    criteria: dict[str, Callable[[Array], Array]] = {
        "predictive_gcv": lambda tried: _log_gcv(statistics, tried),
        "upre": lambda tried: statistics.residual_power(tried) + 2 * variance * statistics.degrees_of_freedom(tried),
        "marginal_likelihood": lambda tried: _negative_log_likelihood(statistics, tried),
        "whiteness": lambda tried: _log_whiteness(statistics, tried),
    }
    return _minimise(statistics, selector, criteria[selector])


# Pairs of rules and the range of the ratio of their choices, as a power of ten, that holds with white noise and the right
# PSF: seen in 336 frames of 16 photographs, 7 PSFs and 3 noise levels, and widened (scripts/reproduce_disagreement.py).
_AGREEMENT = (
    ("marginal_likelihood", "gcv", -1.3, 1.3),
    ("gcv", "predictive_gcv", -0.4, 0.9),
    ("upre", "predictive_gcv", -0.2, 0.6),
)


def guarded_gcv(statistics: SpectralStatistics, noise_sigma: float | None) -> tuple[Criterion, str]:
    """The choice of ``gcv`` under the Laplacian, or that of ``marginal_likelihood`` where the rules contradict each other.

    With the sentence that says why, empty where they agree.

    Without white noise the residual says little about the noise in the picture: JPEG and denoisers take the high frequencies
    out of it, and gcv restores what is left in the middle as if it were scene. The likeliest smooth scene is the safe choice.
    """
    names = ("gcv", "predictive_gcv", "marginal_likelihood") + (() if noise_sigma is None else ("upre",))
    criteria = {name: choose(statistics, name, noise_sigma) for name in names}
    doubt = disagreement(criteria, statistics)
    if not doubt:
        return criteria["gcv"], ""
    plain, safe = criteria["gcv"], criteria["marginal_likelihood"].regularization
    note = f"{doubt}; the choice of marginal_likelihood stands in"
    return Criterion("gcv", safe, plain.candidates, plain.values, attained=False, note=note), doubt


def disagreement(criteria: Mapping[str, Criterion], statistics: SpectralStatistics) -> str:
    """A sentence where the rules choose further apart than white noise and the right PSF explain; else empty.

    A picture of fewer than 4096 pixels scatters too much to tell.
    """
    if statistics.pixels < _LEAST_PIXELS:
        return ""
    for one, other, low, high in _AGREEMENT:
        if one not in criteria or other not in criteria:
            continue
        first, second = criteria[one].regularization, criteria[other].regularization
        if not low <= np.log10(first / second) <= high:
            return (
                f"the rules for the regularization disagree ({one} chooses {first:.3g}, {other} {second:.3g}): "
                f"the noise is probably not white (JPEG, a denoiser, a resize), or the psf is not that of this picture"
            )
    return ""


def _log_gcv(statistics: SpectralStatistics, candidates: Array) -> Array:
    misfit = statistics.misfit(candidates)
    residual = misfit**2 @ statistics.power
    return np.log(np.maximum(residual, np.finfo(float).tiny)) - 2 * np.log(misfit @ statistics.count)


def _gcv(statistics: SpectralStatistics) -> Criterion:
    """Generalised cross-validation with every frequency weighted by the squared gain of a pilot filter."""
    textbook = choose(statistics, "predictive_gcv")
    pilot = np.array([textbook.regularization])
    misfit = statistics.misfit(pilot)
    # Wahba's estimate of sigma^2: the residual over its degrees of freedom at the textbook's choice.
    variance = float((misfit**2 @ statistics.power / np.maximum(misfit @ statistics.count, 1e-300))[0])
    # |H|^2 / (|H|^2 + lambda_0 |P|^2)^2 = s / (s + lambda_0)^2 / |P|^2
    gain = statistics.ratio / (statistics.ratio + _PILOT * pilot[0]) ** 2

    def risk(tried: Array) -> Array:
        misfit = statistics.misfit(tried)
        freedom = (1 - misfit) @ (gain * statistics.count_per_penalty)
        return misfit**2 @ (gain * statistics.power_per_penalty) + 2 * variance * freedom

    return _minimise(statistics, "gcv", risk)


def _negative_log_likelihood(statistics: SpectralStatistics, candidates: Array) -> Array:
    """White noise plus a signal of spectrum proportional to 1 / |P|^2, the common variance profiled out."""
    misfit = statistics.misfit(candidates)  # 1 / V with V = 1 + s / lambda
    total = float(statistics.count.sum())
    mean = np.maximum(misfit @ statistics.power, np.finfo(float).tiny) / total
    return -np.log(np.maximum(misfit, np.finfo(float).tiny)) @ statistics.count / total + np.log(mean)


def _log_whiteness(statistics: SpectralStatistics, candidates: Array) -> Array:
    misfit = statistics.misfit(candidates)
    fourth, second = misfit**4 @ statistics.squared_power, misfit**2 @ statistics.power
    tiny = np.finfo(float).tiny
    return np.log(np.maximum(fourth, tiny)) - 2 * np.log(np.maximum(second, tiny))


def _minimise(statistics: SpectralStatistics, name: str, criterion: Callable[[Array], Array]) -> Criterion:
    """The best of the candidates, refined between its neighbours."""
    from scipy.optimize import minimize_scalar  # 40 times the cost of a bare start: only where it is used

    candidates = statistics.candidates()
    values = criterion(candidates)
    best = int(np.argmin(values))
    if best in (0, len(candidates) - 1):
        end = "no regularization" if best == 0 else "the strongest regularization"
        note = f"{name} asks for {end} of the range: the data do not determine it"
        return Criterion(name, float(candidates[best]), candidates, values, attained=False, note=note)
    logs = np.log(candidates)
    refined = minimize_scalar(
        lambda log: float(criterion(np.exp(np.array([log])))[0]),
        bounds=(logs[best - 1], logs[best + 1]),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return Criterion(name, float(np.exp(refined.x)), candidates, values)


def _discrepancy(statistics: SpectralStatistics, noise_sigma: float) -> Criterion:
    """The root of ||g - h * f(lambda)||^2 = N sigma^2 in log lambda; the left side only grows with lambda."""
    from scipy.optimize import brentq  # 40 times the cost of a bare start: only where it is used

    target = statistics.pixels * noise_sigma**2
    candidates = statistics.candidates()
    candidates = np.concatenate(
        [candidates[0] * np.geomspace(1e-14, 0.1, 14), candidates, candidates[-1] * np.geomspace(10, 1e8, 8)]
    )
    values = statistics.residual_power(candidates)
    if values[0] >= target or values[-1] <= target:
        side, index = ("below", 0) if values[0] >= target else ("above", -1)
        note = (
            f"the constraint cannot be met: the noise power {target:.4g} is {side} every residual power, "
            f"{values[0]:.4g} to {values[-1]:.4g}; the nearest end of the range is used"
        )
        return Criterion(
            "discrepancy", float(candidates[index]), candidates, values - target, attained=False, note=note
        )
    above = int(np.argmax(values > target))
    log_root = brentq(
        lambda log: float(statistics.residual_power(np.array([np.exp(log)]))[0]) / target - 1,
        np.log(candidates[above - 1]),
        np.log(candidates[above]),
        xtol=1e-10,
    )
    return Criterion("discrepancy", float(np.exp(log_root)), candidates, values - target)


def _l_curve(statistics: SpectralStatistics) -> Criterion:
    """The first convex corner of (log ||g - h * f||, log ||p * f||), met from the side of least regularization.

    The corner of largest curvature would often be a later one, where all of the picture but its coarsest parts is gone.
    A picture that the blur left invertible has no corner at all: its residual starts at zero.
    """
    candidates = statistics.candidates()
    misfit = statistics.misfit(candidates)
    # A few bins next to the zeros of H bend the curve where all the others are still unregularised: no corner of the picture.
    reached = np.where(statistics.ratio > 1e-12 * statistics.ratio[-1], statistics.count, 0)
    begun = int(np.argmax(misfit @ reached > _LEAST_REGULARISED * reached.sum()))
    candidates, misfit = candidates[begun:], misfit[begun:]
    tiny = np.finfo(float).tiny
    residual = np.log(np.maximum(misfit**2 @ statistics.power, tiny)) / 2
    # |P|^2 |X|^2 = s / (s + lambda)^2 |G|^2
    roughness = np.log(np.maximum((misfit / candidates[:, None]) ** 2 * statistics.ratio @ statistics.power, tiny)) / 2
    step = np.log(candidates)
    right, up = np.gradient(residual, step), np.gradient(roughness, step)
    speed = np.maximum(right**2 + up**2, 1e-12) ** 1.5
    curvature = (right * np.gradient(up, step) - up * np.gradient(right, step)) / speed
    inner = curvature[1:-1]
    corners = np.flatnonzero((inner > curvature[:-2]) & (inner >= curvature[2:]) & (inner > _LEAST_CURVATURE)) + 1
    if corners.size == 0:
        stand_in = choose(statistics, "gcv").regularization
        note = "the L-curve has no corner; the value that gcv chooses stands in"
        return Criterion("l_curve", stand_in, candidates, -curvature, attained=False, note=note)
    return Criterion("l_curve", float(candidates[corners[0]]), candidates, -curvature)
