"""`restoretk kernel fit`: a kernel, or a bank of kernels, that undoes a decimation of one's own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoretk.cli._group import say
from restoretk.cli._options import file_of, force_option, output_option, print_json, spelled

if TYPE_CHECKING:
    from restoretk._arrays import Array


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGES...")
@click.option("--factor", type=click.IntRange(min=2), default=2, show_default=True, help="How many times larger.")
@click.option("--size", type=click.IntRange(3, 15), default=7, show_default=True, help="Pixels about each, odd.")
@click.option("--rank", type=click.IntRange(min=1), help="1: the best separable kernel. By default any kernel.")
@click.option("--bank", is_flag=True, help="Fit a bank: a kernel for each kind of pixel (.npz).")
@click.option("--blur", metavar="NAME:KEY=VALUE,...", help="The blur of the camera. By default bicubic decimation.")
@click.option("--bits", type=click.IntRange(1, 16), help="Bits of the small pictures. By default they are exact.")
@output_option("The kernel: .npy, or .onnx for a model that onnxruntime runs; .npz for a bank.")
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures of the fit as JSON on stdout.")
def fit(
    pictures: tuple[Path, ...],
    factor: int,
    size: int,
    rank: int | None,
    bank: bool,
    blur: str | None,
    bits: int | None,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """\b
    Examples:
      restoretk kernel fit *.png --factor 2 -o mine.npy
      restoretk kernel fit *.tif --factor 3 --bank -o mine.npz
      restoretk kernel fit *.png --factor 2 --rank 1 --blur box:size=2 -o mine.onnx

    Fit a kernel to sharp pictures: each is decimated, and the kernel is the one that comes closest to undoing that, in
    closed form. Then: restoretk upsample --kernel mine.npy.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    suffixes = (".npz",) if bank else (".npy", ".onnx")
    if output.suffix.lower() not in suffixes:
        raise click.BadParameter(f"must end in {' or '.join(suffixes)}, got {output}", param_hint="-o")
    if bank and rank is not None:
        raise click.UsageError("--rank is for one kernel, and --bank fits many")
    from restoretk import image_files
    from restoretk.catalogue import make_psf

    psf = None if blur is None else spelled("--blur", make_psf, blur)
    image_files.check_output_path(output, inputs=(*pictures, file_of(blur or "")), overwrite=force)
    if output.suffix.lower() == ".npy":  # what is known of the fit is written beside the kernel
        image_files.check_output_path(output.with_suffix(".json"), inputs=pictures, overwrite=force)
    images = [_channels_last(path) for path in pictures]
    options: dict[str, Any] = {"size": size, "blur": psf, "bits": bits}
    about = {"pictures": [path.name for path in pictures], "factor": factor, "size": size, "blur": blur, "bits": bits}
    figures = _fit_bank(images, output, about, options) if bank else _fit_one(images, output, about, options, rank)
    if as_json:
        print_json({**about, **figures, "output": output})
    say(f"{output}: " + ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items()))


def _channels_last(path: Path) -> Array:
    import numpy as np

    from restoretk.image_files import read_image

    source = read_image(path)
    return source.image if source.channel_axis is None else np.moveaxis(source.image, source.channel_axis, -1)


def _fit_one(
    images: list[Array], output: Path, about: dict[str, Any], options: dict[str, Any], rank: int | None
) -> dict[str, float]:
    from restoretk.upsampling import kernel_fit, save_kernel

    found = kernel_fit(images, about["factor"], rank=rank, **options)
    figures = {"pixels": found.pixels, "condition": found.condition, "error": found.error}
    if output.suffix.lower() == ".onnx":
        from restoretk.kernel_files import export_onnx

        export_onnx(output, found.kernel, about["factor"], overwrite=True)
    else:
        save_kernel(output, found.kernel, provenance={**about, "rank": rank, **figures})
    return figures


def _fit_bank(images: list[Array], output: Path, about: dict[str, Any], options: dict[str, Any]) -> dict[str, float]:
    from restoretk.upsampling import fit_kernel_bank, save_kernel

    found = fit_kernel_bank(images, about["factor"], provenance=about, **options)
    save_kernel(output, found)
    return {"kernels": found.kernels}
