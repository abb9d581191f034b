"""`restoretk upsample`: the transpose of blur and decimation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoretk.cli._files import Asked, files_options

if TYPE_CHECKING:
    from restoretk._arrays import Array
    from restoretk.cli._job import Job
    from restoretk.upsampling.kernels import KernelLike

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

    Enlarge a picture, of a stack every plane: the transpose of blur and decimation. nearest, bilinear, bicubic and
    lanczos3 add nothing; fitted (one kernel) and bank (one for each kind of pixel), for factors 2 to 4, also undo the
    softness of decimation, as far as photographs taught them.
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
    rows = source.image.ndim - 2 - (axis is not None and axis >= source.image.ndim - 2)
    rows = rows if source.axes is None else source.axes.index("Y")

    def enlarged(image: Array, channel_axis: int | None) -> Array:
        return _enlarged(image, factor, taps, rows, channel_axis)

    large = enlarged(seen, axis)
    if source.alpha is not None:  # its rows and columns grow with the picture's; transparency cannot leave [0, 1]
        alpha = _enlarged(source.alpha, factor, taps, source.alpha.ndim - 2, None).clip(0, 1)
        if seen is not source.image:
            hidden = enlarged(source.image, axis)
            large = unpremultiply(large, alpha, axis, hidden=hidden)
        source = replace(source, alpha=alpha)
    done = {"factor": factor, "kernel": kernel}
    written = job.write(
        large,
        source,
        made_by={"command": "upsample", "factor": factor, "kernel": kernel_file.name if kernel_file else kernel},
    )
    return {**done, "clipped": written.clipped, "lost": written.lost}


def _enlarged(image: Array, factor: int, kernel: KernelLike, rows: int, channel_axis: int | None) -> Array:
    """The picture with more rows and columns; of a stack each plane for itself, whatever its other axes are."""
    import numpy as np

    from restoretk.upsampling import upsample as upsample_array

    stack = [axis for axis in range(image.ndim) if axis not in (rows, rows + 1, channel_axis)]
    if image.ndim < 2 or not stack:
        return upsample_array(image, factor, kernel=kernel, channel_axis=channel_axis)
    front = np.moveaxis(image, stack, range(len(stack)))
    planes = front.reshape(-1, *front.shape[len(stack) :])
    channels = None if channel_axis is None else channel_axis - sum(axis < channel_axis for axis in stack)
    first = upsample_array(planes[0], factor, kernel=kernel, channel_axis=channels)
    large = np.empty((len(planes), *first.shape), first.dtype)
    large[0] = first
    for index in range(1, len(planes)):
        large[index] = upsample_array(planes[index], factor, kernel=kernel, channel_axis=channels)
    return np.moveaxis(large.reshape(*front.shape[: len(stack)], *first.shape), range(len(stack)), stack)
