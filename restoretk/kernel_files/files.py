"""One door for every format that holds kernels: list the layers, read one, write it back changed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from restoretk._arrays import Array
from restoretk.image_files import check_output_path, write_bytes
from restoretk.kernel_files import onnx, safetensors, torch
from restoretk.kernel_files.record import KernelFileError, Layer

SUFFIXES = (".npy", ".onnx", ".safetensors", ".pt", ".pth")
# More names than these make a message nobody reads.
_MOST_NAMES = 8


def list_layers(path: str | Path) -> list[Layer]:
    """The layers of a file that are, or may be, transposed convolutions.

    An ONNX model says which of its nodes are; of .safetensors and .pt files, which hold tensors without their meaning,
    all tensors with two channel axes and one to three spatial ones are listed.

    Raises
    ------
    KernelFileError
        For a file that is not what its suffix says, or holds no such layer.
    OSError
        For a file that cannot be opened.
    """
    path = Path(path)
    suffix = _suffix(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the name of a file")
    if not path.exists():
        raise FileNotFoundError(2, "No such file or directory", str(path))
    if not path.is_file():  # opening a pipe would wait for whoever writes to it
        raise KernelFileError(f"{path} is not a regular file")
    if suffix == ".npy":
        return [Layer(name="", weights=_read_npy(path), path=path)]
    if suffix == ".onnx":
        layers = onnx.onnx_layers(path)
        if not layers:
            raise KernelFileError(f"{path} has no ConvTranspose node with stored weights")
        return layers
    tensors = safetensors.read_tensors(path) if suffix == ".safetensors" else torch.read_tensors(path)
    layers = [Layer(name=name, weights=tensor, path=path) for name, tensor in tensors.items() if 3 <= tensor.ndim <= 5]
    if not layers:
        raise KernelFileError(
            f"{path} has no tensor of 3, 4 or 5 axes, as the weights (C_in, C_out / groups, *k) of a layer have"
        )
    return layers


def read_layer(path: str | Path, layer: str | None = None) -> Layer:
    """One layer of a file.

    Parameters
    ----------
    path : str or Path
        .npy, .onnx (needs the extra ``onnx``), .safetensors, .pt or .pth (need the extra ``torch``).
    layer : str or None
        Its name. None: the only one.

    Raises
    ------
    KernelFileError
        As `list_layers`, and for a name that the file does not have or that is needed, with the choices.
    OSError
        For a file that cannot be opened.
    """
    layers = list_layers(path)
    if layer is None:
        if len(layers) == 1:
            return layers[0]
        raise KernelFileError(f"{path} has {len(layers)} layers: choose one, {_named(layers)}")
    for one in layers:
        if one.name == layer:
            return one
    raise KernelFileError(f"{path} has no layer {layer!r}: choose one of {_named(layers)}")


def write_layer(output: str | Path, layer: Layer, weights: Array, *, overwrite: bool = False) -> None:
    """Write the weights to a .npy file, or a copy of the layer's own file with these weights in place of the old ones.

    Raises
    ------
    KernelFileError
        For another suffix than .npy or that of the layer's own file.
    OSError, ValueError
        As `restoretk.image_files.check_output_path`.
    """
    output = Path(output)
    check_layer_output(output, layer, overwrite=overwrite)
    if output.suffix.lower() == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, weights, allow_pickle=False)
        write_bytes(output, buffer.getvalue())
        return
    put = {".onnx": onnx.with_weights, ".safetensors": safetensors.with_tensor}.get(
        output.suffix.lower(), torch.with_tensor
    )
    write_bytes(output, put(layer.path, layer.name, weights))


def check_layer_output(output: Path, layer: Layer, *, overwrite: bool) -> None:
    """Refuse, before the work, an output that `write_layer` could not write."""
    allowed = list(dict.fromkeys([".npy", layer.path.suffix.lower()]))
    if output.suffix.lower() not in allowed:
        raise KernelFileError(f"the suffix of the output {output} must be one of {', '.join(allowed)}")
    check_output_path(output, inputs=(layer.path,), overwrite=overwrite)


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise KernelFileError(f"the suffix of {path} must be one of {', '.join(SUFFIXES)}, got {suffix!r}")
    return suffix


def _read_npy(path: Path) -> Array:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise KernelFileError(f"{path} is not a .npy file of numbers, or is cut off") from error
    if not isinstance(array, np.ndarray):
        raise KernelFileError(f"{path} holds several arrays: give one as .npy")
    return array


def _named(layers: Sequence[Layer]) -> str:
    names = ", ".join(layer.summary for layer in layers[:_MOST_NAMES])
    return names if len(layers) <= _MOST_NAMES else f"{names} and {len(layers) - _MOST_NAMES} more (--list shows all)"
