"""PSFs of a camera that moves during the exposure: along a straight line, or as a shaking hand leads it."""

from __future__ import annotations

import numpy as np

from restoretk._arrays import Array, Rng, generator
from restoretk.psf._window import finite, positive, unit_sum, window


def motion_psf(length: float, angle: float = 0.0) -> Array:
    """Uniform motion along a straight line, the light of every piece of it laid on the pixels around its exact place.

    Every column that the line crosses (every row, if it is steeper than 45 degrees) holds light in proportion to the
    length of line inside it, shared between the two nearest rows so that its centre of mass is on the line.

    Parameters
    ----------
    length : float
        Length of the line in pixels, any real number > 0; 1 is a delta at 0 and 90 degrees.
    angle : float
        Degrees counter-clockwise on the screen (rows point down) from the positive column axis, as in MATLAB's
        fspecial: 0 moves along a row, 90 along a column, 30 rises to the right.

    Returns
    -------
    ndarray of float64
        Non-negative, sum 1, odd sides, the middle of the line at the origin ``shape // 2``. At 0 degrees an odd whole
        length gives that many equal pixels.

    Raises
    ------
    ValueError
        For a length that is not a finite number > 0, or an angle that is not finite.

    Examples
    --------
    >>> motion_psf(4)
    array([[0.125, 0.25 , 0.25 , 0.25 , 0.125]])
    >>> motion_psf(3, 30).round(3)
    array([[0.   , 0.028, 0.16 ],
           [0.148, 0.329, 0.148],
           [0.16 , 0.028, 0.   ]])
    """
    length = positive(length, "length")
    turn = np.deg2rad(finite(angle, "angle") % 360)
    # cos(90 degrees) is 6e-17 in floats: without rounding, that dust would widen the array by two empty columns.
    up, along = round(float(np.sin(turn)), 15), round(float(np.cos(turn)), 15)
    if abs(up) > abs(along):
        return np.ascontiguousarray(_line(length, slope=(along, -up)).T)
    return _line(length, slope=(-up, along))


def _line(length: float, slope: tuple[float, float]) -> Array:
    """The PSF of a line t -> t * slope, |t| <= length / 2, that crosses more columns than rows."""
    half = length / 2
    row_reach, column_reach = abs(slope[0]) * half, abs(slope[1]) * half
    shape = window(None, [row_reach, max(column_reach - 0.5, 0.0)])
    # Between the cuts the line stays in one column and between two rows, and the shares of those are linear in t: the
    # midpoint rule is exact.
    cuts = [np.array([-half, half]), (np.arange(shape[1] + 1) - shape[1] / 2) / slope[1]]
    if slope[0]:
        cuts.append((np.arange(shape[0]) - shape[0] // 2) / slope[0])
    t = np.unique(np.clip(np.concatenate(cuts), -half, half))
    middle, light = (t[1:] + t[:-1]) / 2, np.diff(t)
    columns = np.rint(middle * slope[1]).astype(np.intp)
    rows = middle * slope[0]
    upper = np.floor(rows).astype(np.intp)
    psf = np.zeros((shape[0] + 2, shape[1] + 2))  # a margin for the share 0 beyond the last row
    origin = (shape[0] // 2 + 1, shape[1] // 2 + 1)
    np.add.at(psf, (upper + origin[0], columns + origin[1]), light * (1 - (rows - upper)))
    np.add.at(psf, (upper + 1 + origin[0], columns + origin[1]), light * (rows - upper))
    return unit_sum(psf[1:-1, 1:-1])


def camera_shake_psf(size: int, *, rng: Rng, smoothness: float = 0.3) -> Array:
    """The trace of a point of light while a hand-held camera shakes: a random smooth path, the same for the same seed.

    The path is a Gaussian process in time for each axis, drawn as a Fourier series whose terms fall as those of a
    squared-exponential covariance; where the camera lingers the trace is bright. It is moved so that its centre of
    mass is the origin and scaled so that it just reaches the edge of the array.

    Parameters
    ----------
    size : int
        The side of the square array in pixels, >= 3.
    rng : numpy.random.Generator or int
        The seed (``seed=3`` in a spec). There is no default: a PSF that cannot be made again is of no use. A
        generator is advanced.
    smoothness : float
        The correlation time of the path as a fraction of the exposure, > 0: 0.1 trembles, 1 is an almost even bend.

    Returns
    -------
    ndarray of float64, shape (size, size)
        Non-negative, sum 1, centre of mass at the origin ``size // 2``.

    Raises
    ------
    ValueError
        For a size below 3 or too large, a smoothness that is not between 0.02 and 10, or rng=None.

    Notes
    -----
    In the spirit of the random trajectories of G. Boracchi, A. Foi, "Modeling the performance of image restoration
    from motion blur", IEEE Transactions on Image Processing 21 (2012) 3502; theirs is a Markov process with sudden
    jerks, this one has none.

    Examples
    --------
    >>> psf = camera_shake_psf(25, rng=3)
    >>> psf.shape, np.array_equal(psf, camera_shake_psf(25, rng=3))
    ((25, 25), True)
    """
    shape = window([size, size], [0.0, 0.0])
    if size < 3:
        raise ValueError(f"size must be at least 3, got {size!r}")
    if rng is None:
        raise ValueError("rng must be a seed or a generator, so that the psf can be made again, got None")
    smoothness = positive(smoothness, "smoothness")
    if not 0.02 <= smoothness <= 10:
        raise ValueError(f"smoothness must be between 0.02 and 10 exposures, got {smoothness!r}")
    path = _random_path(64 * size, smoothness, generator(rng))
    path -= path.mean(axis=1, keepdims=True)
    path *= ((size - 1) // 2) / np.abs(path).max()
    corner = np.floor(path).astype(np.intp)
    share = path - corner
    psf = np.zeros((size + 1, size + 1))  # a margin for the share 0 beyond the last row and column
    for down in (0, 1):
        for right in (0, 1):
            light = np.abs(1 - down - share[0]) * np.abs(1 - right - share[1])
            np.add.at(psf, (corner[0] + down + size // 2, corner[1] + right + size // 2), light)
    return unit_sum(psf[: shape[0], : shape[1]])


def _random_path(samples: int, smoothness: float, rng: np.random.Generator) -> Array:
    """A smooth random curve of shape (2, samples), from a series of period 2 exposures so that its ends do not meet."""
    # Squared-exponential covariance of length l: spectral density ~ exp(-(omega l)^2 / 2), amplitudes its square root.
    # Beyond omega l = 6 they are below 2e-4 of the first.
    terms = max(int(np.ceil(6 / (np.pi * smoothness))), 1)
    omega = np.pi * np.arange(1, terms + 1)
    amplitude = np.exp(-((omega * smoothness) ** 2 - (omega[0] * smoothness) ** 2) / 4)
    cosines, sines = rng.standard_normal((2, 2, terms)) * amplitude
    phase = omega[:, None] * np.linspace(0, 1, samples)
    path: Array = cosines @ np.cos(phase) + sines @ np.sin(phase)
    return path
