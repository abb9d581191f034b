"""Tone curves: between the code values of a photograph and linear light, in which blur happens."""

from __future__ import annotations

from restoretk.tone_curve.curves import LINEAR, SRGB, ParametricCurve, TableCurve, ToneCurve, power_curve
from restoretk.tone_curve.icc import ProfileCurves, ProfileError, profile_curves
from restoretk.tone_curve.working_space import AS_GIVEN, SPACES, WorkingSpace, choose_working_space

__all__ = [
    "AS_GIVEN",
    "LINEAR",
    "SPACES",
    "SRGB",
    "ParametricCurve",
    "ProfileCurves",
    "ProfileError",
    "TableCurve",
    "ToneCurve",
    "WorkingSpace",
    "choose_working_space",
    "power_curve",
    "profile_curves",
]
