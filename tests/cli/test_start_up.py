"""What is not imported: start-up stays fast because nothing heavy is loaded before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("scipy.signal", "skimage", "imageio", "matplotlib", "PIL", "tifffile", "jinja2")


def test_importing_restoretk_imports_nothing_heavy() -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import restoretk"], capture_output=True, text=True, check=True
    )
    imported = [line.rsplit("|", 1)[1].strip() for line in result.stderr.splitlines() if "|" in line]
    assert "restoretk" in imported
    assert [name for name in imported if name.startswith(HEAVY)] == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["deblur", "--help"], ["compare", "--help"]])
def test_help_imports_no_numpy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from restoretk.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('numpy', 'scipy', 'skimage', 'imageio', 'PIL', 'tifffile', 'jinja2')])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = (
        "import sys\n"
        "from restoretk.cli import COMMANDS, main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print([module for module, _ in COMMANDS.values() if module.split(':')[0] in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
