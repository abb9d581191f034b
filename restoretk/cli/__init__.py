"""The command `restoretk`: one small module a command, and nothing heavy before a command runs."""

from __future__ import annotations

import click

from restoretk._version import __version__
from restoretk.cli._group import LazyGroup, debug_option

# name -> (where the command is, what the list says of it): --help reads only this table.
COMMANDS = {
    "degrade": ("restoretk.cli.degrade:degrade", "Blur a picture and add noise, as a camera would."),
    "deblur": ("restoretk.cli.deblur:deblur", "Restore a blurred picture: a regularised inverse of the blur."),
    "deblur-large": ("restoretk.cli.deblur_large:deblur_large", "Restore a picture larger than memory, exactly."),
    "upsample": ("restoretk.cli.upsample:upsample", "Enlarge a picture: the transpose of blur and decimation."),
    "compare": ("restoretk.cli.compare:compare", "Write a report of both meanings of deconvolution on one picture."),
    "explain": ("restoretk.cli.explain:explain", "Print the worked 4 x 4 example of transposed convolution."),
    "kernel": ("restoretk.cli.kernel:kernel", "Check an upsampling kernel before it is used."),
    "info": ("restoretk.cli.info:info", "Show everything about a picture file."),
    "psf": ("restoretk.cli.psf:psf", "Show or save a point spread function."),
    "completion": ("restoretk.cli.completion:completion", "Print the script that completes commands in a shell."),
}


@click.group(cls=LazyGroup, commands_table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="restoretk")
@debug_option
def main() -> None:
    """\b
    Examples:
      restoretk degrade photo.png --psf motion:length=15,angle=30 --noise poisson:peak=5000 -o blurred.png
      restoretk deblur blurred.png --psf motion:length=15,angle=30 -o sharp.png
      restoretk compare photo.png --psf disk:radius=4 --noise poisson:peak=5000 -o report.html
      restoretk explain

    Image restoration and transposed convolution: both meanings of deconvolution, side by side.

    Blurs, noises and methods are spelled name:key=value,key=value. Pixels are fractions of full range, so a sigma of
    0.01 means the same for 8 bits, 16 bits and floats in [0, 1].
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
