"""The public names: said once, said literally, and each of them leads to something."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import restoretk

SOURCE = Path(str(restoretk.__file__)).read_text("utf-8")
TREE = ast.parse(SOURCE)


def _assigned(name: str) -> ast.expr:
    """The value of the one assignment to a name in the module."""
    (value,) = [
        node.value
        for node in TREE.body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    return value


def _typed_imports() -> dict[str, str]:
    """What type checkers are told: public name -> module it is imported from."""
    (block,) = [node for node in TREE.body if isinstance(node, ast.If)]
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    found = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name, "only 'import X as X' is a re-export to strict type checkers"
            found[alias.name] = str(node.module)
    return found


def test_all_is_a_literal_sorted_list_without_repetition() -> None:
    written = _assigned("__all__")
    assert isinstance(written, ast.List)
    names = ast.literal_eval(written)
    assert names == restoretk.__all__
    assert len(set(names)) == len(names)

    def rank(name: str) -> tuple[int, str]:  # as ruff sorts: CONSTANTS, Classes, others
        return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)

    assert names == sorted(names, key=rank)


def test_the_three_lists_of_names_agree() -> None:
    homes = ast.literal_eval(_assigned("_HOMES"))
    assert list(homes) == restoretk.__all__
    assert _typed_imports() == {name: f"restoretk.{home}" for name, home in homes.items()}


@pytest.mark.parametrize("name", restoretk.__all__)
def test_every_name_leads_to_something_documented_that_is_no_module(name: str) -> None:
    value = getattr(restoretk, name)
    assert not isinstance(value, ModuleType)
    assert name in dir(restoretk)
    if callable(value):
        assert value.__name__ == name
        assert value.__module__.startswith("restoretk.")
        assert len(value.__doc__) > 100


def test_star_import_gives_exactly_the_public_names() -> None:
    space: dict[str, object] = {}
    exec("from restoretk import *", space)  # noqa: S102  # the statement under test
    assert set(space) - {"__builtins__"} == set(restoretk.__all__)


def test_no_public_name_is_hidden_by_a_module_of_the_package() -> None:
    """A submodule, once imported, becomes an attribute of the package: it must not have the name of a function."""
    folder = Path(str(restoretk.__file__)).parent
    modules = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    assert not (set(restoretk.__all__) - {"__version__"}) & modules


def test_the_first_use_of_a_name_imports_it_and_the_package_alone_imports_no_numpy() -> None:
    code = (
        "import sys, restoretk; assert 'numpy' not in sys.modules; assert 'wiener' not in vars(restoretk);"
        "restoretk.wiener; assert 'wiener' in vars(restoretk); assert 'numpy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_does_not_exist_is_named() -> None:
    with pytest.raises(AttributeError, match="module 'restoretk' has no attribute 'deconvolve'"):
        _ = restoretk.deconvolve
    with pytest.raises(ImportError, match="cannot import name 'deconvolve'"):
        exec("from restoretk import deconvolve", {})  # noqa: S102  # the statement under test
