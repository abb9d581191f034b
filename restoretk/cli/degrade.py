"""`restoretk degrade`: g = h * f + noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from restoretk.cli._files import Asked, files_options
from restoretk.cli._group import say
from restoretk.cli._options import (
    boundary_option,
    encoded,
    file_of,
    named,
    noise_option,
    psf_option,
    read_psf,
    read_space,
    seed_option,
    space_option,
    spelled,
)

if TYPE_CHECKING:
    from restoretk.cli._job import Job

_BYTES_A_VALUE = 56  # at the peak of blur and noise, measured with tracemalloc on 0.25 to 1.5 million values


@click.command()
@psf_option
@noise_option
@boundary_option("symmetric")
@seed_option
@space_option
@files_options("The blurred picture: a file, a folder/ or a template such as {stem}_blurred{suffix}; - for stdout.")
def degrade(psf_spec: str, noise_spec: str | None, boundary: str, seed: int, space: str, **files: Any) -> None:
    """\b
    Examples:
      restoretk degrade photo.png --psf motion:length=15,angle=30 --noise poisson:peak=5000 -o blurred.png
      restoretk degrade stack.tif --psf gaussian:sigma=1.6 --noise poisson:peak=500 --seed 7 -o blurred.tif
      restoretk degrade photos/ --psf disk:radius=3 -o blurred/ --recursive --jobs 2

    Blur a picture and add noise, as a camera would: g = h * f + noise.

    A psf file with a first or last axis as long as the picture has channels holds one psf for each channel. The same seed
    gives the same noise. A photograph is blurred in linear light, and noise is added there; what stores a picture (quantize,
    jpeg, and all after them) happens to its code values. Transparency and metadata of the picture are kept as they are.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    from restoretk.catalogue import make_noise, make_psf
    from restoretk.cli._run import Run, run_on_files

    asked = Asked.of(files)
    # A wrong word is said before any file is read; what a file holds depends on the channels of the picture.
    psf_file = file_of(psf_spec)
    if psf_file is None:
        spelled("--psf", make_psf, psf_spec)
    if noise_spec is not None:
        spelled("--noise", make_noise, noise_spec)
    settings = {
        "psf_spec": psf_spec,
        "noise_spec": noise_spec,
        "boundary": boundary,
        "seed": seed,
        "space": space,
    }
    run = Run(
        command="degrade",
        picture=degrade_picture,
        settings=settings,
        fields={"method": "degrade", "psf": psf_spec, "seed": str(seed)},
        files={} if psf_file is None else {"psf": psf_file},
        trial=lambda: _try_options(boundary),
    )
    run_on_files(run, asked)


def _try_options(boundary: str) -> None:
    """Blur a small picture: what is wrong for all data shows here, before a batch begins."""
    import numpy as np

    from restoretk.degradation import degrade as degrade_array

    degrade_array(np.eye(24), np.ones((1, 1)), boundary=boundary)


def degrade_picture(
    job: Job, *, psf_spec: str, noise_spec: str | None, boundary: str, seed: int, space: str
) -> dict[str, Any]:
    """Degrade one picture; the record of what was done."""
    from restoretk import degradation
    from restoretk.catalogue import make_psf
    from restoretk.image_files import premultiply, unpremultiply
    from restoretk.noise import make_photograph_noise

    source = job.read()
    psf_file = file_of(psf_spec)
    job.check(source, inputs=(psf_file,), needs=source.image.size * _BYTES_A_VALUE)
    psf = spelled("--psf", make_psf, psf_spec) if psf_file is None else read_psf(psf_spec, source)
    light, axis = read_space(source, space), source.channel_axis
    noise = noise_spec and make_photograph_noise(
        noise_spec,
        encode=lambda image: light.encode(image, axis),
        decode=lambda image: light.decode(image, axis),
        channel_axis=axis,
    )
    scene = light.decode(source.image, axis)
    seen = premultiply(scene, source.alpha, axis)
    blurred = degradation.degrade(seen, psf, noise=noise or None, boundary=boundary, channel_axis=axis, rng=seed)
    blurred = unpremultiply(blurred, source.alpha, axis, hidden=scene)
    values = encoded(blurred, source, light, job.output_for(source), job.dtype)
    if light.curves or light.space == "srgb":
        say(f"blurred in {light.words}", level="choice")
    done = {"psf": psf_spec, "noise": noise_spec, "seed": seed, "boundary": boundary, **light.as_dict()}
    written = job.write(values, source, made_by={"command": "degrade", **done, "psf": named(psf_spec)})
    return {**done, "clipped": written.clipped, "lost": written.lost}
