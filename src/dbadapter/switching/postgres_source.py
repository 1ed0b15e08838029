"""The Postgres database that data are moved from: rows as SQLite's values, and the rows that changed since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from .._core.switching import GATE, Record
from .._dialects import POSTGRESQL
from ..errors import SwitchAborted
from ..transfer._bookkeeping import ORIGINALS, key_text
from ..transfer._digest import Match
from ..transfer._endpoints import settings
from ..transfer._load_sqlite import postgres_batches, postgres_rows_at
from ..transfer._matches import match_of
from ..transfer._overlay import _entries, _restore, has_bookkeeping, postgres_overlay
from ..transfer._plan_postgres import _next_identity
from ..transfer._postgres_catalog import read_tables
from ..transfer._values import Foreign, RawText, from_tag
from ..transfer.plan import TablePlan, TransferPlan
from .collections import Captured
from .postgres_capture import install_log, install_triggers, remove_capture, take_changes
from .records import forget_postgres, write_postgres

if TYPE_CHECKING:
    import psycopg

__all__ = ["Changed", "Changes", "Moved", "PostgresSource", "moved_tables"]

quote = POSTGRESQL.quote

_SHAPE = """
SELECT md5(string_agg(concat_ws(' ', c.oid, c.relfilenode > 0, a.attname, a.atttypid, a.atttypmod, a.attnotnull),
    ',' ORDER BY c.oid, a.attnum))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    AND (NOT starts_with(c.relname, '_dbadapter_') OR c.relname = '_dbadapter_collections')
"""
_LOCK_TIMEOUT = "10s"
_LOCK_NOT_AVAILABLE = "55P03"


@frozen
class Moved:
    """A table on its way."""

    number: int
    plan: TablePlan
    match: Match

    @property
    def key_columns(self) -> list[Any]:
        """The key as the match has it: (name in SQLite, name in Postgres, conversion, type), in the plan's order."""
        return [next(column for column in self.match.columns if column[1] == name) for name in self.plan.key]

    @property
    def key_places(self) -> list[int]:
        """Where the key stands in a row."""
        names = [column[1] for column in self.match.columns]
        return [names.index(name) for name in self.plan.key]


@define
class Changed:
    """What a round has to do to one table; `rows` of a table that was emptied are all of its rows."""

    table: Moved
    keys: list[tuple[Any, ...]] = field(factory=list)
    rows: list[tuple[Any, ...]] = field(factory=list)
    emptied: bool = False


@frozen
class Changes:
    """What a round has to do: `rows` of the tables, and what was noted of the others, as (number, key)."""

    rows: list[Changed]
    others: list[tuple[int, str | None]]

    @property
    def size(self) -> int:
        """How many rows that concerns."""
        return sum(max(len(each.keys), len(each.rows)) for each in self.rows) + len(self.others)


def moved_tables(plan: TransferPlan) -> list[Moved]:
    """The tables of a plan, each with a key."""
    return [
        Moved(number, table, match_of(table, "postgresql-sqlite"))
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
        with self.raw.transaction():
            remove_capture(self.raw)
            install_log(self.raw)
            self._open_gate(record)
        for table in self.tables:
            # One by one: two tables' locks at a time could be taken crosswise by one who writes to both.
            self._capture(table.number, table.plan.name, table.plan.key)
        for number, other in enumerate(self.others, len(self.tables)):
            self._capture(number, other.table, [other.key])
        if self.shape() != planned_for:
            raise SwitchAborted("tables were changed while the switch was being planned; try again")
        self.known_shape = planned_for
        self._with_originals = self._find_originals()

    def _capture(self, number: int, table: str, key: Sequence[str]) -> None:
        try:
            with self.raw.transaction():
                self.raw.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'".encode())
                install_triggers(self.raw, number, table, key)
        except Exception as error:
            if getattr(error, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            raise SwitchAborted(
                f"a transaction that writes to {table} has not ended for {_LOCK_TIMEOUT}"
            ) from error

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

    def close_gate(self) -> None:
        """Wait for the writing transactions under way; from now on new ones wait, until this one ends."""
        self.raw.execute(f"DROP TABLE {GATE}".encode())

    def remove(self, before: Record | None) -> None:
        """Leave nothing behind, and the record as it was."""
        if self.raw.info.transaction_status:
            self.raw.rollback()
        with self.raw.transaction():
            remove_capture(self.raw)
            self.raw.execute(f"DROP TABLE IF EXISTS {GATE}".encode())
            if before is None:
                forget_postgres(self.raw)
            else:
                write_postgres(self.raw, before)

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

    def chunks(self, table: Moved) -> Iterator[list[tuple[Any, ...]]]:
        """All rows of a table."""
        for rows, foreign in postgres_batches(self.raw, table.plan, None, None):
            _refuse(table, foreign)
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

    def changes(self) -> Changes:
        """Take the changes out of the log, with the rows as they are now."""
        found: dict[int, Changed] = {}
        keys: dict[int, list[list[str]]] = {}
        others = []
        for number, key in take_changes(self.raw):
            if number >= len(self.tables):
                others.append((number, key[0] if key else None))
                continue
            changed = found.setdefault(number, Changed(self.tables[number]))
            if key is None:
                changed.emptied = True
            else:
                keys.setdefault(number, []).append(key)
        for number, changed in found.items():
            if changed.emptied:
                changed.rows = [row for rows in self.chunks(changed.table) for row in rows]
                self._respell(changed)
            else:
                self._look_up(changed, keys[number])
        return Changes(list(found.values()), others)

    def _look_up(self, changed: Changed, keys: list[list[str]]) -> None:
        table = changed.table
        columns = table.key_columns
        arrays = ", ".join(["%s::text[]"] * len(columns))
        names = ", ".join(f"k{place}" for place in range(len(columns)))
        values = [list(texts) for texts in zip(*keys, strict=True)]
        typed = ", ".join(
            f"k.k{place}::{column[3]} AS {quote(column[1])}" for place, column in enumerate(columns)
        )
        tags = ", ".join(column[2].tag_sql(f"t.{quote(column[1])}") for column in columns)
        unnested = f"(SELECT {typed} FROM unnest({arrays}) AS k({names})) t"
        for (found,) in self.raw.execute(f"SELECT ARRAY[{tags}] FROM {unnested}".encode(), values).fetchall():
            changed.keys.append(tuple(from_tag(tag) for tag in found))
        found, foreign = postgres_rows_at(self.raw, table.plan, values, [column[3] for column in columns])
        _refuse(table, foreign)
        changed.rows += found
        self._respell(changed)

    def _respell(self, changed: Changed) -> None:
        """Give rows that were not really changed their original spelling back."""
        if changed.table.plan.name not in self._with_originals or not changed.rows:
            return
        table = changed.table
        places = table.match.key_places
        by_key = {
            key_text([row[place] for place in places]): number for number, row in enumerate(changed.rows)
        }
        kept = f"SELECT key, col, storage_class, raw, 0 FROM {ORIGINALS} WHERE tbl = %s AND key = ANY(%s)"
        cursor = self.raw.execute(f"{kept} ORDER BY 1".encode(), (table.plan.name, list(by_key)))
        entries = list(_entries(iter(cursor)))
        for restored in _restore(self.raw, table.match, entries) if entries else ():
            if restored.whole is not None and restored.now is not None:
                changed.rows[by_key[restored.key]] = self._row(table, restored.whole)

    def identities(self) -> dict[str, int]:
        """For each table with an identity what it would count up from."""
        found = read_tables(self.raw)
        numbers = {
            table.plan.target: _next_identity(self.raw, found[table.plan.name]) for table in self.tables
        }
        return {name: number for name, number in numbers.items() if number is not None}


def _refuse(table: Moved, foreign: Sequence[tuple[int, dict[int, str]]]) -> None:
    """Raise `SwitchAborted` for what SQLite cannot hold, as `postgres_batches` tells of it."""
    if foreign:
        place, text = next(iter(foreign[0][1].items()))
        raise SwitchAborted(f"SQLite cannot hold {text} in {table.plan.name}.{table.plan.copied[place].name}")
