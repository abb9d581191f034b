"""Tone curves of ICC profiles: littleCMS agrees, and no bytes whatever get past our own error."""

from __future__ import annotations

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image, ImageCms

from restoretk._arrays import Array
from restoretk.tone_curve import SRGB, ProfileError, profile_curves

CODES = np.arange(256, dtype=np.uint8)
D50 = (0.9642, 1.0, 0.8249)
# The columns add up to D50, so that equal codes are neutral.
MATRIX = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139))


def fixed(*values: float) -> bytes:
    """Numbers as s15Fixed16."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + fixed(*values)


def curv(*values: int) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">I", len(values)) + np.array(values, ">u2").tobytes()


def para(function: int, *values: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", function, 0) + fixed(*values)


def table(gamma: float, size: int) -> bytes:
    return curv(*np.rint(65535 * np.linspace(0, 1, size) ** gamma).astype(int))


def profile(
    *curves: bytes,
    name: bytes = b"made here",
    kind: bytes = b"mntr",
    space: bytes = b"",
    connection: bytes = b"XYZ ",
    version: int = 4,
    more: dict[bytes, bytes] | None = None,
) -> bytes:
    """A grey profile of one curve or an RGB profile of three, version 2 or 4."""
    if version == 4:
        text = name.decode().encode("utf-16-be")
        described = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    else:
        described = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + bytes(1 + 78)
    tags = {b"desc": described, b"wtpt": xyz(D50)}
    if len(curves) == 1:
        tags[b"kTRC"] = curves[0]
    else:
        tags |= {letter + b"XYZ": xyz(column) for letter, column in zip((b"r", b"g", b"b"), MATRIX, strict=True)}
        tags |= {letter + b"TRC": curve for letter, curve in zip((b"r", b"g", b"b"), curves, strict=False)}
    tags |= more or {}
    table_of_tags, data, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for signature, tag in tags.items():
        table_of_tags += signature + struct.pack(">II", start + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    space = space or (b"GRAY" if len(curves) == 1 else b"RGB ")
    header = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(data), b"", version << 24, kind, space, connection, bytes(12), b"acsp"
    )
    header += bytes(28) + fixed(*D50) + bytes(48)
    return header + table_of_tags + data


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def by_littlecms(source: bytes, target: bytes, grey: bool = False) -> Array:
    """What littleCMS makes of the 256 neutral codes, in codes of the target."""
    ramp = Image.fromarray(CODES[None] if grey else np.repeat(CODES[None, :, None], 3, axis=2))
    one, other = (ImageCms.ImageCmsProfile(io.BytesIO(each)) for each in (source, target))
    flags = ImageCms.Flags.NOOPTIMIZE | ImageCms.Flags.HIGHRESPRECALC
    transform = ImageCms.buildTransform(one, other, ramp.mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC, flags)
    return np.asarray(ImageCms.applyTransform(ramp, transform))[0]


RGB_CURVES = {
    "curv of nothing, linear": (curv(),) * 3,
    "curv, gamma 1.8": (curv(round(1.8 * 256)),) * 3,
    "curv, gamma 2.2": (curv(round(2.2 * 256)),) * 3,
    "curv, table of 256": (table(2.2, 256),) * 3,
    "curv, table of 1024": (table(1.8, 1024),) * 3,
    "curv, table of 4096 on sRGB": (curv(*np.rint(65535 * SRGB.decode(np.linspace(0, 1, 4096))).astype(int)),) * 3,
    "para 0": (para(0, 2.4),) * 3,
    "para 1": (para(1, 2.2, 0.9, 0.1),) * 3,
    "para 2": (para(2, 2.2, 0.9, 0.09772, 0.005),) * 3,  # white is 1
    "para 3": (para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),) * 3,
    "para 4": (para(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0),) * 3,
}


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("curves", RGB_CURVES.values(), ids=RGB_CURVES)
def test_littlecms_decodes_the_same_curves(curves: tuple[bytes, ...], version: int) -> None:
    if version == 2 and curves[0].startswith(b"para"):
        version = 4  # there are none in version 2
    made = profile(*curves, version=version)
    expected = by_littlecms(made, srgb_profile())
    for channel, curve in enumerate(profile_curves(made).curves):
        ours = SRGB.encode(curve.decode(CODES / 255)) * 255
        np.testing.assert_allclose(ours, expected[:, channel], atol=1.01)


@pytest.mark.parametrize("curves", RGB_CURVES.values(), ids=RGB_CURVES)
def test_littlecms_encodes_by_the_same_curves(curves: tuple[bytes, ...]) -> None:
    made = profile(*curves)
    expected = by_littlecms(srgb_profile(), made)
    for channel, curve in enumerate(profile_curves(made).curves):
        ours = (curve.encode(SRGB.decode(CODES / 255)) * 255).clip(0, 255)
        np.testing.assert_allclose(ours, expected[:, channel], atol=1.01)


@pytest.mark.parametrize("curve", [curv(round(2.2 * 256)), table(1.8, 700), para(3, 2.4, 0.948, 0.052, 0.0774, 0.0405)])
def test_littlecms_decodes_the_same_grey_curves(curve: bytes) -> None:
    made = profile(curve)
    (ours,) = profile_curves(made).curves
    expected = by_littlecms(made, srgb_profile(), grey=True)[:, 1]
    np.testing.assert_allclose(SRGB.encode(ours.decode(CODES / 255)) * 255, expected, atol=1.01)


def test_the_srgb_profile_of_littlecms_is_srgb() -> None:
    found = profile_curves(srgb_profile())
    assert found.name == "sRGB built-in"
    for curve in found.curves:
        np.testing.assert_allclose(curve.decode(CODES / 255), SRGB.decode(CODES / 255), atol=2e-5)  # s15Fixed16


def test_each_channel_has_the_curve_of_its_own_tag() -> None:
    found = profile_curves(profile(curv(256), para(0, 1.5), table(2.0, 300)))
    assert [curve.name for curve in found.curves] == ["linear", "gamma 1.5", "table of 300 values"]


@pytest.mark.parametrize("version", [2, 4])
def test_the_name_of_a_profile_is_fit_for_a_terminal(version: int) -> None:
    assert profile_curves(profile(curv(), name=b"Adobe RGB (1998)", version=version)).name == "Adobe RGB (1998)"
    hostile = profile_curves(profile(curv(), name=b"\x1b[2J\nred" + 100 * b"x", version=version)).name
    assert hostile.isprintable()
    assert len(hostile) <= 60


REFUSED = {
    "empty": (b"", "no ICC profile"),
    "text": (b"profile", "no ICC profile"),
    "no signature": (bytes(400), "no ICC profile"),
    "inks": (profile(curv(), space=b"CMYK"), "for CMYK, not for RGB or grey"),
    "device link": (profile(curv(), kind=b"link"), "of the class link"),
    "no curve for blue": (profile(curv(), curv()), "lacks bTRC"),
    "three-dimensional table": (
        profile(curv(), space=b"RGB ", more={b"A2B0": b"mft2" + bytes(48)}),
        r"table in three dimensions \(A2B0\)",
    ),
    "grey lightness": (profile(curv(), connection=b"Lab "), "lightness"),
    "unknown curve": (profile(b"sf32\0\0\0\0" + bytes(12)), "kTRC is of the type sf32"),
    "empty curve": (profile(b""), "kTRC is of the type"),
    "curve cut off": (profile(b"curv\0\0\0\0\0"), "ends at byte 9"),
    "table cut off": (profile(curv(1, 2, 3)[:-2]), "3 values in 16 bytes"),
    "table of 4 thousand million": (profile(b"curv\0\0\0\0\xff\xff\xff\xff" + bytes(64)), "4294967295 values"),
    "falling table": (profile(curv(0, 40000, 30000, 65535)), "falls after entry 1"),
    "flat table": (profile(curv(7, 7, 7)), "must rise"),
    "gamma 0": (profile(curv(0)), "must rise"),
    "gamma 255": (profile(curv(65535)), "0 < g <= 8"),
    "function type 5": (profile(para(5, *range(9))), "function type 5"),
    "parameters cut off": (profile(para(4, 2.4, 1.0)), "parametric curve of 20 bytes"),
    "a = 0": (profile(para(1, 2.2, 0.0, 0.1)), "a = 0"),
    "flat toe": (profile(para(1, 2.2, 1.1, -0.1)), "must rise"),
    "falling formula": (profile(para(3, 2.4, 1.0, 0.0, 3.0, 0.5)), "falls at 0.5"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_a_profile_without_usable_curves_is_refused_in_a_line(data: bytes, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        profile_curves(data)
    assert str(caught.value).isprintable()


def test_every_truncation_of_a_profile_is_refused() -> None:
    whole = profile(table(2.2, 40), curv(460), para(4, 2.4, 0.948, 0.052, 0.0774, 0.0405, 0.0, 0.0), version=2)
    assert len(profile_curves(whole).curves) == 3
    for length in range(len(whole)):
        with pytest.raises(ProfileError):
            profile_curves(whole[:length])
    with pytest.raises(ProfileError, match="damaged"):
        profile_curves(whole[: whole.index(b"rTRC")])


def test_whatever_bytes_change_only_our_own_error_comes_out_and_a_curve_that_comes_out_can_be_inverted(
    rng: np.random.Generator,
) -> None:
    whole = np.frombuffer(profile(table(2.2, 9), curv(460), para(4, 2.4, 0.95, 0.05, 0.08, 0.04, 0, 0)), np.uint8)
    codes = CODES / 255
    read = 0
    curves = whole.tobytes().index(b"curv")
    for trial in range(3000):
        changed = whole.copy()
        where = rng.integers(12 if trial % 2 else curves, len(whole), rng.integers(1, 5))
        changed[where] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)], len(where))
        try:
            found = profile_curves(changed.tobytes())
        except ProfileError:
            continue
        read += 1
        for curve in found.curves:
            np.testing.assert_allclose(curve.encode(curve.decode(codes)), codes, atol=0.25 / 255)
    assert 100 < read < 2900  # both happen


def test_a_thousand_tags_that_share_one_great_curve_cost_nothing() -> None:
    whole = bytearray(profile(curv(*range(60000))))
    whole += bytes(20_000_000)
    start = time.process_time()
    profile_curves(bytes(whole))
    with pytest.raises(ProfileError, match="tags in"):
        profile_curves(bytes(whole[:128]) + b"\xff\xff\xff\xff" + bytes(whole[132:]))
    assert time.process_time() - start < 2
