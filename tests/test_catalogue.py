"""The catalogue: text and files to PSFs, noises, methods and kernels."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from restoretk import psf as psfs
from restoretk.catalogue import make_kernel, make_method, make_noise, make_psf
from restoretk.noise import gaussian_noise
from restoretk.restoration import METHODS
from restoretk.upsampling import KERNELS


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("gaussian:sigma=1.6", lambda: psfs.gaussian_psf(1.6)),
        ("gaussian:sigma=1.6,ndim=3", lambda: psfs.gaussian_psf(1.6, ndim=3)),
        ("gaussian:sigma=2x1,angle=30", lambda: psfs.gaussian_psf((2, 1), angle=30)),
        ("gaussian:sigma=2,size=9x12", lambda: psfs.gaussian_psf(2, size=(9, 12))),
        ("motion:length=15,angle=30", lambda: psfs.motion_psf(15, 30)),
        ("disk:radius=4", lambda: psfs.disk_psf(4)),
        ("box:size=9", lambda: psfs.box_psf(9)),
        ("box:size=5,ndim=1", lambda: psfs.box_psf(5, ndim=1)),
        ("box:size=3x5", lambda: psfs.box_psf((3, 5))),
        ("airy:radius=4", lambda: psfs.airy_psf(4)),
        ("moffat:fwhm=3,beta=2.5", lambda: psfs.moffat_psf(3, 2.5)),
        ("turbulence:k=0.0025", lambda: psfs.turbulence_psf(0.0025)),
        ("camera_shake:size=25,seed=3", lambda: psfs.camera_shake_psf(25, rng=3)),
    ],
)
def test_a_spec_gives_what_the_function_gives(spec, expected):
    np.testing.assert_array_equal(make_psf(spec), expected())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("disc:radius=4", r"psf must be one of gaussian, .*camera_shake, file; got 'disc' \(did you mean 'disk'\?\)"),
        ("disk:r=4", r"key of psf disk must be one of radius; got 'r'"),
        ("motion:lenght=15", r"must be one of length, angle; got 'lenght' \(did you mean 'length'\?\)"),
        ("disk:radius=big", "radius of psf disk must be a number, got 'big'"),
        ("disk:radius=-4", "radius must be > 0, got -4"),
        ("disk", r"psf disk needs radius=\.\.\."),
        ("camera_shake:size=25", r"psf camera_shake needs seed=\.\.\."),
        ("file", r"psf file needs path=\.\.\., got 'file'"),
        ("file:name=a.npy", r"psf file needs path=\.\.\."),
        ("", "begins with a name"),
    ],
)
def test_a_wrong_psf_answers_with_the_choices(spec, message):
    with pytest.raises(ValueError, match=message):
        make_psf(spec)


# files


def test_an_array_file_is_divided_by_its_sum(tmp_path, lopsided_psf):
    path = tmp_path / "psf.npy"
    np.save(path, 19.5 * lopsided_psf)
    for spec in (str(path), path, f"file:path={path}"):
        np.testing.assert_allclose(make_psf(spec), lopsided_psf, rtol=1e-14)


def test_a_path_may_hold_the_signs_of_the_grammar(tmp_path, lopsided_psf):
    path = tmp_path / "disk:radius=4,a+b.npy"
    np.save(path, lopsided_psf)
    np.testing.assert_allclose(make_psf(f"file:path={path}"), lopsided_psf, rtol=1e-14)


def test_a_volume_of_three_columns_in_an_array_file_is_no_colour(tmp_path, rng):
    volume = rng.random((17, 18, 3))
    np.save(tmp_path / "psf.npy", volume)
    np.testing.assert_allclose(make_psf(tmp_path / "psf.npy"), volume / volume.sum(), rtol=1e-14)


def test_a_float_tiff_keeps_its_values(tmp_path, lopsided_psf):
    tifffile.imwrite(tmp_path / "psf.tif", lopsided_psf.astype(np.float32))
    np.testing.assert_allclose(make_psf(str(tmp_path / "psf.tif")), lopsided_psf, rtol=1e-6)


def test_a_grey_picture_is_a_psf_also_when_it_is_stored_as_colour(tmp_path, lopsided_psf):
    codes = np.rint(lopsided_psf * 255 / lopsided_psf.max()).astype(np.uint8)
    Image.fromarray(codes).save(tmp_path / "grey.png")
    Image.fromarray(np.stack([codes] * 3, axis=-1)).save(tmp_path / "rgb.png")
    for name in ("grey.png", "rgb.png"):
        np.testing.assert_allclose(make_psf(str(tmp_path / name)), codes / codes.sum(), rtol=1e-6)


def test_a_coloured_picture_is_no_psf(tmp_path, rng):
    Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(tmp_path / "psf.png")
    with pytest.raises(ValueError, match=r"psf\.png is in colour: give one grey picture"):
        make_psf(tmp_path / "psf.png")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 3)), r"psf\.npy must not be all zero"),
        (np.array([[1.0, -0.5]]), r"psf\.npy must not be negative, got a minimum of -0.5"),
        (np.array([[1.0, np.nan]]), "must be finite"),
    ],
)
def test_a_file_that_holds_no_psf_is_refused(tmp_path, values, message):
    np.save(tmp_path / "psf.npy", values)
    with pytest.raises(ValueError, match=message):
        make_psf(tmp_path / "psf.npy")


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "psf.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"psf\.png"):
        make_psf(str(tmp_path / "psf.png"))


def test_a_file_that_does_not_exist_is_told_by_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.npy"):
        make_psf(str(tmp_path / "absent.npy"))


# noises, methods, kernels


def test_a_noise_spec_gives_a_function_of_image_and_rng(scene):
    noise = make_noise("gaussian:sigma=0.01")
    np.testing.assert_array_equal(noise(scene, np.random.default_rng(1)), gaussian_noise(scene, 0.01, rng=1))


def test_a_method_spec_gives_the_name_and_its_options():
    assert make_method("wiener:noise_to_signal=0.01,boundary=wrap") == (
        "wiener",
        {"noise_to_signal": 0.01, "boundary": "wrap"},
    )
    assert make_method("wiener:noise_to_signal=auto")[1] == {"noise_to_signal": "auto"}
    assert make_method("regularized_filter:regularization=gcv,operator=gradient")[1]["operator"] == "gradient"


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_spelled_by_its_name(name):
    assert make_method(name) == (name, {})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("weiner", r"method must be one of .*wiener.*; got 'weiner' \(did you mean 'wiener'\?\)"),
        ("wiener:nsr=0.1", "key of method wiener must be one of noise_to_signal, .*; got 'nsr'"),
        ("wiener:psf=1", "got 'psf'"),
        ("wiener:channel_axis=1", "got 'channel_axis'"),
        ("inverse_filter:cutoff=high", "cutoff of method inverse_filter must be a number, got 'high'"),
    ],
)
def test_a_wrong_method_answers_with_the_choices(spec, message):
    with pytest.raises(ValueError, match=message):
        make_method(spec)


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_is_spelled_by_its_name(name):
    np.testing.assert_array_equal(make_kernel(name)(3), KERNELS[name](3))


def test_a_kernel_spec_sets_its_parameters():
    np.testing.assert_array_equal(make_kernel("bicubic:a=-0.75")(2), KERNELS["bicubic"](2, a=-0.75))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bicubik", r"kernel must be one of nearest, .*; got 'bicubik' \(did you mean 'bicubic'\?\)"),
        ("bicubic:b=1", "key of kernel bicubic must be one of a; got 'b'"),
        ("nearest:factor=3", r"key of kernel nearest must be one of \(none\); got 'factor'"),
        ("bicubic:a=sharp", "a of kernel bicubic must be a number, got 'sharp'"),
    ],
)
def test_a_wrong_kernel_answers_with_the_choices(spec, message):
    with pytest.raises(ValueError, match=message):
        make_kernel(spec)


# one PSF for each channel


@pytest.fixture
def colour_psfs(lopsided_psf):
    return np.stack([lopsided_psf, 2 * lopsided_psf[::-1], 3 * np.roll(lopsided_psf, 1, axis=1)])


@pytest.mark.parametrize("channel_axis", [0, 2])
@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_a_file_with_an_axis_of_the_channels_holds_one_psf_each(tmp_path, colour_psfs, suffix, place, channel_axis):
    path, pixels = tmp_path / f"psfs{suffix}", np.moveaxis(colour_psfs, 0, place)
    if suffix == ".npy":
        np.save(path, pixels)
    else:
        kind = "minisblack" if place == 0 else "rgb"  # pages, and the colours of one page
        tifffile.imwrite(path, np.ascontiguousarray(pixels), photometric=kind)
    shape = (3, 45, 63) if channel_axis == 0 else (45, 63, 3)
    psfs = np.moveaxis(make_psf(path, image_shape=shape, channel_axis=channel_axis), channel_axis, 0)
    for index in range(3):
        np.testing.assert_allclose(psfs[index], colour_psfs[index] / colour_psfs[index].sum(), rtol=1e-12)


def test_a_psf_in_grey_colours_is_one_for_all_channels(tmp_path, lopsided_psf):
    levels = np.rint(255 * lopsided_psf / lopsided_psf.max()).astype(np.uint8)
    Image.fromarray(np.dstack([levels] * 3)).save(tmp_path / "psf.png")
    psf = make_psf(tmp_path / "psf.png", image_shape=(45, 63, 3), channel_axis=2)
    np.testing.assert_allclose(psf, levels / levels.sum(dtype=float), rtol=1e-6)


def test_a_volume_for_a_stack_is_one_psf_whatever_its_sides(tmp_path, colour_psfs):
    np.save(tmp_path / "psf.npy", colour_psfs)
    whole = colour_psfs / colour_psfs.sum()
    for shape, channel_axis in (((20, 45, 63), None), ((20, 45, 63, 3), 3), ((3, 20, 45, 63), 0)):
        psf = make_psf(tmp_path / "psf.npy", image_shape=shape, channel_axis=channel_axis)
        np.testing.assert_allclose(psf, whole, rtol=1e-12)


def test_a_file_of_another_number_of_psfs_is_refused(tmp_path, colour_psfs, rng):
    np.save(tmp_path / "psf.npy", colour_psfs[:2])
    message = r"of shape \(2, 4, 7\) must have 2 axes, or hold one psf for each of the 3 channels of the picture"
    with pytest.raises(ValueError, match=message):
        make_psf(tmp_path / "psf.npy", image_shape=(45, 63, 3), channel_axis=2)
    Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(tmp_path / "psf.png")
    with pytest.raises(ValueError, match="is in colour: give one grey picture, or a picture of as many channels"):
        make_psf(tmp_path / "psf.png", image_shape=(45, 63, 4), channel_axis=2)
    np.save(tmp_path / "psf.npy", colour_psfs * np.array([1, 0, 1])[:, None, None])
    with pytest.raises(ValueError, match=r"channel 1 of the psf in .*psf\.npy must not be all zero"):
        make_psf(tmp_path / "psf.npy", image_shape=(45, 63, 3), channel_axis=2)
