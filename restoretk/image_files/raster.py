"""PNG, JPEG, WebP, BMP, GIF, PGM/PPM, and the TIFFs that tifffile cannot read, by Pillow, from bytes."""

from __future__ import annotations

import io
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.image_files import exif, png_chunks, xmp
from restoretk.image_files.deep import decode_deep
from restoretk.image_files.limits import Limits
from restoretk.image_files.netpbm import decode_deep_ppm, is_deep_ppm
from restoretk.image_files.quiet import c_libraries_silenced
from restoretk.image_files.record import Decoded, Refusal

_ONE_AT_A_TIME = threading.RLock()  # Pillow's limit and Python's warning filters are of the whole process
_PROFILE_DATE = slice(24, 36)  # ICC.1:2022, table 17
_BITS = {"1": 1, "I;16": 16, "I;16L": 16, "I;16B": 16, "I;16N": 16, "I": 32, "F": 32}


@contextmanager
def guarded_pillow(limits: Limits, said: list[str]) -> Iterator[None]:
    """Pillow with its own limit on, set to ours, a bomb an error, and its other warnings collected in ``said``."""
    from PIL import Image

    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limits.pixels
        try:
            yield
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            found = re.search(r"\d+", str(error))
            limits.check_pixels(int(found[0]) if found else limits.pixels + 1)
            raise
        finally:
            Image.MAX_IMAGE_PIXELS = before
            said.extend(f"made Pillow say: {' '.join(str(each.message).split())}" for each in caught)


def decode_raster(data: bytes, format_: str, limits: Limits) -> Decoded:
    """The pixels of a file that holds one picture, or the first of several."""
    notes: list[str] = []
    quiet = c_libraries_silenced() if format_ == "TIFF" else nullcontext()  # libtiff speaks, the others do not
    with quiet, guarded_pillow(limits, notes):
        decoded = _decode(data, format_, limits)
    return replace(decoded, notes=tuple(notes))


def _decode(data: bytes, format_: str, limits: Limits) -> Decoded:
    from PIL import Image

    deep = (format_ == "PNG" and png_chunks.is_deep_colour(data)) or (format_ == "PPM" and is_deep_ppm(data))
    with Image.open(io.BytesIO(data), formats=(format_,)) as picture:
        limits.check_picture(picture.height, picture.width)
        bits = 16 if deep else data[24] if format_ == "PNG" else _BITS.get(picture.mode, 8)
        samples = 4 if picture.mode in ("P", "PA") else len(picture.getbands())  # a palette becomes colours
        values = picture.height * picture.width * samples
        limits.check_size(values=values, item_bytes=max(bits // 8, 1), file_bytes=len(data))
        assumed = _of_several(picture, format_)
        picture.load()  # once and first: a second try after a failed one may succeed with black pixels
        beside = _beside(picture, data, format_)
        limits.check_tags(sum(len(each) for each in (beside["exif"], beside["icc_profile"], beside["xmp"]) if each))
        mode = picture.mode
        if deep:
            pixels = decode_deep_ppm(data) if format_ == "PPM" else decode_deep(data, format_)
            alpha = pixels.shape[-1] in (2, 4)
            pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        elif mode == "CMYK":
            pixels, beside["icc_profile"], words = _from_inks(picture)
            alpha, assumed = False, assumed or words
        else:
            into = _lossless_mode(picture)
            pixels = np.asarray(picture if into == mode else picture.convert(into))
            alpha = into in ("LA", "RGBA")
            if mode == "I":  # 16-bit grey in PNG (Pillow before 11) and in PGM
                pixels = pixels.astype(np.uint16, casting="unsafe")
        return Decoded(
            pixels=pixels,
            axes="YX" if pixels.ndim == 2 else "YXS",
            alpha=alpha,
            mode=f"{mode} (16 bits)" if deep else mode,
            bit_depth=bits,
            palette=mode in ("P", "PA"),
            dpi=_dpi(picture, beside["exif"]),
            left_behind=_left_behind(picture, format_),
            assumed=assumed,
            **beside,
        )


def _beside(picture: Any, data: bytes, format_: str) -> dict[str, Any]:
    """What stands beside the pixels, upright where it says how to turn them."""
    if format_ == "TIFF":  # Pillow has turned the picture by itself
        block, orientation = exif.from_tiff(data), 1
    else:
        block = picture.info.get("exif") or None
        block = block if block is None or block.startswith(exif.PREFIX) else exif.PREFIX + block
        orientation = 1 if block is None else exif.orientation_of(block)
    packet = picture.info.get("xmp") or None
    packet = packet.encode() if isinstance(packet, str) else packet
    if orientation == 1 and packet and format_ != "TIFF":
        orientation = xmp.orientation_of(packet)
    light = dict(png_chunks.chunks(data)) if format_ == "PNG" else {}
    return {
        "orientation": orientation,
        "exif": block if block is None or orientation == 1 else exif.with_orientation_1(block),
        "xmp": None if packet is None else xmp.with_orientation_1(packet),
        "icc_profile": picture.info.get("icc_profile") or None,
        "text": _texts(picture, format_),
        "png_chunks": {name: light[name] for name in png_chunks.OF_LIGHT if name in light},
    }


def _texts(picture: Any, format_: str) -> dict[str, str]:
    if format_ == "PNG":
        return {str(key): str(value) for key, value in picture.text.items() if key != "XML:com.adobe.xmp"}
    comment = picture.info.get("comment")
    if not comment or format_ not in ("JPEG", "GIF"):
        return {}
    return {"Comment": comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)}


def _of_several(picture: Any, format_: str) -> str:
    """Refuse animations that may mean anything; of a GIF, most of which are animations, the first frame is read."""
    if not getattr(picture, "is_animated", False):
        return ""
    if format_ == "GIF":
        picture.seek(0)  # whether there is a second frame is found out by looking
        return "is an animation, of which the first frame is read"
    if format_ in ("PNG", "WEBP"):
        raise Refusal(f"is an animation of {picture.n_frames} frames: save the one you want as a picture")
    return ""


def _lossless_mode(picture: Any) -> str:
    """The Pillow mode that holds every pixel of this picture, palettes and transparent colours resolved."""
    transparent = "transparency" in picture.info
    if picture.mode in ("P", "PA"):
        return "RGBA" if transparent or picture.mode == "PA" else "RGB"
    if picture.mode in ("1", "L"):
        return "LA" if transparent else "L"
    if picture.mode == "RGB":
        return "RGBA" if transparent else "RGB"
    if picture.mode in ("LA", "RGBA", "F"):
        return str(picture.mode)
    sixteen = picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format in ("PNG", "PPM"))
    if sixteen and not transparent:
        return str(picture.mode)
    raise Refusal(f"has pixels of the kind {picture.mode!r}{' with a transparent value' * transparent}, not read here")


def _from_inks(picture: Any) -> tuple[Array, bytes, str]:
    """CMYK through its colour profile as sRGB, the profile of that, and a sentence; without a profile it is refused."""
    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    if not profile:
        raise Refusal(
            "is in CMYK (printing inks) without a colour profile, which no colours follow from: convert it to RGB first"
        )
    inks, light = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    turned = ImageCms.profileToProfile(picture, inks, light, outputMode="RGB")
    words = "is in CMYK (printing inks), converted to sRGB through its colour profile: it will be written in RGB"
    made = bytearray(ImageCms.ImageCmsProfile(light).tobytes())
    made[_PROFILE_DATE] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # or the same input would give other bytes each time
    return np.asarray(turned), bytes(made), words


def _dpi(picture: Any, block: bytes | None) -> tuple[float, float] | None:
    """The resolution that the file says itself, else that of its EXIF (of a WebP, which has no other place for it)."""
    along_row, along_column = (float(value) for value in picture.info.get("dpi", (0, 0)))
    if np.isfinite([along_row, along_column]).all() and min(along_row, along_column) > 0:
        return along_row, along_column
    return exif.resolution_of(block)


def _left_behind(picture: Any, format_: str) -> tuple[str, ...]:
    if format_ == "GIF" and getattr(picture, "is_animated", False):
        return ("the further frames",)
    further = format_ == "JPEG" and getattr(picture, "n_frames", 1) > 1  # MPO: phones keep a depth map or a second view
    return ("the further pictures inside",) if further else ()
