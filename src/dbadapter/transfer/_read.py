"""Rows of an SQLite table in batches of bounded size, every value as it is stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from .._dialects import SQLITE
from ._values import RawText

__all__ = [
    "BEFORE_ALL",
    "MOST_TERMS",
    "Rows",
    "largest_row",
    "next_chunk",
    "read_batches",
    "rows_for",
    "utf16_codec",
]

Rows = list[tuple[Any, ...]]

MOST_TERMS = 400
"""Expressions of more columns may be deeper than SQLite allows by default."""

BEFORE_ALL = -1e19
"""Less than the least rowid, which is an integer of 64 bits."""

_BATCH_BYTES = 2_000_000
_MOST_ROWS = 4000
_FEWEST_ROWS = 4


def read_batches(
    raw: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    *,
    rowid: str | None = None,
    after: int | None = None,
    upto: int | None = None,
    where: str | None = None,
    limit: int = -1,
    row_bytes: int = -1,
    utf16: str | None = None,
) -> Iterator[Rows]:
    """The table's rows, in the order of the rowid where there is one.

    Text that is not valid in the database's encoding comes as `RawText`.

    Args:
        raw: a connection whose ``text_factory`` is str.
        table: the table.
        columns: the columns to read; with `rowid`, that comes first.
        rowid: the name of the rowid, to order by it.
        after: only rows with a greater rowid.
        upto: only rows with no greater rowid.
        where: only rows of which this condition, in SQL, is true.
        limit: at most so many rows; -1: all.
        row_bytes: the size of the largest row if that is known: a batch stays small, whatever comes.
        utf16: ``utf-16-le`` or ``utf-16-be`` where the database is encoded so.
    """
    order = SQLITE.quote(rowid) if rowid else None
    names = ([order] if order else []) + [SQLITE.quote(column) for column in columns]
    conditions = [f"({where})"] if where else []
    if order and after is not None:
        conditions.append(f"{order}>{after:d}")
    if order and upto is not None:
        conditions.append(f"{order}<={upto:d}")
    behind = (" WHERE " + " AND ".join(conditions) if conditions else "") + (
        f" ORDER BY {order}" if order else ""
    )
    reader = _Reader(raw, table, names, behind, limit, utf16)
    size = rows_for(row_bytes) if row_bytes >= 0 else 64
    while rows := reader.fetch(size):
        yield rows
        if row_bytes < 0:
            size = min(rows_for(largest_row(rows)), size * 4)


def utf16_codec(encoding: str | None) -> str | None:
    """Python's name for the encoding that ``PRAGMA encoding`` gave; None unless it is one of UTF-16."""
    return {"UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}.get(encoding or "")


def next_chunk(
    raw: sqlite3.Connection, table: str, rowid: str, after: int | None, size: int
) -> tuple[int, int] | None:
    """The next `size` rows (fewer at the end) of a quoted table: the last one's rowid, and how many there are.

    None if there are none.
    """
    name = SQLITE.quote(rowid)
    start = BEFORE_ALL if after is None else after
    query = f"SELECT {name} FROM {table} NOT INDEXED WHERE {name}>? ORDER BY {name} LIMIT 1 OFFSET ?"
    found = raw.execute(query, (start, size - 1)).fetchone()
    if found is not None:
        return found[0], size
    query = f"SELECT max({name}),count(*) FROM {table} NOT INDEXED WHERE {name}>?"
    upto, rows = raw.execute(query, (start,)).fetchone()
    return (upto, rows) if rows else None


def rows_for(row_bytes: int) -> int:
    """How many rows of a size are read at once."""
    return max(_FEWEST_ROWS, min(_MOST_ROWS, _BATCH_BYTES // max(row_bytes, 1)))


def largest_row(rows: Rows) -> int:
    """About how many bytes the largest row has, going by a few of them."""
    return max(
        sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in row)
        for row in rows[:: max(1, len(rows) // 16)]
    )


class _Reader:
    """Fetches rows; on the first invalid text it starts again behind the rows it has given, decoding by itself."""

    def __init__(
        self,
        raw: sqlite3.Connection,
        table: str,
        names: list[str],
        behind: str,
        limit: int,
        utf16: str | None,
    ) -> None:
        self._raw, self._limit, self._done = raw, limit, 0
        self._utf16 = utf16
        self._decoding = utf16 is not None
        if utf16:
            names = [
                part
                for name in names
                for part in (f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END",
                             f"typeof({name})='text'")
            ]  # fmt: skip
        self._query = f"SELECT {', '.join(names)} FROM {SQLITE.quote(table)}{behind}"
        self._cursor = raw.execute(f"{self._query} LIMIT {limit:d}")

    def fetch(self, size: int) -> Rows:
        """The next rows; none at the end."""
        rows: Rows
        if self._decoding:
            rows = self._fetch_decoding(size)
        else:
            try:
                rows = self._cursor.fetchmany(size)
            except sqlite3.OperationalError as error:
                if not str(error).startswith("Could not decode"):
                    raise
                self._decoding = True
                left = self._limit if self._limit < 0 else self._limit - self._done
                self._cursor = self._raw.execute(f"{self._query} LIMIT {left:d} OFFSET {self._done}")
                rows = self._fetch_decoding(size)
        self._done += len(rows)
        return rows

    def _fetch_decoding(self, size: int) -> Rows:
        if self._utf16:
            return [_paired(row, self._utf16) for row in self._cursor.fetchmany(size)]
        self._raw.text_factory = bytearray
        try:
            rows = self._cursor.fetchmany(size)
        finally:
            self._raw.text_factory = str
        return [tuple([_text(v) if type(v) is bytearray else v for v in row]) for row in rows]


def _text(data: bytearray) -> str | RawText:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return RawText(bytes(data))


def _paired(row: tuple[Any, ...], encoding: str) -> tuple[Any, ...]:
    """Values from pairs of (value, is text)."""
    return tuple(
        _utf16_text(value, encoding) if is_text else value
        for value, is_text in zip(row[::2], row[1::2], strict=True)
    )


def _utf16_text(data: bytes, encoding: str) -> str | RawText:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        try:
            return RawText(data.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:  # an odd number of bytes
            return RawText(data)
