"""Break the code in every way of sabotages.toml, one at a time and in a copy, and see that the tests notice.

Each sabotage is one replacement in one file, at a place that must occur exactly once. It is applied to a copy of the
checkout (tracked files and untracked ones that git does not ignore) in a temporary folder; the checkout is never touched.
The tests named beside it run first; if they all pass, the whole suite runs. Ends with exit code 1 if a sabotage survives
that, no longer matches the source, or keeps the tests from running at all (which proves nothing about them).

    python scripts/sabotage.py                 all of them
    python scripts/sabotage.py --list          their names
    python scripts/sabotage.py --only NAME     one of them (may be repeated)
    python scripts/sabotage.py --jobs 2        two at a time
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SABOTAGES = ROOT / "scripts" / "sabotages.toml"
_TIME_LIMIT = 600  # seconds; a sabotage may well turn a loop endless
_PASSED, _FAILED = 0, 1  # exit codes of pytest; all others mean that the tests did not run


@dataclass(frozen=True)
class Sabotage:
    """One way to break the code: ``old`` becomes ``new`` in ``file``, and one of ``tests`` should fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What became of a sabotage: ``killed``, ``SURVIVED`` or ``BROKEN``, and by which test or why."""

    sabotage: Sabotage
    outcome: str
    detail: str
    seconds: float


def read_sabotages() -> list[Sabotage]:
    """The list of sabotages.toml, its names checked to be different."""
    table = tomllib.loads(SABOTAGES.read_text("utf-8"))
    sabotages = [Sabotage(tests=tuple(entry.pop("tests")), **entry) for entry in table["sabotage"]]
    names = [sabotage.name for sabotage in sabotages]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SystemExit(f"{SABOTAGES.name} uses these names more than once: {', '.join(repeated)}")
    return sabotages


def checkout_files() -> list[Path]:
    """The files of the checkout as git sees it, before or after a commit, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = {Path(os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name}
    return sorted(name for name in names if (ROOT / name).is_file())  # a tracked file may be deleted


@contextmanager
def copied_checkout(source: Path | None = None) -> Iterator[Path]:
    """A temporary copy of the checkout, or of a copy of it."""
    with tempfile.TemporaryDirectory(prefix="restoretk-sabotage-") as folder:
        copy = Path(folder) / "checkout"
        if source is not None:
            shutil.copytree(source, copy)
        else:
            for name in checkout_files():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        yield copy


def environment(copy: Path) -> dict[str, str]:
    """The environment in which Python imports the package from the copy and leaves no bytecode behind."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return os.environ | threads | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


def check_isolation(copy: Path) -> None:
    """Stop unless a Python started anywhere imports restoretk from the copy and not from an installation."""
    # From the folder above, so that only PYTHONPATH and not the current folder can lead to the copy.
    found = subprocess.run(
        [sys.executable, "-c", "import restoretk; print(restoretk.__file__)"],
        cwd=copy.parent,
        env=environment(copy),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    if not Path(found).is_relative_to(copy):
        raise SystemExit(f"the tests would import {found}, not the copy in {copy}: nothing would be tested")


def run_tests(copy: Path, tests: Sequence[str]) -> tuple[int, str]:
    """The exit code of pytest in the copy and the first failing test, or the end of what it said."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", *tests],
            cwd=copy,
            env=environment(copy),
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT,
        )
    except subprocess.TimeoutExpired:
        return _FAILED, f"no end within {_TIME_LIMIT} seconds"
    lines = done.stdout.splitlines()
    failed = [line.split(" ", 1)[1].split(" - ")[0] for line in lines if line.startswith(("FAILED ", "ERROR "))]
    return done.returncode, failed[0] if failed else " ".join([*lines[-1:], *done.stderr.splitlines()[-1:]])


def apply(sabotage: Sabotage, copy: Path) -> str | None:
    """Make the replacement in the copy; why it cannot be made, if so."""
    path = copy / sabotage.file
    if not path.is_file():
        return f"{sabotage.file} does not exist any more"
    text = path.read_text("utf-8")
    matches = text.count(sabotage.old)
    if matches != 1:
        return f"the text to replace occurs {matches} times in {sabotage.file}, not once"
    path.write_text(text.replace(sabotage.old, sabotage.new), "utf-8")
    return None


def judge(sabotage: Sabotage, pristine: Path) -> Verdict:
    """Apply one sabotage to a copy of its own and run the tests."""
    begun = time.monotonic()

    def verdict(outcome: str, detail: str) -> Verdict:
        return Verdict(sabotage, outcome, detail, time.monotonic() - begun)

    with copied_checkout(pristine) as copy:
        problem = apply(sabotage, copy)
        if problem is not None:
            return verdict("BROKEN", problem)
        code, detail = run_tests(copy, sabotage.tests)
        if code == _PASSED:
            code, detail = run_tests(copy, [])
            if code == _FAILED and run_tests(pristine, [detail])[0] != _PASSED:
                return verdict("BROKEN", f"{detail} fails without any sabotage")
            detail += " (not among the tests named for it)"
        if code == _PASSED:
            return verdict("SURVIVED", sabotage.file)
        return verdict("killed" if code == _FAILED else "BROKEN", detail)


def chosen_sabotages(names: Sequence[str]) -> list[Sabotage]:
    """The sabotages of these names, or all."""
    sabotages = read_sabotages()
    known = [sabotage.name for sabotage in sabotages]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no sabotage is called {', '.join(unknown)}; there are {', '.join(known)}")
    return [sabotage for sabotage in sabotages if not names or sabotage.name in names]


def main() -> int:
    """Judge the chosen sabotages and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this one (may be repeated)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many at a time (1)")
    arguments = parser.parse_args()
    sabotages = chosen_sabotages(arguments.only)
    if arguments.list:
        print("\n".join(f"{sabotage.name:40} {sabotage.file}" for sabotage in sabotages))
        return 0

    with copied_checkout() as pristine:
        check_isolation(pristine)
        # Tests that fail without any sabotage would kill all of them.
        code, detail = run_tests(pristine, sorted({test for sabotage in sabotages for test in sabotage.tests}))
        if code != _PASSED:
            raise SystemExit(f"the tests do not pass on the code as it is: {detail}")
        verdicts = []
        with ThreadPoolExecutor(max(arguments.jobs, 1)) as pool:
            for verdict in pool.map(lambda sabotage: judge(sabotage, pristine), sabotages):
                print(
                    f"{verdict.outcome:9} {verdict.sabotage.name:40} {verdict.seconds:5.1f} s  {verdict.detail}",
                    flush=True,
                )
                verdicts.append(verdict)
    remaining = [verdict.sabotage.name for verdict in verdicts if verdict.outcome != "killed"]
    print(f"{len(verdicts) - len(remaining)} of {len(verdicts)} sabotages were noticed", end="")
    print(f"; not: {', '.join(remaining)}" if remaining else "")
    return 1 if remaining else 0


if __name__ == "__main__":
    sys.exit(main())
