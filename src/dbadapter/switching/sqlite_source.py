"""The SQLite file that data are moved from: rows by key in short reads, and the rows that changed since."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from attrs import define, field, frozen

from .._core.switching import Record
from .._dialects import SQLITE
from ..errors import SwitchAborted
from ..transfer._encode import RowEncoder
from ..transfer._pairs import TablePair, pair_of
from ..transfer.plan import TablePlan, TransferPlan
from .collections import Captured
from .ends import begin_at_once
from .records import forget_sqlite, read_sqlite, write_sqlite
from .sqlite_capture import (
    CHANGES,
    CapturedTable,
    changes_table,
    forget_changes,
    install_triggers,
    remove_capture,
)
from .sqlite_capture import unique_keys as read_unique_keys

__all__ = ["Moved", "SQLiteSource", "install_capture", "moved_tables", "numbered"]

quote = SQLITE.quote

_CHUNK_BYTES = 4_000_000
_MOST_ROWS = 5000
_FORGET_AT_ONCE = 2000


@frozen
class Moved:
    """A table on its way: how it is captured, converted and compared."""

    captured: CapturedTable
    plan: TablePlan
    match: TablePair
    encoder: RowEncoder

    @property
    def key_places(self) -> list[int]:
        """Where the key's columns stand in a row as it is read."""
        names = [column.name for column in self.plan.copied]
        return [names.index(name) for name in self.captured.key]


def moved_tables(raw: sqlite3.Connection, plan: TransferPlan) -> list[Moved]:
    """The tables of a plan, each with a key."""
    found = []
    for number, table in enumerate(sorted(plan.tables, key=lambda table: table.name)):
        columns = tuple(column.name for column in table.columns)
        captured = CapturedTable(
            number, table.name, tuple(table.key), columns, tuple(read_unique_keys(raw, table.name))
        )
        found.append(
            Moved(captured, table, pair_of(table, "sqlite-postgresql"), RowEncoder(table, rowid_first=False))
        )
    return found


def numbered(others: Sequence[Captured], first: int) -> list[CapturedTable]:
    """Further tables to be captured, numbered from `first`; nobody replaces rows in them."""
    return [
        CapturedTable(number, each.table, (each.key,), (each.key,))
        for number, each in enumerate(others, first)
    ]


def install_capture(raw: sqlite3.Connection, tables: Sequence[CapturedTable]) -> None:
    """Begin to note the changes of tables, in the transaction that is open."""
    remove_capture(raw)
    raw.execute(changes_table(tables))
    for table in tables:
        for statement in install_triggers(table):
            raw.execute(statement)


@define
class SQLiteSource:
    """The mover's view of the file; `cursor` is the number of the last change that the target has.

    `others` are tables whose changes are noted with those of the `tables`, but not carried over as rows.
    """

    raw: sqlite3.Connection
    tables: Sequence[Moved] = ()
    others: Sequence[CapturedTable] = ()
    cursor: int = 0
    _schema: int = field(default=-1)

    # -- capture ---------------------------------------------------------------------------------------------------

    def install(self, record: Record, planned_for: int) -> None:
        """Begin to note changes, and say in the record that a switch is under way."""
        begin_at_once(self.raw, 30.0)
        try:
            if self.schema_version() != planned_for:
                raise SwitchAborted("tables were changed while the switch was being planned; try again")
            install_capture(self.raw, [*(table.captured for table in self.tables), *self.others])
            write_sqlite(self.raw, record)
            self._schema = self.schema_version()
            self.raw.execute("COMMIT")
        except BaseException:
            self.rollback()
            raise

    def attach(self, planned_for: int) -> None:
        """Go on with a capture that was installed when the data came here."""
        self._schema = planned_for

    def announce(self, record: Record) -> None:
        """Say in the record that a switch is under way."""
        begin_at_once(self.raw, 30.0)
        write_sqlite(self.raw, record)
        self.raw.execute("COMMIT")

    def schema_version(self) -> int:
        """A number that every change of a table's definition changes, and VACUUM."""
        return int(self.raw.execute("PRAGMA schema_version").fetchone()[0])

    def check_schema(self) -> None:
        """Raise `SwitchAborted` if tables were changed since `install`: the triggers may be gone with them."""
        if self.schema_version() != self._schema:
            raise SwitchAborted(
                "tables were created, altered or rebuilt (or VACUUM ran) during the switch; try again"
            )

    def remove(self, before: Record | None, *, keep_noting: bool = False) -> None:
        """Leave no triggers and no log behind, unless changes go on being noted, and the record as it was."""
        self.rollback()
        begin_at_once(self.raw, 30.0)
        try:
            if (found := read_sqlite(self.raw)) is not None and found.state == "away":
                self.rollback()  # somebody has decided, whoever it was
                return
            if not keep_noting:
                remove_capture(self.raw)
            if before is None:
                forget_sqlite(self.raw)
            else:
                write_sqlite(self.raw, before)
            self.raw.execute("COMMIT")
        except BaseException:
            self.rollback()
            raise

    def rollback(self) -> None:
        """End what is open."""
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")

    # -- rows ------------------------------------------------------------------------------------------------------

    def chunks(self, table: Moved) -> Iterator[list[tuple[Any, ...]]]:
        """All rows in the order of the key, each chunk in a read transaction of its own."""
        columns = ", ".join(quote(column.name) for column in table.plan.copied)
        key = ", ".join(quote(name) for name in table.captured.key)
        width = len(table.captured.key)
        marks = ", ".join("?" * width)
        size = max(1, min(_MOST_ROWS, _CHUNK_BYTES // max(table.plan.row_bytes, 1)))
        places = table.key_places
        last: tuple[Any, ...] | None = None
        while True:
            where = "" if last is None else f" WHERE ({key}) > ({marks})"
            query = f"SELECT {columns} FROM {quote(table.plan.name)}{where} ORDER BY {key} LIMIT {size}"
            rows = self.raw.execute(query, last or ()).fetchall()
            if rows:
                last = tuple(rows[-1][place] for place in places)
                yield rows
            if len(rows) < size:
                return

    def last_change(self) -> int:
        """The number of the last change, in the transaction that is open."""
        return int(self.raw.execute(f"SELECT coalesce(max(seq), 0) FROM {CHANGES}").fetchone()[0])

    def dirty_keys(self, captured: CapturedTable, last: int) -> list[tuple[Any, ...]]:
        """The keys of the rows that changed after `cursor`, up to change number `last`."""
        parts = ", ".join(f"k{place}" for place in range(len(captured.key)))
        query = f"SELECT DISTINCT {parts} FROM {CHANGES} WHERE tbl = ? AND seq > ? AND seq <= ?"
        return self.raw.execute(query, (captured.number, self.cursor, last)).fetchall()

    def dirty_rows(self, table: Moved, last: int) -> list[tuple[Any, ...]]:
        """Those rows as they are now, in the same transaction; those that are gone are missing."""
        columns = ", ".join(quote(column.name) for column in table.plan.copied)
        key = ", ".join(quote(name) for name in table.captured.key)
        parts = ", ".join(f"k{place}" for place in range(len(table.captured.key)))
        query = (
            f"SELECT {columns} FROM {quote(table.plan.name)} WHERE ({key}) IN "
            f"(SELECT {parts} FROM {CHANGES} WHERE tbl = ? AND seq > ? AND seq <= ?)"
        )
        return self.raw.execute(query, (table.captured.number, self.cursor, last)).fetchall()

    def forget(self) -> None:
        """Take out of the log what the target has, a little at a time, so that writers hardly wait."""
        statement, (last,) = forget_changes(self.cursor)
        low = self.raw.execute(f"SELECT coalesce(min(seq), 0) FROM {CHANGES}").fetchone()[0]
        while low < last:
            low = min(low + _FORGET_AT_ONCE, last)
            begin_at_once(self.raw, 30.0)
            self.raw.execute(statement, (low,))
            self.raw.execute("COMMIT")

    def next_identity(self, table: Moved) -> int | None:
        """What the identity column of the target has to count up from."""
        plan = table.plan
        if not any(column.identity for column in plan.columns):
            return None
        name = quote(plan.key[0])
        highest = self.raw.execute(f"SELECT coalesce(max({name}), 0) FROM {quote(plan.name)}").fetchone()[0]
        if self.raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
            row = self.raw.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (plan.name,)).fetchone()
            if row and isinstance(row[0], int):
                highest = max(highest, row[0])
        return max(int(highest), 0) + 1
