"""The operators p of the smoothness constraint ||p * f||^2, as |P|^2 on the half spectrum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_finite
from restoretk._grammar import OptionError
from restoretk.convolution.fourier import frequency_grid, psf_to_otf

# |P|^2 in terms of L = sum_i (2 - 2 cos w_i), the symbol of minus the (2D + 1)-point Laplacian on the D axes of the PSF.
OPERATORS: Mapping[str, int] = MappingProxyType({"identity": 0, "gradient": 1, "laplacian": 2, "biharmonic": 4})


def check_operator(name: str) -> None:
    """Raise OptionError for a name that is no operator."""
    if name not in OPERATORS:
        raise OptionError(f"operator must be one of {', '.join(OPERATORS)} or an array, got {name!r}")


def operator_power_at(name: str, psf_shape: tuple[int, ...], frequencies: Sequence[Array]) -> Array:
    """|P|^2 of a named operator at frequencies in cycles per pixel, one broadcastable array per axis."""
    symbol = np.asarray(sum(operator_symbols(psf_shape, frequencies)))
    power: Array = symbol ** OPERATORS[name]
    return power


def operator_symbols(psf_shape: tuple[int, ...], frequencies: Sequence[Array]) -> list[Array]:
    """The terms 2 - 2 cos w of L, one for each axis; zeros for the axes on which operators do not act."""
    acts = [side > 1 or all(other == 1 for other in psf_shape) for side in psf_shape]
    return [4 * np.sin(np.pi * along) ** 2 * here for here, along in zip(acts, frequencies, strict=True)]


def operator_power(operator: str | npt.ArrayLike, psf_shape: tuple[int, ...], torus: tuple[int, ...]) -> Array:
    """|P|^2 of the regularization operator on the half spectrum of the torus.

    Named operators act on the axes on which the PSF has more than one sample.

    Raises
    ------
    ValueError
        For an unknown name, or an array with another number of axes than the PSF, with nothing but zeros or with NaN.
    """
    if isinstance(operator, str):
        check_operator(operator)
        half = (*torus[:-1], torus[-1] // 2 + 1)
        return np.broadcast_to(operator_power_at(operator, psf_shape, frequency_grid(torus)), half)
    kernel = as_finite(operator, "operator")
    if kernel.ndim != len(torus) or not kernel.any():
        raise ValueError(
            f"operator must be a non-zero array of {len(torus)} axes, like the psf, got shape {kernel.shape}"
        )
    if any(side > size for side, size in zip(kernel.shape, torus, strict=True)):
        raise ValueError(f"operator of shape {kernel.shape} is larger than the image {torus}")
    transfer = psf_to_otf(kernel, torus)
    return transfer.real**2 + transfer.imag**2
