"""Arguments and options that several commands share, and what they turn into."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from restoretk.cli._group import Failure, say

if TYPE_CHECKING:
    from restoretk.image_files import ImageFile, WrittenFile

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any] | click.Command)  # what click's decorators take and give

photo_argument = click.argument("photo", type=click.Path(path_type=Path))
force_option = click.option("--force", is_flag=True, help="Replace the output where it exists (never the input).")
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
dtype_option = click.option(
    "--dtype",
    type=click.Choice(["uint8", "uint16", "float32", "float64"]),
    help="The kind of pixels to write; by default that of the photograph.",
)


def output_option(text: str, *, required: bool = True) -> Callable[[Command], Command]:
    """Give a command the option -o."""
    return click.option("-o", "--output", required=required, type=click.Path(path_type=Path), help=text)


def boundary_option(default: str) -> Callable[[Command], Command]:
    """Give a command the option --boundary; the library names the choices where a wrong one is given."""
    return click.option(
        "--boundary",
        metavar="NAME",
        default=default,
        show_default=True,
        help="What lies beyond the edge.",
    )


def spelled(option: str, make: Callable[[str], T], spec: str) -> T:
    """What a specification stands for; a wrong name, key or value is a usage error in one line.

    A specification that names a file may fail by what the file holds: that is an error of data.
    """
    try:
        return make(spec)
    except (ValueError, TypeError, OverflowError) as error:
        raise Failure(f"{option}: {error}", exit_code=2 if file_of(spec) is None else 1) from error


def file_of(spec: str) -> Path | None:
    """The file that a specification names, if it names one: no output may replace it."""
    path = Path(spec.removeprefix("file:path="))
    return path if path.is_file() else None


def check_output(
    output: Path, source: ImageFile, dtype: str | None, force: bool, inputs: Iterable[Path | None] = ()
) -> None:
    """Refuse, before the work, an output that could not be written after it."""
    from restoretk import image_files

    image_files.check_output_path(output, inputs=(source.path, *inputs), overwrite=force)
    image_files.check_output(output, source, dtype=dtype, overwrite=force)


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
    """One object, one line, on stdout."""
    click.echo(json.dumps(plain(record), ensure_ascii=False, allow_nan=False))
