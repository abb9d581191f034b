"""`restoretk deblur-large`: a picture larger than memory, exactly."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import click

from restoretk.cli._files import Amount
from restoretk.cli._group import debug_option, say
from restoretk.cli._options import (
    boundary_option,
    file_of,
    force_option,
    output_option,
    print_json,
    psf_option,
    say_background,
    space_option,
    spelled,
)

_ZARR_IN_AND_OUT = "--scheduler is for a Zarr in and a Zarr out, which all workers can reach"


@click.command(name="deblur-large")
@click.argument("picture", type=click.Path(path_type=Path, readable=False))
@psf_option
@click.option(
    "--method",
    "method_spec",
    default="wiener",
    show_default=True,
    metavar="NAME:KEY=VALUE,...",
    help="The method, such as wiener:noise_to_signal=0.01 or richardson_lucy:iterations=20, which needs the more memory the "
    "more steps it takes; a rule such as gcv reads the picture once more.",
)
@boundary_option(None, "What lies beyond the edge; by default unknown.")
@click.option("--mask", metavar="nan", help="With richardson_lucy: leave out pixels that are not finite.")
@output_option("The restored picture: .tif, .tiff, .btf, .zarr or .npy.")
@click.option(
    "--memory",
    type=Amount(of_bytes=True),
    default="300M",
    show_default=True,
    metavar="AMOUNT",
    help="What the program may take in all.",
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to put the scratch file, as large as a plane in float32; by default beside the output.",
)
@space_option
@click.option("-j", "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Threads at work.")
@click.option("--resume", is_flag=True, help="Go on with the same work where it was cut off.")
@click.option(
    "--scheduler", metavar="tcp://HOST:PORT", help="Do it on the workers of a Dask cluster: Zarr in, Zarr out."
)
@force_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON on stdout.")
@debug_option
def deblur_large(
    picture: Path,
    psf_spec: str,
    method_spec: str,
    boundary: str | None,
    mask: str | None,
    space: str,
    output: Path,
    memory: int,
    scratch: Path | None,
    jobs: int,
    resume: bool,
    scheduler: str | None,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """\b
    Examples:
      restoretk deblur-large scan.tif --psf disk:radius=4 --method wiener:noise_to_signal=0.01 -o sharp.tif
      restoretk deblur-large survey.zarr --psf psf.npy -o sharp.zarr --memory 2G --scratch /fast
      restoretk deblur-large survey.zarr --psf psf.npy -o sharp.zarr --resume
      restoretk deblur-large sky.npy --psf psf.npy --method richardson_lucy:iterations=30 --mask nan -o sharp.npy
      restoretk deblur-large survey.zarr --psf psf.npy -o sharp.zarr --scheduler tcp://10.0.0.5:8786

    Restore a picture that does not fit in memory: what it would become in memory, without tiles or seams.

    TIFF and BigTIFF, Zarr and OME-Zarr, .npy; the boundaries unknown, wrap, reflect, symmetric, edge and constant, all rules;
    no weights, and no mask but nan with richardson_lucy. Photographs are decoded to linear light as deblur does it, by the
    profile of a TIFF. Work that was cut off is in a folder beside the output, and --resume goes on with it.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    import scipy.fft

    from restoretk.blockwise import restore_file
    from restoretk.blockwise.files import unfinished_work
    from restoretk.catalogue import make_method, make_psf

    name, options = spelled("--method", make_method, method_spec)
    psf = spelled("--psf", make_psf, psf_spec)
    if not quiet:
        say_background(psf, psf_spec)
    for key, value in (("boundary", boundary), ("mask", mask)):
        if value is not None:
            if key in options:
                raise click.UsageError(f"--{key} {value} and --method {method_spec} both say the {key}: give it once")
            options[key] = value
    if (psf_file := file_of(psf_spec)) is not None and output.exists() and output.samefile(psf_file):
        raise FileExistsError(f"the output {output} is the same file as the PSF {psf_file}: give it another name")
    show = _Percent(wanted=not quiet)
    try:
        if scheduler is not None:
            _refuse_on_cluster("memory", "scratch", "jobs", "resume", "space")
            found = _on_cluster(scheduler, picture, psf, output, name, options, overwrite=force)
        else:
            with scipy.fft.set_workers(jobs):
                found = restore_file(
                    picture,
                    psf,
                    output,
                    name,
                    memory=memory,
                    scratch=scratch,
                    resume=resume,
                    overwrite=force,
                    progress=show,
                    space=space,
                    **options,
                )
    except BaseException:
        show.clear()
        if not quiet and (begun := unfinished_work(output)) is not None:
            say(f"what is done is kept in {begun}: --resume goes on with it")
        raise
    show.clear()
    if not quiet:
        _tell(found, picture)
    if as_json:
        psf_name = psf_spec if file_of(psf_spec) is None else Path(psf_spec).name
        print_json({"input": picture.name, "output": output.name, "psf": psf_name, **found})


def _on_cluster(
    scheduler: str, picture: Path, psf: Any, output: Path, method: str, options: dict[str, Any], *, overwrite: bool
) -> dict[str, Any]:
    from restoretk.blockwise import restore_zarr_on_cluster

    if not picture.exists():
        raise FileNotFoundError(f"{picture}: No such file or directory")
    if output.suffix.lower() != ".zarr" or not picture.is_dir():
        raise click.UsageError(_ZARR_IN_AND_OUT)
    return restore_zarr_on_cluster(scheduler, picture, psf, output, method, overwrite=overwrite, **options)


def _refuse_on_cluster(*parameters: str) -> None:
    """A usage error for options that a cluster would not heed."""
    context = click.get_current_context()
    given = [
        f"--{name}"
        for name in parameters
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"{' and '.join(given)} cannot be had with --scheduler")


def _tell(found: dict[str, Any], picture: Path) -> None:
    chosen = [
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in found["parameters"].items()
        if key in ("noise_to_signal", "regularization", "operator", "cutoff", "chosen_by", "level", "iterations")
    ]
    say(f"{found['method']}: {', '.join(chosen)}, boundary={found['boundary']}")
    if "halo" in found:
        rows, columns = found["halo"]
        say(f"in blocks that overlap by {rows} rows and {columns} columns, all that {found['method']} reaches: no seam")
    if "space" in found:
        say(f"restored in {found['space']}")
    if found.get("clipped"):
        say(f"{found['clipped']} of {math.prod(found['shape'])} values lay outside [0, 1] and were clipped")
    for warning in found["warnings"]:
        say(f"warning: {warning}")
    if found["left_behind"]:
        say(f"warning: {picture}: not carried over: {', '.join(found['left_behind'])}")


class _Percent:
    """How far the work is, on a terminal and nowhere else."""

    def __init__(self, *, wanted: bool) -> None:
        self._on = wanted and sys.stderr is not None and sys.stderr.isatty()
        self._shown = -1

    def __call__(self, share: float) -> None:
        percent = int(100 * share)
        if self._on and percent != self._shown:
            sys.stderr.write(f"\r{percent:3d} %")
            sys.stderr.flush()
            self._shown = percent

    def clear(self) -> None:
        """Take the line away."""
        if self._on and self._shown >= 0:
            sys.stderr.write("\r     \r")
            sys.stderr.flush()
