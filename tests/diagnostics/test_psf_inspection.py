"""The look at a PSF: each peculiarity is said, and nothing else; a PSF without any is passed in silence."""

from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.diagnostics import PsfInspection, inspect_psf
from restoretk.psf import airy_psf, disk_psf, gaussian_psf, motion_psf


def said(found: PsfInspection, words: str) -> bool:
    return any(words in sentence for sentence in found.findings)


def test_a_decent_psf_has_only_its_lost_frequencies_told() -> None:
    for psf in (gaussian_psf(1.6), airy_psf(4.0), gaussian_psf((1.2, 2.5), angle=20)):
        found = inspect_psf(psf, (512, 512))
        assert len(found.findings) == 1
        assert said(found, "of the frequencies are extinguished")


def test_the_figures_of_a_gaussian_are_its_parameters() -> None:
    found = inspect_psf(gaussian_psf(2.0))
    assert found.total == pytest.approx(1)
    assert found.width == pytest.approx((2, 2), rel=1e-3)
    assert found.centroid == pytest.approx((0, 0), abs=1e-12)
    assert found.asymmetry < 1e-9
    expected = np.sqrt(np.log(1 / 0.02) / 2) / (np.pi * 2)  # where exp(-2 pi^2 sigma^2 f^2) is 0.02
    assert found.first_dark_frequency == pytest.approx(expected, rel=0.02)
    assert found.last_light_frequency == pytest.approx(expected, rel=0.02)
    assert found.dark_share == pytest.approx(1 - np.pi * expected**2, rel=0.01)


def test_the_centroid_is_the_shift_of_a_blurred_picture(lopsided_psf: Array) -> None:
    found = inspect_psf(lopsided_psf)
    point = np.zeros((21, 24))
    point[10, 12] = 1
    blurred = convolve(point, lopsided_psf)
    rows, columns = np.indices(point.shape)
    moved = (blurred * rows).sum() - 10, (blurred * columns).sum() - 12
    assert found.centroid == pytest.approx(moved)
    shift = f"moves by ({-moved[0]:+.2f}, {-moved[1]:+.2f}) pixels"
    assert said(found, shift)
    assert found.even_axes == (0,)
    assert said(found, "axis 0 has the even side 4: the origin is taken at element 2")


def test_a_lopsided_psf_is_told_which_way_round_it_is_taken(lopsided_psf: Array) -> None:
    assert said(inspect_psf(lopsided_psf), "convolution is assumed")
    assert inspect_psf(lopsided_psf).asymmetry == pytest.approx(
        inspect_psf(lopsided_psf[::-1, ::-1]).asymmetry, rel=1e-6
    )


def test_a_shift_is_not_taken_for_a_lopsided_shape() -> None:
    off_centre = np.zeros((9, 10))
    off_centre[:7, 3:] = gaussian_psf(1.2, size=7)
    found = inspect_psf(off_centre)
    assert found.asymmetry < 1e-9
    assert not said(found, "convolution")
    assert found.centroid == pytest.approx((-1, 1))


def test_what_check_psf_refuses_is_described_and_not_raised() -> None:
    found = inspect_psf(np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]))
    assert found.total == 1
    assert found.negative_share == pytest.approx(4 / 9)
    assert said(found, "negative values hold 44.44% of the magnitude")
    assert said(inspect_psf(np.full((3, 3), 1.0)), "the sum is 9, not 1: divide the psf by it")
    assert inspect_psf(np.zeros((2, 3))).findings == ("all values are 0: this is no psf",)
    cancelled = inspect_psf(np.array([-0.5, 0, 0.5]))
    assert said(cancelled, "the sum is 0, not 1: no psf")
    assert np.isnan(cancelled.centroid[0])


def test_a_tail_that_was_cut_off_is_seen_on_the_rim() -> None:
    assert inspect_psf(gaussian_psf(2.0, size=7)).rim_share > 0.1
    assert said(inspect_psf(gaussian_psf(2.0, size=7)), "its tail was cut off")
    assert not said(inspect_psf(gaussian_psf(2.0)), "tail")
    line = inspect_psf(np.full((1, 10), 0.1))  # the rim of a line is its two ends
    assert line.rim_share == pytest.approx(0.2)


def test_a_background_is_named_and_not_taken_for_a_tail() -> None:
    measured = gaussian_psf(1.6, size=21) + 0.001
    found = inspect_psf(measured)
    assert found.background.found
    assert said(found, "the sum is 1.441, not 1: take its background off, then divide by what is left")
    assert said(found, "about 31% of its sum is a flat background of 0.001 at every element")
    assert said(found, "subtract_background(psf) takes it off")
    assert found.rim_share > 0.05
    assert not said(found, "tail")
    assert said(inspect_psf(measured / measured.sum()), "about 31% of its sum is a flat background")
    assert not said(inspect_psf(gaussian_psf(1.6)), "background")


def test_a_psf_too_large_for_its_picture_is_told() -> None:
    psf = disk_psf(6)
    assert said(inspect_psf(psf, (40, 10)), "is larger than the picture (40, 10)")
    assert said(inspect_psf(psf, (40, 20)), "is larger than half the picture (40, 20)")
    assert not said(inspect_psf(psf, (40, 41)), "larger")


def test_sampling_is_judged_on_each_axis() -> None:
    coarse = inspect_psf(gaussian_psf((0.3, 2.0)))
    assert said(coarse, "along axis 0 it leaves a contrast of")
    assert not said(coarse, "along axis 1 it leaves")
    assert said(inspect_psf(gaussian_psf(6.0)), "one pixel in 6 along each axis would do")
    assert not said(inspect_psf(motion_psf(15, 0)), "Nyquist")  # one row: nothing to say of the other axis
    assert inspect_psf(motion_psf(15, 0)).nyquist_contrast[1] == pytest.approx(1 / 15)


def test_a_single_element_blurs_nothing() -> None:
    assert inspect_psf([[1.0]]).findings == ("it is a single element: nothing is blurred and nothing will be restored",)
    delta = inspect_psf(np.eye(1, 9, 4)[0])
    assert delta.nyquist_contrast == pytest.approx((1,))
    assert delta.dark_share == 0


def test_zeros_of_a_box_are_where_they_belong() -> None:
    found = inspect_psf(np.full(10, 0.1)[None, :])
    assert found.first_dark_frequency == pytest.approx(0.1, abs=0.003)


@pytest.mark.parametrize("ndim", [1, 3])
def test_one_and_three_axes_are_described_too(ndim: int) -> None:
    psf = gaussian_psf(1.2, ndim=ndim)
    found = inspect_psf(np.concatenate([psf, np.zeros_like(psf[:1])]), (64,) * ndim)
    assert found.even_axes == (0,)
    assert found.centroid == pytest.approx((-1,) + (0,) * (ndim - 1))
    assert found.width == pytest.approx((1.2,) * ndim, rel=0.01)
    assert found.asymmetry < 1e-9


def test_the_argument_is_not_written_to(lopsided_psf: Array) -> None:
    before = lopsided_psf.copy()
    inspect_psf(lopsided_psf, (100, 100))
    np.testing.assert_array_equal(lopsided_psf, before)


def test_what_cannot_be_described_is_named() -> None:
    with pytest.raises(TypeError, match="psf must hold integers or floats of at most 64 bits, got dtype complex128"):
        inspect_psf(np.ones((3, 3), complex))
    with pytest.raises(TypeError, match="psf is a masked array"):
        inspect_psf(np.ma.masked_less(np.ones(3), 0))
    with pytest.raises(ValueError, match="psf must be finite, got 1 NaN"):
        inspect_psf([0.5, np.nan, 0.5])
    with pytest.raises(ValueError, match=r"psf must have 1 to 3 axes and at least one element, got shape \(0, 3\)"):
        inspect_psf(np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"image_shape must have the 2 axes of the psf, got \(5,\)"):
        inspect_psf(np.ones((3, 3)) / 9, (5,))
