"""Arrays of other libraries: the numbers of NumPy, on their own device, and gradients in PyTorch."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from restoretk import (
    conv_transpose,
    degrade,
    inverse_filter,
    plan_restoration,
    regularized_filter,
    restore,
    richardson_lucy,
    upsample,
    wiener,
)
from restoretk._any_array import is_foreign
from restoretk._arrays import Array

pytest.importorskip("array_api_compat", reason="the extra arrays")
strict = pytest.importorskip("array_api_strict", reason="the strictest array of the standard")

PSF = np.array([[0.05, 0.3], [0.1, 0.2], [0.25, 0.1]])
PSF_1D, PSF_3D = np.array([0.1, 0.2, 0.4, 0.3]), np.full((3, 2, 3), 1 / 18)
ON_DEVICE = ("wrap", "reflect", "symmetric", "edge", "constant", "taper")

METHODS: dict[str, Callable[..., Any]] = {
    "wiener": lambda image, psf, **options: wiener(image, psf, noise_to_signal=0.02, **options),
    "wiener, auto": lambda image, psf, **options: wiener(image, psf, **options),
    "wiener, a spectrum": lambda image, psf, **options: wiener(
        image, psf, noise_to_signal=np.full(np.shape(image)[:2], 0.03), **options
    ),
    "regularized": lambda image, psf, **options: regularized_filter(image, psf, regularization=0.01, **options),
    "regularized, gcv": lambda image, psf, **options: regularized_filter(image, psf, operator="gradient", **options),
    "regularized, an array": lambda image, psf, **options: regularized_filter(
        image, psf, regularization=0.01, operator=np.ones((1,) * (psf.ndim - 1) + (2,)), **options
    ),
    "inverse": lambda image, psf, **options: inverse_filter(image, psf, cutoff=0.21, **options),
    "richardson_lucy": lambda image, psf, **options: richardson_lucy(image, psf, iterations=7, **options),
}


class Library:
    """Arrays of one library on one device."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.xp = strict if name == "strict" else importlib.import_module("torch")

    def make(self, array: Array) -> Any:
        if self.name == "strict":
            return strict.asarray(array, device=strict.Device("device1"))
        return self.xp.from_numpy(np.array(array))

    def back(self, array: Any) -> Array:
        assert is_foreign(array)
        if self.name == "strict":
            assert array.device == strict.Device("device1")
            return np.asarray(array.to_device(strict.Device("CPU_DEVICE")))
        return array.detach().numpy()


@pytest.fixture(params=["strict", "torch"])
def library(request: pytest.FixtureRequest) -> Library:
    if request.param == "torch":
        pytest.importorskip("torch", reason="tensors of PyTorch")
    return Library(request.param)


def scene(*shape: int, dtype: Any = np.float64) -> Array:
    values = np.random.default_rng(5).random(shape)
    for axis in [axis for axis, size in enumerate(shape) if size > 8]:
        for _ in range(2):
            values = values + np.roll(values, 1, axis)
    values = (values - values.min()) / np.ptp(values)
    kind = np.dtype(dtype)
    return np.rint(values * np.iinfo(kind).max).astype(kind) if kind.kind in "iu" else values.astype(kind)


def assert_close(found: Array, expected: Array, *, chosen: bool = False) -> None:
    """Agreement to 1e-5 in float32; where a rule has chosen, two paths to its number differ in the last digits of it."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if found.dtype.kind in "iu":
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    else:
        close = (
            {4: 1e-5, 8: 1e-10}[found.dtype.itemsize]
            * (3 if chosen else 1)
            * (100 if chosen and found.itemsize == 8 else 1)
        )
        np.testing.assert_allclose(found, expected, atol=close)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("boundary", [*ON_DEVICE, "unknown", "smooth"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_a_picture_is_restored_as_numpys_is(library: Library, method: str, boundary: str, dtype: Any) -> None:
    image = scene(45, 52, dtype=dtype)
    expected = METHODS[method](image, PSF, boundary=boundary)
    found = library.back(METHODS[method](library.make(image), PSF, boundary=boundary))
    assert_close(found, expected, chosen=method.endswith(("auto", "gcv")))


@pytest.mark.parametrize("method", ["wiener", "wiener, auto", "regularized", "inverse", "richardson_lucy"])
@pytest.mark.parametrize(
    ("shape", "psf", "axis"),
    [
        ((45, 53, 3), PSF, -1),
        ((2, 45, 53), PSF, None),
        ((2, 3, 45, 53), PSF, 1),
        ((3, 45, 53), np.stack([PSF, PSF[::-1], PSF[:, ::-1]]), 0),
        ((101,), PSF_1D, None),
        ((12, 17, 20), PSF_3D, None),
    ],
)
@pytest.mark.parametrize("boundary", ["wrap", "reflect", "taper"])
def test_every_layout(
    library: Library, method: str, shape: tuple[int, ...], psf: Array, axis: int | None, boundary: str
) -> None:
    image = scene(*shape)
    expected = METHODS[method](image, psf, boundary=boundary, channel_axis=axis)
    for given in (psf, library.make(psf)):
        found = library.back(METHODS[method](library.make(image), given, boundary=boundary, channel_axis=axis))
        assert_close(found, expected, chosen=method.endswith(("auto", "gcv")))


@pytest.mark.parametrize("boundary", ["wrap", "reflect", "symmetric", "edge", "constant"])
@pytest.mark.parametrize("noise", [None, "gaussian:sigma=0.01", "poisson:peak=500"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16])
def test_degrade_gives_the_same_picture_and_the_same_noise(
    library: Library, boundary: str, noise: str | None, dtype: Any
) -> None:
    image = scene(45, 52, 3, dtype=dtype)
    expected = degrade(image, PSF, noise=noise, boundary=boundary, channel_axis=-1, rng=3)
    found = library.back(degrade(library.make(image), PSF, noise=noise, boundary=boundary, channel_axis=-1, rng=3))
    if noise is None or not noise.startswith("poisson"):
        assert_close(found, expected)
    else:  # a photon more or less where rounding tips the balance
        assert np.mean(np.abs(found - expected.astype(float)) > 1e-3 * np.abs(expected).max()) < 1e-2


@pytest.mark.parametrize(
    ("shape", "kernel", "options"),
    [
        ((9, 11), (4, 4), {"stride": 2, "padding": 1}),
        ((9, 11), (3, 5), {"stride": (2, 3), "padding": ((0, 1), (2, -1)), "dilation": (1, 2)}),
        ((2, 3, 9, 11), (3, 4, 3, 3), {"stride": 2, "output_padding": 1}),
        ((4, 9, 11), (4, 3, 2, 5), {"stride": 3, "groups": 2, "dilation": 2, "bias": (6,)}),
        ((13,), (5,), {"stride": 4}),
        ((5, 6, 7), (2, 3, 2), {"stride": 2}),
        ((9, 11), (2, 2), {"stride": 3}),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_transposed_convolution_is_numpys(
    library: Library, shape: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any], dtype: Any
) -> None:
    rng = np.random.default_rng(2)
    image, taps = rng.standard_normal(shape).astype(dtype), rng.standard_normal(kernel).astype(dtype)
    options = dict(options)
    bias = options.pop("bias", None)
    shift = None if bias is None else rng.standard_normal(bias).astype(dtype)
    expected = conv_transpose(image, taps, bias=shift, **options)
    found = conv_transpose(
        library.make(image), library.make(taps), bias=None if shift is None else library.make(shift), **options
    )
    assert_close(library.back(found), expected)
    assert_close(library.back(conv_transpose(library.make(image), taps, bias=shift, **options)), expected)


@pytest.mark.parametrize(
    ("kernel", "factor"),
    [
        *itertools.product(("nearest", "bilinear", "bicubic", "lanczos3"), (2, 3, (1, 2))),
        *itertools.product(("fitted", "bank"), (2, 3)),  # of one factor for both axes
    ],
)
@pytest.mark.parametrize(("shape", "axis"), [((23, 30), None), ((23, 30, 3), -1), ((1, 5), None)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_an_enlarged_picture_is_numpys(
    library: Library, kernel: str, factor: Any, shape: tuple[int, ...], axis: int | None, dtype: Any
) -> None:
    image = scene(*shape, dtype=dtype)
    expected = upsample(image, factor, kernel=kernel, channel_axis=axis)
    assert_close(library.back(upsample(library.make(image), factor, kernel=kernel, channel_axis=axis)), expected)


def test_arrays_are_left_as_they_are(library: Library) -> None:
    image = scene(45, 52)
    given = library.make(image)
    for call in (lambda: wiener(given, PSF, boundary="wrap"), lambda: degrade(given, PSF), lambda: upsample(given, 1)):
        result = call()
        np.testing.assert_array_equal(library.back(given), image)
        assert result is not given


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda lib: wiener(lib.make(scene(45, 52)), PSF, noise_to_signal=0.1, out=np.zeros((45, 52))),
            "out must be None",
        ),
        (lambda lib: wiener(lib.make(scene(45, 52)), PSF, boundary="wrapp"), "boundary must be one of"),
        (lambda lib: wiener(lib.make(scene(45, 52)), 2 * PSF, boundary="wrap"), "psf must sum to 1"),
        (
            lambda lib: wiener(lib.make(scene(2, 52)), PSF, boundary="wrap", noise_to_signal=0.1),
            "larger than the image",
        ),
        (
            lambda lib: wiener(lib.make(scene(45, 52)), PSF, boundary="wrap", noise_to_signal=-1.0),
            "noise_to_signal must be",
        ),
        (
            lambda lib: wiener(lib.make(np.full((9, 9), np.nan)), PSF, boundary="wrap", noise_to_signal=0.1),
            "must be finite",
        ),
        (lambda lib: wiener(lib.make(np.zeros((9, 9), complex)), PSF, boundary="wrap"), "must hold integers or floats"),
        (lambda lib: inverse_filter(lib.make(scene(45, 52)), PSF, cutoff=1.5, boundary="wrap"), "cutoff must be in"),
        (lambda lib: richardson_lucy(lib.make(scene(45, 52)), PSF, iterations=0), "iterations must be a whole number"),
        (lambda lib: conv_transpose(lib.make(np.ones((3, 3), int)), np.ones((2, 2))), "must hold floats"),
        (lambda lib: conv_transpose(lib.make(np.full((3, 3), np.inf)), np.ones((2, 2))), "image must be finite"),
        (
            lambda lib: conv_transpose(lib.make(np.ones((3, 3))), np.ones((2, 2)), padding=9),
            "padding 9 cuts off everything",
        ),
        (lambda lib: upsample(lib.make(scene(45, 52)), 2, kernel="cubic"), "kernel must be"),
    ],
)
def test_what_cannot_be_done_is_refused(library: Library, call: Callable[[Library], Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        call(library)


def tensors(*arrays: Array) -> list[Any]:
    torch = pytest.importorskip("torch", reason="gradients are PyTorch's")
    return [torch.from_numpy(np.array(array)).requires_grad_() for array in arrays]


def check_gradient(call: Callable[..., Any], *inputs: Any) -> None:
    torch = pytest.importorskip("torch", reason="gradients are PyTorch's")
    assert torch.autograd.gradcheck(call, inputs, eps=1e-6, atol=1e-5, rtol=1e-4)


def as_psf(tensor: Any) -> Any:
    """A PSF that stays one whatever its numbers: finite differences must not break its promises."""
    positive = tensor * tensor
    return positive / positive.sum()


@pytest.mark.parametrize("boundary", ON_DEVICE)
def test_gradients_flow_to_image_psf_and_strength(boundary: str) -> None:
    image, psf = tensors(scene(8, 9), np.sqrt(PSF))
    (strength,) = tensors(np.array(0.05))
    check_gradient(lambda x, h, q: wiener(x, as_psf(h), noise_to_signal=q, boundary=boundary), image, psf, strength)
    check_gradient(
        lambda x, h, q: regularized_filter(x, as_psf(h), regularization=q, boundary=boundary), image, psf, strength
    )
    check_gradient(lambda x, h: inverse_filter(x, as_psf(h), cutoff=0.01, boundary=boundary), image, psf)


@pytest.mark.parametrize("boundary", [*ON_DEVICE, "unknown"])
def test_gradients_flow_through_the_steps_of_richardson_lucy(boundary: str) -> None:
    image, psf = tensors(scene(8, 9) + 0.1, np.sqrt(PSF))
    check_gradient(lambda x, h: richardson_lucy(x, as_psf(h), iterations=3, boundary=boundary), image, psf)


def test_gradients_flow_past_what_a_rule_chose() -> None:
    image, psf = tensors(scene(24, 25), np.sqrt(PSF))
    torch = pytest.importorskip("torch", reason="gradients are PyTorch's")
    for call in (wiener, regularized_filter):
        restored = call(image, as_psf(psf), boundary="wrap")
        gradients = torch.autograd.grad((restored**2).sum(), (image, psf))
        assert all(torch.isfinite(each).all() and each.abs().max() > 0 for each in gradients)


@pytest.mark.parametrize("boundary", ["wrap", "reflect", "symmetric", "edge", "constant"])
def test_gradients_flow_through_the_degradation(boundary: str) -> None:
    image, psf = tensors(scene(8, 9), np.sqrt(PSF))
    check_gradient(lambda x, h: degrade(x, as_psf(h), boundary=boundary), image, psf)
    check_gradient(lambda x: degrade(x, PSF, boundary=boundary, noise="gaussian:sigma=0.1", rng=1), image)


def test_gradients_flow_through_enlarging() -> None:
    image, kernel, bias = tensors(np.ones((2, 5, 6)), np.ones((2, 3, 4, 4)), np.ones(3))
    check_gradient(lambda x, w, b: conv_transpose(x, w, stride=2, padding=1, bias=b), image, kernel, bias)
    (plane,) = tensors(scene(6, 7))
    for name in ("bicubic", "fitted"):
        check_gradient(lambda x, name=name: upsample(x, 2, kernel=name), plane)
    (taps,) = tensors(np.array([0.25, 0.75, 0.75, 0.25]))
    check_gradient(lambda x, w: upsample(x, 2, kernel=w), plane, taps)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: wiener(x, PSF), "gradients do not flow beyond the boundary 'unknown'"),
        (lambda x: wiener(x, PSF, boundary="wrap", mask=np.zeros((24, 25), bool)), "gradients do not flow with mask"),
        (
            lambda x: richardson_lucy(x, PSF, boundary="smooth"),
            "gradients do not flow beyond the boundary 'smooth': boundary must be one of .*, taper, unknown, without",
        ),
        (lambda x: upsample(x, 2, kernel="bank"), "gradients do not flow through a bank"),
        (lambda x: restore(x, PSF).image, "gradients do not flow through the record"),
    ],
)
def test_a_gradient_that_cannot_flow_is_refused_and_never_cut(call: Callable[[Any], Any], says: str) -> None:
    (image,) = tensors(scene(24, 25))
    with pytest.raises(ValueError, match=says):
        call(image)
    torch = pytest.importorskip("torch", reason="gradients are PyTorch's")
    with torch.no_grad():
        assert call(image).shape[0] in (24, 48)
    assert call(image.detach()).shape[0] in (24, 48)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda h: wiener(levels(), h, noise_to_signal=0.1, boundary="wrap"),
            "through integers: the image must hold floats",
        ),
        (lambda h: degrade(levels(), h), "through integers"),
        (lambda h: upsample(levels(), 2, kernel=h[0] / h[0].sum() * 2), "through integers"),
        (
            lambda h: regularized_filter(torch_of(scene(24, 25)), PSF, regularization=0.1, operator=h, boundary="wrap"),
            "gradients do not flow to operator",
        ),
        (
            lambda h: wiener(torch_of(scene(3, 2)), np.ones((1, 1)), noise_to_signal=h, boundary="wrap"),
            "gradients do not flow to noise_to_signal",
        ),
        (
            lambda h: inverse_filter(torch_of(scene(24, 25)), PSF, cutoff=h[0, 1], boundary="wrap"),
            "gradients do not flow to cutoff",
        ),
        (lambda h: wiener(scene(24, 25), h, noise_to_signal=0.1), "that NumPy cannot read beside its own"),
        (lambda h: plan_restoration((24, 25), h), "gradients flow through a plan to the image alone"),
    ],
)
def test_a_gradient_to_what_cannot_have_one_is_refused(call: Callable[[Any], Any], says: str) -> None:
    (psf,) = tensors(PSF)
    with pytest.raises((TypeError, ValueError), match=says):
        call(psf)


def torch_of(array: Array) -> Any:
    return pytest.importorskip("torch", reason="gradients are PyTorch's").from_numpy(array)


def levels() -> Any:
    return torch_of(np.rint(255 * scene(24, 25)).astype(np.uint8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize(
    ("method", "boundary"),
    [
        ("wiener:noise_to_signal=0.02", "wrap"),
        ("wiener:noise_to_signal=0.02", "taper"),
        ("wiener:noise_to_signal=0.02", "unknown"),
        ("regularized_filter:regularization=0.01", "reflect"),
        ("regularized_filter", "symmetric"),
        ("inverse_filter:cutoff=0.21", "edge"),
        ("richardson_lucy:iterations=4", "unknown"),
        ("richardson_lucy:iterations=4", "wrap"),
    ],
)
def test_a_plan_and_a_record_take_what_the_method_takes(
    library: Library, method: str, boundary: str, dtype: Any
) -> None:
    plan = plan_restoration((45, 52, 3), PSF, method, dtype=dtype, boundary=boundary, channel_axis=-1)
    for seed in range(2):
        image = scene(45, 52, 3) * (0.5 + seed / 2)
        image = np.rint(255 * image).astype(dtype) if dtype is np.uint8 else image.astype(dtype)
        expected = plan(image)
        found = plan(library.make(image))
        record = restore(library.make(image), PSF, method, boundary=boundary, channel_axis=-1)
        for each in (found, record.image):
            back = library.back(each)
            assert back.dtype == dtype
            np.testing.assert_allclose(
                back.astype(float), expected.astype(float), atol=1 if dtype is np.uint8 else 1e-5, rtol=0
            )


def test_a_plan_for_a_dtype_of_torch_learns_its_picture() -> None:
    (image,) = tensors(scene(8, 9))
    plan = plan_restoration((8, 9), PSF, "wiener:noise_to_signal=0.05", dtype=image.dtype, boundary="wrap")
    check_gradient(plan, image)
    check_gradient(plan, image)
    with pytest.raises(ValueError, match=r"dtype float64 of the plan, got \(8, 9\) and float32"):
        plan(image.detach().float())
    with pytest.raises(TypeError, match="out must be None"):
        plan(image.detach(), out=np.empty((8, 9)))


def test_a_strength_may_be_an_array_of_one_number(library: Library) -> None:
    image = scene(24, 25)
    expected = wiener(image, PSF, noise_to_signal=0.02, boundary="wrap")
    np.testing.assert_array_equal(wiener(image, PSF, noise_to_signal=np.array([0.02]), boundary="wrap"), expected)
    strength = library.make(np.array([0.02]))
    found = wiener(library.make(image), PSF, noise_to_signal=strength, boundary="wrap")
    np.testing.assert_allclose(library.back(found), expected, atol=1e-12)
    found = regularized_filter(library.make(image), PSF, regularization=strength, boundary="wrap")
    expected = regularized_filter(image, PSF, regularization=0.02, boundary="wrap")
    np.testing.assert_allclose(library.back(found), expected, atol=1e-12)


def test_half_precision_is_worked_on_as_float32() -> None:
    torch = pytest.importorskip("torch", reason="tensors of PyTorch")
    image = scene(45, 52, dtype=np.float32)
    expected = wiener(image, PSF, noise_to_signal=0.02, boundary="wrap")
    for dtype, close in ((torch.float16, 2e-3), (torch.bfloat16, 2e-2)):
        found = wiener(torch.from_numpy(image).to(dtype), PSF, noise_to_signal=0.02, boundary="wrap")
        assert found.dtype == dtype
        np.testing.assert_allclose(found.float().numpy(), expected, atol=close)


def test_without_array_api_compat_an_error_names_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "array_api_compat", None)
    with pytest.raises(ImportError, match=r'pip install "restoretk\[arrays\]"'):
        wiener(strict.asarray(scene(45, 52)), PSF, noise_to_signal=0.1, boundary="wrap")
