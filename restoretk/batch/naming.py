"""Where an output goes: a file, a folder that keeps the tree of the inputs, or a template with fields in braces."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from restoretk._grammar import OptionError, check_choice
from restoretk.batch.finding import Found, is_folder

#: The fields of a template that come from the input.
FIELDS = ("stem", "name", "suffix", "parent", "below", "index")

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, kw_only=True)
class OutputNames:
    """What ``-o`` says, for one input or for many.

    A text with braces is a template; one that ends in a slash or is the name of a folder is a folder; for several
    inputs so is one without a suffix of ``suffixes``; everything else is the file itself.

    Attributes
    ----------
    text : str
        The output as it was given.
    suffix : str
        The suffix of the outputs with its dot, "" for that of each input.
    more : mapping of str to str
        Further fields, such as the method. Slashes in their values become ``_``.
    suffixes : collection of str
        What a file name of a picture may end in, in lower case with the dot.
    several : bool
        Whether there may be more than one input.

    Raises
    ------
    OptionError
        For a field that does not exist, with the choices; for a single file name for several inputs.

    Examples
    --------
    >>> names = OutputNames(text="out/{stem}_{method}{suffix}", more={"method": "wiener"}, suffixes=(".png",))
    >>> names.path_for(Found(path=Path("in/a.png")), 1).as_posix()
    'out/a_wiener.png'
    >>> OutputNames(text="{stme}.png", suffixes=(".png",))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    restoretk._grammar.OptionError: field of the output template must be one of stem, ...; got 'stme' (did you mean 'stem'?)
    """

    text: str
    suffixes: Collection[str]
    suffix: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    several: bool = False

    def __post_init__(self) -> None:
        for mark in _BRACES.finditer(self.text):
            if mark[0] in ("{", "}"):
                raise OptionError(f"a brace of the output template {self.text!r} has no partner: write {{{{ or }}}}")
            if mark[1] is not None:
                check_choice(mark[1], [*FIELDS, *self.more], "field of the output template")
        if self.several and not self.is_template and not self.is_folder:
            raise OptionError(
                f"several pictures cannot all be written to {self.text}: name a folder ({Path(self.text).stem}/) "
                f"or a template ({{stem}}_new{{suffix}})"
            )

    @property
    def is_template(self) -> bool:
        """Whether the text has fields (or doubled braces)."""
        return _BRACES.search(self.text) is not None

    @property
    def is_folder(self) -> bool:
        """Whether the outputs keep the names of the inputs in a folder."""
        if self.is_template:
            return False
        known = Path(self.text).suffix.lower() in self.suffixes
        return self.ends_like_a_folder or is_folder(Path(self.text)) or (self.several and not known)

    @property
    def ends_like_a_folder(self) -> bool:
        """Whether the text ends in a slash: then the folder is made."""
        return self.text.endswith(tuple(filter(None, ("/", os.sep, os.altsep))))

    @property
    def folder(self) -> Path | None:
        """The folder that all outputs lie in, None if the template itself chooses it."""
        if self.is_folder:
            return Path(self.text)
        fixed = _BRACES.split(self.text, maxsplit=1)[0] if self.is_template else self.text
        head, slash, _ = fixed.rpartition("/")
        return Path(head + slash) if slash or "/" not in self.text else None

    def path_for(self, found: Found, index: int) -> Path:
        """The output for one input, the ``index``-th from 1."""
        suffix = self.suffix or found.path.suffix
        if self.is_folder:
            name = found.path.stem + suffix if self.suffix else found.path.name
            return Path(self.text) / found.below / name
        if not self.is_template:
            return Path(self.text)
        values = {
            "stem": found.path.stem,
            "name": found.path.name,
            "suffix": suffix,
            "parent": str(found.path.parent),
            "below": str(found.below),
            "index": str(index),
            **{key: re.sub(r"[/\\:]", "_", value) for key, value in self.more.items()},
        }
        text = _BRACES.sub(lambda mark: mark[0][0] if mark[1] is None else values[mark[1]], self.text)
        return Path(text)
