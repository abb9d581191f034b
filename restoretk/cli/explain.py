"""``restoretk explain``: transposed convolution as a matrix, in numbers small enough to check by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from restoretk.cli._group import Failure
from restoretk.cli._options import force_option, output_option, print_json

if TYPE_CHECKING:
    from restoretk.upsampling import ConvTransposeDescription, TransposeExplanation

_SIZE = re.compile(r"\d+(x\d+){0,2}")


@click.command(short_help="Show transposed convolution as a matrix, and why it is not an inverse; find sizes.")
@click.option("--patch", metavar="ROWS", help="The input D: numbers, rows apart by ';'. Default: the 4x4 example.")
@click.option(
    "--mask", metavar="ROWS", help="The kernel, not flipped, in the same spelling. Default: that of the example."
)
@click.option(
    "--input",
    "shape",
    metavar="NxN|ROWS",
    help="A layer on its own: the size of its input (64x48), or its numbers ('1 10 100').",
)
@click.option("--kernel", metavar="NxN", help="With --input: the size of the kernel instead of its numbers.")
@click.option(
    "--stride", default="1", show_default=True, metavar="N[,N]", help="Step of the convolution, rows,columns."
)
@click.option(
    "--padding", default="0", show_default=True, metavar="N[,N]", help="Zeros around the patch, rows,columns."
)
@click.option("--output-padding", metavar="N[,N]", help="Further pixels at the high end (with --input).")
@click.option("--dilation", default="1", show_default=True, metavar="N[,N]", help="Distance of the taps.")
@click.option("--solve", metavar="N[xN]:N[xN]", help="All layers that take one size to another: 64:128, 64x48:128x96.")
@click.option("--kernels", default="1:11", show_default=True, metavar="N:N", help="The kernel sizes for --solve.")
@click.option("--all", "everything", is_flag=True, help="With --solve: also what is shifted by a pixel or more.")
@output_option("Write the explanation as one HTML file instead.", required=False)
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON.")
def explain(
    patch: str | None,
    mask: str | None,
    shape: str | None,
    kernel: str | None,
    stride: str,
    padding: str,
    output_padding: str | None,
    dilation: str,
    solve: str | None,
    kernels: str,
    everything: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Examples:

    \b
      restoretk explain
      restoretk explain -o explained.html
      restoretk explain --stride 2 --padding 1
      restoretk explain --patch "1 2 3 4; 5 6 7 8; 9 8 7 6" --mask "1 0; 2 1"
      restoretk explain --input 64x64 --kernel 3x3 --stride 2 --padding 1 --output-padding 1
      restoretk explain --input "1 10 100" --mask "1 2 3" --stride 2
      restoretk explain --solve 64:128
      restoretk explain --json > example.json

    Write the convolution of a small patch D as one matrix C, so that DᵀC is the convolution and E Cᵀ the transposed
    convolution that deep learning calls deconvolution, and show in the numbers why Cᵀ is not the inverse of C.

    With --input, describe a transposed convolution as a layer: its size, matrix, overlap, the convolution that does
    the same, and the call in PyTorch, Keras, ONNX and JAX. With --solve, list every layer that takes one size to another.
    """  # noqa: D301  # \b is click's mark for lines to leave alone
    if solve is not None:
        given = [
            name
            for name, value in (("--patch", patch), ("--mask", mask), ("--input", shape), ("--kernel", kernel))
            if value is not None
        ]
        usual = (("--stride", stride, "1"), ("--padding", padding, "0"))
        given += [name for name, value, default in usual if value != default]
        if given or output is not None:
            raise click.UsageError(
                f"--solve looks for kernels and sizes itself: leave out {(given or ['--output'])[0]}"
            )
        _print_solutions(solve, kernels, _whole(dilation, "--dilation"), everything, as_json)
        return
    if everything:
        raise click.UsageError("--all belongs to --solve")
    layer_only = {"--kernel": kernel, "--output-padding": output_padding}
    for name, value in layer_only.items():
        if shape is None and value is not None:
            raise click.UsageError(f"{name} describes a layer on its own: give its input too (--input 64x64)")
    if shape is not None and patch is not None:
        raise click.UsageError("--patch is the output side of a layer and --input its input: give one of them")
    if shape is not None and (mask is None) == (kernel is None):
        raise click.UsageError(
            "--input needs a kernel: its size (--kernel 4x4) or its numbers (--mask), one of the two"
        )
    if output is not None:
        _check_page(output, force)
    options = {
        "stride": _whole(stride, "--stride"),
        "padding": _whole(padding, "--padding"),
        "dilation": _whole(dilation, "--dilation"),
    }
    try:
        record: TransposeExplanation | ConvTransposeDescription
        if shape is None:
            record = _patch(patch, mask, options)
        else:
            options["output_padding"] = _whole(output_padding or "0", "--output-padding")
            record = _layer(shape, mask, kernel, options)
    except (ValueError, TypeError) as error:
        raise Failure(error, exit_code=2) from error  # all its numbers come from options
    if output is not None:
        from restoretk.report import write_explanation

        write_explanation(record, output)
    if as_json:
        print_json(record.as_dict())
    elif output is None:
        click.echo(_text(record))


def _patch(patch: str | None, mask: str | None, options: dict[str, int | tuple[int, ...]]) -> TransposeExplanation:
    """The convolution of a patch and its transpose."""
    from restoretk.upsampling.explain import EXAMPLE_MASK, EXAMPLE_PATCH, explain_transposed_convolution

    return explain_transposed_convolution(
        EXAMPLE_PATCH if patch is None else _rows(patch, "--patch"),
        EXAMPLE_MASK if mask is None else _rows(mask, "--mask"),
        **options,
    )


def _layer(
    shape: str, mask: str | None, kernel: str | None, options: dict[str, int | tuple[int, ...]]
) -> ConvTransposeDescription:
    """A transposed convolution on its own; numbers on one line are one axis."""
    from restoretk.upsampling.description import describe_conv_transpose

    if _SIZE.fullmatch(shape.strip()):
        sizes, image = _size(shape, "--input"), None
    else:
        rows = _rows(shape, "--input")
        sizes, image = None, rows[0] if len(rows) == 1 else rows
    ndim = len(sizes) if sizes is not None else 2 if len(_rows(shape, "--input")) > 1 else 1
    taps = None if mask is None else _rows(mask, "--mask")
    extent = None if kernel is None else _size(kernel, "--kernel")
    if extent is not None and len(extent) == 1:
        extent *= ndim
    return describe_conv_transpose(
        sizes, taps[0] if taps is not None and ndim == 1 else taps, kernel_shape=extent, image=image, **options
    )


def _text(record: TransposeExplanation | ConvTransposeDescription) -> str:
    from restoretk.upsampling import TransposeExplanation, format_description, format_explanation

    return format_explanation(record) if isinstance(record, TransposeExplanation) else format_description(record)


def _check_page(output: Path, force: bool) -> None:
    """Refuse, before the work, a page that could not be written."""
    from restoretk.image_files import check_output_path

    check_output_path(output, overwrite=force)
    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"the explanation is HTML: name it {output.with_suffix('.html').name}, not {output.name}")


def _print_solutions(
    solve: str, kernels: str, dilation: int | tuple[int, ...], everything: bool, as_json: bool
) -> None:
    from restoretk.upsampling import format_solutions, solve_sizes

    ends = solve.split(":")
    if len(ends) != 2:
        message = f"must be two sizes with a colon, such as 64:128 or 64x48:128x96, got {solve!r}"
        raise click.BadParameter(message, param_hint="--solve")
    bounds = re.fullmatch(r"(\d+)(?::(\d+))?", kernels.strip())
    if bounds is None:
        message = f"must be one size, or the smallest and the largest with a colon, got {kernels!r}"
        raise click.BadParameter(message, param_hint="--kernels")
    if not isinstance(dilation, int):
        raise click.BadParameter("must be one number with --solve", param_hint="--dilation")
    first, last = int(bounds[1]), int(bounds[2] or bounds[1])
    try:
        found = solve_sizes(
            _size(ends[0], "--solve"),
            _size(ends[1], "--solve"),
            kernel_sizes=range(first, min(last, 65) + 1),  # 65 is refused there, as is anything above it
            dilation=dilation,
        )
    except (ValueError, TypeError) as error:
        raise Failure(error, exit_code=2) from error  # all its numbers come from options
    if as_json:
        print_json(found.as_dict())
    elif found.unreachable is not None:
        raise click.ClickException(found.unreachable)
    else:
        click.echo(format_solutions(found, everything=everything))


def _size(text: str, option: str) -> tuple[int, ...]:
    """The sizes in ``64`` or ``64x48``."""
    if not _SIZE.fullmatch(text.strip()):
        message = f"must be a size, such as 64 or 64x48 (rows x columns), got {text!r}"
        raise click.BadParameter(message, param_hint=option)
    return tuple(int(size) for size in text.strip().split("x"))


def _rows(text: str, option: str) -> list[list[int]] | list[list[float]]:
    """The rows of numbers in ``1 2; 3 4``: integers if all are."""
    rows = [row.replace(",", " ").split() for row in text.strip().strip(";").split(";")]
    if not any(rows):
        raise click.BadParameter("must hold numbers, got none (write rows as '1 2; 3 4')", param_hint=option)
    if len({len(row) for row in rows}) > 1:
        lengths = ", ".join(str(len(row)) for row in rows)
        raise click.BadParameter(f"rows must have the same number of numbers, got {lengths}", param_hint=option)
    try:
        return [[int(word) for word in row] for row in rows]
    except ValueError:
        pass  # not all integers: they may still be numbers
    try:
        return [[float(word) for word in row] for row in rows]
    except ValueError as error:
        raise click.BadParameter(f"{error} (write rows as '1 2; 3 4')", param_hint=option) from error


def _whole(text: str, option: str) -> int | tuple[int, ...]:
    """The whole number, or one for each axis, in ``2`` or ``2,1``."""
    try:
        numbers = tuple(int(word) for word in text.split(","))
    except ValueError as error:
        message = f"must be a whole number or two with a comma, got {text!r}"
        raise click.BadParameter(message, param_hint=option) from error
    return numbers[0] if len(numbers) == 1 else numbers
