"""Choose the regularization of a linear filter: every rule evaluated for all candidates from one pass over the spectrum.

The filter is x = conj(H) G / (|H|^2 + lambda |P|^2). With s = |H|^2 / |P|^2 its action on the data is A = s / (s + lambda):
every rule below depends on the spectrum only through s, so the bins of equal s (to 1 / 256 of an octave) are summed once
and each candidate then costs a few thousand operations, whatever the size of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from restoretk._arrays import Array
from restoretk.restoration._spectral_statistics import SpectralStatistics, sum_over
from restoretk.restoration.record import Criterion

SELECTORS = (
    "gcv",
    "predictive_gcv",
    "discrepancy",
    "edf_discrepancy",
    "upre",
    "model_risk",
    "marginal_likelihood",
    "whiteness",
    "l_curve",
)
NEED_NOISE = ("discrepancy", "edf_discrepancy", "upre", "model_risk")

_Criterion = Callable[[SpectralStatistics, Array], Array]

_PILOT = 0.3  # of the textbook choice: weaker than it, so that the weights reach the frequencies in question
_LEAST_PIXELS = 4096
_CARE = (1.0, 100.0)  # times the likeliest regularization, where the rules contradict each other
_NO_NOISE = 1e-3  # of the contrast: of a photograph, far under what rounding to 8 bits leaves
_LEAST_REGULARISED = 0.01  # share of the bins
_APART, _AWAY = 0.005, 4.0  # the logarithms through which a parabola is laid, and how many steps from it is believed
_LEAST_CURVATURE = 0.05  # of a corner of the L-curve; less is a bend


def choose(statistics: SpectralStatistics, selector: str, noise_sigma: float | None = None) -> Criterion:
    """The regularization that one rule chooses, with its curve.

    Parameters
    ----------
    statistics : SpectralStatistics
    selector : str
        One of SELECTORS: ``gcv`` (generalised cross-validation of the restored picture, see Notes), ``predictive_gcv``
        (the textbook's, of the blurred picture [1]_), ``discrepancy`` (residual power = noise power
        [2]_), ``edf_discrepancy`` (residual power = the noise power of the degrees of freedom that the filter leaves to the
        residual [7]_), ``upre`` (unbiased predictive risk, Mallows' C_L [3]_), ``model_risk`` (the expected squared error
        of the restored picture under the fitted spectrum of the scene), ``marginal_likelihood`` [4]_, ``whiteness`` (of
        the residual [5]_), ``l_curve`` (its corner [6]_).
    noise_sigma : float or None
        Needed by ``discrepancy``, ``edf_discrepancy``, ``upre`` and ``model_risk``.

    Raises
    ------
    ValueError
        For a selector that does not exist, or one that needs the noise level or the spectrum of the scene and is not
        given it.

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
    .. [7] A. M. Thompson, J. C. Brown, J. W. Kay and D. M. Titterington, IEEE Trans. Pattern Anal. Mach. Intell. 13, 1991,
       the choice "EDF".
    """
    if selector not in SELECTORS:
        raise ValueError(f"regularization must be a number >= 0 or one of {', '.join(SELECTORS)}, got {selector!r}")
    if selector in NEED_NOISE and noise_sigma is None:
        raise ValueError(f"regularization {selector!r} needs noise_sigma")
    if selector == "model_risk" and not statistics.signal.any():
        raise ValueError("regularization 'model_risk' needs statistics with the spectrum of the scene")
    if selector in ("discrepancy", "edf_discrepancy"):
        return _discrepancy(statistics, selector, float(noise_sigma or 0.0))
    if selector == "l_curve":
        return _l_curve(statistics)
    if selector == "gcv":
        return _gcv(statistics, choose(statistics, "predictive_gcv"))
    variance = float(noise_sigma or 0.0) ** 2
    criteria: dict[str, _Criterion] = {
        "predictive_gcv": _log_gcv,
        "upre": lambda sums, tried: sums.residual_power(tried) + 2 * variance * sums.degrees_of_freedom(tried),
        "marginal_likelihood": _negative_log_likelihood,
        "whiteness": _log_whiteness,
        "model_risk": lambda sums, tried: _model_risk(sums, tried, variance),
    }
    return _minimise(statistics, selector, criteria[selector])


# Pairs of rules and the range of the ratio of their choices, as a power of ten, that holds with white noise and the right
# PSF: seen in 336 frames of 16 photographs, 7 PSFs and 3 noise levels, and widened (scripts/reproduce_disagreement.py).
_AGREEMENT = (
    ("marginal_likelihood", "gcv", -1.3, 1.3),
    ("gcv", "predictive_gcv", -0.4, 0.9),
    ("upre", "predictive_gcv", -0.2, 0.6),
)


def guarded_gcv(
    statistics: SpectralStatistics, noise_sigma: float | None, dark_power: Callable[[], float]
) -> tuple[Criterion, str]:
    """The choice of ``gcv`` under the Laplacian, or that of ``marginal_likelihood`` where the rules contradict each other.

    With the sentence that says why, empty where they agree.

    Without white noise the residual says little about the noise in the picture: JPEG and denoisers take the high frequencies
    out of it, and gcv restores what is left in the middle as if it were scene. Under a wrong PSF every rule amplifies what
    does not fit. The likeliest smooth scene is a safer choice, and up to 100 times its strength a careful one: by as much as
    the power in the bands that the blur left dark exceeds the noise that it reckons with. On six JPEGs and wrong PSFs that
    gained 1 to 6 dB on the likeliest alone (``scripts/reproduce_careful.py``). ``dark_power`` gives what
    `power_in_dark_bands` sees, and is asked where there is doubt only.
    """
    textbook = choose(statistics, "predictive_gcv")
    criteria = {
        "gcv": _gcv(statistics, textbook),
        "predictive_gcv": textbook,
        "marginal_likelihood": choose(statistics, "marginal_likelihood"),
    }
    if noise_sigma is not None:
        criteria["upre"] = choose(statistics, "upre", noise_sigma)
    doubt = disagreement(criteria, statistics, noise_sigma)
    if not doubt:
        return criteria["gcv"], ""
    plain, likeliest = criteria["gcv"], criteria["marginal_likelihood"].regularization
    misfit = statistics.misfit(np.array([likeliest]))[0]
    reckoned = max(float(sum_over(misfit, statistics.power)) / statistics.bins, np.finfo(float).tiny)
    care = float(np.clip(dark_power() / reckoned, *_CARE))
    safe = care * likeliest
    note = f"{doubt}; {care:.0f} times the choice of marginal_likelihood stands in, to be careful"
    return Criterion("gcv", safe, plain.candidates, plain.values, attained=False, note=note), doubt


def disagreement(
    criteria: Mapping[str, Criterion], statistics: SpectralStatistics, noise_sigma: float | None = None
) -> str:
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
            cause = (
                "the noise is probably not white (JPEG, a denoiser, a resize), or the psf is not that of this picture"
            )
            contrast = float(np.sqrt(statistics.power.sum() / statistics.pixels))
            if noise_sigma is not None and noise_sigma < _NO_NOISE * contrast:
                cause = (
                    f"there is next to no noise to choose by (sigma {noise_sigma:.2g}, {noise_sigma / contrast:.1e} of the "
                    f"contrast), because there was none or a denoiser took it out"
                )
            return (
                f"the rules for the regularization disagree ({one} chooses {first:.3g}, {other} {second:.3g}): {cause}"
            )
    return ""


def _log_gcv(statistics: SpectralStatistics, candidates: Array) -> Array:
    misfit = statistics.misfit(candidates)
    residual = sum_over(misfit**2, statistics.power) / statistics.unit
    return np.log(np.maximum(residual, np.finfo(float).tiny)) - 2 * np.log(sum_over(misfit, statistics.count))


def _gcv(statistics: SpectralStatistics, textbook: Criterion) -> Criterion:
    """Generalised cross-validation with every frequency weighted by the squared gain of a pilot filter."""
    pilot = np.array([textbook.regularization])
    misfit = statistics.misfit(pilot)
    # Wahba's estimate of sigma^2: the residual over its degrees of freedom at the textbook's choice.
    residual, freedom = sum_over(misfit**2, statistics.power), sum_over(misfit, statistics.count)
    variance = float((residual / np.maximum(freedom, 1e-300))[0])

    def risk(sums: SpectralStatistics, tried: Array) -> Array:
        # |H|^2 / (|H|^2 + lambda_0 |P|^2)^2 = s / (s + lambda_0)^2 / |P|^2
        gain = sums.ratio / (sums.ratio + _PILOT * pilot[0]) ** 2
        misfit = sums.misfit(tried)
        freedom = sum_over(1 - misfit, gain * sums.count_per_penalty)
        return sum_over(misfit**2, gain * sums.power_per_penalty) + 2 * variance * freedom

    return _minimise(statistics, "gcv", risk)


def _negative_log_likelihood(statistics: SpectralStatistics, candidates: Array) -> Array:
    """White noise plus a signal of spectrum proportional to 1 / |P|^2, the common variance profiled out."""
    misfit = statistics.misfit(candidates)  # 1 / V with V = 1 + s / lambda
    total = float(statistics.count.sum())
    mean = np.maximum(sum_over(misfit, statistics.power) / statistics.unit, np.finfo(float).tiny) / total
    return -sum_over(np.log(np.maximum(misfit, np.finfo(float).tiny)), statistics.count) / total + np.log(mean)


def _log_whiteness(statistics: SpectralStatistics, candidates: Array) -> Array:
    misfit = statistics.misfit(candidates)
    unit = statistics.unit
    fourth = sum_over(misfit**4, statistics.squared_power) / unit**2
    second = sum_over(misfit**2, statistics.power) / unit
    tiny = np.finfo(float).tiny
    return np.log(np.maximum(fourth, tiny)) - 2 * np.log(np.maximum(second, tiny))


def _model_risk(statistics: SpectralStatistics, candidates: Array, variance: float) -> Array:
    """E||x - f||^2 = sum (1 - A)^2 S + |R|^2 sigma^2 with the filter R, |R|^2 = s / (s + lambda)^2 / |P|^2."""
    misfit = statistics.misfit(candidates)
    gain = statistics.ratio / (statistics.ratio + candidates[:, None]) ** 2
    return sum_over(misfit**2, statistics.signal) + variance * sum_over(gain, statistics.count_per_penalty)


def _minimise(statistics: SpectralStatistics, name: str, criterion: _Criterion) -> Criterion:
    """The best of the candidates, refined between its neighbours: on coarse classes of bins, and from there on the fine ones.

    The coarse classes err to second order, so that the fine ones are asked three times at one go and no more.
    """
    from scipy.optimize import minimize_scalar  # 40 times the cost of a bare start: only where it is used

    candidates = statistics.candidates()
    values = criterion(statistics.coarse, candidates)
    best = int(np.argmin(values))
    if best in (0, len(candidates) - 1):
        end = "no regularization" if best == 0 else "the strongest regularization"
        note = f"{name} asks for {end} of the range: the data do not determine it"
        return Criterion(name, float(candidates[best]), candidates, values, attained=False, note=note)
    logs = np.log(candidates)

    def lowest(sums: SpectralStatistics, tolerance: float) -> float:
        refined = minimize_scalar(
            lambda log: float(criterion(sums, np.exp(np.array([log])))[0]),
            bounds=(logs[best - 1], logs[best + 1]),
            method="bounded",
            options={"xatol": tolerance},
        )
        return float(refined.x)

    if statistics.coarse is statistics:
        return Criterion(name, float(np.exp(lowest(statistics, 1e-5))), candidates, values)
    nearby = lowest(statistics.coarse, 1e-3)
    left, here, right = criterion(statistics, np.exp(nearby + _APART * np.array([-1, 0, 1])))
    bend = left - 2 * here + right
    away = 0.5 * (left - right) / bend if bend > 0 else np.inf
    log = nearby + _APART * away if abs(away) <= _AWAY else lowest(statistics, 1e-5)
    return Criterion(name, float(np.exp(log)), candidates, values)


def _discrepancy(statistics: SpectralStatistics, name: str, noise_sigma: float) -> Criterion:
    """The root of ||g - h * f(lambda)||^2 = sigma^2 times N, or times what of N the filter leaves to the residual.

    The left side only grows with lambda. So does the right one where it is corrected, from 0 up to N; the largest root is
    then taken, below which the filter would fit the noise.
    """
    from scipy.optimize import brentq  # 40 times the cost of a bare start: only where it is used

    corrected = name == "edf_discrepancy"

    def excess(tried: Array) -> Array:
        share = 1 - statistics.degrees_of_freedom(tried) / statistics.bins if corrected else np.ones(len(tried))
        return statistics.residual_power(tried) - statistics.pixels * noise_sigma * noise_sigma * share

    candidates = statistics.candidates()
    candidates = np.concatenate(
        [candidates[0] * np.geomspace(1e-14, 0.1, 14), candidates, candidates[-1] * np.geomspace(10, 1e8, 8)]
    )
    values = excess(candidates)
    under = np.flatnonzero(values < 0)
    if under.size == 0 or values[-1] <= 0:
        side, index = ("below", 0) if under.size == 0 else ("above", -1)
        powers = statistics.residual_power(candidates[[0, -1]])
        target = statistics.pixels * noise_sigma * noise_sigma
        note = (
            f"the constraint cannot be met: the noise power {target:.4g} is {side} every residual power, "
            f"{powers[0]:.4g} to {powers[-1]:.4g}; the nearest end of the range is used"
        )
        return Criterion(name, float(candidates[index]), candidates, values, attained=False, note=note)
    last = int(under[-1])
    scale = max(statistics.pixels * noise_sigma * noise_sigma, np.finfo(float).tiny)
    log_root = brentq(
        lambda log: float(excess(np.exp(np.array([log])))[0]) / scale,
        np.log(candidates[last]),
        np.log(candidates[last + 1]),
        xtol=1e-10,
    )
    return Criterion(name, float(np.exp(log_root)), candidates, values)


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
    power = statistics.power / statistics.unit
    residual = np.log(np.maximum(misfit**2 @ power, tiny)) / 2
    # |P|^2 |X|^2 = s / (s + lambda)^2 |G|^2
    roughness = np.log(np.maximum((misfit / candidates[:, None]) ** 2 * statistics.ratio @ power, tiny)) / 2
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
