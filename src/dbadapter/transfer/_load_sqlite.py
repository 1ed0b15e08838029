"""Writing rows that were read from Postgres to a table of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from attrs import define, field

from .._dialects import SQLITE
from ._bookkeeping import REJECTS, TABLES, SetAside, key_text, set_aside
from ._read import Rows
from ._read_postgres import Refusals
from ._values import Foreign
from .plan import TablePlan

__all__ = ["SQLiteLoader", "save_rejects"]


@define
class SQLiteLoader:
    """Writes one table; each batch is a transaction with the cursor of its last row."""

    raw: sqlite3.Connection
    table: TablePlan
    order: str | None
    read: int = 0
    _insert: str = field(init=False)
    _key: list[int] = field(init=False)
    _order_place: int | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        columns = self.table.copied
        names = [column.name for column in columns]
        targets = ", ".join(SQLITE.quote(column.target) for column in columns)
        marks = ", ".join("?" * len(columns))
        self._insert = f"INSERT INTO {SQLITE.quote(self.table.target)} ({targets}) VALUES ({marks})"
        self._key = self.table.key_places
        self._order_place = names.index(self.order) if self.order in names else None

    def add(self, rows: Rows, refused: Refusals) -> None:
        """Write a batch of `postgres_batches`."""
        rejects: list[SetAside] = []
        last = rows[-1][self._order_place] if self._order_place is not None else None
        read = len(rows)
        if refused:
            rows = self._without_refused(rows, refused, rejects)
        self.raw.execute("BEGIN")
        try:
            self.raw.execute("SAVEPOINT batch")
            try:
                self.raw.executemany(self._insert, rows)
            except (sqlite3.IntegrityError, sqlite3.DataError):
                self.raw.execute("ROLLBACK TO batch")
                self._one_by_one(rows, rejects)
            save_rejects(self.raw, rejects)
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

    def _without_refused(self, rows: Rows, refused: Refusals, rejects: list[SetAside]) -> Rows:
        """The rows with NULL for what SQLite cannot hold; where that cannot be, without the row."""
        columns = self.table.copied
        gone = set()
        for number, found in refused:
            row = list(rows[number])
            for place, text in found.items():
                row[place] = Foreign(text)
            key = self._key_of(row, self.read + number)
            rows[number] = tuple(None if place in found else value for place, value in enumerate(row))
            whole = not self._key or any(not columns[place].nullable or place in self._key for place in found)
            for place in range(len(columns)) if whole else found:
                reason = f"SQLite cannot hold {found[place]}" if place in found else "the row was rejected"
                rejects.append(set_aside(self.table.target, key, columns[place].target, row[place], reason))
            if whole:
                gone.add(number)
        return [row for number, row in enumerate(rows) if number not in gone]

    def _key_of(self, row: Sequence[Any], number: int) -> str:
        return key_text([row[place] for place in self._key]) if self._key else f'{{"row": {number}}}'

    def _one_by_one(self, rows: Rows, rejects: list[SetAside]) -> None:
        for number, row in enumerate(rows):
            try:
                self.raw.execute(self._insert, row)
            except (sqlite3.IntegrityError, sqlite3.DataError) as error:
                key = self._key_of(row, self.read + number)
                for column, value in zip(self.table.copied, row, strict=True):
                    rejects.append(set_aside(self.table.target, key, column.target, value, str(error)))


def save_rejects(raw: sqlite3.Connection, rejects: Sequence[SetAside]) -> None:
    """Write rejected values to their table."""
    raw.executemany(
        f"INSERT INTO {REJECTS} VALUES (?, ?, ?, ?, ?, ?)",
        [(each.table, each.key, each.column, each.storage, each.raw, each.reason) for each in rejects],
    )
