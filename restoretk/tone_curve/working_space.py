"""The space in which a picture is degraded and restored: linear light, or the code values as they stand in the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.tone_curve.curves import SRGB, ToneCurve, power_curve
from restoretk.tone_curve.exif import exif_color_space
from restoretk.tone_curve.icc import ProfileError, profile_curves

#: What can be asked for.
SPACES = ("auto", "linear", "srgb")

_PHOTOGRAPHS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "HEIF", "PPM", "TIFF")
_DATA_TOO = ("PPM", "TIFF")  # measurements in grey of 16 bits come in these
_GAMMA_OF_SRGB = (0.445, 0.465)  # 1 / 2.2 = 0.45455, which PNG writers put for sRGB: PNG 3rd edition, 11.3.2.5
_ADOBE_RGB = 563 / 256  # the exponent; Adobe RGB (1998) Color Image Encoding, 4.3.1.2


@dataclass(frozen=True, kw_only=True)
class WorkingSpace:
    """How the pixels of a file become the values that a method works on, and how its result returns to the file.

    Attributes
    ----------
    space : str
        ``linear`` (linear light) or ``srgb`` (the code values of the file, whatever their curve).
    words : str
        Which it is and why, for a message and a report.
    curves : tuple of ToneCurve
        One, or one for each channel; empty where the values are used as they stand.
    exact : bool
        Whether to compute in float64: near black the codes of 16 bits are closer together in light than the rounding of
        float32 beside white.
    warning : str
        What had to be assumed about the file; empty where nothing.
    """

    space: str
    words: str
    curves: tuple[ToneCurve, ...] = ()
    exact: bool = False
    warning: str = ""

    def decode(self, image: Array, channel_axis: int | None = None) -> Array:
        """The values to work on: light where there are curves, else the image itself."""
        return self._through([curve.decode for curve in self.curves], image, channel_axis)

    def encode(self, image: Array, channel_axis: int | None = None) -> Array:
        """The values of the file; the inverse of `decode`, also beyond black and white."""
        return self._through([curve.encode for curve in self.curves], image, channel_axis)

    def as_dict(self) -> dict[str, str]:
        """For a record: the space, the names of the curves and the words."""
        names = list(dict.fromkeys(curve.name for curve in self.curves))
        return {"space": self.space, "tone_curve": ", ".join(names) or "none", "space_because": self.words}

    def _through(self, curves: list[Callable[[Array], Array]], image: Array, channel_axis: int | None) -> Array:
        if not curves:
            return image
        image = image.astype(np.float64, copy=False) if self.exact else image
        if len(curves) == 1:
            return curves[0](image)
        if channel_axis is None or image.shape[channel_axis] != len(curves):
            raise ValueError(
                f"{len(curves)} tone curves need as many channels, got shape {image.shape}, {channel_axis=}"
            )
        channels = np.moveaxis(image, channel_axis, 0)
        return np.moveaxis(
            np.stack([curve(each) for curve, each in zip(curves, channels, strict=True)]), 0, channel_axis
        )


#: For arrays, which come without a word about their space.
AS_GIVEN = WorkingSpace(space="linear", words="the values as they stand, taken for linear light (an array)")


def choose_working_space(
    space: str,
    *,
    format_: str,
    dtype: np.dtype[Any],
    channels: int | None,
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    png_chunks: Mapping[str, bytes] = MappingProxyType({}),
    stack: bool = False,
    microscope: bool = False,
) -> WorkingSpace:
    """In which space to work on a file, by what is known about it.

    Blur happens in light, and a photograph stores a curve of it. So ``auto`` decodes photographs and takes all else as linear
    in light already. A photograph is a JPEG, PNG, WebP, BMP, GIF, HEIC, PPM or TIFF of 8 or 16 bits without sign, in grey or
    in three colours. Its curve is that of its ICC profile; without one that of the chunks of a PNG, then that of the EXIF
    colour space; without that sRGB. Not a photograph is a grey TIFF or PGM of 16 bits without a profile, a stack, what a
    microscope's program wrote, an NPY or FITS file, and whatever holds floats (a TIFF of floats follows its ICC profile, if
    it has one: most have a linear one).

    Parameters
    ----------
    space : str
        ``auto``; ``linear``, which is auto, but refuses a profile of which no curve can be made where auto takes sRGB;
        or ``srgb``: the code values as they stand, as programs do that know nothing of light.
    format_ : str
        As in ``restoretk.image_files.ImageFile``: JPEG, PNG, TIFF, ...
    dtype : numpy.dtype
        Of the pixels in the file.
    channels : int or None
        Colour channels without transparency, None for grey.
    icc_profile, exif : bytes or None
        As they stand in the file.
    png_chunks : mapping of str to bytes
        Of a PNG: sRGB and gAMA.
    stack : bool
        Whether the file holds slices, frames or pages beside rows, columns and colour.
    microscope : bool
        Whether its metadata are those of a microscope's program (ImageJ, OME).

    Raises
    ------
    ValueError
        For another space, and for ``linear`` where the colour profile of a photograph holds no tone curve.

    Examples
    --------
    >>> choose_working_space("auto", format_="JPEG", dtype=np.dtype("uint8"), channels=3).words
    'linear light, decoded from sRGB (the file names no colour space)'
    >>> choose_working_space("auto", format_="TIFF", dtype=np.dtype("float32"), channels=None).words
    'the values as they stand, taken for linear light (floats without a profile)'
    """
    if space not in SPACES:
        raise ValueError(f"space must be one of {', '.join(SPACES)}, got {space!r}")
    reason = _why_linear(format_, dtype, channels, icc_profile is not None, stack, microscope)
    if reason:
        return WorkingSpace(space="linear", words=f"the values as they stand, taken for linear light ({reason})")
    if space == "srgb":
        return WorkingSpace(space="srgb", words="the code values of the file, as asked for")
    exact = dtype.itemsize > 1
    if icc_profile is not None:
        try:
            return replace(_of_profile(icc_profile, channels), exact=exact)
        except ProfileError as error:
            if space == "linear":
                raise ValueError(f"the colour profile of the file is {error}: space must be srgb or auto") from error
            warning = f"the colour profile of the file is {error}; its tone curve is taken for that of sRGB"
            return WorkingSpace(
                space="linear", words="linear light, decoded as if from sRGB", curves=(SRGB,), warning=warning
            )
    if (of_chunks := _of_chunks(png_chunks)) is not None:
        return replace(of_chunks, exact=exact)
    named = "" if exif is None else exif_color_space(exif)
    if named == "Adobe RGB":
        words, curve = "linear light, decoded from Adobe RGB (EXIF)", power_curve(_ADOBE_RGB)
    else:
        why = "EXIF" if named else "the file names no colour space"
        words, curve = f"linear light, decoded from sRGB ({why})", SRGB
    return WorkingSpace(space="linear", words=words, curves=(curve,), exact=exact)


def _why_linear(
    format_: str, dtype: np.dtype[Any], channels: int | None, profile: bool, stack: bool, microscope: bool
) -> str:
    """Why the file is no photograph; empty where it is one."""
    if format_ not in _PHOTOGRAPHS:
        return f"the format {format_}"
    if microscope:
        return "written by a microscope's program"
    if stack:
        return "a stack"
    if channels not in (None, 3):
        return f"{channels} channels"
    if dtype.kind == "f":
        return "" if profile else "floats without a profile"
    if dtype.kind != "u" or dtype.itemsize > 2:
        return f"pixels of dtype {dtype}"
    if format_ in _DATA_TOO and dtype.itemsize == 2 and channels is None and not profile:
        return f"a grey {format_} of 16 bits without a profile"
    return ""


def _of_chunks(chunks: Mapping[str, bytes]) -> WorkingSpace | None:
    """The space that the chunks of a PNG name; sRGB comes before gAMA (PNG 3rd edition, 4.3)."""
    if "sRGB" in chunks:
        return WorkingSpace(space="linear", words="linear light, decoded from sRGB (PNG chunk)", curves=(SRGB,))
    body = chunks.get("gAMA", b"")
    if len(body) != 4 or not int.from_bytes(body, "big"):
        return None
    gamma = int.from_bytes(body, "big") / 100000
    if _GAMMA_OF_SRGB[0] <= gamma <= _GAMMA_OF_SRGB[1]:
        return WorkingSpace(space="linear", words="linear light, decoded from sRGB (PNG gAMA 1/2.2)", curves=(SRGB,))
    if gamma == 1:
        return WorkingSpace(space="linear", words="linear light, as the chunk gAMA of the PNG says of the file")
    if not 1 / 8 <= gamma <= 1:
        return None  # nobody's display
    words = f"linear light, decoded by an exponent of {1 / gamma:.4g} (PNG gAMA)"
    return WorkingSpace(space="linear", words=words, curves=(power_curve(1 / gamma),))


def _of_profile(icc_profile: bytes, channels: int | None) -> WorkingSpace:
    """The space of a profile that fits the picture."""
    found = profile_curves(icc_profile)
    curves = found.curves
    if len(curves) == 3:
        probe = np.linspace(0, 1, 4097)
        lights = [curve.decode(probe) for curve in curves]
        if all(np.abs(light - lights[0]).max() < 1e-6 for light in lights[1:]):
            curves = curves[:1]
    if len(curves) == 3 and channels is None:
        raise ProfileError("a profile of three different tone curves, and the picture is grey")
    name = f"'{found.name}'" if found.name else "without a name"
    if all(curve.is_linear for curve in curves):
        return WorkingSpace(space="linear", words=f"linear light, as the colour profile {name} says of the file")
    return WorkingSpace(space="linear", words=f"linear light, decoded by the colour profile {name}", curves=curves)
