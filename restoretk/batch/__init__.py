"""The same work on many files: planned before it starts, whole files or none, resumed where it was broken off.

It prints nothing and knows no command: `find_inputs` and `make_plan` say what would be done, `run_batch` does it with a
function of one task, and yields an `Outcome` for each file.
"""

from __future__ import annotations

from restoretk.batch.finding import Found, find_inputs, is_folder
from restoretk.batch.manifest import MANIFEST_NAME, digest_of
from restoretk.batch.naming import OutputNames
from restoretk.batch.planning import Plan, PlanError, Task, make_plan
from restoretk.batch.running import Outcome, run_batch
from restoretk.batch.workers import uninterrupted

__all__ = [
    "MANIFEST_NAME",
    "Found",
    "Outcome",
    "OutputNames",
    "Plan",
    "PlanError",
    "Task",
    "digest_of",
    "find_inputs",
    "is_folder",
    "make_plan",
    "run_batch",
    "uninterrupted",
]
