"""Banks of kernels fitted to pictures in closed form: one least-squares kernel for each kind of pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from restoretk._arrays import Array
from restoretk.upsampling.bank_upsampling import apply_stage, grouped_patches
from restoretk.upsampling.decimation import check_blur, corrected
from restoretk.upsampling.fitting import check_fit
from restoretk.upsampling.kernel_bank import BankStage, KernelBank
from restoretk.upsampling.local_gradients import feature_margin, gradient_features, turned
from restoretk.upsampling.training_pairs import Pair, training_pairs

# Shares of all pixels below the limits between classes of strength: most pixels lie on flat ground, where all kernels
# do equally well, so that the classes are narrower towards strong edges.
_STRENGTH_SHARES: Mapping[int, Sequence[float]] = {
    1: (),
    2: (0.6,),
    3: (0.4, 0.75),
    4: (0.3, 0.6, 0.85),
    5: (0.25, 0.5, 0.7, 0.88),
    6: (0.2, 0.4, 0.6, 0.78, 0.92),
}
# Windows in which the stages gather gradients; a later stage sees cleaner ones and can look further along an edge.
_SIGMAS = (1.0, 1.0, 1.5)


def fit_kernel_bank(
    images: Iterable[npt.ArrayLike],
    factor: int,
    *,
    size: int = 7,
    stages: int = 3,
    angles: int = 4,
    strengths: int = 4,
    coherences: int = 3,
    sides: int = 3,
    overlap: int = 1,
    blur: npt.ArrayLike | None = None,
    bits: int | None = None,
    shrink: Sequence[int] = (1,),
    shrinkage: float = 1.0,
    provenance: Mapping[str, Any] | None = None,
) -> KernelBank:
    """Kernels that undo a decimation of these pictures, chosen for each pixel by the gradients about it.

    The idea is RAISR's, a least-squares kernel for each class of angle, strength and coherence of the gradient, with
    five changes: classes also say on which side of an edge a pixel lies; limits between classes are quantiles of the
    pictures; a pixel's kernel also gives the pixels around it, and neighbours are averaged; further stages refine what
    the first has enlarged; and after each stage the output is made to agree better with the input. Every kernel sums to
    1, and all flips and quarter turns of a picture give the flipped and turned result.

    Parameters
    ----------
    images, factor, size, blur, bits, shrink
        As in `fit_kernel`.
    stages : int
        How many passes, at least 1: the first enlarges, the others refine.
    angles, strengths, coherences, sides : int
        How many classes of each kind, at least 1; ``angles`` count from the direction of an axis to that of a diagonal,
        ``strengths`` are at most 6. Each of the product has its kernel.
    overlap : int
        0 to ``factor``: how far beyond its own output pixels each pixel gives its opinion in the first stage; in later
        ones at most 1.
    shrinkage : float
        How strongly kernels of classes with few pixels are drawn to the one kernel for all, >= 0: with 1, as if each had
        seen one more pixel of mean texture, in every direction, that this one explains.
    provenance : mapping or None
        To be kept in the bank.

    Returns
    -------
    KernelBank
        For ``upsample(image, factor, kernel=bank)``.

    Raises
    ------
    TypeError, ValueError
        As `fit_kernel`.

    References
    ----------
    Y. Romano, J. Isidoro, P. Milanfar, RAISR: rapid and accurate image super resolution, arXiv:1606.01299.

    Examples
    --------
    >>> import numpy as np
    >>> texture = np.random.default_rng(0).random((96, 96))
    >>> bank = fit_kernel_bank([texture], 2, size=5, stages=1, angles=2, strengths=2, coherences=1, sides=1)
    >>> bank.kernels
    32
    """
    check_fit(factor, size)
    counts = {"stages": stages, "angles": angles, "strengths": strengths, "coherences": coherences, "sides": sides}
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")
    if strengths not in _STRENGTH_SHARES:
        raise ValueError(f"strengths must be at most {max(_STRENGTH_SHARES)}, got {strengths}")
    if not 0 <= overlap <= factor:
        raise ValueError(f"overlap must be 0 to the factor {factor}, got {overlap}")
    if shrinkage < 0:
        raise ValueError(f"shrinkage must not be negative, got {shrinkage}")
    psf = check_blur(blur, factor)
    # A picture must be larger than the margins of the first stage by some pixels.
    least = 2 * (2 + max(size // 2, feature_margin(_SIGMAS[0]))) + 8
    pairs = list(training_pairs(images, factor, blur=psf, bits=bits, shrink=shrink, least=least))
    if not pairs:
        raise ValueError(f"images must hold a picture of at least {least * factor} pixels a side, got none")
    fitted: list[BankStage] = []
    current = [pair.small for pair in pairs]
    for index in range(stages):
        step = factor if index == 0 else 1
        sigma = _SIGMAS[min(index, len(_SIGMAS) - 1)]
        stage = _fit_stage(
            [Pair(small, pair.large) for small, pair in zip(current, pairs, strict=True)],
            _limits(current, sigma, strengths, coherences, sides),
            factor=step,
            size=size,
            overlap=min(overlap, step),
            sigma=sigma,
            angles=angles,
            shrinkage=shrinkage,
        )
        fitted.append(stage)
        if index + 1 < stages:
            current = [
                corrected(apply_stage(planes, stage), pair.small, factor, psf)
                for planes, pair in zip(current, pairs, strict=True)
            ]
    return KernelBank(factor=factor, stages=tuple(fitted), blur=psf, provenance=dict(provenance or {}))


def _limits(
    pictures: Sequence[Array], sigma: float, strengths: int, coherences: int, sides: int
) -> tuple[Array, Array, Array]:
    """The limits between classes: quantiles of strength, of coherence in each class of strength, of side in each."""
    # Every seventh pixel knows the quantiles as well as all of them do.
    samples = [
        np.stack([feature.ravel()[::7] for feature in gradient_features(picture[0], sigma)[2:]]) for picture in pictures
    ]
    strength, coherence, side = np.concatenate(samples, axis=1).astype(np.float64)
    if not strength.max() > 0:
        raise ValueError("images must have texture, got only constant pictures")
    by_strength = np.quantile(strength, _STRENGTH_SHARES[strengths])
    one = np.searchsorted(by_strength, strength)
    shares = np.arange(1, coherences) / coherences, np.arange(1, sides) / sides
    by_coherence = np.array([_quantiles(coherence[one == i], shares[0]) for i in range(strengths)])
    two = (coherence[:, None] > by_coherence[one]).sum(axis=1)
    by_side = np.array(
        [[_quantiles(side[(one == i) & (two == j)], shares[1]) for j in range(coherences)] for i in range(strengths)]
    )
    return by_strength, by_coherence, by_side


def _quantiles(values: Array, shares: Array) -> Array:
    """Quantiles; of nothing, zeros: then no pixel of the training pictures will ask for them."""
    return np.quantile(values, shares) if values.size else np.zeros(len(shares))


def _fit_stage(
    pairs: Sequence[Pair],
    limits: tuple[Array, Array, Array],
    *,
    factor: int,
    size: int,
    overlap: int,
    sigma: float,
    angles: int,
    shrinkage: float,
) -> BankStage:
    """Gram matrices of all classes, and their solutions."""
    classes = angles * limits[2].shape[0] * limits[2].shape[1] * (limits[2].shape[2] + 1)
    width = factor + 2 * overlap
    empty = BankStage(
        factor=factor,
        size=size,
        overlap=overlap,
        sigma=sigma,
        angles=angles,
        strengths=limits[0],
        coherences=limits[1],
        sides=limits[2],
        taps=np.zeros((classes, size**2, width**2), np.float32),
    )
    gram = np.zeros((classes, size**2, size**2))
    right = np.zeros((classes, size**2, width**2))
    pixels = np.zeros(classes)
    orders, output_orders = turned(size), turned(width)
    for pair in pairs:
        targets = _targets(pair, empty)
        for key, chosen, patches in grouped_patches(pair.small, pair.small[0], empty, empty.margin):
            turn, which = divmod(key, classes)
            P = patches[:, 0, orders[turn]]
            centre = P[:, size**2 // 2, None]
            T = targets[chosen // targets.shape[1], chosen % targets.shape[1]].reshape(len(chosen), -1)
            T = T[:, output_orders[turn]] - centre
            P = P - centre
            gram[which] += P.T @ P
            right[which] += P.T @ T
            pixels[which] += len(chosen)
    taps = _solve(gram, right, pixels, size, width, shrinkage)
    return BankStage(**{**vars(empty), "taps": taps})


def _targets(pair: Pair, stage: BankStage) -> Array:
    """The output pixels under and about each input pixel that is the margin away from the border: a view (M, N, w, w)."""
    s, w, margin = stage.factor, stage.width, stage.margin
    first = margin * s - stage.overlap
    rows, columns = (side - 2 * margin for side in pair.small.shape[1:])
    windows = sliding_window_view(pair.large[0], (w, w))
    return windows[first : first + rows * s : s, first : first + columns * s : s]


def _solve(gram: Array, right: Array, pixels: Array, size: int, width: int, shrinkage: float) -> Array:
    """The kernels of all classes, drawn to the one kernel that serves all best, centre taps from sum 1."""
    others = np.delete(np.arange(size**2), size**2 // 2)
    rows, columns = turned(size), turned(width)
    whole, against = gram.sum(axis=0), right.sum(axis=0)
    whole = sum(whole[np.ix_(turn, turn)] for turn in rows) / 8
    against = sum(against[np.ix_(turn, out)] for turn, out in zip(rows, columns, strict=True)) / 8
    whole, against = whole[np.ix_(others, others)], against[others]
    unit = np.eye(len(others))
    mean = np.trace(whole) / len(others)
    common = np.linalg.solve(whole + 1e-7 * mean * unit, against)
    taps = np.empty((len(gram), size**2, width**2))
    for G, R, F in zip(gram[:, others][:, :, others], right[:, others], taps, strict=True):
        ridge = 1e-5 * np.trace(G) / len(others) + shrinkage * mean / pixels.sum() + 1e-9 * mean / pixels.sum()
        F[others] = np.linalg.solve(G + ridge * unit, R + ridge * common)
        F[size**2 // 2] = 1 - F[others].sum(axis=0)
    return taps.astype(np.float32)
