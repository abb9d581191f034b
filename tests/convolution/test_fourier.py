from __future__ import annotations

import numpy as np
import pytest

from restoretk.convolution.fourier import (
    apply_transfer_function,
    fast_shape,
    frequency_grid,
    half_spectrum_weights,
    otf_to_psf,
    psf_to_otf,
)

SHAPES = [((5,), (12,)), ((6,), (11,)), ((4, 7), (45, 62)), ((3, 4, 2), (7, 9, 8))]


@pytest.mark.parametrize(("psf_shape", "shape"), SHAPES)
def test_otf_is_the_written_out_sum_with_the_origin_at_half_the_shape(
    rng: np.random.Generator, psf_shape: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    psf = rng.random(psf_shape)
    frequencies = frequency_grid(shape)
    expected = np.zeros((*shape[:-1], shape[-1] // 2 + 1), complex)
    for index in np.ndindex(psf_shape):
        phase = sum(f * (i - side // 2) for f, i, side in zip(frequencies, index, psf_shape, strict=True))
        expected += psf[index] * np.exp(-2j * np.pi * phase)
    np.testing.assert_allclose(psf_to_otf(psf, shape), expected, atol=1e-12)


@pytest.mark.parametrize(("psf_shape", "shape"), SHAPES)
def test_otf_to_psf_undoes_psf_to_otf(
    rng: np.random.Generator, psf_shape: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    psf = rng.random(psf_shape)
    np.testing.assert_allclose(otf_to_psf(psf_to_otf(psf, shape), psf_shape, shape), psf, atol=1e-14)


def test_transfer_of_a_delta_changes_nothing_on_odd_and_even_sides(rng: np.random.Generator) -> None:
    for psf_shape in ((3, 4), (4, 3), (1, 1), (2, 2)):
        delta = np.zeros(psf_shape)
        delta[psf_shape[0] // 2, psf_shape[1] // 2] = 1
        for shape in ((9, 13), (8, 12), (9, 12)):
            image = rng.random((2, *shape))
            np.testing.assert_allclose(apply_transfer_function(image, psf_to_otf(delta, shape)), image, atol=1e-14)


def test_float32_psf_gives_a_complex64_otf() -> None:
    assert psf_to_otf(np.ones((2, 3), np.float32) / 6, (8, 9)).dtype == np.complex64


def test_half_spectrum_weights_sum_to_the_full_spectrum(rng: np.random.Generator) -> None:
    for shape in ((6, 9), (5, 8), (7,)):
        image = rng.standard_normal(shape)
        half = np.abs(np.fft.rfftn(image)) ** 2 / image.size
        assert (half * half_spectrum_weights(shape)).sum() == pytest.approx((image**2).sum(), rel=1e-12)


def test_fast_shape_is_never_smaller() -> None:
    assert all(fast >= size for fast, size in zip(fast_shape((97, 1021, 1)), (97, 1021, 1), strict=True))


def test_a_near_fast_shape_is_no_larger() -> None:
    sizes = range(1, 3000)
    near, fast = fast_shape(sizes, near=True), fast_shape(sizes)
    assert all(size <= one <= other for size, one, other in zip(sizes, near, fast, strict=True))
    assert near != fast


def test_a_psf_larger_than_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match=r"psf of shape \(5, 9\) is larger than the image \(8, 8\)"):
        psf_to_otf(np.ones((5, 9)), (8, 8))
    with pytest.raises(ValueError, match="psf has 1 axes and the grid"):
        psf_to_otf(np.ones(5), (8, 8))


def test_otf_to_psf_refuses_a_spectrum_of_another_grid() -> None:
    with pytest.raises(ValueError, match=r"otf on a grid of shape \(8, 9\) must have shape \(8, 5\), got \(8, 9\)"):
        otf_to_psf(np.ones((8, 9), complex), (3, 3), (8, 9))
    with pytest.raises(ValueError, match="is larger than the grid"):
        otf_to_psf(np.ones((8, 5), complex), (9, 3), (8, 9))
