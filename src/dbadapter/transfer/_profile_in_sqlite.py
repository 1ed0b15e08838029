"""The profile of columns whose values all conform, counted by SQLite itself.

Whether values conform is a condition in SQL (see `conversions.in_sqlite`), evaluated without a Python object for any
value. One reader looks at the numbers while another looks at the texts: an SQLite that counts its memory has a lock
around each allocation, and texts are what needs them. A column in which a single value does not meet its condition is
left to the profiler that looks at each value.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

from attrs import define

from .._dialects import SQLITE
from . import conversions as c
from ._lines import COLLATIONS, is_utf8
from ._pipeline import run_concurrently
from ._profile import ColumnProfile, TableProfile
from ._read import BEFORE_ALL, next_chunk, read_batches, rows_for
from ._sqlite_catalog import SQLiteColumn, SQLiteTable
from .conversions.in_sqlite import in_sqlite, install
from .conversions.storage_classes import is_integer

__all__ = ["profile_conforming"]

_SAMPLE = 64
_ORDINARY = 40  # no number, date or UUID is longer
# Each column asks up to four questions, and a query has at most 2,000 columns.
_MOST_COLUMNS = 400


@define
class _Column:
    """What is asked of a column and what was answered so far."""

    profile: ColumnProfile
    conversion: c.Conversion
    questions: list[str]
    filled: int = 0
    integers: int = 0

    @classmethod
    def of(cls, column: SQLiteColumn, profile: ColumnProfile, sample: Sequence[object]) -> _Column | None:
        """For a column that probably conforms to a conversion which SQLite can tell for certain."""
        conversion = profile.tried.expected(sample)
        x = SQLITE.quote(column.name)
        found = in_sqlite(conversion, x) if conversion else None
        if conversion is None or found is None or not found.certain or column.collation not in COLLATIONS:
            return None
        number = isinstance(conversion, c.Number)
        if not number and conversion.storage not in _CLASSES:
            return None
        questions = [f"count({x})", f"count(CASE WHEN {found.condition} THEN 1 END)"]
        if number:
            questions.append(f"count(CASE WHEN {is_integer(x)} THEN 1 END)")
        elif found.free or conversion.storage == "blob":
            questions.append(f"max(length({x}))")
        if found.free:  # whether it is valid UTF-8 SQLite cannot tell
            questions.append(f"CAST(group_concat({x},char(10)) AS BLOB)")
        return cls(profile, conversion, questions)

    @property
    def is_text(self) -> bool:
        """Whether its values are texts or bytes."""
        return self.conversion.storage in ("text", "blob")

    def add(self, answers: Sequence[object]) -> int | None:
        """Take the answers for a chunk: the size of its largest value; None if not all conform."""
        filled, sure, *more = answers
        if sure != filled or (more and isinstance(more[-1], bytes) and not is_utf8(more[-1])):
            return None
        assert isinstance(filled, int)
        self.filled += filled
        largest = _ORDINARY if filled else 0
        if isinstance(self.conversion, c.Number):
            assert isinstance(more[0], int)
            self.integers += more[0]
        elif more and isinstance(more[0], int):
            largest = max(largest, more[0])
            self.profile.longest = max(self.profile.longest, more[0])
        return largest

    def finish(self, rows: int) -> None:
        """Fill the profile."""
        classes = self.profile.classes
        if isinstance(self.conversion, c.Number):
            classes["integer"], classes["real"] = self.integers, self.filled - self.integers
        else:
            classes[_CLASSES[self.conversion.storage]] = self.filled
        classes["null"] = rows - self.filled
        if self.filled:
            self.profile.tried.conform(self.conversion, self.filled)


_CLASSES = {"integer": "integer", "real": "real", "text": "text", "blob": "blob"}


def profile_conforming(
    readers: Sequence[sqlite3.Connection],
    table: SQLiteTable,
    found: TableProfile,
    progress: Callable[[int], None] | None,
) -> list[str]:
    """Fill the profiles of columns that conform, and give the names of the others.

    Args:
        readers: the source in UTF-8, seen at one moment, a connection for each thread.
        table: the table.
        found: its profile, with nothing counted yet.
        progress: called with the rows read so far.
    """
    names = [column.name for column in table.columns]
    if table.rowid_name is None or table.virtual is not None or len(names) > _MOST_COLUMNS:
        return names
    for raw in readers:
        install(raw)
    asked: list[dict[str, _Column]] = [{}, {}]
    for column in table.columns:
        one = _Column.of(column, found.columns[column.name], _sample(readers[0], table.name, column.name))
        if one is not None:
            asked[one.is_text][column.name] = one
    if len(readers) == 1:
        asked = [asked[0] | asked[1]]
    surveys = [_Survey(table, table.rowid_name, each) for each in asked if each]
    if surveys:
        surveys[0].progress = progress
        jobs = [partial(survey.carry_out, raw) for survey, raw in zip(surveys, readers, strict=False)]
        run_concurrently(*jobs)
    for survey in surveys:
        for one in survey.asked.values():
            one.finish(survey.rows)
        if survey.asked:
            found.rows = survey.rows
            found.row_bytes += survey.row_bytes
    certain = {name for survey in surveys for name in survey.asked}
    return [name for name in names if name not in certain]


def _sample(raw: sqlite3.Connection, table: str, column: str) -> list[object]:
    """The first values of a column that are not NULL."""
    where = f"{SQLITE.quote(column)} IS NOT NULL"
    batches = read_batches(raw, table, [column], where=where, limit=_SAMPLE, row_bytes=0)
    return [value for batch in batches for (value,) in batch]


@define
class _Survey:
    """The questions of one reader, from which columns drop out that do not conform."""

    table: SQLiteTable
    rowid: str
    asked: dict[str, _Column]
    progress: Callable[[int], None] | None = None
    rows: int = 0
    row_bytes: int = 0

    def carry_out(self, raw: sqlite3.Connection) -> None:
        """Ask, chunk after chunk."""
        last, size = None, _SAMPLE
        while (
            self.asked
            and (chunk := next_chunk(raw, SQLITE.quote(self.table.name), self.rowid, last, size)) is not None
        ):
            try:
                upto, rows = chunk
                answers = raw.execute(self._query, (BEFORE_ALL if last is None else last, upto)).fetchone()
            except sqlite3.DataError:  # a string too big
                self.asked.clear()
                return
            self._add(rows, answers)
            last, size = upto, min(rows_for(self.row_bytes), size * 4)
            if self.progress:
                self.progress(self.rows)

    @property
    def _query(self) -> str:
        questions = [question for one in self.asked.values() for question in one.questions]
        rowid = SQLITE.quote(self.rowid)
        return (
            f"SELECT {','.join(questions)} FROM {SQLITE.quote(self.table.name)} NOT INDEXED "
            f"WHERE {rowid}>? AND {rowid}<=?"
        )

    def _add(self, rows: int, answers: Sequence[object]) -> None:
        self.rows += rows
        size = 0
        for name, one in list(self.asked.items()):
            mine, answers = answers[: len(one.questions)], answers[len(one.questions) :]
            largest = one.add(mine)
            if largest is None:
                del self.asked[name]
            else:
                size += largest
        self.row_bytes = max(self.row_bytes, size)
