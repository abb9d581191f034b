"""What every method in METHODS promises; a new method is held to it by being there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.convolution.boundary import BOUNDARIES
from restoretk.restoration import METHODS, restore

Method = Callable[..., Array]
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
every_boundary = pytest.mark.parametrize("boundary", [*BOUNDARIES, "taper", "smooth", "unknown"])


@pytest.fixture
def observed(camera: Array, lopsided_psf: Array, rng: np.random.Generator) -> Array:
    """A frame cut from a larger scene, not square, odd sides, a little noise."""
    seen = convolve(camera, lopsided_psf)[90:181, 150:273]
    return seen + 0.004 * rng.standard_normal(seen.shape)


@every_method
@every_boundary
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.uint16])
def test_shape_and_dtype_are_kept(
    method: Method, boundary: str, dtype: type, observed: Array, lopsided_psf: Array
) -> None:
    image = observed if np.dtype(dtype).kind == "f" else np.clip(observed, 0, 1) * np.iinfo(dtype).max
    image = image.astype(dtype)
    restored = method(image, lopsided_psf, boundary=boundary)
    assert restored.shape == image.shape
    assert restored.dtype == dtype


@every_method
@every_boundary
def test_restoring_brings_the_frame_nearer_to_the_scene(
    method: Method, boundary: str, camera: Array, observed: Array, lopsided_psf: Array
) -> None:
    scene = camera[90:181, 150:273]
    restored = method(observed, lopsided_psf, boundary=boundary)
    inside = np.s_[20:-20, 20:-20]
    before, after = ((observed - scene)[inside] ** 2).mean(), ((restored - scene)[inside] ** 2).mean()
    assert after < 0.8 * before


@every_method
@every_boundary
def test_brightness_scales_through(method: Method, boundary: str, observed: Array, lopsided_psf: Array) -> None:
    restored = method(observed, lopsided_psf, boundary=boundary)
    scaled = method(observed * 1000, lopsided_psf, boundary=boundary)
    np.testing.assert_allclose(scaled, restored * 1000, atol=1000 * 1e-3 * np.ptp(restored))


@every_method
def test_equal_channels_restore_as_one_picture_does(method: Method, observed: Array, lopsided_psf: Array) -> None:
    alone = method(observed, lopsided_psf)
    colour = method(np.stack([observed] * 3, axis=-1), lopsided_psf, channel_axis=-1)
    stack = method(np.stack([observed] * 2), lopsided_psf)
    for channel in (0, 1, 2):
        np.testing.assert_allclose(colour[..., channel], alone, atol=1e-6)
    np.testing.assert_allclose(stack[1], alone, atol=1e-6)


@every_method
def test_signals_and_volumes_take_the_same_path(method: Method, rng: np.random.Generator) -> None:
    for shape, psf_shape in (((301,), (6,)), ((14, 17, 21), (2, 3, 4))):
        psf = rng.random(psf_shape)
        psf[tuple(side // 2 for side in psf_shape)] += psf.sum()
        psf /= psf.sum()
        scene = rng.standard_normal(shape)
        for axis in range(len(shape)):
            scene = scene.cumsum(axis)
        scene = (scene - scene.min()) / scene.std()
        seen = convolve(scene, psf, boundary="wrap")
        restored = method(seen, psf, boundary="wrap")
        assert restored.shape == shape
        assert ((restored - scene) ** 2).mean() < ((seen - scene) ** 2).mean()


@every_method
def test_float32_agrees_with_float64(method: Method, observed: Array, lopsided_psf: Array) -> None:
    for boundary in ("wrap", "symmetric", "unknown"):
        double = method(observed, lopsided_psf, boundary=boundary)
        single = method(observed.astype(np.float32), lopsided_psf, boundary=boundary)
        np.testing.assert_allclose(single, double, atol=2e-3)


@every_method
def test_layout_and_byte_order_do_not_matter_and_nothing_is_written_to(
    method: Method, observed: Array, lopsided_psf: Array
) -> None:
    expected = method(observed, lopsided_psf)
    readonly = observed.copy()
    readonly.setflags(write=False)
    psf = lopsided_psf.copy()
    psf.setflags(write=False)
    strided = np.repeat(np.repeat(observed, 2, 0), 3, 1)[::2, ::3]
    for image in (readonly, np.asfortranarray(observed), strided, observed.astype(">f8")):
        restored = method(image, psf)
        np.testing.assert_array_equal(restored, expected)
        assert not np.shares_memory(restored, image)


@every_method
def test_an_even_sided_psf_moves_nothing(method: Method) -> None:
    rows, columns = np.mgrid[-1:3, -2:4]  # 4 x 6, origin at (2, 3): this PSF is centred half a pixel away on purpose
    psf = np.exp(-((rows - 1) ** 2 + (columns - 1) ** 2) / 2.0)
    psf /= psf.sum()
    grid = np.mgrid[0:45, 0:63]
    point = np.exp(-((grid[0] - 20) ** 2 + (grid[1] - 30) ** 2) / (2 * 2.0**2))
    restored = method(convolve(point, psf, boundary="wrap"), psf, boundary="wrap")
    centroid = [(axis * restored).sum() / restored.sum() for axis in grid]
    assert centroid == pytest.approx([20, 30], abs=0.01)


@every_method
def test_restore_gives_the_image_of_the_function(method: Method, observed: Array, lopsided_psf: Array) -> None:
    name = next(name for name, function in METHODS.items() if function is method)
    record = restore(observed, lopsided_psf, name, boundary="symmetric")
    np.testing.assert_array_equal(record.image, method(observed, lopsided_psf, boundary="symmetric"))
    assert record.method == name
    assert record.parameters["boundary"] == "symmetric"
    assert record.diagnostics["residual_sigma"] > 0
    assert (record.transfer is None) == (name == "richardson_lucy")


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("inverse_filter", {"cutoff": 0.2}),
        ("wiener", {"noise_to_signal": 0.02}),
        ("regularized_filter", {"regularization": 0.01}),
    ],
)
def test_the_diagnostics_are_those_of_the_filter_as_a_matrix(
    method: str, options: dict[str, float], scene: Array, lopsided_psf: Array
) -> None:
    """With fixed parameters the filter is circulant: one column of it, the answer to an impulse, says all."""
    impulse = np.zeros_like(scene)
    impulse[20, 30] = 1
    column = METHODS[method](impulse, lopsided_psf, boundary="wrap", **options)
    record = restore(scene, lopsided_psf, method, boundary="wrap", **options)
    expected = {
        "noise_gain": np.linalg.norm(column),
        "effective_degrees_of_freedom": convolve(column, lopsided_psf, boundary="wrap")[20, 30],
        "residual_sigma": np.sqrt(((scene - convolve(record.image, lopsided_psf, boundary="wrap")) ** 2).mean()),
    }
    assert record.diagnostics == pytest.approx(expected, rel=1e-9)


@every_method
def test_bad_input_is_named(method: Method, observed: Array, lopsided_psf: Array) -> None:
    holed = observed.copy()
    holed[3, 5] = np.nan
    cases: list[tuple[type[Exception], str, Array, Array, dict[str, object]]] = [
        (ValueError, r"image must be finite, got 1 NaN .* first at \(3, 5\)", holed, lopsided_psf, {}),
        (ValueError, r"psf of shape \(4, 7\) is larger than the image \(3, 9\)", np.ones((3, 9)), lopsided_psf, {}),
        (ValueError, "psf must .*not.* negative|psf must be non-negative", observed, -lopsided_psf, {}),
        (ValueError, "psf", observed, np.zeros((3, 3)), {}),
        (ValueError, "sum", observed, lopsided_psf * 2, {}),
        (ValueError, "boundary must be one of .*, got 'mirror'", observed, lopsided_psf, {"boundary": "mirror"}),
        (ValueError, "channel_axis must be an axis", observed, lopsided_psf, {"channel_axis": 5}),
        (ValueError, "looks like colour", np.ones((40, 50, 3)), lopsided_psf[:, :3] / lopsided_psf[:, :3].sum(), {}),
        (TypeError, "image must hold integers or floats", observed + 1j, lopsided_psf, {}),
        (TypeError, "image must hold integers or floats", observed > 0.5, lopsided_psf, {}),
        (TypeError, "masked array", np.ma.masked_greater(observed, 0.5), lopsided_psf, {}),
        (ValueError, "image must not be empty", np.ones((0, 9)), lopsided_psf, {}),
    ]
    for error, match, image, psf, options in cases:
        with pytest.raises(error, match=match):
            method(image, psf, **options)
