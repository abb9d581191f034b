"""Large pictures are filtered as they are stored, a few rows at a time, and into an array of the caller where he says so."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from restoretk import inverse_filter, regularized_filter, richardson_lucy, wiener
from restoretk._arrays import Array, to_dtype

PSF = np.array([[0.05, 0.3], [0.1, 0.2], [0.25, 0.1]])
METHODS: list[tuple[Callable[..., Array], dict[str, Any]]] = [
    (wiener, {"noise_to_signal": 0.02}),
    (wiener, {}),
    (regularized_filter, {"regularization": 0.01}),
    (regularized_filter, {}),
    (inverse_filter, {"cutoff": 0.05}),
    (richardson_lucy, {"iterations": 3}),
]


def picture(*shape: int, dtype: npt.DTypeLike = np.uint8) -> Array:
    """Smooth along the last two axes that are long."""
    values = np.random.default_rng(2).random(shape)
    for axis in [axis for axis, size in enumerate(shape) if size > 8]:
        for _ in range(3):
            values = values + np.roll(values, 1, axis)
    values = (values - values.min()) / np.ptp(values)
    kind = np.dtype(dtype)
    return np.rint(values * np.iinfo(kind).max).astype(kind) if kind.kind in "iu" else values.astype(kind)


def as_floats(image: Array) -> Array:
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max) if image.dtype.kind in "iu" else image


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64, ">u2"])
@pytest.mark.parametrize(
    ("shape", "axis"), [((401, 350), None), ((401, 350, 3), -1), ((2, 401, 350), 0), ((2, 3, 401, 350), 1)]
)
def test_a_large_picture_is_restored_as_its_floats_are(
    dtype: npt.DTypeLike, shape: tuple[int, ...], axis: int | None
) -> None:
    image = picture(*shape, dtype=np.dtype(dtype).newbyteorder("=")).astype(dtype)
    kept = image.copy()
    restored = wiener(image, PSF, noise_to_signal=0.02, boundary="wrap", channel_axis=axis)
    native = image.astype(image.dtype.newbyteorder("="))
    moved = as_floats(native) if axis is None else np.moveaxis(as_floats(native), axis, 0)
    planes = moved.reshape(-1, *moved.shape[-2:]).astype(np.float64)
    otf = np.fft.fft2(np.roll(np.pad(PSF, [(0, 398), (0, 348)]), (-1, -1), (0, 1)))
    ratio = np.conj(otf) / (np.abs(otf) ** 2 + 0.02)
    expected = np.fft.ifft2(np.fft.fft2(planes) * ratio).real.reshape(moved.shape)
    expected = to_dtype(expected if axis is None else np.moveaxis(expected, 0, axis), native.dtype)
    assert restored.dtype == native.dtype
    tolerance = 1 if native.dtype.kind in "iu" else {4: 3e-6, 8: 1e-12}[native.dtype.itemsize]
    assert np.abs(restored.astype(np.float64) - expected).max() <= tolerance
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize(("method", "options"), METHODS)
@pytest.mark.parametrize(("shape", "axis"), [((401, 350, 3), -1), ((45, 37), None)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("boundary", ["wrap", "unknown"])
def test_the_result_goes_where_the_caller_says(
    method: Callable[..., Array],
    options: dict[str, Any],
    shape: tuple[int, ...],
    axis: int | None,
    dtype: npt.DTypeLike,
    boundary: str,
) -> None:
    image = picture(*shape, dtype=dtype)
    expected = method(image, PSF, boundary=boundary, channel_axis=axis, **options)
    out = np.zeros_like(image)
    assert method(image, PSF, boundary=boundary, channel_axis=axis, out=out, **options) is out
    np.testing.assert_array_equal(out, expected)
    assert method(image, PSF, boundary=boundary, channel_axis=axis, out=image, **options) is image
    np.testing.assert_array_equal(image, expected)


def test_each_channel_with_its_own_strength_goes_there_too() -> None:
    image = picture(45, 37, 3, dtype=np.float64)
    expected = wiener(image, PSF, channel_axis=-1, per_channel=True)
    np.testing.assert_array_equal(wiener(image, PSF, channel_axis=-1, per_channel=True, out=image), expected)


@pytest.mark.parametrize(
    ("out", "says"),
    [
        (np.zeros((45, 38)), "out must have the shape (45, 37) and the dtype float64"),
        (np.zeros((45, 37), np.float32), "got (45, 37) and float32"),
        (np.zeros((45, 37), ">f8"), "in native byte order"),
        (np.broadcast_to(np.zeros(()), (45, 37)), "got a read-only one"),
        ([[0.0]], "out must be a numpy array, got list"),
        (np.ma.zeros((45, 37)), "out must be a numpy array, got MaskedArray"),
    ],
)
def test_an_array_that_cannot_take_the_result_is_refused(out: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(says)):
        wiener(picture(45, 37, dtype=np.float64), PSF, noise_to_signal=0.02, out=out)


def test_an_array_that_overlaps_the_picture_is_refused_and_nothing_written() -> None:
    memory = picture(90, 37, dtype=np.float64)
    kept = memory.copy()
    for image, out in ((memory[:45], memory[1:46]), (memory[::2], memory[::-2]), (memory[:37], memory[:37].T)):
        with pytest.raises(ValueError, match="share no memory"):
            wiener(image, PSF, noise_to_signal=0.02, out=out)
    np.testing.assert_array_equal(memory, kept)


def test_a_large_picture_of_bytes_is_never_held_as_floats() -> None:
    image = picture(1000, 700, 3)
    wiener(image[:400], PSF, noise_to_signal=0.02, boundary="wrap", channel_axis=-1)
    tracemalloc.start()
    wiener(image, PSF, noise_to_signal=0.02, boundary="wrap", channel_axis=-1, out=image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    spectrum = 1000 * 351 * 8
    assert peak < 1.6 * spectrum  # one plane's, and blocks; the picture as floats would be three of them
