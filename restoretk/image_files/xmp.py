"""The orientation in an XMP packet, found and reset by its text: the packet itself is never parsed or rewritten."""

from __future__ import annotations

import re

# As an attribute or as an element; XMP specification part 2, 2.8 (the namespace tiff).
_ORIENTATION = re.compile(rb"(tiff:Orientation\s*=\s*[\"']|<tiff:Orientation>)\s*([1-8])")


def orientation_of(packet: bytes) -> int:
    """The orientation, 1 to 8; 1 where none is said.

    Examples
    --------
    >>> orientation_of(b'<rdf:Description tiff:Orientation="6"/>')
    6
    """
    found = _ORIENTATION.search(packet)
    return 1 if found is None else int(found[2])


def with_orientation_1(packet: bytes) -> bytes:
    """The packet saying that the picture stands upright."""
    return _ORIENTATION.sub(rb"\g<1>1", packet)
