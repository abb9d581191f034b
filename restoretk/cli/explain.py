"""``restoretk explain``: transposed convolution as a matrix, in numbers small enough to check by hand."""

from __future__ import annotations

import click

from restoretk.cli._options import print_json


@click.command(short_help="Show transposed convolution as a matrix, and why it is not an inverse.")
@click.option("--patch", metavar="ROWS", help="The input D: numbers, rows apart by ';'. Default: the 4x4 example.")
@click.option(
    "--mask", metavar="ROWS", help="The kernel, not flipped, in the same spelling. Default: that of the example."
)
@click.option(
    "--stride", default="1", show_default=True, metavar="N[,N]", help="Step of the convolution, rows,columns."
)
@click.option(
    "--padding", default="0", show_default=True, metavar="N[,N]", help="Zeros around the patch, rows,columns."
)
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON.")
def explain(patch: str | None, mask: str | None, stride: str, padding: str, as_json: bool) -> None:
    """Examples:

    \b
      restoretk explain
      restoretk explain --stride 2 --padding 1
      restoretk explain --patch "1 2 3 4; 5 6 7 8; 9 8 7 6" --mask "1 0; 2 1"
      restoretk explain --json > example.json

    Write the convolution of a small patch D as one matrix C, so that DᵀC is the convolution and E Cᵀ the transposed
    convolution that deep learning calls deconvolution, and show in the numbers why Cᵀ is not the inverse of C.
    """  # noqa: D301  # \b is click's mark for lines to leave alone
    from restoretk.upsampling.explain import (
        EXAMPLE_MASK,
        EXAMPLE_PATCH,
        explain_transposed_convolution,
        format_explanation,
    )

    try:
        record = explain_transposed_convolution(
            EXAMPLE_PATCH if patch is None else _rows(patch, "--patch"),
            EXAMPLE_MASK if mask is None else _rows(mask, "--mask"),
            stride=_whole(stride, "--stride"),
            padding=_whole(padding, "--padding"),
        )
    except (ValueError, TypeError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        print_json(record.as_dict())
    else:
        click.echo(format_explanation(record))


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
