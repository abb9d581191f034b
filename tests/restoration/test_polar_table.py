from __future__ import annotations

import numpy as np
import pytest

from restoretk.convolution.fourier import frequency_grid
from restoretk.restoration._polar_table import on_half_spectrum
from restoretk.restoration.signal_spectrum import SignalSpectrum

SPECTRUM = SignalSpectrum(2.0, 2.7, 0.004, (0.5, -0.3, 0.2, -0.1), 0.01)


@pytest.mark.parametrize("shape", [(800, 901), (701, 1024)])
def test_a_looked_up_spectrum_is_within_five_per_cent_everywhere_and_one_on_average(shape: tuple[int, int]) -> None:
    exact = SPECTRUM.power_at(frequency_grid(shape))
    looked_up = on_half_spectrum(SPECTRUM.power_at, shape)
    assert looked_up.shape == exact.shape
    error = np.abs(looked_up / exact - 1)
    assert error.max() < 0.05
    assert error.mean() < 0.01
    assert looked_up[0, 0] == pytest.approx(exact[0, 0])


def test_directions_are_not_mirrored_and_not_swapped() -> None:
    def lopsided(frequencies: object) -> np.ndarray:
        rows, columns = frequencies  # type: ignore[misc]
        angle = np.arctan2(rows + 0 * columns, columns + 0 * rows)
        return 3 + angle  # a different value for every direction of the half plane

    shape = (800, 902)
    exact, looked_up = lopsided(frequency_grid(shape)), on_half_spectrum(lopsided, shape)
    inner = np.s_[:, 1:-1]  # on the first and last column the two ends of the half plane meet
    assert np.abs(looked_up - exact)[inner].max() < 0.03


def test_small_grids_and_other_dimensions_are_exact() -> None:
    for shape in ((60, 71), (64, 64, 80)):
        spectrum = SPECTRUM if len(shape) == 2 else SignalSpectrum(2.0, 2.7, 0.004, (0.0, 0.0, 0.0, 0.0), 0.01)
        exact = spectrum.power_at(frequency_grid(shape))
        np.testing.assert_array_equal(on_half_spectrum(spectrum.power_at, shape), exact)
