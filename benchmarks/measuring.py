"""Calls that take turns, timed by CPU time, and figures that say what they should be."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.fft

HERE = Path(__file__).parent
Array = npt.NDArray[np.float64]

#: What keeps a process to one thread, whatever library it uses.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Figure:
    """A measured number and the bound that it is held against; no bound for what is only reported."""

    part: str
    name: str
    value: float
    bound: float | None = None
    sense: str = "at most"
    unit: str = ""
    detail: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the bound is kept; None without one."""
        if self.bound is None:
            return None
        return self.value <= self.bound if self.sense == "at most" else self.value >= self.bound

    def line(self) -> str:
        """The figure in one line."""
        verdict = {None: "", True: "ok", False: "MISSED"}[self.holds]
        bound = "" if self.bound is None else f"{self.sense} {self.bound:g}"
        return f"{self.name:66} {self.value:9.3f} {self.unit:6} {bound:13} {verdict:6} {self.detail}"


def take_turns(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Array]:
    """The CPU seconds of every call in every round; all calls take turns, and a first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            seconds[name].append(time.process_time() - start)
    return {name: np.array(many[1:]) for name, many in seconds.items()}


def ratio(seconds: Mapping[str, Array], one: str, other: str) -> float:
    """The median over rounds of the ratio within a round."""
    return float(np.median(seconds[one] / seconds[other]))


def random_scene(shape: tuple[int, int], seed: int = 0) -> npt.NDArray[np.float32]:
    """A periodic random field with the spectrum of a photograph, power falling as 1 / f^2, between 0 and 1."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(scipy.fft.fftfreq(shape[0])[:, None], scipy.fft.rfftfreq(shape[1])).astype(np.float32)
    spectrum = scipy.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    spectrum /= np.maximum(frequency, 1 / max(shape))
    field = scipy.fft.irfft2(spectrum, s=shape)
    return np.asarray((field - field.min()) / np.ptp(field), np.float32)


def versions(*packages: str) -> dict[str, str]:
    """What was measured on: the machine, Python and packages that are installed."""
    found = {"machine": platform.machine(), "cores": str(os.cpu_count()), "python": platform.python_version()}
    found |= _processor()
    for package in ("restoretk", "numpy", "scipy", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _processor() -> dict[str, str]:
    """Its name and the size of its cache, on which ratios of memory-bound work depend; nothing where Linux does not say."""
    file = Path("/proc/cpuinfo")
    lines = [line.partition(":") for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    said = {key.strip(): value.strip() for key, _, value in lines}
    return {name: said[key] for name, key in (("processor", "model name"), ("cache", "cache size")) if key in said}


def write_figures(figures: list[Figure], file: str | None, *, quiet: bool = False) -> None:
    """Print the figures, and write them to a JSON file where one is named."""
    for figure in figures if not quiet else ():
        print(figure.line(), flush=True)
    if file is not None:
        Path(file).write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n", "utf-8")


def run_part(script: str, *arguments: str, environment: Mapping[str, str] | None = None) -> list[Figure]:
    """The figures of a script of this folder, run in a process of its own with one thread."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [sys.executable, str(HERE / script), *arguments, "--json", str(file)]
        subprocess.run(command, env=os.environ | ONE_THREAD | dict(environment or {}), check=True)
        return [Figure(**entry) for entry in json.loads(file.read_text("utf-8"))]
