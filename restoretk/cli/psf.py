"""`restoretk psf`: look at a point spread function, or save it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoretk.cli._group import say
from restoretk.cli._options import file_of, force_option, output_option, print_json, say_background, spelled

if TYPE_CHECKING:
    from restoretk._arrays import Array

_SHADES = " ·░▒▓█"
_WIDEST = 36  # samples in a row of the picture: two characters each fit a terminal of 80


@click.command()
@click.argument("spec", metavar="NAME:KEY=VALUE,...")
@output_option("Save it: .npy and .tif hold it exactly, .png scaled to its peak for viewing.", required=False)
@force_option
@click.option(
    "--subtract-background",
    is_flag=True,
    help="Take off the flat level (camera offset, noise) under a measured psf, in a file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print its shape, centroid and widths as JSON on stdout.")
def psf(spec: str, output: Path | None, force: bool, subtract_background: bool, as_json: bool) -> None:
    """\b
    Examples:
      restoretk psf motion:length=15,angle=30
      restoretk psf disk:radius=4 -o psf.npy
      restoretk psf gaussian:sigma=1.6 --json
      restoretk psf bead.tif --subtract-background -o psf.npy

    Show or save a point spread function.

    Centroid and widths are in pixels: the centroid from the origin of the PSF, the widths as standard deviations.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    from restoretk.catalogue import make_psf

    if subtract_background:
        array = _without_background(spec)
    else:
        array = spelled("PSF", make_psf, spec)
        say_background(array, spec)
    if output is not None:
        _save(array, output, spec, force)
    if as_json:
        print_json({"spec": spec, **_figures(array)})
    elif output is None:
        for name, value in _figures(array).items():
            click.echo(f"{name:9}{_shown(value)}")
        click.echo(_picture(array))


def _without_background(spec: str) -> Array:
    """The measured PSF in a file less its background; what was taken off is said."""
    from restoretk.catalogue import psf_file, read_psf_pixels
    from restoretk.psf import find_background, subtract_background

    path = spelled("PSF", psf_file, spec)
    if path is None:
        raise click.UsageError(f"--subtract-background is for a psf measured and kept in a file, got {spec!r}")
    pixels = read_psf_pixels(path)
    background = find_background(pixels)
    if background.found:
        share = f"{background.share:.0%} of the sum"
        say(f"{path}: a background of {background.level:.3g} at every element was taken off, {share}")
    elif pixels.min() < 0:
        say(f"{path}: no background was found; noise below 0 and what is not connected to the peak was set to 0")
    else:
        say(f"{path}: no background was found, nothing was taken off")
    return subtract_background(pixels)


def _save(array: Array, output: Path, spec: str, force: bool) -> None:
    from restoretk.image_files import check_output_path, write_image

    check_output_path(output, inputs=(file_of(spec),), overwrite=force)
    if output.suffix.lower() in (".npy", ".tif", ".tiff"):
        write_image(output, array, overwrite=force)
        return
    dtype = "uint16" if output.suffix.lower() == ".png" else "uint8"
    write_image(output, array / array.max(), dtype=dtype, overwrite=force)
    say(f"{output}: scaled to the peak {array.max():.4g} for viewing; save it as .npy or .tif for the exact values")


def _figures(array: Array) -> dict[str, Any]:
    """Shape, sum, peak, and along each axis the mean position from the origin and the standard deviation, in pixels."""
    import numpy as np

    weights = array / array.sum()
    centroid, widths = [], []
    for axis, side in enumerate(array.shape):
        profile = weights.sum(axis=tuple(other for other in range(array.ndim) if other != axis))
        positions = np.arange(side) - side // 2
        mean = float(profile @ positions)
        centroid.append(mean)
        widths.append(float(np.sqrt(profile @ (positions - mean) ** 2)))
    return {
        "shape": list(array.shape),
        "sum": float(array.sum()),
        "peak": float(array.max()),
        "centroid": centroid,
        "widths": widths,
    }


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return str(value) if isinstance(value, int) else f"{round(value, 9) + 0.0:.6g}"  # rounding errors and -0 shown as 0


def _picture(array: Array) -> str:
    """The PSF in shades of its peak, two characters a sample; blocks of samples share a mark where it is wide."""
    import numpy as np

    plane = np.atleast_2d(array if array.ndim < 3 else array[tuple(side // 2 for side in array.shape[:-2])])
    block = -(-max(plane.shape) // _WIDEST)
    rows, columns = (-(-side // block) * block for side in plane.shape)
    padded = np.zeros((rows, columns))
    padded[: plane.shape[0], : plane.shape[1]] = plane
    blocks = padded.reshape(rows // block, block, columns // block, block).max(axis=(1, 3))
    # The square root shows faint tails beside the peak; anything above zero gets at least the first mark.
    levels = np.ceil(np.sqrt(blocks / blocks.max()) * (len(_SHADES) - 1)).astype(int)
    return "\n".join("".join(2 * _SHADES[level] for level in row).rstrip() for row in levels)
