from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.degradation import degrade
from restoretk.metrics import psnr
from restoretk.upsampling import conv_transpose, downsample, fit_kernel, kernel_fit, upsample
from restoretk.upsampling.axis_resampling import kernel_of_phases, phase_weights
from restoretk.upsampling.decimation import decimate

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def texture() -> Array:
    return np.random.default_rng(1).random((64, 70))


def phase_sums(kernel: Array, factor: int) -> Array:
    return np.array([[kernel[a::factor, b::factor].sum() for b in range(factor)] for a in range(factor)])


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("rank", [None, 1, 2, 3])
def test_every_phase_of_a_fitted_kernel_sums_to_one(texture, factor, rank):
    kernel = fit_kernel([texture], factor, size=5, rank=rank)
    kernel = np.outer(kernel, kernel) if rank == 1 else kernel
    np.testing.assert_allclose(phase_sums(kernel, factor), 1, rtol=0, atol=1e-13)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_fitted_kernel_is_the_same_turned_and_flipped(texture, factor):
    kernel = fit_kernel([texture], factor, size=5)
    for turned in (kernel.T, kernel[::-1], kernel[:, ::-1], np.rot90(kernel)):
        np.testing.assert_allclose(turned, kernel, rtol=0, atol=1e-12)


def test_the_rank_is_what_was_asked_for(texture):
    for rank in (2, 3):
        kernel = fit_kernel([texture], 2, size=5, rank=rank)
        assert np.linalg.matrix_rank(kernel, tol=1e-9) == rank
    assert fit_kernel([texture], 2, size=5, rank=1).shape == (10,)


@pytest.mark.parametrize("factor", [2, 3])
def test_the_kernel_that_made_the_large_picture_is_found_again(factor):
    # A picture that is itself an enlargement, whose decimation by pixels gives back what it was enlarged from.
    small = np.random.default_rng(2).random((60, 60))
    true = np.random.default_rng(3).random((5 * factor, 5 * factor))
    true = sum(np.rot90(flip, turn) for flip in (true, true[::-1]) for turn in range(4))
    for a in range(factor):
        for b in range(factor):
            true[a::factor, b::factor] /= true[a::factor, b::factor].sum()
    from restoretk.upsampling.fitting import _GramSums
    from restoretk.upsampling.training_pairs import Pair

    sums = _GramSums(5, factor)
    sums.add(Pair(small[None], upsample(small, factor, kernel=true)[None]))
    weights, condition, error = sums.solve(0)
    np.testing.assert_allclose(kernel_of_phases(weights), true, rtol=0, atol=1e-8)
    assert error < 1e-7
    assert 1 < condition < 100


def test_the_solution_is_that_of_least_squares_written_out(texture):
    factor, m = 2, 3
    small = downsample(texture, factor)
    rows, targets = [], []
    for turn in range(8):  # all flips and quarter turns as pictures of their own
        one = np.rot90(small if turn < 4 else small[::-1], turn % 4)
        large = np.rot90(texture if turn < 4 else texture[::-1], turn % 4)
        for i in range(1, one.shape[0] - 1):
            for j in range(1, one.shape[1] - 1):
                rows.append(np.delete((one[i - 1 : i + 2, j - 1 : j + 2] - one[i, j]).ravel(), 4))
                targets.append(large[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel() - one[i, j])
    expected = np.linalg.lstsq(np.array(rows), np.array(targets))[0]
    weights = phase_weights(fit_kernel([texture], factor, size=m, ridge=0), factor).reshape(9, 4)
    np.testing.assert_allclose(np.delete(weights, 4, axis=0), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("extra", [(0, 0), (2, 6), (8, 4)])
def test_a_kernel_of_two_axes_is_a_transposed_convolution(rng, factor, extra):
    image = rng.random((17, 19))
    kernel = rng.random((factor + extra[0], factor + extra[1]))
    heads = tuple(n // 2 for n in extra)
    expected = conv_transpose(image, kernel, stride=factor, padding=heads)
    enlarged = upsample(image, factor, kernel=kernel)
    inner = (slice(3 * factor, -3 * factor),) * 2
    assert enlarged.shape == expected.shape
    np.testing.assert_allclose(enlarged[inner], expected[inner], rtol=0, atol=1e-12)
    wide = np.pad(image, 9, mode="edge")
    borders = conv_transpose(wide, kernel, stride=factor, padding=heads)[
        9 * factor : -9 * factor, 9 * factor : -9 * factor
    ]
    np.testing.assert_allclose(enlarged, borders, rtol=0, atol=1e-12)


def test_an_outer_product_of_taps_does_what_the_taps_do(rng):
    taps = rng.random(10)
    image = rng.random((9, 8, 7))
    cube = taps[:, None, None] * taps[:, None] * taps
    np.testing.assert_allclose(upsample(image, 2, kernel=cube), upsample(image, 2, kernel=taps), rtol=0, atol=1e-11)


def test_phases_and_kernel_are_two_layouts_of_one_thing(rng):
    kernel = rng.random((10, 14))
    np.testing.assert_array_equal(kernel_of_phases(phase_weights(kernel, 2))[:, :], kernel)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_channels_are_enlarged_each_by_itself_by_a_kernel_of_two_axes(rng, axis):
    planes, kernel = rng.random((3, 8, 12)), rng.random((6, 6))
    expected = np.moveaxis(np.stack([upsample(plane, 2, kernel=kernel) for plane in planes]), 0, axis)
    result = upsample(np.moveaxis(planes, 0, axis), 2, kernel=kernel, channel_axis=axis)
    np.testing.assert_array_equal(result, expected)


def test_the_default_decimation_is_downsample(scene):
    np.testing.assert_allclose(decimate(scene[None], 3, None)[0], downsample(scene, 3), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("factor", "shape"), [(2, (4, 6)), (3, (5, 7)), (3, (1, 3)), (4, (2, 8))])
def test_a_blur_is_taken_about_its_middle_on_the_half_pixel_grid(scene, factor, shape):
    psf = np.random.default_rng(4).random(shape)
    psf /= psf.sum()
    small = decimate(scene[None], factor, psf)[0]
    full = degrade(scene, psf, boundary="edge")  # origin at shape // 2
    # Output pixel i lies at (i + 1/2) factor - 1/2; the middle of the blur at (k - 1) / 2, its origin at k // 2.
    starts = [(factor - 1) // 2 if k % 2 else factor // 2 - 1 for k in shape]
    rows, columns = (n // factor for n in scene.shape)
    expected = full[starts[0] :: factor, starts[1] :: factor][:rows, :columns]
    inner = (slice(2, -2),) * 2
    np.testing.assert_allclose(small[inner], expected[inner], rtol=0, atol=1e-12)


def test_a_kernel_fitted_to_a_blur_undoes_that_blur_better_than_one_that_is_not(camera):
    bell = np.exp(-0.5 * ((np.arange(8) - 3.5) / 1.4) ** 2)
    psf = np.outer(bell, bell)
    psf /= psf.sum()
    teacher, scene = camera[:256], camera[256:]
    small = decimate(scene[None], 2, psf)[0]
    fitted = upsample(small, 2, kernel=fit_kernel([teacher], 2, blur=psf))
    assert psnr(scene, fitted, border=8) > psnr(scene, upsample(small, 2, kernel="fitted"), border=8) + 0.5


def test_the_record_says_how_well_the_taps_are_determined(camera):
    fit = kernel_fit([camera], 2, size=5)
    assert fit.pixels == (256 - 4) ** 2
    assert fit.condition > kernel_fit([np.random.default_rng(0).random((512, 512))], 2, size=5).condition
    small = downsample(camera.astype(np.float32), 2)
    error = upsample(small.astype(float), 2, kernel=fit.kernel) - camera
    assert abs(np.sqrt(np.mean(error[4:-4, 4:-4] ** 2)) / fit.error - 1) < 0.02


def test_a_fitted_kernel_beats_bicubic_on_a_photograph_it_has_not_seen(camera):
    coffee = iio.imread(DATA / "coffee.png")[..., 1] / 255
    small = downsample(coffee, 2)
    gain = psnr(coffee, upsample(small, 2, kernel=fit_kernel([camera], 2)), border=2) - psnr(
        coffee, upsample(small, 2), border=2
    )
    assert gain > 1.0


def test_pictures_are_used_at_smaller_sizes_too(camera):
    assert kernel_fit([camera], 2, size=3, shrink=(1, 2)).pixels == 254**2 + 126**2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 1}, "factor must be at least 2, got 1"),
        ({"size": 4}, "size must be odd and at least 3, got 4"),
        ({"rank": 0}, "rank must be at least 1 or None, got 0"),
        ({"ridge": -1}, "ridge must not be negative, got -1"),
        ({"bits": 0}, "bits must be 1 to 16 or None, got 0"),
        ({"shrink": ()}, "shrink must be whole numbers"),
        ({"blur": np.full((3, 3), 1 / 9)}, "blur must have two axes of even length"),
        ({"images": []}, "images must hold a picture of at least 14 x 14 pixels, got none"),
        ({"images": [np.full((40, 40), 0.3)]}, "images must have texture"),
        ({"images": [np.zeros((40, 40, 5))]}, "at most 4 channels"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_a_sentence(texture, options, message):
    arguments = {"images": [texture], "factor": 2, **options}
    with pytest.raises(ValueError, match=message):
        fit_kernel(arguments.pop("images"), arguments.pop("factor"), **arguments)


@pytest.mark.parametrize(
    ("image", "factor", "message"),
    [
        (np.zeros((8, 8)), (2, 4), "kernel of 2 axes enlarges 2 spatial axes by one factor, got the factors"),
        (np.zeros(8), 2, "kernel of 2 axes enlarges 2 spatial axes by one factor, got the factors"),
        (np.zeros((8, 8)), 3, r"kernel must have 3, 5, 7, \.\.\. taps"),
    ],
)
def test_a_kernel_of_two_axes_needs_two_axes_and_one_factor(image, factor, message):
    with pytest.raises(ValueError, match=message):
        upsample(image, factor, kernel=np.ones((4, 4)))
