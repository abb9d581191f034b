"""Files made to burst are refused within 2 seconds and 300 MB, by a limit that the refusal names."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from restoretk.image_files import DEFAULT_LIMITS, ImageFileError, Limits, decode_image

_SCRIPT = Path(__file__).parent / "bombs.py"


def _load() -> dict[str, tuple[object, str]]:
    spec = importlib.util.spec_from_file_location("bombs", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.BOMBS


BOMBS = _load()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float, float]]:
    """What one process said of each bomb, in how many seconds of its own and with how many MB more."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, (make, _) in BOMBS.items():
        (folder / name).write_bytes(make())
    result = subprocess.run(
        [sys.executable, str(_SCRIPT), str(folder)], capture_output=True, text=True, timeout=120, check=True
    )
    assert result.stderr == ""
    return {name: (said, seconds, grown) for name, said, seconds, grown in map(json.loads, result.stdout.splitlines())}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc (Linux)")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_little_time_and_memory(name: str, outcomes: dict[str, tuple[str, float, float]]) -> None:
    said, seconds, grown = outcomes[name]
    assert seconds < 2
    assert grown < 300
    if not said.startswith("read"):
        assert name in said
        assert "\n" not in said
    assert re.search(BOMBS[name][1], said), said


def test_every_limit_can_be_raised_and_is_named_in_its_error() -> None:
    make, says = BOMBS["canvas.png"]
    with pytest.raises(ImageFileError, match=says):
        decode_image(make())
    with pytest.raises(ImageFileError, match="--max-expansion"):
        decode_image(make(), limits=Limits(pixels=10**9))
    with pytest.raises(ImageFileError, match="cannot be decoded as PNG"):  # past the limits: it holds no such pixels
        decode_image(BOMBS["small.png"][0](), limits=Limits(expansion=10**9))
    with pytest.raises(ImageFileError, match=r"80 bytes, more than the limit of 79 \(--max-file-bytes\)"):
        decode_image(bytes(80), limits=Limits(file_bytes=79))


def test_limits_must_be_counts() -> None:
    with pytest.raises(ValueError, match="the limit pixels must be an integer of at least 1, got 0"):
        Limits(pixels=0)
    assert Limits() == DEFAULT_LIMITS
