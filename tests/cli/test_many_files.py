"""Commands on one file, many, folders and streams: names, order, numbers of failure and what is said of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from click.testing import CliRunner, Result

from restoretk.cli import main
from restoretk.cli._files import FORMAT_SUFFIXES, LIMITS
from restoretk.image_files import SUFFIXES, WRITTEN, Limits, option_of

COMMAND = Path(sys.executable).parent / "restoretk"
DISK = ["--psf", "disk:radius=1"]
MANIFEST = "restoretk-manifest.jsonl"


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four small pictures in a tree, and two that are none; the working directory."""
    for name in ("in/a.png", "in/b.png", "in/sub/c.jpg", "in/sub/deep/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        iio.imwrite(tmp_path / name, rng.integers(0, 256, (21, 32), dtype=np.uint8))
    (tmp_path / "in/bad.png").write_bytes(b"This is a text.")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def start(*arguments: str | bytes, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, check=False, **options)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_keeps_its_tree_and_a_failure_does_not_stop_the_rest(folder: Path) -> None:
    result = run("deblur", "in", *DISK, "--recursive", "-o", "out/", "--report", "report.json")
    assert result.exit_code == 3
    assert set(tree(folder / "out")) == {"a.png", "b.png", "sub/c.jpg", "sub/deep/d.png", MANIFEST}
    errors = [line for line in result.stderr.splitlines() if "error" in line]
    assert errors == [
        "restoretk: error: in/bad.png is not a picture, whatever its name says: it begins with b'This is '"
    ]
    assert result.stderr.splitlines()[-1] == "restoretk: 4 done, 1 failed, 0 skipped"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["summary"] == {"done": 4, "failed": 1, "skipped": 0}
    assert [entry["status"] for entry in report["files"]] == ["done", "done", "failed", "done", "done"]


def test_a_batch_writes_what_single_runs_write_for_any_number_of_jobs(folder: Path) -> None:
    photos = ["in/a.png", "in/b.png", "in/sub/c.jpg"]
    for command in (["degrade", *DISK, "--noise", "gaussian:sigma=0.1"], ["deblur", *DISK], ["upsample"]):
        name = command[0]
        for jobs in ("1", "2"):
            assert run(*command, *photos, "-o", f"{name}{jobs}/", "--jobs", jobs).exit_code == 0
        assert tree(folder / f"{name}1") == tree(folder / f"{name}2")
        for photo in photos:
            assert run(*command, photo, "-o", f"one-{name}-{Path(photo).name}").exit_code == 0
            one = (folder / f"one-{name}-{Path(photo).name}").read_bytes()
            assert one == (folder / f"{name}1" / Path(photo).name).read_bytes()


def test_resume_skips_what_is_done_and_a_changed_option_does_it_again(folder: Path) -> None:
    (folder / "in/bad.png").unlink()
    command = ["deblur", "in", *DISK, "-r", "-o", "out"]
    assert run(*command).exit_code == 0
    whole = tree(folder / "out")
    (folder / "out/sub/c.jpg").unlink()
    again = run(*command, "--resume")
    assert "1 done, 0 failed, 3 skipped" in again.stderr
    assert tree(folder / "out") == whole
    assert "4 done" in run(*command, "--resume", "--method", "wiener:noise_to_signal=0.1").stderr
    assert "4 done" in run(*command, "--resume").stderr
    assert tree(folder / "out") == whole
    assert "4 failed" in run(*command).stderr
    assert tree(folder / "out") == whole | {MANIFEST: b""} | {MANIFEST: tree(folder / "out")[MANIFEST]}


@pytest.mark.usefixtures("folder")
def test_resume_sees_that_a_psf_file_has_changed() -> None:
    command = ["deblur", "in/a.png", "in/b.png", "--psf", "psf.npy", "-o", "out/", "--resume"]
    np.save("psf.npy", np.ones((3, 2)))
    assert "2 done" in run(*command).stderr
    assert "2 skipped" in run(*command).stderr
    np.save("psf.npy", np.ones((2, 3)))
    assert "2 done" in run(*command).stderr


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("x.png", "several pictures cannot all be written to x.png"),
        ("new/x{suffix}", "in/a.png and in/b.png would both be written to new/x.png"),
        ("{parent}/{stme}.png", "did you mean 'stem'?"),
        ("in/", "the output in/a.png is the same file as the input in/a.png"),
        ("{parent}/{name}", "is the same file as the input"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_before_any_work(folder: Path, output: str, says: str) -> None:
    before = tree(folder)
    result = run("upsample", "in/a.png", "in/b.png", "-o", output, "--force")
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert tree(folder) == before


def test_formats_that_collide_are_found_before_work(folder: Path) -> None:
    (folder / "in/a.jpg").write_bytes((folder / "in/sub/c.jpg").read_bytes())
    result = run("deblur", "in", *DISK, "-o", "out/", "--format", "png")
    assert result.exit_code == 2
    assert "in/a.jpg and in/a.png would both be written to out/a.png" in result.stderr
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [["--boundary", "mirror"], ["--method", "wener"], ["--mask", "holes"], ["--method", "wiener:noise_to_signal=-1"]],
)
def test_options_that_are_wrong_for_all_files_are_one_error(folder: Path, wrong: list[str]) -> None:
    result = run("deblur", "in", *DISK, "-o", "out/", *wrong)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert not (folder / "out").exists()


def test_a_dry_run_says_everything_and_touches_nothing(folder: Path) -> None:
    before = tree(folder)
    options = ["-r", "-o", "out/{below}/{stem}_{method}{suffix}", "--save-recipe", "r.toml", "--report", "r.json"]
    result = run("deblur", "in", *DISK, *options, "--dry-run")
    assert result.exit_code == 0
    assert "in/sub/deep/d.png -> out/sub/deep/d_wiener.png" in result.stdout.splitlines()
    record = json.loads(run("deblur", "in", *DISK, *options, "--dry-run", "--json").stdout.splitlines()[0])
    assert record["output"] == "out/a_wiener.png"
    assert tree(folder) == before
    assert not (folder / "out").exists()


@pytest.mark.usefixtures("folder")
def test_json_of_a_batch_is_a_line_for_each_file_and_one_summary() -> None:
    result = run("deblur", "in", *DISK, "-o", "out/", "--json", "--quiet", "--jobs", "2")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["schema_version"] for line in lines] == [1] * 4
    assert [line.get("status") for line in lines] == ["done", "done", "failed", None]
    assert lines[0]["method"] == "wiener"
    assert lines[-1]["summary"] == {"done": 2, "failed": 1, "skipped": 0}
    assert result.stderr.splitlines() == [
        "restoretk: error: in/bad.png is not a picture, whatever its name says: it begins with b'This is '"
    ]


@pytest.mark.usefixtures("folder")
def test_json_of_a_single_file_that_failed_is_an_object_too() -> None:
    result = run("upsample", "in/bad.png", "-o", "out.png", "--json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert record["status"] == "failed"
    assert "not a picture" in record["error"]


def test_quiet_and_verbose(folder: Path) -> None:
    assert run("deblur", "in/a.png", *DISK, "-o", "q.png", "--quiet").output == ""
    said = run("deblur", "in/a.png", *DISK, "-o", "v.png", "--verbose").stderr
    assert "in/a.png: PNG, 21 x 32, uint8" in said
    assert "noise_to_signal" in said
    quiet = run("deblur", "in/a.png", "in/b.png", *DISK, "-o", "out/").stderr
    assert "noise_to_signal" not in quiet
    assert (folder / "q.png").read_bytes() == (folder / "v.png").read_bytes()


def test_a_slash_makes_the_folder_for_a_single_file(folder: Path) -> None:
    assert run("upsample", "in/a.png", "-o", "new/folder/").exit_code == 0
    assert set(tree(folder / "new")) == {"folder/a.png"}
    (folder / "there").mkdir()
    assert run("upsample", "in/a.png", "-o", "there").exit_code == 0
    assert set(tree(folder / "there")) == {"a.png"}
    assert run("upsample", "in/a.png", "-o", "there/{stem}_{factor}x_{method}{suffix}").exit_code == 0
    assert "a_2x_bicubic.png" in tree(folder / "there")


def test_outputs_of_the_last_run_are_not_taken_as_input(folder: Path) -> None:
    (folder / "in/bad.png").unlink()
    for _ in range(2):
        result = run("upsample", "in", "-o", "in/{stem}_big{suffix}", "--force")
        assert result.exit_code == 0
    assert "2 files that this command writes itself were not taken as input" in result.stderr
    assert sorted(name for name in tree(folder / "in") if "/" not in name) == [
        "a.png", "a_big.png", "b.png", "b_big.png", MANIFEST
    ]  # fmt: skip


def test_a_folder_without_pictures_fails_with_a_hint(folder: Path) -> None:
    (folder / "empty").mkdir()
    result = run("upsample", "empty", "in/a.png", "-o", "out/")
    assert result.exit_code == 3
    assert "empty: the folder holds no pictures itself; --recursive looks in the folders inside" in result.stderr


@pytest.mark.parametrize("suffix", ["png", "tiff", "npy", "jpeg"])
def test_stdin_and_stdout_carry_the_picture_that_files_do(folder: Path, suffix: str) -> None:
    command = ["deblur", *DISK, "--format", suffix]
    piped = start(*command, "-", "-o", "-", input=(folder / "in/a.png").read_bytes(), cwd=folder)
    assert piped.returncode == 0, piped.stderr
    name = f"out{FORMAT_SUFFIXES[suffix]}"
    assert run(*command, "in/a.png", "-o", name).exit_code == 0
    assert piped.stdout == (folder / name).read_bytes()


def test_the_format_of_stdout_is_that_of_the_input_by_default(folder: Path) -> None:
    assert start("upsample", "in/sub/c.jpg", "-o", "-", cwd=folder).stdout.startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_a_bad_stream_is_one_line_and_no_output(folder: Path, data: bytes) -> None:
    result = start("upsample", "-", "-o", "-", input=data, cwd=folder)
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.startswith(b"restoretk: error: stdin ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_answered_in_one_line(folder: Path, closed: str) -> None:
    line = f'exec "$0" upsample - -o - < in/a.png {closed}'
    result = subprocess.run(["sh", "-c", line, COMMAND], cwd=folder, capture_output=True, check=False)
    assert result.returncode == (0 if closed == "2>&-" else 2)
    assert b"Traceback" not in result.stderr
    assert (b"which is closed" in result.stderr) == ("2" not in closed)


@pytest.mark.usefixtures("folder")
def test_streams_are_for_one_picture() -> None:
    assert run("upsample", "-", "in/a.png", "-o", "out/").exit_code == 2
    assert run("upsample", "in", "-o", "-").exit_code == 2
    assert run("upsample", "in/a.png", "-o", "-", "--json").exit_code == 2
    assert run("upsample", "-", "-o", "{stem}.png").exit_code == 2


def test_a_full_stdout_is_one_line(folder: Path) -> None:
    if not Path("/dev/full").exists():
        return  # only Linux has a disk that is always full
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [COMMAND, "upsample", "in/a.png", "-o", "-"], cwd=folder, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert result.returncode == 1
    assert b"No space left on device" in result.stderr
    assert len(result.stderr.splitlines()) == 1


ODD_NAMES = [
    b"with space.png",
    b"line\nfeed.png",
    b"-dash.png",
    b"\xff\xfe.png",
    b"\x1b[31mred.png",
    b"\xe2\x80\xae.png",
]
ODD_NAMES += [b"x" * 251 + b".png", b"{stem}.png", b"$(touch owned).png", b"<screen>.png", b"'\"\\.png"]


@pytest.mark.parametrize("name", ODD_NAMES[1:5], ids=range(4))
def test_odd_names_are_names_like_others(folder: Path, name: bytes) -> None:
    Path("odd").mkdir()
    Path(os.fsdecode(b"odd/" + name)).write_bytes((folder / "in/a.png").read_bytes())
    done = start("upsample", "-o", "out/", "--", name, cwd=folder / "odd")
    assert done.returncode == 0, done.stderr
    assert os.listdir(b"odd/out") == [name]  # noqa: PTH208 - pathlib knows no bytes


def test_no_name_can_command_a_terminal(folder: Path) -> None:
    Path("odd").mkdir()
    for name in ODD_NAMES:
        Path(os.fsdecode(b"odd/" + name)).write_bytes((folder / "in/a.png").read_bytes())
    done = start("upsample", "odd", "-o", "batch/", "--json", "--jobs", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    outputs = [os.fsencode(json.loads(line)["output"]) for line in done.stdout.splitlines()[:-1]]
    assert sorted(outputs) == sorted(b"batch/" + name for name in ODD_NAMES)
    for name in ODD_NAMES:
        Path(os.fsdecode(b"odd/" + name)).write_bytes(b"no picture")
    bad = start("upsample", "odd", "-o", "bad/", cwd=folder)
    *errors, summary = bad.stderr.decode("utf-8").splitlines()
    assert len(errors) == len(ODD_NAMES)
    assert all(line.startswith("restoretk: error: odd/") and line.isprintable() for line in errors)
    assert summary == f"restoretk: 0 done, {len(ODD_NAMES)} failed, 0 skipped"


def test_a_name_that_becomes_too_long_fails_alone(folder: Path) -> None:
    (folder / "in" / ("y" * 250 + ".png")).write_bytes((folder / "in/a.png").read_bytes())
    (folder / "in/bad.png").unlink()
    result = run("upsample", "in", "-o", "out/{stem}_large{suffix}")
    assert result.exit_code == 3
    assert "2 done, 1 failed" in result.stderr
    assert "File name too long" in result.stderr


@pytest.mark.usefixtures("folder")
def test_limits_are_the_limits_of_the_reader_and_named_in_their_error() -> None:
    assert set(LIMITS) == {field.name for field in fields(Limits)}
    for option in ("--max-pixels", "--max-file-bytes", "--max-bytes", "--max-values"):
        result = run("upsample", "in/a.png", "-o", "out.png", option, "100")
        assert result.exit_code == 1
        assert ("--max-file-bytes" if option == "--max-bytes" else option) in result.stderr
    assert option_of("file_bytes") == "--max-file-bytes"
    assert run("upsample", "in/a.png", "-o", "out.png", "--max-pixels", "1K").exit_code == 0
    refused = run("upsample", "in/a.png", "-o", "out2.png", "--max-memory", "1K")
    assert refused.exit_code == 1
    assert "(--max-memory)" in refused.stderr


@pytest.mark.parametrize("amount", ["0", "-1", "1.5", "many", "", "1P", "9" * 19])
@pytest.mark.usefixtures("folder")
def test_an_amount_is_a_whole_number(amount: str) -> None:
    assert run("upsample", "in/a.png", "-o", "out.png", "--max-pixels", amount).exit_code == 2


def test_the_formats_that_can_be_asked_for_are_those_that_are_written() -> None:
    assert sorted(SUFFIXES[suffix] for suffix in FORMAT_SUFFIXES.values()) == sorted(WRITTEN)
    assert all(SUFFIXES[suffix].lower() == name for name, suffix in FORMAT_SUFFIXES.items())


@pytest.mark.usefixtures("folder")
def test_a_wrong_option_is_answered_with_the_nearest() -> None:
    result = run("deblur", "in/a.png", *DISK, "-o", "out.png", "--bondary", "wrap")
    assert result.exit_code == 2
    assert "--boundary" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_complete_commands_and_options(shell: str) -> None:
    script = run("completion", shell).stdout
    assert "_RESTORETK_COMPLETE" in script
    words = {"COMP_WORDS": "restoretk de", "COMP_CWORD": "de" if shell == "fish" else "1"}
    found = start(env={**os.environ, "_RESTORETK_COMPLETE": f"{shell}_complete", **words})
    assert b"deblur" in found.stdout
    assert b"degrade" in found.stdout
    words = {"COMP_WORDS": "restoretk deblur --bo", "COMP_CWORD": "--bo" if shell == "fish" else "2"}
    assert b"--boundary" in start(env={**os.environ, "_RESTORETK_COMPLETE": f"{shell}_complete", **words}).stdout


def test_the_bash_script_is_bash() -> None:
    script = run("completion", "bash").stdout
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_nothing_but_text_is_written_to_a_pipe(folder: Path) -> None:
    result = start("deblur", "in", *DISK, "-o", "out/", cwd=folder, env={**os.environ, "FORCE_COLOR": "1"})
    assert b"\x1b" not in result.stderr
    assert b"\r" not in result.stderr


def test_progress_is_shown_on_a_terminal_and_taken_away(folder: Path) -> None:
    pty = pytest.importorskip("pty", reason="terminals are a matter of POSIX")
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "upsample", "in/a.png", "in/b.png", "-o", "out/"],
        cwd=folder,
        stderr=writer,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(writer)
    seen = b""
    while True:
        try:
            block = os.read(reader, 1000)
        except OSError:  # how Linux says that the other side has left
            break
        if not block:
            break
        seen += block
    assert process.wait() == 0
    os.close(reader)
    assert b"\r0/2 files" in seen
    assert b"\r1/2 files" in seen
    assert b"\x1b" not in seen
    assert seen.endswith(b"restoretk: 2 done, 0 failed, 0 skipped\r\n")


@pytest.mark.usefixtures("folder")
def test_debug_shows_where_and_nothing_else_does() -> None:
    plain = run("upsample", "in/bad.png", "-o", "out.png")
    assert "Traceback" not in plain.stderr
    for arguments in (["--debug", "upsample"], ["upsample", "--debug"]):
        shown = run(*arguments, "in/bad.png", "-o", "out.png")
        assert "Traceback" in shown.stderr
        assert shown.stderr.splitlines()[-1] == plain.stderr.splitlines()[-1]


@pytest.mark.usefixtures("folder")
def test_an_error_that_nobody_foresaw_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr("restoretk.upsampling.upsample", broken)
    result = run("upsample", "in/a.png", "-o", "out.png")
    assert result.exit_code == 1
    expected = "restoretk: error: in/a.png: IndexError: list index out of range (not foreseen; --debug shows where)\n"
    assert result.stderr == expected
