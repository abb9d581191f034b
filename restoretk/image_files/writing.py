"""Floats to a file: clipped and quantised here and nowhere else, whole or not at all, never over its own source."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, check_finite, to_dtype
from restoretk.image_files.record import SUFFIXES, ImageFile, ImageFileError, Refusal, WrittenFile
from restoretk.image_files.tiff import encode_tiff


@dataclass(frozen=True)
class _Format:
    """What a format holds: dtypes in grey and in colour (None: every integer and float), alpha, stacks, metadata."""

    grey: tuple[str, ...] | None
    colour: tuple[str, ...] | None
    alpha: bool
    stacks: bool
    metadata: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)  # how Pillow is to write it


_FORMATS = {
    "PNG": _Format(("uint8", "uint16"), ("uint8",), True, False, ("EXIF", "ICC profile", "resolution")),
    "JPEG": _Format(
        ("uint8",), ("uint8",), False, False, ("EXIF", "ICC profile", "resolution"), {"quality": 95, "subsampling": 0}
    ),
    "WEBP": _Format(("uint8",), ("uint8",), True, False, ("EXIF", "ICC profile"), {"lossless": True, "exact": True}),
    "BMP": _Format(("uint8",), ("uint8",), False, False, ("resolution",)),
    "TIFF": _Format(None, None, True, True, ("ICC profile", "resolution")),
    "NPY": _Format(None, None, False, True, ()),
}


def check_output_path(path: str | Path, *, inputs: Iterable[str | Path | None] = (), overwrite: bool = False) -> Path:
    """The path, if a file may be made there: worth asking before the work, not after.

    Raises
    ------
    OSError
        If the folder does not exist, if the path is a folder, or if the file exists and ``overwrite`` is False.
    ValueError
        If the path is the same file as one of ``inputs``, also through a link, whatever ``overwrite`` says.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder of the output {path} does not exist: {path.parent}")
    if path.is_dir():
        raise IsADirectoryError(f"the output {path} is a folder: give the name of a file")
    if path.exists():
        for source in inputs:
            if source is not None and Path(source).exists() and path.samefile(source):
                raise ImageFileError(f"the output {path} is the same file as the input {source}: give it another name")
        if not overwrite:
            raise FileExistsError(f"the output {path} exists: overwriting it must be asked for (--force)")
    return path


def check_output(
    path: str | Path, like: ImageFile, *, dtype: npt.DTypeLike | None = None, overwrite: bool = False
) -> tuple[Path, str, np.dtype[Any]]:
    """Path, format and dtype for a picture like this one, if that file may be made and can hold it.

    Raises
    ------
    ImageFileError
        If the suffix is unknown, or the format cannot hold the dtype, the transparency or the stack.
    OSError, ValueError
        As `check_output_path`, with the file that ``like`` was read from as input.
    """
    path = check_output_path(path, inputs=(like.path,), overwrite=overwrite)
    name = SUFFIXES.get(path.suffix.lower())
    if name is None:
        raise ImageFileError(
            f"the suffix of the output {path} must be one of {', '.join(SUFFIXES)}, got {path.suffix!r}"
        )
    target = np.dtype(like.dtype if dtype is None else dtype)
    try:
        _refuse_loss(name, target, like)
    except Refusal as refusal:
        raise ImageFileError(f"the output {path} {refusal}") from None
    return path, name, target


def _refuse_loss(name: str, dtype: np.dtype[Any], like: ImageFile) -> None:
    """Raise Refusal with what the format cannot hold of a picture like this one."""
    holds = _FORMATS[name]
    colour = like.channel_axis is not None
    allowed = holds.colour if colour else holds.grey
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise Refusal(f"cannot hold {dtype}: the dtype must be an integer or a float of at most 64 bits")
    if allowed is not None and dtype.name not in allowed:
        what = "colour" if colour else "grey"
        raise Refusal(
            f"cannot hold {what} of dtype {dtype}: as {name} it holds {' or '.join(allowed)}; write .tif, or ask "
            f"for the dtype uint8"
        )
    if like.alpha is not None and not holds.alpha and (like.alpha < 1).any():
        raise Refusal(f"cannot hold the transparency of the picture as {name}: write .png or .tif")
    if not holds.stacks and like.image.ndim != 2 + colour:
        raise Refusal(f"cannot hold an array of shape {like.image.shape} as {name}: write .tif or .npy")
    if not holds.stacks and like.channel_axis is not None and like.image.shape[like.channel_axis] != 3:
        raise Refusal(f"cannot hold {like.image.shape[like.channel_axis]} channels as {name}: write .tif or .npy")


def write_image(
    path: str | Path,
    image: Array,
    *,
    like: ImageFile | None = None,
    channel_axis: int | None = None,
    dtype: npt.DTypeLike | None = None,
    overwrite: bool = False,
) -> WrittenFile:
    """Write floats as a picture of the same kind as ``like``, and say what it cost.

    For integer files the image is multiplied by the largest level, rounded to nearest and clipped; floats are written
    as they are. JPEG is written at quality 95 without colour subsampling, WebP without loss, TIFF without compression.
    The file appears whole or not at all.

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
        The dtype of the pixels in the file. By default that of ``like``; without it that of the image for TIFF and NPY
        and uint8 for the others.
    overwrite : bool
        Whether a file that exists may be replaced. The file that ``like`` was read from never is.

    Raises
    ------
    ImageFileError, ValueError, OSError
        As `check_output`, and if the image is not finite or its transparency has another shape.
    """
    image = np.asarray(image)
    check_finite(image, "image")
    if like is None:
        floats = SUFFIXES.get(Path(path).suffix.lower()) in ("TIFF", "NPY")
        axis = None if channel_axis is None else channel_axis % image.ndim
        like = ImageFile(image=image, channel_axis=axis, dtype=np.dtype(image.dtype if floats else np.uint8), format="")
    elif like.image.ndim != image.ndim:
        raise ValueError(f"image must have {like.image.ndim} axes like its source, got shape {image.shape}")
    path, name, target = check_output(path, like, dtype=dtype, overwrite=overwrite)
    try:
        data = _encode(name, to_dtype(image, target), like, target)
    except Exception as error:  # the encode boundary: the twin of the decode boundary in reading.py
        raise ImageFileError(
            f"the output {path} cannot be encoded as {name}: {' '.join(str(error).split())}"
        ) from error
    write_bytes(path, data)
    pixels = image.size // (1 if like.channel_axis is None else image.shape[like.channel_axis])
    clipped = _clipped(image, target, like.channel_axis)
    return WrittenFile(path=path, format=name, dtype=target, pixels=pixels, clipped=clipped, lost=_lost(name, like))


def _encode(name: str, pixels: Array, like: ImageFile, dtype: np.dtype[Any]) -> bytes:
    if name == "NPY":
        target = io.BytesIO()
        np.save(target, pixels, allow_pickle=False)
        return target.getvalue()
    alpha = None if like.alpha is None or not _FORMATS[name].alpha else to_dtype(like.alpha, dtype)
    pixels, axes = _samples_last(pixels, alpha, like, name)
    if name == "TIFF":
        return encode_tiff(pixels, axes, alpha=alpha is not None, icc_profile=like.icc_profile, dpi=like.dpi)
    return _encode_pillow(name, pixels, like)


def _samples_last(pixels: Array, alpha: Array | None, like: ImageFile, name: str) -> tuple[Array, str | None]:
    """Colour samples as the last axis with alpha behind them, and the letters of the axes that result."""
    axes, channel = like.axes, like.channel_axis
    if axes is None and pixels.ndim <= 3:
        spatial = "ZYX"[3 - pixels.ndim + (channel is not None) :]
        axes = spatial if channel is None else f"{spatial[:channel]}S{spatial[channel:]}"
    if name != "TIFF" and axes is not None:
        axes = axes.replace("C", "S")  # only a TIFF can hold channels as planes of their own
    if axes is not None and "S" in axes:
        pixels = np.moveaxis(pixels, axes.index("S"), -1)
        axes = axes.replace("S", "") + "S"
    if alpha is None:
        return pixels, axes
    if axes is None or not axes.endswith("S"):
        pixels, axes = pixels[..., None], f"{axes}S"
    if alpha.shape != pixels.shape[:-1]:
        raise ValueError(f"alpha of shape {alpha.shape} does not fit a picture of shape {pixels.shape[:-1]}")
    return np.concatenate([pixels, alpha[..., None]], axis=-1), axes


def _encode_pillow(name: str, pixels: Array, like: ImageFile) -> bytes:
    from PIL import Image

    options = dict(_FORMATS[name].options)
    keys = {"EXIF": "exif", "ICC profile": "icc_profile", "resolution": "dpi"}  # Pillow's names, and ours
    for key in (keys[kind] for kind in _FORMATS[name].metadata):
        if getattr(like, key) is not None:
            options[key] = getattr(like, key)
    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(target, name, **options)
    return target.getvalue()


def _clipped(image: Array, dtype: np.dtype[Any], channel_axis: int | None) -> int:
    """The number of pixels whose rounded level lies outside the dtype in at least one channel."""
    if dtype.kind == "f":
        return 0
    info = np.iinfo(dtype)
    levels = np.rint(image * info.max)
    outside = (levels < info.min) | (levels > info.max)
    return int(np.count_nonzero(outside if channel_axis is None else outside.any(axis=channel_axis)))


def _lost(name: str, like: ImageFile) -> tuple[str, ...]:
    carried = {"EXIF": like.exif, "ICC profile": like.icc_profile, "resolution": like.dpi}
    lost = (kind for kind, value in carried.items() if value is not None and kind not in _FORMATS[name].metadata)
    return (*lost, *like.left_behind)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Put bytes at a path so that it holds either the old file or the whole new one, whatever happens meanwhile."""
    path = Path(path)
    part = path.parent / f".{secrets.token_hex(8)}.part"  # in the target's folder, or the replacing is not atomic
    try:
        # Mode 0o666 less the umask, as for any new file; O_EXCL so that nobody's file or link is followed.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:  # also Ctrl-C
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        raise
