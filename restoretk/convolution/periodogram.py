"""The periodogram of a picture: its power at each frequency, in units in which white noise has its variance."""

from __future__ import annotations

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
    stack = planes.reshape((-1, *shape)).astype(np.float64, copy=False)
    total = np.zeros((*shape[:-1], shape[-1] // 2 + 1))
    window = np.ones((1,) * spatial_ndim) if periodic else _hann(shape)
    for plane in stack:
        mean = np.sum(plane * window) / np.sum(np.broadcast_to(window, shape))
        total += np.abs(forward_transform((plane - mean) * window, spatial_ndim)) ** 2
    return total / (len(stack) * plane.size)


def _hann(shape: Sequence[int]) -> Array:
    """The Hann window with a mean square of 1; zero half a sample beyond either edge."""
    window = np.ones((1,) * len(shape))
    for axis, size in enumerate(shape):
        profile = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
        profile /= np.sqrt(np.mean(profile**2))
        window = window * profile.reshape([-1 if other == axis else 1 for other in range(len(shape))])
    return window
