"""Run many calls of the installed command, each in a fork of one process that has imported what they need.

Reads one JSON list of calls on stdin and prints one JSON object for each: exit code, what was printed, CPU seconds, by
how many MB its memory grew over the idle process, and what it did that no call may do.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import gc
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

#: What no call may do: reach another machine, start another program, or build objects out of a file.
FORBIDDEN = (
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pickle.find_class", "webbrowser.open"),
)
SECONDS = 20  # after which a call hangs
_LEFT_ALONE = 120  # what Python itself exits with when stdout cannot be written at its end


def main() -> None:
    """Serve the calls one after another."""
    offline()
    command = next(point for point in entry_points(group="console_scripts") if point.name == "restoretk").load()
    warm_up()
    gc.freeze()  # what is there already is never looked at by the children, or each would copy it
    idle = peak_of_idle()
    for call in json.load(sys.stdin):
        print(json.dumps(run(command, call, idle)), flush=True)


def offline() -> None:
    """Leave the network, where the system lets us: even a library in C then reaches nothing."""
    unshare = getattr(ctypes.CDLL(None), "unshare", None)
    if unshare is not None:
        unshare(0x40000000)  # CLONE_NEWNET; without the right to it, the audit hook is all there is


def warm_up() -> None:
    """Import what the commands import when they run: it counts as idle, and is not paid for in each call."""
    names = "restoretk.cli numpy scipy.signal scipy.fft scipy.sparse.linalg scipy.optimize scipy.ndimage tifffile"
    names += " PIL.Image imageio.v3 jinja2 skimage.metrics pyvips astropy.io.fits pillow_heif rawpy"
    names += " restoretk.batch restoretk.batch.running multiprocessing.connection concurrent.futures.process"
    names += " restoretk.image_files restoretk.comparison restoretk.catalogue restoretk.report restoretk.upsampling"
    names += " restoretk.restoration restoretk.tone_curve restoretk.kernel_files restoretk.degradation"
    for name in (*names.split(), *(f"restoretk.cli.{name}" for name in ("deblur", "degrade", "upsample", "info"))):
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            print(f"without {error.name}", file=sys.stderr)


def run(command: Callable[[], int], call: dict[str, Any], idle: float) -> dict[str, Any]:
    """One call in a child process."""
    pipes = [os.pipe() for _ in range(3)]  # not files, whose size a call may limit
    for _, end in pipes:
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 1 << 20)
    child = os.fork()
    if child == 0:
        try:
            in_child(command, call, [end for _, end in pipes])
        finally:
            os._exit(99)
    for _, end in pipes:
        os.close(end)
    hung = False
    limit = time.monotonic() + SECONDS
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            break
        if time.monotonic() > limit:
            hung = True
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    printed = []
    for start, _ in pipes:
        with os.fdopen(start, "rb") as stream:
            printed.append(stream.read().decode(errors="surrogateescape"))
    return {
        "code": os.waitstatus_to_exitcode(status),
        "hung": hung,
        "stdout": printed[0],
        "stderr": printed[1],
        "forbidden": printed[2],
        "seconds": usage.ru_utime + usage.ru_stime,
        "grown": usage.ru_maxrss / 1024 - idle,
    }


def peak_of_idle() -> float:
    """The peak of a fork that does nothing, in MB."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    return os.wait4(child, 0)[2].ru_maxrss / 1024


def in_child(command: Callable[[], int], call: dict[str, Any], printed: list[int]) -> None:
    """Make the process what the call asks for, and be the installed script."""
    os.setsid()
    os.chdir(call["folder"])
    stdin = os.open(call.get("stdin") or os.devnull, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(stdin, True)
    stdout, stderr, report = printed
    streams = [stdin, os.open(call["stdout"], os.O_WRONLY) if "stdout" in call else stdout, stderr]
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", errors="backslashreplace")  # noqa: SIM115
    if call.get("largest_file") is not None:
        # Python ignores SIGXFSZ, so that a file that grows too large is an error of the write, as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (call["largest_file"], call["largest_file"]))
    if call.get("without_privileges"):
        drop_capabilities()
    if call.get("fault"):
        inject(*call["fault"])
    watch(report)
    sys.argv = ["restoretk", *call["arguments"]]
    code: Any = 1
    try:
        code = command()
    except SystemExit as left:
        code = left.code
    except BaseException:
        traceback.print_exc()
    code = 0 if code is None else code if isinstance(code, int) else 1
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        code = code or _LEFT_ALONE
    sys.stderr.flush()
    os._exit(code)


def watch(report: int) -> None:
    """Write down what no call may do."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in FORBIDDEN:
            os.write(report, f"{event} {arguments!r}\n".encode(errors="backslashreplace"))
        elif event == "open" and "secret.tif" in str(arguments[0]):
            os.write(report, f"opened {arguments[0]!r}\n".encode(errors="backslashreplace"))

    sys.addaudithook(hook)


def drop_capabilities() -> None:
    """From here on access rights hold for root too: capset(2) with nothing left, version 3 of the header."""
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, nothing):
        raise OSError(ctypes.get_errno(), "capset")


def inject(function: str, what: str) -> None:
    """Let a function of os send this process a signal, or fail with an error, in the middle of a write."""
    honest = getattr(os, function)

    def faulty(*arguments: Any, **options: Any) -> Any:
        if function == "open" and ".restoretk-" not in os.fsdecode(arguments[0]):
            return honest(*arguments, **options)
        if what.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, what))
            return honest(*arguments, **options)
        raise OSError(getattr(errno, what), os.strerror(getattr(errno, what)))

    setattr(os, function, faulty)


if __name__ == "__main__":
    main()
