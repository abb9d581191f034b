"""TIFF by tifffile: every integer and float dtype, planes and stacks with their axes."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.image_files.record import Decoded, Refusal

_LARGEST = 2**30  # values in one file: 4 GiB as float32
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2  # TIFF 6.0, PhotometricInterpretation
_UNSPECIFIED, _PREMULTIPLIED = 0, 1  # TIFF 6.0, ExtraSamples
_INCH = 2  # TIFF 6.0, ResolutionUnit


def decode_tiff(data: bytes) -> Decoded | None:
    """The pixels of a TIFF; None where tifffile lacks the codec and Pillow reads the file exactly.

    The descriptions of microscopes (OME-XML) are not parsed: their text may be hostile.
    """
    import tifffile

    with _logged_errors_refused(), tifffile.TiffFile(io.BytesIO(data), is_ome=False) as tiff:
        page = tiff.pages.first
        if not _plain(page, tifffile):
            _refuse_unless_pillow_is_exact(page, len(tiff.pages))
            return None
        pixels, axes = _one_array(list(tiff.series))
        if "Y" not in axes or "X" not in axes:
            raise Refusal(f"has the axes {axes}, among which are no rows and columns (Y, X)")
        if page.photometric == _WHITE_IS_ZERO:
            pixels = _inverted(pixels)
        if pixels.dtype == bool:
            pixels = pixels.astype(np.uint8) * np.uint8(255)
        orientation = page.tags.valueof(274, default=1)
        return Decoded(
            pixels=pixels,
            axes=axes,
            alpha=_has_alpha(page, pixels, axes),
            orientation=int(orientation),
            icc_profile=page.iccprofile,
            dpi=_dpi(page),
            left_behind=tuple(name for tag, name in ((700, "XMP"), (34665, "EXIF")) if tag in page.tags),
        )


@contextmanager
def _logged_errors_refused() -> Iterator[None]:
    """Refuse what tifffile only logs: it fills pixels that it cannot find with zeros and goes on."""
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: errors.append(record.getMessage())  # type: ignore[method-assign] # no class for a line
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
    if errors:
        raise Refusal(f"is a damaged TIFF: {' '.join(errors[0].split())}")


def _plain(page: Any, tifffile: Any) -> bool:
    """Whether tifffile alone reads this page: codec, predictor, colour and sample size."""
    return (
        page.compression in tifffile.TIFF.DECOMPRESSORS
        and page.predictor in tifffile.TIFF.UNPREDICTORS
        and page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
        and page.bitspersample in (1, 8, 16, 32, 64)
    )


def _refuse_unless_pillow_is_exact(page: Any, pages: int) -> None:
    """Pillow reads one page of at most 8 bits, or of 16 bits and one sample; it reads 16-bit colour as 8 bits."""
    if pages > 1 or not (page.bitspersample <= 8 or (page.bitspersample == 16 and page.samplesperpixel == 1)):
        raise Refusal(
            f"is a TIFF of {pages} page(s), {page.samplesperpixel} sample(s) of {page.bitspersample} bits, compression "
            f"{page.compression.name}, which cannot be read exactly here: save it without compression"
        )


def _one_array(series: list[Any]) -> tuple[Array, str]:
    """All pages as one array: pages that were written one by one and are alike become a stack."""
    if not series:
        raise Refusal("holds no picture")
    values = sum(int(np.prod(s.shape, dtype=object)) for s in series)
    if values > _LARGEST:
        raise Refusal(f"holds {values} values, more than the limit of {_LARGEST}")
    first = series[0]
    if len(series) == 1:
        return first.asarray(), first.axes
    kinds = {(s.shape, s.dtype, s.axes) for s in series}
    if len(kinds) > 1:
        shapes = ", ".join(str(s.shape) for s in series[:4])
        raise Refusal(f"holds {len(series)} pictures that are not alike (shapes {shapes}): save the one you want")
    return np.stack([s.asarray() for s in series]), "I" + first.axes


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


def encode_tiff(
    pixels: Array, axes: str | None, *, alpha: bool, icc_profile: bytes | None, dpi: tuple[float, float] | None
) -> bytes:
    """An uncompressed TIFF, which every reader opens; the axis "S", if there is one, is the last."""
    import tifffile

    samples = pixels.shape[-1] if axes is not None and axes.endswith("S") else 1
    options: dict[str, Any] = {"photometric": "rgb" if samples - alpha == 3 else "minisblack"}
    if samples > 1:
        options["planarconfig"] = "contig"
    if alpha:
        options["extrasamples"] = ["unassalpha"]
    if dpi is not None:
        options |= {"resolution": dpi, "resolutionunit": "INCH"}
    target = io.BytesIO()
    metadata = None if axes is None else {"axes": axes}
    tifffile.imwrite(target, pixels, metadata=metadata, iccprofile=icc_profile, **options)
    return target.getvalue()
