"""One picture of a comparison with its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from restoretk._arrays import Array


@dataclass(frozen=True)
class Panel:
    """One picture of a comparison with its numbers.

    Attributes
    ----------
    name : str
        A short label.
    image : ndarray of shape (M, N) or (M, N, C)
    parameters : mapping
        What was given and what was chosen.
    metrics : mapping of str to float
        ``psnr`` and ``isnr`` in dB and ``ssim`` against the original, where there is one; ``residual``, the root mean
        square of g - H f, where the picture claims to be the scene; on unclipped values, or, where a tone curve encoded
        them, held in [0, 1]; data range 1.
    warnings : tuple of str
    """

    name: str
    image: Array
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The numbers without the picture, as plain types for strict JSON: None for a metric that is not finite."""
        return {
            "name": self.name,
            "parameters": dict(self.parameters),
            "metrics": {key: value if np.isfinite(value) else None for key, value in self.metrics.items()},
            "warnings": list(self.warnings),
        }
