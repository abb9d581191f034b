"""`restoretk upsample`: the transpose of blur and decimation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from restoretk.cli._options import (
    check_output,
    dtype_option,
    force_option,
    output_option,
    photo_argument,
    say_losses,
)


@click.command()
@photo_argument
@click.option("--factor", type=click.IntRange(min=1), default=2, show_default=True, help="How many times larger.")
@click.option("--kernel", metavar="NAME", default="bicubic", show_default=True, help="How to fill in between pixels.")
@output_option("The enlarged picture; its suffix says the format.")
@dtype_option
@force_option
def upsample(photo: Path, factor: int, kernel: str, output: Path, dtype: str | None, force: bool) -> None:
    """\b
    Examples:
      restoretk upsample photo.png --factor 2 -o big.png
      restoretk upsample photo.png --factor 3 --kernel lanczos3 -o big.png

    Enlarge a picture with a fixed kernel: the transpose of blur and decimation, which undoes no blur.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    from restoretk import image_files, upsampling

    source = image_files.read_image(photo)
    check_output(output, source, dtype, force)
    large = upsampling.upsample(source.image, factor, kernel=kernel, channel_axis=source.channel_axis)
    if source.alpha is not None:  # its rows and columns grow with the picture's; transparency cannot leave [0, 1]
        alpha = upsampling.upsample(source.alpha, factor, kernel=kernel).clip(0, 1)
        source = replace(source, alpha=alpha)
    say_losses(image_files.write_image(output, large, like=source, dtype=dtype, overwrite=force))
