"""Where a strided row of places meets an axis: the index arithmetic that gathering and scattering share."""

from __future__ import annotations


def overlap(out: int, size: int, step: int, offset: int) -> tuple[slice, slice]:
    """All ``j`` below ``out`` with ``0 <= j*step + offset < size``, and those places themselves, as slices."""
    first = max(0, -(offset // step))  # the smallest j with j*step + offset >= 0
    last = min(out - 1, (size - 1 - offset) // step)
    if last < first:
        return slice(0, 0), slice(0, 0)
    return slice(first, last + 1), slice(first * step + offset, last * step + offset + 1, step)


def phase_taps(phase: int, size: int, stride: int, dilation: int, head: int) -> list[tuple[int, int]]:
    """The taps that reach the outputs ``m = j*stride + phase`` of one axis, each with its offset, farthest left first.

    Output ``m`` takes ``x[j + offset] * w[t]`` from every tap ``t`` with ``t*dilation = head + phase`` modulo the stride.
    """
    return [
        (t, (phase + head - t * dilation) // stride)
        for t in reversed(range(size))
        if (phase + head - t * dilation) % stride == 0
    ]
