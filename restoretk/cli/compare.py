"""`restoretk compare`: both meanings of "deconvolution" on one picture, as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from restoretk.cli._group import say
from restoretk.cli._options import (
    file_of,
    force_option,
    noise_option,
    output_option,
    photo_argument,
    print_json,
    psf_option,
    read_space,
    say_background,
    say_unscaled,
    seed_option,
    space_option,
    spelled,
)


@click.command()
@photo_argument
@psf_option
@noise_option
@click.option("--observed", is_flag=True, help="The photograph is itself the blurred one: there is nothing to add.")
@seed_option
@space_option
@click.option("--factor", type=click.IntRange(2), default=2, show_default=True, help="The factor of the upsampling.")
@output_option("The report: one HTML file that opens without a network.", required=False)
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print the numbers of the report as JSON on stdout.")
def compare(
    photo: Path,
    psf_spec: str,
    noise_spec: str | None,
    observed: bool,
    seed: int,
    space: str,
    factor: int,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """\b
    Examples:
      restoretk compare photo.png --psf disk:radius=4 --noise poisson:peak=5000 -o report.html
      restoretk compare blurred.png --observed --psf motion:length=15,angle=30 -o report.html
      restoretk compare photo.png --psf disk:radius=4 --json

    Write a report of both meanings of deconvolution on one picture.

    The photograph is blurred, restored by every method, and made smaller and enlarged again by every kernel; beside it
    stands what the transpose of the blur does to the same picture.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    if output is None and not as_json:
        raise click.UsageError("say where the report goes (-o report.html), or --json, or both")
    if observed and noise_spec is not None:
        raise click.UsageError("--observed says that the photograph is blurred already: --noise has no meaning with it")
    from restoretk import comparison, image_files
    from restoretk.catalogue import make_noise, make_psf
    from restoretk.report import write_report

    psf = spelled("--psf", make_psf, psf_spec)
    say_background(psf, psf_spec)
    if noise_spec is not None:
        spelled("--noise", make_noise, noise_spec)
    if output is not None:
        image_files.check_output_path(output, inputs=(photo, file_of(psf_spec)), overwrite=force)
        if output.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"the report is HTML: name it {output.with_suffix('.html').name}, not {output.name}")
    source = image_files.read_image(photo)
    say_unscaled(source)
    if source.alpha is not None and (source.alpha < 1).any():
        say(f"{photo}: the transparency of the photograph is left out of the report")
    result = comparison.compare(
        source.image,
        psf,
        noise=noise_spec,
        observed=observed,
        channel_axis=source.channel_axis,
        seed=seed,
        factor=factor,
        title=photo.name,
        psf_name=psf_spec,
        working_space=read_space(source, space),
    )
    if output is not None:
        write_report(result, output)
    if as_json:
        print_json(result.as_dict())
