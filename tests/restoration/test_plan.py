"""A plan gives the pixels of the method, and says what does not fit it."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest

from restoretk import METHODS, plan_restoration, restore
from restoretk._arrays import Array

PSF = np.array([[0.05, 0.3], [0.1, 0.2], [0.25, 0.1]])


@pytest.mark.parametrize(
    "method",
    [
        "wiener:noise_to_signal=0.02",
        "wiener",
        "regularized_filter:regularization=0.01,operator=gradient",
        "regularized_filter",
        "inverse_filter:cutoff=0.2",
    ],
)
@pytest.mark.parametrize("shape", [(45, 37), (401, 350), (33, 41, 3)])
@pytest.mark.parametrize("boundary", ["wrap", "unknown", "reflect"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_a_plan_gives_the_pixels_of_the_method(
    method: str, shape: tuple[int, ...], boundary: str, dtype: type, rng: np.random.Generator
) -> None:
    axis = -1 if len(shape) == 3 else None
    plan = plan_restoration(shape, PSF, method, dtype=dtype, boundary=boundary, channel_axis=axis)
    name, _, spelled = method.partition(":")
    options: dict[str, Any] = {
        key: float(value) if value[0].isdigit() else value
        for key, _, value in (part.partition("=") for part in spelled.split(",") if part)
    }
    for _ in range(2):
        image = rng.random(shape)
        image = np.rint(255 * image).astype(dtype) if dtype is np.uint8 else image.astype(dtype)
        kept = image.copy()
        expected = METHODS[name](image, PSF, boundary=boundary, channel_axis=axis, **options)
        np.testing.assert_array_equal(plan(image), expected)
        np.testing.assert_array_equal(image, kept)
        assert plan(image, out=image) is image
        np.testing.assert_array_equal(image, expected)


def test_masks_weights_and_channels_of_their_own_go_through_a_plan(rng: np.random.Generator) -> None:
    image = rng.random((45, 37, 3))
    mask = rng.random((45, 37)) < 0.02
    for options in ({"mask": mask}, {"weights": 1 + mask}, {"per_channel": True}):
        plan = plan_restoration(
            image.shape, PSF, "wiener:noise_to_signal=0.02", dtype=float, channel_axis=-1, **options
        )
        expected = METHODS["wiener"](image, PSF, noise_to_signal=0.02, channel_axis=-1, **options)
        np.testing.assert_array_equal(plan(image), expected)


def test_shot_noise_is_read_off_each_picture(camera: Array) -> None:
    rng = np.random.default_rng(4)
    options = {"weights": "poisson", "noise_to_signal": 0.02}
    plan = plan_restoration((120, 131), PSF, "wiener", dtype=float, **options)
    for peak in (50, 400):
        image = rng.poisson(peak * (camera[:120, :131] / 255.0)) / peak
        np.testing.assert_array_equal(plan(image), METHODS["wiener"](image, PSF, **options))


@pytest.mark.parametrize("method", ["wiener:noise_to_signal=0.02", "regularized_filter", "wiener:per_channel=true"])
def test_a_plan_can_be_sent_to_another_process(method: str, rng: np.random.Generator) -> None:
    image = rng.random((45, 37, 3)).astype(np.float32)
    plan = plan_restoration(image.shape, PSF, method, channel_axis=-1)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(plan))(image), plan(image))  # noqa: S301 - our own bytes


def test_a_plan_keeps_the_psf_it_was_made_with(rng: np.random.Generator) -> None:
    psf, image = PSF.copy(), rng.random((45, 37))
    plan = plan_restoration(image.shape, psf, "wiener:noise_to_signal=0.02", dtype=float, boundary="reflect")
    expected = plan(image)
    psf[...] = 1 / psf.size
    np.testing.assert_array_equal(plan(image), expected)


@pytest.mark.parametrize("image", [np.zeros((45, 38), np.float32), np.zeros((45, 37)), np.zeros((45, 37), np.uint8)])
def test_another_shape_or_dtype_is_refused(image: Array) -> None:
    plan = plan_restoration((45, 37), PSF, "wiener:noise_to_signal=0.02")
    message = f"image must have the shape (45, 37) and dtype float32 of the plan, got {image.shape} and {image.dtype}"
    with pytest.raises(ValueError, match=re.escape(message)):
        plan(image)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"method": "wienr"}, "method must be one of"),
        ({"method": "wiener:noise=1"}, "takes the options"),
        ({"out": np.zeros((45, 37))}, "takes the options"),
        ({"boundary": "wrapp"}, "boundary must be one of"),
        ({"shape": (2, 37)}, "larger than the image"),
        ({"psf": [[-1.0, 2.0]]}, "psf must not be negative"),
        ({"dtype": complex}, "image must hold integers or floats"),
        ({"shape": (0, 37)}, "must not be empty"),
        ({"shape": (-3, 37)}, r"shape must be the whole numbers of pixels .* got \(-3, 37\)"),
        ({"shape": 256}, "fewer than the 2 spatial axes"),
        ({"shape": (45, 37.5)}, "shape must be the whole numbers"),
        ({"weights": "poison"}, "weights must be an array of numbers >= 0 or 'poisson', got 'poison'"),
    ],
)
def test_what_the_method_would_refuse_is_refused_when_the_plan_is_made(changed: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {"shape": (45, 37), "psf": PSF, "method": "wiener:noise_to_signal=0.02"}
    with pytest.raises((TypeError, ValueError), match=says):
        plan_restoration(**(given | changed))


def test_out_is_no_option_of_restore(rng: np.random.Generator) -> None:
    image = rng.random((45, 37))
    with pytest.raises(ValueError, match="takes the options"):
        restore(image, PSF, "wiener", out=image)
