"""Tone curves: the published numbers, there and back without loss, nothing clipped, and no curve that cannot be inverted."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.color

from restoretk._arrays import Array
from restoretk.tone_curve import LINEAR, SRGB, ParametricCurve, TableCurve, ToneCurve, power_curve

CODES = np.arange(256) / 255
CURVES = [
    SRGB,
    LINEAR,
    power_curve(1.8),
    power_curve(563 / 256),
    ParametricCurve(2.2, 0.9, 0.1, e=0.02),  # black is not 0
    ParametricCurve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.01, 0.01),
    TableCurve(np.rint(65535 * np.linspace(0, 1, 1024) ** 2.2)),
    TableCurve([0.0, 0.1, 0.5, 0.55, 2.0]),
]


def test_srgb_is_the_curve_that_scikit_image_decodes_by() -> None:
    grey = np.stack([CODES] * 3, axis=-1)[None]
    luminance = skimage.color.rgb2xyz(grey)[0, :, 1]  # the weights of R, G and B in Y add up to 1
    np.testing.assert_allclose(SRGB.decode(CODES), luminance, atol=1e-6)


def test_srgb_has_the_published_numbers() -> None:
    np.testing.assert_allclose(SRGB.decode([0.04045, 0.5, 1]), [0.0031308, 0.2140411, 1], atol=1e-7)
    assert SRGB.decode([0.04]) == pytest.approx(0.04 / 12.92, rel=1e-12)  # still on the straight line
    assert SRGB.encode([0.18]) == pytest.approx(0.46135, abs=1e-5)  # middle grey, code 118


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_there_and_back_is_the_identity_also_beyond_black_and_white(
    curve: ToneCurve, dtype: type[np.floating], tolerance: float
) -> None:
    codes = np.linspace(-1.5, 2, 7001).astype(dtype)
    light = curve.decode(codes)
    assert light.dtype == dtype
    assert (np.diff(light) > 0).all()
    assert curve.encode(light).dtype == dtype
    np.testing.assert_allclose(curve.encode(light), codes, atol=tolerance)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_white_stays_exactly_white(curve: ToneCurve, dtype: type[np.floating]) -> None:
    picture = np.ones((5, 33), dtype)  # a mask of saturated pixels looks for 1
    np.testing.assert_allclose(curve.decode(picture), 1, atol=0 if curve.decode(np.zeros(1)) == 0 else 1e-7)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_below_black_the_curve_is_its_own_mirror_image(curve: ToneCurve) -> None:
    black = curve.decode(np.zeros(1))
    np.testing.assert_allclose(curve.decode(-CODES) - black, black - curve.decode(CODES), atol=1e-14)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_arguments_stay_as_they_are_and_results_are_new(curve: ToneCurve) -> None:
    codes = CODES.copy()
    codes.setflags(write=False)
    assert not np.shares_memory(curve.decode(codes), codes)
    assert not np.shares_memory(curve.encode(codes), codes)


def test_a_power_curve_is_a_power() -> None:
    np.testing.assert_allclose(power_curve(1.8).decode(CODES), CODES**1.8)
    assert power_curve(1.8).name == "gamma 1.8"
    assert power_curve(1).is_linear
    assert not SRGB.is_linear


def test_a_table_is_read_along_straight_lines() -> None:
    curve = TableCurve([0.0, 0.2, 0.4, 0.8])
    probe = np.array([0.0, 1 / 6, 0.5, 5 / 6, 1.0, 4 / 3])
    np.testing.assert_allclose(curve.decode(probe), np.array([0, 0.1, 0.3, 0.6, 0.8, 1.2]) / 0.8)
    assert TableCurve(np.linspace(0, 1, 5)).is_linear


def test_a_table_that_stands_still_moves_by_less_than_its_next_step() -> None:
    table = np.array([0, 0, 0, 5, 5, 9, 10, 10])
    codes = np.linspace(0, 1, 8)
    moved = TableCurve(table).decode(codes) * 10 - table
    np.testing.assert_allclose(moved, [0, 5 / 3, 10 / 3, 0, 2, 0, -0.5, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((0.0,), "must rise: 0 < g"),
        ((-2.2,), "must rise: 0 < g"),
        ((9.0,), "must rise: 0 < g <= 8"),
        ((np.nan,), "must be finite"),
        ((2.2, -1.0), "a > 0"),
        ((2.2, 1.0, -0.1), r"flat up to 0\.1"),
        ((2.4, 1.0, 0.0, 0.0, 0.1), "below 0.1 this one has the slope 0"),
        ((2.4, 1.0, 0.0, 3.0, 0.1), r"falls at 0\.1"),
        ((2.2, 1.0, 0.0, 0.0, 0.0, -2.0), "light above 0"),
        ((8.0, 1.0, 0.0, 0.0, 0.0, 0.5), "loses 1"),
    ],
)
def test_a_formula_that_cannot_be_inverted_is_refused(parameters: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ParametricCurve(*parameters)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([1.0], "at least 2"),
        ([[0.0, 1.0]], "at least 2"),
        ([0.0, np.nan], "finite"),
        ([0.0, 0.5, 0.4, 1.0], "falls after entry 1"),
        ([1.0, 1.0], "light above 0"),
        ([0.0, 0.0], "light above 0"),
        ([1 - 1e-7, 1.0], "loses"),
    ],
)
def test_a_table_that_cannot_be_inverted_is_refused(table: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TableCurve(table)
