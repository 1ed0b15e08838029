"""The rows behind a difference: looked up on both sides, and shown column by column."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .._dialects import POSTGRESQL, beside_parameters
from ._bookkeeping import key_text, key_values
from ._digest import BUCKET_SHIFT, number_expression, row_number
from ._overlay import Restored, postgres_rows, sqlite_rows
from ._pairs import TablePair
from ._read import read_batches
from ._values import from_tag, show
from .report import Difference

if TYPE_CHECKING:
    import psycopg

__all__ = ["DifferenceFinder"]

_MOST_DIFFERENCES = 10

Found = Counter[tuple[int, str]]
"""How often a row occurs, by its number in the digest and its key as text."""


@frozen
class DifferenceFinder:
    """Looks for the rows of one table that are not the same on both sides.

    Attributes:
        lite: the SQLite end, in the state that was digested.
        post: the Postgres end, likewise.
        pair: the table on both.
        utf16: see `read_batches`.
        buckets: the buckets of the digest that differ; only their rows are looked at.
        restored_sqlite: rows of SQLite of which something stands in the bookkeeping.
        restored_postgres: those of Postgres.
        from_sqlite: which end is the source.
    """

    lite: sqlite3.Connection
    post: psycopg.Connection[Any]
    pair: TablePair
    utf16: str | None
    buckets: set[int]
    restored_sqlite: Sequence[Restored]
    restored_postgres: Sequence[Restored]
    from_sqlite: bool

    def differences(self) -> list[Difference]:
        """The first differences, by key."""
        in_sqlite, in_postgres = self._sqlite_rows(), self._postgres_rows()
        self._put_back(in_sqlite, self.restored_sqlite)
        self._put_back(in_postgres, self.restored_postgres)
        only_sqlite = {key for _, key in in_sqlite - in_postgres}
        only_postgres = {key for _, key in in_postgres - in_sqlite}
        found: list[Difference] = []
        for key in sorted(only_sqlite | only_postgres):
            if len(found) >= _MOST_DIFFERENCES:
                break
            if key in only_sqlite and key in only_postgres and self.pair.key:
                found += self._by_column(key)
            else:
                found.append(self._one_sided(key, in_sqlite=key in only_sqlite))
        return found[:_MOST_DIFFERENCES]

    # -- which rows ------------------------------------------------------------------------------------------------

    def _sqlite_rows(self) -> Found:
        found: Found = Counter()
        names, tokens = self.pair.sqlite_columns, self.pair.tokens
        for rows in read_batches(self.lite, self.pair.sqlite, names, utf16=self.utf16):
            for row in rows:
                number = row_number(row, tokens)
                if number >> BUCKET_SHIFT in self.buckets:
                    found[number, self._key(row)] += 1
        return found

    def _postgres_rows(self) -> Found:
        quote = POSTGRESQL.quote
        columns = self.pair.columns
        if self.pair.key:
            columns = tuple(columns[place] for place in self.pair.key_places)
        tags = ", ".join(
            f"{column.conversion.tag_sql(quote(column.postgres))} AS k{place}"
            for place, column in enumerate(columns)
        )
        rows = (
            f"SELECT {number_expression(self.pair)} AS number, {tags} "
            f"FROM {quote(self.pair.postgres)} OFFSET 0"
        )
        query = f"SELECT * FROM ({beside_parameters(rows)}) rows WHERE number >> {BUCKET_SHIFT} = ANY(%s)"
        found: Found = Counter()
        with self.post.cursor(name="dbadapter_differences") as cursor:
            for number, *key in cursor.execute(query.encode(), (list(self.buckets),)):
                found[number, key_text([from_tag(tag) for tag in key])] += 1
        return found

    def _put_back(self, rows: Found, restored: Iterable[Restored]) -> None:
        """Count rows as they were before something of them was set aside."""
        tokens = self.pair.tokens
        for row in restored:
            for values, times in ((row.now, -1), (row.whole, 1)):
                if values is None:
                    continue
                number = row_number(values, tokens)
                if number >> BUCKET_SHIFT in self.buckets:
                    rows[number, self._key(values)] += times

    def _key(self, values: Sequence[Any]) -> str:
        """The key of a row as text; all its values where it has no key."""
        places = self.pair.key_places or range(len(values))
        return key_text([values[place] for place in places])

    # -- how they differ -------------------------------------------------------------------------------------------

    def _one_sided(self, key: str, *, in_sqlite: bool) -> Difference:
        here, there = (
            ("the row is here", None) if in_sqlite == self.from_sqlite else (None, "the row is here")
        )
        return Difference(key=key, column=None, source=here, target=there)

    def _by_column(self, key: str) -> list[Difference]:
        """The columns in which the two rows of that key differ."""
        values = [key_values(key) or []]
        lite = self._restored(key, self.restored_sqlite) or next(
            (row for _, row in sqlite_rows(self.lite, self.pair, values)), ()
        )
        post = self._restored(key, self.restored_postgres) or next(
            (row for _, row in postgres_rows(self.post, self.pair, values)), ()
        )
        found = []
        for name, one, other in zip(self.pair.sqlite_columns, lite, post, strict=False):
            if type(one) is not type(other) or one != other:
                source, target = (one, other) if self.from_sqlite else (other, one)
                found.append(Difference(key=key, column=name, source=show(source), target=show(target)))
        return found or [Difference(key=key, column=None, source="the row", target="differs")]

    def _restored(self, key: str, restored: Sequence[Restored]) -> Sequence[Any] | None:
        """The row of that key as it was before something of it was set aside, if that is known."""
        return next((row.whole for row in restored if row.whole and self._key(row.whole) == key), None)
