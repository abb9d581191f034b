from __future__ import annotations

import numpy as np
import pytest

from restoretk._arrays import Array
from restoretk.convolution.boundary import BOUNDARIES, crop, extend_periodically, pad, pad_adjoint


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("shape", "before", "after"), [((7,), (3,), (5,)), ((6, 9), (1, 4), (5, 0)), ((4, 5, 6), (2, 0, 7), (3, 1, 2))]
)
def test_pad_adjoint_is_the_adjoint_of_pad(
    rng: np.random.Generator, boundary: str, shape: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    image = rng.standard_normal((2, *shape))
    padded = pad(image, before, after, boundary)
    other = rng.standard_normal(padded.shape)
    assert np.vdot(padded, other) == pytest.approx(
        np.vdot(image, pad_adjoint(other, before, after, boundary)), rel=1e-12
    )


def test_each_boundary_continues_the_scene_as_its_table_says() -> None:
    frame = np.array([1.0, 2, 3, 4])
    expected = {"wrap": [3, 4], "reflect": [3, 2], "symmetric": [2, 1], "edge": [1, 1], "constant": [0, 0]}
    for boundary, low in expected.items():
        assert pad(frame, [2], [0], boundary)[:2].tolist() == low


@pytest.mark.parametrize("boundary", [b for b in BOUNDARIES if b not in ("wrap", "constant")])
def test_the_torus_has_no_jump_where_it_closes(scene: Array, boundary: str) -> None:
    smooth = scene.cumsum(0).cumsum(1) / scene.size  # very different at opposite edges, smooth inside
    torus = extend_periodically(smooth[None], (64, 90), boundary)[0]
    for axis in (0, 1):
        inside = np.abs(np.diff(smooth, axis=axis)).max()
        round_trip = np.abs(np.diff(torus, axis=axis, append=np.take(torus, [0], axis))).max()
        naive = np.abs(np.take(smooth, 0, axis) - np.take(smooth, -1, axis)).max()
        assert round_trip < max(4 * inside, naive / 4)


def test_the_frame_lies_first_on_the_torus_unchanged(scene: Array) -> None:
    torus = extend_periodically(scene[None], (48, 72), "symmetric")
    np.testing.assert_array_equal(crop(torus, [0, 0], scene.shape)[0], scene)


def test_wrap_refuses_a_larger_torus(scene: Array) -> None:
    with pytest.raises(ValueError, match=r"boundary 'wrap' needs no padding.*\(48, 72\)"):
        extend_periodically(scene[None], (48, 72), "wrap")


def test_an_unknown_boundary_answers_with_the_choices(scene: Array) -> None:
    with pytest.raises(
        ValueError, match="boundary must be one of wrap, reflect, symmetric, edge, constant, got 'mirror'"
    ):
        pad(scene, [1, 1], [1, 1], "mirror")
