"""Kernels fitted to pictures in closed form: the transposed convolution that best undoes a decimation on average.

Each output pixel is a weighted sum of the m x m input pixels about it, with weights that depend on its phase alone. The
weights that make the smallest squared error over all pictures solve one linear system, whose matrix, the Gram matrix of
the patches, is the same for all phases. From patch and target the pixel in the middle is subtracted first, and its
weight is what the others leave of 1: every phase sums to 1, and the kernel cannot draw a checkerboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from restoretk._arrays import Array
from restoretk.upsampling.axis_resampling import kernel_of_phases
from restoretk.upsampling.decimation import check_blur
from restoretk.upsampling.limited_rank import limited_rank
from restoretk.upsampling.local_gradients import turned
from restoretk.upsampling.training_pairs import Pair, training_pairs

# Patches are laid out in strips of about this many pixels.
_STRIP_PIXELS = 1 << 14


@dataclass(frozen=True, eq=False, kw_only=True)
class KernelFit:
    """A fitted kernel and how well it was determined.

    Attributes
    ----------
    kernel : ndarray of shape (size*factor, size*factor), or (size*factor,) for rank 1
        For `upsample` with ``factor``, and for `conv_transpose` with ``stride=factor, padding=factor * (size // 2)``.
    factor, size : int
    rank : int or None
        That the kernel was cut to; None is full.
    pixels : int
        Input pixels that it was fitted to.
    condition : float
        Of the Gram matrix of the patches. Beyond 1e7 or so the pictures have too little texture to tell taps apart, and
        the ridge decides.
    error : float
        Root mean square error on those pixels before rounding, in fractions of full range, of the kernel of full rank.
    """

    kernel: Array
    factor: int
    size: int
    rank: int | None
    pixels: int
    condition: float
    error: float


def fit_kernel(
    images: Iterable[npt.ArrayLike],
    factor: int,
    *,
    size: int = 7,
    rank: int | None = None,
    blur: npt.ArrayLike | None = None,
    bits: int | None = None,
    shrink: Sequence[int] = (1,),
    ridge: float = 1e-7,
) -> Array:
    """The kernel for `upsample` that comes closest, in the mean square, to undoing a decimation of these pictures.

    Parameters
    ----------
    images : iterable of array_like of shape (M, N) or (M, N, C)
        Sharp pictures, one is enough; each channel counts as a picture. Integers are fractions of full range.
    factor : int
        At least 2.
    size : int
        Odd: each output pixel is made of the size x size input pixels about it.
    rank : int or None
        1 gives the best separable kernel, as 1-D taps for images of any number of axes; more, a kernel that is the sum
        of so many separable ones; None does not limit it.
    blur : array_like of shape (K, L), or None
        The point spread function before every factor-th pixel is kept, with its middle over the middle of each group
        of pixels: sides odd for odd factors, even for even ones. None: antialiased bicubic decimation, as `downsample`.
    bits : int or None
        The small pictures are rounded to so many bits first; None leaves them exact.
    shrink : sequence of int
        Each picture is used at its size divided by each of these, by bicubic decimation.
    ridge : float
        Added to the diagonal of the Gram matrix, in units of its mean, >= 0: it keeps taps small that the pictures say
        nothing of.

    Returns
    -------
    ndarray of float64, of shape (size*factor, size*factor), or (size*factor,) for ``rank=1``
        Symmetric under flips and quarter turns, every phase of sum 1.

    Raises
    ------
    TypeError, ValueError
        For options out of range, and for pictures that are too small, constant, not finite or not real.

    See Also
    --------
    kernel_fit : The same with the condition of the Gram matrix and the error.
    fit_kernel_bank : A kernel for each kind of pixel.

    Notes
    -----
    It inverts no blur beyond that of the decimation, and the mean over pictures is a compromise: where sharp edges cross
    fine texture it can do justice to neither, which is what a bank is for.

    Examples
    --------
    >>> import numpy as np
    >>> texture = np.random.default_rng(0).random((64, 64))
    >>> kernel = fit_kernel([texture], 2, size=5)
    >>> kernel.shape, round(float(kernel[::2, ::2].sum()), 12)
    ((10, 10), 1.0)
    """
    return kernel_fit(images, factor, size=size, rank=rank, blur=blur, bits=bits, shrink=shrink, ridge=ridge).kernel


def kernel_fit(
    images: Iterable[npt.ArrayLike],
    factor: int,
    *,
    size: int = 7,
    rank: int | None = None,
    blur: npt.ArrayLike | None = None,
    bits: int | None = None,
    shrink: Sequence[int] = (1,),
    ridge: float = 1e-7,
) -> KernelFit:
    """`fit_kernel` with what is known of the fit; parameters and errors are the same."""
    check_fit(factor, size)
    if rank is not None and rank < 1:
        raise ValueError(f"rank must be at least 1 or None, got {rank}")
    if ridge < 0:
        raise ValueError(f"ridge must not be negative, got {ridge}")
    psf = check_blur(blur, factor)
    sums = _GramSums(size, factor)
    for pair in training_pairs(images, factor, blur=psf, bits=bits, shrink=shrink, least=size):
        sums.add(pair)
    if sums.pixels == 0:
        raise ValueError(f"images must hold a picture of at least {size * factor} x {size * factor} pixels, got none")
    weights, condition, error = sums.solve(ridge)
    kernel = kernel_of_phases(weights)
    if rank is not None:
        kernel = limited_rank(kernel, factor, rank)
    return KernelFit(
        kernel=kernel, factor=factor, size=size, rank=rank, pixels=sums.pixels, condition=condition, error=error
    )


def check_fit(factor: int, size: int) -> None:
    """Raise ValueError for a factor or a patch size that no kernel can be fitted for."""
    if factor < 2:
        raise ValueError(f"factor must be at least 2, got {factor}")
    if size < 3 or size % 2 == 0:
        raise ValueError(f"size must be odd and at least 3, got {size}")


class _GramSums:
    """The sums that the normal equations are made of: Gram matrix, patches times targets, squared targets."""

    def __init__(self, size: int, factor: int) -> None:
        self.size, self.factor, self.pixels = size, factor, 0
        self.gram = np.zeros((size**2, size**2))
        self.right = np.zeros((size**2, factor**2))
        self.power = 0.0

    def add(self, pair: Pair) -> None:
        """Add all patches that lie inside of a picture."""
        m, s, r = self.size, self.factor, self.size // 2
        rows, columns = (side - 2 * r for side in pair.small.shape[1:])
        patches = sliding_window_view(pair.small[0], (m, m))
        inner = pair.large[0, r * s : (r + rows) * s, r * s : (r + columns) * s]
        targets = inner.reshape(rows, s, columns, s).transpose(0, 2, 1, 3)
        strip = max(1, _STRIP_PIXELS // columns)
        for top in range(0, rows, strip):
            P = patches[top : top + strip].reshape(-1, m * m)
            centre = P[:, m * m // 2, None].copy()
            P = P - centre
            T = targets[top : top + strip].reshape(-1, s * s) - centre
            self.gram += P.T @ P
            self.right += P.T @ T
            self.power += float(np.vdot(T, T))
        self.pixels += rows * columns

    def solve(self, ridge: float) -> tuple[Array, float, float]:
        """The weights (m, m, s, s), the condition of the Gram matrix and the root mean square error."""
        m, s = self.size, self.factor
        gram, right = _symmetrised(self.gram, self.right, m, s)
        others = np.delete(np.arange(m * m), m * m // 2)
        G, R = gram[np.ix_(others, others)], right[others]
        if not np.trace(G) > 0:
            raise ValueError("images must have texture, got only constant pictures")
        solution = np.linalg.solve(G + ridge * np.trace(G) / len(G) * np.eye(len(G)), R)
        weights = np.empty((m * m, s * s))
        weights[others], weights[m * m // 2] = solution, 1 - solution.sum(axis=0)
        squares = self.power - 2 * np.vdot(solution, R) + np.vdot(solution, G @ solution)
        error = float(np.sqrt(max(squares, 0.0) / (self.pixels * s * s)))
        return weights.reshape(m, m, s, s), float(np.linalg.cond(G)), error


def _symmetrised(gram: Array, right: Array, size: int, factor: int) -> tuple[Array, Array]:
    """The mean over all flips and quarter turns: as if each picture had been added in all eight."""
    turns = list(zip(turned(size), turned(factor), strict=True))
    return (
        np.mean([gram[np.ix_(turn, turn)] for turn, _ in turns], axis=0),
        np.mean([right[np.ix_(turn, phases)] for turn, phases in turns], axis=0),
    )
