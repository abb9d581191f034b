"""The kernels and banks that come with the package, fitted to photographs by ``scripts/fit_kernels.py``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk._grammar import OptionError
from restoretk.upsampling.kernel_bank import KernelBank
from restoretk.upsampling.kernel_storage import load_kernel
from restoretk.upsampling.limited_rank import limited_rank

SHIPPED_FACTORS = (2, 3, 4)
_FOLDER = Path(__file__).parent / "fitted"


def fitted_kernel(factor: int, *, rank: int | None = None) -> Array:
    """The taps that best undo antialiased bicubic decimation of photographs, on average: a kernel of two axes.

    Parameters
    ----------
    factor : int
        2, 3 or 4; 1 leaves pictures as they are.
    rank : int or None
        1 gives 1-D taps, the best separable kernel, for signals, stacks and factors that differ between axes; None the
        full kernel, for pictures.

    Raises
    ------
    ValueError
        For another factor: enlarge in steps, by 2 and then by 3 for 6.

    Examples
    --------
    >>> fitted_kernel(2).shape, fitted_kernel(2, rank=1).shape
    ((18, 18), (18,))
    """
    if factor == 1:
        return np.ones(1 if rank == 1 else (1, 1))
    _check_shipped("fitted", factor)
    if rank is not None and rank < 1:
        raise OptionError(f"rank must be at least 1, got {rank}")
    kernel = _load(f"kernel_x{factor}.npy")
    return kernel.copy() if rank is None else limited_rank(kernel, factor, rank)


def bank_kernel(factor: int) -> KernelBank:
    """The bank of kernels fitted to photographs: one for each kind of pixel, chosen by the gradients about it.

    Raises
    ------
    ValueError
        For a factor that is not 1, 2, 3 or 4.

    Examples
    --------
    >>> bank_kernel(2).factor
    2
    """
    if factor == 1:
        return KernelBank(factor=1, stages=())
    _check_shipped("bank", factor)
    return _load(f"bank_x{factor}.npz")


def fitted_provenance() -> Mapping[str, Any]:
    """What the kernels that come with the package were fitted to, with which options, and how well they do."""
    provenance: Mapping[str, Any] = json.loads((_FOLDER / "provenance.json").read_text(encoding="utf-8"))
    return provenance


def _check_shipped(name: str, factor: int) -> None:
    if factor < 1:
        raise ValueError(f"factor must be at least 1, got {factor}")
    if factor not in SHIPPED_FACTORS:
        raise ValueError(
            f"kernel {name} comes for the factors {', '.join(map(str, SHIPPED_FACTORS))}, got {factor}: "
            f"enlarge in steps (6 is 2, then 3), or fit one with fit_kernel"
        )


@cache
def _load(name: str) -> Any:
    return load_kernel(_FOLDER / name)
