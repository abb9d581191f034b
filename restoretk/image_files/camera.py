"""What cameras and phones write: raw files by LibRaw (the extra ``raw``), HEIC by libheif (the extra ``heif``)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from restoretk.image_files import exif, xmp
from restoretk.image_files.limits import Limits
from restoretk.image_files.quiet import c_libraries_silenced
from restoretk.image_files.record import Decoded, Refusal


def decode_raw(data: bytes, limits: Limits) -> Decoded:
    """A raw file developed to linear light: white balance of the camera, sRGB primaries, 16 bits, no brightening."""
    try:
        import rawpy
    except ImportError as error:
        raise Refusal('is a camera raw file, which needs rawpy: pip install "restoretk[raw]"') from error
    with c_libraries_silenced(), rawpy.imread(io.BytesIO(data)) as raw:
        sizes = raw.sizes
        limits.check_picture(sizes.raw_height, sizes.raw_width)
        limits.check_size(values=3 * sizes.raw_height * sizes.raw_width, item_bytes=2, file_bytes=len(data))
        pixels = raw.postprocess(gamma=(1, 1), no_auto_bright=True, output_bps=16, use_camera_wb=True)
    block = exif.from_tiff(data)  # most raw files are TIFF by their structure
    orientation = 1 if block is None else exif.orientation_of(block)
    return Decoded(
        pixels=np.asarray(pixels),
        axes="YXS",
        mode="raw, developed",
        bit_depth=16,
        exif=None if block is None else exif.with_orientation_1(block),
        notes=(
            "developed to linear light (white balance of the camera, sRGB primaries)",
            *(("turned upright by LibRaw",) if orientation != 1 else ()),
        ),
    )


def decode_heif(data: bytes, limits: Limits) -> Decoded:
    """The main picture of a HEIC file, upright, with 16 bits where it has more than 8."""
    heif = _pillow_heif().open_heif(data, convert_hdr_to_8bit=False)
    picture = heif[heif.primary_index]
    columns, rows = picture.size
    limits.check_picture(rows, columns)
    samples = len(picture.mode.split(";")[0])
    deep = ";16" in picture.mode
    limits.check_size(values=rows * columns * samples, item_bytes=1 + deep, file_bytes=len(data))
    pixels = np.asarray(picture)
    block = picture.info.get("exif") or None
    block = block if block is None or block.startswith(exif.PREFIX) else exif.PREFIX + block
    packet = picture.info.get("xmp") or None
    if picture.mode.split(";")[0] in ("RGBa", "La") and (pixels[..., -1] != pixels[..., -1].max()).any():
        raise Refusal("has colours premultiplied with its transparency, not read here")
    return Decoded(
        pixels=pixels,
        axes="YX" if pixels.ndim == 2 else "YXS",
        alpha=picture.mode.split(";")[0].upper() in ("RGBA", "LA"),
        mode=picture.mode,
        bit_depth=int(picture.info.get("bit_depth", 16 if deep else 8)),
        exif=None if block is None else exif.with_orientation_1(block),
        xmp=None if packet is None else xmp.with_orientation_1(packet),
        icc_profile=picture.info.get("icc_profile") or None,
        notes=("turned upright by libheif",) if picture.info.get("original_orientation", 1) not in (None, 1) else (),
        left_behind=("the further pictures inside",) if len(heif) > 1 else (),
    )


def _pillow_heif() -> Any:
    try:
        import pillow_heif
    except ImportError as error:
        raise Refusal('is a HEIC file, which needs pillow-heif: pip install "restoretk[heif]"') from error
    return pillow_heif
