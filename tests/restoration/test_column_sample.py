"""Parameters of a large picture are chosen from a few columns of its spectrum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft

from restoretk import degrade, regularized_filter, restore, wiener
from restoretk._arrays import Array
from restoretk.restoration import _periodogram, signal_spectrum
from restoretk.restoration._column_sample import SampledPlanes
from restoretk.restoration._periodogram import draw_bins, drawn_columns
from restoretk.restoration._planes import ArrayPlanes

SHAPES = [(1100, 1200), (901, 1501), (64, 40_001), (40_001, 64)]


def scene_of(shape: tuple[int, int], seed: int) -> Array:
    """A random field with the spectrum of a photograph."""
    frequency = np.hypot(scipy.fft.fftfreq(shape[0])[:, None], scipy.fft.rfftfreq(shape[1]))
    noise = scipy.fft.rfft2(np.random.default_rng(seed).standard_normal(shape))
    field = scipy.fft.irfft2(noise / np.maximum(frequency, 1 / max(shape)), s=shape)
    return np.asarray((field - field.min()) / np.ptp(field))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("skip", [-1, 0, 1])
def test_the_bins_lie_in_the_columns_and_stand_for_the_whole_spectrum(shape: tuple[int, int], skip: int) -> None:
    chosen = drawn_columns(shape)
    assert chosen is not None
    assert len(chosen) < shape[1] // 2 + 1 or shape[1] < 300
    (rows, columns), counts = draw_bins(shape, skip)
    assert np.isin(columns, chosen).all()
    assert rows.min() >= 0
    assert rows.max() < shape[0]
    assert counts.sum() == pytest.approx(shape[0] * shape[1], rel=0.02)
    # The mean of a smooth function over the bins is that over the spectrum.
    row, column = np.minimum(rows, shape[0] - rows) / shape[0], columns / shape[1]
    all_rows, all_columns = np.abs(np.fft.fftfreq(shape[0])), np.abs(np.fft.fftfreq(shape[1]))
    for drawn, whole in ((row, all_rows), (column, all_columns), (row**2, all_rows**2), (column**2, all_columns**2)):
        assert np.average(drawn, weights=counts) == pytest.approx(whole.mean(), rel=0.03 if skip < 0 else 0.08)


def test_small_pictures_and_volumes_are_looked_at_everywhere() -> None:
    assert drawn_columns((1000, 1000)) is None
    assert drawn_columns((200, 200, 200)) is None


@pytest.mark.parametrize("planes", [1, 3])
def test_the_sample_is_the_spectrum_in_its_columns(planes: int, rng: np.random.Generator) -> None:
    stack = rng.random((planes, 60, 71))
    chosen = np.array([0, 3, 17, 35])
    sampled = SampledPlanes(ArrayPlanes(stack), chosen)
    whole = np.fft.rfft2(stack)
    np.testing.assert_allclose(sampled.spectra, whole[..., chosen], atol=1e-10)
    picked = sampled.of(sampled.spectra)[np.array([5, 59, 0]), np.array([3, 35, 0])]
    np.testing.assert_allclose(picked, whole[:, [5, 59, 0], [3, 35, 0]], atol=1e-10)
    rows = sampled.take_row_spectra()
    assert (rows is None) == (planes > 1)
    if rows is not None:
        np.testing.assert_allclose(rows.rows(slice(0, 60)), np.fft.rfft(stack[0], axis=1), atol=1e-11)
    assert sampled.take_row_spectra() is None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_chosen_is_what_the_whole_spectrum_would_choose(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    psf = np.outer([1, 2, 3, 2, 1, 1], [1, 3, 4, 3, 1]) / 120
    scene = scene_of((1100, 1200), seed)
    image = degrade(scene, psf, noise="gaussian:sigma=0.01", boundary="wrap", rng=seed)
    sampled = {name: restore(image, psf, name, boundary="wrap") for name in ("wiener", "regularized_filter")}
    monkeypatch.setattr(_periodogram, "_LARGE", 1 << 40)
    monkeypatch.setattr("restoretk.restoration._spectrum_bins._WHOLE_SPECTRUM", 1 << 40)
    remembered = (_periodogram._draw, _periodogram._stand_ins, signal_spectrum._cell_bins)
    for each in remembered:
        each.cache_clear()
    try:
        whole = {name: restore(image, psf, name, boundary="wrap") for name in sampled}
    finally:
        for each in remembered:
            each.cache_clear()
    chosen = [found["regularized_filter"].parameters["regularization"] for found in (sampled, whole)]
    assert chosen[0] == pytest.approx(chosen[1], rel=0.15)
    assert sampled["wiener"].noise_sigma == pytest.approx(whole["wiener"].noise_sigma, rel=0.03)
    for name, found in sampled.items():
        errors = [np.mean((each.image - scene) ** 2) for each in (found, whole[name])]
        assert errors[0] == pytest.approx(errors[1], rel=0.02)


@pytest.mark.parametrize("shape", [(1100, 1200), (1100, 1200, 3)])
def test_the_record_shows_the_pixels_of_the_function(shape: tuple[int, ...]) -> None:
    psf = np.array([[0.05, 0.3], [0.1, 0.2], [0.25, 0.1]])
    axis = -1 if len(shape) == 3 else None
    scene = scene_of((1100, 1200), 4)
    scene = scene if axis is None else np.stack([scene, scene[::-1], scene[:, ::-1]], axis)
    image = degrade(scene, psf, noise="gaussian:sigma=0.02", boundary="wrap", rng=1, channel_axis=axis)
    for seen_as in (image, np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)):
        for name, function in (("wiener", wiener), ("regularized_filter", regularized_filter)):
            seen = restore(seen_as, psf, name, boundary="wrap", channel_axis=axis).image
            made = function(seen_as, psf, boundary="wrap", channel_axis=axis)
            close = 1 if made.dtype == np.uint8 else 1e-10
            np.testing.assert_allclose(made.astype(float), seen.astype(float), atol=close)
