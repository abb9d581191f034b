"""The arguments and options of every command that takes pictures and writes pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from restoretk.cli._group import debug_option
from restoretk.cli._options import dtype_option, force_option
from restoretk.cli._recipe import recipe_option

if TYPE_CHECKING:
    _Type = click.ParamType[int]
else:
    _Type = click.ParamType  # generic only from click 8.4 on
Command = TypeVar("Command", bound=Callable[..., Any] | click.Command)


class NamedPath(click.Path):
    """A path, but not an empty word, which would be the current folder: a variable of the shell that nobody set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if value == "":
            self.fail("an empty name is no file and no folder", param, ctx)
        return super().convert(value, param, ctx)


# A file without the right to read it is wrong data, not wrong usage.
_PHOTO = NamedPath(path_type=Path, readable=False)

#: --format -> the suffix of the output.
FORMAT_SUFFIXES = {
    "png": ".png",
    "jpeg": ".jpg",
    "tiff": ".tif",
    "webp": ".webp",
    "bmp": ".bmp",
    "ppm": ".ppm",
    "npy": ".npy",
    "fits": ".fits",
}
#: The limits of restoretk.image_files.Limits: name -> (whether it counts bytes, what it bounds). A test compares them.
LIMITS = {
    "pixels": (False, "Rows times columns of one picture."),
    "file_bytes": (True, "The size of a file."),
    "frames": (False, "Pages, slices or frames of a stack."),
    "values": (False, "All numbers of a picture: pixels times channels times frames."),
    "expansion": (False, "Decoded bytes for each byte of a file, where many come of it."),
    "tag_bytes": (True, "Metadata of one page."),
    "scans": (False, "Passes over a progressive JPEG."),
}


class Amount(_Type):
    """A whole number with K, M, G or T behind it: thousands of things, 1024s of bytes."""

    name = "amount"

    def __init__(self, *, of_bytes: bool) -> None:
        self.step = 1024 if of_bytes else 1000

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; 0 and below are refused."""
        text = str(value).strip().upper().removesuffix("B").removesuffix("I")
        number, power = text, 0
        if text[-1:] and text[-1:] in "KMGT":
            number, power = text[:-1], 1 + "KMGT".index(text[-1])
        if not number.isascii() or not number.isdigit() or len(number) > 18 or int(number) == 0:
            self.fail(f"{value!r} is not an amount such as 500, 200M or 4G", param, ctx)
        return int(int(number) * self.step**power)


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """How files are read and written: the part of the options that goes to the workers."""

    dtype: str | None
    quality: int | None
    strip: bool
    allow_loss: bool
    hdu: str | None
    channel_axis: int | None
    limits: dict[str, int]
    max_memory: int | None
    jobs: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the options of `files_options` said."""

    photos: tuple[Path, ...]
    output: str
    format: str | None
    recursive: bool
    jobs: int
    scheduler: str | None
    resume: bool
    force: bool
    dry_run: bool
    quiet: bool
    verbose: bool
    as_json: bool
    report: Path | None
    save_recipe: Path | None
    files: FileOptions

    @classmethod
    def of(cls, given: dict[str, Any]) -> Asked:
        """From the arguments that click hands to a command."""
        limits = {name: given.pop(f"max_{name}") for name in LIMITS}
        limits = {name: value for name, value in limits.items() if value is not None}
        names = ("dtype", "quality", "strip", "allow_loss", "hdu", "channel_axis", "max_memory")
        if not given["output"]:
            raise click.UsageError("-o is empty: it names no file and no folder")
        files = FileOptions(limits=limits, jobs=given["jobs"], **{name: given.pop(name) for name in names})
        return cls(files=files, **given)


def files_options(output_help: str) -> Callable[[Command], Command]:
    """Give a command its pictures and what is said of files; they arrive as keyword arguments for `Asked.of`."""
    options = [
        click.argument("photos", nargs=-1, required=True, metavar="PHOTO...", type=_PHOTO),
        click.option("-o", "--output", required=True, metavar="FILE|FOLDER/|TEMPLATE", help=output_help),
        click.option(
            "--format", type=click.Choice(list(FORMAT_SUFFIXES)), help="The format of the output, if no suffix says it."
        ),
        dtype_option,
        click.option("--quality", type=click.IntRange(1, 100), help="Of a JPEG (95 by default) or WebP (lossless)."),
        click.option("--strip", is_flag=True, help="Leave out EXIF, colour profile, XMP, resolution and text."),
        click.option("--allow-loss", is_flag=True, help="Write what the format holds, and say what it does not."),
        click.option("--hdu", metavar="NUMBER|NAME", help="Which unit of a FITS file."),
        click.option(
            "--channel-axis",
            type=int,
            metavar="N",
            help="Which axis of a .npy, .fits or .tif holds channels, where the file does not say: 0 the first, -1 the last.",
        ),
        click.option("-r", "--recursive", is_flag=True, help="Also the folders inside a folder; the tree is kept."),
        click.option(
            "-j", "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Files worked on at a time."
        ),
        click.option(
            "--scheduler",
            metavar="tcp://HOST:PORT",
            help="Work on the files on a Dask cluster, whose workers see them under the same names.",
        ),
        click.option("--resume", is_flag=True, help="Skip what an earlier run did already; redo what has changed."),
        force_option,
        click.option("-n", "--dry-run", is_flag=True, help="Say what would be written, and touch nothing."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
        click.option("-v", "--verbose", is_flag=True, help="Say more about each file."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file on stdout."),
        click.option(
            "--report", type=click.Path(path_type=Path), help="Write what became of each file to a JSON file."
        ),
        click.option(
            "--save-recipe", type=click.Path(path_type=Path), help="Write the options that shape the pixels to a file."
        ),
        recipe_option,
        *(_limit_option(name, of_bytes, text) for name, (of_bytes, text) in LIMITS.items()),
        click.option(
            "--max-memory",
            type=Amount(of_bytes=True),
            metavar="AMOUNT",
            help="Refuse a picture whose work is estimated to need more; by default what the machine has free.",
        ),
        debug_option,
    ]

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _limit_option(name: str, of_bytes: bool, text: str) -> Callable[[Any], Any]:
    spellings = [f"--max-{name.replace('_', '-')}", *(["--max-bytes"] if name == "file_bytes" else [])]
    told = f"Limit: {text[0].lower()}{text[1:]}"
    return click.option(*spellings, f"max_{name}", type=Amount(of_bytes=of_bytes), metavar="AMOUNT", help=told)
