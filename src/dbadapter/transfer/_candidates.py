"""Which conversions come into question for a declared type, and how they fare with the values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from . import conversions as c
from ._moments import Moments
from ._tally import MOST_EXAMPLES, Candidate, Tally
from ._types import canonical, family, type_words

__all__ = ["candidates"]


class _Booleans(Candidate):
    """Columns of two values: which ones they are is seen only in the data."""

    _PAIRS = ((1, 0), ("true", "false"), ("True", "False"), ("TRUE", "FALSE"), ("t", "f"), ("T", "F"), ("Y", "N"),
              ("y", "n"), ("yes", "no"), ("Yes", "No"), ("YES", "NO"), ("on", "off"), ("1", "0"))  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._seen: Counter[tuple[type, Any]] = Counter()
        self._others = 0

    def add(self, values: Sequence[Any], kinds: set[type]) -> None:
        if len(kinds) == 1:
            kind = next(iter(kinds))
            counted = [((kind, value), count) for value, count in Counter(values).items()]
        else:
            counted = list(Counter(zip(map(type, values), values, strict=True)).items())
        for key, count in counted:
            if key in self._seen or len(self._seen) < 40:
                self._seen[key] += count
            else:
                self._others += count

    def expected(self, sample: Sequence[Any]) -> c.Conversion | None:
        kinds = set(map(type, sample))
        conversions = (c.Boolean(true=true, false=false) for true, false in self._PAIRS)
        return next((each for each in conversions if sample and each.accepts(sample, kinds)), None)

    def conform(self, conversion: c.Conversion, count: int) -> None:
        assert isinstance(conversion, c.Boolean)
        self._seen[type(conversion.true), conversion.true] += count

    def ranked(self) -> list[Tally]:
        best: Tally | None = None
        for true, false in self._PAIRS:
            tally = Tally(c.Boolean(true=true, false=false), refused=self._others)
            for (kind, value), count in self._seen.items():
                single = Tally(tally.conversion)
                single.add([value], {kind})
                tally.exact += single.exact * count
                tally.kept += single.kept * count
                tally.refused += single.refused * count
                tally.examples += single.examples[: MOST_EXAMPLES - len(tally.examples)]
            if best is None or tally.exact > best.exact:
                best = tally
        assert best
        return [best]


class _Uuids(Candidate):
    """UUIDs in one of several spellings."""

    def __init__(self) -> None:
        super().__init__()
        spellings = ("lower", "upper", "hex", "HEX", "braces", "BRACES", "bytes")
        self.tallies = [Tally(c.Uuid(spelling=spelling)) for spelling in spellings]

    def add(self, values: Sequence[Any], kinds: set[type]) -> None:
        for tally in self.tallies:
            tally.add(values, kinds)

    def expected(self, sample: Sequence[Any]) -> c.Conversion | None:
        kinds = set(map(type, sample))
        fitting = (tally.conversion for tally in self.tallies if tally.conversion.accepts(sample, kinds))
        return next(fitting, None) if sample else None

    def conform(self, conversion: c.Conversion, count: int) -> None:
        next(tally for tally in self.tallies if tally.conversion == conversion).exact += count

    def ranked(self) -> list[Tally]:
        return sorted(self.tallies, key=lambda tally: -tally.exact)[:1]


def candidates(declared: str, *, checked: bool, encoding: str | None = None) -> Candidate:
    """The conversions to try on a column's values.

    Args:
        declared: the column's type in SQLite.
        checked: a check of the adapter's own DDL enforces that type, so the column is what it would be in Postgres.
        encoding: how text that is not valid UTF-8 is to be read.
    """
    words, numbers = type_words(declared)
    kind = family(declared)
    text = c.Text(encoding=encoding)
    if kind == "integer":
        bits = {"SMALLINT": 16, "INTEGER": 32}.get(words, 64) if checked else 64
        return Candidate(c.Integer(bits=bits), *([c.Integer()] if bits < 64 else []))
    if kind == "decimal":
        precision, scale = ([*numbers, 0][:2]) if numbers else (None, None)
        if precision is None or not 1 <= precision <= 1000 or not 0 <= (scale or 0) <= precision:
            return Candidate(c.Number(), c.Decimal())
        return Candidate(c.Number(precision, scale), c.Decimal(precision, scale), c.Number(), c.Decimal())
    if kind == "varchar" and numbers and 0 < numbers[0] <= 10_485_760:
        return Candidate(c.Text(length=numbers[0], encoding=encoding), text)
    if kind == "vector":
        return Candidate(c.Vector(dimension=numbers[0] if numbers else None), c.Bytes())
    if kind == "array":
        return Candidate(c.JsonArray(element=canonical(declared[:-2])[0]), text)
    if kind == "json":
        return Candidate(c.Json(binary=checked or words == "JSONB"), c.Json(), text)
    simple = {"float": c.Float(), "bytes": c.Bytes(), "interval": c.Interval()}
    if kind in simple:
        return Candidate(simple[kind])
    if kind in ("date", "time", "timestamp", "timestamptz"):
        return Moments(kind)
    if kind == "boolean":
        return _Booleans()
    return _Uuids() if kind == "uuid" else Candidate(text)
