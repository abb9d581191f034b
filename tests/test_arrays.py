from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from restoretk._arrays import (
    Array,
    as_finite,
    as_float_image,
    as_real,
    from_unit,
    in_unit,
    to_dtype,
    to_planes,
    unit_of,
)
from restoretk.catalogue import make_psf
from restoretk.convolution.average_pooling import average_pool
from restoretk.convolution.blur import convolve
from restoretk.convolution.matrix import convolution_matrix
from restoretk.convolution.max_pooling import max_pool
from restoretk.convolution.strided import conv
from restoretk.convolution.taper import edge_taper
from restoretk.degradation import degrade
from restoretk.diagnostics import audit_residual, inspect_psf
from restoretk.metrics import isnr, mse, psnr, ssim
from restoretk.noise import (
    gaussian_noise,
    jpeg,
    poisson_gaussian_noise,
    poisson_noise,
    quantize,
    salt_and_pepper_noise,
    speckle_noise,
)
from restoretk.noise_estimation import estimate_noise_sigma, estimate_poisson_gaussian, measure_noise
from restoretk.psf import check_psf, find_background, subtract_background
from restoretk.restoration import METHODS, plan_restoration, restore, wiener
from restoretk.upsampling import conv_transpose, downsample, upsample
from restoretk.upsampling.checkerboard import inspect_kernel
from restoretk.upsampling.phases import phase_sums

PSF = np.array([[0.0, 0.1, 0.0, 0.2], [0.1, 0.3, 0.2, 0.1]])
SHAPE = (33, 46)

# What keeps the scale of the image: f(c x) = c f(x).
SCALING: dict[str, Callable[[Any], Any]] = {
    **{name: lambda x, name=name: METHODS[name](x, PSF) for name in METHODS},
    **{f"restore {name}": lambda x, name=name: restore(x, PSF, name, boundary="wrap").image for name in METHODS},
    "wiener weighted": lambda x: wiener(x, PSF, noise_to_signal=0.01, weights=WEIGHTS, boundary="wrap"),
    "wiener masked": lambda x: wiener(x, PSF, noise_to_signal=0.01, mask=WEIGHTS > 1.9),
    "convolve": lambda x: convolve(x, PSF),
    "degrade": lambda x: degrade(x, PSF, boundary="wrap"),
    "edge_taper": lambda x: edge_taper(x, PSF),
    "upsample": lambda x: upsample(x, 2),
    "upsample fitted": lambda x: upsample(x, 2, kernel="fitted"),
    "downsample": lambda x: downsample(x, 2),
    "estimate_noise_sigma": lambda x: estimate_noise_sigma(x),
    "measure_noise": lambda x: np.array([measure_noise(x, PSF)[0].sigma, measure_noise(x, PSF)[0].spectral_floor]),
    "estimate_poisson_gaussian": lambda x: np.array(
        [estimate_poisson_gaussian(x).gain, estimate_poisson_gaussian(x).floor]
    ),
    "speckle_noise": lambda x: speckle_noise(x, 0.1, rng=1),
}
# What does not, or is arithmetic.
OTHER: dict[str, Callable[[Any], Any]] = {
    "mse": lambda x: mse(x, np.zeros(np.shape(x))),
    "psnr": lambda x: psnr(np.zeros(np.shape(x)), x),
    "ssim": lambda x: ssim(x, np.zeros(np.shape(x))),
    "isnr": lambda x: isnr(np.zeros(np.shape(x)), np.ones(np.shape(x)), x),
    "gaussian_noise": lambda x: gaussian_noise(x, 0.1, rng=1),
    "poisson_noise": lambda x: poisson_noise(x, 100, rng=1),
    "poisson_gaussian_noise": lambda x: poisson_gaussian_noise(x, 100, 0.1, rng=1),
    "salt_and_pepper_noise": lambda x: salt_and_pepper_noise(x, 0.1, rng=1),
    "quantize": lambda x: quantize(x, 4),
    "jpeg": lambda x: jpeg(x, 90),
    "audit_residual": lambda x: audit_residual(x, PSF, np.zeros(np.shape(x)), noise_sigma=0.1).residual_sigma,
    "conv": lambda x: conv(x, PSF),
    "conv_transpose": lambda x: conv_transpose(x, PSF, stride=2),
    "max_pool": lambda x: max_pool(x, 2),
    "average_pool": lambda x: average_pool(x, 2),
}
PSF_TAKERS: dict[str, Callable[[Any], Any]] = {
    **{name: lambda p, name=name: METHODS[name](np.ones(SHAPE), p) for name in METHODS},
    "one psf a channel": lambda p: wiener(np.ones((*np.shape(p)[:-1], 3)), p, channel_axis=-1),
    "check_psf": check_psf,
    "convolve": lambda p: convolve(np.ones(SHAPE), p),
    "edge_taper": lambda p: edge_taper(np.ones(SHAPE), p),
    "degrade": lambda p: degrade(np.ones(SHAPE), p),
    "estimate_noise_sigma": lambda p: estimate_noise_sigma(np.ones(SHAPE), p),
    "audit_residual": lambda p: audit_residual(np.ones(SHAPE), p, np.ones(SHAPE)),
    "inspect_psf": inspect_psf,
    "find_background": find_background,
    "subtract_background": subtract_background,
    "convolution_matrix": lambda p: convolution_matrix(p, SHAPE),
    "upsample": lambda p: upsample(np.ones(SHAPE), 2, kernel=p),
    "conv_transpose": lambda p: conv_transpose(np.ones(SHAPE), p),
    "phase_sums": lambda p: phase_sums(p, (2, 2)),
    "inspect_kernel": lambda p: inspect_kernel(p, 2),
}


def _picture(shape: tuple[int, ...] = SHAPE) -> Array:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    smooth = 0.5 + 0.2 * np.sin(rows / 5) * np.cos(columns / 7) + 0.2 * (columns > 20)
    return smooth + 0.01 * np.random.default_rng(5).standard_normal(shape)


WEIGHTS = 1 + np.random.default_rng(7).random(SHAPE)

WRONG_KINDS = {
    "masked": lambda x: np.ma.masked_greater(x, 0.5),
    "list of masked": lambda x: list(np.ma.masked_greater(x, 0.5)),
    "bool": lambda x: x > 0.5,
    "complex": lambda x: x + 1j,
    "longdouble": lambda x: x.astype(np.longdouble),
    "object": lambda x: x.astype(object),
    "text": lambda x: x.astype("U4"),
    "bytes": lambda x: x.astype("S4"),
    "structured": lambda x: np.zeros(x.shape, [("level", float)]),
    "dates": lambda x: np.zeros(x.shape, "M8[s]"),
    "durations": lambda x: np.zeros(x.shape, "m8[s]"),
}
every_function = pytest.mark.parametrize("name", [*SCALING, *OTHER])
every_wrong_kind = pytest.mark.parametrize("kind", WRONG_KINDS)


@every_function
@every_wrong_kind
def test_every_function_refuses_what_is_no_picture_with_a_sentence(name: str, kind: str) -> None:
    function = (SCALING | OTHER)[name]
    image = WRONG_KINDS[kind](_picture())
    match = "is a masked array, whose mask would be lost" if "masked" in kind else "must hold .*got dtype"
    with pytest.raises(TypeError, match=match):
        function(image)


@pytest.mark.parametrize("name", PSF_TAKERS)
@every_wrong_kind
def test_every_function_refuses_what_is_no_psf_with_a_sentence(name: str, kind: str) -> None:
    psf = np.stack([_picture()] * 3, -1) if "channel" in name else PSF
    match = "is a masked array, whose mask would be lost" if "masked" in kind else "must (hold|be) .*got dtype"
    with pytest.raises(TypeError, match=match):
        PSF_TAKERS[name](WRONG_KINDS[kind](psf))


@every_function
def test_every_function_refuses_nothing_ragged_and_unfinished(name: str) -> None:
    function = (SCALING | OTHER)[name]
    with pytest.raises(ValueError, match=r"must not be empty, got shape|mask must be boolean of shape"):
        function(np.zeros((0, 46)))
    if name not in ("mse", "psnr", "ssim", "isnr", "audit_residual"):  # here their partner is made of the shape
        with pytest.raises(ValueError, match="must be an array or nested lists of equal length"):
            function([[1.0, 2.0], [3.0]])
    for value in (np.nan, np.inf, -np.inf) if name != "max_pool" else (np.nan,):
        image = _picture()
        image[3, 5] = image[7, 1] = value
        with pytest.raises(ValueError, match=r"2 (NaN or infinite values|of them), the first at \(3, 5\)"):
            function(image)


@pytest.mark.parametrize("name", PSF_TAKERS)
def test_every_function_names_what_is_wrong_with_a_psf(name: str) -> None:
    function = PSF_TAKERS[name]
    if "channel" in name:
        with pytest.raises(ValueError, match="psf of channel 0 must not be all zero"):
            function(np.zeros((5, 5, 3)))
        return
    holed = PSF.copy()
    holed[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"must be finite, got 1 NaN or infinite values, the first at \(1, 2\)"):
        function(holed)
    if name != "find_background":  # which finds none
        with pytest.raises(ValueError, match=r"must (have|hold|not be empty)"):
            function(np.zeros((0, 3)))


@pytest.mark.parametrize(
    ("psf", "match"),
    [
        (np.zeros((3, 3)), "must not be all zero"),
        (np.array([[1.0, -1.0], [1.0, -1.0]]), "must not be negative"),
        (PSF * 1e-300, "must sum to 1 within 0.001, got 1e-300"),
        (PSF * 1e-320, "must sum to 1 within 0.001, got"),
        (np.full((3, 3), 1e308), "must sum to 1 within 0.001, got"),
        (PSF * 2, "must sum to 1 within 0.001, got 2"),
        (np.full((3, 99), 1 / 297), r"psf of shape \(3, 99\) is larger than the image \(33, 46\)"),
        (np.ones(()), "must have at least one axis and one element"),
    ],
)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_its_own_sentence_about_a_psf(name: str, psf: Array, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        METHODS[name](_picture(), psf)


def _views(image: Array, folder: Path) -> dict[str, Array]:
    """The same pixels in every way that memory can hold them."""
    readonly = image.copy()
    readonly.setflags(write=False)
    np.save(folder / "image.npy", image, allow_pickle=False)
    strided = np.zeros((image.shape[0] * 2, image.shape[1] * 3), image.dtype)
    strided[::2, ::3] = image
    unaligned = np.frombuffer(b"\0" + image.tobytes(), np.uint8)[1:].view(image.dtype).reshape(image.shape)
    return {
        "fortran": np.asfortranarray(image),
        "negative strides": image[::-1, ::-1].copy()[::-1, ::-1],
        "strided": strided[::2, ::3],
        "transposed": image.T.copy().T,
        "big-endian": image.astype(image.dtype.newbyteorder(">")),
        "read-only": readonly,
        "unaligned": unaligned,
        "memory-mapped": np.load(folder / "image.npy", mmap_mode="r", allow_pickle=False),
    }


@every_function
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint16])
def test_the_same_bits_however_memory_holds_them_and_nothing_written_or_shared(
    name: str, dtype: type, tmp_path: Path
) -> None:
    function = (SCALING | OTHER)[name]
    image = (_picture() * (60000 if dtype is np.uint16 else 1)).astype(dtype)
    expected = function(image.copy())
    views = _views(image, tmp_path)
    for how in views if dtype is np.float64 else ("big-endian", "negative strides", "memory-mapped"):
        view = views[how]
        before = view.tobytes()
        result = function(view)
        assert view.tobytes() == before, how
        np.testing.assert_array_equal(result, expected, err_msg=how)
        if isinstance(result, np.ndarray):
            assert result.dtype.isnative
            assert not np.shares_memory(result, view), how


@every_function
def test_lists_are_accepted(name: str) -> None:
    function = (SCALING | OTHER)[name]
    np.testing.assert_array_equal(function(_picture().tolist()), function(_picture()))


@pytest.mark.parametrize("name", SCALING)
def test_powers_of_two_scale_through_bit_for_bit_at_every_magnitude(name: str) -> None:
    for dtype, exponents in ((np.float64, (1, -1, 31, 900, -900)), (np.float32, (1, 31, 126, -100))):
        image = _picture().astype(dtype)
        expected = SCALING[name](image)
        for exponent in exponents:
            scaled = SCALING[name](np.ldexp(image, exponent))
            np.testing.assert_array_equal(scaled, np.ldexp(expected, exponent), err_msg=f"{dtype} 2^{exponent}")


@pytest.mark.parametrize("name", SCALING)
def test_three_times_the_light_is_three_times_the_picture(name: str) -> None:
    function = SCALING[name]
    # What is iterated to a tolerance, the unknown ring and the choice of a parameter, is as good as that.
    closed = ("convolve", "degrade", "edge_taper", "upsample", "downsample", "speckle", "restore inverse")
    expected = 3 * np.asarray(function(_picture()))
    tolerance = (4e-15 if name.startswith(closed) else 1e-3) * np.abs(expected).max()
    np.testing.assert_allclose(function(3 * _picture()), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", [*SCALING, "mse", "psnr", "isnr", "gaussian_noise", "salt_and_pepper_noise", "ssim"])
def test_huge_tiny_and_subnormal_pictures_stay_finite(name: str) -> None:
    function = (SCALING | OTHER)[name]
    picture = _picture() / _picture().max()
    cases = [picture * top for top in (1e-320, 1e-310, 1e-200, 1e300, 1.79e308)]
    cases += [(picture * top).astype(np.float32) for top in (1e-44, 1e-42, 3e38)]
    cases += [(picture * top).astype(np.float16) for top in (6e-8, 65504)]
    if name == "estimate_poisson_gaussian":  # a dozen grey levels are no picture of noise
        cases = [image for image in cases if np.unique(image).size > 1000]
    for image in cases:
        assert np.isfinite(function(image)).all(), (image.dtype, float(np.abs(image).max()))


def test_records_of_extreme_pictures_are_in_plain_numbers() -> None:
    image = _picture()
    for name in ("wiener", "regularized_filter"):
        options: dict[str, Any] = {} if name == "wiener" else {"regularization": "discrepancy"}
        plain = restore(image, PSF, name, weights="poisson", **options)
        for exponent in (-150, 150):
            scaled = restore(np.ldexp(image, exponent), PSF, name, weights="poisson", **options)
            assert plain.noise_sigma is not None
            assert scaled.noise_sigma == np.ldexp(plain.noise_sigma, exponent)
            assert scaled.diagnostics["residual_sigma"] == np.ldexp(plain.diagnostics["residual_sigma"], exponent)
            powers = {"noise_sigma": 1, "gain": 1, "floor": 1, "amplitude": 2}
            for key, value in plain.parameters.items():
                expected = np.ldexp(value, powers[key] * exponent) if key in powers else value
                assert scaled.parameters[key] == expected, key


def test_a_given_noise_level_is_in_the_units_of_an_extreme_picture() -> None:
    image = _picture()
    options: dict[str, Any] = {"regularization": "discrepancy", "boundary": "wrap"}
    plain = restore(image, PSF, "regularized_filter", noise_sigma=0.01, **options)
    tiny = restore(np.ldexp(image, -200), PSF, "regularized_filter", noise_sigma=np.ldexp(0.01, -200), **options)
    assert tiny.parameters["regularization"] == plain.parameters["regularization"]
    absurd = restore(image, PSF, "regularized_filter", noise_sigma=1e300, **options)
    assert np.isfinite(absurd.image).all()


@pytest.mark.parametrize("strength", [1e-300, 1e30, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_absurd_strengths_stay_finite(strength: float, dtype: type) -> None:
    image = _picture().astype(dtype)
    for restored in (
        wiener(image, PSF, noise_to_signal=strength, boundary="wrap"),
        METHODS["regularized_filter"](image, PSF, regularization=strength, boundary="wrap"),
    ):
        assert np.isfinite(restored).all()


def test_metrics_of_huge_pictures_are_those_of_the_same_pictures_in_another_unit() -> None:
    first, second = _picture(), _picture()[::-1]
    for exponent in (-900, -40, 40, 900):
        a, b = np.ldexp(first, exponent), np.ldexp(second, exponent)
        white = float(np.ldexp(1.0, exponent))
        assert psnr(a, b, data_range=white) == pytest.approx(psnr(first, second), abs=1e-9)
        assert ssim(a, b, data_range=white) == pytest.approx(ssim(first, second), abs=1e-12)
        assert isnr(a, b, 0.5 * (a + b)) == pytest.approx(isnr(first, second, 0.5 * (first + second)), abs=1e-9)
    assert mse(np.full(3, 1e300), np.zeros(3)) == np.finfo(np.float64).max


def test_what_a_dtype_cannot_hold_is_held_at_its_largest_number() -> None:
    white, _ = as_float_image(np.full((9, 9), 65504, np.float16))
    np.testing.assert_array_equal(to_dtype(white * 1.5, np.dtype(np.float16)), np.full((9, 9), 65504, np.float16))
    assert from_unit(np.array([1.5, -1.5], np.float32), 128).tolist() == [
        np.finfo(np.float32).max,
        -np.finfo(np.float32).max,
    ]
    np.testing.assert_array_equal(
        to_dtype(np.array([-9.0, 0.5, 9.0]), np.dtype(np.int64)),
        [np.iinfo(np.int64).min, 2**62, np.iinfo(np.int64).max],
    )


def test_units_are_powers_of_two_for_extreme_numbers_only() -> None:
    assert [unit_of(np.array([value])) for value in (0.0, 1.0, -65535.0, 2.0**29, 1e-9)] == [0, 0, 0, 0, 0]
    assert unit_of(np.array([0.0, -(2.0**40)])) == 41
    assert unit_of(np.array([5e-324])) == -1073
    image = np.array([5e-324, 1e-310])
    np.testing.assert_array_equal(from_unit(in_unit(image, unit_of(image)), unit_of(image)), image)


def test_numbers_that_a_dtype_cannot_hold_are_named() -> None:
    with pytest.raises(ValueError, match="psf as float32 must be finite, got 1 NaN or infinite"):
        as_finite([0.5, 1e300], "psf", np.float32)
    with pytest.raises(TypeError, match="dtype bool: astype"):
        as_real([True], "image")


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_every_integer_of_8_and_16_bits_goes_through_unchanged(dtype: type) -> None:
    info = np.iinfo(dtype)
    every = np.arange(info.min, info.max + 1).astype(dtype)
    working, back = as_float_image(every)
    assert working.dtype == np.float32
    assert working.max() == 1
    np.testing.assert_array_equal(to_dtype(working, back), every)


def test_planes_keep_their_layout_and_wrong_axes_are_named() -> None:
    image = np.arange(2 * 5 * 3 * 7.0).reshape(2, 5, 3, 7)
    planes, from_planes = to_planes(image, 2, 2)
    assert planes.shape == (6, 5, 7)
    np.testing.assert_array_equal(from_planes(planes), image)
    with pytest.raises(ValueError, match=r"channel_axis must be an axis of image of shape \(2, 5, 3, 7\), got 4"):
        to_planes(image, 2, 4)
    with pytest.raises(ValueError, match="has fewer than the 2 spatial axes"):
        to_planes(np.ones((5, 3)), 2, 1)
    with pytest.raises(ValueError, match="looks like colour"):
        to_planes(np.ones((20, 30, 3)), 2, None)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_wide_integers_that_hold_levels_of_8_or_16_bits_are_named(dtype: type) -> None:
    for highest in (255, 65535):
        image = np.array([[0, 7], [3, highest]], dtype)
        name, most = np.dtype(dtype).name, np.iinfo(dtype).max
        with pytest.warns(UserWarning, match=f"image of dtype {name} holds integers up to {highest}, .* of {most}"):
            working, _ = as_float_image(image)
        np.testing.assert_allclose(working, image / most)


@pytest.mark.parametrize(
    "image",
    [
        np.array([[0, 4095]], np.uint16),
        np.array([[0, 1 << 20]], np.int32),
        np.array([[0, 0]], np.int64),
        np.array([[-5, 0]], np.int64),
        np.array([[0.0, 255.0]]),
    ],
    ids=["12 bits in 16", "20 bits in 32", "black", "negative", "floats"],
)
def test_nothing_is_said_about_other_images(image: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_float_image(image)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (
            lambda: wiener(np.ones((9, 8, 3)), np.ones((1, 1)), channel_axis="c"),
            TypeError,
            "channel_axis must be a whole",
        ),  # type: ignore[arg-type]
        (lambda: wiener(np.ones((9, 8)), np.ones((1, 1)), noise_to_signal=float("nan")), ValueError, "finite, got nan"),
        (
            lambda: wiener(np.ones((9, 8)), np.ones((1, 1)), mask=np.ones((3, 3), bool)),
            ValueError,
            r"shape \(9, 8\), got",
        ),
        (lambda: make_psf(None), TypeError, "psf must be text such as 'disk:radius=4' or a path, got NoneType"),  # type: ignore[arg-type]
        (lambda: gaussian_noise(np.ones(3), 0.1, rng="x"), TypeError, "rng must be a Generator, a whole number"),  # type: ignore[arg-type]
        (lambda: gaussian_noise(np.ones(3), 0.1, rng=-1), ValueError, "rng must be a Generator, a whole number"),
        (lambda: plan_restoration(np.ones((9, 8)), np.ones((1, 1))), ValueError, "shape must be that of the images"),
        (
            lambda: plan_restoration((9, 8), np.ones((1, 1)))(np.ones((9, 8))),
            ValueError,
            "dtype float32 of the plan, got .* float64: plan_restoration takes the shape and dtype= of the images",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_its_rule(call: Callable[[], object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call()
