"""The bridge: both meanings of "deconvolution" on one decimated picture, and the noise that decides between them."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.bridge import FITTED, INVERSE, LANDWEBER_PATH, NOISE_LEVELS, TRANSPOSED, WIENER, Bridge, bridge_meanings
from restoretk.comparison import compare
from restoretk.metrics import psnr
from restoretk.restoration.decimated import Decimation, decimated_inverse
from restoretk.upsampling import downsample, upsample
from restoretk.upsampling.kernels import bicubic_kernel

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(scope="module")
def photograph() -> Array:
    return iio.imread(DATA / "camera.png")[60:313, 120:405] / 255


@pytest.fixture(scope="module")
def bridge(photograph: Array) -> Bridge:
    made = bridge_meanings(photograph, seed=5)
    assert made is not None
    return made


@pytest.mark.parametrize("name", ["camera", "astronaut", "chelsea", "coffee"])
def test_noise_flips_the_winner_on_the_bundled_photographs(name: str) -> None:
    picture = iio.imread(DATA / f"{name}.png")
    made = bridge_meanings(picture, channel_axis=None if picture.ndim == 2 else -1)
    assert made is not None
    quiet, noisy = made.readings[0], made.readings[-1]
    assert (quiet.noise, noisy.noise) == (0, 10)
    gain = [each.panel(INVERSE).metrics["psnr"] - each.panel(TRANSPOSED).metrics["psnr"] for each in made.readings]
    assert quiet.winner.name == INVERSE
    assert gain[0] > 0.5
    assert noisy.winner.name == TRANSPOSED
    assert gain[-1] < -2
    assert gain == sorted(gain, reverse=True)
    # The fitted kernel learned to invert: it wins and loses with the inverse.
    assert quiet.panel(FITTED).metrics["psnr"] > quiet.panel(INVERSE).metrics["psnr"]
    assert noisy.panel(FITTED).metrics["psnr"] == pytest.approx(noisy.panel(INVERSE).metrics["psnr"], abs=0.1)
    # What knows the noise beats both meanings at every level.
    for reading in made.readings:
        assert reading.panel(WIENER).metrics["psnr"] > reading.winner.metrics["psnr"]


def test_every_method_is_given_the_same_picture_and_its_numbers_are_measured(bridge: Bridge, photograph: Array) -> None:
    # 285 columns make 142 small pixels; two on every side read beyond the frame.
    np.testing.assert_array_equal(bridge.original, photograph[4:248, 4:280])
    clean = downsample(photograph, 2)[2:-2, 2:-2]
    names = [TRANSPOSED, *(f"Landweber {steps}" for steps in LANDWEBER_PATH), INVERSE, WIENER, FITTED]
    noise = bridge.readings[-1].decimated - clean
    assert noise.std() == pytest.approx(10 / 255, rel=0.02)
    for level, reading in zip(NOISE_LEVELS, bridge.readings, strict=True):
        np.testing.assert_allclose(reading.decimated, clean + level / 10 * noise, atol=1e-12)
        assert [panel.name for panel in reading.panels] == names
        np.testing.assert_array_equal(reading.panel(TRANSPOSED).image, upsample(reading.decimated, 2))
        np.testing.assert_array_equal(reading.panel(FITTED).image, upsample(reading.decimated, 2, kernel="fitted"))
        expected = decimated_inverse(reading.decimated, 2, bicubic_kernel(2) / 2)
        np.testing.assert_array_equal(reading.panel(INVERSE).image, expected)
        for panel in reading.panels:
            assert panel.metrics["psnr"] == psnr(bridge.original, panel.image, border=2)
            again = (downsample(panel.image, 2) - reading.decimated)[2:-2, 2:-2]
            assert panel.metrics["residual"] == pytest.approx(np.sqrt(np.mean(again**2)), rel=1e-9, abs=1e-15)
        assert reading.best.metrics["psnr"] == max(panel.metrics["psnr"] for panel in reading.panels)


def test_no_small_pixel_depends_on_what_lies_outside_the_picture(bridge: Bridge, photograph: Array) -> None:
    elsewhere = np.zeros((273, 305))
    elsewhere[10:263, 10:295] = photograph
    seen = downsample(elsewhere, 2)
    np.testing.assert_allclose(bridge.readings[0].decimated, seen[7:129, 7:145], atol=1e-12)
    near = downsample(photograph, 2)[1:-1, 1:-1]
    assert np.abs(near - seen[6:130, 6:146])[0].max() > 1e-3, "one more row would depend on it"


def test_the_inverse_returns_to_g_and_the_path_leads_there(bridge: Bridge) -> None:
    for reading in bridge.readings:
        path = [
            reading.panel(name).metrics["residual"]
            for name in (TRANSPOSED, "Landweber 2", "Landweber 5", "Landweber 20")
        ]
        assert path == sorted(path, reverse=True)
        assert path[0] > 1 / 255
        assert reading.panel(INVERSE).metrics["residual"] < 1e-12
    assert bridge.readings[0].panel(WIENER).metrics["residual"] < 1e-9
    assert bridge.readings[-1].panel(WIENER).metrics["residual"] > 1 / 255


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bicubic_is_the_transpose_to_rounding(photograph: Array, factor: int) -> None:
    made = bridge_meanings(photograph, factor=factor, kernel=None)
    assert made is not None
    assert made.scale == factor**2
    assert made.difference < 1e-13


def test_the_gains_are_those_of_the_singular_values(bridge: Bridge) -> None:
    levels = bridge.singular_values
    dense = np.stack([downsample(impulse, 2).ravel() for impulse in np.eye(32 * 32).reshape(-1, 32, 32)], axis=1)
    values = np.linalg.svd(dense, compute_uv=False)
    assert levels[0] == pytest.approx(values[-1] / values[0], rel=0.02)
    assert levels[-1] == 1
    np.testing.assert_allclose(bridge.gains["transposed: σ"], levels)
    np.testing.assert_allclose(bridge.gains["inverse: 1/σ"], 1 / levels)
    np.testing.assert_allclose(bridge.gains["Landweber 2"], 2 * levels - levels**3)
    (wiener,) = (gain for name, gain in bridge.gains.items() if name.startswith("Wiener"))
    ratio = levels[0] / wiener[0] - levels[0] ** 2
    assert ratio > 0
    np.testing.assert_allclose(wiener, levels / (levels**2 + ratio))


@pytest.mark.parametrize("factor", [2, 3])
def test_waves_come_back_as_the_curves_say(photograph: Array, factor: int) -> None:
    made = bridge_meanings(photograph, factor=factor, kernel=None)
    assert made is not None
    taps = bicubic_kernel(factor) / factor
    operator = Decimation(taps, factor, (200,))
    size = 200 * factor
    for index in (20, 68, 88, 112, 164):  # of 201 frequencies, none of which folds onto itself
        cycles = round(made.frequencies[index] * size)
        assert cycles == pytest.approx(made.frequencies[index] * size)
        wave = np.cos(2 * np.pi * cycles * np.arange(size) / size + 0.3)
        g = operator.forward(wave[None])[0]
        for name, steps in ((TRANSPOSED, 1), (INVERSE, np.inf)):
            back = decimated_inverse(g, factor, taps, iterations=steps, boundary="wrap")
            spectrum = np.abs(np.fft.fft(back)) / (size / 2)
            own = spectrum[cycles]
            spectrum[[cycles, size - cycles]] = 0
            assert own == pytest.approx(made.passes[name][index], abs=1e-9)
            assert np.sqrt(np.sum(spectrum**2) / 2) == pytest.approx(made.aliases[name][index], abs=1e-9)


def test_colour_is_measured_on_its_luma_and_large_pictures_on_their_centre() -> None:
    picture = iio.imread(DATA / "astronaut.png") / 255
    made = bridge_meanings(np.moveaxis(picture, -1, 0), channel_axis=0, kernel=None)
    assert made is not None
    np.testing.assert_allclose(made.original, (picture @ [0.299, 0.587, 0.114])[4:-4, 4:-4], atol=1e-12)
    large = np.tile(picture[..., 0], (2, 1))[:901]
    made = bridge_meanings(large, kernel=None)
    assert made is not None
    assert made.original.shape == (512, 504)
    np.testing.assert_array_equal(made.original, large[194:706, 4:-4])


def test_the_fitted_kernel_is_left_out_where_there_is_none(photograph: Array) -> None:
    made = bridge_meanings(photograph, factor=5)
    assert made is not None
    assert made.readings[0].panels[-1].name == WIENER
    given = bridge_meanings(photograph, factor=5, kernel="lanczos3")
    assert given is not None
    assert given.readings[0].panel(FITTED).parameters == {"kernel": "lanczos3"}


def test_a_picture_too_small_has_no_bridge(photograph: Array) -> None:
    assert bridge_meanings(photograph[:40, :90], kernel=None) is not None
    assert bridge_meanings(photograph[:39, :90], kernel=None) is None
    with pytest.raises(ValueError, match=r"needs a picture of 2 spatial axes, got shape \(64,\)"):
        bridge_meanings(photograph[0, :64])


def test_a_constant_picture_has_a_bridge_of_strict_json() -> None:
    made = bridge_meanings(np.full((64, 70), 0.5), kernel=None)
    assert made is not None
    record = json.loads(json.dumps(made.as_dict(), allow_nan=False))
    assert [each["noise_grey_levels"] for each in record["readings"]] == list(NOISE_LEVELS)
    assert record["readings"][-1]["winner"] == TRANSPOSED
    assert record["readings"][-1]["best"] == WIENER


def test_a_comparison_holds_the_bridge_of_its_original(photograph: Array, lopsided_psf: Array) -> None:
    result = compare(photograph, lopsided_psf, noise="gaussian:sigma=0.01", factor=3, seed=5)
    assert result.bridge is not None
    expected = bridge_meanings(result.original, factor=3, seed=5)
    assert expected is not None
    assert result.bridge.as_dict() == expected.as_dict() == result.as_dict()["bridge"]
    seen = compare(photograph, lopsided_psf, observed=True, kernels=["nearest"])
    assert seen.bridge is not None
    np.testing.assert_array_equal(seen.bridge.original, photograph[4:248, 4:280])
    small = compare(photograph[:40, :40], lopsided_psf, kernels=["nearest"])
    assert small.bridge is None
    assert small.as_dict()["bridge"] is None
