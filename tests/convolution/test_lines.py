"""The extra ``fast`` gives the same pixels to rounding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import scipy.fft

from restoretk import regularized_filter, wiener
from restoretk.convolution import _fast
from restoretk.convolution._lines import DuccLines, ScipyLines, lines
from restoretk.convolution.sweeps import filter_plane


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    _fast.set_fast(None)


@pytest.mark.parametrize("shape", [(40, 63), (45, 64), (41, 31), (1, 2)])
@pytest.mark.parametrize(("dtype", "close"), [(np.float32, 3e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("kind", [ScipyLines, DuccLines])
def test_lines_are_transformed_as_numpy_does(
    kind: type, shape: tuple[int, int], dtype: type, close: float, rng: np.random.Generator
) -> None:
    if kind is DuccLines:
        pytest.importorskip("ducc0", reason="the faster FFT of the extra fast")
    transforms, plane = kind(), rng.random(shape).astype(dtype)
    spectrum = transforms.rows(plane)
    assert spectrum.dtype == np.result_type(dtype, np.complex64)
    np.testing.assert_allclose(spectrum, np.fft.rfft(plane, axis=1), atol=close * 10)
    columns = spectrum[:, 1:]  # apart in memory
    transforms.columns(columns)
    np.testing.assert_allclose(columns, np.fft.fft(np.fft.rfft(plane, axis=1)[:, 1:], axis=0), atol=close * 100)
    transforms.columns_back(columns)
    restored = transforms.rows_back(spectrum, shape[1])
    assert restored.dtype == dtype
    np.testing.assert_allclose(restored, plane, atol=close)


def test_what_scipy_cannot_transform_in_place_is_put_there(rng: np.random.Generator) -> None:
    # SciPy makes a copy in the order of this machine.
    block = (rng.random((8, 3)) + 1j * rng.random((8, 3))).astype(">c16")
    before = block.copy()
    ScipyLines().columns(block)
    np.testing.assert_allclose(block, np.fft.fft(before, axis=0), atol=1e-13)
    ScipyLines().columns_back(block)
    np.testing.assert_allclose(block, before, atol=1e-13)


@pytest.mark.parametrize("shape", [(421, 350), (400, 401)])
def test_large_pictures_come_out_the_same(shape: tuple[int, int], rng: np.random.Generator) -> None:
    pytest.importorskip("ducc0", reason="the faster FFT of the extra fast")
    pytest.importorskip("numba", reason="the compiled loops of the extra fast")
    psf = np.array([[0.05, 0.3], [0.1, 0.2], [0.25, 0.1]])
    for image, close in ((rng.random(shape), 1e-11), (rng.random(shape, dtype=np.float32), 2e-5)):
        for call in (
            lambda given: wiener(given, psf, noise_to_signal=0.01, boundary="wrap"),
            lambda given: regularized_filter(given, psf, boundary="wrap"),
            lambda given: wiener(given, psf, boundary="reflect"),
        ):
            _fast.set_fast(False)
            plain = call(image)
            _fast.set_fast(True)
            np.testing.assert_allclose(call(image), plain, atol=close)


def test_the_switch_goes_by_what_is_installed_the_environment_and_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fast, "_installed", lambda: True)
    monkeypatch.delenv("RESTORETK_FAST", raising=False)
    assert _fast.fast()
    monkeypatch.setenv("RESTORETK_FAST", "0")
    assert not _fast.fast()
    assert isinstance(lines(), ScipyLines)
    _fast.set_fast(True)
    assert _fast.fast()
    _fast.set_fast(None)
    monkeypatch.delenv("RESTORETK_FAST")
    monkeypatch.setattr(_fast, "_installed", lambda: False)
    assert not _fast.fast()


def test_the_plane_may_be_its_own_output_either_way(rng: np.random.Generator) -> None:
    def mirror(block: np.ndarray, columns: slice) -> None:  # noqa: ARG001 - what a filter is called with
        np.conj(block, out=block)

    for on in (False, True):
        if on:
            pytest.importorskip("ducc0", reason="the faster FFT of the extra fast")
        _fast.set_fast(on)
        plane = rng.random((45, 63))
        expected = scipy.fft.irfft2(np.conj(scipy.fft.rfft2(plane)), s=plane.shape)
        filter_plane(plane, mirror, plane)
        np.testing.assert_allclose(plane, expected, atol=1e-13)
