"""The SQLite file that data are moved to. It is fenced while it is being filled: nobody else writes to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from .._core.switching import Record
from .._dialects import SQLITE
from ..errors import SwitchAborted
from ..transfer._plan_context import Target
from ..transfer._plan_sqlite import plan_from_sqlite
from ..transfer.plan import TablePlan, TransferPlan
from ..vectors.executor import sqlite_executor
from .collections import Captured, MovedCollections, drop_collections, has_collections
from .postgres_source import Changed, Moved, Portion
from .records import forget_sqlite, write_sqlite
from .sqlite_capture import CapturedTable, remove_capture, unique_keys
from .sqlite_fence import fence, remove_fence, set_closed
from .sqlite_source import install_capture, moved_tables, numbered

__all__ = ["SQLiteTarget"]

quote = SQLITE.quote
_SAVED = "_dbadapter_saved"
_OWN = "_dbadapter_"
_WHOLE = frozenset({"smallint", "integer", "bigint"})


@define
class SQLiteTarget:
    """The mover's view of the file."""

    raw: sqlite3.Connection
    plan: TransferPlan
    made: list[str] = field(factory=list)
    filled: list[str] = field(factory=list)
    is_made: bool = False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction in which the fence is open for us alone."""
        self.raw.execute("BEGIN IMMEDIATE")
        try:
            set_closed(self.raw, False)
            yield
            set_closed(self.raw, True)
            self.raw.execute("COMMIT")
        except BaseException:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
            raise

    def make(self, record: Record, collections: MovedCollections, *, superseded: bool, where: str) -> None:
        """Make the tables that are missing and empty those that are there; triggers are set aside."""
        ours = sqlite_executor(self.raw)
        self.raw.execute("BEGIN IMMEDIATE")
        try:
            remove_fence(self.raw)
            remove_capture(self.raw)
            if superseded:
                drop_collections(ours)
            elif has_collections(ours):
                raise SwitchAborted(
                    "the target has vector collections of its own; delete them or choose another target"
                )
            there = self._tables()
            wanted = {table.target.lower(): table for table in self.plan.tables}
            if superseded:
                for name in there:
                    table = wanted.get(name.lower())
                    if table is None or not self._fits(table):
                        self.raw.execute(f"DROP TABLE {quote(name)}")
                there = self._tables()
            self._set_triggers_aside()
            present = {name.lower() for name in there}
            for table in self.plan.tables:
                if table.target.lower() not in present:
                    self.made.append(table.target)
                    self._create(table)
                    continue
                self.filled.append(table.target)
                if not self._fits(table):
                    raise SwitchAborted(
                        f"the target's table {table.target} has other columns than the source's"
                    )
                if (
                    not superseded
                    and self.raw.execute(f"SELECT 1 FROM {quote(table.target)} LIMIT 1").fetchone()
                ):
                    raise SwitchAborted(f"the target's table {table.target} is not empty")
                self.raw.execute(f"DELETE FROM {quote(table.target)}")
            collections.make()
            arrived = [each.table for each in collections.arrived]
            fence(self.raw, [*(table.target for table in self.plan.tables), *arrived], where)
            write_sqlite(self.raw, record)
            self.raw.execute("COMMIT")
            self.is_made = True
        except BaseException:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
            raise

    def begin_arriving(self, record: Record) -> None:
        """Write the record into a file that has been kept up to date, and is fenced still."""
        self.raw.execute("BEGIN IMMEDIATE")
        self._set_triggers_aside()
        write_sqlite(self.raw, record)
        self.raw.execute("COMMIT")

    def _tables(self) -> list[str]:
        rows = self.raw.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
        return [name for (name,) in rows if not name.startswith(_OWN)]

    def _fits(self, table: TablePlan) -> bool:
        found = self.raw.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table.target,))
        return {name.lower() for (name,) in found} == {column.target.lower() for column in table.copied}

    def _create(self, table: TablePlan) -> None:
        for statement in (table.create_sql or "", *table.after_sql):
            try:
                self.raw.execute(statement)
            except sqlite3.Error as error:
                raise SwitchAborted(f"the target cannot have {table.target}: {error}") from error

    def _set_triggers_aside(self) -> None:
        self.raw.execute(f"CREATE TABLE IF NOT EXISTS {_SAVED} (name TEXT PRIMARY KEY, sql TEXT)")
        for name, sql in self.raw.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            if not name.startswith(_OWN):
                self.raw.execute(f"INSERT OR REPLACE INTO {_SAVED} VALUES (?, ?)", (name, sql))
                self.raw.execute(f"DROP TRIGGER {quote(name)}")

    def discard(self, before: Record | None) -> None:
        """Take away what this switch made; a file that was superseded already stays so."""
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")
        with self.writing():
            remove_capture(self.raw)
            if before is None:
                remove_fence(self.raw)
                self._put_triggers_back()
                drop_collections(sqlite_executor(self.raw))
                for name in self.made:
                    self.raw.execute(f"DROP TABLE IF EXISTS {quote(name)}")
                for name in self.filled:
                    self.raw.execute(f"DELETE FROM {quote(name)}")
                forget_sqlite(self.raw)
            else:
                write_sqlite(self.raw, before)

    # -- rows ------------------------------------------------------------------------------------------------------

    def _insert(self, table: Moved, rows: Sequence[tuple[Any, ...]]) -> None:
        names = ", ".join(quote(name) for name in table.match.sqlite_columns)
        marks = ", ".join("?" * len(table.match.columns))
        try:
            self.raw.executemany(f"INSERT INTO {quote(table.plan.target)} ({names}) VALUES ({marks})", rows)
        except sqlite3.IntegrityError as error:
            raise SwitchAborted(f"the target cannot hold a row of {table.plan.name}: {error}") from error

    def _delete(self, table: Moved, keys: Sequence[tuple[Any, ...]]) -> None:
        same = " AND ".join(f"{quote(column.sqlite)} = ?" for column in table.key_columns)
        self.raw.executemany(f"DELETE FROM {quote(table.plan.target)} WHERE {same}", keys)

    def fill(self, table: Moved, chunks: Iterator[list[tuple[Any, ...]]], tell: Callable[[int], None]) -> int:
        """Insert all rows of a table; how many there were."""
        count = 0
        for rows in chunks:
            with self.writing():
                self._insert(table, rows)
            count += len(rows)
            tell(count)
        return count

    def replace(self, table: Moved, rows: list[tuple[Any, ...]]) -> None:
        """Put rows in the place of those with their keys."""
        if rows:
            with self.writing():
                self._delete(table, [tuple(row[place] for place in table.key_places) for row in rows])
                self._insert(table, rows)

    def apply(self, changed: Changed, portions: Iterable[Portion]) -> int:
        """Make of a table what changed what it is in the source; how much that was.

        A transaction is open, with the fence open.
        """
        table, count = changed.table, 0
        if changed.emptied:
            self.raw.execute(f"DELETE FROM {quote(table.plan.target)}")
        # Where a new row may collide with an old one that goes in a later portion, it waits for that.
        waiting: dict[tuple[Any, ...], tuple[Any, ...]] | None = None if self._is_plain(table) else {}
        for keys, rows in portions:
            count += max(len(keys), len(rows))
            if waiting is None:
                self._delete(table, keys)
                self._insert(table, rows)
            else:
                by_key = {tuple(row[place] for place in table.key_places): row for row in rows}
                self._delete(table, list(dict.fromkeys([*keys, *by_key])))
                waiting |= by_key
        if waiting:
            self._insert(table, list(waiting.values()))
        return count

    def _is_plain(self, table: Moved) -> bool:
        """Whether rows can only collide with those of the same key, of which there is one spelling."""
        return not any(unique_keys(self.raw, table.plan.target)) and all(
            column.type in _WHOLE for column in table.key_columns
        )

    def finish(self, record: Record, identities: dict[str, int]) -> None:
        """Counters, triggers and the record, in the transaction that is open; the fence stays until `arrive`."""
        for table in self.plan.tables:
            number = identities.get(table.target)
            if number is not None and "AUTOINCREMENT" in (table.create_sql or "").upper():
                self.raw.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table.target,))
                self.raw.execute(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.target, number - 1)
                )
        self._put_triggers_back()
        write_sqlite(self.raw, record)

    def to_be_captured(self, old: Target) -> list[CapturedTable]:
        """The tables as a move back to `old` will number and capture them."""
        plan = TransferPlan(direction="sqlite-postgresql", source="", target="")
        plan_from_sqlite([self.raw], old, plan, tables=None, profile=False, encoding=None, progress=None)
        return [table.captured for table in moved_tables(self.raw, plan)]

    def capture(self, tables: Sequence[CapturedTable], others: Sequence[Captured]) -> None:
        """Begin to note changes for the way back, in the transaction that is open."""
        install_capture(self.raw, [*tables, *numbered(others, len(tables))])

    def _put_triggers_back(self) -> None:
        if self.raw.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_SAVED,)).fetchone() is None:
            return
        for (sql,) in self.raw.execute(f"SELECT sql FROM {_SAVED}").fetchall():
            self.raw.execute(sql)
        self.raw.execute(f"DROP TABLE {_SAVED}")

    def arrive(self, record: Record) -> None:
        """After the decision: say that this is the home, and let everybody write."""
        self.raw.execute("BEGIN IMMEDIATE")
        try:
            remove_fence(self.raw)
            write_sqlite(self.raw, record)
            self.raw.execute("COMMIT")
        except BaseException:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
            raise
