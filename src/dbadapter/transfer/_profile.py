"""What a table really holds: every value is read, and tried with the conversions that its declaration suggests."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import define, field

from ._candidates import candidates
from ._read import read_batches
from ._sqlite_catalog import SQLiteTable
from ._tally import Candidate, Tally
from ._values import INT64_MAX, INT64_MIN, RawText

__all__ = ["ColumnProfile", "TableProfile", "profile_table", "try_on_all"]

_CLASS_OF = {type(None): "null", int: "integer", float: "real", str: "text", bytes: "blob", RawText: "text"}


@define
class ColumnProfile:
    """What a column holds.

    Attributes:
        classes: how many values there are of each storage class.
        broken: TEXT values that are not valid in the database's encoding.
        whole_reals: REAL values that are whole numbers of 64 bits.
        longest: the length of the longest text, in characters.
        tried: what the conversions that come into question make of the values.
    """

    classes: Counter[str] = field(factory=Counter)
    broken: int = 0
    whole_reals: int = 0
    longest: int = 0
    tried: Candidate = field(factory=lambda: candidates("", checked=False))

    @property
    def filled(self) -> int:
        """How many values are not NULL."""
        return sum(self.classes.values()) - self.classes["null"]

    def add(self, values: Sequence[Any]) -> int:
        """Count one batch's values of the column; the size of the largest of them."""
        kinds = set(map(type, values))
        if len(kinds) == 1:
            self.classes[_CLASS_OF[next(iter(kinds))]] += len(values)
        else:
            for kind, count in Counter(map(type, values)).items():
                self.classes[_CLASS_OF[kind]] += count
        if type(None) in kinds:
            kinds.discard(type(None))
            values = [value for value in values if value is not None]
        if not kinds:
            return 0
        largest = 8
        if float in kinds and len(kinds) > 1:
            self.whole_reals += sum(map(_is_whole, values))
        if str in kinds:
            largest = max(map(len, _of(str, values, kinds)))
            self.longest = max(self.longest, largest)
        if bytes in kinds:
            largest = max(largest, *map(len, _of(bytes, values, kinds)))
        if RawText in kinds:
            broken = _of(RawText, values, kinds)
            self.broken += len(broken)
            largest = max(largest, *(len(value.data) for value in broken))
        self.tried.add(values, kinds)
        return largest


def _of(kind: type, values: Sequence[Any], kinds: set[type]) -> Sequence[Any]:
    return values if len(kinds) == 1 else [value for value in values if type(value) is kind]


def _is_whole(value: Any) -> bool:
    return type(value) is float and value.is_integer() and INT64_MIN <= value <= INT64_MAX


@define
class TableProfile:
    """What a table holds; `row_bytes` is the size of its largest row."""

    rows: int = 0
    row_bytes: int = 0
    columns: dict[str, ColumnProfile] = field(factory=dict)


def profile_table(
    readers: Sequence[sqlite3.Connection],
    table: SQLiteTable,
    *,
    checked: Iterable[str] = (),
    utf16: str | None = None,
    encoding: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> TableProfile:
    """Look at every value of a table.

    Args:
        readers: the source, seen at one moment, a connection for each thread.
        table: the table.
        checked: columns whose declared type a check of the adapter's own DDL enforces.
        utf16: see `read_batches`.
        encoding: how text that is not valid UTF-8 is to be read.
        progress: called with the rows read so far.
    """
    from ._profile_in_sqlite import profile_conforming

    found = TableProfile()
    checked = set(checked)
    for column in table.columns:
        tried = candidates(column.declared, checked=column.name in checked, encoding=encoding)
        found.columns[column.name] = ColumnProfile(tried=tried)
    names = [column.name for column in table.columns]
    if utf16 is None:
        names = profile_conforming(readers, table, found, progress)
    if names:
        _look_at_each(readers[0], table, names, found, utf16, progress)
    return found


def _look_at_each(
    raw: sqlite3.Connection,
    table: SQLiteTable,
    names: Sequence[str],
    found: TableProfile,
    utf16: str | None,
    progress: Callable[[int], None] | None,
) -> None:
    """Profile columns by reading each value."""
    for name in names:
        found.columns[name].longest = 0  # of a column that seemed to conform
    profiles = [found.columns[name] for name in names]
    found.rows, others = 0, found.row_bytes
    for rows in read_batches(raw, table.name, names, utf16=utf16):
        found.rows += len(rows)
        columns = zip(*rows, strict=True)
        # The largest value of each column together: no row of the batch is larger.
        size = sum(profile.add(values) for profile, values in zip(profiles, columns, strict=True))
        found.row_bytes = max(found.row_bytes, others + size)
        if progress:
            progress(found.rows)


def try_on_all(
    raw: sqlite3.Connection, table: SQLiteTable, tallies: dict[str, list[Tally]], *, utf16: str | None = None
) -> None:
    """Count, in one more pass, what conversions make of all values of their columns."""
    for rows in read_batches(raw, table.name, list(tallies), utf16=utf16):
        for several, values in zip(tallies.values(), zip(*rows, strict=True), strict=True):
            filled = [value for value in values if value is not None]
            if filled:
                kinds = set(map(type, filled))
                for tally in several:
                    tally.add(filled, kinds)
