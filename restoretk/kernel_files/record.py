"""What was read of a layer, and the error of a file that holds none."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from restoretk._arrays import Array


class KernelFileError(ValueError):
    """A file that cannot be read or written as one of kernels; the message is one line and names the file."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """The weights of one layer, with what its file says of how they are used.

    Attributes
    ----------
    name : str
        In the file; empty for .npy, which holds one array.
    weights : ndarray
        (C_in, C_out / groups, *k) for a layer, any shape for .npy. Floats of 16 bits that numpy does not know
        (bfloat16) as float32.
    path : Path
        The file.
    stride, padding, dilation : tuple of int, or None
        Of each spatial axis; None where the file does not say. ``padding`` is the crop before the output begins.
    groups : int or None
        None where the file does not say.
    """

    name: str
    weights: Array
    path: Path
    stride: tuple[int, ...] | None = None
    padding: tuple[int, ...] | None = None
    dilation: tuple[int, ...] | None = None
    groups: int | None = None

    @property
    def summary(self) -> str:
        """Name, shape and stride in a few words."""
        shape = " x ".join(map(str, self.weights.shape))
        stride = "" if self.stride is None else f", stride {','.join(map(str, self.stride))}"
        return f"{self.name} ({shape}{stride})"


def optional(module: str, extra: str, path: Path) -> Any:
    """An optional package, or the line that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise KernelFileError(f'{path} needs the package {extra}: pip install "restoretk[{extra}]"') from error
