"""Dates and times as they are really spelled: the formats are found in the data, and no ambiguous one is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from . import conversions as c
from ._tally import Candidate, Tally

__all__ = ["Moments"]

_SHAPES = bytes.maketrans(b"0123456789", b"9999999999")
_ZONE = rb"(?P<zone> ?UTC|Z|[+-]99(?::?99)?)?"
_CLOCK = rb"(?P<clock>99:99(?P<seconds>:99(?P<fraction>\.9{1,6})?)?)"
_STAMP = re.compile(
    rb"(?P<date>9999(?P<mark>[-/])99(?P=mark)99)(?:(?P<between>[ T])" + _CLOCK + _ZONE + rb")?"
)
_TIME = re.compile(_CLOCK)
_LAST_ZONE = re.compile(r"(?: ?UTC|Z|[+-]\d\d(?::?\d\d)?)$")
_LONGEST = 40
_MOST_FORMATS = 40
_MOST_SHAPES = 500

# Which numbers are taken for a count from an epoch: those that give dates of 2001 (seconds: smaller numbers may be
# anything, and may count from 2001) or 1980 to 2100, and dates of those years by no other count.
_PLAUSIBLE = {
    "unix": (1e9, 4.2e9),
    "unix_ms": (3.2e11, 4.2e12),
    "unix_us": (3.2e14, 4.2e15),
    "webkit": (1.2e16, 1.6e16),
    "julian": (2_444_239.5, 2_488_069.5),
}


def _format_of_shape(shape: bytes) -> str | None:
    """The format of texts of this shape, with ``?`` for a zone; None where it is no date we dare to read."""
    match = _STAMP.fullmatch(shape) or _TIME.fullmatch(shape)
    if not match:
        return None
    found = {name: (text or b"").decode() for name, text in match.groupdict().items()}
    text = ("YYYY-MM-DD".replace("-", found["mark"]) + found["between"]) if found.get("date") else ""
    if found.get("clock"):
        text += "HH24:MI" + (":SS" if found["seconds"] else "")
        if found["fraction"]:
            text += {4: ".MS", 7: ".US"}.get(len(found["fraction"]), "[.FF]")
    return text + ("?" if found.get("zone") else "")


class Moments(Candidate):
    """The conversions of a column declared a date or time."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self._format_of: dict[bytes, str | None] = {}
        self._found: dict[str, Tally] = {}
        self._others = 0
        self._digits = Tally(c.Temporal(target="date", format="YYYYMMDD", digits=True))
        self._low: float | None = None
        self._high: float | None = None

    def add(self, values: Sequence[Any], kinds: set[type]) -> None:
        """See `Candidate`."""
        if kinds == {str}:
            texts = values
        else:
            texts = [value for value in values if type(value) is str]
            numbers = [value for value in values if type(value) in (int, float)]
            self._others += len(values) - len(texts) - len(numbers)
            if numbers:
                self._add_numbers(numbers)
        for tally in self._found.values():
            if texts and tally.conversion.accepts(texts, {str}):
                tally.exact += len(texts)
                return
        groups: dict[str, list[str]] = {}
        for text in texts:
            format = self._format(text)
            if format is None:
                self._others += 1
            else:
                groups.setdefault(format, []).append(text)
        for format, group in groups.items():
            if format not in self._found:
                if len(self._found) >= _MOST_FORMATS:
                    self._others += len(group)
                    continue
                self._found[format] = Tally(self._conversion(format))
            self._found[format].add(group, {str})

    def expected(self, sample: Sequence[Any]) -> c.Conversion | None:
        """See `Candidate`: where texts are of one format, that."""
        if set(map(type, sample)) != {str}:
            return None
        formats = set(map(self._format, sample))
        format = formats.pop() if len(formats) == 1 else None
        return None if format is None else self._conversion(format)

    def conform(self, conversion: c.Conversion, count: int) -> None:
        """See `Candidate`."""
        assert isinstance(conversion, c.Temporal)
        self._found[conversion.format] = Tally(conversion, exact=count)

    def _format(self, text: str) -> str | None:
        if len(text) > _LONGEST:
            return None
        shape = text.encode("utf-8", "surrogatepass").translate(_SHAPES)
        if shape not in self._format_of:
            if len(self._format_of) > _MOST_SHAPES:
                self._format_of.clear()
            self._format_of[shape] = _format_of_shape(shape)
        format = self._format_of[shape]
        if format is not None and format.endswith("?"):
            zone = _LAST_ZONE.search(text)
            format = format[:-1] + (zone.group() if zone else "")
        return format

    def _conversion(self, format: str) -> c.Temporal:
        target = self._target
        if "YYYY" not in format:
            target = "time"
        elif "HH24" in format:
            if _LAST_ZONE.search(format):
                target = "timestamptz"
            elif target in ("date", "time"):
                target = "timestamp"
        elif target == "time":
            target = "date"
        return c.Temporal(target=target, format=format)

    def _add_numbers(self, numbers: Sequence[Any]) -> None:
        low, high = min(numbers), max(numbers)
        self._low = low if self._low is None else min(self._low, low)
        self._high = high if self._high is None else max(self._high, high)
        self._digits.add(numbers, set(map(type, numbers)))

    def ranked(self) -> list[Tally]:
        """See `Candidate`: one exact tally where all values have one format, else guesses."""
        numbers = self._digits.total
        if len(self._found) == 1 and not numbers and not self._others:
            return list(self._found.values())
        found = [*_merged(self._found), *self._numbers()]
        if not found:
            default = {"date": "YYYY-MM-DD", "time": "HH24:MI:SS[.US]"}
            format = default.get(self._target, "YYYY-MM-DD HH24:MI:SS[.US]")
            return [
                Tally(c.Temporal(target=self._target, format=format), guess=bool(self._others or numbers))
            ]
        found.sort(key=lambda tally: -tally.exact)
        return [Tally(tally.conversion, guess=True) for tally in found]

    def _numbers(self) -> list[Tally]:
        if self._low is None or self._high is None:
            return []
        if self._digits.exact == self._digits.total and self._target != "time":
            conversion = c.Temporal(
                "timestamp" if self._target == "timestamptz" else self._target, "YYYYMMDD", True
            )
            return [Tally(conversion, exact=self._digits.exact)]
        for name, (low, high) in _PLAUSIBLE.items():
            if low <= self._low and self._high <= high:
                return [Tally(c.Epoch(epoch=name), exact=self._digits.total)]
        return []


def _merged(tallies: dict[str, Tally]) -> list[Tally]:
    """The formats as found; those that differ only in whether there is a fraction as one format."""
    found: list[Tally] = []
    groups: dict[tuple[str, str], dict[str, Tally]] = {}
    for format, tally in tallies.items():
        match = re.fullmatch(r"(.*:SS)(\.MS|\.US|\[\.FF\])?(.*)", format)
        if match:
            groups.setdefault((match[1], match[3]), {})[match[2] or ""] = tally
        else:
            found.append(tally)
    for (start, zone), group in groups.items():
        if len(group) == 1:
            found += group.values()
            continue
        fraction = "[.US]" if set(group) <= {"", ".US"} else "[.FF]"
        first = next(iter(group.values())).conversion
        assert isinstance(first, c.Temporal)
        merged = c.Temporal(target=first.target, format=start + fraction + zone)
        found.append(Tally(merged, exact=sum(tally.exact for tally in group.values())))
    return found
