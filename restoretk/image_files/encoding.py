"""Pixels of the target dtype and what stands beside them to the bytes of a file."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk._version import __version__
from restoretk.image_files import exif, png_chunks
from restoretk.image_files.deep import encode_deep
from restoretk.image_files.fits import encode_fits
from restoretk.image_files.netpbm import encode_deep_ppm
from restoretk.image_files.record import ImageFile, Refusal
from restoretk.image_files.tiff_writing import encode_tiff

JPEG_QUALITY = 95
_SOFTWARE = f"restoretk {__version__}"


def encode(
    name: str, pixels: Array, alpha: Array | None, like: ImageFile, *, quality: int | None, made_by: str
) -> bytes:
    """The bytes of a file; ``pixels`` and ``alpha`` in the dtype to write."""
    if name == "NPY":
        target = io.BytesIO()
        np.save(target, pixels, allow_pickle=False)
        return target.getvalue()
    pixels, axes = _samples_last(pixels, alpha, like, name)
    if name == "FITS":
        return encode_fits(pixels, axes, like.header, made_by)
    if name == "TIFF":
        like = replace(like, exif=_exif_with(like, made_by))
        return encode_tiff(pixels, axes, alpha=alpha is not None, like=like, made_by=_records(like, made_by))
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        if name == "PPM":
            return encode_deep_ppm(pixels)
        one = _encode_pillow(name, np.zeros((1, 1), np.uint8), like, quality, made_by)
        return png_chunks.with_chunks_of(encode_deep(pixels), one)
    return _encode_pillow(name, pixels, like, quality, made_by)


def made_by_text(made_by: Mapping[str, Any] | None) -> str:
    """How a picture was made, as one line of JSON in ASCII that begins with the program; empty for None."""
    if made_by is None:
        return ""
    return json.dumps({"restoretk": __version__, **made_by}, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _records(like: ImageFile, made_by: str) -> str:
    """The records of the source and this one, one a line."""
    return "\n".join(text for text in (like.text.get("restoretk", ""), made_by) if text)


def _exif_with(like: ImageFile, made_by: str, *, resolution: bool = False) -> bytes | None:
    """The EXIF with how the picture was made behind its description, and with the resolution where asked for."""
    entries: dict[int, tuple[int, bytes]] = {}
    if made_by:
        said = exif.text_of(like.exif, exif.DESCRIPTION)
        described = (said + b"\n" if said else b"") + made_by.encode()
        entries[exif.DESCRIPTION] = (exif.ASCII, described + b"\0")
        entries[exif.SOFTWARE] = (exif.ASCII, _SOFTWARE.encode() + b"\0")
    if resolution and like.dpi is not None and exif.resolution_of(like.exif) != like.dpi:
        for tag, value in zip((exif.X_RESOLUTION, exif.Y_RESOLUTION), like.dpi, strict=True):
            entries[tag] = (exif.RATIONAL, struct.pack("<II", round(value * 1000), 1000))
        entries[exif.RESOLUTION_UNIT] = (exif.SHORT, struct.pack("<H", 2))  # 2: inch
    return exif.with_entries(like.exif, entries) if entries else like.exif


def _samples_last(pixels: Array, alpha: Array | None, like: ImageFile, name: str) -> tuple[Array, str | None]:
    """Colour samples with alpha behind them, and the letters of the axes that result.

    As the last axis, but for a TIFF of planes: that stays one.
    """
    axes, channel = like.axes, like.channel_axis
    if axes is None and pixels.ndim <= 3:
        spatial = "ZYX"[3 - pixels.ndim + (channel is not None) :]
        axes = spatial if channel is None else f"{spatial[:channel]}S{spatial[channel:]}"
    if name != "TIFF" and axes is not None:
        axes = axes.replace("C", "S")  # only a TIFF can hold channels as planes of their own
    planar = name == "TIFF" and axes is not None and axes.endswith("SYX")
    if axes is not None and "S" in axes and not planar:
        pixels = np.moveaxis(pixels, axes.index("S"), -1)
        axes = axes.replace("S", "") + "S"
    if alpha is None:
        return pixels, axes
    if axes is None or "S" not in axes:
        pixels, axes = pixels[..., None], f"{axes}S"
    samples = axes.index("S")
    frame = pixels.shape[:samples] + pixels.shape[samples + 1 :]
    if alpha.shape != frame:
        raise ValueError(f"alpha of shape {alpha.shape} does not fit a picture of shape {frame}")
    return np.concatenate([pixels, np.expand_dims(alpha, samples)], axis=samples), axes


def _encode_pillow(name: str, pixels: Array, like: ImageFile, quality: int | None, made_by: str) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(target, name, **_options(name, like, quality, made_by))
    return target.getvalue()


def _options(name: str, like: ImageFile, quality: int | None, made_by: str) -> dict[str, Any]:
    """What Pillow is told: how to compress, and what to put beside the pixels."""
    beside: dict[str, Any] = {"icc_profile": like.icc_profile, "dpi": like.dpi, "xmp": like.xmp}
    if name == "PNG":
        beside = {**beside, "exif": like.exif, "pnginfo": _png_info(like, made_by)}
        del beside["xmp"]
    elif name == "JPEG":
        beside |= {"exif": _exif_with(like, made_by), "comment": like.text.get("Comment")}
        beside |= {"quality": JPEG_QUALITY if quality is None else quality, "subsampling": 0}
    elif name == "WEBP":
        beside |= {"exif": _exif_with(like, made_by, resolution=True)}
        beside |= {"lossless": True, "exact": True} if quality is None else {"quality": quality, "exact": True}
        del beside["dpi"]
    elif name == "BMP":
        beside = {"dpi": like.dpi}
    else:
        beside = {}
    return {key: value for key, value in beside.items() if value is not None}


def _png_info(like: ImageFile, made_by: str) -> Any:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    for name, body in like.png_chunks.items():
        if name != "sRGB" or like.icc_profile is None:  # a PNG holds one of the two (PNG specification, 11.3.2)
            info.add(name.encode(), body)
    if like.xmp:
        try:
            info.add_itxt("XML:com.adobe.xmp", like.xmp.decode())
        except UnicodeDecodeError:
            raise Refusal("cannot hold XMP that is not in UTF-8: leave it out (--strip)") from None
    texts = {**like.text, **({"Software": _SOFTWARE, "restoretk": _records(like, made_by)} if made_by else {})}
    for key, value in texts.items():
        info.add_text(key, value) if value.isascii() else info.add_itxt(key, value)
    return info
