"""PSFs on a torus and what follows from them alone, whatever picture was taken through them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.convolution.fourier import psf_to_otf
from restoretk.convolution.otf_columns import OtfColumns


@dataclass(frozen=True)
class Optics:
    """K PSFs on a torus, in the precision of the planes."""

    psfs: tuple[Array, ...]
    torus: tuple[int, ...]
    dtype: np.dtype[Any]

    @cached_property
    def otf(self) -> Array:
        """The OTFs, shape (K, *half)."""
        return np.stack([psf_to_otf(psf.astype(self.dtype), self.torus) for psf in self.psfs])

    @cached_property
    def otf_power(self) -> Array:
        """|H|^2, shape (K, *half)."""
        return self.otf.real**2 + self.otf.imag**2

    @cached_property
    def otf_columns(self) -> tuple[OtfColumns, ...]:
        """The K OTFs of two-dimensional planes for those who need but a part of them."""
        return tuple(OtfColumns(psf, self.torus, self.dtype) for psf in self.psfs)

    def otf_in(self, columns: Array) -> Array:
        """The OTFs in some columns of the half spectrum, shape (K, rows, n); floats where all of them are real."""
        return np.stack(
            [otf.real_columns(columns) if otf.is_real else otf.columns(columns) for otf in self.otf_columns]
        )


class Workshop:
    """The optics that were worked out before for one set of PSFs, by torus, precision and number."""

    def __init__(self) -> None:
        self._made: dict[tuple[tuple[int, ...], np.dtype[Any], int], Optics] = {}

    def optics(self, psfs: tuple[Array, ...], torus: tuple[int, ...], dtype: np.dtype[Any]) -> Optics:
        """The optics of these PSFs, made where they are not there."""
        key = (torus, dtype, len(psfs))
        if key not in self._made:
            self._made[key] = Optics(psfs, torus, dtype)
        return self._made[key]
