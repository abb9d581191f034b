from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.metrics import psnr
from restoretk.upsampling import (
    KernelBank,
    bank_kernel,
    downsample,
    fit_kernel_bank,
    load_kernel,
    save_kernel,
    upsample,
)
from restoretk.upsampling.bank_upsampling import apply_stage
from restoretk.upsampling.local_gradients import feature_margin, gradient_features, turned


@pytest.fixture(scope="module")
def texture() -> Array:
    smooth = np.random.default_rng(5).random((120, 140))
    for _ in range(2):
        smooth = (smooth + np.roll(smooth, 1, 0) + np.roll(smooth, 1, 1)) / 3
    return smooth


@pytest.fixture(scope="module", params=[2, 3])
def bank(request, texture) -> KernelBank:
    return fit_kernel_bank([texture], request.param, size=5, stages=2, angles=2, strengths=3, coherences=2, sides=2)


@pytest.fixture(scope="module")
def small(texture) -> Array:
    return downsample(texture[:90, :66], 3)


def test_the_features_turn_with_the_picture(rng):
    picture = rng.random((24, 31))
    before = gradient_features(picture, 1.0)
    orders = turned(3)
    mark = np.arange(9).reshape(3, 3)
    for change in (np.flipud, np.fliplr, np.transpose, np.rot90):
        after = gradient_features(np.ascontiguousarray(change(picture)), 1.0)
        for name in ("angle", "strength", "coherence", "side"):
            np.testing.assert_allclose(getattr(after, name), change(getattr(before, name)), rtol=0, atol=1e-12)
        # Turned its way, each patch of the changed picture reads the same pixels as before.
        marks = change(mark).ravel()
        np.testing.assert_array_equal(marks[orders[after.turn]], orders[change(before.turn)])


def test_the_features_know_an_edge():
    rows, columns = np.mgrid[-20:21, -20:21]
    for degrees in (0, 20, 45):
        normal = np.cos(np.radians(degrees)) * columns + np.sin(np.radians(degrees)) * rows
        features = gradient_features(np.tanh(normal / 2), 1.0)
        margin = feature_margin(1.0)
        middle = (20 - margin, 20 - margin)
        assert abs(features.angle[middle] - np.tan(np.radians(degrees))) < 0.02
        assert features.coherence[middle] > 0.9
        assert features.side[middle] < 1e-6  # on the edge itself
        assert features.side[middle[0], middle[1] + 2] > 0.2
    assert gradient_features(np.full((20, 20), 0.5), 1.0).strength.max() == 0


def test_every_kernel_of_a_bank_sums_to_one(bank):
    for stage in bank.stages:
        np.testing.assert_allclose(stage.taps.sum(axis=1, dtype=np.float64), 1, rtol=0, atol=1e-5)
        assert stage.turned_taps().shape[0] == 8 * len(stage.taps)


@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "u2"])
def test_a_constant_stays_constant_to_the_last_bit_in_every_stage(bank, dtype):
    flat = np.full((21, 30), 0.3, dtype) if dtype[0] == "f" else np.full((21, 30), 77, dtype)
    enlarged = upsample(flat, bank.factor, kernel=bank)
    assert enlarged.dtype == flat.dtype
    assert enlarged.shape == (21 * bank.factor, 30 * bank.factor)
    np.testing.assert_allclose(enlarged.astype(float), float(flat[0, 0]), rtol=0, atol=2e-7 if dtype == "f4" else 1e-14)


def test_flips_and_turns_of_the_picture_flip_and_turn_the_result(bank, small):
    expected = upsample(small, bank.factor, kernel=bank)
    for change in (np.flipud, np.fliplr, np.transpose, np.rot90):
        turned_first = upsample(np.ascontiguousarray(change(small)), bank.factor, kernel=bank)
        np.testing.assert_allclose(turned_first, change(expected), rtol=0, atol=1e-9)


def test_a_negative_of_the_picture_gives_the_negative(bank, small):
    np.testing.assert_allclose(
        upsample(1 - small, bank.factor, kernel=bank), 1 - upsample(small, bank.factor, kernel=bank), rtol=0, atol=1e-9
    )


def test_strips_leave_no_seams(bank, small, monkeypatch):
    tall = np.tile(small, (5, 1))[None]
    results = []
    for pixels in (1, 10**9):
        monkeypatch.setattr("restoretk.upsampling.bank_upsampling._STRIP_PIXELS", pixels)
        results.append(apply_stage(tall, bank.stages[0]))
    np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-12)


def test_a_stage_is_the_mean_of_what_neighbouring_pixels_say(bank, small):
    """The definition, pixel by pixel, away from the border."""
    stage, s = bank.stages[0], bank.factor
    margin, r = feature_margin(stage.sigma), stage.size // 2
    result = apply_stage(small[None], stage)[0]
    features = gradient_features(small, stage.sigma)
    classes, taps = stage.kernel_classes(features), stage.turned_taps()
    row, column = 11, 9
    votes: dict[tuple[int, int], list[float]] = {}
    for i in (row - 1, row, row + 1):
        for j in (column - 1, column, column + 1):
            where = (i - margin, j - margin)
            kernel = taps[features.turn[where] * len(stage.taps) + classes[where]]
            patch = small[i - r : i + r + 1, j - r : j + r + 1].ravel()
            block = (patch @ kernel).reshape(stage.width, stage.width)
            for a in range(stage.width):
                for b in range(stage.width):
                    votes.setdefault((i * s - stage.overlap + a, j * s - stage.overlap + b), []).append(block[a, b])
    for i in range(row * s, row * s + s):
        for j in range(column * s, column * s + s):
            assert abs(np.mean(votes[i, j]) - result[i, j]) < 1e-5


def test_the_luma_chooses_for_all_channels(bank, small):
    grey = upsample(small, bank.factor, kernel=bank)
    colour = upsample(np.stack([small] * 3, axis=-1), bank.factor, kernel=bank, channel_axis=-1)
    np.testing.assert_allclose(colour, grey[..., None].repeat(3, axis=-1), rtol=0, atol=1e-9)
    assert upsample(small[None], bank.factor, kernel=bank, channel_axis=0).shape[0] == 1


def test_decimated_again_the_result_is_closer_to_the_input_than_bicubic(bank, small):
    again = [downsample(upsample(small, bank.factor, kernel=kernel), bank.factor) for kernel in (bank, "bicubic")]
    inner = (slice(3, -3),) * 2
    errors = [float(np.abs(one - small)[inner].mean()) for one in again]
    assert errors[0] < 0.2 * errors[1]


def test_a_bank_beats_one_kernel_on_the_picture_it_was_fitted_to(camera):
    bank = fit_kernel_bank([camera], 2, stages=1)
    small = downsample(camera, 2)
    gain = psnr(camera, upsample(small, 2, kernel=bank), border=2) - psnr(camera, upsample(small, 2), border=2)
    assert gain > 1.2


def test_a_bank_is_written_and_read_back(bank, small, tmp_path):
    save_kernel(tmp_path / "b.npz", bank, provenance={"pictures": ["texture"]})
    again = load_kernel(tmp_path / "b.npz")
    assert isinstance(again, KernelBank)
    assert again.factor == bank.factor
    assert again.provenance["pictures"] == ["texture"]
    first = [apply_stage(small[None], one.stages[0]) for one in (again, bank)]
    np.testing.assert_allclose(first[0], first[1], rtol=0, atol=2e-3)
    for stage in again.stages:
        np.testing.assert_allclose(stage.taps.sum(axis=1, dtype=np.float64), 1, rtol=0, atol=1e-5)


def test_a_bank_for_a_blur_keeps_it(texture, tmp_path):
    psf = np.full((4, 4), 1 / 16)
    bank = fit_kernel_bank([texture], 2, size=5, stages=1, angles=1, strengths=2, coherences=1, sides=1, blur=psf)
    save_kernel(tmp_path / "b.npz", bank)
    np.testing.assert_array_equal(load_kernel(tmp_path / "b.npz").blur, psf)


def test_a_kernel_is_written_with_its_provenance_beside_it(tmp_path):
    kernel = np.arange(4.0)
    save_kernel(tmp_path / "k.npy", kernel, provenance={"by": "hand"})
    np.testing.assert_array_equal(load_kernel(tmp_path / "k.npy"), kernel)
    assert '"hand"' in (tmp_path / "k.json").read_text()


def test_files_that_are_none_are_refused_in_a_sentence(bank, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.npz"):
        save_kernel(tmp_path / "b.npy", bank)
    with pytest.raises(ValueError, match=r"must end in \.npy"):
        load_kernel(tmp_path / "b.tif")
    (tmp_path / "b.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="holds no bank of kernels"):
        load_kernel(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", about=np.array("{}"))
    with pytest.raises(ValueError, match="holds no bank of kernels"):
        load_kernel(tmp_path / "c.npz")
    with pytest.raises(FileNotFoundError):
        load_kernel(tmp_path / "none.npy")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stages": 0}, "stages must be at least 1, got 0"),
        ({"strengths": 9}, "strengths must be at most 6, got 9"),
        ({"overlap": 3}, "overlap must be 0 to the factor 2, got 3"),
        ({"shrinkage": -1}, "shrinkage must not be negative"),
        ({"size": 6}, "size must be odd"),
        ({"images": [np.zeros((20, 20))]}, "pixels a side, got none"),
        ({"images": [np.full((90, 90), 0.5)]}, "images must have texture"),
    ],
)
def test_what_no_bank_can_be_fitted_to_is_refused(texture, options, message):
    arguments = {"images": [texture], "factor": 2, **options}
    with pytest.raises(ValueError, match=message):
        fit_kernel_bank(arguments.pop("images"), arguments.pop("factor"), **arguments)


def test_a_bank_is_for_pictures_and_its_own_factor(bank):
    with pytest.raises(ValueError, match=r"kernel is a bank for the factor \d, got the factor 5"):
        upsample(np.zeros((9, 9)), 5, kernel=bank)
    with pytest.raises(ValueError, match="enlarges 2 spatial axes"):
        upsample(np.zeros(9), bank.factor, kernel=bank)
    assert bank_kernel(1).stages == ()
