"""Large planes are filtered in sweeps: the same pixels as from whole spectra."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from restoretk import inverse_filter, regularized_filter, wiener
from restoretk.restoration import _problem

Array = np.ndarray[Any, Any]


@pytest.fixture
def picture(rng: np.random.Generator) -> Array:
    return rng.random((421, 350))


CALLS = {
    "wiener, fixed": lambda image, psf, **options: wiener(image, psf, noise_to_signal=0.01, **options),
    "wiener, auto": lambda image, psf, **options: wiener(image, psf, **options),
    "wiener, a spectrum": lambda image, psf, **options: wiener(
        image, psf, noise_to_signal=np.hypot(*np.indices(image.shape[-2:])) / 1e4, **options
    ),
    "wiener, autocorrelations": lambda image, psf, **options: wiener(
        image, psf, noise_autocorrelation=np.ones((1, 1)), signal_autocorrelation=np.full((3, 3), 2.0), **options
    ),
    "regularized, fixed": lambda image, psf, **options: regularized_filter(image, psf, regularization=0.01, **options),
    "regularized, no operator where H is 0": lambda image, psf, **options: regularized_filter(
        image, psf, regularization=0.0, **options
    ),
    "regularized, an array": lambda image, psf, **options: regularized_filter(
        image, psf, regularization=0.01, operator=np.array([[1.0, -1, 0.5]]), **options
    ),
    "regularized, gcv": lambda image, psf, **options: regularized_filter(image, psf, **options),
    "inverse": lambda image, psf, **options: inverse_filter(image, psf, cutoff=0.2, **options),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("boundary", ["wrap", "reflect"])
def test_sweeps_give_the_pixels_of_whole_spectra(
    name: str, boundary: str, picture: Array, lopsided_psf: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert picture.size >= _problem.LARGE
    swept = CALLS[name](picture, lopsided_psf, boundary=boundary)
    monkeypatch.setattr(_problem, "LARGE", picture.size * 10)
    np.testing.assert_allclose(swept, CALLS[name](picture, lopsided_psf, boundary=boundary), atol=1e-9)


@pytest.mark.parametrize("shape", [(5, 9), (27, 31), (26, 28), (1, 1)])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("name", ["wiener, fixed", "wiener, a spectrum", "regularized, no operator where H is 0"])
def test_sweeps_give_the_pixels_of_whole_spectra_under_any_psf(
    shape: tuple[int, int],
    symmetric: bool,
    name: str,
    picture: Array,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    psf = rng.random(shape)
    psf = psf + psf[::-1, ::-1] if symmetric else psf
    psf /= psf.sum()
    swept = CALLS[name](picture, psf, boundary="wrap")
    monkeypatch.setattr(_problem, "LARGE", picture.size * 10)
    whole = CALLS[name](picture, psf, boundary="wrap")
    np.testing.assert_allclose(swept, whole, rtol=0, atol=1e-8 * np.abs(whole).max())


def test_each_channel_has_its_own_psf_in_sweeps(
    picture: Array, lopsided_psf: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.stack([picture, picture[::-1]], -1)
    psf = np.stack([lopsided_psf, lopsided_psf[::-1, ::-1]], -1)

    def restored() -> Array:
        return wiener(image, psf, noise_to_signal=0.01, boundary="wrap", channel_axis=-1)

    swept = restored()
    monkeypatch.setattr(_problem, "LARGE", 10 * picture.size)
    np.testing.assert_allclose(swept, restored(), atol=1e-12)


def test_float32_stays_within_rounding_of_float64(picture: Array, lopsided_psf: Array) -> None:
    exact = wiener(picture, lopsided_psf, noise_to_signal=0.01, boundary="wrap")
    single = wiener(picture.astype(np.float32), lopsided_psf, noise_to_signal=0.01, boundary="wrap")
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, exact, atol=2e-5)


def test_frequencies_that_the_blur_has_taken_out_stay_out(picture: Array) -> None:
    assert picture.shape[1] % 2 == 0
    alternating = (-1.0) ** np.arange(picture.shape[1])
    psf = np.array([[0.5, 0.5]])  # its OTF is exactly 0 at the highest frequency of a row
    restored = wiener(picture, psf, noise_to_signal=0.0, boundary="wrap")
    assert np.abs(restored @ alternating).max() < 1e-6 * np.abs(picture @ alternating).max()
