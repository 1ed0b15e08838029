"""The digest of a table's rows, the same from SQLite and from Postgres.

A row is written out as the stored values of SQLite with their storage classes; the first eight bytes of its MD5 are a
number. Rows with the same upper bits of that number are a bucket, which has their count and the sum of their numbers:
no order is needed, duplicates count, and a difference shows in few buckets.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from .._dialects import POSTGRESQL
from . import conversions as c
from ._read import Rows, read_batches
from ._values import RawText, to_token

if TYPE_CHECKING:
    import psycopg

__all__ = ["BUCKETS", "Buckets", "Match", "postgres_digest", "row_number", "sqlite_digest", "sqlite_numbers"]

BUCKETS = 1024
_SHIFT = 54  # the upper ten bits, with the sign: -512 to 511
# Postgres functions take at most a hundred arguments.
_CONCAT = 90


@frozen
class Match:
    """A table on both sides.

    Attributes:
        sqlite: its name in SQLite.
        postgres: its name in Postgres.
        columns: (name in SQLite, name in Postgres, conversion, Postgres type), all that are compared.
        key: the names in SQLite of the columns that tell rows apart; empty: nothing does.
        rowid: the name of SQLite's rowid, where there is one.
    """

    sqlite: str
    postgres: str
    columns: tuple[tuple[str, str, c.Conversion, str], ...]
    key: tuple[str, ...] = ()
    rowid: str | None = None

    @property
    def key_places(self) -> list[int]:
        """Where the key's columns stand among `columns`."""
        names = [column[0] for column in self.columns]
        return [names.index(name) for name in self.key]


@define
class Buckets:
    """Counts and sums by bucket."""

    counts: list[int] = field(factory=lambda: [0] * BUCKETS)
    sums: list[int] = field(factory=lambda: [0] * BUCKETS)

    def add(self, number: int, times: int = 1) -> None:
        """Count a row in, or out with `times` -1."""
        self.counts[number >> _SHIFT] += times
        self.sums[number >> _SHIFT] += number * times

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
    hashlib.md5(b"")
    _md5: Callable[[bytes], Any] = hashlib.md5
except ValueError:  # a Python in FIPS mode wants to be told that no secret depends on it, which takes time
    _md5 = partial(hashlib.md5, usedforsecurity=False)


def row_number(values: Iterable[Any], vectors: Sequence[bool]) -> int:
    """The number of one row, some of whose columns are vectors."""
    tokens = [
        _vector_token(value).encode("utf-8", "surrogateescape") if vector else to_token(value)
        for value, vector in zip(values, vectors, strict=True)
    ]
    number: int = struct.unpack(">q", _md5(b"".join(tokens)).digest()[:8])[0]
    return number


# -- SQLite --------------------------------------------------------------------------------------------------------


def sqlite_numbers(rows: Rows, first: int, vectors: Sequence[bool]) -> Sequence[int]:
    """The numbers of many rows; the columns from `first` on count, some of them vectors."""
    columns = list(zip(*rows, strict=True))[first:]
    parts: list[Iterable[str]] = []
    for values, vector in zip(columns, vectors, strict=True):
        kinds = set(map(type, values))
        if RawText in kinds:
            return [row_number(row[first:], vectors) for row in rows]
        made = _column(values, kinds) if not vector else [list(map(_vector_token, values))]
        parts += made
    # Some of the parts never end, but the last is a column.
    written = map("".join, zip(*parts, strict=False))
    digests = b"".join([_md5(line.encode()).digest() for line in written])
    return struct.unpack(f">{len(rows) * 2}q", digests)[::2]


def _column(values: Sequence[Any], kinds: set[type]) -> list[Iterable[str]]:
    """The tokens of one column, in parts to be put together row by row."""
    if kinds == {int}:
        return [_I, map(str, values), _END]
    if kinds == {str}:
        joined = "".join(values)
        lengths = map(len, values) if joined.isascii() else (len(value.encode()) for value in values)
        return [_T, map(str, lengths), _COLON, values, _END]
    if kinds == {float}:
        return [_R, _hex(values), _END]
    if kinds == {bytes}:
        return [_B, [value.hex() for value in values], _END]
    if kinds == {int, type(None)}:
        return [["n;" if value is None else f"i{value};" for value in values]]
    if kinds == {str, type(None)} and "".join(filter(None, values)).isascii():
        return [["n;" if value is None else f"t{len(value)}:{value};" for value in values]]
    if kinds <= {int, float, type(None)}:
        digits = iter(_hex([value for value in values if type(value) is float]))
        return [
            [
                f"r{next(digits)};" if type(value) is float else "n;" if value is None else f"i{value};"
                for value in values
            ]
        ]
    return [[to_token(value).decode() for value in values]]


_I, _R, _T, _B, _COLON, _END = map(repeat, ("i", "r", "t", "b", ":", ";"))


def _hex(values: Sequence[float]) -> list[str]:
    digits = struct.pack(f">{len(values)}d", *values).hex()
    return [digits[at : at + 16] for at in range(0, len(digits), 16)]


def _vector_token(value: Any) -> str:
    """A blob of float32 as the digest has it: the bytes of each number the other way round, as Postgres sends them."""
    if isinstance(value, bytes) and len(value) % 4 == 0:
        return f"v{c.swap_float32(value).hex()};"
    return to_token(value).decode("utf-8", "surrogateescape")


def vector_flags(match: Match) -> list[bool]:
    """Which of the columns are vectors."""
    return [isinstance(column[2], c.Vector) for column in match.columns]


def sqlite_digest(raw: sqlite3.Connection, match: Match, *, row_bytes: int, utf16: str | None) -> Buckets:
    """Read a table in SQLite and digest it."""
    found = Buckets()
    counts, sums = found.counts, found.sums
    vectors = vector_flags(match)
    names = [column[0] for column in match.columns]
    for rows in read_batches(raw, match.sqlite, names, row_bytes=row_bytes, utf16=utf16):
        for number in sqlite_numbers(rows, 0, vectors):
            counts[number >> _SHIFT] += 1
            sums[number >> _SHIFT] += number
    return found


# -- Postgres ------------------------------------------------------------------------------------------------------


def _row_expression(match: Match) -> str:
    tokens = [conversion.token_sql(POSTGRESQL.quote(name)) for _, name, conversion, _ in match.columns]
    groups = [tokens[at : at + _CONCAT] for at in range(0, len(tokens), _CONCAT)]
    return "||".join(f"concat({','.join(group)})" for group in groups)


def number_expression(match: Match) -> str:
    """A Postgres expression for the number of a row."""
    return f"('x'||substr(md5({_row_expression(match)}),1,16))::bit(64)::bigint"


def postgres_digest(raw: psycopg.Connection[Any], match: Match) -> Buckets:
    """Let Postgres digest a table."""
    # OFFSET 0 keeps the number from being computed twice, once for the bucket and once for the sum.
    query = (
        f"SELECT number >> {_SHIFT}, count(*), sum(number) FROM (SELECT {number_expression(match)} AS number "
        f"FROM {POSTGRESQL.quote(match.postgres)} OFFSET 0) rows GROUP BY 1"
    )
    found = Buckets()
    for bucket, count, total in raw.execute(query.encode()).fetchall():
        found.counts[bucket] += count
        found.sums[bucket] += int(total)
    return found
