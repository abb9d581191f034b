"""A file appears whole or not at all, under odd names and on full disks, and never over what it was made from."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from restoretk.image_files import PART_PREFIX, ImageFileError, check_output_path, read_image, write_bytes, write_image


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(
    "name",
    [
        b"a b.png",
        b"two\nlines.png",
        b"-leading.png",
        b"\xff\xfe.png",
        b"x" * 251 + b".png",
        "µ☃".encode() + b".png",
        b"$(true)`'\".png",
    ],
)
def test_odd_names_are_written_and_read(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    write_image(path, np.array([[0.0, 1.0]]))
    assert read_image(path).image.tolist() == [[0.0, 1.0]]
    path.write_bytes(b"no picture")
    with pytest.raises(ImageFileError, match="is not a picture") as caught:
        read_image(path)
    assert str(caught.value).isprintable()
    assert [os.fsencode(entry.name) for entry in tmp_path.iterdir()] == [name]


def test_a_full_disk_is_said_with_the_name_and_leaves_the_old_file(tmp_path: Path) -> None:
    """As a stand-in for a full disk the system is told to refuse files of more than 4 kB."""
    (tmp_path / "out.bin").write_bytes(b"old")
    code = (
        "import resource, signal, sys\n"
        "from restoretk.image_files import write_bytes\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    write_bytes(sys.argv[1], bytes(100_000))\n"
        "except OSError as error:\n"
        "    print(error.errno, error.filename)\n"
    )
    path = str(tmp_path / "out.bin")
    result = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert result.stdout.split() == [str(errno.EFBIG), path]
    assert _names(tmp_path) == ["out.bin"]
    assert Path(path).read_bytes() == b"old"


def test_no_space_left_is_an_error_that_names_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*out.bin"):
        write_bytes(tmp_path / "out.bin", b"new")
    assert _names(tmp_path) == []


def test_the_data_and_then_the_name_are_put_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, list[str]]] = []

    def note(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((kind, [name[: len(PART_PREFIX)] for name in _names(tmp_path)]))

    monkeypatch.setattr(os, "fsync", note)
    write_bytes(tmp_path / "the file.bin", b"new")
    assert synced == [("file", [PART_PREFIX]), ("folder", ["the file.bi"])]


def test_a_replaced_file_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "private.bin"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_bytes(path, b"new")
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o640, b"new")


def test_devices_pipes_and_links_to_nowhere_are_not_replaced_unasked(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/null")):
        with pytest.raises(ImageFileError, match="is a device or a pipe"):
            check_output_path(path, overwrite=True)
    (tmp_path / "dangling.png").symlink_to(tmp_path / "absent.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for name in ("dangling.png", "loop.png"):
        with pytest.raises(FileExistsError, match=f"{name} exists"):
            check_output_path(tmp_path / name)
        assert write_image(tmp_path / name, np.zeros((2, 2)), overwrite=True).path.is_file()
    assert not (tmp_path / "absent.png").exists()


def test_the_input_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    write_image(tmp_path / "in.png", np.zeros((2, 3)))
    source = read_image(tmp_path / "in.png")
    with pytest.raises(ImageFileError, match="same file as the input"):
        write_image(tmp_path / "in.png", source.image + 1, like=source, overwrite=True)
    write_image(tmp_path / "in.png", source.image + 1, like=source, replace_input=True)
    assert read_image(tmp_path / "in.png").image.min() == 1


def test_symlink_loops_and_devices_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    with pytest.raises((OSError, RuntimeError), match=r"loop|Too many levels"):
        read_image(tmp_path / "loop.png")
    with pytest.raises(ImageFileError, match="/dev/zero is not a regular file"):
        read_image("/dev/zero")


def test_a_file_under_the_temporary_name_is_neither_followed_nor_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda length: "0" * length)
    victim, trap = tmp_path / "victim", tmp_path / f"{PART_PREFIX}{'0' * 8}"
    victim.write_bytes(b"kept")
    trap.symlink_to(victim)
    with pytest.raises(FileExistsError, match=r"out.bin"):
        write_bytes(tmp_path / "out.bin", b"new")
    assert (victim.read_bytes(), trap.is_symlink()) == (b"kept", True)
