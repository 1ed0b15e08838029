"""What the doctor says."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from attrs import frozen

__all__ = ["Finding", "Report", "Severity", "error", "ok", "warning"]


class Severity(enum.Enum):
    """How bad it is.

    OK: as it should be. WARNING: it works, but not as well or as safely as it could. ERROR: it does not work.
    """

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@frozen
class Finding:
    """One thing that was looked at.

    Attributes:
        code: what it is about, the same in every version: ``wrong-password``, ``not-wal`` …
        severity: how bad it is.
        text: what was found, naming the thing.
        remedy: what to do; empty where there is nothing to be done.
    """

    code: str
    severity: Severity
    text: str
    remedy: str = ""


@frozen
class Report:
    """All findings, in the order in which they were looked for."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Nothing is broken; there may be warnings."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What does not work."""
        return self._of(Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What could be better."""
        return self._of(Severity.WARNING)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of what is not as it should be."""
        return tuple(finding.code for finding in self.findings if finding.severity is not Severity.OK)

    def _of(self, severity: Severity) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is severity)


def ok(code: str, text: str) -> Finding:
    """Something is as it should be."""
    return Finding(code, Severity.OK, text)


def warning(code: str, text: str, remedy: str) -> Finding:
    """Something could be better."""
    return Finding(code, Severity.WARNING, " ".join(text.split()), remedy)


def error(code: str, text: str, remedy: str) -> Finding:
    """Something does not work."""
    return Finding(code, Severity.ERROR, " ".join(text.split()), remedy)


def joined(names: Iterable[str], most: int = 8) -> str:
    """Names for a sentence; of many, the first ones."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
