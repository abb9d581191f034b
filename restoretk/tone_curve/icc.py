"""The tone curves inside an ICC profile, read from its bytes, of which nothing is believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from restoretk.tone_curve.curves import LINEAR, ParametricCurve, TableCurve, ToneCurve, power_curve

_HEADER = 128  # bytes; ICC.1:2022, 7.2
_MOST_TAGS = 1000
_LONGEST_TABLE = 65536
_LONGEST_NAME = 60
_INPUT_CLASSES = {b"scnr", b"mntr", b"prtr", b"spac"}
# How the parameters of each function type, in their order in the file, are those of ParametricCurve; ICC.1:2022, table 68.
_PARAMETERS = {0: "g", 1: "gab", 2: "gabc", 3: "gabcd", 4: "gabcdef"}


class ProfileError(ValueError):
    """A colour profile of which no tone curve can be made; the message is one line that begins with what it is."""


@dataclass(frozen=True, kw_only=True)
class ProfileCurves:
    """The tone curves of a profile.

    Attributes
    ----------
    curves : tuple of ToneCurve
        One for grey, or those of red, green and blue.
    name : str
        What the profile calls itself, printable and at most 60 characters; empty where it does not say.
    """

    curves: tuple[ToneCurve, ...]
    name: str = ""


def profile_curves(profile: bytes) -> ProfileCurves:
    """The tone reproduction curves of a grey profile or of an RGB profile with a matrix.

    Profiles of scanners and printers that are tables in three dimensions have no such curves and are refused, as are those
    of printing inks. Where a profile has both, the curves are taken.

    Raises
    ------
    ProfileError
        A ValueError, for every other profile and for bytes that are none, whatever they hold.

    References
    ----------
    .. [1] ICC.1:2022, 7 (header and tags), 8.3 (which tags a profile has), 10.6 (curveType), 10.18 (parametricCurveType).
    """
    profile = bytes(profile)
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp":
        raise ProfileError(f"no ICC profile ({len(profile)} bytes without its signature)")
    kind, space, connection = profile[12:16], profile[16:20], profile[20:24]
    if kind not in _INPUT_CLASSES:
        raise ProfileError(f"a profile of the class {_printable(kind)}, which describes no picture")
    if space not in (b"RGB ", b"GRAY"):
        raise ProfileError(f"a profile for {_printable(space)}, not for RGB or grey")
    tags = _tags(profile)
    wanted = (b"kTRC",) if space == b"GRAY" else (b"rTRC", b"gTRC", b"bTRC")
    missing = [_printable(signature) for signature in wanted if signature not in tags]
    if missing:
        reason = "a table in three dimensions (A2B0)" if b"A2B0" in tags else f"it lacks {', '.join(missing)}"
        raise ProfileError(f"a profile without tone curves: {reason}")
    if space == b"GRAY" and connection != b"XYZ ":
        raise ProfileError("a grey profile whose curve is not of light but of lightness")
    curves = tuple(_curve(profile[tags[signature]], _printable(signature)) for signature in wanted)
    return ProfileCurves(curves=curves, name=_name(profile[tags[b"desc"]]) if b"desc" in tags else "")


def _tags(profile: bytes) -> dict[bytes, slice]:
    """Where every tag lies, by its signature; the first where one comes twice."""
    count = _unsigned(profile, _HEADER, 4)
    if count > _MOST_TAGS or _HEADER + 4 + 12 * count > len(profile):
        raise ProfileError(f"a damaged profile: {count} tags in {len(profile)} bytes")
    tags: dict[bytes, slice] = {}
    for entry in range(_HEADER + 4, _HEADER + 4 + 12 * count, 12):
        start, size = _unsigned(profile, entry + 4, 4), _unsigned(profile, entry + 8, 4)
        tags.setdefault(profile[entry : entry + 4], slice(start, start + size))
    return tags


def _curve(tag: bytes, name: str) -> ToneCurve:
    """The curve in a tag, whose bytes may be any."""
    try:
        if tag[:4] == b"curv":
            return _table_or_power(tag)
        if tag[:4] == b"para":
            return _parametric(tag)
    except ProfileError:
        raise
    except ValueError as error:
        raise ProfileError(f"a profile whose {name} is no curve to work by: {error}") from error
    raise ProfileError(f"a damaged profile: its {name} is of the type {_printable(tag[:4])}")


def _table_or_power(tag: bytes) -> ToneCurve:
    """curveType: a count, then nothing (linear), one u8Fixed8 exponent, or as many 16-bit values; ICC.1:2022, 10.6."""
    count = _unsigned(tag, 8, 4)
    if count == 0:
        return LINEAR
    if count > _LONGEST_TABLE or 12 + 2 * count > len(tag):
        raise ProfileError(f"a damaged profile: a curve of {count} values in {len(tag)} bytes")
    values = np.frombuffer(tag, ">u2", count, 12)
    if count == 1:
        return power_curve(int(values[0]) / 256)
    return TableCurve(values / 65535)


def _parametric(tag: bytes) -> ToneCurve:
    """parametricCurveType: function type and s15Fixed16 parameters; ICC.1:2022, 10.18."""
    function = _unsigned(tag, 8, 2)
    if function not in _PARAMETERS:
        raise ProfileError(
            f"a damaged profile: function type {function} of a parametric curve, of which there are 0 to 4"
        )
    letters = _PARAMETERS[function]
    if len(tag) < 12 + 4 * len(letters):
        raise ProfileError(f"a damaged profile: a parametric curve of {len(tag)} bytes")
    values = {
        letter: int.from_bytes(tag[12 + 4 * k : 16 + 4 * k], "big", signed=True) / 65536
        for k, letter in enumerate(letters)
    }
    if function in (1, 2):  # (a X + b)^g + c from X = -b / a on, and c below
        if values["a"] <= 0:
            raise ProfileError(f"a damaged profile: a parametric curve with a = {values['a']:.6g}")
        constant = values.pop("c", 0.0)
        values |= {"d": -values["b"] / values["a"], "e": constant, "f": constant}
    return ParametricCurve(**values)  # type: ignore[arg-type]  # the letters never spell its name


def _name(tag: bytes) -> str:
    """What the profile calls itself, from its description; ICC.1:2001-04, 6.5.17 (ASCII) or ICC.1:2022, 10.15 (UTF-16)."""
    if tag[:4] == b"desc" and len(tag) >= 12:
        return _printable(tag[12 : 12 + _unsigned(tag, 8, 4)].partition(b"\0")[0])
    if tag[:4] == b"mluc" and len(tag) >= 28:
        size, start = _unsigned(tag, 20, 4), _unsigned(tag, 24, 4)
        return _printable(tag[start : start + size].decode("utf-16-be", "replace").encode("ascii", "replace"))
    return ""


def _printable(text: bytes) -> str:
    """Text for one line of a terminal, whatever the bytes are."""
    words = "".join(character if character.isprintable() else "?" for character in text.decode("ascii", "replace"))
    return words.encode("ascii", "replace").decode("ascii").strip()[:_LONGEST_NAME]


def _unsigned(data: bytes, start: int, size: int) -> int:
    """A big-endian number; a ProfileError where the bytes end before it does."""
    if start + size > len(data):
        raise ProfileError(f"a damaged profile: it ends at byte {len(data)}, before a number that it should hold")
    return int.from_bytes(data[start : start + size], "big")
