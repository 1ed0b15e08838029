"""The Postgres database that data are moved from: rows as SQLite's values, and the rows that changed since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from attrs import define, frozen

from .._core.switching import GATE, Record
from .._dialects import POSTGRESQL
from ..errors import SwitchAborted
from ..transfer._bookkeeping import ORIGINALS, key_text
from ..transfer._endpoints import settings
from ..transfer._overlay import entries_of, has_bookkeeping, postgres_overlay, restore
from ..transfer._pairs import ColumnPair, TablePair, pair_of
from ..transfer._plan_postgres import next_identity
from ..transfer._postgres_catalog import read_tables
from ..transfer._read_postgres import Refusals, postgres_batches, postgres_changes
from ..transfer._values import Foreign, RawText
from ..transfer.plan import TablePlan, TransferPlan
from .collections import Captured
from .postgres_between import LOCK_TIMEOUT, between, call_vacuum_off, is_lock_timeout
from .postgres_capture import (
    count_changes,
    empty_log,
    functions,
    install_log,
    install_triggers,
    log_columns,
    log_of,
    remove_capture,
    remove_triggers,
    take_truncations,
)
from .records import forget_postgres, read_postgres, write_postgres

if TYPE_CHECKING:
    import psycopg

__all__ = ["Changed", "Changes", "Moved", "Portion", "PostgresSource", "moved_tables"]

Portion = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]
"""Keys of rows that were changed, and those of the rows that are there; or rows alone, of a table that was emptied."""

quote = POSTGRESQL.quote

_SHAPE = """
SELECT md5(string_agg(concat_ws(' ', c.oid, c.relfilenode > 0, a.attname, a.atttypid, a.atttypmod, a.attnotnull),
    ',' ORDER BY c.oid, a.attnum))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    AND (NOT starts_with(c.relname, '_dbadapter_') OR c.relname = '_dbadapter_collections')
"""
_LONG, _REST = 0.1, 0.02  # seconds


@frozen
class Moved:
    """A table on its way."""

    number: int
    plan: TablePlan
    match: TablePair

    @property
    def key_columns(self) -> list[ColumnPair]:
        """The key's columns, in the plan's order."""
        return [
            next(column for column in self.match.columns if column.postgres == name) for name in self.plan.key
        ]

    @property
    def key_places(self) -> list[int]:
        """Where the key stands in a row."""
        names = [column.postgres for column in self.match.columns]
        return [names.index(name) for name in self.plan.key]


@frozen
class Changed:
    """A table of which something was noted, so many times; if it was `emptied`, it is to be copied anew."""

    table: Moved
    noted: int
    emptied: bool


@frozen
class Changes:
    """What a round has to do: the tables, and the numbers of the others with whether they were emptied."""

    tables: list[Changed]
    others: list[tuple[int, bool]]

    def __bool__(self) -> bool:
        return bool(self.tables or self.others)


def moved_tables(plan: TransferPlan) -> list[Moved]:
    """The tables of a plan, each with a key."""
    return [
        Moved(number, table, pair_of(table, "postgresql-sqlite"))
        for number, table in enumerate(sorted(plan.tables, key=lambda table: table.name))
    ]


@define
class PostgresSource:
    """The mover's view of the source.

    `others` are tables whose changes are noted, numbered after the `tables`, but not carried over as rows.
    """

    raw: psycopg.Connection[Any]
    tables: Sequence[Moved] = ()
    others: Sequence[Captured] = ()
    known_shape: str = ""
    _with_originals: frozenset[str] = frozenset()

    def shape(self) -> str:
        """What every change of a table's definition changes."""
        row = self.raw.execute(_SHAPE.encode()).fetchone()
        return str(row[0]) if row else ""

    def install(self, record: Record, planned_for: str) -> None:
        """Begin to note changes, and say in the record that a switch is under way."""
        self._remove_triggers()
        with self.raw.transaction():
            remove_capture(self.raw)
            install_log(self.raw)
            self._open_gate(record)
        for table in self.tables:
            self._capture(table.number, table.plan.name, table.plan.key)
        for number, other in enumerate(self.others, len(self.tables)):
            self._capture(number, other.table, [other.key])
        if self.shape() != planned_for:
            raise SwitchAborted("tables were changed while the switch was being planned; try again")
        self.known_shape = planned_for
        self._with_originals = self._find_originals()

    def _capture(self, number: int, table: str, key: Sequence[str]) -> None:
        install = partial(install_triggers, self.raw, number, table, key)
        between(self.raw, install, f"a transaction that writes to {table}", quote(table))

    def keep_vacuum_away(self, tables: Sequence[str]) -> bool:
        """Begin a transaction in which no vacuum works on `tables`; False, and none is open, if that took long.

        The server calls off an automatic one, but only after a second in which somebody has waited for it.
        """
        begun = monotonic()
        # What commits while this waits for the gate is to be seen, whatever the database's default says.
        self.raw.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        settings(self.raw)
        if tables:
            call_vacuum_off(self.raw, ", ".join(map(quote, tables)))
        if monotonic() - begun < _LONG:
            return True
        self.raw.execute("ROLLBACK")
        return False

    def attach(self) -> None:
        """Go on with a capture that was installed when the data came here."""
        self.known_shape = self.shape()
        self._with_originals = self._find_originals()

    def _find_originals(self) -> frozenset[str]:
        """The tables with rows that came from SQLite in another spelling; here nobody adds to them."""
        if not has_bookkeeping(self.raw):
            return frozenset()
        rows = self.raw.execute(f"SELECT DISTINCT tbl FROM {ORIGINALS}".encode()).fetchall()
        return frozenset(name for (name,) in rows)

    def announce(self, record: Record) -> None:
        """Say in the record that a switch is under way."""
        with self.raw.transaction():
            self._open_gate(record)

    def _open_gate(self, record: Record) -> None:
        self.raw.execute(f"CREATE TABLE IF NOT EXISTS {GATE} ()".encode())
        self.raw.execute(f"GRANT INSERT ON {GATE} TO PUBLIC".encode())  # the right to lock it
        write_postgres(self.raw, record)

    def close_gate(self, tables: Sequence[str], patience: float) -> None:
        """Wait for the writing transactions under way; from now on new ones wait, until this transaction ends.

        A moment at a time, as long as `patience` (s) lasts: a long transaction is not to hold up all that come after
        it, nor one that takes the tables' locks in another order to be called a deadlock.
        """
        deadline = monotonic() + patience
        self.raw.execute("SAVEPOINT dbadapter_gate")
        while True:
            self.raw.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'".encode())
            try:
                self.raw.execute(f"DROP TABLE {GATE}".encode())
                if tables:
                    locked = ", ".join(map(quote, tables))
                    self.raw.execute(f"LOCK TABLE {locked} IN SHARE ROW EXCLUSIVE MODE".encode())
                return
            except Exception as error:
                if not is_lock_timeout(error) or monotonic() > deadline:
                    raise
            self.raw.execute("ROLLBACK TO SAVEPOINT dbadapter_gate")
            sleep(_REST)

    def forget(self) -> None:
        """Note no changes any more, and leave nothing of the notes."""
        self._remove_triggers()
        between(self.raw, partial(remove_capture, self.raw), "a transaction that writes")

    def remove(self, before: Record | None, *, keep_noting: bool = False) -> None:
        """Leave nothing behind, unless changes go on being noted, and the record as it was."""
        if self.raw.info.transaction_status:
            self.raw.rollback()
        if not keep_noting:
            self._remove_triggers()

        def remove() -> None:
            if (found := read_postgres(self.raw)) is not None and found.state == "away":
                return  # somebody has decided, whoever it was
            if not keep_noting:
                remove_capture(self.raw)
            self.raw.execute(f"DROP TABLE IF EXISTS {GATE}".encode())
            if before is None:
                forget_postgres(self.raw)
            else:
                write_postgres(self.raw, before)

        between(self.raw, remove, "a transaction that writes")

    def _remove_triggers(self) -> None:
        for function, table in functions(self.raw):
            remove = partial(remove_triggers, self.raw, function)
            between(self.raw, remove, f"a transaction that writes to {table}", table)

    def check_shape(self) -> None:
        """Raise `SwitchAborted` if tables were changed since the plan."""
        if self.shape() != self.known_shape:
            raise SwitchAborted("tables were created, altered or dropped during the switch; try again")

    # -- rows, in the transaction that is open -------------------------------------------------------------------------

    def begin_snapshot(self) -> None:
        """Begin a transaction that sees one moment."""
        self.raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        settings(self.raw)
        self.raw.execute("SET LOCAL row_security = off")
        # The app has work for the processors.
        self.raw.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        self.raw.execute("SET LOCAL cursor_tuple_fraction = 1")  # cursors are read to their end
        self.raw.execute("SET LOCAL random_page_cost = 0.1")  # what was just changed is in memory

    def chunks(self, table: Moved) -> Iterator[list[tuple[Any, ...]]]:
        """All rows of a table."""
        for rows, refused in postgres_batches(self.raw, table.plan, None, None):
            _refuse(table, refused)
            yield rows

    def originals(self, table: Moved) -> list[tuple[Any, ...]]:
        """The rows that came from SQLite in another spelling and were not changed since, as they were there."""
        if table.plan.name not in self._with_originals:
            return []
        return [
            self._row(table, restored.whole)
            for restored in postgres_overlay(self.raw, table.match)
            if restored.whole is not None and restored.now is not None and restored.whole != restored.now
        ]

    @staticmethod
    def _row(table: Moved, values: Sequence[Any]) -> tuple[Any, ...]:
        for value, column in zip(values, table.match.columns, strict=True):
            if isinstance(value, (Foreign, RawText)):
                raise SwitchAborted(f"SQLite cannot hold a value of {table.plan.name}.{column[1]}: {value}")
        return tuple(values)

    def changed(self) -> Changes:
        """Where something changed."""
        emptied, first = take_truncations(self.raw), len(self.tables)
        counts = count_changes(self.raw, range(first + len(self.others)))
        numbers = sorted(emptied | counts.keys())
        return Changes(
            [Changed(self.tables[n], counts.get(n, 0), n in emptied) for n in numbers if n < first],
            [(n, n in emptied) for n in numbers if n >= first],
        )

    def portions(self, changed: Changed) -> Iterator[Portion]:
        """What changed in a table as it is now, a little at a time, in the order of the key; the log is emptied."""
        table = changed.table
        log, names = log_of(table.number), log_columns(len(table.plan.key))
        if changed.emptied:
            for rows in self.chunks(table):
                yield [], self._respelled(table, rows)
        else:
            for keys, rows, refused in postgres_changes(self.raw, table.plan, log, names, changed.noted):
                _refuse(table, refused)
                yield keys, self._respelled(table, rows)
        # What the cursor read and what this deletes is the same: one transaction sees one moment.
        empty_log(self.raw, table.number)

    def other_changes(self, changes: Changes) -> list[tuple[int, Any]]:
        """What changed in the others, as (number, key), with None for a table that was emptied."""
        found: list[tuple[int, Any]] = []
        for number, emptied in changes.others:
            (name,) = log_columns(1)
            keys = self.raw.execute(f"SELECT DISTINCT {name} FROM {log_of(number)}".encode()).fetchall()
            found += [(number, None)] if emptied else [(number, key) for (key,) in keys]
            empty_log(self.raw, number)
        return found

    def _respelled(self, table: Moved, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Rows, and those that were not really changed in their original spelling."""
        if table.plan.name not in self._with_originals or not rows:
            return rows
        places = table.match.key_places
        by_key = {key_text([row[place] for place in places]): number for number, row in enumerate(rows)}
        kept = f"SELECT key, col, storage_class, raw, 0 FROM {ORIGINALS} WHERE tbl = %s AND key = ANY(%s)"
        cursor = self.raw.execute(f"{kept} ORDER BY 1".encode(), (table.plan.name, list(by_key)))
        entries = list(entries_of(iter(cursor)))
        for restored in restore(self.raw, table.match, entries) if entries else ():
            if restored.whole is not None and restored.now is not None:
                rows[by_key[restored.key]] = self._row(table, restored.whole)
        return rows

    def identities(self) -> dict[str, int]:
        """For each table with an identity what it would count up from."""
        found = read_tables(self.raw)
        numbers = {
            table.plan.target: next_identity(self.raw, found[table.plan.name]) for table in self.tables
        }
        return {name: number for name, number in numbers.items() if number is not None}


def _refuse(table: Moved, refused: Refusals) -> None:
    """Raise `SwitchAborted` for what SQLite cannot hold, as `postgres_batches` tells of it."""
    if refused:
        place, text = next(iter(refused[0][1].items()))
        raise SwitchAborted(f"SQLite cannot hold {text} in {table.plan.name}.{table.plan.copied[place].name}")
