"""`restoretk kernel check`: whether a kernel ripples, what that costs, and the kernel repaired."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoretk.cli._group import Failure, say
from restoretk.cli._options import force_option, print_json, spelled

if TYPE_CHECKING:
    from restoretk.kernel_files import Layer
    from restoretk.upsampling.checkerboard import KernelInspection
    from restoretk.upsampling.layer_inspection import LayerInspection

_RIPPLES = 3  # not 1 (a file that cannot be read) nor 2 (usage): a pipeline can tell them apart


@click.command()
@click.argument("kernel", metavar="KERNEL")
@click.option("--stride", metavar="N[,N]", help="Step of the copies. Default: what the .onnx file says; 2 for a name.")
@click.option(
    "--padding", metavar="N[,N]", help="Pixels cut off before the output begins. Default: the file's, or half-pixel."
)
@click.option("--groups", type=click.IntRange(min=1), help="Groups of the layer. Default: what the file says, else 1.")
@click.option("--layer", metavar="NAME", help="Which layer of the file.")
@click.option("--list", "listed", is_flag=True, help="Only list the layers of the file.")
@click.option(
    "--tolerance", type=click.FloatRange(min=0), default=0.1, show_default=True, help="Ripple in per cent to let pass."
)
@click.option(
    "--repair", "output", type=click.Path(path_type=Path), help="Write the kernel with equal phase sums here."
)
@click.option(
    "--rule",
    type=click.Choice(["scale", "project"]),
    default="scale",
    show_default=True,
    help="Repair by scaling the taps of each phase, or by the smallest change.",
)
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON on stdout.")
def check(
    kernel: str,
    stride: str | None,
    padding: str | None,
    groups: int | None,
    layer: str | None,
    listed: bool,
    tolerance: float,
    output: Path | None,
    rule: str,
    force: bool,
    as_json: bool,
) -> None:
    """\b
    Examples:
      restoretk kernel check bicubic:a=-0.75 --stride 3
      restoretk kernel check "1 2 3 4" --stride 2
      restoretk kernel check model.onnx --layer up1 --repair flat.onnx --rule project
      restoretk kernel check weights.safetensors --layer up.weight --stride 2

    Whether a kernel draws a checkerboard when it upsamples, what that costs on pictures, what it keeps straight and
    where it moves things. Nothing is guessed from how many taps overlap: what counts is their sums.

    KERNEL is a name as `upsample --kernel` takes it, taps ("1 2 1; 2 4 2; 1 2 1"), or a .npy, .onnx, .safetensors or
    .pt file. All transposed convolutions of an .onnx file are checked unless --layer names one.

    \b
    Exit code: 0 if every kernel is clean (with --repair: if the repair was written), 3 if one ripples by more than
    --tolerance, 1 for files and data that cannot be used, 2 for wrong usage.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    steps, heads = _whole(stride, "--stride", 1), _whole(padding, "--padding", 0)
    if listed:
        from restoretk.kernel_files import list_layers

        _list(list_layers(kernel), as_json)
        return
    layers = _layers(kernel, steps, layer)
    if output is not None and len(layers) > 1:
        raise click.UsageError(f"--repair needs --layer: {kernel} has {len(layers)} layers")
    if output is not None:
        from restoretk.kernel_files import check_layer_output

        check_layer_output(output, layers[0], overwrite=force)
    inspections = [_inspect(one, steps, heads, groups, tolerance) for one in layers]
    if as_json:
        records = [
            {"name": one.name or kernel, "verdict": _verdict(found), **found.as_dict()}
            for one, found in zip(layers, inspections, strict=True)
        ]
        print_json({"kernel": kernel, "clean": all(found.clean for found in inspections), "checked": records})
    else:
        click.echo("\n\n".join(_text(one, found) for one, found in zip(layers, inspections, strict=True)))
    if output is not None:
        repaired = _repair(layers[0], inspections[0], output, rule, force)
        after = _inspect(repaired, steps, heads, groups, tolerance)
        say(f"{output}: ripple {_largest(inspections[0]):.3g} % before, {_largest(after):.2g} % now")
    elif not all(found.clean for found in inspections):
        raise click.exceptions.Exit(_RIPPLES)


def _layers(kernel: str, steps: int | tuple[int, ...] | None, layer: str | None) -> list[Layer]:
    """What KERNEL stands for; a name and taps are a layer without channels."""
    import numpy as np

    from restoretk.kernel_files import SUFFIXES, Layer, list_layers, read_layer

    if Path(kernel).suffix.lower() in SUFFIXES or Path(kernel).is_file():
        every = layer is None and Path(kernel).suffix.lower() == ".onnx"
        return list_layers(kernel) if every else [read_layer(kernel, layer)]
    if layer is not None:
        raise click.UsageError(f"--layer is for files, and {kernel!r} is none")
    if kernel.lstrip()[:1] in set("0123456789+-."):
        return [Layer(name="", weights=np.array(_rows(kernel)), path=Path(kernel))]
    from restoretk.catalogue import make_kernel

    factor = 2 if steps is None else steps
    if not isinstance(factor, int):
        raise click.BadParameter(f"a named kernel has one stride for all axes, got {factor}", param_hint="--stride")
    taps = spelled("KERNEL", lambda spec: make_kernel(spec)(factor), kernel)
    if not isinstance(taps, np.ndarray):  # a bank, which sums to 1 in every phase however it was made
        raise click.BadParameter(
            f"{kernel!r} is a bank of kernels that are made to keep constants: check takes one kernel",
            param_hint="KERNEL",
        )
    return [Layer(name=kernel, weights=taps, path=Path(kernel), stride=(factor,) * taps.ndim)]


def _inspect(
    layer: Layer,
    steps: int | tuple[int, ...] | None,
    heads: int | tuple[int, ...] | None,
    groups: int | None,
    tolerance: float,
) -> KernelInspection | LayerInspection:
    from restoretk.upsampling.checkerboard import inspect_kernel
    from restoretk.upsampling.layer_inspection import inspect_layer

    stride = steps if steps is not None else layer.stride
    if stride is None:
        raise click.UsageError("--stride is needed: taps and this kind of file do not say it")
    options: dict[str, Any] = {
        "padding": heads if heads is not None else layer.padding,
        "dilation": layer.dilation or 1,
        "tolerance_percent": tolerance,
    }
    try:
        if (layer.name and layer.weights.ndim > 2) or layer.weights.ndim > 3:
            return inspect_layer(layer.weights, stride, groups=groups or layer.groups or 1, **options)
        return inspect_kernel(layer.weights, stride, **options)
    except (ValueError, TypeError) as error:
        raise Failure(f"{layer.name or layer.path}: {error}") from error


def _text(layer: Layer, found: KernelInspection | LayerInspection) -> str:
    from restoretk.upsampling.checkerboard import KernelInspection
    from restoretk.upsampling.kernel_findings import format_kernel_inspection, format_layer_inspection

    text = format_kernel_inspection(found) if isinstance(found, KernelInspection) else format_layer_inspection(found)
    return f"{layer.name or layer.path}\n{text}"


def _repair(layer: Layer, found: KernelInspection | LayerInspection, output: Path, rule: str, force: bool) -> Layer:
    """Write the repaired kernel and say what was changed."""
    import numpy as np

    from restoretk.kernel_files import write_layer
    from restoretk.upsampling.kernel_repair import repair_kernel

    ndim, old = len(found.stride), layer.weights
    new = repair_kernel(old, found.stride, rule=rule, spatial_ndim=ndim, dilation=layer.dilation or 1)
    write_layer(output, layer, new, overwrite=force)
    moved = np.abs(new.astype(np.float64) - old)
    kernels = moved.reshape(-1, *old.shape[old.ndim - ndim :])
    changed = int(kernels.any(axis=tuple(range(1, ndim + 1))).sum())
    many = f"{changed} of {len(kernels)} kernels changed, " if old.ndim > ndim else ""
    say(f"{output}: {many}taps moved by up to {100 * float(moved.max() / np.abs(old).max()):.3g} % of the largest")
    return replace(layer, weights=new)


def _largest(found: KernelInspection | LayerInspection) -> float:
    """The ripple in per cent, of the worst output channel of a layer."""
    import numpy as np

    return float(np.max(found.ripple_percent))


def _verdict(found: KernelInspection | LayerInspection) -> str:
    from restoretk.upsampling.checkerboard import KernelInspection
    from restoretk.upsampling.kernel_findings import kernel_verdict, layer_verdict

    return kernel_verdict(found) if isinstance(found, KernelInspection) else layer_verdict(found)


def _list(layers: list[Layer], as_json: bool) -> None:
    if as_json:
        print_json({"layers": [{"name": one.name, "shape": one.weights.shape, "stride": one.stride} for one in layers]})
    else:
        click.echo("\n".join(one.summary for one in layers))
        if any(one.stride is None for one in layers):
            say(
                "the file does not say which of these are transposed: a plain convolution has its output channels first"
            )


def _rows(text: str) -> list[list[float]] | list[float]:
    """The numbers in ``1 2 1`` or, row by row, in ``1 2; 3 4``."""
    rows = [row.replace(",", " ").split() for row in text.strip().strip(";").split(";")]
    if len({len(row) for row in rows}) > 1:
        lengths = ", ".join(str(len(row)) for row in rows)
        raise click.BadParameter(f"rows must have the same number of taps, got {lengths}", param_hint="KERNEL")
    try:
        numbers = [[float(word) for word in row] for row in rows]
    except ValueError as error:
        raise click.BadParameter(f"{error} (taps are spelled '1 2; 3 4')", param_hint="KERNEL") from error
    return numbers[0] if len(numbers) == 1 else numbers


def _whole(text: str | None, option: str, least: int) -> int | tuple[int, ...] | None:
    """The whole number, or one for each axis, in ``2`` or ``2,1``."""
    if text is None:
        return None
    try:
        numbers = tuple(int(word) for word in text.split(","))
    except ValueError as error:
        message = f"must be a whole number, or one for each axis with commas, got {text!r}"
        raise click.BadParameter(message, param_hint=option) from error
    if min(numbers) < least:
        raise click.BadParameter(f"must be at least {least}, got {text!r}", param_hint=option)
    return numbers[0] if len(numbers) == 1 else numbers
