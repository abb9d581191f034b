"""The scene beyond the frame, estimated with the picture: the conditional mean of the pixels that were not observed.

A photograph is a window on a larger scene. Put it on a torus and call the ring around it, and any missing pixel
inside it, unknown. Under a Gaussian model with the spectrum V = |H|^2 S + sigma^2 of the observation, the expectation
of the unknown pixels given the observed ones minimises z' Q z over them, where Q has the transfer function 1 / V.
Filtering that completed torus is then exactly the estimate from the observed pixels alone, and every periodic method
may be used on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.boundary import extend_periodically
from restoretk.convolution.fourier import forward_transform, inverse_transform
from restoretk.convolution.sweeps import LARGE, transform_rows
from restoretk.restoration._ring import Ring, SideInverses
from restoretk.restoration._ring_product import RingProduct
from restoretk.restoration.missing import NOTHING_SEEN

ITERATIONS, TOLERANCE = 28, 5e-4  # see `extend_unknown`
_HOLES = (0.75, 1e-4, 0.1)  # exponent, floor and weight of 0.1 (Q / max Q + 1e-4)^-0.75, see extend_unknown


def extend_unknown(
    planes: Array,
    precision: Array,
    torus: Sequence[int],
    *,
    mask: Array | None = None,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> tuple[Array, int]:
    """Complete planes on a torus by the conditional mean of their unknown pixels, and count the FFT pairs.

    Conjugate gradients on (Q z) = 0 at the unknown pixels. Q spans many decades. Each side of the ring is solved exactly
    by itself (`SideInverses`), so that the steps are for the corners where the sides meet, and 5 to 20 of them do. At missing
    pixels in the frame 0.1 (Q / max Q + 1e-4)^-3/4 guides the steps. Without it the first ones remove the violations at
    frequencies that the PSF has extinguished, which would ring, and smooth fillings take hundreds; with 1 / Q it is the
    other way round.

    Parameters
    ----------
    planes : ndarray of shape (..., *frame)
        The observed frames, blurred and noisy. What they hold at masked pixels is ignored (it may be NaN).
    precision : ndarray, real, on the half spectrum of ``torus``
        Q = 1 / (|H|^2 S + sigma^2) > 0. Neither its scale nor its value at frequency 0 matters: the mean level of the
        scene is left free.
    torus : sequence of int
        The grid, no smaller than the frame on any axis; at least the side of the PSF less 1 larger, or else opposite
        edges of the frame see the same scene.
    mask : ndarray of bool or None, shape ``frame`` or that of the planes
        True where a pixel was not observed. None: all were.
    iterations : int
        Steps at most, >= 0: each an FFT pair, or two where pixels of the frame are missing.
    tolerance : float
        Stop when the (preconditioned) residual has fallen to this fraction of where it began.

    Returns
    -------
    planes : ndarray of shape (..., *torus)
        Frame first, ring after; observed pixels bit for bit.
    pairs : int
        Forward and inverse transforms used for the slowest plane, those of the start included.

    Raises
    ------
    ValueError
        For a torus smaller than the frame, a precision of another shape, or a mask that fits neither frame
        nor planes or leaves no pixel observed.

    References
    ----------
    .. [1] S. J. Reeves, "Fast image restoration without boundary artifacts", IEEE TIP 14, 2005: the unknown boundary.

    Examples
    --------
    >>> import numpy as np
    >>> otf = np.exp(-20 * np.fft.rfftfreq(16) ** 2)
    >>> extended, pairs = extend_unknown(np.linspace(0, 1, 12), 1 / (otf**2 + 1e-4), (16,))
    >>> bool(abs(extended).max() < 1.1), bool((extended[:12] == np.linspace(0, 1, 12)).all())
    (True, True)
    """
    torus = tuple(int(size) for size in torus)
    frame = planes.shape[planes.ndim - len(torus) :]
    half = (*torus[:-1], torus[-1] // 2 + 1)
    if len(frame) != len(torus) or any(size > grid for size, grid in zip(frame, torus, strict=True)):
        raise ValueError(f"torus {torus} is smaller than the frame of the planes, {planes.shape}")
    if precision.shape != half:
        raise ValueError(f"precision must have the shape {half} of the half spectrum of {torus}, got {precision.shape}")
    stack = planes.reshape((-1, *frame))
    missing = _missing_of(mask, planes.shape, frame, len(stack))
    if frame == torus and missing is None:
        return planes.copy(), 0
    working = np.float32 if planes.dtype == np.float32 else np.float64
    weight = (precision / precision.max()).astype(working, copy=True)
    smoother = _hole_smoother(weight) if missing is not None else None
    weight.flat[0] = 0  # the mean level of the scene is left free: lifting the picture lifts the ring
    ring = Ring(frame, torus)
    sides = SideInverses(ring, lambda columns: weight[..., columns])
    extended = np.empty((len(stack), *torus), working)
    most = 0
    for index, (plane, out) in enumerate(zip(stack, extended, strict=True)):
        if missing is None or smoother is None:
            pairs = _complete_ring(plane, weight, ring, sides, out, iterations, tolerance)
        else:
            pairs = _complete(plane, missing[index], weight, smoother, ring, sides, out, iterations, tolerance)
        most = max(most, pairs)
    return extended.reshape((*planes.shape[: planes.ndim - len(torus)], *torus)), most


def _hole_smoother(weight: Array) -> Array:
    exponent, floor, share = (weight.dtype.type(value) for value in _HOLES)
    smoother: Array = share * (weight + floor) ** -exponent
    return smoother


def _missing_of(mask: Array | None, shape: tuple[int, ...], frame: tuple[int, ...], count: int) -> Array | None:
    """The mask for each plane, (count, *frame), or None if nothing is missing."""
    if mask is None or not mask.any():
        return None
    if mask.dtype != np.bool_ or mask.shape not in (frame, shape):
        raise ValueError(f"mask must be boolean of shape {frame} or {shape}, got {mask.dtype} of shape {mask.shape}")
    missing = np.broadcast_to(mask, shape).reshape((count, *frame))
    if missing.all(axis=tuple(range(1, missing.ndim))).any():
        raise ValueError(NOTHING_SEEN)
    return missing


def _complete_ring(
    plane: Array, weight: Array, ring: Ring, sides: SideInverses, out: Array, iterations: int, tolerance: float
) -> int:
    """A plane on the torus, in ``out``, with the ring around it solved for; and the FFT pairs that it took."""
    level = plane.mean()
    out[...] = extend_periodically(plane - level, ring.torus, "symmetric")
    if len(ring.torus) == 2 and out.size >= LARGE:
        product = RingProduct(ring, lambda columns: weight[:, columns], out.dtype)
        spectra = np.empty((len(out), out.shape[1] // 2 + 1), np.result_type(out, np.complex64))
        transform_rows(out, spectra.__setitem__)
        residual = -product.of(lambda columns: spectra[:, columns].copy())
        del spectra
        apply: Callable[[Array], Array] = product
    else:
        apply = partial(_apply_whole, weight, ring)
        residual = -ring.field_of(_filtered(out, weight))
    field = ring.field_of(out)
    steps = solve_unknown(field, residual, apply, sides, iterations, tolerance)
    ring.put(field + level, out)
    out[tuple(slice(size) for size in ring.frame)] = plane
    return steps + 1


def _apply_whole(weight: Array, ring: Ring, field: Array) -> Array:
    """Q times a field on the ring, seen on the ring."""
    whole = np.zeros(ring.torus, field.dtype)
    ring.put(field, whole)
    return ring.field_of(_filtered(whole, weight))


def _filtered(whole: Array, multiplier: Array) -> Array:
    return inverse_transform(multiplier * forward_transform(whole, whole.ndim), whole.shape)


def _complete(
    plane: Array,
    hole: Array,
    weight: Array,
    smoother: Array,
    ring: Ring,
    sides: SideInverses,
    out: Array,
    iterations: int,
    tolerance: float,
) -> int:
    """As `_complete_ring`, with the pixels in a hole solved for, too."""
    torus, window = ring.torus, tuple(slice(size) for size in ring.frame)
    filled = _fill(plane, hole)
    level = filled.mean()
    out[...] = extend_periodically(filled - level, torus, "symmetric") if ring.size else filled - level

    def at_unknown(field: Array) -> Array:
        """Q times the field at the unknown pixels, 0 at the observed ones."""
        product = _filtered(field, weight)
        product[window] *= hole
        return product

    def guide(residual: Array) -> Array:
        inside = np.zeros_like(residual)
        inside[window] = residual[window]
        guided = _filtered(inside, smoother)
        guided[window] *= hole
        ring.put(sides(ring.field_of(residual)), guided)
        return guided

    steps = solve_unknown(out, -at_unknown(out), at_unknown, guide, iterations, tolerance)
    out += level
    out[window] = np.where(hole, out[window], plane)
    return 2 * steps + 2


def solve_unknown(
    field: Array,
    residual: Array,
    apply: Callable[[Array], Array],
    guide: Callable[[Array], Array],
    iterations: int,
    tolerance: float,
) -> int:
    """Solve A z = b by preconditioned conjugate gradients, in place, and count the steps.

    Parameters
    ----------
    field : ndarray
        z: a first guess, and then the solution.
    residual : ndarray
        b - A z of the first guess; it is lost.
    apply : callable
        A, symmetric and positive definite.
    guide : callable
        About the inverse of A, symmetric and positive definite.
    iterations, tolerance : int, float
        See `extend_unknown`.
    """
    direction = np.zeros_like(residual)
    energy = first = 0.0
    for steps in range(iterations + 1):
        guided = guide(residual)
        previous, energy = energy, inner(residual, guided)
        first = first or energy
        if energy <= tolerance**2 * first or steps == iterations:
            break
        direction *= energy / previous if previous else 0.0
        direction += guided
        curved = apply(direction)
        step = energy / inner(direction, curved)
        field += step * direction
        residual -= step * curved
    return steps


def inner(one: Array, other: Array) -> float:
    """The inner product, not by BLAS: its threads cost more than the sum where pictures are small."""
    return float(np.sum(one * other, dtype=np.float64))


def _fill(plane: Array, hole: Array) -> Array:
    """The plane with each missing pixel given the value of the nearest observed one."""
    from scipy.ndimage import distance_transform_edt  # only pictures with holes pay for the import

    nearest = distance_transform_edt(hole, return_distances=False, return_indices=True)
    return np.asarray(plane[tuple(nearest)])
