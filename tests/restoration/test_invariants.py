"""What a restoration must be whatever the picture: every method in METHODS is held to the invariants that it is due.

TABLE says which promises a method makes; PROMISES says how each is put to the test, on pictures and PSFs that hypothesis
draws. A method that joins METHODS needs a row, and gets the tests with it.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoretk._arrays import Array
from restoretk.convolution.blur import Blur, convolve
from restoretk.convolution.boundary import BOUNDARIES
from restoretk.degradation import degrade
from restoretk.restoration import METHODS

# Kept by every method, with fixed and with automatic parameters alike.
ALWAYS = (
    "a circular shift goes through",
    "turned pictures are restored by turned PSFs",
    "twice the light is twice the picture bit for bit",
    "three times the light is three times the picture",
    "a constant picture stays constant",
    "dtype and shape are kept and uint8 is within a level of floats",
    "the input is neither written to nor shared",
    "memory layout and byte order change no bit",
    "a second run gives the same bits",
)
OF_FIXED_PARAMETERS = ("channels do not see each other", "float32 agrees with float64")
OF_LINEAR_FILTERS = (
    "linear",
    "the adjoint is the filter of the turned PSF",
    "the mean is multiplied by the gain at frequency zero",
    "a delta changes nothing",
    "an invertible blur is undone",
)
OF_RICHARDSON_LUCY = ("never negative", "light is kept", "the likelihood never falls")


@dataclass(frozen=True)
class Row:
    """A method with what it promises: how to fix its parameters, how to make it exact, its gain at frequency 0."""

    method: Callable[..., Array]
    fixed: Mapping[str, Any]
    promises: tuple[str, ...]
    exact: Mapping[str, Any] = field(default_factory=dict)
    gain: float = 1.0

    def run(self, image: Any, psf: Array, *, automatic: bool = False, **options: Any) -> Array:
        """The method under periodic boundaries, unless told otherwise."""
        return self.method(image, psf, **({"boundary": "wrap"} | ({} if automatic else self.fixed) | options))


_FILTER = ALWAYS + OF_FIXED_PARAMETERS + OF_LINEAR_FILTERS
TABLE: Mapping[str, Row] = {
    "inverse_filter": Row(METHODS["inverse_filter"], {"cutoff": 0.1}, _FILTER, {"cutoff": 0.0}),
    "wiener": Row(METHODS["wiener"], {"noise_to_signal": 0.01}, _FILTER, {"noise_to_signal": 0.0}, 1 / 1.01),
    "regularized_filter": Row(
        METHODS["regularized_filter"], {"regularization": 0.01}, _FILTER, {"regularization": 0.0}
    ),
    "richardson_lucy": Row(
        METHODS["richardson_lucy"], {"iterations": 6}, ALWAYS + OF_FIXED_PARAMETERS + OF_RICHARDSON_LUCY
    ),
}


@dataclass(frozen=True)
class Case:
    """A picture, a PSF without symmetry whose sides may be even, and whether the method chooses its own parameters."""

    image: Array
    psf: Array
    automatic: bool
    rng: np.random.Generator

    @property
    def size(self) -> float:
        return float(np.abs(self.image).max())

    def tolerance(self, fixed: float) -> float:
        """Of closed forms, or of a choice that was iterated to a tolerance (and of ten times its noise)."""
        return self.size * (2e-2 if self.automatic else fixed)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    # A parameter can be chosen for a picture; noise of 81 pixels may as well be all scene as all noise.
    automatic = draw(st.sampled_from([False, False, False, True]))
    least, rough = (27, 2) if automatic else (9, 0)
    shape = draw(st.tuples(st.integers(least, 33), st.integers(least, 33)))
    sides = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    smooth = draw(st.integers(rough, 2))
    image = rng.standard_normal(shape)
    for axis in (0, 1):
        for _ in range(smooth):
            image = image + np.roll(image, 1, axis) + np.roll(image, 2, axis)
    image = (0.5 + 0.1 * image / image.std()) * draw(st.sampled_from([1.0, 1e-6, 255.0, 65535.0]))
    psf = rng.random(sides) * (rng.random(sides) > 0.3)
    psf[sides[0] // 2, sides[1] // 2] += draw(st.sampled_from([0.3, 2.0]))
    return Case(image, psf / psf.sum(), automatic, rng)


def centred(psf: Array) -> Array:
    """The PSF with odd sides: its origin in the middle, where turning leaves it."""
    return np.pad(psf, [(0, 1 - side % 2) for side in psf.shape])


def shift(row: Row, case: Case) -> None:
    by = tuple(int(case.rng.integers(side)) for side in case.image.shape)
    expected = np.roll(row.run(case.image, case.psf, automatic=case.automatic), by, (0, 1))
    shifted = row.run(np.roll(case.image, by, (0, 1)), case.psf, automatic=case.automatic)
    np.testing.assert_allclose(shifted, expected, rtol=0, atol=case.tolerance(1e-11))


def turn(row: Row, case: Case) -> None:
    psf = centred(case.psf)
    expected = row.run(case.image, psf, automatic=case.automatic)
    for turned in (np.transpose, np.rot90, np.flipud, np.fliplr):
        result = row.run(turned(case.image), turned(psf), automatic=case.automatic)
        np.testing.assert_allclose(result, turned(expected), rtol=0, atol=case.tolerance(1e-11))


def twice_the_light(row: Row, case: Case) -> None:
    boundary = ("wrap", "unknown")[int(case.rng.integers(2))]
    once = row.run(case.image, case.psf, automatic=case.automatic, boundary=boundary)
    for exponent in (1, int(case.rng.integers(-900, 900))):
        scaled = row.run(np.ldexp(case.image, exponent), case.psf, automatic=case.automatic, boundary=boundary)
        np.testing.assert_array_equal(scaled, np.ldexp(once, exponent))


def three_times_the_light(row: Row, case: Case) -> None:
    expected = 3 * row.run(case.image, case.psf, automatic=case.automatic)
    tolerance = case.tolerance(2e-15 * _noise_gain(row, case))
    np.testing.assert_allclose(
        row.run(3 * case.image, case.psf, automatic=case.automatic), expected, rtol=0, atol=4 * tolerance
    )


def constant(row: Row, case: Case) -> None:
    level = float(case.image.flat[0])
    for boundary in (*(name for name in BOUNDARIES if name != "constant"), "smooth", "unknown"):
        flat = np.full_like(case.image, level)
        restored = row.run(flat, case.psf, automatic=case.automatic, boundary=boundary)
        expected = level if case.automatic else row.gain * level
        np.testing.assert_allclose(restored, expected, rtol=1e-6, err_msg=boundary)


def dtypes(row: Row, case: Case) -> None:
    for dtype in (np.float16, np.float32, np.float64, np.int16, np.uint16, np.uint8):
        scale = np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else 1
        image = (np.clip(case.image / case.size, 0, 1) * scale).astype(dtype)
        restored = row.run(image, case.psf, automatic=case.automatic)
        assert (restored.dtype, restored.shape) == (np.dtype(dtype), image.shape)
    floats = row.run((image / 255).astype(np.float32), case.psf, automatic=case.automatic)
    levels = np.clip(np.rint(floats * 255), 0, 255)
    assert np.abs(restored.astype(int) - levels).max() <= 1


def untouched(row: Row, case: Case) -> None:
    image, psf = case.image.copy(), case.psf.copy()
    restored = row.run(image, psf, automatic=case.automatic)
    np.testing.assert_array_equal(image, case.image)
    np.testing.assert_array_equal(psf, case.psf)
    assert not np.shares_memory(restored, image)
    assert restored.flags.writeable


def layouts(row: Row, case: Case) -> None:
    expected = row.run(case.image, case.psf, automatic=case.automatic)
    readonly, spread = case.image.copy(), np.repeat(np.repeat(case.image, 2, 0), 3, 1)
    readonly.setflags(write=False)
    backwards = case.image[::-1, ::-1].copy()[::-1, ::-1]
    for image in (np.asfortranarray(case.image), spread[::2, ::3], backwards, case.image.astype(">f8"), readonly):
        np.testing.assert_array_equal(row.run(image, case.psf, automatic=case.automatic), expected)
    psf = np.asfortranarray(case.psf.astype(">f8"))
    np.testing.assert_array_equal(row.run(case.image, psf, automatic=case.automatic), expected)


def again(row: Row, case: Case) -> None:
    first = row.run(case.image, case.psf, automatic=case.automatic)
    np.testing.assert_array_equal(row.run(case.image, case.psf, automatic=case.automatic), first)
    if "workers" in inspect.signature(row.method).parameters:
        for workers in (1, 2, 4):
            result = row.run(case.image, case.psf, automatic=case.automatic, workers=workers)
            np.testing.assert_array_equal(result, first)


def channels(row: Row, case: Case) -> None:
    stack = np.stack([case.image, 3 * case.image[::-1], case.image[:, ::-1] - case.size], -1)
    boundary = ("wrap", "symmetric", "unknown")[int(case.rng.integers(3))]
    together = row.run(stack, case.psf, boundary=boundary, channel_axis=-1)
    permuted = row.run(stack[..., [2, 0, 1]], case.psf, boundary=boundary, channel_axis=-1)
    np.testing.assert_array_equal(permuted, together[..., [2, 0, 1]])
    for index in range(3):
        alone = row.run(stack[..., index], case.psf, boundary=boundary)
        np.testing.assert_allclose(together[..., index], alone, rtol=0, atol=1e-11 * np.abs(together).max())


def precisions(row: Row, case: Case) -> None:
    double = row.run(case.image, case.psf)
    single = row.run(case.image.astype(np.float32), case.psf)
    tolerance = 4e-6 * case.size * _noise_gain(row, case)
    np.testing.assert_allclose(single, double, rtol=0, atol=tolerance)


def linear(row: Row, case: Case) -> None:
    other = case.size * case.rng.standard_normal(case.image.shape)
    a, b = case.rng.uniform(-3, 3, 2)
    for boundary in BOUNDARIES:
        one, two, sum_ = (
            row.run(image, case.psf, boundary=boundary) for image in (case.image, other, a * case.image + b * other)
        )
        np.testing.assert_allclose(sum_, a * one + b * two, rtol=0, atol=1e-11 * case.size)


def adjoint(row: Row, case: Case) -> None:
    other, psf = case.rng.standard_normal(case.image.shape), centred(case.psf)
    forward = np.vdot(row.run(case.image, psf), other)
    backward = np.vdot(case.image, row.run(other, psf[::-1, ::-1]))
    assert abs(forward - backward) < 1e-11 * case.image.size * case.size


def mean(row: Row, case: Case) -> None:
    restored = row.run(case.image, case.psf, automatic=case.automatic)
    gain = 1 if case.automatic else row.gain
    assert restored.mean() == pytest.approx(gain * case.image.mean(), rel=1e-9)


def delta(row: Row, case: Case) -> None:
    point = np.zeros_like(case.psf)
    point[point.shape[0] // 2, point.shape[1] // 2] = 1
    for boundary in ("wrap", "symmetric", "unknown"):
        restored = row.run(case.image, point, boundary=boundary, **row.exact)
        np.testing.assert_allclose(restored, case.image, rtol=0, atol=1e-12 * case.size)


def undone(row: Row, case: Case) -> None:
    psf = case.psf.copy()
    psf[psf.shape[0] // 2, psf.shape[1] // 2] += (
        1.5 * psf.sum()
    )  # more than all others together: no zero in its spectrum
    psf /= psf.sum()
    blurred = convolve(case.image, psf, boundary="wrap")
    np.testing.assert_allclose(row.run(blurred, psf, **row.exact), case.image, rtol=0, atol=1e-12 * case.size)


def not_negative(row: Row, case: Case) -> None:
    assert row.run(np.maximum(case.image, 0), case.psf).min() >= 0


def light(row: Row, case: Case) -> None:
    image = np.maximum(case.image, 0)
    assert row.run(image, case.psf).sum() == pytest.approx(image.sum(), rel=1e-9)


def likelihood(row: Row, case: Case) -> None:
    image = np.maximum(case.image, 1e-3 * case.size)

    def of(iterations: int) -> float:
        expected = convolve(row.run(image, case.psf, iterations=iterations), case.psf, boundary="wrap")
        return float(np.sum(image * np.log(np.maximum(expected, 1e-300)) - expected))

    climb = [of(iterations) for iterations in (1, 2, 3, 5, 9)]
    assert all(later >= earlier - 1e-10 * abs(earlier) for earlier, later in itertools.pairwise(climb))


def _noise_gain(row: Row, case: Case) -> float:
    """By how much the method can amplify rounding: the largest gain at any frequency."""
    impulse = np.zeros_like(case.image)
    impulse[0, 0] = 1
    return max(1.0, float(np.abs(np.fft.fft2(row.run(impulse, case.psf, automatic=False))).max()))


PROMISES: Mapping[str, Callable[[Row, Case], None]] = dict(
    zip(
        ALWAYS + OF_FIXED_PARAMETERS + OF_LINEAR_FILTERS + OF_RICHARDSON_LUCY,
        (
            shift,
            turn,
            twice_the_light,
            three_times_the_light,
            constant,
            dtypes,
            untouched,
            layouts,
            again,
            channels,
            precisions,
            linear,
            adjoint,
            mean,
            delta,
            undone,
            not_negative,
            light,
            likelihood,
        ),
        strict=True,
    )
)


def test_every_method_is_in_the_table() -> None:
    assert TABLE.keys() == METHODS.keys()
    assert all(set(ALWAYS) <= set(row.promises) for row in TABLE.values())


@pytest.mark.parametrize(("name", "promise"), [(name, promise) for name in TABLE for promise in TABLE[name].promises])
@given(case=cases())
def test_every_method_keeps_its_promises(name: str, promise: str, case: Case) -> None:
    PROMISES[promise](TABLE[name], case)


def _textbook_richardson_lucy(image: Array, psf: Array, *, iterations: int = 5, boundary: str = "wrap") -> Array:
    blur = Blur(psf, image.shape, boundary)
    estimate = np.full_like(image, image.mean())
    for _ in range(iterations):
        estimate = estimate * np.maximum(blur.adjoint(image / np.maximum(blur.forward(estimate), 1e-300)), 0)
    return estimate


@pytest.mark.parametrize("promise", OF_RICHARDSON_LUCY)
@given(case=cases())
def test_the_promises_of_richardson_lucy_hold_for_the_textbook_and_tell_a_filter_from_it(
    promise: str, case: Case
) -> None:
    PROMISES[promise](Row(_textbook_richardson_lucy, {}, OF_RICHARDSON_LUCY), case)


@pytest.mark.parametrize("name", TABLE)
def test_a_picture_that_is_all_noise_keeps_its_mean(name: str) -> None:
    """As much scene as noise at every frequency: a filter that took the mean for texture would darken the picture."""
    for seed in range(8):
        image = 0.5 + 0.1 * np.random.default_rng(seed).standard_normal((9, 11))
        restored = TABLE[name].run(image, np.ones((1, 1)), automatic=True)
        assert restored.mean() == pytest.approx(image.mean(), rel=1e-9)


@given(case=cases(), boundary=st.sampled_from(BOUNDARIES))
def test_the_adjoint_of_the_blur_is_its_transpose(case: Case, boundary: str) -> None:
    other = case.rng.standard_normal(case.image.shape)
    blur = Blur(case.psf, case.image.shape, boundary)
    forward, backward = np.vdot(blur.forward(case.image), other), np.vdot(case.image, blur.adjoint(other))
    assert abs(forward - backward) <= 1e-13 * np.linalg.norm(case.image) * np.linalg.norm(other)


@given(case=cases(), seed=st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_noise_and_another_seed_another(case: Case, seed: int) -> None:
    image = np.clip(case.image / case.size, 0, 1)
    noise = "poisson:peak=500+gaussian:sigma=0.01+speckle:sigma=0.02+salt_and_pepper:amount=0.05"
    first = degrade(image, case.psf, noise=noise, rng=seed)
    np.testing.assert_array_equal(degrade(image, case.psf, noise=noise, rng=np.random.default_rng(seed)), first)
    assert (degrade(image, case.psf, noise=noise, rng=seed + 1) != first).any()
