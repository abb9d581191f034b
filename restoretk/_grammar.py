"""The one grammar, ``name:key=value,key=value``: PSFs, noises, methods and kernels spelled in a line of text.

Values are numbers (``4``, ``1.6``, ``1e-3``), several numbers joined by ``x`` (``2x1`` is the tuple ``(2, 1)``),
``true`` or ``false``, and words (``auto``). A parameter called ``rng`` in Python is spelled ``seed`` and takes an
integer. Specs are chained by ``+`` before a name, as in ``poisson:peak=1000+gaussian:sigma=1e-3``; the ``+`` of a
number (``1e+3``) is followed by a digit and so never taken for a link of the chain.
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

Value = int | float | bool | str | tuple[int | float, ...]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBERS = re.compile(rf"{_NUMBER}(?:x{_NUMBER})*")


class OptionError(ValueError):
    """An option with a value that is wrong for all data: a name that is not among the choices, a number out of range.

    A ValueError like all others; the command line tells a wrong call (exit code 2) from wrong data (1) by it.
    """


def parse_spec(spec: str) -> tuple[str, dict[str, Value]]:
    """The name and the options of a spec.

    Parameters
    ----------
    spec : str
        ``name`` or ``name:key=value,key=value``. Spaces around names, keys and values do not count.

    Returns
    -------
    (str, dict)
        Whole numbers as int, other numbers as float, ``2x1`` as a tuple, ``true`` and ``false`` as bool, the rest as
        str.

    Raises
    ------
    ValueError
        For text that the grammar does not know, a key that is given twice, or a number that is not finite.

    Examples
    --------
    >>> parse_spec("motion:length=15,angle=30")
    ('motion', {'length': 15, 'angle': 30})
    >>> parse_spec("gaussian:sigma=2x1.5")
    ('gaussian', {'sigma': (2, 1.5)})
    """
    if not isinstance(spec, str):
        raise TypeError(f"a spec must be text such as 'name:key=value', got {type(spec).__name__}")
    name, colon, rest = spec.partition(":")
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise ValueError(f"a spec is name:key=value,key=value and begins with a name, got {spec!r}")
    options: dict[str, Value] = {}
    for item in rest.split(",") if colon else ():
        key, equals, text = (part.strip() for part in item.partition("="))
        if not (equals and _NAME.fullmatch(key) and text):
            raise ValueError(f"a spec is name:key=value,key=value, got {item!r} where key=value belongs in {spec!r}")
        if key in options:
            raise ValueError(f"{key!r} is given twice in {spec!r}")
        options[key] = text if key == "mask" else _value(text, spec)  # nan is the name of a mask
    return name, options


def split_chain(spec: str) -> list[str]:
    """The links of a chain of specs: ``a:k=1+b:k=2`` is ``["a:k=1", "b:k=2"]``.

    Examples
    --------
    >>> split_chain("poisson:peak=1e+3 + gaussian:sigma=0.01")
    ['poisson:peak=1e+3', 'gaussian:sigma=0.01']
    """
    return [link.strip() for link in re.split(r"\+(?=\s*[A-Za-z_])", spec)]


def format_spec(name: str, options: Mapping[str, Value]) -> str:
    """The spec that `parse_spec` reads back as this name and these options.

    Examples
    --------
    >>> format_spec("gaussian", {"sigma": (2, 1.5), "angle": 30})
    'gaussian:sigma=2x1.5,angle=30'
    """
    items = ",".join(f"{key}={_text(value)}" for key, value in options.items())
    return f"{name}:{items}" if items else name


def bind(
    spec: str, registry: Mapping[str, Callable[..., Any]], kind: str, *, exclude: Collection[str] = ()
) -> tuple[str, dict[str, Any]]:
    """The name in ``registry`` and the keyword arguments for its function, all checked.

    Parameters
    ----------
    spec : str
        One spec, no chain.
    registry : mapping of str to function
        The names, and the functions whose keyword parameters are the keys.
    kind : str
        What the registry holds, for messages: ``psf``, ``noise``, ``method``.
    exclude : collection of str
        Parameters that no spec may set (the image, the psf, ...).

    Returns
    -------
    (str, dict)
        ``seed`` has become ``rng``.

    Raises
    ------
    ValueError
        For a name or key that does not exist (with the choices, and the nearest one), a key that is missing, or a value
        of the wrong type. The range of a value is the function's to check.
    """
    name, options = parse_spec(spec)
    check_choice(name, registry, kind)
    parameters = {
        _spelled(key): parameter
        for key, parameter in inspect.signature(registry[name]).parameters.items()
        if key not in exclude and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    for key in options:
        check_choice(key, parameters, f"key of {kind} {name}")
    missing = [
        key for key, parameter in parameters.items() if parameter.default is parameter.empty and key not in options
    ]
    if missing:
        raise ValueError(f"{kind} {name} needs {' and '.join(f'{key}=...' for key in missing)}, got {spec!r}")
    hints = typing.get_type_hints(registry[name])
    arguments: dict[str, Any] = {}
    for key, value in options.items():
        parameter = parameters[key]
        arguments[parameter.name] = _fitted(value, hints.get(parameter.name, Any), f"{key} of {kind} {name}")
    return name, arguments


def check_choice(given: str, choices: Iterable[str], kind: str) -> None:
    """Raise OptionError with what was given, the nearest choice and all choices, unless it is one of them."""
    known = list(choices)
    if given in known:
        return
    near = difflib.get_close_matches(given, known, 1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise OptionError(f"{kind} must be one of {', '.join(known) or '(none)'}; got {given!r}{hint}")


def _spelled(parameter: str) -> str:
    return "seed" if parameter == "rng" else parameter


def _value(text: str, spec: str) -> Value:
    if _NUMBERS.fullmatch(text):
        numbers = tuple(_number(part, spec) for part in text.split("x"))
        return numbers[0] if len(numbers) == 1 else numbers
    if text.lower().lstrip("+-") in ("inf", "infinity", "nan"):
        raise ValueError(f"numbers must be finite, got {text!r} in {spec!r}")
    return {"true": True, "false": False}.get(text.lower(), text)


def _number(text: str, spec: str) -> int | float:
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"numbers must be finite, got {text!r} in {spec!r}")
    return number


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


# What a spec can say, by the type that a parameter is annotated with. bool comes before int: it is one.
_SAYABLE: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def _fitted(value: Value, hint: Any, what: str) -> Any:
    """The value as one of the types in the annotation, or ValueError that says what it may be."""
    allowed = _types_in(hint)
    if Any in allowed:
        return value
    plain = [kind for kind in _SAYABLE if kind in allowed]
    if isinstance(value, tuple):
        if tuple in allowed:
            return value
        plain = plain or [float]
    elif isinstance(value, (bool, str)):
        if type(value) in allowed:
            return value
    elif float in allowed or (int in allowed and isinstance(value, int)):
        return value
    elif int in allowed and float(value).is_integer():
        return int(value)
    wanted = [_SAYABLE[kind] for kind in plain] + (["numbers joined by x, as in 2x1"] if tuple in allowed else [])
    raise ValueError(f"{what} must be {' or '.join(wanted)}, got {_text(value)!r}")


def _types_in(hint: Any) -> set[Any]:
    """The plain types that an annotation names, tuple for every kind of sequence, Any for what a spec cannot judge."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return set().union(*(_types_in(part) for part in typing.get_args(hint)))
    if hint in _SAYABLE or hint is Any:
        return {hint}
    if hint in (tuple, list) or origin in (tuple, list, Sequence):
        return {tuple}
    if origin is typing.Literal:
        return {type(choice) for choice in typing.get_args(hint)}
    return set()  # None, a generator, an array: nothing that a spec could say
