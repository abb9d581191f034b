"""`restoretk upsample`: the transpose of blur and decimation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoretk.cli._files import Asked, files_options

if TYPE_CHECKING:
    from restoretk.cli._job import Job

# Bytes for each value of the result at the peak (bank: of the fitted banks), measured with tracemalloc.
_BYTES_A_VALUE, _BYTES_A_VALUE_OF_A_BANK = 24, 64


@click.command()
@click.option("--factor", type=click.IntRange(min=1), default=2, show_default=True, help="How many times larger.")
@click.option(
    "--kernel",
    metavar="NAME",
    default="bicubic",
    show_default=True,
    help="How to fill in between pixels; or a .npy or .npz file of `kernel fit`.",
)
@files_options("The enlarged picture: a file, a folder/ or a template such as {stem}_{factor}x{suffix}; - for stdout.")
def upsample(factor: int, kernel: str, **files: Any) -> None:
    """\b
    Examples:
      restoretk upsample photo.png --factor 2 -o big.png
      restoretk upsample photo.png --factor 3 --kernel lanczos3 -o big.png
      restoretk upsample photo.png --factor 2 --kernel bank -o big.png
      restoretk upsample photos/*.png -o big/ --jobs 2

    Enlarge a picture: the transpose of blur and decimation. nearest, bilinear, bicubic and lanczos3 add nothing; fitted
    (one kernel) and bank (one for each kind of pixel), for factors 2 to 4, also undo the softness of decimation, as
    far as photographs taught them.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    from restoretk.cli._run import Run, run_on_files

    asked = Asked.of(files)
    kernel_file = _file_of(kernel)
    run = Run(
        command="upsample",
        picture=upsample_picture,
        settings={"factor": factor, "kernel": kernel},
        fields={"method": Path(kernel).stem.partition(":")[0], "kernel": kernel, "factor": str(factor)},
        files={} if kernel_file is None else {"kernel": kernel_file},
        trial=lambda: _try_options(factor, kernel),
    )
    run_on_files(run, asked)


def _file_of(kernel: str) -> Path | None:
    """The file that the kernel is in, None for a name."""
    return Path(kernel) if kernel.lower().endswith((".npy", ".npz")) else None


def _try_options(factor: int, kernel: str) -> None:
    """Enlarge a small picture: what is wrong for all data shows here, before a batch begins."""
    import numpy as np

    from restoretk.upsampling import upsample as upsample_array

    if _file_of(kernel) is None:
        upsample_array(np.eye(24), factor, kernel=kernel)


def upsample_picture(job: Job, *, factor: int, kernel: str) -> dict[str, Any]:
    """Enlarge one picture; the record of what was done."""
    from restoretk import upsampling
    from restoretk.image_files import premultiply, unpremultiply

    kernel_file = _file_of(kernel)
    taps = kernel if kernel_file is None else upsampling.load_kernel(kernel)
    source = job.read()
    axis, each = source.channel_axis, _BYTES_A_VALUE_OF_A_BANK if kernel_file or kernel == "bank" else _BYTES_A_VALUE
    job.check(source, inputs=(kernel_file,), needs=source.image.size * factor**2 * each)
    seen = premultiply(source.image, source.alpha, axis)
    large = upsampling.upsample(seen, factor, kernel=taps, channel_axis=axis)
    if source.alpha is not None:  # its rows and columns grow with the picture's; transparency cannot leave [0, 1]
        alpha = upsampling.upsample(source.alpha, factor, kernel=taps).clip(0, 1)
        if seen is not source.image:
            hidden = upsampling.upsample(source.image, factor, kernel=taps, channel_axis=axis)
            large = unpremultiply(large, alpha, axis, hidden=hidden)
        source = replace(source, alpha=alpha)
    done = {"factor": factor, "kernel": kernel}
    written = job.write(large, source, made_by={"command": "upsample", **done})
    return {**done, "clipped": written.clipped, "lost": written.lost}
