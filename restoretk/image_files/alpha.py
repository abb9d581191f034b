"""Colour under transparency: what is filtered is the light that the picture sends out, colour times alpha."""

from __future__ import annotations

import numpy as np

from restoretk._arrays import Array


def premultiply(image: Array, alpha: Array | None, channel_axis: int | None = None) -> Array:
    """Colour times alpha, so that what is hidden under transparent pixels does not bleed into what is seen.

    Parameters
    ----------
    image : array
        Floats, in linear light where blur is meant.
    alpha : array or None
        In [0, 1], of the shape of the image without its channel axis; None or all opaque changes nothing.
    channel_axis : int, optional
        The colour axis of the image.

    Returns
    -------
    array
        float64, since what rounding does to faint colours is multiplied when alpha is divided out; the image itself where
        nothing changes.

    Examples
    --------
    >>> premultiply(np.array([[0.8, 0.8]]), np.array([[0.5, 0.0]]))
    array([[0.4, 0. ]])
    """
    if alpha is None or not (alpha < 1).any():
        return image
    return np.multiply(image, _beside(alpha, image, channel_axis), dtype=np.float64)


def unpremultiply(image: Array, alpha: Array | None, channel_axis: int | None = None, *, hidden: Array) -> Array:
    """The inverse of `premultiply`: divided by alpha where there is any, and the hidden colours where there is none.

    Parameters
    ----------
    image : array
        The filtered premultiplied picture.
    alpha, channel_axis
        As in `premultiply`.
    hidden : array
        The picture before premultiplying: its colours are put back under fully transparent pixels, so that nothing
        of the file is lost that was not seen. The result has its dtype.

    Examples
    --------
    >>> unpremultiply(np.array([[0.4, 0.0]]), np.array([[0.5, 0.0]]), hidden=np.array([[0.8, 0.7]]))
    array([[0.8, 0.7]])
    """
    if alpha is None or not (alpha < 1).any():
        return image
    beside = _beside(alpha, image, channel_axis)
    seen = beside > 0
    return np.asarray(np.where(seen, image / np.where(seen, beside, 1), hidden), hidden.dtype)


def _beside(alpha: Array, image: Array, channel_axis: int | None) -> Array:
    """Alpha in a shape that fits beside the image."""
    shape = image.shape if channel_axis is None else np.delete(image.shape, channel_axis)
    if tuple(shape) != alpha.shape:
        raise ValueError(f"alpha of shape {alpha.shape} does not fit a picture of shape {image.shape}, {channel_axis=}")
    return alpha if channel_axis is None else np.expand_dims(alpha, channel_axis)
