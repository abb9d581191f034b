from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def run() -> Callable[..., Any]:
    """The adapter beside this file, loaded by its path as any other harness would."""
    spec = importlib.util.spec_from_file_location("onnx_adapter", Path(__file__).with_name("onnx_adapter.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run
