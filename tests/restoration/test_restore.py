from __future__ import annotations

import json

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.blur import convolve
from restoretk.psf import gaussian_psf
from restoretk.restoration import METHODS, Restoration, plan_restoration, restore


def test_the_record_is_frozen_and_its_numbers_are_json(scene: Array, lopsided_psf: Array) -> None:
    for method in METHODS:
        record = restore(scene, lopsided_psf, method)
        assert isinstance(record, Restoration)
        assert json.loads(json.dumps(record.as_dict(), allow_nan=False))["method"] == method
        with pytest.raises(AttributeError):
            record.method = "other"  # type: ignore[misc]


def test_the_transfer_function_of_the_record_makes_the_image(scene: Array, lopsided_psf: Array) -> None:
    for method in METHODS.keys() - {"richardson_lucy"}:
        record = restore(scene, lopsided_psf, method, boundary="wrap")
        assert record.transfer is not None
        assert record.torus == scene.shape
        made = np.fft.irfft2(np.fft.rfft2(scene) * record.transfer[0], s=record.torus)
        np.testing.assert_allclose(made, record.image, atol=1e-10)


def test_wrap_warns_where_opposite_edges_do_not_fit(camera: Array, lopsided_psf: Array) -> None:
    frame = convolve(camera, lopsided_psf)[90:181, 150:273]
    warned = restore(frame, lopsided_psf, "regularized_filter", boundary="wrap").warnings
    assert any("takes the picture for periodic" in warning for warning in warned)
    periodic = convolve(camera[90:181, 150:273], lopsided_psf, boundary="wrap")
    for image, boundary in ((periodic, "wrap"), (frame, "unknown")):
        quiet = restore(image, lopsided_psf, "regularized_filter", boundary=boundary).warnings
        assert not any("periodic" in warning for warning in quiet)


def test_a_method_may_be_spelled_with_its_options(scene: Array, lopsided_psf: Array) -> None:
    spelled = restore(scene, lopsided_psf, "wiener:noise_to_signal=0.02,boundary=wrap")
    np.testing.assert_array_equal(
        spelled.image, restore(scene, lopsided_psf, "wiener", noise_to_signal=0.02, boundary="wrap").image
    )
    with pytest.raises(ValueError, match="did you mean 'wiener'"):
        restore(scene, lopsided_psf, "winer")


def test_unknown_methods_and_options_answer_with_the_choices(scene: Array, lopsided_psf: Array) -> None:
    with pytest.raises(
        ValueError,
        match="method must be one of inverse_filter, wiener, regularized_filter, richardson_lucy; got 'best'",
    ):
        restore(scene, lopsided_psf, "best")
    with pytest.raises(ValueError, match=r"method 'wiener' takes the options noise_to_signal, .*, got 'noise'"):
        restore(scene, lopsided_psf, "wiener", noise=0.1)


def test_a_picture_given_for_a_psf_is_said_to_look_like_one(camera: Array) -> None:
    image = camera[:90, :101]
    picture = camera[100:160, 60:140].astype(float)
    said = "looks like a picture"
    assert any(said in text for text in restore(image, picture / picture.sum(), boundary="wrap").warnings)
    long = np.zeros((60, 80))
    long[30, 5:75] = 1 / 70  # a long blur, and a small spot in a large array
    spot = np.zeros((60, 80))
    spot[28:33, 38:43] = 1 / 25
    for psf in (long, spot, np.full((1, 80), 1 / 80), np.full((4, 6), 1 / 24)):
        assert not any(said in text for text in restore(image, psf, boundary="wrap").warnings)


def test_an_option_in_the_method_and_beside_it_is_refused(camera: Array) -> None:
    for call in (restore, lambda image, *rest, **more: plan_restoration(image.shape, *rest, **more)):
        with pytest.raises(ValueError, match=r"noise_to_signal is given twice: as 0.01 in the method and as 0.5"):
            call(camera, np.ones((1, 1)), "wiener:noise_to_signal=0.01", noise_to_signal=0.5)


def test_a_psf_on_a_flat_background_is_named_in_the_record(camera: Array) -> None:
    clean = gaussian_psf(1.6, size=(20, 23))
    measured = clean + 0.4 / clean.size
    image = convolve(camera[:91, :123], clean)
    assert any("flat background" in text for text in restore(image, measured / measured.sum()).warnings)
    assert not any("flat background" in text for text in restore(image, clean).warnings)
