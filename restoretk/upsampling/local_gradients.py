"""What the gradients about each pixel of a picture say: which kernel of a bank it takes, and which way that is turned.

Four features are read from the structure tensor, as RAISR does with the first three: the angle of the normal to the
edge, the strength of the edge, its coherence (one edge, or a texture), and how far to the side of the edge the pixel
lies. The last one comes with a direction: towards the edge. Turned so that this direction points into the first octant,
by one of the eight flips and quarter turns, all eight share one kernel.

References
----------
Y. Romano, J. Isidoro, P. Milanfar, RAISR: rapid and accurate image super resolution, arXiv:1606.01299, section III.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from restoretk._arrays import Array

# The squared gradients are smoothed by this before their slope is asked for the side of the edge: wider, and the two
# sides of a thin line mix; narrower, and noise decides. 0.7 gave the best kernels of 0, 0.7 and 1.2.
_SIDE_SIGMA = 0.7


class GradientFeatures(NamedTuple):
    """The features of each pixel, all arrays of one shape."""

    turn: Array  # 0..7: bit 0 flips rows, bit 1 flips columns, bit 2 then swaps them
    angle: Array  # tangent of the angle after the turn, 0..1
    strength: Array  # root of the larger eigenvalue of the structure tensor, in fractions of full range per pixel
    coherence: Array  # 0..1
    side: Array  # relative slope of the squared gradient across the edge, >= 0


def feature_margin(sigma: float) -> int:
    """How many pixels about a pixel its features depend on."""
    return 1 + max(_radius(sigma), _radius(_SIDE_SIGMA) + 1)


def gradient_features(guide: Array, sigma: float) -> GradientFeatures:
    """The features of the pixels of a grey picture that are at least `feature_margin` away from its border."""
    margin = feature_margin(sigma)
    by_row = (guide[2:, 1:-1] - guide[:-2, 1:-1]) / 2
    by_column = (guide[1:-1, 2:] - guide[1:-1, :-2]) / 2
    rows2, columns2 = by_row * by_row, by_column * by_column
    cut = margin - 1 - _radius(sigma)
    rr, cc, rc = (_inner(_smooth(product, sigma), cut) for product in (rows2, columns2, by_row * by_column))
    difference = cc - rr
    spread = np.sqrt(difference * difference + 4 * rc * rc)
    # The unit vector along the larger eigenvector: cos(t), sin(t) from cos(2t).
    double = np.divide(difference, spread, out=np.ones_like(spread), where=spread > 0)
    double = double.clip(-1, 1)  # rounding may leave the range
    cosine, sine = np.sqrt((1 + double) / 2), np.copysign(np.sqrt((1 - double) / 2), rc)
    energy = _smooth(rows2 + columns2, _SIDE_SIGMA)
    energy = _inner(energy, margin - 2 - _radius(_SIDE_SIGMA))
    slope = (energy[2:, 1:-1] - energy[:-2, 1:-1]) / 2 * sine + (energy[1:-1, 2:] - energy[1:-1, :-2]) / 2 * cosine
    cosine, sine = np.copysign(cosine, cosine * slope), np.copysign(sine, sine * slope)
    turn = (sine < 0) + 2 * (cosine < 0) + 4 * (abs(sine) > abs(cosine))
    small, large = np.minimum(abs(sine), abs(cosine)), np.maximum(abs(sine), abs(cosine))
    strong = np.sqrt((rr + cc + spread) / 2)
    weak = np.sqrt(np.maximum(rr + cc - spread, 0) / 2)
    return GradientFeatures(
        turn.astype(np.int16),
        small / large,
        strong,
        (strong - weak) / (strong + weak + 1e-6),
        abs(slope) / (energy[1:-1, 1:-1] + 0.1 * strong * strong + 1e-9),
    )


def turned(size: int) -> Array:
    """For each turn, the order in which a turned patch of size x size reads the pixels of the patch, (8, size**2)."""
    orders = []
    for turn in range(8):
        order = np.arange(size * size).reshape(size, size)
        order = order[::-1] if turn & 1 else order
        order = order[:, ::-1] if turn & 2 else order
        orders.append((order.T if turn & 4 else order).ravel())
    return np.stack(orders)


def _radius(sigma: float) -> int:
    return math.ceil(2.5 * sigma)


def _smooth(plane: Array, sigma: float) -> Array:
    """Smoothed by a Gaussian, only where all of its window lies inside."""
    radius = _radius(sigma)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(plane.dtype)
    for _ in range(2):  # along the rows, turned over, along the rows again
        length = plane.shape[0] - 2 * radius
        # Pairs at equal distances are added first, so that a flipped picture has the same features to the last bit.
        total = plane[radius : radius + length] * weights[radius]
        for d in range(1, radius + 1):
            total += (plane[radius - d : radius - d + length] + plane[radius + d : radius + d + length]) * weights[
                radius + d
            ]
        plane = total.T
    return plane


def _inner(plane: Array, cut: int) -> Array:
    return plane[cut : plane.shape[0] - cut, cut : plane.shape[1] - cut]
