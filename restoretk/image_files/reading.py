"""A file to floats: opened by us as bytes, its format told by its first bytes, decoded behind one boundary."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from restoretk._arrays import Array, as_float_image, to_dtype
from restoretk.image_files.camera import decode_heif, decode_raw
from restoretk.image_files.fits import decode_fits
from restoretk.image_files.headers import check_header
from restoretk.image_files.limits import DEFAULT_LIMITS, Limits
from restoretk.image_files.numpy_files import decode_npy
from restoretk.image_files.opening import read_bytes
from restoretk.image_files.raster import decode_raster
from restoretk.image_files.record import Decoded, ImageFile, ImageFileError, Refusal, shown
from restoretk.image_files.sniffing import format_of, name_says_otherwise, not_a_picture
from restoretk.image_files.tiff import decode_tiff


def read_image(
    path: str | Path, *, allow_nan: bool = False, limits: Limits = DEFAULT_LIMITS, hdu: int | str | None = None
) -> ImageFile:
    """The picture in a file as floats, upright, with what is needed to write it back.

    PNG, JPEG, TIFF (integers, floats, several pages as a stack), WebP, BMP, GIF (the first frame), PGM, PPM and NPY; with
    extras of the package FITS (``astro``), HEIC (``heif``), camera raw (``raw``, developed to linear light) and 16-bit
    colours in a PNG (``io``), which are refused without it, never read as 8 bits. Palettes become colours, CMYK
    becomes sRGB through its colour profile. Three planes in a TIFF whose tags do not tell colours from slices are read as
    colours and four as slices, with a warning.

    Parameters
    ----------
    path : str or Path
        A regular file on this machine; never a URL.
    allow_nan : bool
        Keep NaN and infinite values of a float file, all as NaN: the caller masks them.
    limits : Limits
        How large the file and the picture may be.
    hdu : int or str, optional
        Which unit of a FITS file; by default the first that holds a picture.

    Warns
    -----
    UserWarning
        If the name says another format than the bytes, or if the file leaves open what it holds.

    Raises
    ------
    ImageFileError
        If the file is empty, is no picture, is broken, is larger than the limits, or cannot be read exactly. A
        ValueError.
    OSError
        If the file cannot be opened.
    TypeError, ValueError
        If a float or NPY file holds boolean or complex values, or NaN or infinite ones that are not allowed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(folder + "/ramp.npy", np.array([[0, 255]], np.uint8))
    ...     read_image(folder + "/ramp.npy").image
    array([[0., 1.]], dtype=float32)
    """
    path = Path(path)
    file, said = _decoded(read_bytes(path, limits), str(path), path, allow_nan, limits, hdu)
    for sentence in said:
        warnings.warn(f"{shown(path)} {sentence}", stacklevel=2)
    return file


def decode_image(
    data: bytes,
    *,
    name: str = "the input",
    allow_nan: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    hdu: int | str | None = None,
) -> ImageFile:
    """The picture in the bytes of a file, as `read_image` reads it; ``name`` stands in errors."""
    try:
        limits.check_file(len(data))
    except Refusal as refusal:
        raise ImageFileError(f"{shown(name)} {refusal}") from None
    if not data:
        raise ImageFileError(f"{shown(name)} is empty (0 bytes)")
    file, said = _decoded(data, name, None, allow_nan, limits, hdu)
    for sentence in said:
        warnings.warn(f"{shown(name)} {sentence}", stacklevel=2)
    return file


def _decoded(
    data: bytes, name: str, path: Path | None, allow_nan: bool, limits: Limits, hdu: int | str | None
) -> tuple[ImageFile, tuple[str, ...]]:
    """The file, and what a person should hear about how it was read."""
    format_ = format_of(data, name)
    if format_ is None:
        raise ImageFileError(f"{shown(name)} {not_a_picture(name, data)}")
    if hdu is not None and format_ != "FITS":
        raise ImageFileError(
            f"{shown(name)} is {format_}, which has no units as FITS has: hdu must be None, got {hdu!r}"
        )
    try:
        decoded = _decode(data, format_, limits, hdu)
    except Refusal as refusal:
        raise ImageFileError(f"{shown(name)} {refusal}") from None
    except MemoryError as error:
        raise ImageFileError(f"{shown(name)} needs more memory than there is to be decoded as {format_}") from error
    except Exception as error:  # the decode boundary: a broken file may raise anything at all in a decoder
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageFileError(f"{shown(name)} cannot be decoded as {format_}: {shown(reason)}") from error
    said = tuple(sentence for sentence in (name_says_otherwise(name, format_), decoded.assumed) if sentence)
    return _record(decoded, name, path, format_, said, allow_nan=allow_nan), said


def _decode(data: bytes, format_: str, limits: Limits, hdu: int | str | None) -> Decoded:
    check_header(data, format_, limits)
    if format_ == "NPY":
        return decode_npy(data, limits)
    if format_ == "FITS":
        return decode_fits(data, limits, hdu)
    if format_ == "HEIF":
        return decode_heif(data, limits)
    if format_ == "RAW":
        return decode_raw(data, limits)
    if format_ == "TIFF" and (decoded := decode_tiff(data, limits)) is not None:
        return decoded
    return decode_raster(data, format_, limits)


def _record(
    decoded: Decoded, name: str, path: Path | None, format_: str, said: tuple[str, ...], *, allow_nan: bool
) -> ImageFile:
    """Turn the picture upright, take alpha off, and pass the pixels through the numerical door."""
    pixels, axes, alpha = decoded.pixels, decoded.axes, None
    if axes is not None:
        pixels = upright(pixels, decoded.orientation, axes.index("Y"), axes.index("X"))
    if axes is not None and decoded.alpha:
        samples = axes.index("S")
        alpha = as_float_image(pixels.take(-1, axis=samples), f"the alpha of {shown(name)}")[0]
        pixels = pixels.take(range(pixels.shape[samples] - 1), axis=samples)
        if pixels.shape[samples] == 1:
            pixels, axes = pixels.squeeze(samples), axes.replace("S", "")
    holes = ~np.isfinite(pixels) if allow_nan and pixels.dtype.kind == "f" else None
    if holes is not None and holes.any():
        filled, dtype = as_float_image(np.where(holes, np.zeros((), pixels.dtype), pixels), shown(name))
        image = np.where(holes, np.asarray(np.nan, filled.dtype), filled)
    else:
        image, dtype = as_float_image(pixels, shown(name))
    if dtype.kind in "iu" and dtype.itemsize == 8 and (to_dtype(image, dtype) != pixels).any():
        raise ImageFileError(
            f"{shown(name)} holds 64-bit integers too large for floats: save it as floats or narrower integers"
        )
    channels = [] if axes is None else [axis for axis, letter in enumerate(axes) if letter in "SC"]
    if len(channels) > 1:
        raise ImageFileError(f"{shown(name)} has two channel axes ({axes}): save them as one picture each")
    return ImageFile(
        image=image,
        channel_axis=channels[0] if channels else None,
        alpha=alpha,
        dtype=dtype.newbyteorder("="),
        format=format_,
        path=path,
        axes=axes,
        exif=decoded.exif,
        icc_profile=decoded.icc_profile,
        dpi=decoded.dpi,
        left_behind=decoded.left_behind,
        xmp=decoded.xmp,
        text=decoded.text,
        mode=decoded.mode,
        bit_depth=decoded.bit_depth,
        palette=decoded.palette,
        pages=decoded.pages,
        orientation=decoded.orientation,
        header=decoded.header,
        microscope=decoded.microscope,
        microscopy=decoded.microscopy,
        png_chunks=decoded.png_chunks,
        notes=(*said, *decoded.notes),
    )


def upright(pixels: Array, orientation: int, rows_axis: int, columns_axis: int) -> Array:
    """The picture as it is meant to be seen, by its EXIF orientation (1 to 8; anything else counts as 1).

    Orientations 5 to 8 are stored with rows and columns exchanged; then each axis is turned round or not.
    """
    # (exchange, reverse rows, reverse columns), reversed after the exchange; EXIF 2.32, tag 0x0112
    turns = {2: (0, 0, 1), 3: (0, 1, 1), 4: (0, 1, 0), 5: (1, 0, 0), 6: (1, 0, 1), 7: (1, 1, 1), 8: (1, 1, 0)}
    exchange, rows, columns = turns.get(orientation, (0, 0, 0))
    turned = np.swapaxes(pixels, rows_axis, columns_axis) if exchange else pixels
    reversed_axes = tuple(axis for axis, reverse in ((rows_axis, rows), (columns_axis, columns)) if reverse)
    return np.ascontiguousarray(np.flip(turned, reversed_axes)) if turns.get(orientation) else pixels
