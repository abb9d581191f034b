"""One PSF for a whole picture, or one for each of its channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_array, check_axis_number
from restoretk.psf.check import check_psf


def psfs_for(psf: npt.ArrayLike, image_shape: Sequence[int], channel_axis: int | None) -> tuple[Array, ...]:
    """The checked PSFs for a picture: one for all of it, or one for each channel.

    A PSF with as many axes as the picture, channels included, holds one PSF for each channel along ``channel_axis``.

    Parameters
    ----------
    psf : array_like
        Each PSF non-negative, sum 1, origin at ``shape // 2``.
    image_shape : sequence of int
        The shape of the picture, channels included.
    channel_axis : int or None
        The axis of the picture, and of such a PSF, that holds the channels.

    Returns
    -------
    tuple of ndarray
        One, or as many as there are channels, each without the channel axis.

    Raises
    ------
    TypeError, ValueError
        For another number of PSFs than channels, and for PSFs that `check_psf` refuses.

    Examples
    --------
    >>> import numpy as np
    >>> [each.shape for each in psfs_for(np.full((3, 4, 5), 1 / 20), (3, 60, 70), 0)]
    [(4, 5), (4, 5), (4, 5)]
    >>> [each.shape for each in psfs_for(np.full((4, 5), 1 / 20), (3, 60, 70), 0)]
    [(4, 5)]
    """
    stack = as_array(psf, "psf")
    check_axis_number(channel_axis)
    ndim = len(image_shape)
    if channel_axis is None or stack.ndim != ndim or not -ndim <= channel_axis < ndim:
        return (check_psf(stack),)
    channels, given = image_shape[channel_axis], stack.shape[channel_axis]
    if given != channels:
        elsewhere = [axis for axis in (0, -1) if stack.shape[axis] == channels]
        move = f": np.moveaxis(psf, {elsewhere[0]}, {channel_axis}) brings them there" if elsewhere else ""
        raise ValueError(
            f"psf must be one array or one for each of the {channels} channels, got {given} along axis {channel_axis} of "
            f"shape {stack.shape}{move}"
        )
    return tuple(
        check_psf(each, f"psf of channel {index}") for index, each in enumerate(np.moveaxis(stack, channel_axis, 0))
    )
