"""What the report says about one decimated picture under both meanings: a Bridge turned into the template's pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from restoretk._arrays import Array
from restoretk.bridge import FITTED, INVERSE, TRANSPOSED, WIENER, Bridge, Reading
from restoretk.panel import Panel
from restoretk.report._charts import linear_chart
from restoretk.report._pictures import detail_window, picture_uri, spectrum_uri

_SHOWN = (TRANSPOSED, INVERSE, WIENER, FITTED)
_ERROR_RANGE = 32 / 255  # from mid-grey to white or black in the pictures of errors
_SPECTRUM_SIDE = 256
_NAMES = {
    TRANSPOSED: "s²Hᵀg, transposed",
    INVERSE: "H⁺g, inverse",
    WIENER: "Wiener through H",
    FITTED: "fitted kernel",
}
_SHORT = {TRANSPOSED: "s²Hᵀg", INVERSE: "H⁺g", WIENER: "Wiener", FITTED: "fitted"}
_WHY = {
    TRANSPOSED: "Each pixel of g spread out through the kernel of H: bicubic upsampling.",
    INVERSE: "The picture of least energy that H turns into g.",
    WIENER: "The scene to expect, knowing how power falls with frequency in pictures, and how strong the noise is.",
    FITTED: "A transposed convolution too, its kernel fitted to photographs without noise: it learned to invert.",
}


@dataclass(frozen=True)
class Cell:
    """A number of the table and how it is marked; a step of the path gives way on narrow screens."""

    text: str
    step: bool
    winner: bool
    best: bool


@dataclass(frozen=True)
class Crop:
    """A detail of one result, and of its error where there is a result to compare with."""

    name: str
    uri: str
    error: str
    lines: tuple[str, ...]
    why: str


def bridge_section(bridge: Bridge | None, source: Array) -> dict[str, Any] | None:
    """What the template ``bridge_section.html`` needs; None where the picture, the source, is too small for a bridge."""
    if bridge is None:
        return None
    s = bridge.factor
    window = _window(bridge)
    low, high = bridge.readings[0], bridge.readings[-1]
    return {
        "factor": s,
        "scale": f"{bridge.scale:g}",
        "large": _size(bridge.original),
        "taken": _taken(bridge, source),
        "small": _size(low.decimated),
        "kept": f"1 in {s**2}",
        "difference": _power(bridge.difference),
        "verdict": _verdict(bridge),
        "columns": [(_column(panel), _is_step(panel)) for panel in low.panels],
        "rows": [(f"{reading.noise:g}", _cells(reading), _nearer(reading)) for reading in bridge.readings],
        "details": [(f"{reading.noise:g}", _crops(bridge, reading, window)) for reading in (low, high)],
        "error_range": round(255 * _ERROR_RANGE),
        "singular_chart": Markup(_singular_chart(bridge)),  # noqa: S704  # our own SVG, its texts escaped in _charts
        "smallest": f"{bridge.singular_values[0]:.2f}",
        "weakened": f"{1 / bridge.singular_values[0]:.1f}",
        "wave_chart": Markup(_wave_chart(bridge)),  # noqa: S704  # as above
        "box": f"{50 - 50 / s:.4g}%",
        "spectra": [("f, before decimation", _spectrum(bridge.original))]
        + [(_NAMES[panel.name], _spectrum(panel.image)) for panel in low.panels if panel.name in _SHOWN],
    }


def _column(panel: Panel) -> str:
    return f"{panel.parameters['iterations']} steps" if _is_step(panel) else _SHORT[panel.name]


def _is_step(panel: Panel) -> bool:
    return panel.name not in _SHORT


def _cells(reading: Reading) -> list[Cell]:
    return [
        Cell(f"{panel.metrics['psnr']:.2f}", _is_step(panel), panel is reading.winner, panel is reading.best)
        for panel in reading.panels
    ]


def _lead(reading: Reading) -> float:
    """By how many dB the nearer meaning is nearer."""
    return abs(reading.panel(TRANSPOSED).metrics["psnr"] - reading.panel(INVERSE).metrics["psnr"])


def _nearer(reading: Reading) -> str:
    return f"{_SHORT[reading.winner.name]}, by {_lead(reading):.2f} dB"


def _verdict(bridge: Bridge) -> str:
    """Who wins on this picture, in words."""
    first, *rest = bridge.readings
    said = f"Without noise {_SHORT[first.winner.name]} is nearer to the picture before decimation, by {_lead(first):.2f} dB."
    flipped = [reading for reading in rest if reading.winner.name != first.winner.name]
    if not flipped:
        return f"{said} On this picture it stays so at every level of noise shown."
    start, last = flipped[0], flipped[-1]
    return (
        f"{said} With {start.noise:g} grey levels of noise or more {_SHORT[start.winner.name]} is nearer, "
        f"with {last.noise:g} by {_lead(last):.2f} dB: the noise flips the winner."
    )


def _taken(bridge: Bridge, source: Array) -> str:
    """What f is of the picture that the report is about."""
    # H reads two pixels of the small grid beyond the frame on either side, and the sides are whole multiples of s.
    cut = any(a - b >= 5 * bridge.factor for a, b in zip(source.shape, bridge.original.shape, strict=False))
    part = "its centre only" if cut else "without the edges, where H would look beyond the frame"
    return f"the picture{' in grey' if source.ndim > 2 else ''}, {part}"


def _crops(bridge: Bridge, reading: Reading, window: tuple[slice, slice]) -> list[Crop]:
    """The same detail of the small picture and of what every method makes of it."""
    s = bridge.factor
    small = reading.decimated[tuple(slice(part.start // s, part.stop // s) for part in window)]
    noise = f"noise of {reading.noise:g} grey levels" if reading.noise else "no noise"
    crops = [
        Crop("g, decimated", picture_uri(small), "", (noise,), "What every method is given, its pixels magnified.")
    ]
    for panel in reading.panels:
        if panel.name in _SHOWN:
            error = 0.5 + (panel.image - bridge.original)[window] / (2 * _ERROR_RANGE)
            crops.append(
                Crop(
                    _NAMES[panel.name],
                    picture_uri(panel.image[window]),
                    picture_uri(error),
                    _lines(panel),
                    _WHY[panel.name],
                )
            )
    crops.append(Crop("f", picture_uri(bridge.original[window]), "", (), "Before decimation: the aim of all of them."))
    return crops


def _lines(panel: Panel) -> tuple[str, ...]:
    residual = 255 * panel.metrics["residual"]
    said = f"{residual:.2f}" if residual >= 0.005 else "0"
    return f"PSNR {panel.metrics['psnr']:.2f} dB", f"‖Hx − g‖ rms {said} grey levels"


def _singular_chart(bridge: Bridge) -> str:
    least = float(bridge.singular_values[0])
    start = np.floor(10 * least) / 10
    ticks = np.round(np.arange(start, 1.01, 0.1), 1).tolist()
    top = np.ceil(2 / least) / 2
    return linear_chart(
        bridge.singular_values,
        bridge.gains,
        across_label="σ: the strength that H left of a component of the picture (largest = 1)",
        up_label="what the method multiplies it by",
        across_ticks=ticks,
        up_ticks=np.arange(0, top + 0.1, 0.5).tolist(),
    )


def _wave_chart(bridge: Bridge) -> str:
    curves = {
        f"comes back as itself: {_SHORT[TRANSPOSED]}": bridge.passes[TRANSPOSED],
        f"comes back as itself: {_SHORT[INVERSE]}": bridge.passes[INVERSE],
        f"as false waves: {_SHORT[TRANSPOSED]}": bridge.aliases[TRANSPOSED],
        f"as false waves: {_SHORT[INVERSE]}": bridge.aliases[INVERSE],
    }
    return linear_chart(
        bridge.frequencies,
        curves,
        across_label="frequency of a wave along one axis, cycles per pixel of the large picture",
        up_label="share of its amplitude",
        across_ticks=(0, 0.1, 0.2, 0.3, 0.4, 0.5),
        up_ticks=(0, 0.2, 0.4, 0.6, 0.8, 1, 1.2),
        dashed=dict(zip(list(curves)[2:], list(curves)[:2], strict=True)),
        mark=(0.5 / bridge.factor, "limit of the small grid"),
    )


def _spectrum(image: Array) -> str:
    """Of the centre: what is to be seen needs no more."""
    rows, columns = (
        slice((side - min(side, _SPECTRUM_SIDE)) // 2, (side + min(side, _SPECTRUM_SIDE)) // 2) for side in image.shape
    )
    return spectrum_uri(image[rows, columns])


def _window(bridge: Bridge) -> tuple[slice, slice]:
    """The detail, on whole pixels of the small grid."""
    s = bridge.factor
    rows, columns = (slice(part.start // s * s, part.stop // s * s) for part in detail_window(bridge.original))
    return rows, columns


def _size(image: Array) -> str:
    return f"{image.shape[1]} × {image.shape[0]}"


def _power(value: float) -> str:
    """A tiny number in words: 4e-16 as 4·10⁻¹⁶."""
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    return f"{mantissa}·10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
