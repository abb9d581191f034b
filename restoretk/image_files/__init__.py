"""Files to float arrays and back with what belongs to them: the only place that clips and quantises."""

from __future__ import annotations

from restoretk.image_files.reading import read_image
from restoretk.image_files.record import SUFFIXES, ImageFile, ImageFileError, WrittenFile
from restoretk.image_files.writing import check_output, check_output_path, write_bytes, write_image

__all__ = [
    "SUFFIXES",
    "ImageFile",
    "ImageFileError",
    "WrittenFile",
    "check_output",
    "check_output_path",
    "read_image",
    "write_bytes",
    "write_image",
]
