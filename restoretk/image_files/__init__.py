"""Files to float arrays and back with what belongs to them: the only place that clips and quantises."""

from __future__ import annotations

from restoretk.image_files.alpha import premultiply, unpremultiply
from restoretk.image_files.atomic import PART_PREFIX, check_output_path, write_bytes
from restoretk.image_files.description import describe, made_by_of
from restoretk.image_files.limits import DEFAULT_LIMITS, Limits, option_of
from restoretk.image_files.opening import read_bytes
from restoretk.image_files.reading import decode_image, read_image
from restoretk.image_files.record import SUFFIXES, WRITTEN, ImageFile, ImageFileError, WrittenFile, shown
from restoretk.image_files.writing import check_output, encode_image, what_is_lost, write_image

__all__ = [
    "DEFAULT_LIMITS",
    "PART_PREFIX",
    "SUFFIXES",
    "WRITTEN",
    "ImageFile",
    "ImageFileError",
    "Limits",
    "WrittenFile",
    "check_output",
    "check_output_path",
    "decode_image",
    "describe",
    "encode_image",
    "made_by_of",
    "option_of",
    "premultiply",
    "read_bytes",
    "read_image",
    "shown",
    "unpremultiply",
    "what_is_lost",
    "write_bytes",
    "write_image",
]
