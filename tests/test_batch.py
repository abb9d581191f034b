"""The batch engine: plans without surprises, one failure is one failure, what is done stays done."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from restoretk._grammar import OptionError
from restoretk.batch import (
    MANIFEST_NAME,
    Found,
    Outcome,
    OutputNames,
    Plan,
    PlanError,
    Task,
    find_inputs,
    make_plan,
    run_batch,
)
from restoretk.batch.workers import run_tasks
from restoretk.image_files import write_bytes

SUFFIXES = (".png", ".jpg")


def names(text: str, **options: Any) -> OutputNames:
    return OutputNames(text=text, suffixes=SUFFIXES, **options)


def reverse(task: Task, overwrite: bool) -> Mapping[str, Any]:
    """The work of these tests: the bytes of a file backwards; some contents have their own ideas."""
    data = task.source.read_bytes()
    if data == b"crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if data == b"exit":
        os._exit(7)
    if data == b"wrong":
        raise ValueError("this one is wrong")
    if data.startswith(b"slow"):
        time.sleep(0.3)
    if task.output.exists() and not overwrite:
        raise FileExistsError(f"{task.output} exists")
    write_bytes(task.output, data[::-1])
    return {"length": len(data)}


def files(folder: Path, contents: Mapping[str, bytes]) -> Path:
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def plan_for(folder: Path, output: Path) -> Plan:
    found = find_inputs([folder], suffixes=SUFFIXES, recursive=True)
    return make_plan(found, names(f"{output}/", several=True).path_for)


def run(plan: Plan, folder: Path | None, **options: Any) -> list[Outcome]:
    options = {"parameters": {"k": 1}, "version": "1", **options}
    return list(run_batch(plan, reverse, folder=folder, **options))


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


# --- what is found


def test_a_folder_stands_for_its_pictures_in_order_without_hidden_ones(tmp_path: Path) -> None:
    files(
        tmp_path, dict.fromkeys(["b.png", "A.PNG", "c.txt", ".restoretk-12", ".h.png", "sub/d.jpg", ".git/e.png"], b"")
    )
    flat = find_inputs([tmp_path], suffixes=SUFFIXES)
    assert [found.path.name for found in flat] == ["A.PNG", "b.png"]
    deep = find_inputs([tmp_path], suffixes=SUFFIXES, recursive=True)
    assert [(found.path.name, found.below.as_posix()) for found in deep] == [
        ("A.PNG", "."),
        ("b.png", "."),
        ("d.jpg", "sub"),
    ]


def test_each_file_is_found_once_and_the_outputs_never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files(tmp_path, dict.fromkeys(["in/a.png", "in/out/a.png"], b"")))
    paths = [Path("in/a.png"), Path("in"), Path("./in/a.png")]
    found = find_inputs(paths, suffixes=SUFFIXES, recursive=True, outside=Path("in/out"))
    assert [each.path.as_posix() for each in found] == ["in/a.png"]
    assert found[0].named


def test_a_loop_of_links_ends_and_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    files(tmp_path, {"in/a.png": b""})
    (tmp_path / "in/again").symlink_to(tmp_path / "in")
    (tmp_path / "in/round.png").symlink_to(tmp_path / "in/round.png")
    found = find_inputs([tmp_path / "in"], suffixes=SUFFIXES, recursive=True)
    assert [each.path.name for each in found] == ["a.png", "round.png"]


def test_an_empty_folder_is_a_problem_and_says_how_to_look_deeper(tmp_path: Path) -> None:
    (found,) = find_inputs([files(tmp_path, {"sub/a.png": b""})], suffixes=SUFFIXES)
    assert "--recursive" in found.problem


# --- where it goes


def test_a_folder_keeps_the_tree_and_a_format_changes_the_suffix() -> None:
    found = Found(path=Path("in/sub/a.jpg"), below=Path("sub"), named=False)
    assert names("out/").path_for(found, 1) == Path("out/sub/a.jpg")
    assert names("out/", suffix=".png").path_for(found, 1) == Path("out/sub/a.png")
    assert names("out", several=True).path_for(found, 1) == Path("out/sub/a.jpg")
    assert names("out").path_for(found, 1) == Path("out")


def test_a_template_knows_the_input_and_the_command() -> None:
    found = Found(path=Path("in/sub/a.b.jpg"), below=Path("sub"), named=False)
    template = names(
        "{parent}/x/{below}/{index}{{}}{stem}_{method}_{psf}{suffix}", more={"method": "wiener", "psf": "p/q:r=1"}
    )
    assert template.path_for(found, 7) == Path("in/sub/x/sub/7{}a.b_wiener_p_q_r=1.jpg")
    assert template.folder is None
    assert names("out/{name}").folder == Path("out")
    assert names("{stem}_new.png").folder == Path()


@pytest.mark.parametrize("text", ["{stem.__class__}", "{0}", "{}", "{stem!r}", "{name:>9}", "{Stem}", "{a{stem}"])
def test_a_field_that_does_not_exist_is_refused_with_the_choices(text: str) -> None:
    with pytest.raises(OptionError, match=r"must be one of stem, name, suffix|no partner"):
        names(text)


@pytest.mark.parametrize("text", ["a{", "}", "{stem}}", "{{}"])
def test_a_brace_without_its_partner_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="no partner"):
        names(text)


def test_several_pictures_are_not_written_to_one_file() -> None:
    with pytest.raises(OptionError, match=r"several pictures cannot all be written to out\.png"):
        names("out.png", several=True)


# --- what cannot go together


def test_two_inputs_of_one_output_are_refused_however_it_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    outputs = {"a.png": tmp_path / "out/a.png", "a.jpg": tmp_path / "link/../link/a.png"}
    with pytest.raises(PlanError, match=r"a\.png and a\.jpg would both be written to"):
        make_plan([Found(path=Path("a.png")), Found(path=Path("a.jpg"))], lambda found, _: outputs[found.path.name])


@pytest.mark.parametrize("link", ["none", "hard", "soft"])
def test_no_output_is_an_input_of_the_batch_or_a_file_to_keep(tmp_path: Path, link: str) -> None:
    files(tmp_path, {"a.png": b"", "b.png": b"", "psf.npy": b""})
    target = tmp_path / "target.png"
    if link == "hard":
        target.hardlink_to(tmp_path / "b.png")
    if link == "soft":
        target.symlink_to(tmp_path / "b.png")
    output = tmp_path / "b.png" if link == "none" else target
    found = [Found(path=tmp_path / "a.png"), Found(path=tmp_path / "b.png")]
    chosen = {tmp_path / "a.png": output, tmp_path / "b.png": tmp_path / "c.png"}
    with pytest.raises(PlanError, match="same file as the input"):
        make_plan(found, lambda each, _: chosen[each.path])
    with pytest.raises(PlanError, match=r"same file as the input .*psf\.npy"):
        make_plan(found[:1], lambda *_: tmp_path / "psf.npy", keep=[tmp_path / "psf.npy"])


def test_outputs_of_an_earlier_run_are_not_taken_as_input(tmp_path: Path) -> None:
    files(tmp_path, dict.fromkeys(["a.png", "a_new.png", "a_new_new.png", "b.png"], b""))
    template = names(f"{tmp_path}/{{stem}}_new{{suffix}}", several=True)
    plan = make_plan(find_inputs([tmp_path], suffixes=SUFFIXES), template.path_for)
    assert [task.source.name for task in plan.tasks] == ["a.png", "b.png"]
    assert [path.name for path in plan.own_outputs] == ["a_new.png", "a_new_new.png"]


# --- the work


def test_one_failure_is_one_failure_and_a_dead_worker_too(tmp_path: Path) -> None:
    contents = {"a.png": b"ab", "b.png": b"crash", "c.png": b"wrong", "d.png": b"exit", "e.png": b"xyz"}
    files(tmp_path / "in", contents)
    for jobs in (1, 2):
        out = tmp_path / f"out{jobs}"
        outcomes = run(plan_for(tmp_path / "in", out), out, jobs=jobs)
        assert statuses(outcomes) == ["done", "failed", "failed", "failed", "done"]
        assert [outcome.task.source.name for outcome in outcomes] == sorted(contents)
        assert "SIGKILL" in outcomes[1].error
        assert outcomes[2].error == "this one is wrong"
        assert "Traceback" in outcomes[2].trace
        assert "code 7" in outcomes[3].error
        assert outcomes[4].result == {"length": 3}
    one, two = tree(tmp_path / "out1"), tree(tmp_path / "out2")
    assert one == two
    assert set(one) == {"a.png", "e.png", MANIFEST_NAME}


def test_a_resumed_run_does_only_what_is_missing_or_changed(tmp_path: Path) -> None:
    source, out = (
        files(tmp_path / "in", {"a.png": b"ab", "b.png": b"cd", "c.png": b"ef", "d.png": b"gh"}),
        tmp_path / "out",
    )
    assert statuses(run(plan_for(source, out), out)) == ["done"] * 4
    whole = tree(out)
    (out / "b.png").unlink()
    (source / "c.png").write_bytes(b"new")
    times = {name: (out / name).stat().st_mtime_ns for name in ("a.png", "d.png")}
    assert statuses(run(plan_for(source, out), out, resume=True)) == ["skipped", "done", "done", "skipped"]
    assert {name: (out / name).stat().st_mtime_ns for name in times} == times
    (source / "c.png").write_bytes(b"ef")
    assert statuses(run(plan_for(source, out), out, resume=True)) == ["skipped", "skipped", "done", "skipped"]
    assert tree(out) == whole
    assert statuses(run(plan_for(source, out), out, resume=True, parameters={"k": 2})) == ["done"] * 4
    assert statuses(run(plan_for(source, out), out, resume=True, parameters={"k": 2}, version="2")) == ["done"] * 4


def test_what_the_batch_did_not_write_is_never_replaced_on_resuming(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in", {"a.png": b"ab", "b.png": b"cd"}), tmp_path / "out"
    files(out, {"a.png": b"a picture of somebody"})
    for resume in (False, True, True):
        outcomes = run(plan_for(source, out), out, resume=resume)
        assert outcomes[0].status == "failed"
        assert "the output exists" in outcomes[0].error
        assert (out / "a.png").read_bytes() == b"a picture of somebody"
    (out / "b.png").write_bytes(b"edited by hand")
    assert statuses(run(plan_for(source, out), out, resume=True)) == ["failed", "failed"]
    assert (out / "b.png").read_bytes() == b"edited by hand"
    assert statuses(run(plan_for(source, out), out, overwrite=True)) == ["done", "done"]


def test_half_a_manifest_costs_work_and_nothing_else(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in", {"a.png": b"ab", "b.png": b"cd"}), tmp_path / "out"
    run(plan_for(source, out), out)
    whole = tree(out)
    lines = whole[MANIFEST_NAME].splitlines(keepends=True)
    begun = b'{"output": "b.png", "status": "begun"}\n'
    for manifest in (lines[0] + begun + lines[1][:40], lines[0] + begun, b"[1]\n\xff\n" + lines[0] + lines[1]):
        (out / MANIFEST_NAME).write_bytes(manifest)
        outcomes = run(plan_for(source, out), out, resume=True)
        assert "failed" not in statuses(outcomes)
        assert outcomes[0].status == "skipped"
        assert tree(out) == whole


def test_temporary_files_of_a_killed_run_are_swept_and_fresh_ones_of_others_are_not(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in", {"sub/a.png": b"ab"}), tmp_path / "out"
    files(out, {"sub/.restoretk-0123": b"half", "sub/.restoretk-old": b"half", "sub/.other": b"mine"})
    os.utime(out / "sub/.restoretk-old", (0, 0))
    run(plan_for(source, out), out)
    assert sorted(path.name for path in (out / "sub").iterdir()) == [".other", ".restoretk-0123", "a.png"]
    (out / MANIFEST_NAME).write_bytes(b'{"output": "sub/a.png", "status": "begun"}\n')
    run(plan_for(source, out), out, resume=True)
    assert sorted(path.name for path in (out / "sub").iterdir()) == [".other", "a.png"]


def test_a_second_batch_is_kept_out_of_the_folder(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="locks of folders are a matter of POSIX")
    source, out = files(tmp_path / "in", {"a.png": b"ab", "b.png": b"cd"}), tmp_path / "out"
    plan = plan_for(source, out)
    first = run_batch(plan, reverse, folder=out, parameters={}, version="1")
    next(first)
    with pytest.raises(BlockingIOError, match="another batch is writing into this folder"):
        next(run_batch(plan, reverse, folder=out, parameters={}, version="1"))
    assert len(list(first)) == 1
    assert statuses(run(plan, out, overwrite=True)) == ["done", "done"]


def die_of_idleness(task: int) -> int:
    threading.Timer(0.1, os._exit, [0]).start()
    return task


def slow_tasks(count: int) -> Iterator[int]:
    for number in range(count):
        yield number
        time.sleep(0.6)


def test_a_worker_that_dies_between_tasks_takes_none_with_it() -> None:
    assert list(run_tasks(die_of_idleness, slow_tasks(3), jobs=1)) == [(0, 0), (1, 1), (2, 2)]


def test_leaving_a_batch_early_ends_its_workers(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in", {f"{name}.png": b"slow" for name in "abcdef"}), tmp_path / "out"
    batch = run_batch(plan_for(source, out), reverse, folder=out, parameters={}, version="1", jobs=2)
    next(batch)
    batch.close()
    done = len(tree(out))
    time.sleep(0.5)
    assert len(tree(out)) == done
    assert done < 7
    assert "failed" not in statuses(run(plan_for(source, out), out, resume=True, parameters={}))
    assert len(tree(out)) == 7


def test_the_manifest_says_what_was_made_of_what(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in", {"sub/a.png": b"ab"}), tmp_path / "out"
    run(plan_for(source, out), out)
    (line,) = (out / MANIFEST_NAME).read_text(encoding="ascii").splitlines()
    entry = json.loads(line)
    assert entry["output"] == "sub/a.png"
    assert entry["input"] == str(source / "sub/a.png")
    assert (entry["input_bytes"], entry["output_bytes"]) == (2, 2)
    assert (entry["parameters"], entry["version"], entry["status"]) == ({"k": 1}, "1", "done")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    source, out = files(tmp_path / "in", {"a.png": b"ab"}), tmp_path / "out"
    os.mkfifo(source / "b.png")
    plan = plan_for(source, out)
    outcomes = list(run_batch(plan, partial(_refusing_pipes), folder=out, parameters={}, version="1"))
    assert statuses(outcomes) == ["done", "failed"]


def _refusing_pipes(task: Task, overwrite: bool) -> Mapping[str, Any]:
    if not task.source.is_file():
        raise ValueError("not a regular file")
    return reverse(task, overwrite)


def test_wrong_arguments_of_a_batch_are_refused(tmp_path: Path) -> None:
    plan = Plan(tasks=(), own_outputs=())
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        run(plan, tmp_path, jobs=0)
    with pytest.raises(ValueError, match="resume needs a folder"):
        run(plan, None, resume=True)
