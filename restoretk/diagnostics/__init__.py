"""What can be recovered, what the residual says, and what a PSF is like: on arrays, after any method."""

from restoretk.diagnostics.psf_fit import PsfFit, compare_psfs, transformed_psf
from restoretk.diagnostics.psf_inspection import PsfInspection, inspect_psf
from restoretk.diagnostics.recoverability import Recoverability, recoverability, restored_sigma
from restoretk.diagnostics.residual import ResidualAudit, audit_residual

__all__ = [
    "PsfFit",
    "PsfInspection",
    "Recoverability",
    "ResidualAudit",
    "audit_residual",
    "compare_psfs",
    "inspect_psf",
    "recoverability",
    "restored_sigma",
    "transformed_psf",
]
