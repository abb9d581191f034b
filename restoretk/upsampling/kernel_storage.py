"""Kernels and banks of kernels in files of numpy's own: .npy for a kernel, .npz for a bank, provenance in JSON."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, as_real, check_finite
from restoretk.upsampling.kernel_bank import BankStage, KernelBank

_FORMAT = 1  # of the .npz files
_LARGEST_BANK = 64 * 2**20  # bytes; the largest that is shipped has less than one of these 64


def save_kernel(
    path: str | Path, kernel: npt.ArrayLike | KernelBank, *, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a kernel to a .npy file, or a bank of kernels to a .npz file.

    Parameters
    ----------
    path : str or Path
        With the suffix .npy for a kernel, .npz for a bank. A file that is there is replaced.
    kernel : array_like or KernelBank
        A bank's taps are stored in 16 bits, which costs less than 0.001 dB and no constant its value: the taps in the
        middle are made up to sum 1 again when it is read.
    provenance : mapping or None
        What JSON can hold. For a kernel it is written beside it, to ``path`` with the suffix .json; a bank keeps its own
        and these together in its file.

    Raises
    ------
    ValueError
        For another suffix, or a kernel that is not finite.
    OSError
        For a file that cannot be written.
    """
    path = Path(path)
    wanted = ".npz" if isinstance(kernel, KernelBank) else ".npy"
    if path.suffix.lower() != wanted:
        what = "a bank of kernels" if wanted == ".npz" else "a kernel"
        raise ValueError(f"path of {what} must end in {wanted}, got {str(path)!r}")
    if isinstance(kernel, KernelBank):
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **_bank_arrays(kernel, provenance or {}))
        return
    taps = as_real(kernel, "kernel")
    check_finite(taps, "kernel")
    with path.open("wb") as file:
        np.save(file, taps, allow_pickle=False)
    if provenance is not None:
        path.with_suffix(".json").write_text(json.dumps(dict(provenance), indent=2) + "\n", encoding="utf-8")


def load_kernel(path: str | Path) -> Array | KernelBank:
    """The kernel in a .npy file, or the bank of kernels in a .npz file, that `save_kernel` wrote.

    Raises
    ------
    ValueError
        For another suffix, and for a file that holds something else.
    OSError
        For a file that cannot be read.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz"):
        raise ValueError(f"path of a kernel must end in .npy, that of a bank of kernels in .npz, got {str(path)!r}")
    if path.exists() and not path.is_file():  # opening a pipe would wait for whoever writes to it
        raise ValueError(f"{path} is not a regular file")
    try:
        with path.open("rb") as file:
            if suffix == ".npz":
                _refuse_a_burst(file)
            stored = np.load(file, allow_pickle=False)
            return stored if suffix == ".npy" else _read_bank(stored)
    except (ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} holds no {'kernel' if suffix == '.npy' else 'bank of kernels'}: {error}") from error


def _refuse_a_burst(file: BinaryIO) -> None:
    """Ask what the archive says of itself, which bounds what is read of it, before anything is unpacked."""
    with zipfile.ZipFile(file) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > _LARGEST_BANK:
        raise ValueError(f"it unpacks to {unpacked} bytes, and no bank has more than {_LARGEST_BANK}")
    file.seek(0)


def _bank_arrays(bank: KernelBank, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """All of a bank under names; numbers and words in one JSON text."""
    arrays: dict[str, Any] = {} if bank.blur is None else {"blur": bank.blur}
    stages = []
    for index, stage in enumerate(bank.stages):
        for name in ("strengths", "coherences", "sides"):
            arrays[f"{name}{index}"] = getattr(stage, name)
        arrays[f"taps{index}"] = stage.taps.astype(np.float16)
        stages.append({name: getattr(stage, name) for name in ("factor", "size", "overlap", "sigma", "angles")})
    about = {
        "format": _FORMAT,
        "factor": bank.factor,
        "stages": stages,
        "provenance": {**bank.provenance, **provenance},
    }
    return {**arrays, "about": np.array(json.dumps(about))}


def _read_bank(stored: Mapping[str, Array]) -> KernelBank:
    about = json.loads(str(stored["about"]))
    if about["format"] != _FORMAT:
        raise ValueError(f"format must be {_FORMAT}, got {about['format']}")
    stages = []
    for index, numbers in enumerate(about["stages"]):
        taps = stored[f"taps{index}"].astype(np.float32)
        check_finite(taps, "taps")
        width = numbers["factor"] + 2 * numbers["overlap"]
        limits: dict[str, Any] = {name: stored[f"{name}{index}"] for name in ("strengths", "coherences", "sides")}
        strengths, coherences, sides = limits["sides"].shape
        wanted = (strengths * coherences * (sides + 1) * numbers["angles"], numbers["size"] ** 2, width**2)
        if taps.shape != wanted:
            raise ValueError(f"taps of stage {index} must have shape {wanted}, got {taps.shape}")
        middle = numbers["size"] ** 2 // 2
        taps[:, middle] = 0
        taps[:, middle] = 1 - taps.sum(axis=1, dtype=np.float64)
        stages.append(BankStage(**numbers, **limits, taps=taps))
    blur = stored.get("blur")
    return KernelBank(factor=about["factor"], stages=tuple(stages), blur=blur, provenance=about["provenance"])
