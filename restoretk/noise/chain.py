"""The noises by name, and chains of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from restoretk._arrays import Array
from restoretk._grammar import bind, parse_spec, split_chain
from restoretk.noise.coding import jpeg, quantize
from restoretk.noise.sensor import (
    gaussian_noise,
    poisson_gaussian_noise,
    poisson_noise,
    salt_and_pepper_noise,
    speckle_noise,
)

Noise = Callable[[Array, np.random.Generator], Array]

NOISES: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        "gaussian": gaussian_noise,
        "poisson": poisson_noise,
        "poisson_gaussian": poisson_gaussian_noise,
        "salt_and_pepper": salt_and_pepper_noise,
        "speckle": speckle_noise,
        "quantize": quantize,
        "jpeg": jpeg,
    }
)


def make_noise(spec: str | Noise | Sequence[str | Noise], *, channel_axis: int | None = None) -> Noise:
    """The noise that a spec spells, as a function (image, rng) -> image.

    Parameters
    ----------
    spec : str, callable or sequence of them
        ``gaussian:sigma=0.01``, or a chain such as ``poisson:peak=1000+gaussian:sigma=0.01+jpeg:quality=90``, applied
        from left to right to the result of the one before. A callable (image, rng) -> image stands for itself, and a
        sequence is a chain.
    channel_axis : int or None
        Passed on to the noises that treat channels together (jpeg).

    Raises
    ------
    TypeError, ValueError
        For a name, key or value that does not exist; the message lists the choices.

    Examples
    --------
    >>> import numpy as np
    >>> noise = make_noise("gaussian:sigma=0.1+quantize:bits=4")
    >>> (noise(np.array([0.5, 0.5]), np.random.default_rng(1)) * 15).round(6)
    array([8., 9.])
    """
    if isinstance(spec, str):
        links = [_one_noise(link, channel_axis) for link in split_chain(spec)]
    elif callable(spec):
        return spec
    elif isinstance(spec, Sequence):
        links = [make_noise(link, channel_axis=channel_axis) for link in spec]
    else:
        raise TypeError(f"noise must be a spec, a function (image, rng) -> image or a sequence of them, got {spec!r}")

    def chained(image: Array, rng: np.random.Generator) -> Array:
        for link in links:
            image = link(image, rng)
        return image

    return chained


def make_photograph_noise(
    spec: str, *, encode: Callable[[Array], Array], decode: Callable[[Array], Array], channel_axis: int | None = None
) -> Noise:
    """The noise that a spec spells, for a picture in linear light whose file holds code values.

    What a sensor does happens to light. From the first link that stores the picture (quantize, jpeg) the chain happens to
    code values, and its result is decoded to light again.

    Parameters
    ----------
    spec : str
        As for `make_noise`.
    encode, decode : functions of an array
        From light to code values and back.
    channel_axis : int or None
        As for `make_noise`.

    Raises
    ------
    ValueError
        As `make_noise`.

    Examples
    --------
    >>> import numpy as np
    >>> noise = make_photograph_noise("quantize:bits=1", encode=np.sqrt, decode=np.square)
    >>> noise(np.array([0.2, 0.3, 0.9]), np.random.default_rng(0))
    array([0., 1., 1.])
    """
    links = split_chain(spec)
    names = [parse_spec(link)[0] for link in links]
    stored = next((index for index, name in enumerate(names) if NOISES.get(name) in (quantize, jpeg)), len(links))
    if stored == len(links):
        return make_noise(spec, channel_axis=channel_axis)
    there: Noise = lambda image, rng: encode(image)  # noqa: ARG005, E731  # nothing random in it
    back: Noise = lambda image, rng: decode(image)  # noqa: ARG005, E731  # as above
    return make_noise([*links[:stored], there, *links[stored:], back], channel_axis=channel_axis)


def _one_noise(spec: str, channel_axis: int | None) -> Noise:
    name, options = bind(spec, NOISES, "noise", exclude=("image", "rng", "channel_axis"))
    function: Any = NOISES[name]
    if function is jpeg:
        options["channel_axis"] = channel_axis
    if function in (quantize, jpeg):
        return lambda image, rng: function(image, **options)  # noqa: ARG005  # nothing random in them
    return lambda image, rng: function(image, **options, rng=rng)
