"""Every transposed convolution that takes one size to another, in each framework, and which of them shift the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from restoretk.convolution.operands import per_axis
from restoretk.upsampling.frameworks import Window, jax_window, onnx_window, pytorch_window, tensorflow_window

FRAMEWORKS = ("PyTorch", "Keras", "ONNX", "JAX")


@dataclass(frozen=True)
class Setting:
    """One way to reach a size along one axis, or along all axes alike.

    Attributes
    ----------
    framework : {"PyTorch", "Keras", "ONNX", "JAX"}
        JAX with ``transpose_kernel=True``: without it the kernel is flipped.
    kernel_size, stride : int
    padding : int, str or tuple of int
        As the framework spells it: a number for PyTorch, "same" or "valid" for Keras, "SAME_UPPER", "SAME_LOWER",
        "VALID" or (begin, end) for ONNX, "SAME", "VALID" or (low, high) for JAX.
    output_padding : int or None
        None where the framework has none, or where it is left out.
    head : int
        How many pixels of the full scatter are cut off before the output. Settings with the same kernel size, stride
        and head return the same pixels; every step in ``head`` shifts the picture by one pixel.
    shift : float
        How many output pixels the picture lies after the place where the middle of the output is the middle of the
        input: 0 on the half-pixel grid, which is where upsampled pictures belong.
    even : bool
        Whether every output is reached by as many taps as its neighbour: the kernel size is divisible by the stride.
    gaps : bool
        Whether the kernel is shorter than the stride, so that some outputs get nothing.
    recommended : bool
        ``even`` and not shifted.
    """

    framework: str
    kernel_size: int
    stride: int
    padding: int | str | tuple[int, int]
    output_padding: int | None
    head: int
    shift: float
    even: bool
    gaps: bool
    recommended: bool

    def spelled(self) -> str:
        """Padding and output padding in a few characters."""
        if isinstance(self.padding, str):
            text = self.padding
        elif isinstance(self.padding, tuple):
            text = f"({self.padding[0]},{self.padding[1]})"
        else:
            text = f"p={self.padding}"
        shown = self.output_padding is not None and (self.output_padding > 0 or self.framework == "Keras")
        return f"{text} op={self.output_padding}" if shown else text


@dataclass(frozen=True)
class SizeSolutions:
    """What `solve_sizes` found.

    Attributes
    ----------
    shape, wanted : tuple of int
        The sizes before and after.
    kernel_sizes : tuple of int
        Those that were tried.
    dilation : int
    axes : tuple of (tuple of Setting)
        For every axis, all settings that reach its size, recommended ones first. The axes can be chosen independently,
        but a padding given as a word is one word for all axes.
    settings : tuple of Setting
        Those that do it on all axes alike.
    """

    shape: tuple[int, ...]
    wanted: tuple[int, ...]
    kernel_sizes: tuple[int, ...]
    dilation: int
    axes: tuple[tuple[Setting, ...], ...]
    settings: tuple[Setting, ...]

    @property
    def span(self) -> str:
        """The kernel sizes in words: sizes in a row as "1 to 11", others listed."""
        sizes = self.kernel_sizes
        if len(sizes) > 2 and sizes == tuple(range(sizes[0], sizes[-1] + 1)):
            return f"{sizes[0]} to {sizes[-1]}"
        return " or ".join(map(str, sizes))

    @property
    def unreachable(self) -> str | None:
        """The sentence to say where an axis has no setting at all."""
        strides = _strides(self.kernel_sizes, self.dilation)
        for n, m, found in zip(self.shape, self.wanted, self.axes, strict=True):
            if not found:
                near = _nearest(n, m, self.kernel_sizes, self.dilation)
                sizes = (
                    f"sizes it reaches are {near[0]} and {near[1]}"
                    if len(near) > 1
                    else f"size it reaches is {near[0]}"
                )
                return (
                    f"no transposed convolution with a kernel of {self.span} taps and a stride of at most "
                    f"{strides[-1]} takes {n} to {m}: the nearest {sizes}"
                )
        return None

    def as_dict(self) -> dict[str, Any]:
        """Everything as lists, numbers and strings for JSON."""
        return {
            "shape": list(self.shape),
            "wanted": list(self.wanted),
            "kernel_sizes": list(self.kernel_sizes),
            "dilation": self.dilation,
            "unreachable": self.unreachable,
            "settings": [asdict(setting) for setting in self.settings],
            "axes": [[asdict(setting) for setting in found] for found in self.axes],
        }


def solve_sizes(
    shape: Sequence[int],
    wanted: Sequence[int],
    *,
    kernel_sizes: Sequence[int] = range(1, 12),
    dilation: int = 1,
) -> SizeSolutions:
    """Every setting of a transposed convolution in PyTorch, Keras, ONNX and JAX that takes a size to another one.

    All strides are tried up to the reach of the largest kernel (and at least up to 16), with every padding that cuts off
    less than the reach of the kernel at either end: more would leave inputs out altogether.

    Parameters
    ----------
    shape, wanted : sequence of int
        The spatial sizes before and after, as many of each.
    kernel_sizes : sequence of int
        The kernel sizes to try, each from 1 to 64.
    dilation : int

    Returns
    -------
    SizeSolutions
        Without settings, and with a sentence in ``unreachable``, where there is no way.

    Raises
    ------
    ValueError
        For sizes that are not positive or not as many, or larger than 65536.

    Examples
    --------
    >>> found = solve_sizes([64], [128])
    >>> [(s.framework, s.kernel_size, s.padding) for s in found.settings if s.recommended][:3]
    [('PyTorch', 2, 0), ('Keras', 2, 'same'), ('Keras', 2, 'valid')]
    >>> {s.framework: s.shift for s in found.settings if (s.kernel_size, s.padding) in [(3, 1), (3, "same")]}
    {'PyTorch': -0.5, 'Keras': 0.5}
    """
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"shape must have 1, 2 or 3 axes, got {tuple(shape)}")
    before = per_axis(shape, len(shape), "shape", 1)
    after = per_axis(wanted, len(before), "wanted", 1)
    if max(*before, *after) > 65536:
        raise ValueError(f"sizes must be at most 65536, got {before} and {after}")
    sizes = tuple(sorted(set(per_axis(kernel_sizes, len(kernel_sizes), "kernel_sizes", 1)))) if kernel_sizes else ()
    if not sizes or sizes[-1] > 64:
        raise ValueError(f"kernel_sizes must hold at least one size, each from 1 to 64, got {kernel_sizes!r}")
    (spread,) = per_axis(dilation, 1, "dilation", 1)
    axes = tuple(tuple(sorted(_along(n, m, sizes, spread), key=_order)) for n, m in zip(before, after, strict=True))
    # head and shift need not agree between axes that differ in size, the spelling must.
    alike = [{_spelling(setting) for setting in found} for found in axes]
    return SizeSolutions(
        shape=before,
        wanted=after,
        kernel_sizes=sizes,
        dilation=spread,
        axes=axes,
        settings=tuple(setting for setting in axes[0] if all(_spelling(setting) in found for found in alike[1:])),
    )


def _spelling(setting: Setting) -> tuple[str, int, int, int | str | tuple[int, int], int | None]:
    return setting.framework, setting.kernel_size, setting.stride, setting.padding, setting.output_padding


def _order(setting: Setting) -> tuple[Any, ...]:
    """Recommended ones first, then the less shifted, the even and the smaller; plain spellings before crops."""
    return (
        not setting.recommended,
        abs(setting.shift),
        setting.gaps,
        not setting.even,
        setting.kernel_size,
        setting.stride,
        setting.shift,
        FRAMEWORKS.index(setting.framework),
        not isinstance(setting.padding, str),
        setting.output_padding or 0,
        str(setting.padding),
    )


def _along(n: int, m: int, sizes: Sequence[int], d: int) -> Iterator[Setting]:
    """All settings of one axis."""
    for k in sizes:
        reach = (k - 1) * d + 1
        for s in _strides(sizes, d):
            if not (n - 1) * s - reach + 2 <= m < n * s + reach + d:
                continue  # out of reach whatever is cut off
            for framework, padding, more, window in _candidates(n, m, k, s, d, reach):
                if window is None or window.out != (m,):
                    continue
                before, after = window.padding[0]
                shift, even, gaps = (after - before) / 2, _even(k, s, d), k < s
                yield Setting(framework, k, s, padding, more, before, shift, even, gaps, even and shift == 0)


def _strides(sizes: Sequence[int], d: int) -> range:
    """The strides to try: beyond the reach of the kernel there are gaps between its copies."""
    return range(1, max(16, (sizes[-1] - 1) * d + 1) + 1)


def _nearest(n: int, m: int, sizes: Sequence[int], d: int) -> list[int]:
    """The largest size below m and the smallest above it that some setting reaches."""
    ends = []
    for s in _strides(sizes, d):
        for k in sizes:
            reach = (k - 1) * d + 1
            ends += [max((n - 1) * s - reach + 2, 1), (n - 1) * s + reach + max(s, d) - 1]
    below, above = [end for end in ends if end < m], [end for end in ends if end > m]
    return ([max(below)] if below else []) + ([min(above)] if above else [])


def _even(k: int, s: int, d: int) -> bool:
    """Whether every phase has the same number of taps."""
    counts = [0] * s
    for t in range(k):
        counts[t * d % s] += 1
    return min(counts) == max(counts)


_Candidate = tuple[str, int | str | tuple[int, int], int | None, Window | None]


def _candidates(n: int, m: int, k: int, s: int, d: int, reach: int) -> Iterator[_Candidate]:
    """The settings that may reach m: the explicit ones from the size they must add up to, the words by trying them."""
    full = (n - 1) * s + reach
    room = max(s, d)
    for head in range(reach):
        more = m - (full - 2 * head)
        if 0 <= more < room:
            yield (
                "PyTorch",
                head,
                more,
                pytorch_window([n], [k], stride=s, padding=head, output_padding=more, dilation=d),
            )
    onnx = partial(onnx_window, [n], [k], stride=s, dilation=d)
    for head in range(reach):
        tail = full - head - m
        if -room < tail < reach:
            yield (
                "JAX",
                (reach - 1 - head, reach - 1 - tail),
                None,
                _jax(n, k, s, d, (reach - 1 - head, reach - 1 - tail)),
            )
        for end in range(
            max(tail, 0), min(tail + room, reach)
        ):  # the end of the pads and the output_padding that undoes it
            yield "ONNX", (head, end), end - tail, onnx(pads=[head, end], output_padding=end - tail)
    if m == n * s:
        for word in ("SAME_UPPER", "SAME_LOWER"):
            for more in range(room):
                yield "ONNX", word, more, onnx(auto_pad=word, output_padding=more)
        yield "JAX", "SAME", None, _jax(n, k, s, d, "SAME")
    if 0 <= m - full < room:
        yield "ONNX", "VALID", m - full, onnx(auto_pad="VALID", output_padding=m - full)
    yield "JAX", "VALID", None, _jax(n, k, s, d, "VALID")
    keras = partial(tensorflow_window, [n], [k], stride=s, dilation=d)
    if s == 1 or d == 1:
        for word, least in (("same", (n - 1) * s + reach % 2), ("valid", full)):
            yield "Keras", word, None, keras(padding=word)
            more = m - least
            if 0 <= more < s and not (word == "same" and m <= (n - 1) * s):
                yield "Keras", word, more, keras(padding=word, output_padding=more)


def _jax(n: int, k: int, s: int, d: int, padding: str | tuple[int, int]) -> Window:
    return jax_window(
        [n],
        [k],
        stride=s,
        dilation=d,
        padding=padding if isinstance(padding, str) else [padding],
        transpose_kernel=True,
    )
