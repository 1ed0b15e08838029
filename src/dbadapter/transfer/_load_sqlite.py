"""Reading a table of Postgres as SQLite's values, and writing them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .._dialects import POSTGRESQL, SQLITE
from . import conversions as c
from ._bookkeeping import REJECTS, TABLES, Odd, key_text, odd_value
from ._types import affinity
from ._values import Foreign, RawText, from_tag
from .plan import ColumnPlan, TablePlan

if TYPE_CHECKING:
    import psycopg

__all__ = ["SQLiteLoader", "bound", "postgres_batches", "postgres_changes", "save_odd"]

_BATCH_BYTES = 4_000_000
_MOST_ROWS = 5000


# What these would be written as for a value that SQLite cannot hold is an error, or looks like a value.
_GUARDED = (c.Decimal, c.Epoch, c.Interval, c.Number, c.Temporal)

# Types whose equal values have one spelling.
_WHOLE = frozenset({"smallint", "integer", "bigint"})


def _value(column: ColumnPlan, name: str) -> tuple[str, bool]:
    """The expression that reads a column's value under a name, and whether what it gives is still to be converted."""
    conversion = c.load(column.conversion)
    if isinstance(conversion, c.Number) and conversion.fits_double and affinity(column.type) == "NUMERIC":
        return f"{name}::float8", False  # SQLite makes an integer of a whole one by itself
    value = conversion.sqlite_sql(name)
    if conversion.storage == "vector":
        value = f"'v'||encode({value},'hex')"
    return value, conversion.storage in ("tagged", "vector")


def _refusals(table: TablePlan) -> dict[int, str]:
    """The columns that may hold what SQLite cannot, with the condition for it."""
    found = {}
    for place, column in enumerate(table.copied):
        condition = c.load(column.conversion).refuses_sql(POSTGRESQL.quote(column.name))
        if condition is not None:
            found[place] = condition
    return found


def _select(table: TablePlan, refusals: dict[int, str]) -> tuple[list[str], list[int]]:
    """What to select, and which of it is still to be converted here; with refusals, the last tells of them."""
    parts, later = [], []
    for place, column in enumerate(table.copied):
        value, unfinished = _value(column, POSTGRESQL.quote(column.name))
        if place in refusals and isinstance(c.load(column.conversion), _GUARDED):
            value = f"CASE WHEN NOT ({refusals[place]}) THEN {value} END"
        if unfinished:
            later.append(place)
        parts.append(value)
    if refusals:
        texts = [
            f"CASE WHEN {condition} THEN '{place}:'||{POSTGRESQL.quote(table.copied[place].name)}::text END"
            for place, condition in refusals.items()
        ]
        parts.append(f"nullif(array_remove(ARRAY[{','.join(texts)}], NULL), '{{}}')")
    return parts, later


def postgres_batches(
    raw: psycopg.Connection[Any], table: TablePlan, after: int | None, order: str | None
) -> Iterator[tuple[list[tuple[Any, ...]], list[tuple[int, dict[int, str]]]]]:
    """Batches of rows as SQLite's values, and for each what it cannot hold: (row, {column: text of the value}).

    Args:
        raw: a connection inside a transaction that sees one snapshot.
        table: the table's plan.
        after: only rows whose `order` column is greater.
        order: the name of an integer key to order by, so that a later run can go on.
    """
    refusals = _refusals(table)
    if refusals:
        any_of = " OR ".join(f"({condition})" for condition in refusals.values())
        query = f"SELECT EXISTS (SELECT FROM {POSTGRESQL.quote(table.name)} WHERE {any_of})"
        row = raw.execute(query.encode()).fetchone()
        if row and not row[0]:
            refusals = {}  # the same snapshot: there will be none
    parts, later = _select(table, refusals)
    query = f"SELECT {', '.join(parts)} FROM {POSTGRESQL.quote(table.name)}"
    if order is not None:
        name = POSTGRESQL.quote(order)
        query += f" WHERE {name} > {after:d}" if after is not None else ""
        query += f" ORDER BY {name}"
    size = _size(table.row_bytes) if table.row_bytes >= 0 else 64
    with raw.cursor(name="dbadapter_rows", binary=True) as cursor:
        cursor.execute(query.encode())
        while rows := cursor.fetchmany(size):
            if table.row_bytes < 0:
                size = min(_size(_sample(rows)), size * 4)
            yield _finished(rows, bool(refusals), later)


def postgres_changes(
    raw: psycopg.Connection[Any], table: TablePlan, noted: str, names: Sequence[str], count: int
) -> Iterator[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[int, dict[int, str]]]]]:
    """Batches of keys that were noted, as SQLite's values, with the rows that have them, as of `postgres_batches`.

    They come in the order of the key. Equal keys of different spellings are all there, each with the row.

    Args:
        raw: a connection inside a transaction that sees one snapshot.
        table: the table's plan.
        noted: the table of the keys, in which any may stand several times.
        names: its columns, for the columns of the key in the plan's order; all types are those of the table.
        count: how many rows it has; its size does not tell, when others were deleted.
    """
    key = [table.column(name) for name in table.key]
    refusals = _refusals(table)
    parts, later = _select(table, refusals)
    key_parts, key_later = [], []
    for place, (column, name) in enumerate(zip(key, names, strict=True)):
        value, unfinished = _value(column, name)
        condition = c.load(column.conversion).refuses_sql(name)
        key_parts.append(f"CASE WHEN NOT ({condition}) THEN {value} END" if condition else value)
        if unfinished:
            key_later.append(place)
    quoted = [POSTGRESQL.quote(name) for name in table.key]
    spelled = ", ".join(
        name if column.declared in _WHOLE else f"{name}, {name}::text AS {name}_text"
        for column, name in zip(key, names, strict=True)
    )
    same = " AND ".join(f"{mine} = {name}" for mine, name in zip(quoted, names, strict=True))
    query = (
        f"SELECT {', '.join(key_parts)}, {quoted[0]} IS NOT NULL, {', '.join(parts)} "
        f"FROM (SELECT DISTINCT {spelled} FROM (SELECT * FROM {noted} LIMIT {count}) AS all_noted) AS noted "
        f"LEFT JOIN {POSTGRESQL.quote(table.name)} ON {same} ORDER BY {', '.join(names)}"
    )
    width = len(key)
    with raw.cursor(name="dbadapter_changes", binary=True) as cursor:
        cursor.execute(query.encode())
        while found := cursor.fetchmany(_size(max(table.row_bytes, 64))):
            keys, _ = _finished([row[:width] for row in found], False, key_later)
            rows, foreign = _finished(
                [row[width + 1 :] for row in found if row[width]], bool(refusals), later
            )
            yield keys, rows, foreign


def _finished(
    rows: list[tuple[Any, ...]], has_refusals: bool, later: Sequence[int]
) -> tuple[list[tuple[Any, ...]], list[tuple[int, dict[int, str]]]]:
    """Rows as `_select` reads them: converted to the end, and what of them SQLite cannot hold."""
    foreign: list[tuple[int, dict[int, str]]] = []
    if has_refusals:
        for number, row in enumerate(rows):
            if row[-1] is not None:
                parts = (text.partition(":") for text in row[-1])
                foreign.append((number, {int(place): text for place, _, text in parts}))
        rows = [row[:-1] for row in rows]
    if later and rows:
        columns = list(zip(*rows, strict=True))
        for place in later:
            columns[place] = tuple(map(from_tag, columns[place]))
        rows = list(zip(*columns, strict=True))
    return rows, foreign


def _size(row_bytes: int) -> int:
    return max(4, min(_MOST_ROWS, _BATCH_BYTES // max(row_bytes, 1)))


def _sample(rows: Sequence[tuple[Any, ...]]) -> int:
    return max(
        sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in row)
        for row in rows[:: max(1, len(rows) // 16)]
    )


def bound(value: Any, utf16: str | None) -> tuple[str, list[Any]]:
    """A value in a statement: (its SQL, what is bound)."""
    if not isinstance(value, RawText):
        return "?", [value]
    data = value.data
    if utf16 is not None:
        with suppress(UnicodeDecodeError):
            data = data.decode("utf-8", "surrogatepass").encode(utf16, "surrogatepass")
    # A literal: a bound blob would be taken for UTF-8 whatever the database's encoding is.
    return f"CAST(x'{data.hex()}' AS TEXT)", []


@define
class SQLiteLoader:
    """Writes one table; each batch is a transaction with the cursor of its last row."""

    raw: sqlite3.Connection
    table: TablePlan
    order: str | None
    read: int = 0
    dropped: int = 0
    rejected: int = 0
    _insert: str = field(init=False)
    _key: list[int] = field(init=False)
    _order_place: int | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        columns = self.table.copied
        names = [column.name for column in columns]
        targets = ", ".join(SQLITE.quote(column.target) for column in columns)
        marks = ", ".join("?" * len(columns))
        self._insert = f"INSERT INTO {SQLITE.quote(self.table.target)} ({targets}) VALUES ({marks})"
        self._key = [names.index(name) for name in self.table.key if name in names]
        if len(self._key) < len(self.table.key):
            self._key = []
        self._order_place = names.index(self.order) if self.order in names else None

    def add(self, rows: list[tuple[Any, ...]], foreign: list[tuple[int, dict[int, str]]]) -> None:
        """Write a batch."""
        odd: list[Odd] = []
        last = rows[-1][self._order_place] if self._order_place is not None else None
        read = len(rows)
        if foreign:
            rows = self._without(rows, foreign, odd)
        self.raw.execute("BEGIN")
        try:
            self.raw.execute("SAVEPOINT batch")
            try:
                self.raw.executemany(self._insert, rows)
            except (sqlite3.IntegrityError, sqlite3.DataError):
                self.raw.execute("ROLLBACK TO batch")
                self._one_by_one(rows, odd)
            save_odd(self.raw, odd)
            self.raw.execute(
                f"UPDATE {TABLES} SET cursor = ?, rows = rows + ? WHERE tbl = ?",
                (last, read, self.table.target),
            )
            self.raw.execute("COMMIT")
        except BaseException:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
            raise
        self.read += read
        self.rejected += len(odd)

    def _without(
        self, rows: list[tuple[Any, ...]], foreign: list[tuple[int, dict[int, str]]], odd: list[Odd]
    ) -> list[tuple[Any, ...]]:
        """The rows with NULL for what SQLite cannot hold; where that cannot be, without the row."""
        columns = self.table.copied
        gone = set()
        for number, found in foreign:
            row = list(rows[number])
            for place, text in found.items():
                row[place] = Foreign(text)
            key = self._key_of(row, self.read + number)
            rows[number] = tuple(None if place in found else value for place, value in enumerate(row))
            whole = not self._key or any(not columns[place].nullable or place in self._key for place in found)
            for place in range(len(columns)) if whole else found:
                reason = f"SQLite cannot hold {found[place]}" if place in found else "the row was rejected"
                odd.append(odd_value(self.table.target, key, columns[place].target, row[place], reason))
            if whole:
                gone.add(number)
        self.dropped += len(gone)
        return [row for number, row in enumerate(rows) if number not in gone]

    def _key_of(self, row: Sequence[Any], number: int) -> str:
        return key_text([row[place] for place in self._key]) if self._key else f'{{"row": {number}}}'

    def _one_by_one(self, rows: list[tuple[Any, ...]], odd: list[Odd]) -> None:
        for number, row in enumerate(rows):
            try:
                self.raw.execute(self._insert, row)
            except (sqlite3.IntegrityError, sqlite3.DataError) as error:
                key = self._key_of(row, self.read + number)
                for column, value in zip(self.table.copied, row, strict=True):
                    odd.append(odd_value(self.table.target, key, column.target, value, str(error)))
                self.dropped += 1


def save_odd(raw: sqlite3.Connection, odd: Sequence[Odd]) -> None:
    """Write rejected values to their table."""
    raw.executemany(
        f"INSERT INTO {REJECTS} VALUES (?, ?, ?, ?, ?, ?)",
        [(o.table, o.key, o.column, o.storage, o.raw, o.reason) for o in odd],
    )
