"""A click group that imports a command when it is asked for, and turns errors into one line each."""

from __future__ import annotations

import difflib
import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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
            near = difflib.get_close_matches(args[0], self._table, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            ctx.fail(f"there is no command {args[0]!r}{hint}: choose from {', '.join(self._table)}")
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the options that stand before the command."""
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            raise misuse_of(error) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command: bad data is one line on stderr and exit code 1, a bad option 2, Ctrl-C 130."""
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            try:
                return self._invoke(ctx)
            except Failure as failure:
                failure.with_trace = debugging(ctx)
                raise

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise misuse_of(error) from error
        except click.ClickException as error:
            if type(error) is click.ClickException:  # one that is neither about usage nor ours
                raise Failure(error.message, exit_code=error.exit_code) from error
            raise
        except (click.exceptions.Exit, click.Abort):
            raise  # click's own ways to end
        except BrokenPipeError:
            raise  # the reader of our output has left: click ends without a word
        except Exception as error:
            raise failure_of(error) from error
        except KeyboardInterrupt:
            raise Failure("interrupted", exit_code=130) from None


class Failure(click.ClickException):
    """What went wrong, as one line ``restoretk: error: ...`` and an exit code (1: data or files; 2: usage)."""

    with_trace = False

    def __init__(self, error: BaseException | str, *, exit_code: int = 1) -> None:
        super().__init__(one_line(error))
        self.exit_code = exit_code  # type: ignore[misc] # click itself declares it for classes and sets it on instances

    def show(self, file: Any = None) -> None:
        """Print the line on stderr; with --debug, where the error came from before it."""
        if self.with_trace and self.__cause__ is not None:
            click.echo("".join(traceback.format_exception(self.__cause__)).rstrip(), err=file is None, file=file)
        click.echo(f"restoretk: error: {self.message}", err=file is None, file=file)


class Misuse(click.UsageError):
    """A wrong call, as the usage of the command and one line ``restoretk: error: ...``."""

    def __init__(self, error: click.UsageError) -> None:
        super().__init__(one_line(error.format_message()), error.ctx)

    def show(self, file: Any = None) -> None:
        """Print it on stderr."""
        if self.ctx is not None:
            usage, path = self.ctx.get_usage(), self.ctx.command_path
            click.echo(f"{usage}\nTry '{path} --help' for help.\n", err=file is None, file=file)
        click.echo(f"restoretk: error: {self.message}", err=file is None, file=file)


def misuse_of(error: click.UsageError) -> click.UsageError:
    """The error as one of ours, unless it is one or is the help that a command without arguments prints."""
    return error if isinstance(error, (Misuse, click.exceptions.NoArgsIsHelpError)) else Misuse(error)


def failure_of(error: Exception, *, about: str = "") -> Failure:
    """The failure that an error is to the caller of a command; ``about`` is the file, named where the error does not."""
    from restoretk._grammar import OptionError

    if isinstance(error, Failure):
        return error
    if isinstance(error, OptionError):
        return Failure(error, exit_code=2)
    text = in_options(one_line(error))
    if not isinstance(error, (ValueError, TypeError, OverflowError, OSError, MemoryError, click.ClickException)):
        text = f"{type(error).__name__}: {text} (not foreseen; --debug shows where)"
    if about:
        text = text.replace(about, printable(about))
        text = text if printable(about) in text else f"{printable(about)}: {text}"
    return Failure(text)


def one_line(error: BaseException | str) -> str:
    """What an error says, as one printable line."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        name = os.fsdecode(error.filename)
        name = name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2]}[...]{name[-_LONGEST // 2 :]}"
        return f"{printable(name)}: {error.strerror}"
    if isinstance(error, MemoryError):
        return " ".join(f"out of memory: {error}".split()).rstrip(": ")
    message = error.message if isinstance(error, click.ClickException) else str(error)
    line = printable(" ".join(message.split()))
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]} [...] {line[-_LONGEST // 2 :]}"
    return line or type(error).__name__


#: What the library calls a thing, and how the same is asked for on the command line.
_IN_OPTIONS = {
    "mask='saturated'": "--mask saturated",
    "weights='poisson'": "--method NAME:weights=poisson",
    "per_channel=True": "--method NAME:per_channel=true",
    "a given noise_to_signal": "--method wiener:noise_to_signal=NUMBER",
    "subtract_background(psf) takes it off": "restoretk psf FILE --subtract-background -o clean.npy takes it off",
    "overwrite=True": "--force",
    "resume=True": "--resume",
    "needs the channel_axis of an image": "needs channels (--channel-axis) in a picture",
    "pass channel_axis=-1": "--channel-axis -1 says so",
}


def in_options(text: str) -> str:
    """A sentence of the library in the words of the command line."""
    for python, option in _IN_OPTIONS.items():
        text = text.replace(python, option)
    return text


_LONGEST = 2000  # characters of an error: one that repeats a value of a thousand digits hides what is wrong with it


def printable(text: str) -> str:
    """The text without control characters, and with bytes that are no text escaped: a name cannot command a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def debug_option(command: Any) -> Any:
    """Give a command or group the option --debug."""
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_set_debug,
        help="Show where in the program an error came from.",
    )(command)


def _set_debug(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:  # noqa: ARG001 - click's signature
    if value:
        ctx.find_root().meta[_DEBUG] = True
    return value


_DEBUG = "restoretk.debug"


def debugging(ctx: click.Context) -> bool:
    """Whether the caller wants to see where errors come from."""
    return bool(os.environ.get("RESTORETK_DEBUG")) or bool(ctx.find_root().meta.get(_DEBUG))


def show_warning(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001 - the signature of warnings.showwarning
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """A Python warning as one line, without the place in the code."""
    say(f"warning: {message}")


#: What takes the lines of `say` in place of stderr: (level, line).
_LISTENER: ContextVar[Callable[[str, str], None] | None] = ContextVar("_LISTENER", default=None)


@contextmanager
def listening(listener: Callable[[str, str], None]) -> Iterator[None]:
    """Send what is said meanwhile to a function of level and line: a batch collects it file by file."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def say(message: str, *, level: str = "note") -> None:
    """One line to the person, on stderr: stdout is for data.

    Levels: ``note``; ``choice``, what was chosen for this file, which a batch says only with --verbose; ``detail``, said
    only with --verbose.
    """
    line = printable(in_options(" ".join(message.split())))
    listener = _LISTENER.get()
    if listener is not None:
        listener(level, line)
    elif level != "detail":
        click.echo(f"restoretk: {line}", err=True)
