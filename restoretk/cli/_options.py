"""Arguments and options that several commands share, and what they turn into."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from restoretk.cli._group import Failure, say

if TYPE_CHECKING:
    from restoretk._arrays import Array
    from restoretk.image_files import ImageFile, WrittenFile
    from restoretk.tone_curve import WorkingSpace

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any] | click.Command)  # what click's decorators take and give

photo_argument = click.argument("photo", type=click.Path(path_type=Path, readable=False))
force_option = click.option("--force", is_flag=True, help="Replace the output where it exists.")
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the noise."
)
psf_option = click.option(
    "--psf",
    "psf_spec",
    required=True,
    metavar="NAME:KEY=VALUE,...",
    help="The blur, such as disk:radius=4 or motion:length=15,angle=30, or a .npy, .tif or .png file.",
)
noise_option = click.option(
    "--noise",
    "noise_spec",
    metavar="NAME:KEY=VALUE,...",
    help="Noise, such as gaussian:sigma=0.01, or a chain, such as poisson:peak=2000+quantize:bits=8; none by default.",
)
space_option = click.option(
    "--space",
    type=click.Choice(["auto", "linear", "srgb"]),
    default="auto",
    show_default=True,
    help="Where the blur happens: in linear light, decoded as the photograph says, or in its code values (srgb).",
)
dtype_option = click.option(
    "--dtype",
    type=click.Choice(["uint8", "uint16", "float32", "float64"]),
    help="The kind of pixels to write; by default that of the photograph.",
)


def output_option(text: str, *, required: bool = True) -> Callable[[Command], Command]:
    """Give a command the option -o."""
    return click.option("-o", "--output", required=required, type=click.Path(path_type=Path), help=text)


def boundary_option(default: str | None, text: str = "What lies beyond the edge.") -> Callable[[Command], Command]:
    """Give a command the option --boundary; the library names the choices where a wrong one is given."""
    return click.option(
        "--boundary",
        metavar="NAME",
        default=default,
        show_default=default is not None,
        help=text,
    )


def spelled(option: str, make: Callable[[str], T], spec: str) -> T:
    """What a specification stands for; a wrong name, key or value is a usage error in one line.

    A specification that names a file may fail by what the file holds: that is an error of data.
    """
    try:
        return make(spec)
    except (ValueError, TypeError, OverflowError) as error:
        raise Failure(f"{option}: {error}", exit_code=2 if file_of(spec) is None else 1) from error


def read_psf(spec: str, source: ImageFile) -> Array:
    """The PSF in a file, for a picture; that it holds one for each channel, or a background, is said in a line each."""
    import numpy as np

    from restoretk.catalogue import make_psf

    shape, channel_axis = source.image.shape, source.channel_axis
    psf = spelled("--psf", lambda text: make_psf(text, image_shape=shape, channel_axis=channel_axis), spec)
    if channel_axis is None and psf.ndim == len(shape) == 3 and psf.shape[0] == shape[0] and not _has_slices(source):
        say(
            f"warning: {file_of(spec)}, shape {psf.shape}, is taken for one psf of three axes, as for a volume: "
            "--channel-axis 0 makes it one psf for each channel"
        )
    if channel_axis is None or psf.ndim != len(shape):
        say_background(psf, spec)
        return psf
    psfs = np.moveaxis(psf, channel_axis, 0)
    say(f"{file_of(spec)}: one psf of shape {psfs.shape[1:]} for each of the {len(psfs)} channels")
    for index, each in enumerate(psfs):
        say_background(each, spec, channel=index)
    return psf


def _has_slices(source: ImageFile) -> bool:
    return source.axes is not None and "Z" in source.axes


def named(spec: str | None) -> str | None:
    """A specification as it stands in a record: of a file its name, since where it lies is nobody's business."""
    file = None if spec is None else file_of(spec)
    return spec if file is None else file.name


def say_background(psf: Array, spec: str, channel: int | None = None) -> None:
    """One line about the background under a PSF from a file, with the remedy; nothing where there is none."""
    from restoretk.psf import find_background

    file = file_of(spec)
    background = find_background(psf)
    if file is None or not background.found:
        return
    if channel is None:
        remedy = f"restoretk psf {shlex.quote(str(file))} --subtract-background -o clean.npy takes it off"
        say(f"warning: {file}: {background.sentence()}; {remedy}")
    else:
        remedy = "restoretk.psf.subtract_background takes it off"
        say(f"warning: {file}, channel {channel}: {background.sentence()}; {remedy}")


def file_of(spec: str) -> Path | None:
    """The file that a specification names, if it names one: no output may replace it."""
    path = Path(spec.removeprefix("file:path="))
    return path if path.is_file() else None


def say_unscaled(source: ImageFile) -> None:
    """One line where the floats of a file look like levels of 8 or 16 bits."""
    if unscaled := source.unscaled():
        say(f"{source.path} {unscaled}")


def read_space(source: ImageFile, space: str) -> WorkingSpace:
    """The space to work on a file in; what had to be assumed is said in a line."""
    from restoretk.tone_curve import choose_working_space

    axes = source.axes or ""
    chosen = choose_working_space(
        space,
        format_=source.format,
        dtype=source.dtype,
        channels=None if source.channel_axis is None else source.image.shape[source.channel_axis],
        icc_profile=source.icc_profile,
        exif=source.exif,
        png_chunks=source.png_chunks,
        stack=source.image.ndim - (source.channel_axis is not None) != 2 or not set(axes) <= set("YXSC"),
        microscope=source.microscope,
    )
    if chosen.warning:
        say(f"warning: {source.path}: {chosen.warning}")
    return chosen


def encoded(image: Array, source: ImageFile, space: WorkingSpace, output: Path, dtype: str | None) -> Array:
    """The values to write: code values again, but for floats without a profile, which every reader takes for light."""
    import numpy as np

    from restoretk.image_files import SUFFIXES

    floats = np.dtype(source.dtype if dtype is None else dtype).kind == "f"
    with_profile = source.icc_profile is not None and SUFFIXES.get(output.suffix.lower()) == "TIFF"
    if space.curves and floats and not with_profile:
        say(f"{output}: written in linear light, as floats without a colour profile are read")
        return image
    return space.encode(image, source.channel_axis)


def say_losses(written: WrittenFile) -> None:
    """One line each for pixels that were clipped and for metadata that the file does not hold."""
    if written.clipped:
        say(f"{written.path}: {written.clipped} of {written.pixels} pixels lay outside [0, 1] and were clipped")
    if written.lost:
        say(f"{written.path}: not kept from the photograph: {', '.join(written.lost)}")


def plain(value: Any) -> Any:
    """A value as JSON knows it: numpy's numbers and arrays as Python's, what is not finite as None."""
    import numpy as np

    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def print_json(record: Mapping[str, Any]) -> None:
    """One object, one line, on stdout; a name that is no text as the escapes from which Python makes it again."""
    line = json.dumps(plain(record), ensure_ascii=False, allow_nan=False)
    if not _is_text(line):
        line = json.dumps(plain(record), allow_nan=False)
    click.echo(line)


def _is_text(line: str) -> bool:
    try:
        line.encode(sys.stdout.encoding or "ascii", "strict")
    except UnicodeEncodeError:
        return False
    return not any("\ud800" <= sign <= "\udfff" for sign in line)
