"""`restoretk degrade`: g = h * f + noise."""

from __future__ import annotations

from pathlib import Path

import click

from restoretk.cli._options import (
    boundary_option,
    check_output,
    dtype_option,
    file_of,
    force_option,
    noise_option,
    output_option,
    photo_argument,
    psf_option,
    say_losses,
    seed_option,
    spelled,
)


@click.command()
@photo_argument
@psf_option
@noise_option
@boundary_option("symmetric")
@seed_option
@output_option("The blurred picture; its suffix says the format.")
@dtype_option
@force_option
def degrade(
    photo: Path,
    psf_spec: str,
    noise_spec: str | None,
    boundary: str,
    seed: int,
    output: Path,
    dtype: str | None,
    force: bool,
) -> None:
    """\b
    Examples:
      restoretk degrade photo.png --psf motion:length=15,angle=30 --noise gaussian:sigma=0.01 -o blurred.png
      restoretk degrade stack.tif --psf gaussian:sigma=1.6 --noise poisson:peak=500 --seed 7 -o blurred.tif

    Blur a picture and add noise, as a camera would: g = h * f + noise.

    The same seed gives the same noise. Transparency and metadata of the picture are kept as they are.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    from restoretk import degradation, image_files
    from restoretk.catalogue import make_noise, make_psf

    psf = spelled("--psf", make_psf, psf_spec)
    if noise_spec is not None:
        spelled("--noise", make_noise, noise_spec)  # a wrong word is said before any file is read
    source = image_files.read_image(photo)
    check_output(output, source, dtype, force, inputs=(file_of(psf_spec),))
    blurred = degradation.degrade(
        source.image, psf, noise=noise_spec, boundary=boundary, channel_axis=source.channel_axis, rng=seed
    )
    say_losses(image_files.write_image(output, blurred, like=source, dtype=dtype, overwrite=force))
