"""Pixels of 16 bits and several samples by libvips (the extra ``io``): what Pillow would read as 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.image_files.record import Refusal


def decode_deep(data: bytes, format_: str) -> Array:
    """The pixels of a PNG or TIFF as (rows, columns, samples), or with frames before them; exact."""
    loader = {"PNG": "pngload_buffer", "TIFF": "tiffload_buffer"}[format_]
    options: dict[str, Any] = {"fail_on": "warning"} | ({"n": -1} if format_ == "TIFF" else {})
    picture = getattr(_pyvips(f"is a {format_} of a kind").Image, loader)(data, **options)
    frames = picture.get("n-pages") if format_ == "TIFF" and "n-pages" in picture.get_fields() else 1
    pixels = np.asarray(picture.numpy()).reshape(picture.height, picture.width, picture.bands)
    return pixels if frames == 1 else pixels.reshape(frames, picture.height // frames, picture.width, picture.bands)


def encode_deep(pixels: Array) -> bytes:
    """A PNG of uint16 pixels (rows, columns, samples), without anything beside them."""
    rows, columns, samples = pixels.shape
    flat = np.ascontiguousarray(pixels, np.uint16)
    picture = _pyvips("would be a PNG of a kind").Image.new_from_memory(flat.data, columns, rows, samples, "ushort")
    picture = picture.copy(interpretation="rgb16" if samples > 2 else "grey16")
    return bytes(picture.pngsave_buffer(compression=6, bitdepth=16, keep="none"))


def _pyvips(what: str) -> Any:
    try:
        import pyvips
    except (ImportError, OSError) as error:  # OSError: the Python part without the library
        raise Refusal(
            f'{what} (16 bits and several channels, or its compression) that needs libvips: pip install "restoretk[io]"'
        ) from error
    return pyvips
