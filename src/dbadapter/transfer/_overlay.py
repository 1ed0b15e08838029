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
from ._digest import Match
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


def postgres_overlay(raw: psycopg.Connection[Any], match: Match) -> Iterator[Restored]:
    """The rows of a table in Postgres that the bookkeeping knows something of. A transaction is open."""
    with raw.cursor(name="dbadapter_overlay") as cursor:
        cursor.itersize = _BATCH
        cursor.execute(_QUERY.format("%s").encode(), (match.postgres, match.postgres))
        for batch in _batches(entries_of(iter(cursor))):
            yield from restore(raw, match, batch)


def restore(raw: psycopg.Connection[Any], match: Match, batch: list[_Entry]) -> Iterator[Restored]:
    """The rows of `batch` as they are in SQLite, whole."""
    names = [column[0] for column in match.columns]
    keyed: list[tuple[_Entry, list[Any]]] = []
    for entry in batch:
        values = key_values(entry.key)
        if values is not None and len(values) == len(match.key):
            keyed.append((entry, values))
    meant = sorted({name for entry in batch for name in entry.originals if name in names}, key=names.index)
    found = dict(_look_up(raw, match, keyed, meant))
    for entry in batch:
        if id(entry) in found:
            now, unchanged = found[id(entry)]
            whole: list[Any] | None = list(now)
            rejected = 0
            assert whole is not None
            for name, value in entry.rejects.items():
                if name in names and whole[names.index(name)] is None:
                    whole[names.index(name)] = value
                    rejected += 1
            for name, value in entry.originals.items():
                if name in unchanged:
                    whole[names.index(name)] = value
            yield Restored(entry.key, now, whole, rejected)
        else:
            complete = all(name in entry.rejects for name in names)
            whole = [entry.rejects[name] for name in names] if complete else None
            yield Restored(entry.key, None, whole, len(entry.rejects) if complete else 0)


def _look_up(
    raw: psycopg.Connection[Any], match: Match, keyed: list[tuple[_Entry, list[Any]]], meant: Sequence[str]
) -> Iterator[tuple[int, tuple[list[Any], set[str]]]]:
    """For each entry whose row is there: its values, and the columns that still mean what their originals do."""
    by_name = {column[0]: column for column in match.columns}
    asked: list[tuple[_Entry, list[str | None]]] = []
    for entry, values in keyed:
        key = _converted([by_name[name][2] for name in match.key], values)
        if key is not None:
            wanted = [
                _text(by_name[name][2], entry.originals[name]) if name in entry.originals else None
                for name in meant
            ]
            asked.append((entry, [*key, *wanted]))
    if not asked or not match.key:
        return
    quote = POSTGRESQL.quote
    arrays = ", ".join(["%s::text[]"] * (len(match.key) + len(meant)))
    fields = [f"k{place}" for place in range(len(match.key))] + [f"o{place}" for place in range(len(meant))]
    joined = " AND ".join(
        f"t.{quote(by_name[name][1])} = k.k{place}::{by_name[name][3]}"
        for place, name in enumerate(match.key)
    )
    same = [
        f"(k.o{place} IS NOT NULL AND t.{quote(by_name[name][1])}::text = (k.o{place}::{by_name[name][3]})::text)"
        for place, name in enumerate(meant)
    ]
    found = f"k.place, ARRAY[{_tags(match)}], ARRAY[{', '.join(same)}]::boolean[]"
    query = (
        f"SELECT {beside_parameters(found)} "
        f"FROM unnest({arrays}) WITH ORDINALITY AS k({', '.join(fields)}, place) "
        f"JOIN {beside_parameters(f'{quote(match.postgres)} t ON {joined}')}"
    )
    columns = [list(column) for column in zip(*(texts for _, texts in asked), strict=True)]
    for place, tags, unchanged in raw.execute(query.encode(), columns).fetchall():
        kept = {name for name, still in zip(meant, unchanged, strict=True) if still}
        yield id(asked[place - 1][0]), ([from_tag(tag) for tag in tags], kept)


def _tags(match: Match) -> str:
    return ", ".join(
        conversion.tag_sql(f"t.{POSTGRESQL.quote(name)}") for _, name, conversion, _ in match.columns
    )


def _text(conversion: c.Conversion, value: Any) -> str | None:
    try:
        return conversion.one(value)[0]
    except c.Refused:
        return None


def _converted(conversions: Sequence[c.Conversion], values: Sequence[Any]) -> list[str | None] | None:
    """The key in Postgres' words; None if it cannot be there."""
    texts = [
        None if value is None else _text(conversion, value)
        for conversion, value in zip(conversions, values, strict=True)
    ]
    return None if None in texts else texts


def postgres_rows(
    raw: psycopg.Connection[Any], match: Match, keys: Sequence[Sequence[Any]]
) -> Iterator[tuple[Sequence[Any], list[Any]]]:
    """Rows of a table in Postgres by their keys in SQLite, as SQLite's values: (key, values).

    A live switch reads what was changed with this as well.
    """
    entries = [(_Entry(""), list(key)) for key in keys]
    found = dict(_look_up(raw, match, entries, ()))
    for entry, key in entries:
        if id(entry) in found:
            yield key, found[id(entry)][0]


# -- SQLite --------------------------------------------------------------------------------------------------------


def sqlite_rows(
    raw: sqlite3.Connection, match: Match, keys: Sequence[Sequence[Any]]
) -> Iterator[tuple[Sequence[Any], list[Any]]]:
    """Rows of a table in SQLite by their keys: (key, values)."""
    quote = SQLITE.quote
    columns = ", ".join(quote(column[0]) for column in match.columns)
    where = " AND ".join(f"{quote(name)} IS ?" for name in match.key)
    query = f"SELECT {columns} FROM {quote(match.sqlite)} WHERE {where}"
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


def sqlite_overlay(raw: sqlite3.Connection, match: Match) -> Iterator[Restored]:
    """The rows of a table in SQLite that hold less than Postgres gave: what was rejected, put back."""
    names = [column[0] for column in match.columns]
    if not raw.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (REJECTS,)).fetchone():
        return
    cursor = raw.execute(_QUERY.format("?"), (match.sqlite, match.sqlite))
    for batch in _batches(entries_of(iter(cursor))):
        for entry in batch:
            values = key_values(entry.key) if match.key else None
            now = next((row for _, row in sqlite_rows(raw, match, [values])), None) if values else None
            complete = all(name in entry.rejects for name in names)
            if now is None:
                whole = [entry.rejects[name] for name in names] if complete else None
            else:
                whole = [
                    entry.rejects[name] if value is None and name in entry.rejects else value
                    for name, value in zip(names, now, strict=True)
                ]
            yield Restored(entry.key, now, whole, len(entry.rejects) if whole else 0)
