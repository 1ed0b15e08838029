"""Rejected values and original spellings, put back over the rows as they are now."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .._dialects import POSTGRESQL, SQLITE, beside_parameters
from . import conversions as c
from ._bookkeeping import ORIGINALS, REJECTS, key_values
from ._pairs import ColumnPair, TablePair
from ._values import RawText, from_raw, from_tag

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "Restored",
    "entries_of",
    "has_bookkeeping",
    "postgres_overlay",
    "postgres_rows",
    "restore",
    "sqlite_overlay",
    "sqlite_rows",
]

_BATCH = 400


@define
class Restored:
    """A row with something of it in the bookkeeping.

    Attributes:
        key: its key as it stands there.
        now: the values of the row as it is in the table, None if it is not there.
        whole: the values of the row with the rejected values and originals put back; None if that makes no row.
        rejected: how many values were put back from the rejects.
    """

    key: str
    now: list[Any] | None
    whole: list[Any] | None
    rejected: int = 0


@define
class _Entry:
    key: str
    rejects: dict[str, Any] = field(factory=dict)
    originals: dict[str, Any] = field(factory=dict)


def entries_of(cursor: Iterator[tuple[Any, ...]]) -> Iterator[_Entry]:
    """Rows (key, column, storage class, raw, from the rejects) that come sorted by key."""
    for key, group in groupby(cursor, lambda row: row[0]):
        entry = _Entry(key)
        for _, column, storage, raw, rejected in group:
            (entry.rejects if rejected else entry.originals)[column] = from_raw(storage, raw)
        yield entry


_QUERY = (
    f"SELECT key, col, storage_class, raw, 1 FROM {REJECTS} WHERE tbl = {{0}} UNION ALL "
    f"SELECT key, col, storage_class, raw, 0 FROM {ORIGINALS} WHERE tbl = {{0}} ORDER BY 1, 5"
)


def _batches(entries: Iterator[_Entry]) -> Iterator[list[_Entry]]:
    while batch := list(islice(entries, _BATCH)):
        yield batch


# -- Postgres ------------------------------------------------------------------------------------------------------


def has_bookkeeping(raw: psycopg.Connection[Any]) -> bool:
    """Whether a transfer wrote to this Postgres database."""
    row = raw.execute("SELECT to_regclass(%s) IS NOT NULL", (REJECTS,)).fetchone()
    return bool(row and row[0])


def postgres_overlay(raw: psycopg.Connection[Any], pair: TablePair) -> Iterator[Restored]:
    """The rows of a table in Postgres that the bookkeeping knows something of. A transaction is open."""
    if not has_bookkeeping(raw):
        return
    with raw.cursor(name="dbadapter_overlay") as cursor:
        cursor.itersize = _BATCH
        cursor.execute(_QUERY.format("%s").encode(), (pair.postgres, pair.postgres))
        for batch in _batches(entries_of(iter(cursor))):
            yield from restore(raw, pair, batch)


def restore(raw: psycopg.Connection[Any], pair: TablePair, batch: list[_Entry]) -> Iterator[Restored]:
    """The rows of Postgres that the entries belong to, as SQLite's values."""
    names = pair.sqlite_columns
    keyed: list[tuple[_Entry, list[Any]]] = []
    for entry in batch:
        values = key_values(entry.key)
        if values is not None and len(values) == len(pair.key):
            keyed.append((entry, values))
    with_originals = [name for name in names if any(name in entry.originals for entry in batch)]
    found = dict(_look_up(raw, pair, keyed, with_originals))
    for entry in batch:
        if id(entry) in found:
            now, unchanged = found[id(entry)]
            whole, rejected = _put_back(entry, names, now, unchanged)
            yield Restored(entry.key, now, whole, rejected)
        else:
            row = _rejected_row(entry, names)
            yield Restored(entry.key, None, row, len(entry.rejects) if row else 0)


def _put_back(entry: _Entry, names: list[str], now: list[Any], unchanged: set[str]) -> tuple[list[Any], int]:
    """A row with its rejected values and, in columns that are `unchanged`, its originals; how many were rejected."""
    whole, rejected = list(now), 0
    for name, value in entry.rejects.items():
        if name in names and whole[names.index(name)] is None:
            whole[names.index(name)] = value
            rejected += 1
    for name, value in entry.originals.items():
        if name in unchanged:
            whole[names.index(name)] = value
    return whole, rejected


def _rejected_row(entry: _Entry, names: list[str]) -> list[Any] | None:
    """The row that was rejected as a whole; None if only some of its values were."""
    if not all(name in entry.rejects for name in names):
        return None
    return [entry.rejects[name] for name in names]


def _look_up(
    raw: psycopg.Connection[Any],
    pair: TablePair,
    keyed: list[tuple[_Entry, list[Any]]],
    with_originals: Sequence[str],
) -> Iterator[tuple[int, tuple[list[Any], set[str]]]]:
    """For each entry whose row is there (by its `id`): its values, and the columns that still mean what they did.

    Args:
        raw: the connection.
        pair: the table.
        keyed: the entries, each with the values of its key.
        with_originals: columns of which an entry has an original: they are compared with it.
    """
    by_name = {column.sqlite: column for column in pair.columns}
    key_columns = [by_name[name] for name in pair.key]
    original_columns = [by_name[name] for name in with_originals]
    asked: list[tuple[_Entry, list[str | None]]] = []
    for entry, values in keyed:
        key = _converted([column.conversion for column in key_columns], values)
        if key is not None:
            originals = [
                _text(column.conversion, entry.originals[column.sqlite])
                if column.sqlite in entry.originals
                else None
                for column in original_columns
            ]
            asked.append((entry, [*key, *originals]))
    if not asked or not pair.key:
        return
    texts_by_column = [list(texts) for texts in zip(*(texts for _, texts in asked), strict=True)]
    query = _look_up_query(pair, key_columns, original_columns)
    for place, tags, unchanged in raw.execute(query.encode(), texts_by_column).fetchall():
        kept = {name for name, still in zip(with_originals, unchanged, strict=True) if still}
        yield id(asked[place - 1][0]), ([from_tag(tag) for tag in tags], kept)


def _look_up_query(
    pair: TablePair, key_columns: Sequence[ColumnPair], original_columns: Sequence[ColumnPair]
) -> str:
    """Rows by their keys: (place of the key, tags of the row's values, which columns equal their originals).

    Parameters: an array of texts for each column of the key, and for each with originals.
    """
    quote = POSTGRESQL.quote
    count = len(key_columns) + len(original_columns)
    arrays = ", ".join(["%s::text[]"] * count)
    fields = [f"k{place}" for place in range(len(key_columns))]
    fields += [f"o{place}" for place in range(len(original_columns))]
    joined = " AND ".join(
        f"t.{quote(column.postgres)} = k.k{place}::{column.type}" for place, column in enumerate(key_columns)
    )
    same = ", ".join(
        f"(k.o{place} IS NOT NULL AND t.{quote(column.postgres)}::text = (k.o{place}::{column.type})::text)"
        for place, column in enumerate(original_columns)
    )
    tags = ", ".join(column.conversion.tag_sql(f"t.{quote(column.postgres)}") for column in pair.columns)
    found = f"k.place, ARRAY[{tags}], ARRAY[{same}]::boolean[]"
    return (
        f"SELECT {beside_parameters(found)} "
        f"FROM unnest({arrays}) WITH ORDINALITY AS k({', '.join(fields)}, place) "
        f"JOIN {beside_parameters(f'{quote(pair.postgres)} t ON {joined}')}"
    )


def _text(conversion: c.Conversion, value: Any) -> str | None:
    try:
        return conversion.one(value)[0]
    except c.Refused:
        return None


def _converted(conversions: Sequence[c.Conversion], values: Sequence[Any]) -> list[str | None] | None:
    """The values of a key as texts for Postgres; None if Postgres cannot hold one of them."""
    texts = [
        None if value is None else _text(conversion, value)
        for conversion, value in zip(conversions, values, strict=True)
    ]
    return None if None in texts else texts


def postgres_rows(
    raw: psycopg.Connection[Any], pair: TablePair, keys: Sequence[Sequence[Any]]
) -> Iterator[tuple[Sequence[Any], list[Any]]]:
    """Rows of a table in Postgres by their keys in SQLite, as SQLite's values: (key, values).

    A live switch reads what was changed with this as well.
    """
    entries = [(_Entry(""), list(key)) for key in keys]
    found = dict(_look_up(raw, pair, entries, ()))
    for entry, key in entries:
        if id(entry) in found:
            yield key, found[id(entry)][0]


# -- SQLite --------------------------------------------------------------------------------------------------------


def sqlite_rows(
    raw: sqlite3.Connection, pair: TablePair, keys: Sequence[Sequence[Any]]
) -> Iterator[tuple[Sequence[Any], list[Any]]]:
    """Rows of a table in SQLite by their keys: (key, values)."""
    quote = SQLITE.quote
    columns = ", ".join(map(quote, pair.sqlite_columns))
    where = " AND ".join(f"{quote(name)} IS ?" for name in pair.key)
    query = f"SELECT {columns} FROM {quote(pair.sqlite)} WHERE {where}"
    raw.text_factory = bytearray
    try:
        for key in keys:
            bound = [value.data if isinstance(value, RawText) else value for value in key]
            for row in raw.execute(query, bound):
                yield key, [_decoded(value) for value in row]
    finally:
        raw.text_factory = str


def _decoded(value: Any) -> Any:
    return from_raw("text", bytes(value)) if isinstance(value, bytearray) else value


def sqlite_overlay(raw: sqlite3.Connection, pair: TablePair) -> Iterator[Restored]:
    """The rows of a table in SQLite that hold less than Postgres gave: what was rejected, put back."""
    names = pair.sqlite_columns
    if not raw.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (REJECTS,)).fetchone():
        return
    cursor = raw.execute(_QUERY.format("?"), (pair.sqlite, pair.sqlite))
    for batch in _batches(entries_of(iter(cursor))):
        for entry in batch:
            values = key_values(entry.key) if pair.key else None
            now = next((row for _, row in sqlite_rows(raw, pair, [values])), None) if values else None
            if now is None:
                whole = _rejected_row(entry, names)
            else:
                whole = [
                    entry.rejects[name] if value is None and name in entry.rejects else value
                    for name, value in zip(names, now, strict=True)
                ]
            yield Restored(entry.key, now, whole, len(entry.rejects) if whole else 0)
