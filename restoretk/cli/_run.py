"""From the options of a command to its files: one in this process, several as a batch."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from restoretk._grammar import OptionError
from restoretk._version import __version__
from restoretk.batch import (
    Outcome,
    OutputNames,
    Plan,
    PlanError,
    Task,
    digest_of,
    find_inputs,
    is_folder,
    make_plan,
    run_batch,
)
from restoretk.cli._files import FORMAT_SUFFIXES, Asked, FileOptions
from restoretk.cli._group import Failure, failure_of, listening, printable, say, show_warning
from restoretk.cli._job import STREAM, Job
from restoretk.cli._options import plain, print_json
from restoretk.cli._outcomes import SCHEMA_VERSION, record_of, say_lines, say_outcome, write_report
from restoretk.cli._progress import Progress
from restoretk.cli._recipe import check_files_of_recipe, options_of_pixels, write_recipe

#: What a command does with one picture: a function at the top of a module, with keyword arguments that can be sent.
OnePicture = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One call of a command.

    Attributes
    ----------
    command : str
        Its name.
    picture : callable
        (job, **settings) -> record of what was chosen.
    settings : mapping
        The arguments of ``picture``.
    fields : mapping
        Fields of an output template beside those of the input, such as the method.
    files : mapping of str to Path
        Files that options name, by option: never replaced, and what they hold counts in a recipe and a manifest.
    trial : callable
        Tries the options on something small; raises OptionError where they are wrong for all data.
    """

    command: str
    picture: OnePicture
    settings: Mapping[str, Any]
    fields: Mapping[str, str]
    files: Mapping[str, Path]
    trial: Callable[[], None]


def run_on_files(run: Run, asked: Asked) -> None:
    """Do it; the exit code is 0, or 1 for a single picture that failed, or 3 for a batch in which one did."""
    from restoretk.image_files import SUFFIXES

    check_files_of_recipe(click.get_current_context())
    several = len(asked.photos) > 1 or any(map(is_folder, asked.photos))
    streams = STREAM in asked.photos or asked.output == "-"
    if streams:
        _check_streams(asked, several)
    suffix = FORMAT_SUFFIXES[asked.format] if asked.format else ""
    names = OutputNames(text=asked.output, suffix=suffix, more=run.fields, suffixes=tuple(SUFFIXES), several=several)
    if asked.resume and (not several or names.folder is None):
        raise click.UsageError("--resume is for several pictures or a folder of them, and an output in a named folder")
    outside = names.folder if names.is_folder or names.folder != Path() else None
    found = find_inputs(asked.photos, suffixes=tuple(SUFFIXES), recursive=asked.recursive, outside=outside)
    if asked.scheduler is not None and not several:
        raise click.UsageError("--scheduler is for several pictures or a folder of them")
    if several:
        _refuse_wrong_options(run)
    if asked.output == "-":
        plan = Plan(tasks=(Task(number=1, source=found[0].path, output=STREAM),), own_outputs=())
    else:
        plan = _planned(found, names, run, several)
    if asked.dry_run:
        _say_plan(plan, run, asked)
        return
    if asked.report is not None:
        _check_report(asked, plan)
    if asked.save_recipe is not None:
        write_recipe(asked.save_recipe, click.get_current_context(), run.files, force=asked.force)
    if several:
        _run_many(plan, run, asked, names.folder)
    else:
        _run_one(plan.tasks[0], run, asked, make_folder=names.ends_like_a_folder)


def _refuse_wrong_options(run: Run) -> None:
    """Before a batch: options that are wrong for all data are one error, not one for each file."""
    try:
        run.trial()
    except OptionError:
        raise
    except (ValueError, TypeError, OverflowError):
        return  # right for some pictures and not for this one, so for each picture to say


def _planned(found: Any, names: OutputNames, run: Run, several: bool) -> Plan:
    """The plan; a single picture is checked where it is read and written, which says more."""
    if not several:
        return Plan(tasks=(Task(number=1, source=found[0].path, output=names.path_for(found[0], 1)),), own_outputs=())
    plan = make_plan(found, names.path_for, keep=run.files.values())
    if not plan.tasks:
        raise PlanError("all pictures that were found are outputs of this very command: there is nothing to do")
    if plan.own_outputs:
        say(f"{len(plan.own_outputs)} files that this command writes itself were not taken as input")
    return plan


def _check_streams(asked: Asked, several: bool) -> None:
    if several or asked.resume:
        raise click.UsageError("- stands for stdin or stdout, for one picture at a time")
    if (STREAM in asked.photos and sys.stdin is None) or (asked.output == "-" and sys.stdout is None):
        raise click.UsageError("- stands for stdin or stdout, which is closed")
    if STREAM in asked.photos and sys.stdin.isatty():
        raise click.UsageError("- reads a picture from stdin, which is a terminal: pipe one into it")
    if asked.output == "-" and asked.as_json:
        raise click.UsageError("-o - and --json both want stdout: give one of them")
    if asked.output == "-" and sys.stdout.isatty():
        raise click.UsageError("-o - writes a picture to stdout, which is a terminal: pipe it somewhere")
    if STREAM in asked.photos and asked.output != "-" and ("{" in asked.output or is_folder(Path(asked.output))):
        raise click.UsageError("a picture from stdin has no name: -o must be a file or -")


def _say_plan(plan: Plan, run: Run, asked: Asked) -> None:
    for task in plan.tasks:
        there = task.output != STREAM and os.path.lexists(task.output) and not asked.force
        doubt = task.problem or ("the output exists" if there and not asked.resume else "")
        if asked.as_json:
            record = {"status": "planned", "input": str(task.source), "output": str(task.output), "problem": doubt}
            print_json({"schema_version": SCHEMA_VERSION, "command": run.command, **record})
        else:
            arrow = (
                f"{printable(str(task.source))} -> {printable(str(task.output))}" if not task.problem else task.source
            )
            click.echo(f"{arrow} ({doubt})" if doubt else arrow)


def _check_report(asked: Asked, plan: Plan) -> None:
    from restoretk.image_files import check_output_path

    if asked.report is not None:
        inputs = [task.source for task in plan.tasks]
        check_output_path(asked.report, inputs=inputs, overwrite=asked.force)


def _run_one(task: Task, run: Run, asked: Asked, *, make_folder: bool) -> None:
    job = Job(
        task.source,
        task.output,
        asked.files,
        overwrite=asked.force,
        format_=asked.format,
        make_folder=make_folder,
    )
    lines: list[tuple[str, str]] = []
    start = time.monotonic()
    try:
        with listening(lambda level, line: lines.append((level, line))):
            record = run.picture(job, **run.settings)
    except Exception as error:
        say_lines(lines, asked, but=("choice",))
        failure = failure_of(error, about="" if task.source == STREAM else str(task.source))
        outcome = Outcome(task=task, status="failed", result={}, error=failure.message)
        write_report([outcome], run, asked)
        if asked.as_json:
            print_json(record_of(outcome, run))
        raise failure from error
    outcome = Outcome(task=task, status="done", result={"record": plain(record), "messages": lines})
    if asked.as_json:
        print_json(record_of(outcome, run))
    else:
        say_lines([*lines, ("detail", f"{task.source}: {time.monotonic() - start:.2f} s")], asked)
    write_report([outcome], run, asked)


def _run_many(plan: Plan, run: Run, asked: Asked, folder: Path | None) -> None:
    work = partial(work_on_task, run.picture, dict(run.settings), asked.files)
    options = options_of_pixels(click.get_current_context())
    parameters = {"command": run.command, "options": options, "files": _digests(run.files)}
    outcomes: list[Outcome] = []
    progress = Progress(len(plan.tasks), wanted=not asked.quiet)
    batch = run_batch(
        plan,
        work,
        folder=folder,
        parameters=parameters,
        version=__version__,
        jobs=asked.jobs,
        scheduler=asked.scheduler,
        resume=asked.resume,
        overwrite=asked.force,
    )
    counts = dict.fromkeys(("done", "failed", "skipped"), 0)
    progress.show(0, 0)
    try:
        for outcome in batch:
            outcomes.append(outcome)
            counts[outcome.status] += 1
            progress.clear()
            say_outcome(outcome, run, asked)
            progress.show(len(outcomes), counts["failed"])
    finally:
        progress.clear()
        batch.close()  # the workers, before anything else is said
    write_report(outcomes, run, asked)
    if asked.as_json:
        print_json({"schema_version": SCHEMA_VERSION, "command": run.command, "summary": counts})
    if not asked.quiet:
        say(", ".join(f"{count} {status}" for status, count in counts.items()))
    if counts["failed"]:
        click.get_current_context().exit(3)


def work_on_task(
    picture: OnePicture, settings: dict[str, Any], options: FileOptions, task: Task, overwrite: bool
) -> dict[str, Any]:
    """One picture of a batch, in a worker: what was chosen, and what is to be said of it."""
    lines: list[tuple[str, str]] = []
    with listening(lambda level, line: lines.append((level, line))), warnings.catch_warnings():
        warnings.showwarning = show_warning
        try:
            record = picture(Job(task.source, task.output, options, overwrite=overwrite), **settings)
        except Exception as error:
            raise failure_of(error, about=str(task.source)) from error
    return {"record": plain(record), "messages": lines}


def _digests(files: Mapping[str, Path]) -> dict[str, str]:
    found = {}
    for name, path in files.items():
        digest = digest_of(path)
        if digest is None:
            raise Failure(f"{path} is not a regular file")
        found[name] = digest[1]
    return found
