"""What the page says: a Comparison turned into the sections of the template."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from markupsafe import Markup

from restoretk._arrays import Array
from restoretk._version import __version__
from restoretk.comparison import LANDWEBER_STEPS, Comparison
from restoretk.panel import Panel
from restoretk.report._bridge import bridge_section
from restoretk.report._charts import log_log_chart
from restoretk.report._explain import explanation
from restoretk.report._pictures import detail_window, picture_uri, psf_uri, share_outside, spectrum_uri
from restoretk.upsampling import explain_transposed_convolution

if TYPE_CHECKING:
    from jinja2 import Environment

_LABELS = {"psnr": "PSNR", "isnr": "ISNR", "ssim": "SSIM", "residual": "‖g − h∗f‖ rms"}

_CAPTIONS = {
    "inverse_filter": "g divided by H where |H| is at least a tenth of its peak, nothing elsewhere.",
    "wiener": "Least mean squared error for the spectra of scene and noise.",
    "regularized_filter": "Least squares under a smoothness constraint.",
    "richardson_lucy": "The scene that grows likelier with every step for light that was counted, and is never negative.",
    "g": "What the camera saw: blurred and noisy.",
    "H^T g": (
        "The transposed convolution with the same kernel, what deep learning calls deconvolution: each pixel of g is spread "
        "out again through h. It is blurred twice, |H|² in all, and quiet."
    ),
    "H^+ g": "The limit: division by H wherever H is not zero. Every bit of blur is undone, and the noise is all one sees.",
}


_UPSAMPLED = (
    "The transposed convolution where it belongs: the {what} picture, decimated, on the larger grid again: s²Hᵀ of the "
    "bicubic decimation. A larger picture, no blur undone, and no rival of the restorations: its PSNR is against the {what} "
    "picture before decimation."
)


@dataclass(frozen=True)
class Figure:
    """One picture of the page with its caption and numbers."""

    name: str
    uri: str
    detail: str
    caption: str
    metrics: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def render(comparison: Comparison) -> str:
    """The HTML of the report."""
    return environment().get_template("template.html").render(_content(comparison))


def environment() -> Environment:
    """The templates of this folder; what they are given is escaped, and must be there."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("restoretk.report", "."),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _content(comparison: Comparison) -> dict[str, object]:
    window = detail_window(comparison.observed.image if comparison.original is None else comparison.original)
    meanings = [
        _figure(panel, window, _CAPTIONS.get(panel.name, _landweber_caption(panel))) for panel in comparison.meanings
    ]
    restorations = [
        _figure(panel, window, _CAPTIONS.get(panel.name.split(":")[0], "")) for panel in comparison.restorations
    ]
    upsampled = [_figure(panel, window) for panel in comparison.upsampled]
    bridge = next((figure for figure in upsampled if figure.name.startswith("bicubic")), None)
    if bridge is not None:
        what = "observed" if comparison.original is None else "original"
        bridge = replace(
            bridge,
            name=f"upsampled ×{comparison.factor}, {bridge.name}",
            caption=_UPSAMPLED.format(what=what),
            metrics=tuple((f"{label} of the upsampling", value) for label, value in bridge.metrics),
        )
    original = None
    if comparison.original is not None:
        original = _figure(Panel("original", comparison.original), window, "The scene f inside the frame.")
    linear = {panel.name: panel.image for panel in comparison.meanings}
    spectra = {
        **({"original f": comparison.original} if comparison.original is not None else {}),
        "observed g": comparison.observed.image,
        "Hᵀg": linear["H^T g"],
        f"Landweber {LANDWEBER_STEPS[2]}": linear[f"Landweber {LANDWEBER_STEPS[2]}"],
        **{panel.name: panel.image for panel in comparison.restorations},
    }
    rows, columns = comparison.observed.image.shape[:2]

    def light(image: Array) -> Array:
        """What was filtered: the zeros of a blur in light are smeared in the spectrum of code values."""
        return comparison.working_space.decode(image, -1 if image.ndim == 3 else None)

    return {
        "comparison": comparison,
        "version": __version__,
        "size": f"{columns} × {rows}",
        "channels": "grey" if comparison.observed.image.ndim == 2 else f"{comparison.observed.image.shape[2]} channels",
        "original": original,
        "observed": _figure(comparison.observed, window, "g = h ∗ f + noise: what the camera saw."),
        "psf_uri": psf_uri(comparison.psf),
        "psf_shape": f"{comparison.psf.shape[1]} × {comparison.psf.shape[0]} pixels",
        "restorations": restorations,
        "meanings": meanings,
        "upsampled": upsampled,
        "bridge": bridge,
        "small_uri": picture_uri(comparison.decimated),
        "small_size": f"{comparison.decimated.shape[1]} × {comparison.decimated.shape[0]}",
        "spectra": [(name, spectrum_uri(light(image))) for name, image in spectra.items()],
        "gain_chart": Markup(  # noqa: S704  # our own SVG, its texts escaped in _charts
            log_log_chart(
                comparison.blur_levels,
                comparison.gains,
                across_label="|H|: the contrast that the blur left of a frequency",
                up_label="what the filter multiplies it by",
                limits=(1e-3, 1e3),
            )
        ),
        "table": [*comparison.meanings, *comparison.restorations],
        "labels": _LABELS,
        "decimated_meanings": bridge_section(
            comparison.bridge, comparison.observed.image if comparison.original is None else comparison.original
        ),
        "explain": explanation(explain_transposed_convolution()),
        "number": number,
        "pretty": pretty,
    }


def _landweber_caption(panel: Panel) -> str:
    steps = panel.parameters.get("iterations")
    if not isinstance(steps, int | float):
        return ""
    back = 1 / math.sqrt(steps)
    return f"After {steps:,.0f} steps of x ← x + τHᵀ(g − Hx): the frequencies with |H| above about {back:.2g} are back."


def _figure(panel: Panel, window: tuple[slice, slice], caption: str = "") -> Figure:
    notes = list(panel.warnings)
    outside = share_outside(panel.image)
    if outside > 0.01:
        notes.append(f"{outside:.1%} of the values lie outside black and white and are shown clipped")
    return Figure(
        name=pretty(panel.name),
        uri=picture_uri(panel.image),
        detail=picture_uri(panel.image[window]),
        caption=caption,
        metrics=tuple((_LABELS[key], number(key, value)) for key, value in panel.metrics.items()),
        parameters=_parameters(panel.parameters),
        notes=tuple(notes),
    )


def pretty(name: str) -> str:
    return {"H^T g": "τHᵀg", "H^+ g": "H⁺g"}.get(name, name)


def _parameters(parameters: Mapping[str, float | str]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value if isinstance(value, str) else f"{value:.4g}") for key, value in parameters.items())


def number(key: str, value: float) -> str:
    text = f"{value:.2f} dB" if key in ("psnr", "isnr") else f"{value:.4f}" if abs(value) < 100 else f"{value:.3g}"
    return text.replace("-", "−")
