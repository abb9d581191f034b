"""The record of a restoration: the image, and what was chosen and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from restoretk._arrays import Array


@dataclass(frozen=True)
class Criterion:
    """One rule for choosing the regularization, evaluated on one observation.

    Attributes
    ----------
    name : str
        The name of the rule, as ``regularization=`` takes it.
    regularization : float
        The value that the rule chooses.
    candidates, values : ndarray of shape (K,)
        The curve: the regularizations that were tried and the criterion at each.
    attained : bool
        False where the rule could not be met inside the range (see ``note``).
    note : str
        What to know about the choice; empty where there is nothing to know.
    """

    name: str
    regularization: float
    candidates: Array
    values: Array
    attained: bool = True
    note: str = ""


@dataclass(frozen=True)
class Restoration:
    """A restored image with everything that was chosen on the way.

    Attributes
    ----------
    image : ndarray
        Same shape and dtype as the observed image.
    method : str
        The name in METHODS.
    parameters : mapping of str to float or str
        Every parameter of the method, the chosen ones as the numbers that were used. With weights: ``weights`` says
        ``poisson`` or ``given``, and for the former ``gain`` and ``floor`` are what they were made of.
    noise_sigma : float or None
        The noise level that was given or estimated, in units of the image (fractions of full range for integers): the
        root mean square over its pixels where some are noisier than others; None where the method needed none.
    criteria : mapping of str to Criterion
        The selection rules that were evaluated.
    diagnostics : mapping of str to float
        ``noise_gain`` (standard deviation of the noise after the filter over that before it),
        ``effective_degrees_of_freedom`` (trace of filter times blur, as a fraction of the pixels), ``residual_sigma``
        (root mean square of g - h * restored); ``extension_fft_pairs`` and ``weighted_fft_pairs``, what unknown pixels and
        weights took. The first three are those of the filter without weights.
    warnings : tuple of str
        Sentences that the user should read.
    transfer : ndarray of complex or None, shape (K, *half spectrum of torus)
        The transfer function of a linear method, one for all planes (K = 1) or one for each.
    torus : tuple of int
        The grid of the transfer function: the frame, or larger where the boundary needs room.
    """

    image: Array
    method: str
    parameters: Mapping[str, float | str]
    noise_sigma: float | None = None
    criteria: Mapping[str, Criterion] = field(default_factory=dict)
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    transfer: Array | None = None
    torus: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Everything but the image, the curves and the transfer function, as plain types for JSON."""
        return {
            "method": self.method,
            "parameters": dict(self.parameters),
            "noise_sigma": self.noise_sigma,
            "criteria": {
                name: {"regularization": rule.regularization, "attained": rule.attained, "note": rule.note}
                for name, rule in self.criteria.items()
            },
            "diagnostics": dict(self.diagnostics),
            "warnings": list(self.warnings),
        }
