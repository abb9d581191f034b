"""The one path of every linear filter: spectrum -> transfer function -> crop, and what was decided on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from restoretk._arrays import Array, plain_number
from restoretk.convolution.boundary import crop
from restoretk.convolution.fourier import inverse_transform
from restoretk.convolution.sweeps import empty_spectrum, filter_plane, filter_row_spectra, filter_spectrum
from restoretk.restoration._cautions import cautions, shot_noise_caution
from restoretk.restoration._planes import PicturePlanes
from restoretk.restoration._problem import Problem
from restoretk.restoration._transfer import Transfer, whole_addend
from restoretk.restoration.record import Criterion, Restoration
from restoretk.restoration.weighted import WeightedSolution, solve_weighted


def given(image: Array, out: Array | None) -> Array:
    """The image, in ``out`` where there is one."""
    if out is None:
        return image
    out[...] = image
    return out


@dataclass(frozen=True)
class LinearFilter:
    """What a linear method decided for one problem: the transfer function and why.

    ``not_white`` says that the noise was found not to be.
    """

    method: str
    problem: Problem
    filter: Transfer
    parameters: Mapping[str, float | str]
    noise_sigma: float | None = None
    criteria: Mapping[str, Criterion] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    not_white: bool = False

    @property
    def transfer(self) -> Array:
        """The transfer function, shape (K, *half)."""
        return self.filter.whole

    def image(self, out: Array | None = None) -> Array:
        """The restored image, written to ``out`` where there is one: an array that `check_out` has passed."""
        problem, solved = self.problem, self._solved
        if solved is not None:
            restored = solved.planes
        elif isinstance(problem.laid, PicturePlanes):
            result, rows = problem.laid.results(out)
            self._sweep(rows)
            return result
        elif problem.in_sweeps:
            restored = np.empty_like(problem.planes)
            self._sweep(restored)
        else:
            product = problem.spectrum * self.transfer.astype(problem.spectrum.dtype, copy=False)
            restored = inverse_transform(product, problem.torus)
        return given(problem.finish(crop(restored, [0] * len(problem.frame), problem.frame)), out)

    def _sweep(self, outputs: Iterable[Any]) -> None:
        """The planes filtered one after the other, block by block, each into its output."""
        problem, room = self.problem, None
        for index, out in enumerate(outputs):
            apply = partial(self.filter.multiply, index=index // problem.planes_per_otf)
            if problem.is_transformed:
                filter_spectrum(problem.spectrum[index], apply, out=out)
            elif (row_spectra := problem.take_row_spectra()) is not None:
                filter_row_spectra(row_spectra, apply, out=out)
            else:
                plane = problem.laid.plane(index)
                room = room or empty_spectrum(plane)
                filter_plane(plane, apply, out, room)

    @cached_property
    def _solved(self) -> WeightedSolution | None:
        """The solution of the weighted problem, None where there are no weights."""
        problem = self.problem
        if problem.pixel_weights is None or self.filter.addend is None:
            return None
        addend = whole_addend(self.filter.addend, problem.optics.otf)
        spectrum = problem.spectrum * self.transfer.astype(problem.spectrum.dtype, copy=False)
        start = inverse_transform(spectrum, problem.torus)
        return solve_weighted(problem.planes, problem.optics.otf, addend, problem.pixel_weights.values, start)

    def _parameters(self) -> dict[str, float | str]:
        """The parameters, levels in plain numbers."""
        powers = {"noise_sigma": 1, "amplitude": 2}
        return {
            name: plain_number(value, powers[name] * self.problem.unit)
            if name in powers and not isinstance(value, str)
            else value
            for name, value in self.parameters.items()
        }

    def restoration(self) -> Restoration:
        """The restored image with the record of what was chosen."""
        problem = self.problem
        size = float(np.prod(problem.torus))
        action = self.transfer * problem.optics.otf
        misfit = np.abs(1 - action) ** 2
        residual = sum(
            float(np.sum(problem.weights * misfit[index // problem.planes_per_otf] * problem.plane_power(index)))
            for index in range(len(problem.laid))
        )
        diagnostics = {
            "noise_gain": float(
                np.sqrt(np.sum(problem.weights * np.abs(self.transfer) ** 2) / (size * len(problem.optics.otf)))
            ),
            "effective_degrees_of_freedom": float(
                np.sum(problem.weights * np.real(action)) / (size * len(problem.optics.otf))
            ),
            "residual_sigma": plain_number(np.sqrt(residual / (size * len(problem.laid))), problem.unit),
        }
        if problem.extension_steps:
            diagnostics["extension_fft_pairs"] = float(problem.extension_steps)
        parameters, notes = self._parameters() | {"boundary": problem.boundary}, self.warnings
        if self.not_white:
            notes += shot_noise_caution(problem)
        if problem.pixel_weights is not None and self._solved is not None:
            diagnostics["weighted_fft_pairs"] = float(self._solved.fft_pairs)
            parameters |= problem.pixel_weights.parameters()
            notes += problem.pixel_weights.notes() or self._solved.notes()
        return Restoration(
            image=self.image(),
            method=self.method,
            parameters=parameters,
            noise_sigma=None if self.noise_sigma is None else plain_number(self.noise_sigma, problem.unit),
            criteria=dict(self.criteria),
            diagnostics=diagnostics,
            warnings=(
                *notes,
                *cautions(problem),
            ),
            transfer=self.transfer,
            torus=problem.torus,
        )
