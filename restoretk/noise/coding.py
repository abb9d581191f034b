"""What storing does to a picture: quantisation and JPEG."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image, to_dtype, to_planes
from restoretk._grammar import OptionError


def quantize(image: npt.ArrayLike, bits: int) -> Array:
    """The image on 2^bits equally spaced levels from 0 to 1, each value held in [0, 1] and moved to the nearest level.

    Parameters
    ----------
    image : array_like
        Any shape.
    bits : int
        1 to 16. The error is about uniform, of standard deviation 1 / (sqrt(12) (2^bits - 1)).

    Returns
    -------
    ndarray
        Same shape and dtype.

    Raises
    ------
    ValueError
        For bits that are not an integer from 1 to 16.

    Examples
    --------
    >>> quantize([-0.1, 0.2, 0.45, 2.0], 2)
    array([0.        , 0.33333333, 0.33333333, 1.        ])
    """
    working, dtype = as_float_image(image)
    levels = 2 ** _whole(bits, "bits", 1, 16) - 1
    return to_dtype(np.rint(np.clip(working, 0, 1) * levels) / levels, dtype)


def jpeg(image: npt.ArrayLike, quality: int, *, channel_axis: int | None = None) -> Array:
    """The image as it comes back from a JPEG file: held in [0, 1], 8 bits, coded in blocks of 8 x 8 and decoded.

    Parameters
    ----------
    image : array_like of shape (..., rows, columns)
        Axes before the last two are a stack of grey images.
    quality : int
        1 to 95, as libjpeg means it; above 95 the files grow and the picture does not. Colour is stored at half the
        resolution (4:2:0), as cameras do.
    channel_axis : int or None
        The axis of the three channels red, green and blue.

    Returns
    -------
    ndarray
        Same shape and dtype, on 8-bit levels.

    Raises
    ------
    ValueError
        For a quality that is not an integer from 1 to 95, fewer than two axes, a channel axis that is not three long,
        or a side above 65500 pixels (the largest that libjpeg takes).

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.linspace(0, 1, 64).reshape(8, 8)
    >>> bool(0 < np.abs(jpeg(ramp, 50) - ramp).max() < 0.05)
    True
    """
    from PIL import Image  # a heavy import, for this one function

    working, dtype = as_float_image(image)
    quality = _whole(quality, "quality", 1, 95)
    if working.ndim - (channel_axis is not None) < 2:
        raise ValueError(f"jpeg takes images of rows and columns, got shape {working.shape}")
    planes, from_planes = to_planes(working, 2, channel_axis)
    if max(planes.shape[1:]) > 65500:
        raise ValueError(f"jpeg takes sides up to 65500 pixels, got an image of shape {working.shape}")
    if channel_axis is not None and working.shape[channel_axis] != 3:
        raise ValueError(f"jpeg takes 3 channels, got {working.shape[channel_axis]} on axis {channel_axis}")
    codes = np.rint(np.clip(planes, 0, 1) * 255).astype(np.uint8)
    # to_planes puts the channels first: (3 * stack, rows, columns) -> (stack, rows, columns, 3)
    colour = channel_axis is not None
    pictures = np.moveaxis(codes.reshape(3, -1, *codes.shape[1:]), 0, -1) if colour else codes
    decoded = np.empty_like(pictures)
    for index, picture in enumerate(pictures):
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "JPEG", quality=quality)
        decoded[index] = np.asarray(Image.open(buffer))
    back = np.moveaxis(decoded, -1, 0).reshape(codes.shape) if colour else decoded
    return to_dtype(from_planes((back / 255).astype(working.dtype)), dtype)


def _whole(value: int, name: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise OptionError(f"{name} must be an integer from {low} to {high}, got {value!r}")
    return int(value)
