"""TIFF by tifffile: every integer and float dtype, planes and stacks with their axes."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.image_files import exif, xmp
from restoretk.image_files.deep import decode_deep
from restoretk.image_files.limits import Limits
from restoretk.image_files.microscopy import Microscopy, imagej_of, ome_of
from restoretk.image_files.quiet import logged_errors_raised
from restoretk.image_files.record import Decoded, Refusal
from restoretk.image_files.tiff_layout import check_directories, check_segments

# Compression: none, and zlib under its two numbers. Of others tifffile takes more memory than the pixels need (PackBits),
# inflates more than was asked for (LZMA), or lacks the codec.
_CODECS = (1, 8, 32946)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2  # TIFF 6.0, PhotometricInterpretation
_UNSPECIFIED, _PREMULTIPLIED = 0, 1  # TIFF 6.0, ExtraSamples
_PLANAR = 2  # TIFF 6.0, PlanarConfiguration
_LOOKED_AT = 64  # pages
_INCH = 2  # TIFF 6.0, ResolutionUnit


def decode_tiff(data: bytes, limits: Limits) -> Decoded | None:
    """The pixels of a TIFF; None where tifffile lacks the codec and Pillow reads the file exactly.

    Decoded from bytes, so that no other file is opened whatever the descriptions say.
    """
    import tifffile

    check_directories(data, limits)
    with logged_errors_raised(Refusal), tifffile.TiffFile(io.BytesIO(data), is_ome=False) as tiff:
        page = tiff.pages.first
        if page.dtype is None:
            raise Refusal(f"has pixels of {page.bitspersample} bits of a kind that is not read here")
        values = [math.prod(series.shape) for series in tiff.series]
        limits.check_size(
            values=sum(values),
            item_bytes=page.dtype.itemsize,
            file_bytes=len(data),
            frames=sum(values) // max(math.prod(page.shape), 1),
        )
        if not _plain(page, tifffile):
            if _pillow_is_exact(page, len(tiff.pages)):
                return None
            pixels, axes, assumed = *_by_libvips(data, page), ""
        else:
            check_segments(data, [each for series in tiff.series for each in series.pages if each is not None])
            pixels, axes = _one_array(list(tiff.series))
            axes, assumed = _read_planes(page, tiff.shaped_metadata, axes)
        pixels, axes, microscopy = _with_microscopy(tiff, pixels, axes)
        if "Y" not in axes or "X" not in axes:
            raise Refusal(f"has the axes {axes}, among which are no rows and columns (Y, X)")
        stored = pixels.dtype
        if page.photometric == _WHITE_IS_ZERO:
            pixels = _inverted(pixels)
        if pixels.dtype == bool:
            pixels = pixels.astype(np.uint8) * np.uint8(255)
        packet = page.tags.valueof(700)
        packet = packet if isinstance(packet, bytes) else str(packet).encode() if packet else None
        return Decoded(
            pixels=pixels,
            axes=axes,
            alpha=_has_alpha(page, pixels, axes),
            orientation=_orientation(page),
            exif=exif.from_tiff(data),
            text=_records(tiff.shaped_metadata, microscopy),
            microscope=_of_a_microscope(page),
            microscopy=microscopy,
            xmp=None if packet is None else xmp.with_orientation_1(packet),
            icc_profile=page.iccprofile,
            dpi=_dpi(page),
            mode=f"{_word(page.photometric)}, {stored}, {_word(page.compression)}",
            bit_depth=int(page.bitspersample),
            pages=len(tiff.pages),
            left_behind=_left_behind(page, data, microscopy, _speaking_pages(tiff)),
            assumed=assumed,
        )


def _word(number: Any) -> str:
    """What tifffile calls a number of the specification, or the number."""
    return str(getattr(number, "name", number)).lower()


def _of_a_microscope(page: Any) -> bool:
    return bool(page.is_ome or page.is_imagej or page.is_micromanager or page.is_lsm)


def _with_microscopy(tiff: Any, pixels: Array, axes: str) -> tuple[Array, str, Microscopy | None]:
    """The pixels in the axes that a microscope's program says they have, and what it says."""
    page = tiff.pages.first
    if page.is_ome and (found := ome_of(page.description, pixels.shape, axes)) is not None:
        microscopy, shape, axes = found
        return pixels.reshape(shape), axes, microscopy
    return pixels, axes, imagej_of(tiff, pixels.shape, axes) if page.is_imagej else None


def _records(shaped: Any, microscopy: Microscopy | None) -> dict[str, str]:
    """How a stack was made, where this program wrote it beside its axes: records in JSON, one a line."""
    records = [record for entry in shaped or () for record in entry.get("restoretk", ()) if isinstance(record, dict)]
    lines = "\n".join(json.dumps(record) for record in records) or (microscopy.records() if microscopy else "")
    return {"restoretk": lines} if lines else {}


def _orientation(page: Any) -> int:
    value = page.tags.valueof(274, default=1)
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def _speaking_pages(tiff: Any) -> bool:
    """Whether pages of a stack that no program describes as a whole have names or descriptions of their own."""
    if len(tiff.pages) == 1 or tiff.shaped_metadata or _of_a_microscope(tiff.pages.first):
        return False
    return any(tag in page.tags for page in tiff.pages[:_LOOKED_AT] for tag in (270, 285) if hasattr(page, "tags"))


def _left_behind(page: Any, data: bytes, microscopy: Microscopy | None, speaking: bool) -> tuple[str, ...]:
    """What is not carried: a microscope's description that is not understood, EXIF of a BigTIFF, smaller copies."""
    seen = {
        "the description of its microscope": microscopy is None and _of_a_microscope(page),
        "EXIF": data[2:4] in (b"+\0", b"\0+") and 34665 in page.tags,
        "the smaller copies inside": 330 in page.tags,
        "the names and descriptions of its pages": speaking,
    }
    return tuple(name for name, there in seen.items() if there)


def _by_libvips(data: bytes, page: Any) -> tuple[Array, str]:
    """Pixels of a compression that only libvips reads exactly, such as 16-bit colours by LZW."""
    pixels = decode_deep(data, "TIFF")
    axes = "YXS" if pixels.ndim == 3 else "IYXS"
    if page.samplesperpixel == 1:
        pixels, axes = pixels[..., 0], axes[:-1]
    if pixels.dtype != page.dtype or pixels.shape[axes.index("Y")] != page.imagelength:
        raise Refusal(f"is a TIFF of {page.dtype} by {_word(page.compression)}, which cannot be read exactly here")
    return pixels, axes


def _plain(page: Any, tifffile: Any) -> bool:
    """Whether tifffile alone reads this page: codec, predictor, colour and sample size."""
    return (
        int(page.compression) in _CODECS
        and page.compression in tifffile.TIFF.DECOMPRESSORS
        and page.predictor in tifffile.TIFF.UNPREDICTORS
        and page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
        and page.bitspersample in (1, 8, 16, 32, 64)
    )


def _pillow_is_exact(page: Any, pages: int) -> bool:
    """Pillow reads one page of at most 8 bits, or of 16 bits and one sample; it reads 16-bit colour as 8 bits."""
    return pages == 1 and (page.bitspersample <= 8 or (page.bitspersample == 16 and page.samplesperpixel == 1))


def _one_array(series: list[Any]) -> tuple[Array, str]:
    """All pages as one array: pages that were written one by one and are alike become a stack."""
    if not series:
        raise Refusal("holds no picture")
    first = series[0]
    if len(series) == 1:
        return _whole(first), first.axes
    kinds = {(s.shape, s.dtype, s.axes) for s in series}
    if len(kinds) > 1:
        shapes = ", ".join(str(s.shape) for s in series[:4])
        raise Refusal(f"holds {len(series)} pictures that are not alike (shapes {shapes}): save the one you want")
    return np.stack([_whole(s) for s in series]), "I" + first.axes


def _whole(series: Any) -> Array:
    """The pixels of a series; tifffile returns empty arrays for some broken files without a word."""
    pixels = np.asarray(series.asarray())
    if pixels.shape != tuple(series.shape) or pixels.size == 0:
        raise Refusal(
            f"is a damaged TIFF: it should hold pixels of shape {tuple(series.shape)} and holds {pixels.shape}"
        )
    for page in series.pages:
        if page is None:
            continue  # behind the first page of a stack that lies in one piece
        counts, needed = page.databytecounts, _bytes_of(page.keyframe)
        if not counts or (int(page.keyframe.compression) == 1 and sum(counts) < needed):
            raise Refusal(f"is a damaged TIFF: a page of {needed} bytes of pixels has only {sum(counts)}")
    return pixels


def _bytes_of(page: Any) -> int:
    """The bytes that the pixels of an uncompressed page need at least."""
    bits = int(page.imagelength) * int(page.imagewidth) * int(page.samplesperpixel) * int(page.bitspersample)
    return bits // 8


def _read_planes(page: Any, shaped: Any, axes: str) -> tuple[str, str]:
    """What planes of a file are that tifffile tagged as colour by itself: the axes, and what was assumed.

    Given an array of 3 or 4 planes and no word about them, tifffile tags them as planar RGB or RGBA: the tags of a stack of
    slices and of a colour picture are then the same to the last bit. Who means another thing names the axes in the file.
    Three planes are taken for what the tags say; four, of which a picture would have to be both planar and transparent,
    for a stack.
    """
    by_itself = shaped is not None and not any("axes" in entry for entry in shaped)
    if not (by_itself and page.photometric == _RGB and int(page.planarconfig) == _PLANAR and axes.endswith("SYX")):
        return axes, ""
    otherwise = "tifffile.imwrite(..., metadata={{'axes': '{}'}}) says otherwise"
    if page.samplesperpixel == 4:
        stack = axes.replace("S", "Z")
        return stack, "holds 4 planes, taken for a stack of slices and not for RGBA; " + otherwise.format(axes)
    return (
        axes,
        f"holds {page.samplesperpixel} planes, taken for RGB and not for a stack of slices; "
        + otherwise.format(axes.replace("S", "Z")),
    )


def _inverted(pixels: Array) -> Array:
    """Pixels of a file in which 0 is white."""
    if pixels.dtype == bool:
        return ~pixels
    if pixels.dtype.kind != "u":
        raise Refusal(f"says that 0 is white for pixels of dtype {pixels.dtype}, whose black is not known")
    return np.iinfo(pixels.dtype).max - pixels


def _has_alpha(page: Any, pixels: Array, axes: str) -> bool:
    """Whether the last sample is transparency; premultiplied colours are refused unless everything is opaque."""
    if len(page.extrasamples) != 1 or "S" not in axes:
        return False
    kind = int(page.extrasamples[0])
    if kind == _UNSPECIFIED:
        return bool(page.photometric == _RGB)  # many writers leave the kind of the fourth sample of RGBA open
    opaque = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
    if kind == _PREMULTIPLIED and (pixels.take(-1, axis=axes.index("S")) != opaque).any():
        raise Refusal("has colours premultiplied with its transparency, not read here: save it with unassociated alpha")
    return True


def _dpi(page: Any) -> tuple[float, float] | None:
    if 282 not in page.tags or 283 not in page.tags or page.tags.valueof(296, default=_INCH) == 1:
        return None  # 1: a ratio without a unit
    along_row, along_column = page.get_resolution(unit="INCH")
    good = np.isfinite([along_row, along_column]).all() and min(along_row, along_column) > 0
    return (float(along_row), float(along_column)) if good else None
