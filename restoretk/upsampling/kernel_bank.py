"""A bank of kernels for upsampling, one of which is chosen for each pixel by the gradients about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.upsampling.local_gradients import GradientFeatures, feature_margin, turned


@dataclass(frozen=True, eq=False, kw_only=True)
class BankStage:
    """One pass over the picture: a kernel for each class of pixels.

    Attributes
    ----------
    factor : int
        How many times larger the output is; 1 for a pass that refines what the one before has made.
    size : int
        Odd; a pixel's output is made of the size x size pixels about it.
    overlap : int
        At most ``factor``. Each pixel gives the ``factor + 2*overlap`` output pixels under and about it on each axis;
        where neighbours give the same output pixel, their mean is taken.
    sigma : float
        Of the Gaussian window in which gradients are gathered, in pixels of the input.
    angles : int
        Classes between the direction of an axis and that of a diagonal.
    strengths, coherences, sides : ndarray of shapes (S-1,), (S, C-1) and (S, C, D-1)
        The limits between the classes of `GradientFeatures`: of coherence for each class of strength, and so on.
    taps : ndarray of shape (S*C*D*angles, size**2, (factor + 2*overlap)**2)
        Output = patch @ taps, for a pixel whose turn is 0. Each column sums to 1: no kernel changes a constant.
    """

    factor: int
    size: int
    overlap: int
    sigma: float
    angles: int
    strengths: Array
    coherences: Array
    sides: Array
    taps: Array

    @property
    def margin(self) -> int:
        """How many input pixels beyond a pixel its output depends on."""
        return 1 + max(self.size // 2, feature_margin(self.sigma))

    @property
    def width(self) -> int:
        """How many output pixels one pixel gives on each axis."""
        return self.factor + 2 * self.overlap

    def kernel_classes(self, features: GradientFeatures) -> Array:
        """The class of each pixel, an index into the first axis of ``taps``."""
        return kernel_classes(features, self.angles, self.strengths, self.coherences, self.sides)

    def turned_taps(self) -> Array:
        """The taps for all eight turns, (8 * classes, size**2, width**2) with the turn as the slower index."""
        rows, columns = np.argsort(turned(self.size), axis=1), np.argsort(turned(self.width), axis=1)
        every = [self.taps[:, row][:, :, column] for row, column in zip(rows, columns, strict=True)]
        return np.concatenate(every)


@dataclass(frozen=True, eq=False, kw_only=True)
class KernelBank:
    """Kernels for one factor, chosen pixel by pixel: what `upsample` takes as ``kernel`` where one kernel is too few.

    Attributes
    ----------
    factor : int
        The one factor that it enlarges by.
    stages : tuple of BankStage
        The first enlarges, the others refine. After each, the output is corrected once by what it lacks: decimated, it
        should be the input, and the difference is enlarged by the bicubic kernel and added.
    blur : ndarray or None
        The point spread function before the decimation; None stands for antialiased bicubic decimation.
    provenance : mapping
        What it was fitted to and how, as JSON knows it.
    """

    factor: int
    stages: tuple[BankStage, ...]
    blur: Array | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kernels(self) -> int:
        """How many kernels it chooses from, all stages and turns counted."""
        return sum(8 * len(stage.taps) for stage in self.stages)


def kernel_classes(features: GradientFeatures, angles: int, strengths: Array, coherences: Array, sides: Array) -> Array:
    """The class of each pixel: strength, coherence and side, each cut at limits that depend on those before, and angle."""
    strength = np.searchsorted(strengths, features.strength)
    coherence = _rank(features.coherence, coherences[strength])
    side = _rank(features.side, sides[strength, coherence])
    angle = np.searchsorted(np.tan(np.pi / 4 * np.arange(1, angles) / angles), features.angle)
    levels = sides.shape[1], sides.shape[2] + 1
    return ((strength * levels[0] + coherence) * levels[1] + side) * angles + angle


def _rank(values: Array, limits: Array) -> Array:
    """How many of its own limits, along their last axis, each value exceeds."""
    rank: Array = (values[..., None] > limits).sum(axis=-1)
    return rank
