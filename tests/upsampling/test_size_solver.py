from __future__ import annotations

import itertools
import json

import pytest

from restoretk.upsampling import format_solutions
from restoretk.upsampling.frameworks import jax_window, onnx_window, pytorch_window, tensorflow_window
from restoretk.upsampling.size_solver import Setting, solve_sizes


def window_of(setting: Setting, n: int, dilation: int):
    """The window that the framework itself gives for a setting."""
    common = {"stride": setting.stride, "dilation": dilation}
    sizes, padding, more = ([n], [setting.kernel_size]), setting.padding, setting.output_padding
    if setting.framework == "PyTorch":
        return pytorch_window(*sizes, **common, padding=padding, output_padding=more)
    if setting.framework == "Keras":
        return tensorflow_window(*sizes, **common, padding=padding, output_padding=more)
    if setting.framework == "ONNX":
        where = {"auto_pad": padding} if isinstance(padding, str) else {"pads": list(padding)}
        return onnx_window(*sizes, **common, **where, output_padding=more)
    return jax_window(
        *sizes, **common, padding=padding if isinstance(padding, str) else [padding], transpose_kernel=True
    )


def every_call(n: int, m: int, sizes: range, dilation: int):
    """All calls of the four frameworks within the bounds, tried one by one."""
    found = set()

    def attempt(framework, k, s, padding, more):
        setting = Setting(framework, k, s, padding, more, 0, 0.0, False, False, False)
        try:
            window = window_of(setting, n, dilation)
        except ValueError:
            return
        reach = (k - 1) * dilation + 1
        if window.out == (m,) and max(window.padding[0]) < reach and min(window.padding[0]) > -max(s, dilation):
            found.add((framework, k, s, padding, more))

    for k, s in itertools.product(sizes, range(1, 17)):
        ends = range((k - 1) * dilation + 1)
        lows = range(-s - dilation, (k - 1) * dilation + s + dilation + 1)
        for more in range(max(s, dilation)):
            for p in ends:
                attempt("PyTorch", k, s, p, more)
            for pads in itertools.product(ends, ends):
                attempt("ONNX", k, s, pads, more)
            for word in ("SAME_UPPER", "SAME_LOWER", "VALID"):
                attempt("ONNX", k, s, word, more)
        for word, more in itertools.product(("same", "valid"), (None, *range(s))):
            attempt("Keras", k, s, word, more)
        for word in ("SAME", "VALID"):
            attempt("JAX", k, s, word, None)
        for pair in itertools.product(ends, lows):
            attempt("JAX", k, s, pair, None)
    return found


@pytest.mark.parametrize(("n", "m", "dilation"), [(3, 6, 1), (4, 9, 1), (5, 4, 1), (1, 3, 1), (3, 7, 2), (4, 15, 3)])
def test_it_finds_what_trying_every_call_finds(n, m, dilation):
    sizes = range(1, 5)
    found = solve_sizes([n], [m], kernel_sizes=sizes, dilation=dilation).settings
    listed = [(s.framework, s.kernel_size, s.stride, s.padding, s.output_padding) for s in found]
    assert len(set(listed)) == len(listed)
    assert set(listed) == every_call(n, m, sizes, dilation)


@pytest.mark.parametrize(("n", "m", "dilation"), [(64, 128, 1), (7, 20, 1), (5, 15, 2)])
def test_head_and_shift_are_those_of_the_call(n, m, dilation):
    for setting in solve_sizes([n], [m], dilation=dilation).settings:
        window = window_of(setting, n, dilation)
        before, after = window.padding[0]
        assert window.out == (m,)
        assert setting.head == before
        assert setting.shift == (after - before) / 2


def test_the_pytorch_rows_run():
    torch = pytest.importorskip("torch", reason="runs the rows for real")
    for n, m in ((64, 128), (5, 16), (3, 10)):
        rows = [s for s in solve_sizes([n], [m]).settings if s.framework == "PyTorch"]
        assert rows
        for s in rows:
            layer = torch.nn.ConvTranspose1d(
                1, 1, s.kernel_size, stride=s.stride, padding=s.padding, output_padding=s.output_padding
            )
            assert layer(torch.zeros(1, 1, n)).shape[-1] == m


def test_recommended_settings_are_even_centred_and_first():
    settings = solve_sizes([64], [128]).settings
    recommended = [s.recommended for s in settings]
    assert recommended == sorted(recommended, reverse=True)
    assert {s.kernel_size for s in settings if s.recommended} == {2, 4, 6, 8, 10}
    for setting in settings:
        assert setting.recommended == (setting.kernel_size % 2 == 0 and setting.shift == 0)


def test_the_trap_of_an_odd_kernel_is_in_the_shifts():
    rows = {(s.framework, s.padding): s for s in solve_sizes([64], [128], kernel_sizes=[3]).settings}
    assert rows["PyTorch", 1].shift == rows["ONNX", "SAME_LOWER"].shift == -0.5
    assert rows["Keras", "same"].shift == rows["ONNX", "SAME_UPPER"].shift == rows["JAX", "SAME"].shift == 0.5
    assert not any(row.recommended for row in rows.values())


def test_a_picture_has_its_common_settings_and_those_of_each_axis():
    found = solve_sizes([64, 48], [128, 144])
    assert found.settings == ()
    assert {s.stride for s in found.axes[0]} == {2}
    assert {s.stride for s in found.axes[1]} == {3}
    assert found.unreachable is None
    square = solve_sizes([64, 48], [128, 96])
    assert {s.stride for s in square.settings} == {2}
    assert len(square.settings) == len(square.axes[0]) == len(square.axes[1])


def test_a_size_out_of_reach_gets_a_sentence_with_the_nearest_ones():
    found = solve_sizes([100], [150])
    assert found.settings == ()
    assert found.unreachable == (
        "no transposed convolution with a kernel of 1 to 11 taps and a stride of at most 16 takes 100 to 150: the "
        "nearest sizes it reaches are 110 and 189"
    )
    for reached in (110, 189):
        assert solve_sizes([100], [reached]).settings
    for size in (111, 188):
        assert solve_sizes([100], [size]).unreachable


def test_the_table_groups_the_same_pixels_and_puts_recommended_ones_first():
    text = format_solutions(solve_sizes([64], [128], kernel_sizes=[3, 4]))
    lines = [line.split() for line in text.splitlines()]
    assert lines.index(["4", "2", "0", "even", "p=1", "same", "SAME_LOWER,", "SAME_UPPER", "SAME,", "(2,2)"]) < (
        lines.index(["3", "2", "-0.5", "uneven", "p=1", "op=1", "-", "SAME_LOWER,", "(1,0)", "(1,2)"])
    )
    assert max(map(len, text.splitlines())) <= 120
    assert "4 more lines shifted by a pixel or more: --all shows them." in text
    whole = format_solutions(solve_sizes([64], [128], kernel_sizes=[3, 4]), everything=True)
    assert len(whole.splitlines()) == len(text.splitlines()) + 4 - 2


def test_the_table_has_a_part_for_each_axis_where_none_fits_all():
    text = format_solutions(solve_sizes([64, 48], [128, 144], kernel_sizes=[6]))
    assert text.index("Axis 0, 64 -> 128:") < text.index("Axis 1, 48 -> 144:")
    assert "the same on every axis" in format_solutions(solve_sizes([64, 48], [128, 96], kernel_sizes=[4]))


def test_the_table_of_nothing_is_the_sentence():
    assert format_solutions(solve_sizes([2], [1000])) == (
        "No transposed convolution with a kernel of 1 to 11 taps and a stride of at most 16 takes 2 to 1000: the "
        "nearest size it reaches is 42."
    )


def test_the_solutions_go_through_json():
    found = solve_sizes([4], [8], kernel_sizes=[4])
    read = json.loads(json.dumps(found.as_dict()))
    assert read["settings"][0] == {
        "framework": "PyTorch",
        "kernel_size": 4,
        "stride": 2,
        "padding": 1,
        "output_padding": 0,
        "head": 1,
        "shift": 0.0,
        "even": True,
        "gaps": False,
        "recommended": True,
    }


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([64], [128, 128]), "wanted must be one integer, or one for each of the 1"),
        (([0], [128]), "shape must be at least 1"),
        (([1] * 4, [2] * 4), "shape must have 1, 2 or 3 axes"),
        (([64], [10**6]), "sizes must be at most 65536"),
    ],
)
def test_bad_sizes_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        solve_sizes(*arguments)


@pytest.mark.parametrize("sizes", [[], [0], [65]])
def test_bad_kernel_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="kernel_sizes must"):
        solve_sizes([4], [8], kernel_sizes=sizes)
