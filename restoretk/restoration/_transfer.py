"""Transfer functions of linear filters: whole, or for the few columns of the half spectrum that are being filtered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy.special import binom

from restoretk._arrays import Array
from restoretk.convolution.fourier import frequency_grid
from restoretk.convolution.sweeps import blocks
from restoretk.restoration._optics import Optics
from restoretk.restoration._polar_table import PolarTable, is_looked_up
from restoretk.restoration._problem import Problem
from restoretk.restoration.operators import OPERATORS, check_operator, operator_power, operator_symbols
from restoretk.restoration.signal_spectrum import SignalSpectrum

_SLAB = 1 << 14  # bins that are multiplied at a time: what is worked out for them stays in cache

#: q of one OTF (its number) in a range of columns of the half spectrum: a number, or an array that broadcasts to (rows, n).
Addend = Callable[[int, slice], Array]

#: q in some rows of a block of columns, and whether it is nowhere next to nothing there.
InRows = Callable[[slice], tuple[Array, bool]]


@runtime_checkable
class RowwiseAddend(Protocol):
    """An addend that is worked out for the rows that are being filtered, in the precision of the planes."""

    def __call__(self, index: int, columns: slice, /) -> Array:
        """See `Addend`."""
        ...

    def in_rows(self, index: int, columns: slice, /) -> InRows:
        """What gives it in some rows of a block of columns."""
        ...


class Transfer(Protocol):
    """A transfer function of shape (K, *half spectrum)."""

    @property
    def whole(self) -> Array:
        """All of it."""
        ...

    @property
    def addend(self) -> Addend | None:
        """Q in conj(H) / (|H|^2 + q), by which a weighted problem is solved; None for filters of another form."""
        ...

    def multiply(self, block: Array, index: int, columns: slice) -> None:
        """Multiply a block of spectrum in these columns of a two-dimensional half spectrum by that of one OTF, in place."""
        ...


@dataclass(frozen=True)
class GivenTransfer:
    """A transfer function that is known as an array; ``addend`` is its q where a weighted problem may ask for it."""

    whole: Array
    addend: Addend | None = None

    def multiply(self, block: Array, index: int, columns: slice) -> None:
        """See `Transfer`."""
        block *= self.whole[index, :, columns].astype(block.dtype, copy=False)


@dataclass(frozen=True)
class TruncatedInverse:
    """1 / H where |H| is at least ``cutoff`` times its peak, else 0."""

    optics: Optics
    cutoff: float
    addend: Addend | None = None

    @cached_property
    def whole(self) -> Array:
        """See `Transfer`."""
        each = [self._of(otf, index) for index, otf in enumerate(self.optics.otf)]
        return np.stack(each)

    def multiply(self, block: Array, index: int, columns: slice) -> None:
        """See `Transfer`."""
        block *= self._of(self.optics.otf_columns[index].columns(columns), index)

    def _of(self, otf: Array, index: int) -> Array:
        # A PSF is not negative: its OTF is nowhere larger than at frequency 0.
        peak = float(self.optics.psfs[index].sum())
        magnitude = np.abs(otf)
        kept = (magnitude >= self.cutoff * peak) & (magnitude > 0)
        inverse: Array = np.divide(1, otf, out=np.zeros_like(otf), where=kept)
        return inverse


@dataclass(frozen=True)
class Quotient:
    """conj(H) / (|H|^2 + q), 0 where the denominator is 0 to within rounding, in the precision of the planes."""

    optics: Optics
    addend: Addend

    @cached_property
    def whole(self) -> Array:
        """See `Transfer`."""
        otf = self.optics.otf
        denominator = self.optics.otf_power + _held(whole_addend(self.addend, otf), otf.real.dtype)
        _let_out_the_dark(denominator)
        transfer: Array = np.conj(otf)
        transfer /= denominator
        return transfer

    def multiply(self, block: Array, index: int, columns: slice) -> None:
        """See `Transfer`."""
        otf = self.optics.otf_columns[index]
        conjugate = otf.conjugate(columns)
        addend_in = _in_rows(self.addend, index, columns, block)
        width = block.shape[1]
        step = max(1, _SLAB // width)
        room, factors = np.empty((4, step, width), block.real.dtype), np.empty((step, width), block.dtype)
        for rows in blocks(len(block), 1, step, 1):
            # The parts of a complex number apart: so most steps are over floats that lie side by side.
            part = block[rows]
            real, imag, denominator, square = room[:, : len(part)]
            conjugate(rows, real, None if otf.is_real else imag)
            np.square(real, out=denominator)
            if not otf.is_real:
                np.square(imag, out=square)
                denominator += square
            addend, lit = addend_in(rows)
            denominator += addend
            if not lit:
                _let_out_the_dark(denominator)
            if otf.is_real:
                real /= denominator
                part *= real
                continue
            factor = factors[: len(part)]
            np.divide(real, denominator, out=factor.real)
            np.divide(imag, denominator, out=factor.imag)
            part *= factor


def _in_rows(addend: Addend, index: int, columns: slice, block: Array) -> InRows:
    if isinstance(addend, RowwiseAddend):
        return addend.in_rows(index, columns)
    values = _held(addend(index, columns), block.real.dtype)
    if not values.ndim:
        lit = bool(values > _rounding(values.dtype))
        return lambda _: (values, lit)
    everywhere = np.broadcast_to(values, block.shape)
    return lambda rows: (everywhere[rows], False)


def whole_addend(addend: Addend, otf: Array) -> Array:
    """The q of all OTFs (K, *half), in one array that broadcasts with them."""
    each = np.stack([addend(index, slice(None)) for index in range(len(otf))])
    return each.reshape(each.shape + (1,) * (otf.ndim - each.ndim))


def _let_out_the_dark(denominator: Array) -> None:
    """Make infinite what is 0 but for the rounding of H: nothing was seen there, and nothing damps it."""
    rounding = _rounding(denominator.dtype)
    if not denominator.min() > rounding:
        denominator[denominator <= rounding] = np.inf


def _rounding(dtype: np.dtype[Any]) -> float:
    """What |H|^2 may be where H is 0."""
    return float((8 * np.finfo(dtype).eps) ** 2)


def _held(addend: Array, dtype: np.dtype[Any]) -> Array:
    """The addend in a precision, the largest number there standing for all above it."""
    if addend.dtype == dtype:
        return addend
    held: Array = np.minimum(addend, np.finfo(dtype).max).astype(dtype, copy=False)
    return held


def constant(value: float) -> Addend:
    """The same q at every frequency."""
    return lambda _index, _columns: np.asarray(value)


def tabulated(values: Array) -> Addend:
    """The q of an array that broadcasts with (K, *half spectrum)."""

    def addend(index: int, columns: slice) -> Array:
        table: Array = values[min(index, len(values) - 1), ..., columns]
        return table

    return addend


def fitted_ratio(problem: Problem, level: float) -> Addend:
    """The fitted ratios of noise to signal times ``level``: of a large spectrum only the columns that are asked for."""
    if not is_looked_up(problem.torus):
        return tabulated(problem.noise_to_signal(level))

    def ratio(fit: SignalSpectrum) -> PolarTable:
        return PolarTable(lambda at: level * fit.noise_to_signal_at(at), (problem.torus[0], problem.torus[1]))

    return _FittedRatio(tuple(ratio(fit) for fit in problem.fits))


@dataclass(frozen=True)
class _FittedRatio:
    """Fitted ratios, each tabulated; 0 at frequency 0, as in `Problem.noise_to_signal`."""

    tables: tuple[PolarTable, ...]

    def __call__(self, index: int, columns: slice) -> Array:
        """See `Addend`."""
        return self.in_rows(index, columns)(slice(None))[0]

    def in_rows(self, index: int, columns: slice) -> InRows:
        """See `RowwiseAddend`."""
        block = self.tables[min(index, len(self.tables) - 1)].block(columns)
        lit = block.lowest > _rounding(np.dtype(np.float32))

        def rows_of(rows: slice) -> tuple[Array, bool]:
            values, has_zero = block[rows], not (columns.start or rows.start)
            if has_zero:
                values[0, 0] = 0
            return values, lit and not has_zero

        return rows_of


def penalty(strength: float, operator: str | npt.ArrayLike, optics: Optics) -> Addend:
    """``strength`` times |P|^2 of a regularization operator; see `operator_power`."""
    shape, torus = optics.psfs[0].shape, optics.torus
    if not isinstance(operator, str):
        return tabulated(strength * operator_power(operator, shape, torus)[None])
    check_operator(operator)
    power = OPERATORS[operator]
    if power == 0:
        return constant(strength)
    # (a + b)^p of numbers along each axis, in the precision of the planes: a few operations for each bin.
    symbols, dtype = operator_symbols(shape, frequency_grid(torus)), optics.dtype
    highest = float(np.finfo(dtype).max) ** (1 / power) / (2 * len(symbols))
    return _Penalty(
        tuple(np.minimum(strength ** (1 / power) * along, highest).astype(dtype) for along in symbols),
        power,
    )


@dataclass(frozen=True)
class _Penalty:
    """A power, 1, 2 or 4, of the sum of numbers along each axis."""

    along: tuple[Array, ...]
    power: int

    def __call__(self, _index: int, columns: slice) -> Array:
        """See `Addend`."""
        value: Array = self.along[-1][..., columns] + sum(self.along[:-1])
        for _ in range(self.power.bit_length() - 1):
            value *= value
        return value

    @cached_property
    def _factors(self) -> tuple[Array, Array]:
        """Two matrices, of which the product is the power over two axes: what the binomial theorem says."""
        exponents = np.arange(self.power + 1)
        down, across = self.along
        with np.errstate(under="ignore"):
            left = binom(self.power, exponents) * down.astype(np.float64) ** exponents[::-1]
            right = across.astype(np.float64) ** exponents[:, None]
        return left.astype(down.dtype), right.astype(down.dtype)

    def in_rows(self, _index: int, columns: slice) -> InRows:
        """See `RowwiseAddend`."""
        down, across = self._factors
        least, rounding = self.along[1][:, columns].min(), _rounding(down.dtype)

        def rows_of(rows: slice) -> tuple[Array, bool]:
            lowest = (self.along[0][rows].min() + least) ** self.power
            return down[rows] @ across[:, columns], bool(lowest > rounding)

        return rows_of
