from __future__ import annotations

import numpy as np
import pytest

from restoretk.kernel_files import KernelFileError, export_onnx, read_layer
from restoretk.upsampling import fitted_kernel, kernel_taps, upsample

onnx = pytest.importorskip("onnx", reason='needs pip install "restoretk[onnx]"')


@pytest.mark.parametrize("shape", [(2, 3, 17, 12), (1, 3, 5, 40)])
@pytest.mark.parametrize(
    ("kernel", "factor"),
    [("bicubic", 2), ("bilinear", 3), ("nearest", 2), ("fitted", 2), ("fitted", 3), ("fitted:rank=1", 4), ("odd", 2)],
)
def test_onnxruntime_runs_it_to_the_same_pixels(rng, tmp_path, kernel, factor, shape):
    onnxruntime = pytest.importorskip("onnxruntime", reason="runs the exported model")
    if kernel == "odd":
        taps = rng.random((4, 10))
        ours = taps
    else:
        taps = fitted_kernel(factor) if kernel == "fitted" else kernel_taps(kernel, factor)
        ours = kernel
    export_onnx(tmp_path / "up.onnx", taps, factor, channels=3)
    image = rng.random(shape).astype(np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "up.onnx", providers=["CPUExecutionProvider"])
    (enlarged,) = session.run(None, {"image": image})
    expected = np.stack([upsample(one, factor, kernel=ours, channel_axis=0) for one in image])
    np.testing.assert_allclose(enlarged, expected, rtol=0, atol=5e-6)


def test_the_layer_reads_back(tmp_path):
    export_onnx(tmp_path / "up.onnx", fitted_kernel(2), 2)
    layer = read_layer(tmp_path / "up.onnx")
    assert layer.name == "enlarge"
    assert layer.stride == (2, 2)
    np.testing.assert_allclose(layer.weights[0, 0], fitted_kernel(2), rtol=0, atol=1e-7)


def test_bad_input_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(KernelFileError, match=r"must be \.onnx"):
        export_onnx(tmp_path / "up.npy", [1, 1], 2)
    with pytest.raises(ValueError, match="taps on each axis, got shape"):
        export_onnx(tmp_path / "up.onnx", [1, 1, 1], 2)
    with pytest.raises(ValueError, match="channels must be at least 1"):
        export_onnx(tmp_path / "up.onnx", [1, 1], 2, channels=0)
    with pytest.raises(ValueError, match="kernel must be finite"):
        export_onnx(tmp_path / "up.onnx", [1, np.nan], 2)
    export_onnx(tmp_path / "up.onnx", [1, 1], 2)
    with pytest.raises(FileExistsError):
        export_onnx(tmp_path / "up.onnx", [1, 1], 2)
