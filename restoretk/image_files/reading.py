"""A file to floats: opened by us as bytes, its format told by its first bytes, decoded behind one boundary."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import Any

import numpy as np

from restoretk._arrays import Array, as_float_image, looks_like_colour, to_dtype
from restoretk.image_files.record import SUFFIXES, Decoded, ImageFile, ImageFileError, Refusal
from restoretk.image_files.tiff import decode_tiff

_READABLE = "PNG, JPEG, TIFF, WebP, BMP or NPY"


def read_image(path: str | Path, *, allow_nan: bool = False) -> ImageFile:
    """The picture in a file as floats, upright, with what is needed to write it back.

    PNG (8-bit, and 16-bit grey), JPEG, TIFF (integers, floats, several pages as a stack), WebP, BMP and NPY. A 16-bit
    colour PNG is refused, since Pillow would read it as 8 bits without a word.

    Parameters
    ----------
    path : str or Path
        A regular file on this machine; never a URL.
    allow_nan : bool
        Keep NaN and infinite values of a float file, all as NaN: the caller masks them.

    Raises
    ------
    ImageFileError
        If the file is empty, is no picture, is broken, or cannot be read exactly. A ValueError.
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
    data = _read_bytes(path)
    format_ = _format_of(data)
    if format_ is None:
        raise ImageFileError(_not_a_picture(path, data))
    try:
        decoded = _decode(data, format_)
    except Refusal as refusal:
        raise ImageFileError(f"{path} {refusal}") from None
    except Exception as error:  # the decode boundary: a broken file may raise anything at all in a decoder
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageFileError(f"{path} cannot be decoded as {format_}: {reason}") from error
    return _record(decoded, path, format_, allow_nan=allow_nan)


def _read_bytes(path: Path) -> bytes:
    """The bytes of a regular file; folders, pipes and devices are refused before they are opened."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path} is a folder, not a picture")
    if not stat.S_ISREG(mode):
        raise ImageFileError(f"{path} is not a regular file")
    data = path.read_bytes()
    if not data:
        raise ImageFileError(f"{path} is empty (0 bytes)")
    return data


def _format_of(data: bytes) -> str | None:
    """The format by magic bytes, None if it is none that we read."""
    magic = {
        b"\x89PNG\r\n\x1a\n": "PNG",
        b"\xff\xd8\xff": "JPEG",
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"II+\0": "TIFF",  # BigTIFF
        b"MM\0+": "TIFF",
        b"BM": "BMP",
        b"\x93NUMPY": "NPY",
    }
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for start, name in magic.items() if data.startswith(start)), None)


def _not_a_picture(path: Path, data: bytes) -> str:
    if path.suffix.lower() in SUFFIXES:
        return f"{path} is not a picture, whatever its name says: it begins with {data[:8]!r}"
    return f"{path} is not a {_READABLE} file: it begins with {data[:8]!r}"


def _decode(data: bytes, format_: str) -> Decoded:
    if format_ == "NPY":
        return _decode_npy(data)
    if format_ == "TIFF":
        decoded = decode_tiff(data)
        return _decode_pillow(data, format_) if decoded is None else decoded
    return _decode_pillow(data, format_)


def _decode_npy(data: bytes) -> Decoded:
    """An array; its last axis is colour if it holds 3 or 4 and the two before it are those of a picture."""
    array = np.load(io.BytesIO(data), allow_pickle=False)
    colour = looks_like_colour(array.shape, 2)
    return Decoded(pixels=array, axes="YXS" if colour else None)


def _decode_pillow(data: bytes, format_: str) -> Decoded:
    from PIL import Image

    # Bytes 24 and 25 of a PNG are bit depth and colour type (2, 4 and 6 have more than one sample).
    if format_ == "PNG" and data[24:25] == b"\x10" and data[25:26] in (b"\x02", b"\x04", b"\x06"):
        raise Refusal(
            "is a PNG of 16 bits and several channels, of which 8 bits would be read: convert it to TIFF first"
        )
    with Image.open(io.BytesIO(data), formats=(format_,)) as picture:
        frames = getattr(picture, "n_frames", 1)
        if format_ in ("PNG", "WEBP") and frames > 1:
            raise Refusal(f"is an animation of {frames} frames: save the one you want as a picture")
        picture.load()
        mode = _lossless_mode(picture)
        pixels = np.asarray(picture if mode == picture.mode else picture.convert(mode))
        if picture.mode == "I":  # 16-bit grey PNG in Pillow before 11
            pixels = pixels.astype(np.uint16, casting="unsafe")
        orientation = int(picture.getexif().get(0x0112, 1))
        return Decoded(
            pixels=pixels,
            axes="YX" if pixels.ndim == 2 else "YXS",
            alpha=mode in ("LA", "RGBA"),
            orientation=orientation,
            exif=_upright_exif(picture, orientation),
            icc_profile=picture.info.get("icc_profile"),
            dpi=_dpi(picture),
            left_behind=_left_behind(picture, format_),
        )


def _lossless_mode(picture: Any) -> str:
    """The Pillow mode that holds every pixel of this picture, palettes and transparent colours resolved."""
    transparent = "transparency" in picture.info
    if picture.mode in ("P", "PA"):
        return "RGBA" if transparent or picture.mode == "PA" else "RGB"
    if picture.mode in ("1", "L"):
        return "LA" if transparent else "L"
    if picture.mode == "RGB":
        return "RGBA" if transparent else "RGB"
    if picture.mode in ("LA", "RGBA", "F"):
        return str(picture.mode)
    if (picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG")) and not transparent:
        return str(picture.mode)
    if picture.mode == "CMYK":
        raise Refusal("is in CMYK (printing inks), not in light: convert it to RGB with its colour profile first")
    raise Refusal(f"has pixels of the kind {picture.mode!r}{' with a transparent value' * transparent}, not read here")


def _upright_exif(picture: Any, orientation: int) -> bytes | None:
    """The EXIF block, untouched if the picture is upright, else saying that it now is (or viewers turn it again)."""
    block = picture.info.get("exif")
    if orientation == 1 or not block:
        return block or None
    exif = picture.getexif()
    exif[0x0112] = 1
    return bytes(exif.tobytes())


def _dpi(picture: Any) -> tuple[float, float] | None:
    along_row, along_column = (float(value) for value in picture.info.get("dpi", (0, 0)))
    good = np.isfinite([along_row, along_column]).all() and min(along_row, along_column) > 0
    return (along_row, along_column) if good else None


def _left_behind(picture: Any, format_: str) -> tuple[str, ...]:
    further = format_ == "JPEG" and getattr(picture, "n_frames", 1) > 1  # MPO: phones keep a depth map or a second view
    seen = {"XMP": "xmp" in picture.info, "the further pictures inside": further}
    if format_ == "TIFF":
        seen["EXIF"] = 0x8769 in picture.getexif()
    return tuple(name for name, there in seen.items() if there)


def _record(decoded: Decoded, path: Path, format_: str, *, allow_nan: bool) -> ImageFile:
    """Turn the picture upright, take alpha off, and pass the pixels through the numerical door."""
    pixels, axes, alpha = decoded.pixels, decoded.axes, None
    if axes is not None:
        pixels = upright(pixels, decoded.orientation, axes.index("Y"), axes.index("X"))
    if axes is not None and decoded.alpha:
        samples = axes.index("S")
        alpha = as_float_image(pixels.take(-1, axis=samples), f"the alpha of {path}")[0]
        pixels = pixels.take(range(pixels.shape[samples] - 1), axis=samples)
        if pixels.shape[samples] == 1:
            pixels, axes = pixels.squeeze(samples), axes.replace("S", "")
    holes = ~np.isfinite(pixels) if allow_nan and pixels.dtype.kind == "f" else None
    if holes is not None and holes.any():
        filled, dtype = as_float_image(np.where(holes, np.zeros((), pixels.dtype), pixels), str(path))
        image = np.where(holes, np.asarray(np.nan, filled.dtype), filled)
    else:
        image, dtype = as_float_image(pixels, str(path))
    if dtype.kind in "iu" and dtype.itemsize == 8 and (to_dtype(image, dtype) != pixels).any():
        raise ImageFileError(
            f"{path} holds 64-bit integers too large for floats: save it as floats or narrower integers"
        )
    channels = [] if axes is None else [axis for axis, letter in enumerate(axes) if letter in "SC"]
    if len(channels) > 1:
        raise ImageFileError(f"{path} has two channel axes ({axes}): save them as one picture each")
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
