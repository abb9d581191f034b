"""`restoretk deblur`: a regularised inverse of the blur."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from restoretk.cli._group import say
from restoretk.cli._options import (
    boundary_option,
    check_output,
    dtype_option,
    file_of,
    force_option,
    output_option,
    photo_argument,
    print_json,
    psf_option,
    say_losses,
    spelled,
)

if TYPE_CHECKING:
    from restoretk._arrays import Array
    from restoretk.restoration import Restoration

# The coefficients of the fitted spectrum say nothing at a glance; --json has them.
_ONLY_IN_JSON = ("amplitude", "exponent", "corner", "cos2", "sin2", "cos4", "sin4", "noise_sigma")


@click.command()
@photo_argument
@psf_option
@click.option(
    "--method",
    "method_spec",
    default="wiener",
    show_default=True,
    metavar="NAME:KEY=VALUE,...",
    help="The method, such as wiener or regularized_filter:regularization=gcv.",
)
@boundary_option("unknown")
@click.option(
    "--mask",
    "mask_spec",
    metavar="NAME|FILE",
    help="Pixels not to believe: saturated (blown-out highlights), nan, nan+saturated, or a picture that is not black there.",
)
@output_option("The restored picture; its suffix says the format.")
@dtype_option
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print what was chosen as JSON on stdout.")
def deblur(
    photo: Path,
    psf_spec: str,
    method_spec: str,
    boundary: str,
    mask_spec: str | None,
    output: Path,
    dtype: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """\b
    Examples:
      restoretk deblur blurred.png --psf disk:radius=4 -o sharp.png
      restoretk deblur blurred.png --psf motion:length=15,angle=30 --method regularized_filter -o sharp.png
      restoretk deblur night.jpg --psf motion:length=9 --mask saturated -o sharp.jpg
      restoretk deblur blurred.tif --psf psf.npy --method wiener:noise_to_signal=0.002 -o sharp.tif --json

    Restore a blurred picture whose blur is known: a regularised inverse of it.

    What was chosen automatically (the regularization, the noise level) is said on stderr. Transparency and metadata of
    the picture are kept as they are.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    from restoretk import image_files
    from restoretk.catalogue import make_method, make_psf
    from restoretk.restoration import restore

    psf = spelled("--psf", make_psf, psf_spec)
    name, options = spelled("--method", make_method, method_spec)
    for key, value in (
        ("boundary", boundary),
        ("mask", mask_spec),
    ):  # a method may spell them too: "wiener:boundary=wrap"
        given = click.get_current_context().get_parameter_source("mask_spec" if key == "mask" else key)
        if key in options and given is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{key} {value} and --method {method_spec} both say the {key}: give it once")
    boundary = str(options.pop("boundary", boundary))
    # A mask of any kind may be there for the NaN of the file; those it does not cover are refused by the method.
    source = image_files.read_image(photo, allow_nan=mask_spec is not None)
    mask_file = None if mask_spec is None else file_of(mask_spec)
    check_output(output, source, dtype, force, inputs=(file_of(psf_spec), mask_file))
    if mask_spec is not None:
        options["mask"] = mask_spec if mask_file is None else _mask_of(mask_file)
    restoration = restore(source.image, psf, name, boundary=boundary, channel_axis=source.channel_axis, **options)
    written = image_files.write_image(output, restoration.image, like=source, dtype=dtype, overwrite=force)
    if as_json:
        files = {"input": photo, "output": output, "psf": psf_spec, "boundary": boundary}
        print_json({**files, **restoration.as_dict(), "clipped": written.clipped, "lost": written.lost})
        return
    say(_what_was_chosen(restoration))
    for warning in (*restoration.warnings, *_off_centre(psf)):
        say(f"warning: {warning}")
    say_losses(written)


def _off_centre(psf: Array) -> tuple[str, ...]:
    """A sentence where the light of the PSF lies beside its origin: the restored picture moves by as much."""
    from restoretk.diagnostics import inspect_psf

    centroid = inspect_psf(psf).centroid
    if max(abs(offset) for offset in centroid) <= 1:
        return ()
    offset = ", ".join(f"{value:+.1f}" for value in centroid)
    return (
        f"the centroid of the psf lies ({offset}) pixels from its origin: the restored picture is shifted back by that",
    )


def _mask_of(path: Path) -> Array:
    """True where the picture of a mask is not black in any of its channels."""
    import numpy as np

    from restoretk.image_files import read_image

    picture = read_image(path)
    marked = np.asarray(picture.image > 0)
    return marked if picture.channel_axis is None else np.any(marked, axis=picture.channel_axis)


def _what_was_chosen(restoration: Restoration) -> str:
    chosen = [
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in restoration.parameters.items()
        if key not in _ONLY_IN_JSON
    ]
    if restoration.noise_sigma is not None:
        chosen.append(f"noise_sigma={restoration.noise_sigma:.4g}")
    return f"{restoration.method}: {', '.join(chosen)}"
