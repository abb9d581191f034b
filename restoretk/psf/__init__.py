"""Point spread functions: arrays that are non-negative, sum to 1 and have their origin at ``shape // 2``.

Lengths are in pixels. Angles are in degrees, counter-clockwise on the screen (rows point down) from the positive
column axis: 0 lies along a row, 90 along a column. Unless ``size`` says otherwise, sides are odd and large enough for
what each function states; a ``size`` with even sides puts the origin at ``size // 2``, half a pixel after the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from restoretk._arrays import Array
from restoretk.psf.aperture import box_psf, disk_psf
from restoretk.psf.background import Background, find_background, subtract_background
from restoretk.psf.channels import psfs_for
from restoretk.psf.check import check_psf
from restoretk.psf.gaussian import gaussian_psf
from restoretk.psf.optics import airy_psf, moffat_psf, turbulence_psf
from restoretk.psf.path import camera_shake_psf, motion_psf

__all__ = [
    "PSFS",
    "Background",
    "airy_psf",
    "box_psf",
    "camera_shake_psf",
    "check_psf",
    "disk_psf",
    "find_background",
    "gaussian_psf",
    "moffat_psf",
    "motion_psf",
    "psfs_for",
    "subtract_background",
    "turbulence_psf",
]

PSFS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        "gaussian": gaussian_psf,
        "motion": motion_psf,
        "disk": disk_psf,
        "box": box_psf,
        "airy": airy_psf,
        "moffat": moffat_psf,
        "turbulence": turbulence_psf,
        "camera_shake": camera_shake_psf,
    }
)
