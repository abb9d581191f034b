"""Floats to a file: clipped and quantised here and nowhere else, and nothing lost without a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, check_finite, to_dtype
from restoretk.image_files.atomic import check_output_path, write_bytes
from restoretk.image_files.encoding import encode, made_by_text
from restoretk.image_files.formats import FORMATS, check_shape, dtype_for, losses, only_said
from restoretk.image_files.record import SUFFIXES, WRITTEN, ImageFile, ImageFileError, Refusal, WrittenFile, shown

_MOST_CLIPPED = 0.5  # share of pixels above white: more, and the picture is not in units of white


def check_output(
    path: str | Path,
    like: ImageFile,
    *,
    dtype: npt.DTypeLike | None = None,
    overwrite: bool = False,
    replace_input: bool = False,
    allow_loss: bool = False,
    strip: bool = False,
    quality: int | None = None,
) -> tuple[Path, str, np.dtype[Any]]:
    """Path, format and dtype for a picture like this one, if that file may be made and can hold it.

    Parameters are those of `write_image`.

    Raises
    ------
    ImageFileError
        If the suffix is unknown, or the format cannot hold the dtype, the transparency, the stack or the metadata.
    OSError, ValueError
        As `check_output_path`, with the file that ``like`` was read from as input.
    """
    path = check_output_path(path, inputs=(like.path,), overwrite=overwrite, replace_input=replace_input)
    name = _format_for(path)
    target, _ = _check(name, like, f"the output {shown(path)}", dtype, allow_loss, strip, quality)
    return path, name, target


def write_image(
    path: str | Path,
    image: Array,
    *,
    like: ImageFile | None = None,
    channel_axis: int | None = None,
    dtype: npt.DTypeLike | None = None,
    overwrite: bool = False,
    replace_input: bool = False,
    allow_loss: bool = False,
    strip: bool = False,
    quality: int | None = None,
    made_by: Mapping[str, Any] | None = None,
) -> WrittenFile:
    """Write floats as a picture of the same kind as ``like``, and say what it cost.

    For integer files the image is multiplied by the largest level, rounded to nearest and clipped; floats are written
    as they are. TIFF is written without compression. The file appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file; its suffix says the format.
    image : array
        Floats, [0, 1] for integer files.
    like : ImageFile, optional
        What the picture was made from: gives dtype, colour axis, transparency and metadata.
    channel_axis : int, optional
        The colour axis where there is no ``like``.
    dtype : dtype, optional
        The dtype of the pixels in the file. By default that of ``like``; without it that of the image for TIFF, NPY and
        FITS, and uint8 for the others.
    overwrite : bool
        Whether a file that exists may be replaced.
    replace_input : bool
        Whether even the file that ``like`` was read from may.
    allow_loss : bool
        Write what the format holds of the picture and say what it does not; by default that is an error.
    strip : bool
        Leave out the metadata of the source: EXIF, ICC profile, XMP, resolution, text.
    quality : int, optional
        1 to 100, of a JPEG (95 by default, without colour subsampling) or a WebP (without loss by default).
    made_by : mapping, optional
        How the picture was made, put beside it as one line of JSON: in the EXIF description of a JPEG, WebP or TIFF, as
        text of a PNG, as HISTORY of a FITS file.

    Raises
    ------
    ImageFileError, ValueError, OSError
        As `check_output`, and if the image is not finite or its transparency has another shape.
    """
    like = _like(image, like, channel_axis, floats=_holds_floats(Path(path)))
    path, name, _ = check_output(
        path,
        like,
        dtype=dtype,
        overwrite=overwrite,
        replace_input=replace_input,
        allow_loss=allow_loss,
        strip=strip,
        quality=quality,
    )
    data, written = _encoded(name, f"the output {shown(path)}", image, like, dtype, allow_loss, strip, quality, made_by)
    write_bytes(path, data)
    return replace(written, path=path)


def encode_image(
    format_: str,
    image: Array,
    *,
    like: ImageFile | None = None,
    channel_axis: int | None = None,
    dtype: npt.DTypeLike | None = None,
    allow_loss: bool = False,
    strip: bool = False,
    quality: int | None = None,
    made_by: Mapping[str, Any] | None = None,
) -> tuple[bytes, WrittenFile]:
    r"""The bytes that `write_image` would write, for a stream; ``format_`` is one of ``WRITTEN``, such as PNG.

    The path of the record is ``Path("-")``.

    Examples
    --------
    >>> data, written = encode_image("PNG", np.zeros((2, 3)))
    >>> data[:4], written.dtype.name
    (b'\x89PNG', 'uint8')
    """
    if format_ not in WRITTEN:
        raise ValueError(f"the format must be one of {', '.join(WRITTEN)}, got {format_!r}")
    like = _like(image, like, channel_axis, floats=format_ in ("TIFF", "NPY", "FITS"))
    return _encoded(format_, "the output", image, like, dtype, allow_loss, strip, quality, made_by)


def what_is_lost(like: ImageFile, format_: str) -> tuple[str, ...]:
    """What a file of that format could not hold of a picture, by name, the depth of its numbers among it."""
    try:
        check_shape(format_, like)
    except Refusal as refusal:
        return (f"everything: it {refusal}",)
    dtype, depth = dtype_for(format_, like.dtype, like, allow_loss=True)
    return (*((depth,) if depth else ()), *losses(format_, like), *only_said(format_, like, dtype))


def _like(image: Array, like: ImageFile | None, channel_axis: int | None, *, floats: bool) -> ImageFile:
    """The source that a picture was made from, or one without anything beside the pixels."""
    image = np.asarray(image)
    check_finite(image, "image")
    if like is None:
        axis = None if channel_axis is None else channel_axis % image.ndim
        dtype = np.dtype(image.dtype if floats else np.uint8)
        return ImageFile(image=image, channel_axis=axis, dtype=dtype, format="")
    if like.image.ndim != image.ndim:
        raise ValueError(f"image must have {like.image.ndim} axes like its source, got shape {image.shape}")
    return like


def _holds_floats(path: Path) -> bool:
    return SUFFIXES.get(path.suffix.lower()) in ("TIFF", "NPY", "FITS")


def _format_for(path: Path) -> str:
    """The format that a file name asks for, if it can be written."""
    name = SUFFIXES.get(path.suffix.lower())
    if name in WRITTEN:
        return name
    suffixes = ", ".join(suffix for suffix, of in SUFFIXES.items() if of in WRITTEN)
    why = {"GIF": " (a GIF holds 256 colours)", "HEIF": " (HEIC is only read)"}.get(name or "", "")
    raise ImageFileError(f"the suffix of the output {shown(path)} must be one of {suffixes}, got {path.suffix!r}{why}")


def _check(
    name: str,
    like: ImageFile,
    words: str,
    dtype: npt.DTypeLike | None,
    allow_loss: bool,
    strip: bool,
    quality: int | None,
) -> tuple[np.dtype[Any], tuple[str, ...]]:
    """The dtype to write and what is lost, if that is allowed."""
    if quality is not None and (name not in ("JPEG", "WEBP") or not 1 <= quality <= 100):
        raise ValueError(f"quality must be 1 to 100 and for JPEG or WebP, got {quality} for {name}")
    wanted = np.dtype(like.dtype if dtype is None else dtype)
    if wanted.kind in "iu" and (unscaled := like.unscaled()) and np.mean(like.image > 1) > _MOST_CLIPPED:
        source = shown(like.path) if like.path else "the picture"
        raise ImageFileError(f"{words} would be all but white: {source} {unscaled}")
    try:
        check_shape(name, like)
        target, depth = dtype_for(name, wanted, like, allow_loss=allow_loss)
    except Refusal as refusal:
        raise ImageFileError(f"{words} {refusal}") from None
    lost = losses(name, like, strip=strip)
    if lost and not allow_loss:
        stripped = ", leave the metadata out (--strip)" if lost != ("transparency",) else ""
        raise ImageFileError(
            f"{words} cannot hold the {', the '.join(lost)} of the picture as {name}: write .tif or .png{stripped}, "
            f"or allow the loss (--allow-loss)"
        )
    return target, (*((depth,) if depth else ()), *lost)


def _encoded(
    name: str,
    words: str,
    image: Array,
    like: ImageFile,
    dtype: npt.DTypeLike | None,
    allow_loss: bool,
    strip: bool,
    quality: int | None,
    made_by: Mapping[str, Any] | None,
) -> tuple[bytes, WrittenFile]:
    """The bytes and their record."""
    image = np.asarray(image)
    target, lost = _check(name, like, words, dtype, allow_loss, strip, quality)
    source = _as_held(name, like, lost, strip=strip)
    alpha = None if source.alpha is None else to_dtype(source.alpha, target)
    try:
        data = encode(name, to_dtype(image, target), alpha, source, quality=quality, made_by=made_by_text(made_by))
    except Refusal as refusal:
        raise ImageFileError(f"{words} {refusal}") from None
    except Exception as error:  # the encode boundary: the twin of the decode boundary in reading.py
        raise ImageFileError(f"{words} cannot be encoded as {name}: {' '.join(str(error).split())}") from error
    said = () if strip else only_said(name, like, target)
    written = WrittenFile(
        path=Path("-"),
        format=name,
        dtype=target,
        pixels=image.size // (1 if like.channel_axis is None else image.shape[like.channel_axis]),
        clipped=_clipped(image, target, like.channel_axis),
        lost=(*lost, *said),
        data_bytes=len(data),
    )
    return data, written


def _as_held(name: str, like: ImageFile, lost: tuple[str, ...], *, strip: bool) -> ImageFile:
    """The source without what the format does not hold, or what is to be left out."""
    alpha = like.alpha if FORMATS[name].alpha else None
    if strip:
        return replace(
            like,
            alpha=alpha,
            exif=None,
            icc_profile=None,
            xmp=None,
            dpi=None,
            text={},
            png_chunks={},
            header="",
            microscopy=None,
        )
    dropped = {word.split()[0] for word in lost}
    return replace(
        like,
        alpha=alpha,
        exif=None if "EXIF" in dropped else like.exif,
        xmp=None if "XMP" in dropped else like.xmp,
    )


def _clipped(image: Array, dtype: np.dtype[Any], channel_axis: int | None) -> int:
    """The number of pixels whose rounded level lies outside the dtype in at least one channel."""
    if dtype.kind == "f":
        return 0
    info = np.iinfo(dtype)
    levels = np.rint(image * info.max)
    outside = (levels < info.min) | (levels > info.max)
    return int(np.count_nonzero(outside if channel_axis is None else outside.any(axis=channel_axis)))
