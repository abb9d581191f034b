"""`restoretk info`: everything about a picture file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from restoretk.cli._files import LIMITS, Amount
from restoretk.cli._options import photo_argument, print_json


def _limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give the command an option for each limit of what is read."""
    for name, (of_bytes, text) in reversed(LIMITS.items()):
        option = click.option(
            f"--max-{name.replace('_', '-')}", type=Amount(of_bytes=of_bytes), metavar="AMOUNT", help=f"Limit. {text}"
        )
        command = option(command)
    return command


@click.command()
@photo_argument
@click.option(
    "--hdu", metavar="NUMBER|NAME", help="The unit of a FITS file; by default the first that holds a picture."
)
@_limit_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def info(photo: Path, hdu: str | None, as_json: bool, **given: int | None) -> None:
    """\b
    Examples:
      restoretk info photo.jpg
      restoretk info m31.fits --hdu SCI --json

    Show what a picture file holds: its pixels, colour profile, EXIF and resolution, how it was made, and what would be lost
    in which format.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    import warnings

    from restoretk.image_files import Limits, describe, read_image, shown

    limits = Limits(**{name.removeprefix("max_"): value for name, value in given.items() if value is not None})
    unit = int(hdu) if hdu is not None and hdu.isascii() and hdu.isdigit() else hdu
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # they are among the notes
        file = read_image(photo, allow_nan=True, limits=limits, hdu=unit)
    record = {"file": shown(photo), "bytes": photo.stat().st_size, **describe(file)}
    if as_json:
        print_json(record)
        return
    for key, value in record.items():
        for line in _lines(value):
            click.echo(f"{key.replace('_', ' '):15}{line}")


def _lines(value: Any) -> list[str]:
    """A value as lines of text, none where there is nothing to say."""
    if isinstance(value, dict):
        named = ((key, ", ".join(item) or "nothing" if isinstance(item, list) else item) for key, item in value.items())
        return [f"{key}: {item}" for key, item in named]
    if isinstance(value, list) and value and not isinstance(value[0], int | float):
        return [", ".join(f"{k}: {v}" for k, v in item.items()) if isinstance(item, dict) else item for item in value]
    if value is None or value == [] or (value == 0 and not isinstance(value, float)):
        return []
    if isinstance(value, list):
        return [" x ".join(map(str, value))]
    return [f"{value:.6g}" if isinstance(value, float) else str(value)]
