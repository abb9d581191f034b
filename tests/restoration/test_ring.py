"""The ring around a frame and the inverses on its sides, against dense matrices."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg

from restoretk.restoration._ring import Ring, SideInverses
from restoretk.restoration._ring_product import RingProduct, rows_of
from restoretk.restoration._toeplitz import ToeplitzInverse

SHAPES = [
    ((12,), (17,)),
    ((10, 11), (15, 14)),
    ((10, 11), (15, 11)),
    ((10, 12), (16, 17)),
    ((3, 4), (11, 9)),
    ((6, 5, 7), (8, 9, 10)),
]


@pytest.mark.parametrize("size", [1, 2, 5, 31])
def test_toeplitz_systems_are_solved(rng, size):
    columns = np.fft.ifft(np.exp(-5 * rng.random((2 * size + 3, 3))), axis=0)[:size]
    vectors = rng.normal(size=(size, 3)) + 1j * rng.normal(size=(size, 3))
    solved = ToeplitzInverse(columns)(vectors)
    for column, vector, solution in zip(columns.T, vectors.T, solved.T, strict=True):
        np.testing.assert_allclose(scipy.linalg.toeplitz(column, np.conj(column)) @ solution, vector, atol=1e-11)


def test_a_toeplitz_system_that_rounding_made_singular_gives_finite_numbers(rng):
    spectrum = np.zeros((64, 2))
    spectrum[:5] = rng.random((5, 2))
    columns = np.fft.ifft(spectrum, axis=0)[:30]
    assert np.isfinite(ToeplitzInverse(columns)(np.ones((30, 2), complex))).all()


@pytest.mark.parametrize(("frame", "torus"), SHAPES)
def test_a_field_holds_every_pixel_beyond_the_frame_once(frame, torus):
    ring, whole = Ring(frame, torus), np.arange(1, math.prod(torus) + 1).reshape(torus)
    back = np.zeros_like(whole)
    ring.put(ring.field_of(whole), back)
    window = tuple(slice(size) for size in frame)
    assert not back[window].any()
    back[window] = whole[window]
    np.testing.assert_array_equal(back, whole)


@pytest.mark.parametrize(("frame", "torus"), SHAPES)
def test_a_side_is_all_of_the_torus_on_the_other_axes(frame, torus):
    ring, whole = Ring(frame, torus), np.arange(math.prod(torus), dtype=float).reshape(torus)
    field = ring.field_of(whole)
    for axis in ring.axes:
        side = np.take(whole, range(frame[axis], torus[axis]), axis)
        np.testing.assert_array_equal(ring.side(field, axis), side)
        summed = field.copy()
        ring.add_side(summed, axis, side)
        twice = whole.copy()
        twice[(slice(None),) * axis + (slice(frame[axis], None),)] *= 2
        np.testing.assert_array_equal(summed, ring.field_of(twice))


@pytest.mark.parametrize(("frame", "torus"), [shapes for shapes in SHAPES if len(shapes[0]) == 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_product_is_that_of_the_whole_plane(rng, frame, torus, dtype, monkeypatch):
    monkeypatch.setattr("restoretk.restoration._ring_product._BLOCK", 1)
    monkeypatch.setattr("restoretk.restoration._ring_product._NARROWEST", 3)
    ring, plane = Ring(frame, torus), rng.normal(size=torus).astype(dtype)
    spectrum = np.exp(-6 * np.abs(np.fft.rfft2(rng.random(torus))) ** 2 / math.prod(torus))
    product = RingProduct(ring, lambda columns: spectrum[:, columns].astype(dtype), np.dtype(dtype))
    expected = ring.field_of(np.fft.irfft2(spectrum * np.fft.rfft2(plane), torus))
    rows = np.fft.rfft(plane, axis=1)
    found = product.of(lambda columns: rows[:, columns])
    close = {"rtol": 0, "atol": 20 * np.finfo(dtype).eps * np.abs(plane).max()}
    np.testing.assert_allclose(found, expected, **close)
    plane[: frame[0], : frame[1]] = 0
    expected = ring.field_of(np.fft.irfft2(spectrum * np.fft.rfft2(plane), torus))
    found = product(ring.field_of(plane))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, **close)
    some = np.array([0, 2, torus[1] // 2])
    np.testing.assert_allclose(rows_of(ring, ring.field_of(plane))(some), np.fft.rfft(plane, axis=1)[:, some], **close)


@pytest.mark.parametrize(("frame", "torus"), SHAPES)
@pytest.mark.parametrize("bytes_at_a_time", [1, 1 << 22])
def test_the_guide_is_the_sum_of_the_inverses_on_the_sides(rng, frame, torus, bytes_at_a_time, monkeypatch):
    monkeypatch.setattr("restoretk.restoration._ring._BLOCK", bytes_at_a_time)
    ring = Ring(frame, torus)
    spectrum = np.exp(-6 * np.abs(np.fft.fftn(rng.random(torus))) ** 2 / math.prod(torus))
    half = spectrum[..., : torus[-1] // 2 + 1]
    dense = np.stack([np.fft.ifftn(spectrum * np.fft.fftn(unit)).real.ravel() for unit in _units(torus)], 1)
    numbers = np.arange(math.prod(torus)).reshape(torus)
    place = {number: index for index, number in enumerate(ring.field_of(numbers))}
    expected = np.zeros((ring.size, ring.size))
    for axis in ring.axes:
        side = np.take(numbers, range(frame[axis], torus[axis]), axis).ravel()
        where = [place[number] for number in side]
        expected[np.ix_(where, where)] += np.linalg.inv(dense[np.ix_(side, side)])
    field = rng.normal(size=ring.size)
    guided = SideInverses(ring, lambda columns: half[..., columns])(field)
    np.testing.assert_allclose(guided, expected @ field, rtol=1e-9, atol=1e-9 * np.abs(guided).max())


def _units(torus):
    for index in itertools.product(*map(range, torus)):
        unit = np.zeros(torus)
        unit[index] = 1
        yield unit
