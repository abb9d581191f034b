"""Each channel restored as a picture of its own: its own noise level, its own strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from restoretk._arrays import Array, refuse_masked
from restoretk.restoration._frequency_domain import LinearFilter, given
from restoretk.restoration.record import Criterion, Restoration


@dataclass(frozen=True)
class ChannelFilters:
    """A `LinearFilter` for each channel, answering as one."""

    filters: tuple[LinearFilter, ...]
    channel_axis: int

    def image(self, out: Array | None = None) -> Array:
        """The restored image; see `LinearFilter.image`."""
        return given(np.stack([each.image() for each in self.filters], self.channel_axis), out)

    def restoration(self) -> Restoration:
        """One record: what all channels share by its name, what differs with the number of the channel, ``name[0]``."""
        records = [each.restoration() for each in self.filters]
        levels = [record.noise_sigma for record in records if record.noise_sigma is not None]
        gathered = [_with_levels(record) for record in records]
        transfers = [record.transfer for record in records if record.transfer is not None]
        return Restoration(
            image=np.stack([record.image for record in records], self.channel_axis),
            method=records[0].method,
            parameters=_merged([record.parameters for record in gathered]),
            noise_sigma=float(np.sqrt(np.mean(np.square(levels)))) if levels else None,
            criteria=_numbered([record.criteria for record in records]),
            diagnostics=_mean([record.diagnostics for record in records]),
            warnings=tuple(
                f"channel {index}: {text}" for index, record in enumerate(records) for text in record.warnings
            ),
            transfer=np.concatenate(transfers) if transfers else None,
            torus=records[0].torus,
        )


def decide_per_channel(
    decide: Callable[..., Any],
    image: npt.ArrayLike,
    psf: npt.ArrayLike,
    channel_axis: int | None,
    *,
    mask: npt.ArrayLike | str | None,
    weights: npt.ArrayLike | str | None,
) -> ChannelFilters:
    """What ``decide`` decides for each channel alone.

    Raises
    ------
    TypeError, ValueError
        What ``decide`` raises; ValueError without a channel axis, or for another number of PSFs than channels.
    """
    for name, value in (("image", image), ("psf", psf), ("mask", mask), ("weights", weights)):
        refuse_masked(value, name)
    ndim = np.ndim(image)
    if channel_axis is None or not -ndim <= channel_axis < ndim:
        raise ValueError(
            f"per_channel needs the channel_axis of an image of shape {np.shape(image)}"
            + ("" if channel_axis is None else f", got {channel_axis}")
        )
    axis = channel_axis % ndim
    count = np.shape(image)[axis]
    shared = {"psf": psf, "mask": mask, "weights": weights}
    # Strings and None have no axes; an array with as many as the image has the channels among them.
    split = {name: value for name, value in shared.items() if value is not None and np.ndim(value) == ndim}
    for name, value in split.items():
        if np.shape(value)[axis] != count:
            raise ValueError(f"{name} of shape {np.shape(value)} must have {count} channels on axis {channel_axis}")
    pixels = np.asarray(image)
    filters = []
    for index in range(count):
        own = {name: np.take(np.asarray(value), index, axis) for name, value in split.items()}
        filters.append(decide(pixels.take(index, axis), **(shared | own)))
    return ChannelFilters(tuple(filters), axis)


def _with_levels(record: Restoration) -> Restoration:
    """The record with its noise level among the parameters, where it differs from channel to channel."""
    if record.noise_sigma is None:
        return record
    return replace(record, parameters=dict(record.parameters) | {"noise_sigma": record.noise_sigma})


def _merged(each: list[Mapping[str, float | str]]) -> dict[str, float | str]:
    """Values that all share once, others numbered by channel."""
    merged: dict[str, float | str] = {}
    for name in dict.fromkeys(name for one in each for name in one):
        values = [one.get(name) for one in each]
        if all(value == values[0] for value in values) and values[0] is not None:
            merged[name] = values[0]
        else:
            merged |= {f"{name}[{i}]": value for i, value in enumerate(values) if value is not None}
    return merged


def _numbered(each: list[Mapping[str, Criterion]]) -> dict[str, Criterion]:
    return {f"{name}[{index}]": rule for index, one in enumerate(each) for name, rule in one.items()}


def _mean(each: list[Mapping[str, float]]) -> dict[str, float]:
    """Root mean squares of standard deviations and gains, means of the rest, over the channels."""
    merged = {}
    for name in dict.fromkeys(name for one in each for name in one):
        values = np.array([one[name] for one in each if name in one])
        squares = name in ("noise_gain", "residual_sigma")
        merged[name] = float(np.sqrt(np.mean(values**2)) if squares else np.mean(values))
    return merged
