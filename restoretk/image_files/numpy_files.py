"""NPY: its header is checked before anything is allocated, and nothing in it is ever executed."""

from __future__ import annotations

import io
import math

import numpy as np

from restoretk._arrays import looks_like_colour
from restoretk.image_files.limits import Limits
from restoretk.image_files.record import Decoded, Refusal


def decode_npy(data: bytes, limits: Limits) -> Decoded:
    """An array; its last axis is colour if it holds 3 or 4 and the two before it are those of a picture."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise Refusal(f"is an NPY file of version {version}, which holds no plain numbers")
    shape, _, dtype = readers[version](stream)
    if dtype.hasobject:
        raise Refusal("cannot be decoded as NPY: it holds Python objects, which are never loaded")
    if any(length < 0 for length in shape) or len(shape) > 8:
        raise Refusal(f"cannot be decoded as NPY: it says that its shape is {shape}")
    values = math.prod(shape)
    limits.check_size(values=values, item_bytes=1, file_bytes=len(data))
    if len(shape) >= 2 and values:
        limits.check_picture(shape[-2], shape[-1])
    if values * dtype.itemsize > len(data) - stream.tell():
        raise Refusal(
            f"cannot be decoded as NPY: it should hold {values * dtype.itemsize} bytes of numbers and has "
            f"{len(data) - stream.tell()}"
        )
    array = np.load(io.BytesIO(data), allow_pickle=False)
    colour = looks_like_colour(array.shape, 2)
    return Decoded(pixels=array, axes="YXS" if colour else None, mode=str(dtype), bit_depth=8 * dtype.itemsize)
