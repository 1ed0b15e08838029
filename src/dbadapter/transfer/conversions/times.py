"""Dates and times, as text in one format or as numbers counted from an epoch; and intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, ClassVar

from attrs import frozen

from .._values import show
from .base import Conversion, Refused, double_hex
from .formats import Format, iso_parts

__all__ = ["EPOCHS", "TARGETS", "Epoch", "Interval", "Temporal"]

_READERS: dict[str, Callable[[str], Any]] = {
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}

TARGETS = tuple(_READERS)

format_of = lru_cache(maxsize=512)(Format)


@frozen
class Temporal(Conversion):
    """TEXT (or digits as INTEGER) in one format ↔ date, time, timestamp or timestamptz.

    Attributes:
        target: the Postgres type.
        format: how values are spelled; see `formats`.
        digits: they are stored as INTEGER, as ``20240131`` is in a column declared DATE.
    """

    kind: ClassVar[str] = "temporal"
    target: str = "timestamp"
    format: str = "YYYY-MM-DD HH24:MI:SS"
    digits: bool = False

    def problem(self) -> str | None:
        """See `Conversion`."""
        words = format_of(self.format).words
        needed = [] if self.target == "time" else ["YYYY", "MM", "DD"]
        needed += ["HH24", "MI"] if self.target == "time" or "HH24" in words else []
        for word in needed:
            if word not in words:
                return f"the format {self.format!r} of a {self.target} has no {word}"
        for word in words:
            if words.count(word) > 1:
                return f"the format {self.format!r} has {word} more than once"
        return None

    @property
    def storage(self) -> str:  # type: ignore[override]
        """INTEGER for digits, else TEXT."""
        return "integer" if self.digits else "text"

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        if kinds != {int if self.digits else str}:
            return None
        format = format_of(self.format)
        texts: Sequence[str] = list(map(str, values)) if self.digits else values
        if not format.matches(texts):
            return None
        if not format.is_iso:
            texts = list(map(format.to_iso, texts))
            if any(" 24:" in text for text in texts):  # newer Pythons take it for the next day's midnight
                return None
        try:
            list(map(_READERS[self.target], texts))
        except ValueError:
            return None
        return texts

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`; other ISO spellings of the same kind arrive with their original kept."""
        found = self.many([value], {type(value)})
        if found is not None:
            return found[0], True
        what = {"timestamp": "a time stamp", "timestamptz": "a time stamp"}.get(
            self.target, f"a {self.target}"
        )
        parts = iso_parts(value) if isinstance(value, str) else None
        if parts is None:
            raise self.refuse(value, f"{what} in the format {self.format}")
        day, clock, fraction, zone = parts
        if self.target == "date" and clock not in (None, "00:00", "00:00:00"):
            raise Refused(f"{show(value)} has a time of day, which a date has not")
        if (self.target == "time") != (day is None) or (self.target == "time" and zone):
            raise self.refuse(value, what)
        if self.target == "timestamp" and zone:
            raise Refused(f"{show(value)} has a zone, which the other values of its column have not")
        if self.target == "timestamptz" and clock and not zone and format_of(self.format).zone:
            raise Refused(f"{show(value)} has no zone, which the other values of its column have")
        text = " ".join(
            part for part in (day, clock) if part and not (part is clock and self.target == "date")
        )
        text += ("." + fraction if fraction else "") + (zone or "")
        try:
            _READERS[self.target](text)
        except ValueError:
            raise self.refuse(value, what) from None
        if clock and clock.startswith("24"):
            raise self.refuse(value, what)
        return text, False

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        format = format_of(self.format)
        if self.target == "timestamptz":
            minutes = format.offset_minutes
            column = f"({column} AT TIME ZONE 'UTC'" + (f"+interval '{minutes} minutes')" if minutes else ")")
        text = format.to_sql(column, "timestamp" if self.target == "timestamptz" else self.target)
        return f"({text})::bigint" if self.digits else text

    def refuses_sql(self, column: str) -> str | None:
        """See `Conversion`: infinity, and years that four digits cannot say."""
        return None if self.target == "time" else beyond_years(column, self.target)


def beyond_years(column: str, pg_type: str) -> str:
    """A condition for dates that SQLite, and Python, have not."""
    last = "9999-12-31" if pg_type == "date" else "9999-12-31 23:59:59.999999"
    zone = "+00" if pg_type == "timestamptz" else ""
    return f"{column} NOT BETWEEN '0001-01-01{zone}' AND '{last}{zone}'"


# name: (microseconds a unit, microseconds from 1970 to the epoch)
EPOCHS = {
    "unix": (1_000_000, 0),
    "unix_ms": (1_000, 0),
    "unix_us": (1, 0),
    "apple": (1_000_000, 978_307_200_000_000),
    "webkit": (1, -11_644_473_600_000_000),
    "julian": (86_400_000_000, -210_866_760_000_000_000),
}
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class Epoch(Conversion):
    """INTEGER or REAL counted from an epoch ↔ timestamptz.

    Attributes:
        epoch: ``unix`` ``unix_ms`` ``unix_us`` ``apple`` (seconds since 2001) ``webkit`` (µs since 1601) or ``julian``
            (days).
        real: whole numbers are stored as REAL too.
    """

    kind: ClassVar[str] = "epoch"
    storage = "tagged"
    epoch: str = "unix"
    real: bool = False

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`."""
        if not isinstance(value, (int, float)):
            raise self.refuse(value, f"a number ({self.epoch} epoch)")
        unit, offset = EPOCHS[self.epoch]
        try:
            micros = value * unit if isinstance(value, int) else round(value * unit)
            moment = _UNIX + timedelta(microseconds=micros + offset)
        except (OverflowError, ValueError):
            raise Refused(f"{show(value)} is no date of the years 1 to 9999 ({self.epoch} epoch)") from None
        # True division of integers rounds correctly, as Postgres' cast of a numeric does.
        again = micros / unit if self.real or micros % unit else micros // unit
        return moment.isoformat(" "), type(again) is type(value) and again == value

    def tagged(self, column: str, text: str) -> str:
        """See `Conversion`."""
        unit, offset = EPOCHS[self.epoch]
        micros = f"(extract(epoch from {column})*1000000-({offset}))"
        # Numeric division keeps 16 digits unless the dividend has more: a double needs 17.
        real = double_hex(f"({micros}*1.0000000000000000000000000/{unit})::float8")
        if self.real:
            return real
        return f"CASE WHEN {micros}%{unit}=0 THEN 'i'||div({micros},{unit})::text ELSE {real} END"

    def refuses_sql(self, column: str) -> str | None:
        """See `Conversion`."""
        return beyond_years(column, "timestamptz")


@frozen
class Interval(Conversion):
    """INTEGER microseconds ↔ interval."""

    kind: ClassVar[str] = "interval"
    storage = "integer"

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`."""
        if not isinstance(value, int):
            raise self.refuse(value, "a number of microseconds")
        days, micros = divmod(value, 86_400_000_000)  # as psycopg writes a timedelta
        seconds, micros = divmod(micros, 1_000_000)
        return f"{days} days {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}", True

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        return f"(extract(epoch from {column})*1000000)::bigint"

    def refuses_sql(self, column: str) -> str | None:
        """See `Conversion`: months have no length, and 64 bits of microseconds end after 292,000 years."""
        months = f"extract(year from {column})*12+extract(month from {column})<>0"
        return f"({months} OR abs(extract(epoch from {column}))>9223372036854.775807)"
