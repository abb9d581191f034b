from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
import scipy.fft

from restoretk.convolution.column_blocks import ColumnBlocks
from restoretk.convolution.fourier import psf_to_otf
from restoretk.convolution.otf_columns import OtfColumns
from restoretk.convolution.sweeps import blocks, filter_plane, filter_spectrum, in_order

TORI = [(40, 63), (45, 64), (41, 31)]


def psf_of_rank(rank: int, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray[Any, Any]:
    psf = rng.random((shape[0], rank)) @ rng.random((rank, shape[1]))
    return psf / psf.sum()


@pytest.mark.parametrize("torus", TORI)
@pytest.mark.parametrize(("rank", "shape"), [(1, (4, 7)), (4, (4, 7)), (5, (9, 12)), (24, (27, 30)), (1, (1, 1))])
@pytest.mark.parametrize(("dtype", "close"), [(np.float64, 1e-14), (np.float32, 3e-7)])
def test_columns_of_the_otf_are_those_of_the_whole(
    torus: tuple[int, int], rank: int, shape: tuple[int, int], dtype: type, close: float, rng: np.random.Generator
) -> None:
    psf = psf_of_rank(rank, shape, rng)
    whole = psf_to_otf(psf, torus)
    otf = OtfColumns(psf, torus, dtype)
    assert otf.terms == rank if dtype is np.float32 else otf.terms >= rank
    for columns in (slice(0, 5), slice(7, 8), slice(10, whole.shape[1]), slice(None)):
        np.testing.assert_allclose(otf.columns(columns), whole[:, columns], rtol=0, atol=close)
        conjugate, rows = otf.conjugate(columns), slice(3, 17)
        real, imag = np.empty((2, *whole[rows, columns].shape), dtype)
        conjugate(rows, real, imag)
        np.testing.assert_allclose(real, whole.real[rows, columns], rtol=0, atol=close)
        np.testing.assert_allclose(imag, -whole.imag[rows, columns], rtol=0, atol=close)
    chosen = np.unique(rng.integers(0, whole.shape[1], 5))
    np.testing.assert_allclose(otf.columns(chosen), whole[:, chosen], rtol=0, atol=close)
    assert otf.columns(slice(0, 2)).dtype == np.result_type(dtype, np.complex64)


def test_the_otf_of_a_psf_that_half_a_turn_does_not_change_is_real(rng: np.random.Generator) -> None:
    psf = rng.random((5, 7))
    psf += psf[::-1, ::-1]
    psf /= psf.sum()
    askew = psf.copy()
    askew[0, 1] += 1e-6
    for dtype in (np.float32, np.float64):
        assert OtfColumns(psf, (40, 63), dtype).is_real
        assert not OtfColumns(askew, (40, 63), dtype).is_real
        assert not OtfColumns(psf[:, :-1], (40, 63), dtype).is_real
    even = np.full((4, 3), 1 / 12)  # turned about its middle, which is not its origin
    assert not OtfColumns(even, (40, 63), np.float32).is_real


@pytest.mark.parametrize("shape", [(45, 64), (31, 63), (1500, 301)])
@pytest.mark.parametrize("workers", [1, 3])
def test_three_sweeps_are_a_two_dimensional_filter(
    shape: tuple[int, int], workers: int, rng: np.random.Generator
) -> None:
    plane = rng.random(shape)
    transfer = rng.random((shape[0], shape[1] // 2 + 1)) + 1j * rng.random((shape[0], shape[1] // 2 + 1))
    transfer = scipy.fft.rfft2(scipy.fft.irfft2(transfer, s=shape))  # that of a real kernel

    def apply(block: np.ndarray[Any, Any], columns: slice) -> None:
        block *= transfer[:, columns]

    spectrum = scipy.fft.rfft2(plane)
    expected, kept = scipy.fft.irfft2(spectrum * transfer, s=shape), spectrum.copy()
    from_plane, from_spectrum = np.empty(shape), np.empty(shape)
    with scipy.fft.set_workers(workers):
        filter_plane(plane, apply, from_plane)
        filter_spectrum(spectrum, apply, from_spectrum)
    np.testing.assert_allclose(from_plane, expected, atol=1e-12)
    np.testing.assert_allclose(from_spectrum, expected, atol=1e-12)
    assert np.array_equal(spectrum, kept)
    with scipy.fft.set_workers(workers):
        filter_plane(plane, apply, plane)
    assert np.array_equal(plane, from_plane)


@pytest.mark.parametrize("shape", [(45, 64), (9000, 80), (30000, 65), (7, 33)])
def test_blocks_of_columns_are_a_half_spectrum(shape: tuple[int, int], rng: np.random.Generator) -> None:
    plane = rng.random(shape, dtype=np.float32)
    whole = scipy.fft.rfft(plane, axis=1)
    spectrum = ColumnBlocks(shape, plane.dtype)
    assert (spectrum.shape, spectrum.dtype) == (whole.shape, whole.dtype)
    for rows in blocks(shape[0], 1, 1000, 1):
        spectrum.put_rows(rows, whole[rows])
    for rows in (slice(0, 3), slice(5, shape[0])):
        assert np.array_equal(spectrum.rows(rows), whole[rows])
    parts = list(spectrum.parts())
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert (parts[0].start, parts[-1].stop) == (0, whole.shape[1])
    for part in parts:
        block = spectrum.block(part)
        assert block.flags.c_contiguous
        assert np.array_equal(block, whole[:, part])
        block *= 2  # it is no copy
    assert np.array_equal(spectrum.rows(slice(0, shape[0])), 2 * whole)


def test_threads_work_in_order_and_not_far_ahead_of_what_is_taken() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def work(part: slice) -> int:
        with lock:
            begun.append(part.start)
        return part.start

    parts = list(blocks(100, 1, 1, 1))
    with scipy.fft.set_workers(3):
        for taken, found in enumerate(in_order(work, iter(parts))):
            assert found == taken
            time.sleep(0.001)
            with lock:
                assert len(begun) <= taken + 1 + 3 + 1
    assert sorted(begun) == list(range(100))
