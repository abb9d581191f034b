"""What became of the files: lines for a person, records for a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from restoretk._version import __version__
from restoretk.batch import Outcome
from restoretk.cli._files import Asked
from restoretk.cli._group import debugging, printable, say
from restoretk.cli._options import plain, print_json
from restoretk.cli._recipe import options_of_pixels

if TYPE_CHECKING:
    from restoretk.cli._run import Run

SCHEMA_VERSION = 1


def say_outcome(outcome: Outcome, run: Run, asked: Asked) -> None:
    """One file of a batch: its lines with its name before them, and its record where JSON was asked for."""
    name = printable(str(outcome.task.source))
    if outcome.status == "failed":
        error = printable(outcome.error)
        if outcome.trace and debugging(click.get_current_context()):
            click.echo(outcome.trace, err=True)
        click.echo(f"restoretk: error: {error if name in error else f'{name}: {error}'}", err=True)
    if asked.as_json:
        print_json(record_of(outcome, run))
        return
    lines = list(outcome.result.get("messages", ()))
    if outcome.status != "failed":
        took = f", {outcome.seconds:.2f} s" if outcome.status == "done" else ""
        lines.append(("detail", f"{name}: {outcome.status}{took}"))
    named = [(level, line if name in line else f"{name}: {line}") for level, line in lines]
    say_lines(named, asked, but=() if asked.verbose else ("choice",))


def say_lines(lines: list[tuple[str, str]], asked: Asked, *, but: tuple[str, ...] = ()) -> None:
    """Lines of some levels, as far as they were asked for."""
    if asked.quiet:
        return
    for level, line in lines:
        if level not in but and (asked.verbose or level != "detail"):
            say(line)


def record_of(outcome: Outcome, run: Run) -> dict[str, Any]:
    """One file as an object of JSON."""
    said = [line for level, line in outcome.result.get("messages", ()) if level not in ("detail", "choice")]
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "command": run.command,
        "status": outcome.status,
        "input": str(outcome.task.source),
        "output": str(outcome.task.output),
        **outcome.result.get("record", {}),
    }
    if outcome.error:
        record["error"] = outcome.error
    return {**record, "messages": said} if said else record


def write_report(outcomes: list[Outcome], run: Run, asked: Asked) -> None:
    """The file of --report: every record and the counts."""
    if asked.report is None:
        return
    from restoretk.image_files import write_bytes

    counts = {status: sum(each.status == status for each in outcomes) for status in ("done", "failed", "skipped")}
    report = {
        "schema_version": SCHEMA_VERSION,
        "restoretk": __version__,
        "command": run.command,
        "options": options_of_pixels(click.get_current_context()),
        "summary": counts,
        "files": [record_of(outcome, run) for outcome in outcomes],
    }
    write_bytes(asked.report, json.dumps(plain(report), indent=2, allow_nan=False).encode() + b"\n")
