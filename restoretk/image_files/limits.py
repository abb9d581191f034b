"""How large a file may be: one table of limits, asked of what a file says of itself before any pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass, fields

from restoretk.image_files.record import Refusal


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of what is read; each is named in its error, with the option that moves it.

    ===========  ===================  ============================================================================
    limit        option               what it bounds, and why
    ===========  ===================  ============================================================================
    file_bytes   --max-file-bytes     the bytes of a file, which are read whole
    pixels       --max-pixels         rows times columns of one picture, and of one tile
    frames       --max-frames         pages, slices and frames of a stack
    values       --max-values         all numbers of a file: pixels times channels times frames
    expansion    --max-expansion      decoded bytes for each byte of the file, asked where more than 64 MiB come of it:
                                      photographs reach 60, a file made to burst 1000 and more
    tag_bytes    --max-tag-bytes      metadata of one page
    scans        --max-scans          passes over a progressive JPEG, each of which costs the time of the whole picture
    ===========  ===================  ============================================================================
    """

    file_bytes: int = 2 * 2**30
    pixels: int = 100_000_000
    frames: int = 10_000
    values: int = 2**30
    expansion: int = 250
    tag_bytes: int = 64 * 2**20
    scans: int = 100

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"the limit {field.name} must be an integer of at least 1, got {value!r}")

    def check_picture(self, rows: int, columns: int) -> None:
        """Refuse rows and columns that no picture has, or more pixels than the limit."""
        if rows < 1 or columns < 1:
            raise Refusal(f"says that it has {rows} rows and {columns} columns, which is no picture")
        self._check("pixels", rows * columns, f"{rows} x {columns} = {rows * columns} pixels")

    def check_pixels(self, found: int) -> None:
        """Refuse more pixels than the limit."""
        self._check("pixels", found, f"{found} pixels")

    def check_size(self, *, values: int, item_bytes: int, file_bytes: int, frames: int = 1) -> None:
        """Refuse more numbers or frames than the limits, and a small file that would become a large picture."""
        self._check("frames", frames, f"{frames} frames")
        self._check("values", values, f"{values} numbers")
        decoded = values * item_bytes
        if decoded > _NEVER_A_BOMB and decoded > self.expansion * file_bytes:
            raise Refusal(
                f"would grow from {file_bytes} bytes to {decoded}, more than {self.expansion} times as many: a file made to "
                f"burst, unless you know better ({option_of('expansion')})"
            )

    def check_tags(self, found: int) -> None:
        """Refuse more bytes of metadata than the limit."""
        self._check("tag_bytes", found, f"{found} bytes of metadata on one page")

    def check_scans(self, found: int) -> None:
        """Refuse a JPEG of more passes than the limit."""
        self._check("scans", found, f"{found} scans")

    def check_file(self, found: int) -> None:
        """Refuse a file of more bytes than the limit."""
        self._check("file_bytes", found, f"{found} bytes")

    def _check(self, name: str, found: int, words: str) -> None:
        limit = getattr(self, name)
        if found > limit:
            raise Refusal(f"holds {words}, more than the limit of {limit} ({option_of(name)})")


def option_of(name: str) -> str:
    """The option of the command line that sets a limit."""
    return "--max-" + name.replace("_", "-")


DEFAULT_LIMITS = Limits()

_NEVER_A_BOMB = 64 * 2**20  # decoded bytes that any machine has
