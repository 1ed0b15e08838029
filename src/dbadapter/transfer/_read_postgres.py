"""Reading a table of Postgres as the values that SQLite is to hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .._dialects import POSTGRESQL
from . import conversions as c
from ._read import Rows, largest_row
from ._types import affinity
from ._values import from_tag
from .plan import ColumnPlan, TablePlan

if TYPE_CHECKING:
    import psycopg

__all__ = ["Refusals", "postgres_batches", "postgres_changes"]

Refusals = list[tuple[int, dict[int, str]]]
"""What of a batch SQLite cannot hold: the number of a row, and by the places of its columns the values as text."""

_BATCH_BYTES = 4_000_000
_MOST_ROWS = 5000


# For a value that SQLite cannot hold, what these write is an error, or looks like another value.
_GUARDED = (c.Decimal, c.Epoch, c.Interval, c.Number, c.Temporal)

# Types of which equal values are always spelled alike.
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


def _refusal_conditions(table: TablePlan) -> dict[int, str]:
    """The places of the columns that may hold what SQLite cannot, with the condition for it."""
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
) -> Iterator[tuple[Rows, Refusals]]:
    """Batches of rows as SQLite's values, and for each what SQLite cannot hold.

    Args:
        raw: a connection inside a transaction that sees one snapshot.
        table: the table's plan.
        after: only rows whose `order` column is greater.
        order: the name of an integer key to order by, so that a later run can go on.
    """
    refusals = _refusal_conditions(table)
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
                size = min(_size(largest_row(rows)), size * 4)
            yield _finished(rows, bool(refusals), later)


def postgres_changes(
    raw: psycopg.Connection[Any], table: TablePlan, noted: str, names: Sequence[str], count: int
) -> Iterator[tuple[Rows, Rows, Refusals]]:
    """Batches of keys that were noted, as SQLite's values; the rows that have them; and what of these it cannot hold.

    Keys come in the order of the key. Equal keys of different spellings are all there, each with the row.

    Args:
        raw: a connection inside a transaction that sees one snapshot.
        table: the table's plan.
        noted: the table of the keys, in which any may stand several times.
        names: its columns, for the columns of the key in the plan's order; all types are those of the table.
        count: how many rows it has; its size does not tell, when others were deleted.
    """
    key = [table.column(name) for name in table.key]
    refusals = _refusal_conditions(table)
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
            rows, refused = _finished(
                [row[width + 1 :] for row in found if row[width]], bool(refusals), later
            )
            yield keys, rows, refused


def _finished(rows: Rows, has_refusals: bool, later: Sequence[int]) -> tuple[Rows, Refusals]:
    """Rows as `_select` reads them: converted to the end, and what of them SQLite cannot hold."""
    found: Refusals = []
    if has_refusals:
        for number, row in enumerate(rows):
            if row[-1] is not None:
                parts = (text.partition(":") for text in row[-1])
                found.append((number, {int(place): text for place, _, text in parts}))
        rows = [row[:-1] for row in rows]
    if later and rows:
        columns = list(zip(*rows, strict=True))
        for place in later:
            columns[place] = tuple(map(from_tag, columns[place]))
        rows = list(zip(*columns, strict=True))
    return rows, found


def _size(row_bytes: int) -> int:
    return max(4, min(_MOST_ROWS, _BATCH_BYTES // max(row_bytes, 1)))
