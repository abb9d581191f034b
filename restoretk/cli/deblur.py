"""`restoretk deblur`: a regularised inverse of the blur."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoretk.cli._files import Asked, files_options
from restoretk.cli._group import say
from restoretk.cli._options import (
    boundary_option,
    encoded,
    file_of,
    named,
    psf_option,
    read_psf,
    read_space,
    space_option,
    spelled,
)

if TYPE_CHECKING:
    from restoretk._arrays import Array
    from restoretk.cli._job import Job
    from restoretk.image_files import ImageFile
    from restoretk.restoration import Restoration

# The coefficients of the fitted spectrum say nothing at a glance; --json has them.
_ONLY_IN_JSON = ("amplitude", "exponent", "corner", "cos2", "sin2", "cos4", "sin4", "noise_sigma")

# Bytes at the peak of a restoration by the most demanding method, measured with tracemalloc on 0.25 to 1.2 million pixels.
_BYTES_A_PIXEL, _BYTES_A_VALUE = 170, 48


@click.command()
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
@space_option
@files_options("The restored picture: a file, a folder/ or a template such as {stem}_{method}{suffix}; - for stdout.")
def deblur(psf_spec: str, method_spec: str, boundary: str, mask_spec: str | None, space: str, **files: Any) -> None:
    """\b
    Examples:
      restoretk deblur blurred.png --psf disk:radius=4 -o sharp.png
      restoretk deblur blurred.png --psf motion:length=15,angle=30 --method regularized_filter -o sharp.png
      restoretk deblur night.jpg --psf motion:length=9 --mask saturated -o sharp.jpg
      restoretk deblur blurred.tif --psf psf.npy --method wiener:noise_to_signal=0.002 -o sharp.tif --json
      restoretk deblur scans/ --recursive --psf disk:radius=2 -o sharp/ --jobs 2 --resume

    Restore a blurred picture whose blur is known: a regularised inverse of it.

    A psf file with a first or last axis as long as the picture has channels holds one psf for each channel.

    What was chosen automatically (the regularization, the noise level) is said on stderr. Transparency and metadata of
    the picture are kept as they are.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    from restoretk.catalogue import make_method, make_psf
    from restoretk.cli._run import Run, run_on_files

    asked = Asked.of(files)
    # A wrong word is said before any file is read; what a file holds depends on the channels of the picture.
    psf_file = file_of(psf_spec)
    if psf_file is None:
        spelled("--psf", make_psf, psf_spec)
    name, options = spelled("--method", make_method, method_spec)
    for key, value in (
        ("boundary", boundary),
        ("mask", mask_spec),
    ):  # a method may spell them too: "wiener:boundary=wrap"
        given = click.get_current_context().get_parameter_source("mask_spec" if key == "mask" else key)
        if key in options and given is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{key} {value} and --method {method_spec} both say the {key}: give it once")
    boundary = str(options.pop("boundary", boundary))
    mask_file = None if mask_spec is None else file_of(mask_spec)
    run = Run(
        command="deblur",
        picture=deblur_picture,
        settings={
            "psf_spec": psf_spec,
            "method": name,
            "options": options,
            "boundary": boundary,
            "mask_spec": mask_spec,
            "space": space,
        },
        fields={"method": name, "psf": psf_spec},
        files={key: file for key, file in (("psf", psf_file), ("mask", mask_file)) if file is not None},
        trial=lambda: _try_options(name, options, boundary, None if mask_file else mask_spec),
    )
    run_on_files(run, asked)


def _try_options(method: str, options: dict[str, Any], boundary: str, mask: str | None) -> None:
    """Restore a small picture: what is wrong for all data shows here, before a batch begins."""
    import numpy as np

    from restoretk.restoration import restore

    picture = np.random.default_rng(0).random((24, 25))
    mask_option: dict[str, Any] = {} if mask is None else {"mask": mask}
    restore(picture, np.ones((1, 1)), method, boundary=boundary, **options, **mask_option)


def deblur_picture(
    job: Job,
    *,
    psf_spec: str,
    method: str,
    options: dict[str, Any],
    boundary: str,
    mask_spec: str | None,
    space: str,
) -> dict[str, Any]:
    """Restore one picture; the record of what was chosen."""
    from restoretk.catalogue import make_psf
    from restoretk.image_files import premultiply, unpremultiply
    from restoretk.restoration import restore

    # A mask of any kind may be there for the NaN of the file; those it does not cover are refused by the method.
    source = job.read(allow_nan=mask_spec is not None)
    axis = source.channel_axis
    psf_file, mask_file = file_of(psf_spec), None if mask_spec is None else file_of(mask_spec)
    pixels = source.image.size // (1 if axis is None else source.image.shape[axis])
    needs = pixels * _BYTES_A_PIXEL + source.image.size * _BYTES_A_VALUE
    job.check(source, inputs=(psf_file, mask_file), needs=needs)
    psf = spelled("--psf", make_psf, psf_spec) if psf_file is None else read_psf(psf_spec, source)
    mask: dict[str, Any] = {}
    if mask_spec is not None:
        mask = {"mask": mask_spec if mask_file is None else _mask_of(mask_file)}
    light = read_space(source, space)
    scene = light.decode(source.image, axis)
    seen = premultiply(scene, source.alpha, axis)
    restoration = restore(seen, psf, method, boundary=boundary, channel_axis=axis, **options, **mask)
    restored = unpremultiply(restoration.image, source.alpha, axis, hidden=scene)
    values = encoded(restored, source, light, job.output_for(source), job.dtype)
    found = {**light.as_dict(), **restoration.as_dict()}
    say(_what_was_chosen(restoration), level="choice")
    say(f"restored in {light.words}", level="choice")
    said = "is a flat background"  # of a psf from a file, where it was read
    for warning in (*(text for text in restoration.warnings if said not in text), *_off_centre(psf, source)):
        say(f"warning: {warning}")
    made_by = {"command": "deblur", "psf": named(psf_spec), "boundary": boundary, "mask": named(mask_spec), **found}
    made_by.pop("warnings", None)
    written = job.write(values, source, made_by=made_by)
    found["warnings"] = [*found["warnings"], *([light.warning] if light.warning else [])]
    return {"psf": psf_spec, "boundary": boundary, **found, "clipped": written.clipped, "lost": written.lost}


def _off_centre(psf: Array, source: ImageFile) -> tuple[str, ...]:
    """A sentence where the light of the PSF lies beside its origin: the restored picture moves by as much."""
    import numpy as np

    from restoretk.diagnostics import inspect_psf

    if source.channel_axis is not None and psf.ndim == source.image.ndim:
        centroids = [inspect_psf(each).centroid for each in np.moveaxis(psf, source.channel_axis, 0)]
    else:
        centroids = [inspect_psf(psf).centroid]
    centroid = max(centroids, key=lambda offsets: max(map(abs, offsets)))
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
