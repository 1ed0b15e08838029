"""The digest of a table's rows, the same from SQLite and from Postgres.

A row is written out as the stored values of SQLite with their storage classes; the first eight bytes of its MD5 are a
number. Rows with the same upper bits of that number are a bucket, which has their count and the sum of their numbers:
no order is needed, duplicates count, and a difference shows in few buckets.
"""

from __future__ import annotations

import hashlib
import importlib
import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .._dialects import POSTGRESQL, SQLITE
from ._pairs import TablePair
from ._pipeline import prefetched
from ._read import BEFORE_ALL, MOST_TERMS, next_chunk, read_batches, rows_for
from ._tokens import Tokens, install, postgres_line, sqlite_line

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "BUCKETS",
    "BUCKET_SHIFT",
    "Buckets",
    "number_expression",
    "postgres_digest",
    "row_number",
    "sqlite_digest",
]

BUCKETS = 1024
BUCKET_SHIFT = 54
"""A row's number shifted right by this is its bucket: the upper ten bits, with the sign, -512 to 511."""
_BLOCK, _PORTION = 8192, 250  # bytes, and blocks to be read at a time, which takes some 20 ms
_BETWEEN = "\x1e"  # the separator of records


@define
class Buckets:
    """Counts and sums by bucket."""

    counts: list[int] = field(factory=lambda: [0] * BUCKETS)
    sums: list[int] = field(factory=lambda: [0] * BUCKETS)

    def add(self, number: int, times: int = 1) -> None:
        """Count a row in, or out with `times` -1."""
        self.counts[number >> BUCKET_SHIFT] += times
        self.sums[number >> BUCKET_SHIFT] += number * times

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(self.counts)

    def differing(self, other: Buckets) -> list[int]:
        """The buckets that are not the same."""
        mine, theirs = zip(self.counts, self.sums, strict=True), zip(other.counts, other.sums, strict=True)
        found = [place for place, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b]
        return [place - BUCKETS if place >= BUCKETS // 2 else place for place in found]

    def hexdigest(self) -> str:
        """One digest over all rows."""
        text = ";".join(f"{count}:{total}" for count, total in zip(self.counts, self.sums, strict=True))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


try:
    # Python's own: the quicker one for the few bytes of a row, and never forbidden, since it guards no secret.
    _md5: Callable[[bytes], Any] = importlib.import_module("_md5").md5
except ImportError:
    _md5 = partial(hashlib.md5, usedforsecurity=False)


def row_number(values: Iterable[Any], tokens: Sequence[Tokens]) -> int:
    """The number of one row, from its values as SQLite stores them."""
    written = b"".join([each.python(value) for each, value in zip(tokens, values, strict=True)])
    number: int = struct.unpack(">q", _md5(written).digest()[:8])[0]
    return number


# -- SQLite --------------------------------------------------------------------------------------------------------


def sqlite_digest(raw: sqlite3.Connection, pair: TablePair, *, utf16: str | None) -> Buckets:
    """Read a table in SQLite and digest it."""
    found = Buckets()
    counts, sums = found.counts, found.sums
    for numbers in _sqlite_numbers(raw, pair, utf16=utf16):
        for number in numbers:
            counts[number >> BUCKET_SHIFT] += 1
            sums[number >> BUCKET_SHIFT] += number
    return found


def _sqlite_numbers(
    raw: sqlite3.Connection, pair: TablePair, *, utf16: str | None
) -> Iterator[Sequence[int]]:
    """The numbers of a table's rows, many at a time; written by SQLite where its texts are UTF-8."""
    names, tokens = pair.sqlite_columns, pair.tokens
    if utf16 is not None or len(names) > MOST_TERMS:
        for rows in read_batches(raw, pair.sqlite, names, utf16=utf16):
            yield [row_number(row, tokens) for row in rows]
        return
    install(raw, tokens)
    line = f"CAST({sqlite_line(names, tokens)} AS BLOB)"
    read = _lines if pair.rowid is None else partial(_joined_lines, rowid=pair.rowid)
    for lines in prefetched(lambda: read(raw, SQLITE.quote(pair.sqlite), line)):
        digests = b"".join([_md5(each).digest() for each in lines])
        yield struct.unpack(f">{len(lines) * 2}q", digests)[::2]


def _lines(raw: sqlite3.Connection, table: str, line: str) -> Iterator[list[bytes]]:
    """The rows of a table as the lines that their numbers are made of."""
    cursor = raw.execute(f"SELECT {line} FROM {table}")
    size = 64
    while rows := cursor.fetchmany(size):
        lines = [line for (line,) in rows]
        yield lines
        size = min(rows_for(max(map(len, lines))), size * 4)


def _joined_lines(raw: sqlite3.Connection, table: str, line: str, *, rowid: str) -> Iterator[list[bytes]]:
    """Like `_lines`, for a table with a rowid: SQLite joins many rows in one step, while other threads may work."""
    name = SQLITE.quote(rowid)
    behind = f"FROM {table} NOT INDEXED WHERE {name}>? AND {name}<=?"
    joined = f"SELECT CAST(group_concat({line},'{_BETWEEN}') AS BLOB) {behind}"
    size = 64
    last, chunk = None, next_chunk(raw, table, rowid, None, size)
    while chunk is not None:
        upto, rows = chunk
        place = (BEFORE_ALL if last is None else last, upto)
        try:
            lines = raw.execute(joined, place).fetchone()[0].split(_BETWEEN.encode())
        except sqlite3.DataError:  # a string too big
            lines = []
        if len(lines) != rows:  # the character is in a text
            lines = [line for (line,) in raw.execute(f"SELECT {line} {behind}", place)]
        size = min(rows_for(max(map(len, lines))), size * 4)
        # Asked before the lines are given away: whoever works on them keeps Python's lock from so short a question.
        last, chunk = upto, next_chunk(raw, table, rowid, upto, size)
        yield lines


# -- Postgres ------------------------------------------------------------------------------------------------------


def number_expression(pair: TablePair) -> str:
    """A Postgres expression for the number of a row."""
    line = postgres_line([column.postgres for column in pair.columns], pair.tokens)
    return f"('x'||substr(md5({line}),1,16))::bit(64)::bigint"


def postgres_digest(
    raw: psycopg.Connection[Any], pair: TablePair, rest: Callable[[], None] | None = None
) -> Buckets:
    """Let Postgres digest a table; with `rest`, a little at a time, with a call of it after each."""
    # SQLite takes its time as well, and as a rule works at the same time on a core of its own: one is enough here.
    raw.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    found = Buckets()
    for where in [""] if rest is None else _portions(raw, pair.postgres):
        # OFFSET 0 keeps the number from being computed twice, once for the bucket and once for the sum.
        query = (
            f"SELECT number >> {BUCKET_SHIFT}, count(*), sum(number) FROM (SELECT {number_expression(pair)} AS number "
            f"FROM {POSTGRESQL.quote(pair.postgres)}{where} OFFSET 0) rows GROUP BY 1"
        )
        for bucket, count, total in raw.execute(query.encode()).fetchall():
            found.counts[bucket] += count
            found.sums[bucket] += int(total)
        if rest is not None:
            rest()
    return found


def _portions(raw: psycopg.Connection[Any], table: str) -> Iterator[str]:
    """Conditions of which each row of a table meets one, and which the server finds without reading the others."""
    if raw.info.server_version < 140_000:  # it would read the table each time
        yield ""
        return
    row = raw.execute("SELECT pg_relation_size(%s::regclass)", (POSTGRESQL.quote(table),)).fetchone()
    edges = list(range(_PORTION, row[0] // _BLOCK if row else 0, _PORTION))
    for low, high in zip([0, *edges], [*edges, None], strict=True):
        yield f" WHERE ctid >= '({low},0)'" + ("" if high is None else f" AND ctid < '({high},0)'")
