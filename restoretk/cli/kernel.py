"""`restoretk kernel`: kernels for upsampling, looked at before they are used."""

from __future__ import annotations

import click

from restoretk.cli._group import LazyGroup

# name -> (where the command is, what the list says of it), as in restoretk.cli.
COMMANDS = {
    "check": ("restoretk.cli.kernel_check:check", "Find out whether a kernel draws a checkerboard, and repair it."),
    "fit": ("restoretk.cli.kernel_fit:fit", "Fit a kernel, or a bank of kernels, to pictures."),
}


@click.group(
    cls=LazyGroup,
    commands_table=COMMANDS,
    short_help="Check upsampling kernels before they are used, or fit them to pictures.",
)
def kernel() -> None:
    """\b
    Examples:
      restoretk kernel check bicubic:a=-0.75
      restoretk kernel check model.onnx
      restoretk kernel fit *.png --factor 2 -o mine.npy

    Kernels for upsampling: the weights of transposed convolutions.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
