"""Every figure of speed and memory that the README claims, measured in one go.

Runs the parts one after the other, each in processes of its own with one thread, prints each figure with the bound that it is
held against, and writes results/ratios.json (with versions and date), results/ratios.svg and results/growth.svg beside this
file. A part that needs a package which is not installed says so and is left out.

    python benchmarks/ratios.py [--parts filters memory growth ...] [--quick] [--results FOLDER]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from drawing import draw_growth, draw_ratios
from measuring import HERE, Figure, run_part, versions


def _needs(package: str) -> bool:
    if importlib.util.find_spec(package) is None:
        print(f"  left out: needs {package}, which is not installed")
        return False
    return True


def filters(quick: bool) -> list[Figure]:
    """The linear filters over pairs of FFTs, and peers over them."""
    return run_part("filters.py", *(("--shapes", "1024x1024", "1000x1500", "--rounds", "3") if quick else ()))


def memory(quick: bool) -> list[Figure]:
    """The peak memory of a process."""
    return run_part("memory.py", *(("--shape", "1000x1500") if quick else ()))


def growth(quick: bool) -> list[Figure]:
    """The exponent of the cost."""
    return run_part("growth.py", *(("--largest", "2048") if quick else ()))


def out_of_core(quick: bool) -> list[Figure]:
    """Pictures larger than memory, killed and resumed."""
    if not _needs("zarr"):
        return []
    return run_part("out_of_core.py", *(("--side", "1024", "--rounds", "1") if quick else ("--kill",)))


def cluster(quick: bool) -> list[Figure]:
    """The same on a Dask cluster that loses a worker."""
    return run_part("cluster.py", *(("--side", "1024") if quick else ())) if _needs("distributed") else []


def enlarging(quick: bool) -> list[Figure]:
    """Transposed convolution against PyTorch's."""
    return run_part("enlarging.py", *(("--side", "512", "--rounds", "3") if quick else ())) if _needs("torch") else []


PARTS: dict[str, Callable[[bool], list[Figure]]] = {
    "filters": filters,
    "memory": memory,
    "growth": growth,
    "enlarging": enlarging,
    "out_of_core": out_of_core,
    "cluster": cluster,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that everything runs")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    given = parser.parse_args()
    seen = versions("scikit-image", "torch", "ducc0", "numba", "dask", "zarr")
    print(", ".join(f"{name} {what}" for name, what in seen.items()))
    figures: list[Figure] = []
    for part in given.parts:
        print(f"{part}: {PARTS[part].__doc__}")
        found = PARTS[part](given.quick)
        # Bounds are for the sizes of the full run.
        figures += [replace(figure, bound=None) for figure in found] if given.quick else found
    given.results.mkdir(parents=True, exist_ok=True)
    record = {
        "measured": datetime.now(UTC).date().isoformat(),
        "quick": given.quick,
        "versions": seen,
        "figures": [asdict(figure) | {"holds": figure.holds} for figure in figures],
    }
    (given.results / "ratios.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    (given.results / "ratios.svg").write_text(draw_ratios(figures), "utf-8")
    if any(figure.part == "growth" for figure in figures):
        (given.results / "growth.svg").write_text(draw_growth(figures), "utf-8")
    held = [figure for figure in figures if figure.holds is not None]
    missed = [figure for figure in held if not figure.holds]
    print(f"{len(held) - len(missed)} of {len(held)} figures keep their bounds")


if __name__ == "__main__":
    main()
