"""Durations as both backends write them."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

__all__ = ["interval_from_text", "microseconds"]

_UNITS: dict[str, Decimal | int] = {
    "year": 365 * 86400,
    "month": 30 * 86400,
    "mon": 30 * 86400,
    "week": 7 * 86400,
    "day": 86400,
    "hour": 3600,
    "hr": 3600,
    "h": 3600,
    "minute": 60,
    "min": 60,
    "m": 60,
    "second": 1,
    "sec": 1,
    "s": 1,
    "millisecond": Decimal("0.001"),
    "microsecond": Decimal("0.000001"),
}
_PART = re.compile(
    r"([+-]?\d+(?:\.\d+)?)\s*([a-z]+)|([+-]?)(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?", re.IGNORECASE
)


def interval_from_text(text: str) -> timedelta | None:
    """Read ``1 day 02:03:04.5`` or ``36 hours``; a month counts 30 days and a year 365, as in psycopg."""
    seconds, end = Decimal(0), 0
    for match in _PART.finditer(text):
        if text[end : match.start()].strip(" @"):
            return None
        end = match.end()
        if match.group(2):
            unit = match.group(2).lower()
            size = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
            if size is None:
                return None
            seconds += Decimal(match.group(1)) * size
        else:
            clock = int(match.group(4)) * 3600 + int(match.group(5)) * 60 + Decimal(match.group(6) or 0)
            seconds += -clock if match.group(3) == "-" else clock
    if not end or text[end:].strip():
        return None
    return timedelta(microseconds=int(seconds * 1_000_000))


def microseconds(value: timedelta) -> int:
    """A duration as SQLite keeps it."""
    return value // timedelta(microseconds=1)
