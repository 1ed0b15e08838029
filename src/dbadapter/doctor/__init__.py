"""What is wrong with a database, its server or this machine, and what to do: `diagnose`.

Each check yields a `Finding` with a code of its own, so that programs can tell them apart. Nothing is changed.
"""

from __future__ import annotations

from .diagnosis import Surroundings, diagnose
from .findings import Finding, Report, Severity

__all__ = ["Finding", "Report", "Severity", "Surroundings", "diagnose"]
