"""What a picture holds at the frequencies that its blur has taken out, in the middle of the spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from restoretk._arrays import Array

_EDGES = 2.0 ** np.arange(-5, -0.4, 0.5)  # half octaves, cycles per pixel
_DARK_OTF = 1e-3  # |H|^2 from which a photograph leaves less than faint noise
_LEAST_DARK, _LEAST_BAND = 30, 200  # bins


def power_in_dark_bands(frequencies: Sequence[Array], otf_power: Array, power: Array) -> float:
    """The largest median power of the frequencies in a half octave at which the blur left nothing, 0 where it left all.

    White noise has the same power in all of them. JPEG and denoisers take the noise out of the high frequencies alone, and
    under a wrong PSF the dark frequencies are not dark at all: either shows as more power in the middle.

    Parameters
    ----------
    frequencies : sequence of ndarray
        Cycles per pixel, one broadcastable array per axis.
    otf_power, power : ndarray
        |H|^2 and |G|^2 / N at these frequencies.
    """
    squared = np.broadcast_to(np.asarray(sum(axis**2 for axis in frequencies)), otf_power.shape).ravel()
    band = np.digitize(squared, _EDGES**2)
    dark = otf_power.ravel() < _DARK_OTF
    seen = power.ravel()
    largest = 0.0
    for index in range(1, len(_EDGES)):
        inside = band == index
        chosen = inside & dark
        if np.count_nonzero(inside) >= _LEAST_BAND and np.count_nonzero(chosen) >= _LEAST_DARK:
            largest = max(
                largest, float(np.median(seen[chosen])) / np.log(2)
            )  # an exponential of mean 1 has the median ln 2
    return largest
