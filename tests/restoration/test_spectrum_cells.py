from __future__ import annotations

import numpy as np

from restoretk.restoration._spectrum_cells import cell_at, factors_at, fit_cells


def _plane(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.uniform(-0.5, 0.5, 60_000), rng.uniform(0, 0.5, 60_000)]


def test_an_excess_in_one_direction_is_found_there_and_not_elsewhere(rng: np.random.Generator) -> None:
    frequencies = _plane(rng)
    angle = np.degrees(np.arctan2(*frequencies))
    power = rng.exponential(1, 60_000) * np.where(np.abs(angle - 45) < 12, 4.0, 1.0)
    cells = fit_cells(cell_at(frequencies), 2, power - 1, np.ones(60_000), np.ones(60_000))
    there = factors_at(cells, [np.array([0.2]), np.array([0.2])])
    across = factors_at(cells, [np.array([-0.2]), np.array([0.2])])
    assert 3 < there[0] < 4.5
    assert 0.8 < across[0] < 1.2


def test_frequencies_that_are_not_seen_keep_the_law(rng: np.random.Generator) -> None:
    frequencies = _plane(rng)
    excess = 9 * np.ones(60_000)  # of the noise, where the signal has no share
    cells = fit_cells(cell_at(frequencies), 2, excess, np.full(60_000, 1e-6), np.ones(60_000))
    np.testing.assert_allclose(cells, 1, atol=0.01)


def test_a_share_of_the_signal_scales_the_correction(rng: np.random.Generator) -> None:
    """P = A * 2 S + (1 - A) noise: twice the signal, of which a quarter is seen."""
    frequencies = _plane(rng)
    share = np.full(60_000, 0.25)
    power = (2 * share + 1 - share) * rng.exponential(1, 60_000)
    found = factors_at(
        fit_cells(cell_at(frequencies), 2, power - 1, share, np.ones(60_000)), [np.array([0.3]), np.array([0.1])]
    )
    assert 1.6 < found[0] < 2.4


def test_signals_have_one_sector(rng: np.random.Generator) -> None:
    frequencies = [rng.uniform(0, 0.5, 5000)]
    cells = fit_cells(cell_at(frequencies), 1, np.where(frequencies[0] > 0.25, 1.0, 0.0), np.ones(5000), np.ones(5000))
    assert cells.shape[1] == 1
    assert factors_at(cells, [np.array([0.4])])[0] > 1.7
    assert factors_at(cells, [np.array([0.1])])[0] < 1.1
