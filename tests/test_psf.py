"""PSFs: promises, moments and transfer functions against their closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.ndimage
import scipy.special

from restoretk._arrays import Array
from restoretk.convolution.fourier import psf_to_otf
from restoretk.psf import (
    PSFS,
    airy_psf,
    box_psf,
    camera_shake_psf,
    check_psf,
    disk_psf,
    gaussian_psf,
    moffat_psf,
    motion_psf,
    turbulence_psf,
)

ONE_OF_EACH = {
    "gaussian": gaussian_psf((2, 1), angle=30),
    "motion": motion_psf(15, 30),
    "disk": disk_psf(4.3),
    "box": box_psf((3, 9)),
    "airy": airy_psf(4),
    "moffat": moffat_psf(3, 2.5),
    "turbulence": turbulence_psf(0.0025),
    "camera_shake": camera_shake_psf(25, rng=3),
}


def moments(psf: Array) -> tuple[Array, Array]:
    """Centre of mass and covariance about the origin at shape // 2."""
    axes = np.meshgrid(*(np.arange(side) - side // 2 for side in psf.shape), indexing="ij")
    mean = np.array([(psf * axis).sum() for axis in axes])
    return mean, np.array([[(psf * a * b).sum() for b in axes] for a in axes])


def direction(angle: float) -> tuple[Array, Array]:
    """Unit vectors (rows, columns) along a counter-clockwise angle and across it; rows point down."""
    t = np.deg2rad(angle)
    return np.array([-np.sin(t), np.cos(t)]), np.array([np.cos(t), np.sin(t)])


def radial_otf(profile, radius: float, frequency: float) -> float:
    """The Hankel transform of a radial profile, 2 pi int p(r) J0(2 pi f r) r dr, by quadrature."""
    value, _ = scipy.integrate.quad(
        lambda r: 2 * np.pi * r * profile(r) * scipy.special.j0(2 * np.pi * frequency * r), 0, radius, limit=400
    )
    return value


def test_there_is_one_example_of_every_psf_here():
    assert list(ONE_OF_EACH) == list(PSFS)


@pytest.mark.parametrize("name", PSFS)
def test_every_psf_keeps_its_promises(name):
    psf = ONE_OF_EACH[name]
    assert psf.dtype == np.float64
    assert psf.min() >= 0
    assert abs(psf.sum() - 1) < 1e-12
    assert all(side % 2 for side in psf.shape)
    check_psf(psf)


@pytest.mark.parametrize("name", PSFS)
def test_the_centre_of_mass_is_the_origin(name):
    mean, _ = moments(ONE_OF_EACH[name])
    np.testing.assert_allclose(mean, 0, atol=1e-12)


# gaussian


@pytest.mark.parametrize("sigma", [0.8, 1.6, 5.0])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_variance_of_a_gaussian_is_sigma_squared(sigma, ndim):
    psf = gaussian_psf(sigma, ndim=ndim)
    _, covariance = moments(psf)
    assert psf.ndim == ndim
    np.testing.assert_allclose(covariance, np.eye(ndim) * sigma**2, rtol=2e-3, atol=1e-12)


def test_a_gaussian_is_what_scipy_filters_with():
    delta = np.zeros(41)
    delta[20] = 1
    expected = scipy.ndimage.gaussian_filter1d(delta, 1.6, radius=7)[13:28]
    np.testing.assert_allclose(gaussian_psf(1.6, ndim=1), expected, atol=1e-15)


def test_two_sigmas_are_those_of_rows_and_columns():
    _, covariance = moments(gaussian_psf((3, 1.5)))
    np.testing.assert_allclose(covariance, np.diag([9, 2.25]), rtol=2e-3, atol=1e-12)


def test_three_sigmas_make_a_volume():
    _, covariance = moments(gaussian_psf((1, 2, 1.5)))
    np.testing.assert_allclose(np.diag(covariance), [1, 4, 2.25], rtol=2e-3)


@pytest.mark.parametrize("angle", [30, -70, 135])
def test_a_turned_gaussian_is_long_in_the_direction_of_a_motion_of_the_same_angle(angle):
    _, covariance = moments(gaussian_psf((1, 3), angle=angle))
    along, across = direction(angle)
    assert along @ covariance @ along == pytest.approx(9, rel=5e-3)
    assert across @ covariance @ across == pytest.approx(1, rel=5e-3)
    assert abs(along @ covariance @ across) < 0.01


def test_an_even_size_puts_the_peak_at_half_the_side():
    psf = gaussian_psf(1.2, size=(8, 11))
    assert psf.shape == (8, 11)
    assert np.unravel_index(psf.argmax(), psf.shape) == (4, 5)


# motion


@pytest.mark.parametrize(
    ("length", "angle"), [(15, 0), (15, 30), (9, 90), (15, 45), (20.7, 123), (30, 5), (12.25, -33), (40, 212)]
)
def test_motion_spreads_its_light_along_the_line_and_not_across(length, angle):
    _, covariance = moments(motion_psf(length, angle))
    along, across = direction(angle)
    assert along @ covariance @ along == pytest.approx(length**2 / 12, abs=0.25)
    assert across @ covariance @ across < 1 / 6
    assert abs(along @ covariance @ across) < 0.1  # a quarter of a degree at length 15


@pytest.mark.parametrize("angle", [0, 12, 30, 44.9])
def test_in_every_column_that_a_motion_crosses_the_centre_of_mass_is_on_the_line(angle):
    psf = motion_psf(21.3, angle)
    rows = np.arange(psf.shape[0]) - psf.shape[0] // 2
    columns = np.arange(psf.shape[1]) - psf.shape[1] // 2
    reach = 21.3 / 2 * np.cos(np.deg2rad(angle))
    inside = np.abs(columns) + 0.5 < reach  # not the two end columns, which hold a part of a pixel of the line
    found = (psf * rows[:, None]).sum(0)[inside] / psf.sum(0)[inside]
    np.testing.assert_allclose(found, -np.tan(np.deg2rad(angle)) * columns[inside], atol=1e-12)
    np.testing.assert_allclose(psf.sum(0)[inside], 1 / (2 * reach), rtol=1e-12)


def test_motion_of_an_odd_whole_length_along_a_row_is_that_many_equal_pixels():
    np.testing.assert_allclose(motion_psf(9), np.full((1, 9), 1 / 9), rtol=1e-14)
    np.testing.assert_allclose(motion_psf(9, 90), np.full((9, 1), 1 / 9), rtol=1e-14)


def test_motion_at_thirty_degrees_rises_to_the_right():
    psf = motion_psf(15, 30)
    middle = psf.shape[0] // 2
    assert psf[:middle, psf.shape[1] // 2 + 2 :].sum() > 0.25
    assert psf[: middle - 1, : psf.shape[1] // 2].sum() == 0


@pytest.mark.parametrize("angle", [17, 45, 80])
def test_motion_turned_by_right_angles_is_the_same_array_turned(angle):
    psf = motion_psf(11.5, angle)
    np.testing.assert_allclose(motion_psf(11.5, angle + 90), np.rot90(psf), atol=1e-14)
    np.testing.assert_allclose(motion_psf(11.5, angle + 180), psf, atol=1e-14)


def test_motion_of_a_growing_length_changes_without_jumps():
    before = np.zeros((31, 31))
    steps = []
    for length in np.arange(8, 12, 0.05):
        psf = motion_psf(length, 37)
        here = np.zeros((31, 31))
        rows, columns = ((31 - side) // 2 for side in psf.shape)
        here[rows : 31 - rows, columns : 31 - columns] = psf
        steps.append(np.abs(here - before).sum())
        before = here
    assert max(steps[1:]) < 0.02


def test_motion_up_to_one_pixel_moves_nothing():
    np.testing.assert_array_equal(motion_psf(1), [[1.0]])
    np.testing.assert_array_equal(motion_psf(0.3, 90), [[1.0]])


@pytest.mark.parametrize("angle", [0, 30, 90])
def test_the_otf_of_motion_is_a_sinc(angle):
    length, n = 15.0, 64
    rows, columns = np.meshgrid(np.fft.fftfreq(n), np.fft.rfftfreq(n), indexing="ij")
    along, _ = direction(angle)
    frequency = rows * along[0] + columns * along[1]
    low = np.hypot(rows, columns) < 0.1  # beyond, the pixels themselves count
    otf = psf_to_otf(motion_psf(length, angle), (n, n))
    assert np.abs(otf - np.sinc(length * frequency))[low].max() < 0.03


# disk and box


@pytest.mark.parametrize("radius", [0.7, 1, 2.5, 4, 7.3])
def test_every_pixel_of_a_disk_holds_the_area_covered(radius):
    psf = disk_psf(radius)
    fine = 201
    points = (np.arange(psf.shape[0] * fine) + 0.5) / fine - psf.shape[0] / 2
    inside = (points[:, None] ** 2 + points[None, :] ** 2 < radius**2).reshape(psf.shape[0], fine, psf.shape[1], fine)
    np.testing.assert_allclose(psf, inside.mean((1, 3)) / (np.pi * radius**2), atol=3e-4 / radius)
    assert psf[psf.shape[0] // 2, psf.shape[1] // 2] == pytest.approx(min(1 / (np.pi * radius**2), 1), rel=2e-2)


def test_a_disk_up_to_half_a_pixel_is_a_delta():
    np.testing.assert_array_equal(disk_psf(0.5), [[1.0]])
    np.testing.assert_array_equal(disk_psf(1e-6), [[1.0]])


@pytest.mark.parametrize("radius", [4, 7.3, 12.5])
def test_the_variance_of_a_disk_is_that_of_the_disk_and_of_the_pixel(radius):
    _, covariance = moments(disk_psf(radius))
    np.testing.assert_allclose(covariance, np.eye(2) * (radius**2 / 4 + 1 / 12), rtol=0.02, atol=1e-12)


def test_the_otf_of_a_disk_is_that_of_bessel_times_that_of_the_pixel():
    radius, n = 4.3, 64
    rows, columns = np.meshgrid(np.fft.fftfreq(n), np.fft.rfftfreq(n), indexing="ij")
    z = 2 * np.pi * radius * np.hypot(rows, columns)
    z[0, 0] = 1
    expected = 2 * scipy.special.j1(z) / z * np.sinc(rows) * np.sinc(columns)
    expected[0, 0] = 1
    low = np.hypot(rows, columns) < 0.25
    otf = psf_to_otf(disk_psf(radius), (n, n))
    assert np.abs(otf - expected)[low].max() < 0.01


def test_a_box_is_a_mean_of_its_sides():
    np.testing.assert_array_equal(box_psf(5, ndim=1), np.full(5, 0.2))
    np.testing.assert_allclose(box_psf(4), np.full((4, 4), 1 / 16), rtol=1e-15)
    assert box_psf(3, ndim=3).shape == (3, 3, 3)
    assert box_psf((3, 9)).shape == (3, 9)


# airy, moffat, turbulence


def test_airy_is_dark_at_its_radius():
    psf = airy_psf(4)
    middle = psf.shape[0] // 2
    assert psf[middle, middle + 4] < 1e-12
    assert psf[middle + 4, middle] < 1e-12
    assert psf[middle, middle + 3] > 0.01 * psf.max()


def test_airy_holds_the_light_that_its_formula_gives_within_the_first_ring():
    psf = airy_psf(8, size=401)
    rows, columns = np.mgrid[-200:201, -200:201]
    # Rayleigh: 1 - J0(z)^2 - J1(z)^2 of the light lies within z; 83.8 % at the first dark ring.
    assert psf[np.hypot(rows, columns) <= 8].sum() == pytest.approx(0.8378, abs=0.01)


def test_the_otf_of_airy_is_the_overlap_of_two_round_apertures():
    radius, n = 4.0, 512
    otf = psf_to_otf(airy_psf(radius, size=511), (n, n))[0].real
    s = np.minimum(np.fft.rfftfreq(n) / (2 * 3.8317059702 / (2 * np.pi * radius)), 1)
    expected = 2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s**2))
    np.testing.assert_allclose(otf, expected, atol=0.01)


@pytest.mark.parametrize("beta", [1.5, 2.5, 4.765])
def test_moffat_falls_to_half_at_half_its_fwhm(beta):
    psf = moffat_psf(6, beta)
    middle = psf.shape[0] // 2
    assert psf[middle, middle + 3] / psf[middle, middle] == pytest.approx(0.5, rel=1e-12)


def test_the_default_window_of_moffat_holds_nearly_all_light():
    a = 3 / (2 * np.sqrt(2 ** (1 / 2.5) - 1))
    reach = moffat_psf(3, 2.5).shape[0] // 2
    assert (1 + reach**2 / a**2) ** (1 - 2.5) <= 0.005


def test_moffat_of_a_large_beta_is_a_gaussian():
    sigma = 6 / (2 * np.sqrt(2 * np.log(2)))
    np.testing.assert_allclose(moffat_psf(6, 1e6, size=21), gaussian_psf(sigma, size=21), atol=1e-7)


@pytest.mark.parametrize("k", [0.0025, 0.001])
def test_the_otf_of_turbulence_is_that_of_hufnagel_and_stanley(k):
    n = 480
    psf = turbulence_psf(k, size=201)
    u, v = np.meshgrid(np.fft.fftfreq(n) * n, np.fft.rfftfreq(n) * n, indexing="ij")  # the book's u and v at 480 x 480
    expected = np.exp(-k * (u**2 + v**2) ** (5 / 6))
    assert np.abs(psf_to_otf(psf, (n, n)) - expected).max() < 1e-3


@pytest.mark.parametrize("k", [0.0025, 0.001, 0.00025])
def test_turbulence_is_sampled_from_the_continuous_psf(k):
    psf = turbulence_psf(k, size=61)
    inverse = [radial_otf(lambda f: np.exp(-k * (480 * f) ** (5 / 3)), 8, r) for r in (0, 1, 2, 5)]
    np.testing.assert_allclose(psf[30, [30, 31, 32, 35]] / psf[30, 30], np.array(inverse) / inverse[0], atol=1e-4)


def test_turbulence_by_default_cuts_off_one_percent_of_its_light():
    for k in (0.0025, 0.00025):
        kept = turbulence_psf(k).shape[0] // 2
        wide = turbulence_psf(k, size=16 * kept + 1)
        middle = wide.shape[0] // 2
        assert wide[middle - kept : middle + kept + 1, middle - kept : middle + kept + 1].sum() > 0.99


def test_the_extent_of_turbulence_is_its_unit_of_frequency():
    np.testing.assert_allclose(
        turbulence_psf(0.0025, extent=480), turbulence_psf(0.0025 * 2 ** (5 / 3), extent=240), atol=1e-12
    )


# camera shake


def test_camera_shake_is_the_same_for_the_same_seed_and_another_for_another():
    np.testing.assert_array_equal(camera_shake_psf(25, rng=3), camera_shake_psf(25, rng=3))
    np.testing.assert_array_equal(camera_shake_psf(25, rng=3), camera_shake_psf(25, rng=np.random.default_rng(3)))
    assert np.abs(camera_shake_psf(25, rng=3) - camera_shake_psf(25, rng=4)).max() > 0.01


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("size", [3, 24, 25])
def test_camera_shake_is_one_thin_connected_trace_that_reaches_the_edge(seed, size):
    psf = camera_shake_psf(size, rng=seed)
    assert psf.shape == (size, size)
    np.testing.assert_allclose(moments(psf)[0], 0, atol=1e-12)
    _, parts = scipy.ndimage.label(psf > 0, np.ones((3, 3)))
    assert parts == 1
    reach = max(np.abs(index - size // 2).max() for index in np.nonzero(psf))
    assert reach == (size - 1) // 2
    if size > 3:
        assert (psf > 0).mean() < 0.4


def test_a_smaller_smoothness_makes_a_longer_path():
    calm = [np.count_nonzero(camera_shake_psf(65, rng=seed, smoothness=1.0)) for seed in range(6)]
    trembling = [np.count_nonzero(camera_shake_psf(65, rng=seed, smoothness=0.05)) for seed in range(6)]
    assert min(trembling) > max(calm)


# what is refused


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_psf(0), "sigma must be > 0, got 0"),
        (lambda: gaussian_psf(-1.0), "sigma must be > 0, got -1.0"),
        (lambda: gaussian_psf(float("nan")), "sigma must be finite"),
        (lambda: gaussian_psf("2"), "sigma must be a number, got '2'"),
        (lambda: gaussian_psf(1, ndim=4), "ndim must be 1, 2 or 3, got 4"),
        (lambda: gaussian_psf((1, 2, 3, 4)), "sequence of 1 to 3"),
        (lambda: gaussian_psf(2, ndim=1, angle=30), "angle turns a Gaussian of 2 axes only"),
        (lambda: gaussian_psf(1, size=2.5), "size must be integers >= 1, got 2.5"),
        (lambda: gaussian_psf(1, size=(3, 3, 3)), "size must be one integer or 2"),
        (lambda: gaussian_psf(1e308), "sigma must be between"),
        (lambda: gaussian_psf(1e6), "at most 16777216 elements"),
        (lambda: motion_psf(0), "length must be > 0, got 0"),
        (lambda: motion_psf(5, float("inf")), "angle must be finite"),
        (lambda: motion_psf(1e9), "at most 16777216 elements"),
        (lambda: disk_psf(-4), "radius must be > 0, got -4"),
        (lambda: disk_psf(1e11), "at most 16777216 elements"),
        (lambda: box_psf(0), "size must be integers >= 1, got 0"),
        (lambda: box_psf(2.5), "size must be integers >= 1, got 2.5"),
        (lambda: box_psf(10**6), "at most 16777216 elements"),
        (lambda: airy_psf(0), "radius must be > 0"),
        (lambda: moffat_psf(3, 1), "beta must be > 1, got 1"),
        (lambda: moffat_psf(0, 2), "fwhm must be > 0"),
        (lambda: turbulence_psf(0), "k must be > 0"),
        (lambda: turbulence_psf(0.001, extent=-1), "extent must be > 0"),
        (lambda: camera_shake_psf(2, rng=1), "size must be at least 3, got 2"),
        (lambda: camera_shake_psf(25, rng=None), "rng must be a seed"),
        (lambda: camera_shake_psf(25, rng=1, smoothness=0.001), "smoothness must be between"),
    ],
)
def test_parameters_that_cannot_be_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: gaussian_psf(1e-12),
        lambda: gaussian_psf((1e-9, 2)),
        lambda: airy_psf(1e-9),
        lambda: moffat_psf(1e-9, 2.5),
        lambda: turbulence_psf(1e-12),
        lambda: camera_shake_psf(9, rng=1, smoothness=10),
        lambda: moffat_psf(3, 1.0001),
    ],
)
def test_extreme_parameters_still_give_a_psf(call):
    psf = check_psf(call())
    np.testing.assert_allclose(moments(psf)[0], 0, atol=1e-6)


# check_psf


def test_check_psf_hands_floats_through_and_does_not_copy(lopsided_psf):
    assert check_psf(lopsided_psf) is lopsided_psf
    assert check_psf(lopsided_psf.astype(np.float32)).dtype == np.float32
    assert check_psf([0, 1, 0]).dtype == np.float64


def test_check_psf_allows_a_sum_within_a_thousandth(lopsided_psf):
    check_psf(lopsided_psf * 1.0009)
    with pytest.raises(ValueError, match=r"psf must sum to 1 within 0.001, got 1.0011: divide the psf by its sum"):
        check_psf(lopsided_psf * 1.0011)


@pytest.mark.parametrize(
    ("psf", "message"),
    [
        (np.zeros((3, 3)), "must not be all zero"),
        (np.array([-0.1, 1.1]), "must not be negative, got a minimum of -0.1"),
        (np.array([0.5, np.nan]), r"must be finite, got 1 NaN or infinite values, the first at \(1,\)"),
        (np.array(1.0), "at least one axis"),
        (np.zeros((0, 3)), "at least one axis and one element"),
        (np.ones((3, 3), np.uint8), "must sum to 1 within 0.001, got 9"),
    ],
)
def test_check_psf_refuses_a_broken_promise(psf, message):
    with pytest.raises(ValueError, match=message):
        check_psf(psf)


@pytest.mark.parametrize("psf", [np.ones((3, 3), complex) / 9, np.array(["a"]), np.array([None]), np.array([True])])
def test_check_psf_refuses_what_is_not_real_numbers(psf):
    with pytest.raises(TypeError, match="blur must hold real numbers, got dtype"):
        check_psf(psf, "blur")


def test_check_psf_says_that_an_otf_is_no_psf(lopsided_psf):
    with pytest.raises(TypeError, match="an OTF never enters through a psf argument"):
        check_psf(np.fft.rfft2(lopsided_psf))


def test_check_psf_refuses_a_masked_array(lopsided_psf):
    with pytest.raises(TypeError, match="masked array"):
        check_psf(np.ma.masked_array(lopsided_psf))
