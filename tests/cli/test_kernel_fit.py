from __future__ import annotations

import json

import imageio.v3 as iio
import numpy as np
import pytest
from click.testing import CliRunner

from restoretk.cli import main
from restoretk.upsampling import KernelBank, load_kernel, upsample


@pytest.fixture
def photo(tmp_path, camera):
    iio.imwrite(tmp_path / "photo.png", np.rint(camera[:160, :200] * 255).astype(np.uint8))
    return tmp_path / "photo.png"


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_a_kernel_is_fitted_and_enlarges(photo, tmp_path):
    kernel = tmp_path / "mine.npy"
    result = run("kernel", "fit", photo, "--factor", 2, "--size", 5, "-o", kernel, "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["condition"] > 1
    assert json.loads(kernel.with_suffix(".json").read_text())["pictures"] == ["photo.png"]
    assert load_kernel(kernel).shape == (10, 10)
    result = run("upsample", photo, "--factor", 2, "--kernel", kernel, "-o", tmp_path / "big.png")
    assert result.exit_code == 0, result.output
    expected = upsample(iio.imread(photo), 2, kernel=load_kernel(kernel))
    np.testing.assert_array_equal(iio.imread(tmp_path / "big.png"), expected)


def test_a_bank_is_fitted_and_enlarges(photo, tmp_path):
    bank = tmp_path / "mine.npz"
    assert run("kernel", "fit", photo, "--bank", "--size", 5, "-o", bank).exit_code == 0
    assert isinstance(load_kernel(bank), KernelBank)
    assert run("upsample", photo, "--kernel", bank, "-o", tmp_path / "big.png").exit_code == 0
    assert iio.imread(tmp_path / "big.png").shape == (320, 400)


@pytest.mark.parametrize("kernel", ["fitted", "bank"])
def test_the_kernels_that_come_with_the_package_are_known_by_name(photo, tmp_path, kernel):
    result = run("upsample", photo, "--factor", 3, "--kernel", kernel, "-o", tmp_path / "big.png")
    assert result.exit_code == 0, result.output
    assert iio.imread(tmp_path / "big.png").shape == (480, 600)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "mine.png"], "must end in .npy or .onnx"),
        (["--bank", "-o", "mine.npy"], "must end in .npz"),
        (["--bank", "--rank", "1", "-o", "mine.npz"], "--rank is for one kernel"),
        (["--size", "4", "-o", "mine.npy"], "size must be odd"),
        (["--blur", "box:size=3", "-o", "mine.npy"], "even length"),
        (["--blur", "bx:size=3", "-o", "mine.npy"], "box"),
    ],
)
def test_what_does_not_fit_together_is_one_line(photo, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    result = run("kernel", "fit", photo, *words)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert not (tmp_path / "mine.npy").exists()


def test_neither_the_kernel_nor_what_lies_beside_it_is_replaced_unasked(photo, tmp_path):
    (tmp_path / "mine.json").write_text("mine")
    result = run("kernel", "fit", photo, "-o", tmp_path / "mine.npy")
    assert result.exit_code == 1
    assert (tmp_path / "mine.json").read_text() == "mine"
    assert run("kernel", "fit", photo, "-o", tmp_path / "mine.npy", "--force").exit_code == 0
