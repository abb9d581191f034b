"""A click group that imports a command when it is asked for, and turns errors into one line each."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Any, TextIO

import click


class LazyGroup(click.Group):
    """Commands from a table of name -> ("module:attribute", help), imported one at a time."""

    def __init__(self, *args: Any, commands_table: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = commands_table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All names in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """The command of that name, imported now."""
        if cmd_name not in self._table:
            return None
        module, attribute = self._table[cmd_name][0].split(":")
        command = getattr(import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the list of commands from the table, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._table.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; a wrong name answers with the choices."""
        if args[0] not in self._table and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"there is no command {args[0]!r}: choose from {', '.join(self._table)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command: bad input is one line on stderr and exit code 1, Ctrl-C is 130."""
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except click.ClickException as error:
                if type(error) is click.ClickException:  # one that is neither about usage nor ours
                    raise Failure(error.message, exit_code=error.exit_code) from error
                raise
            except BrokenPipeError:
                raise  # the reader of our output has left: click ends without a word
            except (ValueError, TypeError, OverflowError, OSError, MemoryError) as error:
                raise Failure(error) from error
            except KeyboardInterrupt:
                raise Failure("interrupted", exit_code=130) from None


class Failure(click.ClickException):
    """What went wrong, as one line ``restoretk: error: ...`` and an exit code (1: data or files; 2: usage)."""

    def __init__(self, error: BaseException | str, *, exit_code: int = 1) -> None:
        super().__init__(_one_line(error))
        self.exit_code = exit_code  # type: ignore[misc] # click itself declares it for classes and sets it on instances

    def show(self, file: Any = None) -> None:
        """Print the line on stderr."""
        click.echo(f"restoretk: error: {self.message}", err=file is None, file=file)


def _one_line(error: BaseException | str) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return " ".join(f"{error.filename}: {error.strerror}".split())
    if isinstance(error, MemoryError):
        return " ".join(f"out of memory: {error}".split()).rstrip(": ")
    return " ".join(str(error).split()) or type(error).__name__


def _show_warning(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001 - the signature of warnings.showwarning
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    say(f"warning: {message}")


def say(message: str) -> None:
    """One line to the person, on stderr: stdout is for data."""
    click.echo(f"restoretk: {' '.join(message.split())}", file=sys.stderr)
