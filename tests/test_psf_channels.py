"""One PSF for a picture or one for each channel: the same rule everywhere, and one sentence where it is misread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.degradation import degrade
from restoretk.diagnostics import compare_psfs, inspect_psf, recoverability
from restoretk.noise_estimation import estimate_noise_sigma
from restoretk.psf import check_psf, psfs_for
from restoretk.restoration import wiener


@pytest.fixture
def psfs(lopsided_psf: Array) -> Array:
    """Three, channels last."""
    return np.stack([lopsided_psf, lopsided_psf[::-1], np.roll(lopsided_psf, 1, axis=1)], axis=-1)


def test_a_psf_with_all_axes_of_the_picture_is_one_for_each_channel(psfs: Array, lopsided_psf: Array) -> None:
    for axis in (2, -1):
        found = psfs_for(psfs, (45, 63, 3), axis)
        assert len(found) == 3
        np.testing.assert_array_equal(found[1], psfs[..., 1])
    np.testing.assert_array_equal(psfs_for(np.moveaxis(psfs, -1, 0), (3, 45, 63), 0)[2], psfs[..., 2])
    (one,) = psfs_for(lopsided_psf, (45, 63, 3), -1)
    np.testing.assert_array_equal(one, lopsided_psf)


def test_a_volume_has_one_psf_of_three_axes(lopsided_psf: Array) -> None:
    volume = np.stack([lopsided_psf] * 3) / 3
    assert [psf.shape for psf in psfs_for(volume, (20, 45, 63), None)] == [(3, 4, 7)]
    assert [psf.shape for psf in psfs_for(volume, (20, 45, 63, 3), -1)] == [(3, 4, 7)]


def test_another_number_of_psfs_is_named(psfs: Array) -> None:
    with pytest.raises(ValueError, match="must be one array or one for each of the 3 channels, got 2 along axis -1"):
        psfs_for(psfs[..., :2], (45, 63, 3), -1)
    with pytest.raises(ValueError, match=r"got 7 along axis -1 of shape \(3, 4, 7\): np.moveaxis\(psf, 0, -1\) brings"):
        psfs_for(np.moveaxis(psfs, -1, 0), (45, 63, 3), -1)
    with pytest.raises(ValueError, match="psf of channel 1 must sum to 1"):
        psfs_for(psfs * [1, 2, 1], (45, 63, 3), -1)
    with pytest.raises(TypeError, match="psf is a masked array"):
        psfs_for(np.ma.masked_array(psfs), (45, 63, 3), -1)


STACK = (
    r"psf of shape \(4, 7, 3\) holds one psf for each of 3 channels along axis -1: pass channel_axis where it is taken"
)
ONE_PSF: dict[str, Callable[[Array], object]] = {
    "check_psf": check_psf,
    "wiener": lambda psfs: wiener(np.zeros((45, 63, 3)), psfs),
    "degrade": lambda psfs: degrade(np.zeros((45, 63, 3)), psfs),
    "estimate_noise_sigma": lambda psfs: estimate_noise_sigma(np.zeros((45, 63, 3)), psfs),
    "recoverability": lambda psfs: recoverability(psfs, np.ones((45, 32)), (45, 63)),
    "compare_psfs": lambda psfs: compare_psfs(psfs, lambda _: 0.0),
    "inspect_psf": lambda psfs: inspect_psf(psfs, (45, 63)),
}


@pytest.mark.parametrize("name", ONE_PSF)
def test_where_one_psf_is_taken_several_are_answered_with_what_to_do(name: str, psfs: Array) -> None:
    with pytest.raises(ValueError, match=STACK):
        ONE_PSF[name](psfs)


def test_the_sentence_says_how_to_take_one(psfs: Array) -> None:
    (sentence,) = inspect_psf(psfs).findings
    assert sentence.endswith("or one psf at a time (psf[..., 0], psf[..., 1], ...)")
    (sentence,) = inspect_psf(np.moveaxis(psfs, -1, 0)).findings
    assert "3 channels along axis 0" in sentence
    assert sentence.endswith("(psf[0], psf[1], ...)")


def test_a_volume_of_sum_1_is_not_taken_for_several() -> None:
    assert not any("channels" in sentence for sentence in inspect_psf(np.full((3, 5, 7), 1 / 105)).findings)
    with pytest.raises(ValueError, match=r"must sum to 1 within 0\.001, got 9: divide the psf by its sum"):
        check_psf(np.ones((3, 3)))
