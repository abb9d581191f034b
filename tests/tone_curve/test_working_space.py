"""Which space a file is worked on in: the rule, its words, and the way there and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from restoretk._arrays import Array
from restoretk.tone_curve import SRGB, WorkingSpace, choose_working_space, power_curve
from restoretk.tone_curve.exif import exif_color_space

SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def choose(
    space: str = "auto", format_: str = "JPEG", dtype: str = "uint8", channels: int | None = 3, **known: Any
) -> WorkingSpace:
    return choose_working_space(space, format_=format_, dtype=np.dtype(dtype), channels=channels, **known)


def exif_of(color_space: int | None, index: str | None = None, big_endian: bool = False) -> bytes:
    exif = Image.Exif()
    exif.endian = ">" if big_endian else "<"
    exif[0x0112] = 1
    if color_space is not None:
        exif.get_ifd(0x8769)[0xA001] = color_space
    if index is not None:
        exif.get_ifd(0x8769)[0xA005] = {1: index}
    return exif.tobytes()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("channels", [None, 3])
def test_photographs_of_8_bits_are_decoded_from_srgb(format_: str, channels: int | None) -> None:
    found = choose(format_=format_, channels=channels)
    assert (found.space, found.curves, found.exact, found.warning) == ("linear", (SRGB,), False, "")
    assert found.words == "linear light, decoded from sRGB (the file names no colour space)"


@pytest.mark.parametrize(("format_", "channels"), [("PNG", None), ("PNG", 3), ("TIFF", 3)])
def test_photographs_of_16_bits_are_decoded_in_float64(format_: str, channels: int | None) -> None:
    found = choose(format_=format_, dtype="uint16", channels=channels)
    assert found.curves == (SRGB,)
    assert found.exact


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"format_": "TIFF", "dtype": "uint16", "channels": None}, "a grey TIFF of 16 bits without a profile"),
        ({"format_": "TIFF", "dtype": "float32"}, "floats without a profile"),
        ({"format_": "TIFF", "dtype": "uint32"}, "pixels of dtype uint32"),
        ({"format_": "TIFF", "dtype": "int16", "channels": None}, "pixels of dtype int16"),
        ({"format_": "NPY"}, "the format NPY"),
        ({"format_": "FITS", "dtype": "float32", "channels": None}, "the format FITS"),
        ({"format_": "TIFF", "channels": None, "stack": True}, "a stack"),
        ({"format_": "TIFF", "channels": None, "microscope": True}, "written by a microscope's program"),
        ({"format_": "TIFF", "channels": 5}, "5 channels"),
    ],
)
@pytest.mark.parametrize("space", ["auto", "linear", "srgb"])
def test_what_is_no_photograph_is_taken_as_it_stands(known: dict[str, Any], why: str, space: str) -> None:
    found = choose(space, **known)
    assert (found.space, found.curves) == ("linear", ())
    assert found.words == f"the values as they stand, taken for linear light ({why})"


@pytest.mark.parametrize("known", [{}, {"icc_profile": SRGB_PROFILE}, {"icc_profile": b"broken"}])
def test_code_values_can_be_asked_for(known: dict[str, Any]) -> None:
    found = choose("srgb", **known)
    assert (found.space, found.curves, found.warning) == ("srgb", (), "")
    assert found.words == "the code values of the file, as asked for"


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_colour_profile_says_the_curve_and_comes_before_exif(channels: int | None, dtype: str) -> None:
    found = choose(format_="TIFF", dtype=dtype, channels=channels, icc_profile=SRGB_PROFILE, exif=exif_of(2))
    assert found.words == "linear light, decoded by the colour profile 'sRGB built-in'"
    assert len(found.curves) == 1  # three that are equal
    assert found.exact is (dtype != "uint8")


@pytest.mark.parametrize("profile", [b"profile", LAB_PROFILE, SRGB_PROFILE[:300]])
def test_a_profile_without_a_curve_is_srgb_with_a_warning_or_refused_for_linear(profile: bytes) -> None:
    found = choose("auto", icc_profile=profile)
    assert found.curves == (SRGB,)
    assert found.warning.startswith("the colour profile of the file is ")
    assert found.warning.endswith("; its tone curve is taken for that of sRGB")
    with pytest.raises(ValueError, match=r"the colour profile of the file is .*: space must be srgb or auto"):
        choose("linear", icc_profile=profile)


@pytest.mark.parametrize(
    ("exif", "named"),
    [
        (exif_of(1), "sRGB"),
        (exif_of(1, big_endian=True), "sRGB"),
        (exif_of(2), "Adobe RGB"),
        (exif_of(65535, "R03"), "Adobe RGB"),
        (exif_of(65535, "R03", big_endian=True), "Adobe RGB"),
        (exif_of(65535, "R98"), ""),
        (exif_of(65535), ""),
        (exif_of(None), ""),
        (b"", ""),
        (b"Exif\0\0II*\0", ""),
        (b"Exif\0\0II*\0\xff\xff\xff\xff", ""),
    ],
)
def test_exif_names_the_colour_space(exif: bytes, named: str) -> None:
    assert exif_color_space(exif) == named


def test_adobe_rgb_by_exif_alone_is_its_power_curve() -> None:
    found = choose(exif=exif_of(2))
    assert found.curves == (power_curve(563 / 256),)
    assert found.words == "linear light, decoded from Adobe RGB (EXIF)"
    assert choose(exif=exif_of(1)).words == "linear light, decoded from sRGB (EXIF)"


def test_whatever_bytes_change_in_exif_nothing_is_raised(rng: np.random.Generator) -> None:
    whole = np.frombuffer(exif_of(65535, "R03"), np.uint8)
    for length in range(len(whole)):
        exif_color_space(whole[:length].tobytes())
    for _ in range(2000):
        changed = whole.copy()
        changed[rng.integers(len(whole), size=3)] = rng.integers(256, size=3)
        exif_color_space(changed.tobytes())


def test_another_space_is_answered_with_the_choices() -> None:
    with pytest.raises(ValueError, match="space must be one of auto, linear, srgb, got 'lab'"):
        choose("lab")


@pytest.mark.parametrize("channel_axis", [0, 1, -1])
def test_each_channel_goes_through_its_own_curve(channel_axis: int, rng: np.random.Generator) -> None:
    curves = (power_curve(1), power_curve(2), power_curve(3))
    space = WorkingSpace(space="linear", words="", curves=curves)
    channels = rng.uniform(-0.2, 1.3, (3, 5, 7)).astype(np.float32)
    image = np.moveaxis(channels, 0, channel_axis)
    light = space.decode(image, channel_axis)
    for power, (before, after) in enumerate(zip(channels, np.moveaxis(light, channel_axis, 0), strict=True), start=1):
        np.testing.assert_allclose(after, np.sign(before) * np.abs(before) ** power, rtol=1e-5)
    np.testing.assert_allclose(space.encode(light, channel_axis), image, atol=1e-5)
    with pytest.raises(ValueError, match="3 tone curves need as many channels"):
        space.decode(channels[:2], 0)


@pytest.mark.parametrize(("dtype", "levels"), [("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("known", [{}, {"icc_profile": SRGB_PROFILE}, {"exif": exif_of(2)}])
def test_every_code_returns_though_the_light_came_through_a_fourier_transform(
    dtype: str, levels: int, known: dict[str, Any]
) -> None:
    """float32 would lose the darkest codes of 16 bits: rounding beside white is larger than they are."""
    codes = np.arange(65536).reshape(256, 256) % (levels + 1)
    space = choose(format_="PNG", dtype=dtype, channels=None, **known)
    image: Array = (codes / levels).astype(np.float32)
    light = space.decode(image)
    there_and_back = np.fft.irfft2(np.fft.rfft2(light)) if space.exact else light
    np.testing.assert_array_equal(np.rint(space.encode(there_and_back) * levels), codes)


def test_the_record_names_space_and_curve() -> None:
    assert choose().as_dict() == {
        "space": "linear",
        "tone_curve": "sRGB",
        "space_because": "linear light, decoded from sRGB (the file names no colour space)",
    }
    assert choose("srgb").as_dict()["tone_curve"] == "none"


@pytest.mark.parametrize(
    ("chunks", "words", "gamma"),
    [
        ({"sRGB": b"\0", "gAMA": bytes(4)}, "decoded from sRGB (PNG chunk)", None),
        ({"gAMA": (45455).to_bytes(4, "big")}, "decoded from sRGB (PNG gAMA 1/2.2)", None),
        ({"gAMA": (55556).to_bytes(4, "big")}, "decoded by an exponent of 1.8 (PNG gAMA)", 1.8),
        ({"gAMA": (100000).to_bytes(4, "big")}, "as the chunk gAMA of the PNG says of the file", 1),
        ({"gAMA": bytes(4)}, "decoded from sRGB (the file names no colour space)", None),
        ({"gAMA": b"\xff" * 4}, "decoded from sRGB (the file names no colour space)", None),
        ({"gAMA": b"\1"}, "decoded from sRGB (the file names no colour space)", None),
    ],
)
def test_the_chunks_of_a_png_say_its_curve(chunks: dict[str, bytes], words: str, gamma: float | None) -> None:
    found = choose(format_="PNG", png_chunks=chunks)
    assert found.words == f"linear light, {words}"
    expected = SRGB.decode(np.array([0.5])) if gamma is None else np.array([0.5**gamma])
    np.testing.assert_allclose(found.decode(np.array([0.5])), expected, rtol=1e-4)
    assert choose(format_="PNG", png_chunks=chunks, icc_profile=SRGB_PROFILE).words.endswith("'sRGB built-in'")
