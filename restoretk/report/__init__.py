"""A Comparison as one self-contained HTML file: images inside, no network request."""

from __future__ import annotations

from pathlib import Path

from restoretk.comparison import Comparison
from restoretk.image_files import write_bytes
from restoretk.report._explain import render_explanation
from restoretk.report._page import render as render_report
from restoretk.upsampling import ConvTransposeDescription, TransposeExplanation

__all__ = ["render_explanation", "render_report", "write_explanation", "write_report"]


def write_report(comparison: Comparison, path: str | Path) -> None:
    """Write the report to a file: whole or not at all.

    Raises
    ------
    OSError
        If the folder of ``path`` does not exist or cannot be written to.
    """
    write_bytes(path, render_report(comparison).encode("utf-8"))


def write_explanation(record: TransposeExplanation | ConvTransposeDescription, path: str | Path) -> None:
    """Write an explanation of a transposed convolution to a file: whole or not at all.

    Raises
    ------
    OSError
        If the folder of ``path`` does not exist or cannot be written to.
    """
    write_bytes(path, render_explanation(record).encode("utf-8"))
