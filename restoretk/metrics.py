"""How far one image is from another: mse, psnr, ssim (scikit-image underneath) and isnr.

Images are read by the one numerical door: floats as they are, integers as fractions of the full range of their dtype.
So ``data_range``, the distance from black to white, is 1.0 for floats in [0, 1] and for every integer dtype alike,
and it is said, never guessed from the pixels. ``border`` pixels are cut off every side of every spatial axis first,
where a boundary rule and not the method decides.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_float_image, in_unit, plain_number, unit_of

# Wang's Gaussian window of sigma 1.5 as scikit-image cuts it: 3.5 sigma either way.
SSIM_WINDOW = 11
_DB_OF_UNIT = 20 * float(np.log10(2))  # of a picture twice as bright


def mse(reference: npt.ArrayLike, image: npt.ArrayLike, *, border: int = 0, channel_axis: int | None = None) -> float:
    """The mean of the squared differences, over all pixels and channels.

    Parameters
    ----------
    reference, image : array_like
        Of the same shape. Integers count as fractions of their full range.
    border : int
        How many pixels to cut off every side of the spatial axes, >= 0.
    channel_axis : int or None
        The axis that holds channels; ``border`` leaves it alone. All other axes are spatial.

    Returns
    -------
    float
        In squared units of the data range: 0 for equal images. Held at the largest float where the square of an error is
        beyond it.

    Raises
    ------
    TypeError, ValueError
        For different shapes, pixels that are not finite, or a border that leaves nothing.

    Examples
    --------
    >>> round(mse([0.0, 0.5, 1.0], [0.0, 0.5, 0.7]), 6)
    0.03
    """
    error, unit = _mse_in_unit(reference, image, border, channel_axis)
    return plain_number(error, 2 * unit)


def psnr(
    reference: npt.ArrayLike,
    image: npt.ArrayLike,
    *,
    data_range: float = 1.0,
    border: int = 0,
    channel_axis: int | None = None,
) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(data_range^2 / mse); inf for equal images.

    Parameters
    ----------
    reference, image : array_like
        Of the same shape. Integers count as fractions of their full range.
    data_range : float
        From black to white, > 0: 1 for floats in [0, 1] and for integers that use their full range.
    border : int
        How many pixels to cut off every side of the spatial axes, >= 0.
    channel_axis : int or None
        The axis that holds channels. The error is averaged over channels before the logarithm.

    Raises
    ------
    TypeError, ValueError
        As `mse`, and for a data range that cannot be.

    Examples
    --------
    >>> round(psnr([0.0, 0.5, 1.0], [0.1, 0.5, 1.0]), 3)
    24.771
    """
    _check_data_range(data_range, reference, image)
    error, unit = _mse_in_unit(reference, image, border, channel_axis)
    return float("inf") if error == 0 else float(20 * np.log10(data_range) - 10 * np.log10(error) - unit * _DB_OF_UNIT)


def ssim(
    reference: npt.ArrayLike,
    image: npt.ArrayLike,
    *,
    data_range: float = 1.0,
    border: int = 0,
    channel_axis: int | None = None,
) -> float:
    """Structural similarity, at most 1, as its authors define it: a Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03.

    Parameters
    ----------
    reference, image : array_like
        Of the same shape, at least 11 pixels on each spatial axis after the border is cut off.
    data_range : float
        From black to white, > 0: 1 for floats in [0, 1] and for integers that use their full range.
    border : int
        How many pixels to cut off every side of the spatial axes, >= 0.
    channel_axis : int or None
        The axis that holds channels, whose similarities are averaged.

    Raises
    ------
    TypeError, ValueError
        As `mse`, for a data range that cannot be, and for images smaller than the window.

    References
    ----------
    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, IEEE Transactions on Image Processing 13 (2004) 600.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.linspace(0, 1, 256).reshape(16, 16)
    >>> round(ssim(ramp, ramp), 6), round(ssim(ramp, 1 - ramp), 3) < 0.7
    (1.0, True)
    """
    from skimage.metrics import structural_similarity  # a heavy import, for this one function

    _check_data_range(data_range, reference, image)
    first, second, unit = _pair(reference, image, border, channel_axis)
    # Pictures far brighter than white, or far darker: beyond 2^100 times the constants K1 and K2 settle everything.
    white = float(np.clip(plain_number(data_range, -unit), 2.0**-100, 2.0**100))
    spatial = np.delete(first.shape, channel_axis) if channel_axis is not None else np.array(first.shape)
    if spatial.min() < SSIM_WINDOW:
        raise ValueError(
            f"ssim needs at least {SSIM_WINDOW} pixels on each spatial axis, got shape {first.shape} inside the border"
        )
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]  # scikit-image ships no types
            first,
            second,
            data_range=white,
            channel_axis=channel_axis,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def isnr(
    reference: npt.ArrayLike,
    observed: npt.ArrayLike,
    restored: npt.ArrayLike,
    *,
    border: int = 0,
    channel_axis: int | None = None,
) -> float:
    """Improvement in signal-to-noise ratio in dB, 10 log10(mse(reference, observed) / mse(reference, restored)).

    Parameters
    ----------
    reference, observed, restored : array_like
        The scene, the degraded image and the restored one, of the same shape.
    border : int
        How many pixels to cut off every side of the spatial axes, >= 0.
    channel_axis : int or None
        The axis that holds channels.

    Returns
    -------
    float
        Above 0 where the restored image is nearer to the scene; 0 for no change, also where both are perfect.

    Raises
    ------
    TypeError, ValueError
        As `mse`.

    Examples
    --------
    >>> round(isnr([0.0, 1.0], [0.2, 0.8], [0.1, 0.9]), 3)
    6.021
    """
    before, unit = _mse_in_unit(reference, observed, border, channel_axis)
    after, unit_after = _mse_in_unit(reference, restored, border, channel_axis)
    if (before, unit) == (after, unit_after) or before == after == 0:
        return 0.0
    if after == 0:
        return float("inf")
    if before == 0:
        return float("-inf")
    return float(10 * (np.log10(before) - np.log10(after)) + (unit - unit_after) * _DB_OF_UNIT)


def _mse_in_unit(
    reference: npt.ArrayLike, image: npt.ArrayLike, border: int, channel_axis: int | None
) -> tuple[float, int]:
    """The mean squared difference of images in units of 2^e, and e: 0 but for numbers whose squares no float can hold."""
    first, second, unit = _pair(reference, image, border, channel_axis)
    difference = first - second
    finer = unit_of(difference)
    return float(np.mean(in_unit(difference, finer) ** 2)), unit + finer


def _pair(
    reference: npt.ArrayLike, image: npt.ArrayLike, border: int, channel_axis: int | None
) -> tuple[Array, Array, int]:
    """Both images as float64, of one shape, without the border, in units of 2^e, and e."""
    first, second = (as_float_image(array, name)[0] for array, name in ((reference, "reference"), (image, "image")))
    if first.shape != second.shape:
        raise ValueError(f"reference and image must have the same shape, got {first.shape} and {second.shape}")
    if channel_axis is not None and not -first.ndim <= channel_axis < first.ndim:
        raise ValueError(f"channel_axis must be an axis of the image of shape {first.shape}, got {channel_axis}")
    if isinstance(border, bool) or not isinstance(border, (int, np.integer)) or border < 0:
        raise ValueError(f"border must be an integer >= 0, got {border!r}")
    channels = None if channel_axis is None else channel_axis % first.ndim
    sides = [side for axis, side in enumerate(first.shape) if axis != channels]
    if any(2 * border >= side for side in sides):
        raise ValueError(f"border must leave some of the image of shape {first.shape}, got {border}")
    window = tuple(
        slice(None) if axis == channels else slice(border, side - border) for axis, side in enumerate(first.shape)
    )
    first, second = (array[window].astype(np.float64) for array in (first, second))
    unit = unit_of(np.array([np.abs(array).max() for array in (first, second)]))
    return in_unit(first, unit), in_unit(second, unit), unit


def _check_data_range(data_range: float, *images: npt.ArrayLike) -> None:
    if not 0 < data_range < float("inf"):
        raise ValueError(f"data_range must be finite and > 0, got {data_range!r}")
    # A signed integer image spans -1 to 1; a data range of 255 here is a PSNR 48 dB too good.
    if data_range > 2 and any(np.asarray(image).dtype.kind in "iu" for image in images):
        raise ValueError(
            f"data_range is a fraction of the full range for integer images, which are read as such, got {data_range!r}"
        )
