"""Whether the extra ``fast`` is used: numba, which compiles the inner loops, and ducc0, a faster FFT."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec

_chosen: bool | None = None


def fast() -> bool:
    """Whether the extra fast is installed and not switched off by RESTORETK_FAST=0."""
    if _chosen is not None:
        return _chosen
    return _installed() and os.environ.get("RESTORETK_FAST") != "0"


def set_fast(on: bool | None) -> None:
    """Switch it for this process: None goes by what is installed and the environment."""
    global _chosen
    _chosen = on


@cache
def _installed() -> bool:
    return all(find_spec(name) is not None for name in ("numba", "ducc0"))
