"""The grammar: what it reads, what it refuses, and that it reads back what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest

from restoretk._arrays import Rng
from restoretk._grammar import bind, check_choice, format_spec, parse_spec, split_chain


@pytest.mark.parametrize(
    ("spec", "name", "options"),
    [
        ("wiener", "wiener", {}),
        ("motion:length=15,angle=30", "motion", {"length": 15.0, "angle": 30.0}),
        (" motion : length = 15 , angle = -30.5 ", "motion", {"length": 15, "angle": -30.5}),
        ("gaussian:sigma=2x1.5", "gaussian", {"sigma": (2, 1.5)}),
        ("box:size=3x5x7", "box", {"size": (3, 5, 7)}),
        ("a:b=1e-3,c=1E+3,d=.5,e=5.", "a", {"b": 0.001, "c": 1000.0, "d": 0.5, "e": 5.0}),
        ("a:b=true,c=False,d=gcv", "a", {"b": True, "c": False, "d": "gcv"}),
        ("jpeg:subsampling=4:2:0", "jpeg", {"subsampling": "4:2:0"}),
    ],
)
def test_a_spec_is_a_name_and_options(spec, name, options):
    assert parse_spec(spec) == (name, options)


def test_whole_numbers_are_int_and_others_float():
    options = parse_spec("a:b=4,c=4.0,d=-2x0.5")[1]
    assert [type(options["b"]), type(options["c"])] == [int, float]
    assert [type(part) for part in options["d"]] == [int, float]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "begins with a name, got ''"),
        (":a=1", "begins with a name"),
        ("9disk", "begins with a name"),
        ("my psf:a=1", "begins with a name"),
        ("disk:", "got '' where key=value belongs in 'disk:'"),
        ("disk:4", "got '4' where key=value belongs"),
        ("disk:radius=", "got 'radius=' where key=value belongs"),
        ("disk:radius=4,", "got '' where key=value belongs"),
        ("disk:=4", "got '=4' where key=value belongs"),
        ("disk:radius=4,radius=5", "'radius' is given twice"),
        ("disk:radius=inf", "numbers must be finite, got 'inf'"),
        ("disk:radius=-NaN", "numbers must be finite, got '-NaN'"),
        ("disk:radius=1e999", "numbers must be finite, got '1e999'"),
    ],
)
def test_what_the_grammar_does_not_know_is_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        parse_spec(spec)


def test_a_spec_is_text():
    with pytest.raises(TypeError, match="a spec must be text"):
        parse_spec(3)


@pytest.mark.parametrize(
    ("chain", "links"),
    [
        ("a", ["a"]),
        ("a:k=1+b:k=2", ["a:k=1", "b:k=2"]),
        ("a:k=1e+3 + b", ["a:k=1e+3", "b"]),
        ("a:k=+3+b+c:k=1E+2", ["a:k=+3", "b", "c:k=1E+2"]),
    ],
)
def test_the_plus_of_a_number_is_no_link_of_a_chain(chain, links):
    assert split_chain(chain) == links


def random_value(rng: np.random.Generator) -> object:
    number = [
        lambda: int(rng.integers(-(10**12), 10**12)),
        lambda: float(rng.standard_normal() * 10.0 ** rng.integers(-300, 300)),
    ]
    kind = rng.integers(5)
    if kind < 2:
        return number[kind]()
    if kind == 2:
        return tuple(number[rng.integers(2)]() for _ in range(rng.integers(2, 4)))
    return bool(rng.integers(2)) if kind == 3 else str(rng.choice(["auto", "gcv", "a_b", "x", "1x", "4:2:0", "e5"]))


@pytest.mark.parametrize("seed", range(100))
def test_what_is_written_is_read_back(seed):
    rng = np.random.default_rng(seed)
    options = {key: random_value(rng) for key in rng.permutation(["a", "b2", "c_d", "e5"])[: seed % 5]}
    spec = format_spec("name", options)
    assert parse_spec(spec) == ("name", options)
    assert split_chain(f"{spec}+{spec}") == [spec, spec]


# bind


def _plain(image: object, radius: float, *, size: int = 3, mode: str = "auto", fast: bool = False) -> None: ...


def _rich(
    sigma: float | Sequence[float],
    *,
    rng: Rng,
    kind: Literal["a", "b"] = "a",
    ratio: float | str = "auto",
    size: int | Sequence[int] | None = None,
) -> None: ...


REGISTRY = {"plain": _plain, "rich": _rich}


def bound(spec: str) -> dict:
    return bind(spec, REGISTRY, "thing", exclude=("image",))[1]


def test_values_come_as_the_annotation_asks():
    assert bound("plain:radius=4,size=5.0,mode=word,fast=true") == {
        "radius": 4,
        "size": 5,
        "mode": "word",
        "fast": True,
    }
    assert isinstance(bound("plain:radius=4,size=5.0")["size"], int)
    assert bound("rich:sigma=2x1,seed=3,kind=b,ratio=0.5") == {"sigma": (2, 1), "rng": 3, "kind": "b", "ratio": 0.5}
    assert bound("rich:sigma=2,seed=3,ratio=auto,size=3x5")["size"] == (3, 5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("plane", r"thing must be one of plain, rich; got 'plane' \(did you mean 'plain'\?\)"),
        ("zzz", r"thing must be one of plain, rich; got 'zzz'$"),
        (
            "plain:radius=1,sise=3",
            r"key of thing plain must be one of radius, size, mode, fast; got 'sise' \(did you mean",
        ),
        ("plain:image=1", "key of thing plain must be one of radius, size, mode, fast; got 'image'"),
        ("rich:sigma=1,rng=3", "key of thing rich must be one of sigma, seed, kind, ratio, size; got 'rng'"),
        ("plain", "thing plain needs radius=..., got 'plain'"),
        ("rich", "thing rich needs sigma=... and seed=..., got 'rich'"),
        ("plain:radius=wide", "radius of thing plain must be a number, got 'wide'"),
        ("plain:radius=2x1", "radius of thing plain must be a number, got '2x1'"),
        ("plain:radius=true", "radius of thing plain must be a number, got 'true'"),
        ("plain:radius=1,size=2.5", "size of thing plain must be a whole number, got '2.5'"),
        ("plain:radius=1,mode=3", "mode of thing plain must be a word, got '3'"),
        ("plain:radius=1,fast=1", "fast of thing plain must be true or false, got '1'"),
        ("rich:sigma=a,seed=1", "sigma of thing rich must be a number or numbers joined by x, as in 2x1, got 'a'"),
        ("rich:sigma=1,seed=auto", "seed of thing rich must be a whole number, got 'auto'"),
        ("rich:sigma=1,seed=1,ratio=1x2", "ratio of thing rich must be a number or a word, got '1x2'"),
    ],
)
def test_a_wrong_name_key_or_value_answers_with_the_choices(spec, message):
    with pytest.raises(ValueError, match=message):
        bound(spec)


def test_a_choice_that_exists_passes():
    check_choice("a", ("a", "b"), "letter")
    with pytest.raises(ValueError, match=r"letter must be one of \(none\); got 'a'"):
        check_choice("a", (), "letter")


def test_a_seed_of_the_grammar_is_a_seed_of_numpy():
    seed = bound("rich:sigma=1,seed=3")["rng"]
    assert np.random.default_rng(seed).random() == np.random.default_rng(3).random()


def test_a_parameter_without_annotation_takes_what_is_said() -> None:
    def plain(level=1):  # the point of it
        return level

    for spelled, value in (("2", 2), ("word", "word"), ("2x1", (2, 1)), ("true", True)):
        assert bind(f"plain:level={spelled}", {"plain": plain}, "psf") == ("plain", {"level": value})
