"""What microscopes say beside the pixels, kept through a restoration: the properties of ImageJ, the XML of OME.

The XML is never parsed as such, since its text may be hostile: a few attributes are looked for, and everything else is
handed on as it stands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from restoretk._arrays import Array

_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_IMAGEJ_AXES = "TZCYXS"
_OF_THE_LAYOUT = ("ImageJ", "images", "channels", "slices", "frames", "hyperstack")  # what ImageJ counts anew
_OF_THE_RANGE = ("min", "max", "Ranges")  # of the display, in levels of the dtype
_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b([^>]*)>")
_PLANES = re.compile(r"<(?:\w+:)?TiffData\b([^>]*)>")
_PLANES_END = re.compile(r"</(?:\w+:)?TiffData>")
_SAMPLES = re.compile(r'\bSamplesPerPixel\s*=\s*"(\d{1,4})"')
_ATTRIBUTE = re.compile(r'\b(\w+)\s*=\s*"([^"]*)"')
_OME_TYPES = {"float32": "float", "float64": "double"}  # the others are called as in NumPy; OME schema, PixelType
_MADE = re.compile(r"<!--\s*((?:\{\"restoretk\"[^\n]*\n)+)-->")


@dataclass(frozen=True, eq=False, kw_only=True)
class Microscopy:
    """What a program for microscopes wrote into a TIFF.

    Attributes
    ----------
    sizes : mapping
        The length of each axis by its letter, to which the sizes of pixels belong.
    properties : mapping
        The properties of ImageJ by their names: spacing, unit, Info, LUTs, Overlays, ...
    resolution : (float, float) or None
        Pixels a unit along X and Y in a file of ImageJ.
    xml : str
        The description of OME.
    """

    sizes: Mapping[str, int]
    properties: Mapping[str, Any] = field(default_factory=dict)
    resolution: tuple[float, float] | None = None
    xml: str = ""

    def calibration(self) -> dict[str, float | str]:
        """The sizes of a pixel, a slice and a frame with their units, as far as the file says."""
        if self.xml:
            given = dict(_ATTRIBUTE.findall(_found(_PIXELS, self.xml)))
            named = ("PhysicalSizeX", "PhysicalSizeY", "PhysicalSizeZ", "TimeIncrement")
            return {name: given[name] for key in named for name in (key, f"{key}Unit") if name in given}
        found: dict[str, float | str] = {}
        if self.resolution is not None:
            found |= {f"pixel {axis}": 1 / value for axis, value in zip("xy", self.resolution, strict=True)}
        return found | {key: self.properties[key] for key in ("spacing", "unit", "finterval") if key in self.properties}

    def fits(self, dtype: np.dtype[Any], axes: str | None) -> bool:
        """Whether a TIFF of such pixels can hold it."""
        if not set(axes or "") <= set(self.sizes):
            return False  # what is said of slices does not hold for channels
        if self.xml:
            return dtype.kind in "iuf" and dtype.itemsize <= (8 if dtype.kind == "f" else 4) and dtype != np.float16
        places = [_IMAGEJ_AXES.find(letter) for letter in axes or ""]
        return dtype.name in _IMAGEJ_DTYPES and -1 not in places and places == sorted(places)

    def records(self) -> str:
        """How this program made the picture, one record in JSON a line."""
        if self.xml:
            return _found(_MADE, self.xml).rstrip("\n")
        info = str(self.properties.get("Info", ""))
        return "\n".join(line for line in info.splitlines() if line.startswith('{"restoretk"'))

    def options(self, pixels: Array, axes: str, records: str, dtype: np.dtype[Any]) -> dict[str, Any]:
        """What tifffile is told, so that it stands in a TIFF of these pixels; ``dtype`` is that of the source."""
        finer = {axis: size / self.sizes[axis] for axis, size in zip(axes, pixels.shape, strict=True)}
        if self.xml:
            text = _with_records(_with_planes(_with_pixels(self.xml, pixels, axes, finer)), records)
            return {"metadata": None, "description": text.encode()}
        dropped = (*_OF_THE_LAYOUT, *(_OF_THE_RANGE if pixels.dtype != dtype else ()))
        kept = {key: value for key, value in self.properties.items() if key not in dropped}
        older = [line for line in str(kept.get("Info", "")).splitlines() if not line.startswith('{"restoretk"')]
        if records:
            kept["Info"] = "\n".join((*older, records))
        if isinstance(spacing := kept.get("spacing"), int | float):
            kept["spacing"] = spacing / finer.get("Z", 1)
        options: dict[str, Any] = {"imagej": True, "metadata": {"axes": axes, **kept}}
        if self.resolution is not None:
            options["resolution"] = tuple(
                value * finer[axis] for value, axis in zip(self.resolution, "XY", strict=True)
            )
        return options


def imagej_of(tiff: Any, shape: tuple[int, ...], axes: str) -> Microscopy | None:
    """The properties in a file of ImageJ."""
    page, properties = tiff.pages.first, tiff.imagej_metadata
    if not properties or "Y" not in axes or "X" not in axes:
        return None
    resolution = None
    if page.tags.valueof(296, default=1) == 1 and 282 in page.tags and 283 in page.tags:  # no unit in TIFF's own terms
        along_x, along_y = (over / under if under else 0.0 for over, under in map(page.tags.valueof, (282, 283)))
        if min(along_x, along_y) > 0 and (along_x, along_y) != (1, 1):
            resolution = along_x, along_y
    return Microscopy(sizes=dict(zip(axes, shape, strict=True)), properties=dict(properties), resolution=resolution)


def ome_of(xml: str, shape: tuple[int, ...], axes: str) -> tuple[Microscopy, tuple[int, ...], str] | None:
    """The description of OME, and the pages as what it says that they are: shape and axes.

    None where the description does not fit the pages in the file: several pictures, several files, or another order.
    """
    plane = axes[axes.index("Y") :] if "Y" in axes else ""
    pages = math.prod(shape[: len(axes) - len(plane)])
    if plane not in ("YX", "YXS") or xml.count("</") == 0 or len(_PIXELS.findall(xml)) != 1:
        return None
    given = dict(_ATTRIBUTE.findall(_found(_PIXELS, xml)))
    order = given.get("DimensionOrder", "")
    samples = int(_found(_SAMPLES, xml) or 1) if plane == "YXS" else 1
    sizes = {letter: given.get(f"Size{letter}", "") for letter in "XYCZT"}
    if sorted(order) != sorted("XYCZT") or not all(re.fullmatch(r"\d{1,9}", size) for size in sizes.values()):
        return None
    counts = {letter: int(size) for letter, size in sizes.items()}
    counts["C"] //= max(samples, 1)
    stack = order[:1:-1]  # the last letter of the order runs slowest
    if (counts["Y"], counts["X"]) != tuple(shape[axes.index("Y") :][:2]) or pages != math.prod(
        counts[letter] for letter in stack
    ):
        return None
    if plane == "YXS" and (counts["C"] > 1 or samples != shape[-1]):
        return None
    if not _in_order(xml, stack, counts, samples):
        return None
    letters = "".join(letter for letter in stack if counts[letter] > 1)
    shape = (*(counts[letter] for letter in letters), *shape[len(axes) - len(plane) :])
    axes = letters + plane
    return Microscopy(sizes=dict(zip(axes, shape, strict=True)), xml=xml), shape, axes


def _in_order(xml: str, stack: str, counts: Mapping[str, int], samples: int) -> bool:
    """Whether the pages lie in the order of the dimensions: what each TiffData says, if it says so."""
    for text in _PLANES.findall(xml):
        given = dict(_ATTRIBUTE.findall(text))
        at = 0
        for letter in stack:
            first = int(given.get(f"First{letter}", "0"))
            at = at * counts[letter] + (first // samples if letter == "C" else first)
        if int(given.get("IFD", at)) != at:
            return False
    return True


def _with_pixels(xml: str, pixels: Array, axes: str, finer: Mapping[str, float]) -> str:
    """The description with the dtype, the byte order and the size of these pixels."""
    element = _PIXELS.search(xml)
    if element is None:
        raise ValueError("the description of OME must hold an element Pixels")
    given = dict(_ATTRIBUTE.findall(element[1]))
    name = pixels.dtype.name
    changed = {"Type": _OME_TYPES.get(name, name), "BigEndian": "false"}
    if given.get("Type") != changed["Type"]:
        changed["SignificantBits"] = str(8 * pixels.dtype.itemsize)
    for axis, by in finer.items():
        if by != 1:
            changed[f"Size{axis}"] = str(pixels.shape[axes.index(axis)])
            if (size := given.get(f"PhysicalSize{axis}")) is not None:
                changed[f"PhysicalSize{axis}"] = repr(float(size) / by)
    attributes = _ATTRIBUTE.sub(lambda found: f'{found[1]}="{changed.get(found[1], found[2])}"', element[1])
    return xml[: element.start(1)] + attributes + xml[element.end(1) :]


def _with_planes(xml: str) -> str:
    """The description without the numbers of the pages, which lie in order, and names of files, which may be others."""
    elements = list(_PLANES.finditer(xml))
    if not elements:
        return xml
    end = max(elements[-1].end(), *(found.end() for found in _PLANES_END.finditer(xml)), 0)
    prefix = elements[0][0][1:].split("TiffData")[0]
    return f"{xml[: elements[0].start()]}<{prefix}TiffData/>{xml[end:]}"


def _with_records(xml: str, records: str) -> str:
    """The description with how the picture was made, as a comment before its end."""
    xml = _MADE.sub("", xml)
    if not records:
        return xml
    lines = "".join(line.replace("--", "-\\u002d") + "\n" for line in records.splitlines())  # the same text to JSON
    at = xml.rindex("</")
    return f"{xml[:at]}<!--\n{lines}-->{xml[at:]}"


def _found(pattern: re.Pattern[str], text: str) -> str:
    """The first group of the first match, empty where there is none."""
    found = pattern.search(text)
    return found[1] if found else ""
