"""The calls: each a folder of files, an argument list, and what is to come of it."""

from __future__ import annotations

import importlib.util
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


def load(name: str, path: Path) -> ModuleType:
    """A module of the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


HERE = Path(__file__).parent
pictures = load("hostile_pictures", HERE / "pictures.py")
bombs = load("hostile_bombs", HERE.parent / "image_files" / "bombs.py")

FAST = "wiener:noise_to_signal=0.01"
FINE, REFUSED, USAGE, EITHER, WRONG = (0,), (1,), (2,), (0, 1), (1, 2)
_CODES = {"fine": FINE, "refused": REFUSED, "either": EITHER}


@dataclass
class Case:
    """One call.

    ``files`` are written into an empty folder beside photo.png and an old out.png, then ``prepare`` does the rest.
    ``out`` is the only path that may change, and only if the call succeeds; ``same_as`` holds bytes of a whole picture
    whose pixels out.npy must have in that case.
    """

    name: str
    arguments: list[str]
    codes: tuple[int, ...]
    files: dict[str, bytes] = field(default_factory=dict)
    prepare: Callable[[Path], None] = lambda _: None
    out: str | None = "out.png"
    same_as: tuple[str, bytes] | None = None
    lines: int = 6
    more: dict[str, Any] = field(default_factory=dict)


def reading(number: int, name: str, *, out: str = "out.png") -> list[str]:
    """A call that reads a file: the commands take turns."""
    calls = [
        ["deblur", name, "--psf", "disk:radius=1.5", "--method", FAST, "--boundary", "symmetric", "-o", out],
        ["degrade", name, "--psf", "gaussian:sigma=1", "-o", out],
        ["upsample", name, "--factor", "2", "-o", out],
    ]
    return [*calls[number % 3], "--force", "--allow-loss"]


def truncated() -> Iterator[Case]:
    """Every format cut at several lengths: refused, or all its pixels are there."""
    for name, data in pictures.whole().items():
        for length in (3, 11, len(data) // 3, 2 * len(data) // 3, len(data) - 60, len(data) - 1):
            arguments = ["upsample", "cut-" + name, "--factor", "1", "--kernel", "nearest", "-o", "out.npy"]
            yield Case(
                f"truncated {name} at {length} of {len(data)}",
                [*arguments, "--force", "--allow-loss"],
                EITHER if length > len(data) // 2 else REFUSED,
                {"cut-" + name: data[:length]},
                out="out.npy",
                same_as=(name, data),
            )


def corrupt() -> Iterator[Case]:
    """Every format with bytes changed, in its header and everywhere: whatever comes of it, it comes in order."""
    for number, (name, data) in enumerate(pictures.whole().items()):
        for seed, (first, last, count) in enumerate([(8, 40, 3), (4, 200, 12), (0, len(data), 25)]):
            rng = np.random.default_rng([number, seed])
            changed = np.frombuffer(data, np.uint8).copy()
            places = rng.integers(first, min(last, len(data)), count)
            changed[places] = rng.integers(0, 256, count)
            call = reading(number + seed, "bad-" + name)
            yield Case(f"corrupt {name} {seed}", call, EITHER, {"bad-" + name: changed.tobytes()})


def burst() -> Iterator[Case]:
    """The bombs, read by a command that works on them and by one that only looks."""
    for number, (name, (make, says)) in enumerate(bombs.BOMBS.items()):
        data = make()
        codes = REFUSED if says else EITHER
        yield Case(f"bomb {name}", reading(number, name), codes, {name: data})
        if number % 3 == 0:
            yield Case(f"bomb {name} looked at", ["info", name], codes, {name: data}, out=None)
            yield Case(
                f"bomb {name} as psf", ["deblur", "photo.png", "--psf", name, "-o", "o.png"], WRONG, {name: data}
            )


def odd_files() -> Iterator[Case]:
    """Odd modes, odd metadata and disguises."""
    for number, (name, (data, outcome)) in enumerate(pictures.odd_modes().items()):
        yield Case(f"mode {name}", reading(number, name, out="out.tif"), _CODES[outcome], {name: data}, out="out.tif")
        yield Case(f"mode {name} to png", reading(number + 1, name), EITHER, {name: data})
    for number, (name, data) in enumerate(pictures.odd_metadata().items()):
        yield Case(f"metadata {name}", reading(number, name, out="out.tif"), EITHER, {name: data}, out="out.tif")
        yield Case(f"metadata {name} shown", ["info", name], EITHER, {name: data}, out=None)
        yield Case(f"metadata {name} as JSON", ["info", name, "--json"], EITHER, {name: data}, out=None)
    for number, (name, data) in enumerate(pictures.disguises().items()):
        suffix = (".png", ".jpg", ".tif")[number % 3]
        yield Case(f"disguise {name}", reading(number, name + suffix), REFUSED, {name + suffix: data})
    for name, suffix in (("grey.png", ".jpg"), ("baseline.jpg", ".png"), ("plain.tif", ".webp"), ("still.gif", ".png")):
        data = pictures.whole()[name]
        yield Case(f"disguise {name} as {suffix}", reading(0, "x" + suffix), EITHER, {"x" + suffix: data})
    yield Case("disguise OME-TIFF of another file", reading(0, "ome.tif"), EITHER, {"ome.tif": ome("../secret.tif")})
    yield Case("disguise OME-TIFF shown", ["info", "ome.tif"], EITHER, {"ome.tif": ome("../secret.tif")}, out=None)


def ome(other: str) -> bytes:
    """An OME-TIFF whose XML says that its pixels are in another file."""
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="I"><Pixels ID="P" '
        'DimensionOrder="XYZCT" Type="uint8" SizeX="33" SizeY="25" SizeZ="1" SizeC="1" SizeT="1"><TiffData IFD="0">'
        f'<UUID FileName="{other}">urn:uuid:0</UUID></TiffData></Pixels></Image></OME>'
    )
    return bytes(pictures.tiff(pictures.scene(), description=text, metadata=None))


NAMES = [
    *("two words.png", "new\nline.png", "tab\t.png", "-dash.png", "--force.png", "ü☃𝄞.png", "right\u202eleft.png"),
    *("\x1b[2Jclear.png", "\udcff\udcfe.png", "'quote\".png", "back\\slash.png", "$(touch ran).png", ";touch ran;.png"),
    *("<screen>.png", "<video0>.png", "<clipboard>.png", "imageio:chelsea.png", "~root.png", "*.png", "{stem}.png"),
    *("%s%n.png", "photo.png:stream", ".png", "..png", "con.png", "no-suffix", "s" * 251 + ".png", "file:path=a.png"),
]
ADDRESSES = [
    *(
        "http://127.0.0.1:9/x.png",
        "https://localhost/x.png",
        "ftp://127.0.0.1/x.png",
        "file:///etc/passwd",
        "s3://a/b.png",
    ),
    *(
        "imageio:chelsea.png",
        "<screen>",
        "<clipboard>",
        "<video0>",
        "file.zip/part.png",
        "\\\\127.0.0.1\\x.png",
        "~/x.png",
    ),
    *("x" * 300 + ".png", "a/" * 2500 + "x.png", "nul\ud800.png", "", "/", ".."),
]


def odd_names() -> Iterator[Case]:
    """Names that are more than names elsewhere: files of those names are files, and without a file there is none."""
    for number, name in enumerate(NAMES):
        data = pictures.whole()["grey.png"]
        call = [*reading(number, "PLACE")]
        options = [*call[2:], "--", name]
        yield Case(f"name {ascii(name)[:40]}", [call[0], *options], FINE, {name: data})
        target = [call[0], *call[2 : call.index("-o")], "--allow-loss", f"--output={name}", "--", "photo.png"]
        yield Case(f"name {ascii(name)[:40]} written", target, (0, 1, 2), out=name if "{" not in name else "photo.png")
        yield Case(f"name {ascii(name)[:40]} shown", ["info", "--json", "--", name], FINE, {name: data}, out=None)
    for number, name in enumerate(ADDRESSES):
        call = reading(number, "PLACE")
        yield Case(f"address {name[:30]!a}", [call[0], *call[2:], "--", name], WRONG)
        yield Case(f"address {name[:30]!a} as psf", ["deblur", "photo.png", "--psf", name, "-o", "o.png"], WRONG)
        if name not in ("/", "..", "imageio:chelsea.png", "\\\\127.0.0.1\\x.png"):
            yield Case(f"address {name[:30]!a} written", ["upsample", "photo.png", "-o", name], WRONG, out=None)
    for template in (
        "{stem.__class__}.png",
        "{0}.png",
        "{stem!r}.png",
        "{stem:>999999999}.png",
        "{unknown}.png",
        "{.png",
    ):
        yield Case(f"template {template}", ["upsample", "photo.png", "-o", template], WRONG, out=None)


def special_files() -> Iterator[Case]:
    """What is no regular file, as a picture, a blur, a mask, a kernel, a recipe and an output."""

    def prepare(folder: Path) -> None:
        os.mkfifo(folder / "pipe.png")
        os.mkfifo(folder / "pipe.npy")
        (folder / "folder.npy").mkdir()
        (folder / "loop.png").symlink_to("loop.png")
        (folder / "nowhere.png").symlink_to("missing/absent.png")
        (folder / "zero.png").symlink_to("/dev/zero")
        with socket.socket(socket.AF_UNIX) as server:  # by a short path, since those of sockets are
            here = Path.cwd()
            os.chdir(folder)
            server.bind("socket.png")
            os.chdir(here)

    def case(name: str, *arguments: str, codes: tuple[int, ...] = WRONG, out: str | None = "out.png") -> Case:
        return Case(f"special {name}", list(arguments), codes, {"empty.png": b"", "empty.npy": b""}, prepare, out)

    names = ["pipe.png", "pipe.npy", "loop.png", "nowhere.png", "zero.png", "socket.png", "empty.png", "empty.npy"]
    names += ["/dev/zero", "/dev/null", "/dev/full", "/dev/tty", "/proc/self/mem", "/proc/self/environ", "folder.npy"]
    for number, name in enumerate(names):
        yield case(f"{name} read", *reading(number, name))
        yield case(f"{name} as psf", "deblur", "photo.png", "--psf", name, "-o", "out.png", "--force")
        yield case(f"{name} as mask", "deblur", "photo.png", "--psf=disk:radius=1", f"--mask={name}", "-o", "o.png")
        yield case(f"{name} as kernel", "upsample", "photo.png", "--kernel", name, "-o", "o.png")
        yield case(f"{name} as recipe", "upsample", "photo.png", "--recipe", name, "-o", "o.png")
        yield case(f"{name} shown", "info", name, out=None)
        yield case(f"{name} as weights", "kernel", "check", name, "--stride", "2", out=None)
        if name not in ("empty.png", "empty.npy", "nowhere.png", "loop.png", "folder.npy"):
            yield case(f"{name} written", "upsample", "photo.png", "-o", name, "--force", "--allow-loss", out=None)
    yield case("loop.png written", "upsample", "photo.png", "-o", "loop.png", "--force", codes=EITHER, out="loop.png")
    yield case("nowhere.png written", "upsample", "photo.png", "-o", "nowhere.png", codes=REFUSED, out=None)
    yield case("out.png/ below a file", "upsample", "photo.png", "-o", "out.png/x.png", out=None)
    for stream in ("pipe.png", "empty.png", "/dev/null", "/dev/zero"):
        if stream != "pipe.png":  # an open pipe that nobody writes to is a wait that the caller wished for
            found = case(f"{stream} on stdin", "upsample", "-", "-o", "o.png", out=None)
            found.more["stdin"] = stream
            yield found
    for arguments in (["info", "photo.png"], ["upsample", "photo.png", "-o", "-"], ["--help"], ["explain"]):
        yield Case(
            f"special /dev/full on stdout {arguments[0]}", arguments, REFUSED, out=None, more={"stdout": "/dev/full"}
        )


def same_file() -> Iterator[Case]:
    """The output is the input, or another file that the call needs, by whatever name."""

    def prepare(folder: Path) -> None:
        (folder / "hard.png").hardlink_to(folder / "photo.png")
        (folder / "soft.png").symlink_to("photo.png")
        (folder / "sub").mkdir()
        (folder / "sub" / "folder").symlink_to("..")
        (folder / "other.png").symlink_to("kept.png")
        (folder / "kept.png").write_bytes(b"kept")

    for name in ("photo.png", "hard.png", "soft.png", "./photo.png", "sub/../photo.png", "sub/folder/photo.png"):
        for number in range(3):
            call = reading(number, "photo.png", out=name)[:-2]
            yield Case(f"same {name} {number}", call, REFUSED, prepare=prepare, out=None)
            if name not in ("hard.png", "soft.png"):
                yield Case(f"same {name} {number} --force", [*call, "--force"], FINE, prepare=prepare, out="photo.png")
    call = ["deblur", "photo.png", "--psf", "psf.png", "--mask", "mask.png", "--force", "-o"]
    files = {
        "psf.png": pictures.pillow("PNG", pictures.scene()[:5, :7]),
        "mask.png": pictures.pillow("PNG", pictures.scene()),
    }
    for name in files:
        yield Case(f"same {name}", [*call, name], WRONG, files, prepare, out=None)
    yield Case(
        "same link to another file", reading(2, "photo.png", out="other.png"), FINE, {}, prepare, out="other.png"
    )
    yield Case("same out.png without --force", reading(2, "photo.png")[:-2], REFUSED, out=None)


def broken_writes() -> Iterator[Case]:
    """Full disks, folders one may not write to, and signals in the middle of a write."""
    for error in ("ENOSPC", "EIO", "EDQUOT", "EROFS"):
        for function in ("open", "fsync", "replace"):
            yield Case(f"write {function} {error}", reading(2, "photo.png"), REFUSED, more={"fault": [function, error]})
    for size in (0, 1, 500):
        for number in range(3):
            more = {"largest_file": size}
            yield Case(f"write at most {size} bytes {number}", reading(number, "photo.png"), REFUSED, more=more)
    for function in ("open", "fsync", "replace"):
        for name, code in (("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129), ("SIGKILL", -9)):
            for number in (0, 2):
                call = reading(number, "photo.png")
                # A signal just before the new name is given may come too late, and then the output is whole.
                codes = (code, 0) if code > 0 else (code,)
                yield Case(f"write {function} {name} {number}", call, codes, more={"fault": [function, name]})
    if os.geteuid() == 0:

        def unreadable(folder: Path) -> None:
            (folder / "photo.png").chmod(0)

        def read_only(folder: Path) -> None:
            folder.chmod(0o555)

        for number in range(3):
            bare = {"without_privileges": True}
            yield Case(f"rights unreadable {number}", reading(number, "photo.png"), REFUSED, {}, unreadable, more=bare)
            call = reading(number, "photo.png")
            yield Case(f"rights read-only {number}", call, REFUSED, {}, read_only, more=bare)
            call = reading(number, "photo.png", out="new.png")
            yield Case(f"rights read-only new {number}", call, REFUSED, {}, read_only, out=None, more=bare)


def hostile_options() -> Iterator[Case]:
    """Numbers and files in options that ask for more than there is."""
    blurs = [
        "disk:radius=1e9",
        "disk:radius=nan",
        "gaussian:sigma=1e308",
        "gaussian:sigma=-inf",
        "motion:length=1e12,angle=3",
    ]
    blurs += [
        "motion:length=15,angle=nan",
        "disk:" + "radius=1," * 5000,
        "disk:radius=" + "9" * 5000,
        "__class__",
        ":",
        "=,=",
        "",
    ]
    for blur in blurs:
        yield Case(f"option psf {blur[:30]}", ["deblur", "photo.png", "--psf", blur, "-o", "o.png"], WRONG, out=None)
        yield Case(f"option psf shown {blur[:30]}", ["psf", blur], WRONG, out=None)
    noises = [
        "poisson:peak=1e400",
        "poisson:peak=1e-300",
        "gaussian:sigma=nan",
        "gaussian:sigma=1e308",
        "poisson:peak=1e300",
    ]
    noises += ["+".join(["gaussian:sigma=0.1"] * 3000), "quantize:bits=99999999999", "jpeg:quality=nan", "+", "++++"]
    for noise in noises:
        call = ["degrade", "photo.png", "--psf", "disk:radius=1", "--noise", noise, "-o", "out.png", "--force"]
        yield Case(f"option noise {noise[:30]}", call, (0, 1, 2))
    for options in (
        *(
            ["--factor", "1000000000"],
            ["--factor", "30000"],
            ["--factor", "9" * 400],
            ["--max-pixels", "0"],
            ["--jobs", "0"],
        ),
        *(
            ["--max-pixels", "1e400"],
            ["--max-bytes", "10"],
            ["--max-memory", "1"],
            ["--quality", "101"],
            ["--dtype", "object"],
        ),
        *(["--kernel", "lanczos3:lobes=1e9"], ["--kernel", "__import__"], ["--hdu", "9" * 5000], ["--format", "exe"]),
    ):
        yield Case(
            f"option {' '.join(options)[:40]}",
            ["upsample", "photo.png", "-o", "out.png", "--force", *options],
            (0, 1, 2),
        )
    compare = ["compare", "photo.png", "--psf", "disk:radius=1", "-o", "o.html"]
    for options in (["--factor", "1000000000"], ["--noise", "gaussian:sigma=nan"], ["--seed", "-1"]):
        yield Case(f"option compare {' '.join(options)}", [*compare, *options], WRONG, out=None)
    explains = [
        ["--input", "99999999x99999999", "--kernel", "3x3"],
        ["--patch", "1 nan; 2"],
        ["--solve", "1:99999999999"],
    ]
    explains += [["--patch", "1 " * 100000], ["--stride", "0"], ["--input", "\x1b[2J"], ["--dilation", "9" * 4500]]
    for options in explains:
        yield Case(f"option explain {' '.join(options)[:30]!a}", ["explain", *options], (0, 1, 2), out=None)
    yield from hostile_option_files()


def hostile_option_files() -> Iterator[Case]:
    """Blurs, masks, kernels, weights and recipes that were made to harm."""
    modes = pictures.odd_modes()
    npys = {name: data for name, (data, outcome) in modes.items() if name.endswith(".npy") and outcome == "refused"}
    npys |= {"cut.npy": pictures.whole()["floats.npy"][:300]}
    zipped = {"bank.npz": b"PK\x03\x04" + bytes(90), "pickled.npz": _pickled_bank(), "burst.npz": _burst_bank()}
    for name, data in npys.items():
        call = ["deblur", "photo.png", "--psf", name, "-o", "o.png"]
        yield Case(f"psf {name}", call, WRONG, {name: data}, out=None)
        call = ["deblur", "photo.png", "--psf", "disk:radius=1", "--mask", name, "-o", "o.png"]
        yield Case(f"mask {name}", call, WRONG, {name: data}, out=None)
    for name, data in {**npys, **zipped}.items():
        yield Case(
            f"kernel {name}", ["upsample", "photo.png", "--kernel", name, "-o", "o.png"], WRONG, {name: data}, out=None
        )
        yield Case(f"weights {name}", ["kernel", "check", name, "--stride", "2"], (1, 2, 3), {name: data}, out=None)
    length = struct.pack("<Q", 2**63)
    weights = {
        "length.safetensors": length + b"{}",
        "nested.safetensors": struct.pack("<Q", 200_000) + b"[" * 200_000,
        "list.safetensors": struct.pack("<Q", 2) + b"[]",
        "shape.safetensors": _tensor('{"a":{"dtype":"F32","shape":[-1,-1,1],"data_offsets":[0,4]}}'),
        "wide.safetensors": _tensor('{"a":{"dtype":"F32","shape":[99999999999,0,1],"data_offsets":[0,0]}}'),
        "text.safetensors": _tensor('{"a":{"dtype":"F32","shape":["a"],"data_offsets":["0","4"]}}'),
        "truth.safetensors": _tensor('{"a":{"dtype":[],"shape":[1,1,1],"data_offsets":[0,4]}}'),
        "escape.safetensors": _tensor('{"\\u001b[2J":{"dtype":"F32","shape":[1,1,1],"data_offsets":[0,4]}}'),
        "noise.onnx": bytes(range(256)) * 9,
        "empty.onnx": b"\x08\x09",
        "external.onnx": b"\x08\x09:\x05\n\x03abc",
    }
    for name, data in weights.items():
        yield Case(
            f"weights {name}",
            ["kernel", "check", name, "--stride", "2"],
            (0, 1, 2, 3),
            {name: data},
            out=None,
            lines=12,
        )
        yield Case(f"weights {name} listed", ["kernel", "check", name, "--list"], (0, 1, 2), {name: data}, out=None)
    head = 'schema_version = 1\nrestoretk = "0.1.0"\ncommand = "upsample"\n'
    recipes = {
        "binary": bytes(range(256)),
        "nested": b"a = " + b"[" * 100_000,
        "large": b"# " + b"x" * (1 << 21),
        "command": b'schema_version = 1\ncommand = "\\u001b[2J"\n',
        "options": (head + 'options = "\\u001b[2J"\n').encode(),
        "unknown": (head + '[options]\n"\\u001b[2J" = 1\n').encode(),
        "number": (head + "[options]\nfactor = 1e400\n").encode(),
        "digits": (head + "[options]\nfactor = " + "9" * 5000 + "\n").encode(),
        "date": (head + "[options]\nfactor = 1979-05-27\n").encode(),
        "file": (head + '[options]\nkernel = "/dev/zero"\n[files]\nkernel = "00"\n').encode(),
        "file-type": (head + '[options]\nkernel = "x.npy"\n[files]\nkernel = {a = 1}\n').encode(),
        "output": (head + '[options]\noutput = "../stolen.png"\n').encode(),
        "version": (head.replace("0.1.0", "\\u001b[2J") + "[options]\nfactor = -1\n").encode(),
    }
    for name, data in recipes.items():
        call = ["upsample", "photo.png", "--recipe", "r.toml", "-o", "o.png"]
        yield Case(f"recipe {name}", call, WRONG, {"r.toml": data}, out=None)


def _tensor(header: str) -> bytes:
    return struct.pack("<Q", len(header)) + header.encode() + bytes(4)


def _zipped(members: dict[str, bytes]) -> bytes:
    import io
    import zipfile

    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def _pickled_bank() -> bytes:
    objects = pictures.npy(np.array([["a", 1]], object), pickled=True)
    return _zipped(dict.fromkeys(("format.npy", "provenance.npy", "taps.npy", "factors.npy"), objects))


def _burst_bank() -> bytes:
    head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (800000000,)}\n"
    whole = b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head
    return _zipped({"about.npy": whole + bytes(400 * 2**20)})


def all_cases() -> list[Case]:
    """Every call, each name once."""
    sources = (
        truncated,
        corrupt,
        burst,
        odd_files,
        odd_names,
        special_files,
        same_file,
        broken_writes,
        hostile_options,
    )
    cases = [case for source in sources for case in source()]
    assert len({case.name for case in cases}) == len(cases), [case.name for case in cases]
    return cases
