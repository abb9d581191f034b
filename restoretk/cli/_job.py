"""One picture on its way from a file or stdin to a file or stdout."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoretk.cli._files import FORMAT_SUFFIXES, FileOptions
from restoretk.cli._group import say
from restoretk.cli._memory import check_memory
from restoretk.cli._options import say_losses, say_unscaled

if TYPE_CHECKING:
    from restoretk._arrays import Array
    from restoretk.image_files import ImageFile, WrittenFile

STREAM = Path("-")  # stdin or stdout


class Job:
    """What a command does with one picture, but for the mathematics: read, check, write.

    Attributes
    ----------
    source, output : Path
        The files; `STREAM` for stdin and stdout.
    overwrite : bool
        Whether the output may replace a file.
    """

    def __init__(
        self,
        source: Path,
        output: Path,
        options: FileOptions,
        *,
        overwrite: bool,
        format_: str | None = None,
        make_folder: bool = False,
    ) -> None:
        self.source, self.output, self.overwrite = source, output, overwrite
        self._options, self._format, self._make_folder = options, format_, make_folder

    @property
    def dtype(self) -> str | None:
        """The dtype that was asked for."""
        return self._options.dtype

    def output_for(self, source: ImageFile) -> Path:
        """The output; for stdout a name with the suffix of its format."""
        if self.output != STREAM:
            return self.output
        return Path("stdout" + FORMAT_SUFFIXES[self._format or _format_like(source)])

    def read(self, *, allow_nan: bool = False) -> ImageFile:
        """The picture."""
        from restoretk.image_files import ImageFileError, Limits, decode_image, read_image
        from restoretk.image_files.lengths import read_whole
        from restoretk.image_files.record import Refusal

        limits = Limits(**self._options.limits)
        hdu = self._options.hdu
        unit = int(hdu) if hdu is not None and hdu.isascii() and hdu.isdigit() else hdu
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            if self.source == STREAM:
                try:
                    data = read_whole(sys.stdin.buffer, limits, only_pictures=True)
                except Refusal as refusal:
                    raise ImageFileError(f"stdin {refusal}") from None
                source = decode_image(data, name="stdin", allow_nan=allow_nan, limits=limits, hdu=unit)
            else:
                source = read_image(self.source, allow_nan=allow_nan, limits=limits, hdu=unit)
        if self._options.channel_axis is not None:
            source = with_channel_axis(source, self._options.channel_axis, str(self.source))
        for warning in warned:
            say(f"warning: {warning.message}")
        shape = " x ".join(map(str, source.image.shape))
        say(f"{self.source}: {source.format}, {shape}, {source.dtype}", level="detail")
        for note in source.notes:
            if not any(note in str(warning.message) for warning in warned):  # said already
                say(f"{self.source}: {note}")
        return source

    def check(self, source: ImageFile, *, inputs: Iterable[Path | None] = (), needs: int = 0) -> None:
        """Refuse before the work what could not be written after it, and work that the memory is too small for."""
        from restoretk import image_files

        check_memory(needs, str(self.source), limit=self._options.max_memory, jobs=self._options.jobs)
        if self._make_folder:
            self.output.parent.mkdir(parents=True, exist_ok=True)
        if self.output != STREAM:
            # --force lets a picture take the place of its own source, never of the other files of the call.
            inputs = inputs if self.overwrite else (source.path, *inputs)
            image_files.check_output_path(self.output, inputs=inputs, overwrite=self.overwrite)
            image_files.check_output(
                self.output, source, overwrite=self.overwrite, replace_input=self.overwrite, **self._how()
            )
        say_unscaled(source)

    def write(self, image: Array, source: ImageFile, *, made_by: Mapping[str, Any]) -> WrittenFile:
        """Write the picture with what belongs to the source, and say what it cost."""
        from restoretk.batch import uninterrupted
        from restoretk.image_files import SUFFIXES, encode_image, write_image

        if self.output == STREAM:
            name = SUFFIXES[self.output_for(source).suffix]
            data, written = encode_image(name, image, like=source, made_by=made_by, **self._how())
            stream = sys.stdout.buffer
            stream.write(data)
            stream.flush()
        else:
            with uninterrupted():
                written = write_image(
                    self.output,
                    image,
                    like=source,
                    made_by=made_by,
                    overwrite=self.overwrite,
                    replace_input=self.overwrite,
                    **self._how(),
                )
        say_losses(replace(written, path=self.output))
        return written

    def _how(self) -> dict[str, Any]:
        options = self._options
        lossless = self.output.suffix.lower() not in (".jpg", ".jpeg", ".webp") and self.output != STREAM
        return {
            "dtype": options.dtype,
            "strip": options.strip,
            "allow_loss": options.allow_loss,
            # In a batch of many formats a quality is for those that have one.
            "quality": None if lossless else options.quality,
        }


def with_channel_axis(source: ImageFile, channel_axis: int, name: str) -> ImageFile:
    """The picture with its channels on the axis that a person named, if the file does not contradict.

    Raises
    ------
    ValueError
        For an axis that there is not, that holds rows or columns, or of a file whose channels lie on another.
    """
    axes, ndim = source.axes, source.image.ndim
    if not -ndim <= channel_axis < ndim or ndim < 2:
        raise ValueError(
            f"--channel-axis must be one of the axes of {name}, shape {source.image.shape}, got {channel_axis}"
        )
    axis = channel_axis % ndim
    if source.channel_axis is not None:
        if source.channel_axis == axis:
            return source
        raise ValueError(
            f"--channel-axis must be {source.channel_axis}, where {name} has its colours, got {channel_axis}"
        )
    if axes is None:
        return replace(source, channel_axis=axis)
    if axes[axis] in "YX":
        raise ValueError(
            f"--channel-axis must not be an axis of rows or columns of {name} ({axes}), got {channel_axis}"
        )
    return replace(source, channel_axis=axis, axes=f"{axes[:axis]}C{axes[axis + 1 :]}")


def _format_like(source: ImageFile) -> str:
    name = source.format.lower()
    if name not in FORMAT_SUFFIXES:
        raise ValueError(f"a {source.format} file cannot be written: say the format of stdout (--format png)")
    return name
