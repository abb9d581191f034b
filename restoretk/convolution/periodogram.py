"""The periodogram of a picture: its power at each frequency, in units in which white noise has its variance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.fourier import forward_transform


def periodogram(planes: Array, spatial_ndim: int, *, periodic: bool) -> Array:
    """|F|^2 / N on the half spectrum, averaged over the planes; of Hann-windowed planes if not periodic.

    The window has a mean square of 1, so that white noise of variance v has the expectation v either way. The mean (under
    the window) is taken off first: it would leak into the frequencies beside zero.

    Parameters
    ----------
    planes : ndarray of shape (..., *spatial)
    spatial_ndim : int
        How many of the trailing axes are spatial.
    periodic : bool
        True for a picture on a torus; False for a frame cut from a larger scene, whose opposite edges do not fit together.

    Returns
    -------
    ndarray of float64, shape (*spatial[:-1], spatial[-1] // 2 + 1)

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(0, 2.0, (100, 110))
    >>> bool(abs(periodogram(noise, 2, periodic=False).mean() - 4) < 0.2)
    True
    """
    shape = planes.shape[planes.ndim - spatial_ndim :]
    stack = planes.reshape((-1, *shape))
    total = np.zeros((*shape[:-1], shape[-1] // 2 + 1))
    profiles = [] if periodic else [_hann(size, axis, spatial_ndim) for axis, size in enumerate(shape)]
    for plane in stack:
        windowed = plane.astype(np.float64)
        windowed -= _mean(windowed, profiles)
        for profile in profiles:
            windowed *= profile
        spectrum = forward_transform(windowed, spatial_ndim)
        del windowed  # these are as large as the picture
        power = np.abs(spectrum)
        del spectrum
        total += np.square(power, out=power)
    return total / (len(stack) * math.prod(shape))


def _mean(plane: Array, profiles: Sequence[Array]) -> float:
    """The mean under the window that profiles span."""
    if not profiles:
        return float(plane.mean())
    weighted = plane
    for profile in reversed(profiles):
        weighted = weighted @ profile.ravel()
    return float(weighted / math.prod(float(profile.sum()) for profile in profiles))


def _hann(size: int, axis: int, axes: int) -> Array:
    """The Hann window of an axis with a mean square of 1, zero half a sample beyond either edge; shape (.., size, ..)."""
    profile = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    profile /= np.sqrt(np.mean(profile**2))
    return profile.reshape([-1 if other == axis else 1 for other in range(axes)])
