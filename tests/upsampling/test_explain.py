from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from restoretk.convolution.strided import conv
from restoretk.upsampling import conv_transpose, explain_transposed_convolution, format_explanation


def test_the_worked_example_has_the_published_numbers():
    record = explain_transposed_convolution()
    np.testing.assert_array_equal(record.convolved, [[12, 12], [10, 17]])
    np.testing.assert_array_equal(
        record.transposed, [[0, 12, 36, 24], [24, 58, 61, 34], [20, 66, 70, 24], [0, 10, 37, 34]]
    )
    np.testing.assert_array_equal(record.convolved_again.ravel(), [454, 440, 436, 506])
    np.testing.assert_allclose(record.recovered, record.sent_back, rtol=0, atol=1e-12)
    np.testing.assert_allclose(record.singular_values, [6, 4, 2 * 3**0.5, 2 * 2**0.5], rtol=0, atol=1e-12)
    assert record.rank == 4
    assert record.matrix.shape == (16, 4)
    np.testing.assert_array_equal(
        record.matrix.T @ record.matrix, [[18, 8, 4, 6], [8, 18, 6, 4], [4, 6, 18, 8], [6, 4, 8, 18]]
    )


def test_the_minimum_norm_inverse_is_e_times_the_inverse_of_ctc_times_ct():
    record = explain_transposed_convolution()
    C, e = record.matrix, record.sent_back.ravel()
    np.testing.assert_allclose(record.minimum_norm.ravel(), e @ np.linalg.inv(C.T @ C) @ C.T, rtol=0, atol=1e-12)
    assert np.linalg.norm(record.minimum_norm) < np.linalg.norm(record.patch)


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2}, {"padding": 1}, {"stride": (2, 1), "padding": (0, 2)}, {"dilation": (2, 1)}]
)
def test_the_record_agrees_with_the_operators(rng, options):
    patch, mask = rng.standard_normal((5, 6)), rng.standard_normal((2, 3))
    record = explain_transposed_convolution(patch, mask, **options)
    np.testing.assert_allclose(record.convolved, conv(patch, mask, **options), rtol=0, atol=1e-12)
    transposed = conv_transpose(record.sent_back, mask, **options)  # PyTorch leaves out the tail that no output reads
    window = tuple(slice(size) for size in transposed.shape)
    np.testing.assert_allclose(record.transposed[window], transposed, rtol=0, atol=1e-12)
    np.testing.assert_allclose(conv(record.transposed, mask, **options), record.convolved_again, rtol=0, atol=1e-12)
    np.testing.assert_allclose(conv(record.minimum_norm, mask, **options), record.recovered, rtol=0, atol=1e-12)


def test_another_e_can_be_sent_back():
    record = explain_transposed_convolution([1, 2, 4], [1, 1], sent_back=[1, 0])
    np.testing.assert_array_equal(record.transposed, [1, 1, 0])
    assert not any("Distance to D" in sentence for sentence in record.findings)


def test_an_e_out_of_reach_is_said_to_be():
    record = explain_transposed_convolution([1, 2], [1, 1], padding=1, sent_back=[1, 0, 0])
    assert any("C cannot produce this E" in sentence for sentence in record.findings)
    assert "(CᵀC)⁺" in format_explanation(record)


def test_where_the_copies_do_not_overlap_the_transpose_is_said_to_be_the_inverse():
    record = explain_transposed_convolution(np.arange(16).reshape(4, 4), [[1, 2], [3, 4]], stride=2)
    np.testing.assert_array_equal(record.convolved_again, 30 * record.convolved)
    assert any("E CᵀC is 30 E" in sentence for sentence in record.findings)
    assert not any("does not undo" in sentence for sentence in record.findings)


def test_integers_that_would_pass_64_bits_do_not_wrap_round():
    record = explain_transposed_convolution([10**15, 10**15], [10**3, 10**3])
    np.testing.assert_allclose(record.convolved_again, [4e24], rtol=1e-12)


def test_a_mask_of_zeros_loses_everything():
    record = explain_transposed_convolution([[1, 2], [3, 4]], [[0]])
    assert record.rank == 0
    assert record.scale == 0
    np.testing.assert_array_equal(record.minimum_norm, np.zeros((2, 2)))


def test_the_text_of_the_example_shows_the_numbers_as_printed_in_the_readme():
    text = format_explanation(explain_transposed_convolution())
    for line in (
        "  0 1 2 0  2 2 0 0  0 1 2 0  0 0 0 0",
        "  0 0 0 0  0 0 1 2  0 2 2 0  0 0 1 2",
        "  12 12 10 17",
        "  24 58 61 34",
        "  454 440 436 506",
        "  6 4 3.464 2.828",
        "- Distance to D: 149.6 from E Cᵀ (6.3 at the best scale, 0.0286), 6.18 from x.",
    ):
        assert line in text.splitlines()


def test_a_matrix_too_large_to_read_is_counted_instead_of_printed():
    text = format_explanation(explain_transposed_convolution(np.ones((12, 12)), np.ones((3, 3))))
    assert "100 rows of 144 with 900 numbers that are not 0" in text
    assert max(map(len, text.splitlines())) < 200


def test_the_record_goes_through_json():
    record = explain_transposed_convolution()
    read = json.loads(json.dumps(record.as_dict()))
    assert read["convolved_again"] == [[454, 440], [436, 506]]
    assert read["stride"] == [1, 1]
    assert len(read["matrix"]) == 16


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"patch": np.ones((33, 32))}, ValueError, "patch must have at most 1024 pixels"),
        ({"mask": [1, 2]}, ValueError, r"mask must have as many axes as the patch, 2, got shape \(2,\)"),
        ({"mask": np.ones((5, 1))}, ValueError, "larger than the image"),
        ({"sent_back": [1, 2, 3]}, ValueError, r"sent_back must have the shape of the output, \(2, 2\), got \(3,\)"),
        ({"patch": [["a"]]}, TypeError, "patch must hold integers or floats"),
        ({"patch": [[np.nan]]}, ValueError, "patch must be finite"),
        ({"patch": 3.0}, ValueError, "patch must have 1, 2 or 3 axes"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        explain_transposed_convolution(**arguments)


def test_importing_upsampling_stays_light():
    code = (
        "import sys, restoretk.upsampling; print([m for m in sys.modules if m.startswith(('scipy', 'skimage', 'PIL'))])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
