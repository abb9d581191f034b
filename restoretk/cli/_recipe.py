"""Recipes: the options of a command that shape the pixels, in a TOML file, to get the same bytes again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from restoretk._version import __version__
from restoretk.cli._group import Failure, say

_LARGEST = 1 << 20  # bytes of a recipe
_SCHEMA = 1
_FILES = "restoretk.recipe_files"  # of the context: what is to be checked when all options are known
#: Options that say where files are and how the work goes, and so belong to a call and not to a recipe.
_OF_THE_CALL = {
    "output",
    "recursive",
    "jobs",
    "resume",
    "force",
    "dry_run",
    "quiet",
    "verbose",
    "as_json",
    "report",
    "scheduler",
}


def options_of_pixels(ctx: click.Context) -> dict[str, Any]:
    """All options in effect that shape the pixels, by the names that a person types."""
    return {spelled: ctx.params[name] for spelled, name in _spellings(ctx.command).items()}


def _spellings(command: click.Command) -> dict[str, str]:
    """What is typed (``psf``) -> what the parameter is called in the program (``psf_spec``)."""
    names = {}
    for option in command.params:
        hidden = not isinstance(option, click.Option) or not option.expose_value or option.name is None
        if hidden or option.name in _OF_THE_CALL or option.name in ("save_recipe", "recipe"):
            continue
        if option.name is not None and not option.name.startswith("max_"):
            names[max(option.opts, key=len).lstrip("-")] = option.name
    return names


def write_recipe(path: Path, ctx: click.Context, files: Mapping[str, Path], *, force: bool) -> None:
    """Write the recipe of this call; ``files`` are those that options name, whose contents count too."""
    from restoretk.image_files import check_output_path, write_bytes

    check_output_path(path, inputs=files.values(), overwrite=force)
    lines = [
        f"schema_version = {_SCHEMA}",
        f"restoretk = {_toml(__version__)}",
        f"command = {_toml(ctx.info_name or '')}",
    ]
    lines += ["", "[options]"]
    lines += [f"{name} = {_toml(value)}" for name, value in options_of_pixels(ctx).items() if value is not None]
    if files:
        lines += ["", "# SHA-256 of the files that the options name", "[files]"]
        lines += [f"{name} = {_toml(_sha256(file))}" for name, file in files.items()]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def _toml(value: str | int | float | bool) -> str:
    """A value of TOML 1.0: basic strings with every control character escaped, numbers, true and false."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError(f"a recipe is UTF-8 and cannot hold {value!r}, a name that is not")
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    signs = (escapes.get(sign) or (sign if sign.isprintable() else f"\\U{ord(sign):08x}") for sign in value)
    return f'"{"".join(signs)}"'


def _read(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Take the options of a recipe as defaults: what is typed beside it counts more."""
    del parameter
    if path is None or ctx.resilient_parsing:
        return
    recipe = _parsed(path)
    if recipe.get("schema_version") != _SCHEMA:
        raise Failure(f"{path}: schema_version must be {_SCHEMA}, got {recipe.get('schema_version')!r}", exit_code=2)
    if recipe.get("command") != ctx.info_name:
        raise Failure(f"{path}: a recipe for {recipe.get('command')!r}, not for {ctx.info_name}", exit_code=2)
    if recipe.get("restoretk") != __version__:
        say(f"warning: {path}: made with restoretk {recipe.get('restoretk')}; this is {__version__}: bytes may differ")
    spellings = _spellings(ctx.command)
    options, files = _table(recipe, "options", path), _table(recipe, "files", path)
    for name, value in options.items():
        if name not in spellings:
            known = ", ".join(spellings)
            raise Failure(f"{path}: option must be one of {known}; got {name!r}", exit_code=2)
        if not isinstance(value, str | int | float):
            raise Failure(f"{path}: {name} must be a text, a number, true or false, got {value!r}", exit_code=2)
    ctx.meta[_FILES] = [
        (spellings[name], options[name], digest, path)
        for name, digest in files.items()
        if isinstance(options.get(name), str)
    ]
    ctx.default_map = {**(ctx.default_map or {}), **{spellings[name]: value for name, value in options.items()}}


def check_files_of_recipe(ctx: click.Context) -> None:
    """Raise Failure where a file that a recipe names, and nothing typed beside it replaces, is not what it was."""
    for parameter, text, digest, path in ctx.meta.get(_FILES, ()):
        taken = ctx.get_parameter_source(parameter) is click.core.ParameterSource.DEFAULT_MAP
        if taken and _sha256(Path(text.removeprefix("file:path="))) != digest:
            raise Failure(f"{path}: {text} is not the file that the recipe was made with")


def _parsed(path: Path) -> dict[str, Any]:
    import tomllib

    from restoretk.image_files import Limits, read_bytes

    data = read_bytes(path, Limits(file_bytes=_LARGEST))
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise Failure(f"{path} is no recipe: {error}", exit_code=2) from error


def _table(recipe: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = recipe.get(name, {})
    if not isinstance(table, dict):
        raise Failure(f"{path}: {name} must be a table, got {table!r}", exit_code=2)
    return table


def _sha256(path: Path) -> str:
    from restoretk.image_files import read_bytes

    return hashlib.sha256(read_bytes(path)).hexdigest()


recipe_option = click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_read,
    help="Take the options of a recipe; those given beside it count more.",
)
