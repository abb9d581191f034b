"""TIFF and BigTIFF, in strips or tiles, plain or deflated; written in one plain piece."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk.blockwise.numpy_store import check_kind
from restoretk.blockwise.stores import PlainFile, Source, StoreError, take_up
from restoretk.image_files.quiet import logged_errors_raised

_NONE, _DEFLATE = (1,), (8, 32946)  # TIFF 6.0, Compression
_BLACK_IS_ZERO, _RGB = 1, 2  # TIFF 6.0, PhotometricInterpretation
_PLANAR = 2  # TIFF 6.0, PlanarConfiguration
_BIG_FROM = 2**32 - 2**20  # bytes: the offsets of a plain TIFF have 32 bits


class TiffSource:
    """The planes of all pages that are alike: each sample of a colour picture is a plane."""

    def __init__(self, path: Path) -> None:
        import tifffile

        with ExitStack() as until_read:
            with logged_errors_raised(StoreError):
                self._tiff = until_read.enter_context(tifffile.TiffFile(path))
                self._read_layout()
            until_read.pop_all()
        self._plain = self._as_plain_file(path)

    def _read_layout(self) -> None:
        if not self._tiff.series:
            raise StoreError("holds no picture")
        series = self._tiff.series[0]
        page: Any = series.keyframe
        check_kind(page.dtype)
        if int(page.photometric) not in (_BLACK_IS_ZERO, _RGB) or page.extrasamples:
            colours = getattr(page.photometric, "name", page.photometric)
            extra = f" and {len(page.extrasamples)} samples beside them" if page.extrasamples else ""
            raise StoreError(
                f"is a TIFF of {colours} colours{extra}: only grey (MINISBLACK) and RGB are filtered in blocks, without "
                f"transparency"
            )
        if page.tags.valueof(274, default=1) != 1:
            raise StoreError(
                f"is stored turned (orientation {page.tags.valueof(274)}), which is not filtered in blocks: store it upright"
            )
        if int(page.compression) not in _NONE + _DEFLATE or page.predictor not in (1, 2):
            raise StoreError(f"is compressed by {page.compression.name}: plain and deflated TIFF are read in blocks")
        self._page, self._pages = page, list(series.pages)
        self._samples = int(page.samplesperpixel)
        self._planar = self._samples > 1 and int(page.planarconfig) == _PLANAR
        self._contiguous = series.dataoffset
        rows, columns = int(page.imagelength), int(page.imagewidth)
        planes = math.prod(series.shape) // (rows * columns)
        self.shape, self.dtype = (planes, rows, columns), np.dtype(page.dtype)
        self.row_step = (
            min(rows, int(page.tilelength if page.is_tiled else page.rowsperstrip)) if not self._contiguous else 1
        )
        segment = math.prod(self._segment_shape()) * self.dtype.itemsize * (1 if self._planar else self._samples)
        # As it is stored, inflated, and decoded, with a copy.
        self.overhead = PlainFile.overhead if self._contiguous else 4 * segment
        self.carried: Mapping[str, Any] = {
            "format": "TIFF",
            "microscope": bool(page.is_ome or page.is_imagej or page.is_micromanager or page.is_lsm),
            "axes": series.axes,
            "shape": tuple(series.shape),
            "samples": self._samples,
            "planar": self._planar,
            "icc": page.iccprofile,
            "resolution": _resolution(page),
        }
        others = {
            "EXIF": 34665 in page.tags,
            "XMP": 700 in page.tags,
            "its other pictures": len(self._tiff.series) > 1 or len(series.levels) > 1,
            "the description of its microscope": bool(page.is_ome or page.is_imagej),
        }
        self.left_behind = tuple(name for name, there in others.items() if there)

    def _as_plain_file(self, path: Path) -> PlainFile | None:
        """The file read without tifffile where all lies in one piece."""
        if self._contiguous is None:
            return None
        _, rows, columns = self.shape
        interleaved = self._samples if self._samples > 1 and not self._planar else 1
        pieces = self.shape[0] // interleaved
        size = rows * columns * interleaved * self.dtype.itemsize
        stored = self.dtype.newbyteorder(self._tiff.byteorder)
        return PlainFile(
            path, [self._contiguous + piece * size for piece in range(pieces)], self.shape, stored, writable=False
        )

    def read(self, plane: int, rows: slice) -> Array:
        """See `Source`."""
        if self._plain is not None:
            return self._plain.read(plane, rows)
        page, sample = self._pages[plane // self._samples], plane % self._samples
        into = np.zeros((rows.stop - rows.start, self.shape[2]), self.dtype)
        height, width = self._segment_shape()
        across = -(-self.shape[2] // width)
        down = -(-self.shape[1] // height)
        for row in range(rows.start // height, -(-rows.stop // height)):
            for column in range(across):
                number = row * across + column + (sample * across * down if self._planar else 0)
                segment = self._segment(page, number)[..., 0 if self._planar else sample]
                top, left = row * height, column * width
                first, last = max(rows.start, top), min(rows.stop, top + len(segment))
                right = min(left + segment.shape[1], self.shape[2])  # a tile may reach beyond the frame
                part = segment[first - top : last - top, : right - left]
                into[first - rows.start : last - rows.start, left:right] = part
        return into

    def _segment_shape(self) -> tuple[int, int]:
        page = self._page
        if page.is_tiled:
            return int(page.tilelength), int(page.tilewidth)
        return min(int(page.rowsperstrip), self.shape[1]), self.shape[2]

    def _segment(self, page: Any, number: int) -> Array:
        """A strip or tile, shape (rows, columns, samples)."""
        offset, count = page.dataoffsets[number], page.databytecounts[number]
        self._tiff.filehandle.seek(offset)
        data = self._tiff.filehandle.read(count)
        key = self._page
        if int(key.compression) in _DEFLATE:
            height, width = self._segment_shape()
            most = height * width * key.samplesperpixel * self.dtype.itemsize
            try:
                inflated = zlib.decompressobj().decompress(data, most + 1)
            except zlib.error as error:
                raise StoreError(f"is damaged: strip or tile {number}: {error}") from None
            if len(inflated) > most:
                raise StoreError(f"holds a strip of {count} bytes that inflates to more than {most}: made to burst")
            del inflated  # was made to see its size
        try:
            decoded = key.decode(data, number, _fullsize=False)[0]
        except (ValueError, zlib.error) as error:
            raise StoreError(f"is damaged: strip or tile {number}: {error}") from None
        if decoded is None:
            raise StoreError(f"is damaged: strip or tile {number} is empty")
        found: Array = decoded[0]
        return found

    def close(self) -> None:
        """See `Source`."""
        self._tiff.close()
        if self._plain is not None:
            self._plain.close()


def _first_pixel(path: Path) -> int:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        return int(tiff.series[0].dataoffset or 0)


def _resolution(page: Any) -> tuple[float, float, int] | None:
    if 282 not in page.tags or 283 not in page.tags:
        return None
    (a, b), (c, d) = page.tags.valueof(282), page.tags.valueof(283)
    return (a / b, c / d, int(page.tags.valueof(296, default=2))) if b and d else None


class TiffSink:
    """A plain TIFF in the making, BigTIFF where 32 bits do not reach."""

    def __init__(self, folder: Path, source: Source, *, resume: bool) -> None:
        self._part, self._source = folder / "output.tif", source
        self.row_step = 1
        new = folder / "output.new.tif"
        self._allocate(new)
        offset = _first_pixel(new)
        take_up(self._part, new, offset, resume=resume)
        self._file = self._open(offset)

    def _allocate(self, path: Path) -> None:
        """A file of the right size with all its tags and no pixels yet."""
        import tifffile

        source, carried = self._source, self._source.carried
        shape = tuple(carried.get("shape", source.shape if source.shape[0] > 1 else source.shape[1:]))
        samples = int(carried.get("samples", 1))
        options: dict[str, Any] = {"photometric": "rgb" if samples == 3 else "minisblack"}
        if samples > 1:
            options["planarconfig"] = "separate" if carried["planar"] else "contig"
        if carried.get("resolution") is not None:
            along_row, along_column, unit = carried["resolution"]
            options |= {"resolution": (along_row, along_column), "resolutionunit": unit}
        metadata: dict[str, Any] = {"axes": carried["axes"]} if "axes" in carried else {}
        size = math.prod(source.shape) * source.dtype.itemsize
        with tifffile.TiffWriter(path, bigtiff=size > _BIG_FROM, byteorder="<") as writer:
            writer.write(
                shape=shape,
                dtype=source.dtype.newbyteorder("<"),
                data=None,
                metadata=metadata,
                iccprofile=carried.get("icc"),
                software=False,
                contiguous=True,
                **options,
            )

    def _open(self, offset: int) -> PlainFile:
        planes, rows, columns = self._source.shape
        carried, dtype = self._source.carried, self._source.dtype.newbyteorder("<")
        samples = int(carried.get("samples", 1))
        pieces = planes // samples if samples > 1 and not carried["planar"] else planes
        size = planes // pieces * rows * columns * dtype.itemsize
        offsets = [offset + piece * size for piece in range(pieces)]
        return PlainFile(self._part, offsets, self._source.shape, dtype, writable=True)

    def write(self, plane: int, rows: slice, values: Array) -> None:
        """See `Sink`."""
        self._file.write(plane, rows, values)

    def read(self, plane: int, rows: slice) -> Array:
        """See `Sink`."""
        return self._file.read(plane, rows)

    def commit(self, output: Path, made_by: Mapping[str, Any]) -> None:
        """See `Sink`."""
        import tifffile

        self._file.sync()
        with tifffile.TiffFile(self._part, mode="r+") as tiff:
            tag = tiff.pages.first.tags.get(270)
            described = json.loads(tag.value) if tag is not None else {}
            tiff.pages.first.tags[270].overwrite(json.dumps(described | {"restoretk": [dict(made_by)]}))
        self._file.sync()
        self._part.replace(output)

    def close(self) -> None:
        """See `Sink`."""
        self._file.close()
