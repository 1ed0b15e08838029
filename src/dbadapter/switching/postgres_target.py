"""The Postgres database that data are moved to: made ready, filled, kept up to date, and made the home."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .._core.switching import Record
from .._dialects import POSTGRESQL, beside_parameters
from ..errors import SwitchAborted
from ..transfer import conversions as c
from ..transfer._bookkeeping import ORIGINALS, REJECTS, TABLES, SetAside, create_statements, key_text
from ..transfer._endpoints import settings
from ..transfer._load_postgres import copy_set_aside
from ..transfer._make_postgres import attempt, create_tables, finish_table
from ..transfer._postgres_ddl import add_foreign_key, add_primary_key, foreign_key_name, set_identity
from ..transfer.plan import TransferPlan, table_to_dict
from . import postgres_refill as refill
from .collections import Captured
from .postgres_between import between
from .postgres_capture import install_log, install_triggers, remove_capture
from .postgres_fence import open_fence, pass_fence, remove_fence
from .records import forget_postgres, write_postgres
from .sqlite_source import Moved

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresTarget"]

quote = POSTGRESQL.quote


@define
class PostgresTarget:
    """The mover's view of the target."""

    raw: psycopg.Connection[Any]
    plan: TransferPlan
    tables: Sequence[Moved]
    made: list[str] = field(factory=list)
    filled: list[str] = field(factory=list)
    checks: list[str] = field(factory=list)
    _originals: bool = False
    _keys_aside: list[tuple[str, str, str]] = field(factory=list)

    # -- making ----------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction in which the fence, if there is one, lets us through."""
        with self.raw.transaction():
            settings(self.raw)
            pass_fence(self.raw)
            yield

    def _between(self, act: Callable[[], None]) -> None:
        """The same for what takes the locks of tables that someone may be reading still, who was here before."""

        def within() -> None:
            settings(self.raw)
            pass_fence(self.raw)
            act()

        between(self.raw, within, "a transaction that uses the target's tables")

    def missing(self, present: Iterable[str]) -> tuple[str, ...]:
        """The tables that `make` will make."""
        there = set(present)
        return tuple(table.target for table in self.plan.tables if table.target not in there)

    def make(self, record: Record, present: Iterable[str]) -> None:
        """Make the tables that are missing and empty those of the plan that are there."""
        self.made = list(self.missing(present))
        self.filled = [table.target for table in self.plan.tables if table.target not in self.made]
        self._between(partial(self._make, record))

    def _make(self, record: Record) -> None:
        if self.filled:
            remove_capture(self.raw)
            refill.set_aside(self.raw, self.filled)
            self.raw.execute(f"TRUNCATE {', '.join(map(quote, self.filled))}".encode())
        if dropped := create_tables(self.raw, self.plan):
            raise SwitchAborted(
                f"the target cannot have {dropped[0].kind} {dropped[0].name}: {dropped[0].reason}"
            )
        for statement in create_statements("postgresql"):
            self.raw.execute(statement.encode())
        names = [table.target for table in self.plan.tables]
        for kept in (TABLES, REJECTS, ORIGINALS):
            self.raw.execute(f"DELETE FROM {kept} WHERE tbl = ANY(%s)".encode(), (names,))
        for table in self.plan.tables:
            text = json.dumps(table_to_dict(table), ensure_ascii=False)
            self.raw.execute(
                f"INSERT INTO {TABLES} VALUES (%s, 'done', NULL, 0, %s)".encode(), (table.target, text)
            )
        write_postgres(self.raw, record)

    def attach(self) -> None:
        """Take up tables that have the rows already, behind the fence; what would be in the way is set aside."""
        if strange := [table.target for table in self.plan.tables if not table.existing]:
            raise SwitchAborted(f"the old database's tables are not those of the file: {', '.join(strange)}")
        self.filled = [table.target for table in self.plan.tables]
        self._originals = True

        def set_aside() -> None:
            for statement in create_statements("postgresql"):
                self.raw.execute(statement.encode())
            refill.set_aside(self.raw, self.filled)

        self._between(set_aside)

    def release(self, before: Record | None) -> None:
        """Undo `attach`: the tables keep their rows and get back what was set aside; the fence stays closed."""

        def put_back() -> None:
            for step in (refill.INDEXES, refill.LAST):
                refill.put_back(self.raw, step)
            if before is not None:
                write_postgres(self.raw, before)

        self._between(put_back)

    def discard(self, before: Record | None) -> None:
        """Take away what this switch made, and leave the tables that were there empty and whole."""
        self._between(partial(self._discard, before))

    def _discard(self, before: Record | None) -> None:
        drop = [table for table in self.plan.tables if table.target in self.made]
        if drop:
            self.raw.execute(f"DROP TABLE IF EXISTS {', '.join(quote(t.target) for t in drop)}".encode())
        for name in self.plan.enums:
            attempt(self.raw, f"DROP TYPE IF EXISTS {quote(name)} RESTRICT")
        if self.filled:
            self.raw.execute(f"TRUNCATE {', '.join(map(quote, self.filled))}".encode())
            for step in (refill.INDEXES, refill.LAST):
                refill.put_back(self.raw, step)
        self.raw.execute(f"DELETE FROM {TABLES} WHERE tbl = ANY(%s)".encode(), (self.made,))
        if before is None:
            forget_postgres(self.raw)
        else:
            write_postgres(self.raw, before)

    # -- rows ------------------------------------------------------------------------------------------------------

    def fill(self, table: Moved, chunks: Iterable[list[tuple[Any, ...]]], tell: Any) -> int:
        """Copy all rows of a table; how many there were."""
        rows, aside = 0, []
        with self.writing():
            with self.raw.cursor() as cursor, cursor.copy(self._copy(table)) as copy:
                for chunk in chunks:
                    encoded = table.encoder.encode(chunk)
                    self._refuse(encoded.set_aside)
                    aside += encoded.set_aside
                    copy.write(encoded.data)
                    rows += len(chunk)
                    tell(rows)
            self._keep(aside)
        if (
            table.plan.primary_key
            and table.plan.target in self.made
            and (problem := attempt(self.raw, add_primary_key(table.plan)))
        ):
            raise SwitchAborted(f"the target cannot have the primary key of {table.plan.name}: {problem}")
        return rows

    @staticmethod
    def _copy(table: Moved) -> bytes:
        names = ", ".join(quote(column.target) for column in table.plan.copied)
        return f"COPY {quote(table.plan.target)} ({names}) FROM STDIN".encode()

    @staticmethod
    def _refuse(aside: Sequence[SetAside]) -> None:
        for found in aside:
            if found.reason is not None:
                raise SwitchAborted(
                    f"the target cannot hold a value written during the switch: {found.table} {found.key}, "
                    f"column {found.column}: {found.reason}"
                )

    def _keep(self, aside: Sequence[SetAside]) -> None:
        if aside:
            self._originals = True
            copy_set_aside(self.raw, aside)

    def apply(self, table: Moved, keys: Sequence[tuple[Any, ...]], rows: list[tuple[Any, ...]]) -> None:
        """Make the rows with `keys` what they are in the source, `rows`; a transaction is open."""
        places = table.key_places
        # A column's collation may find rows under a key that is spelled otherwise: those go too, to come back.
        every = list({*keys, *(tuple(row[place] for place in places) for row in rows)})
        self._delete(table, every)
        if rows:
            encoded = table.encoder.encode(rows)
            self._refuse(encoded.set_aside)
            with self.raw.cursor() as cursor, cursor.copy(self._copy(table)) as copy:
                copy.write(encoded.data)
            self._keep(encoded.set_aside)

    def _delete(self, table: Moved, keys: Sequence[tuple[Any, ...]]) -> None:
        columns = [table.plan.column(name) for name in table.captured.key]
        converters = [c.load(column.conversion) for column in columns]
        texts: list[list[str]] = [[] for _ in columns]
        for key in keys:
            try:
                found = [converter.one(value)[0] for converter, value in zip(converters, key, strict=True)]
            except (c.Refused, TypeError, AttributeError):
                continue  # no row of the target has a key that the target cannot hold
            for column_texts, text in zip(texts, found, strict=True):
                column_texts.append(text)
        if not texts[0]:
            return
        names = ", ".join(f"k{place}" for place in range(len(columns)))
        same = " AND ".join(
            f"t.{quote(column.target)} = k.k{place}::{column.type}" for place, column in enumerate(columns)
        )
        arrays = ", ".join(["%s::text[]"] * len(columns))
        query = (
            f"DELETE FROM {beside_parameters(quote(table.plan.target))} t "
            f"USING unnest({arrays}) AS k({names}) WHERE {beside_parameters(same)}"
        )
        self.raw.execute(query.encode(), texts)
        if self._originals:
            self.raw.execute(
                f"DELETE FROM {ORIGINALS} WHERE tbl = %s AND key = ANY(%s)".encode(),
                (table.plan.target, [key_text(key) for key in keys]),
            )

    # -- what comes after the rows ---------------------------------------------------------------------------------

    def index(self) -> None:
        """Indexes and checks, once the rows are those of one moment."""
        for table in self.plan.tables:
            if table.target not in self.made:
                continue
            for dropped in finish_table(self.raw, table):
                if dropped.kind in ("primary key", "unique constraint") or "UNIQUE" in dropped.sql:
                    raise SwitchAborted(
                        f"the target cannot have the {dropped.kind} {dropped.name} of {table.name}: {dropped.reason}"
                    )
        if self.filled:
            with self.raw.transaction():
                refill.put_back(self.raw, refill.INDEXES)
        for table in self.plan.tables:
            self.raw.execute(f"ANALYZE {quote(table.target)}".encode())

    def set_keys_aside(self, tables: Sequence[str]) -> None:
        """Take the foreign keys off tables that were just made: rows are deleted and written anew until `finish`."""
        row = self.raw.execute(
            "SELECT array_agg(quote_ident(n)) FROM unnest(%s::text[]) n", (list(tables),)
        ).fetchone()
        names = row[0] if row and row[0] else []
        found = self.raw.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'f' AND conrelid = ANY(%s::regclass[])",
            (names,),
        ).fetchall()
        for table, name, definition in found:
            self.raw.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
            self._keys_aside.append((table, name, definition))

    def finish(self, record: Record, identities: dict[str, int]) -> None:
        """Counters, foreign keys, triggers and the record; a transaction is open. Keys are checked in `check`."""
        for table in self.plan.tables:
            if table.name in identities:
                table.next_identity = identities[table.name]
                if statement := set_identity(table):
                    self.raw.execute(statement.encode())
            for key in () if table.target not in self.made else table.foreign_keys:
                name = foreign_key_name(table, key)
                self.raw.execute(add_foreign_key(table, key).encode())
                self.checks.append(f"ALTER TABLE {quote(table.target)} VALIDATE CONSTRAINT {quote(name)}")
        for name, key_name, definition in self._keys_aside:
            self.raw.execute(f"ALTER TABLE {name} ADD CONSTRAINT {key_name} {definition} NOT VALID".encode())
            self.checks.append(f"ALTER TABLE {name} VALIDATE CONSTRAINT {key_name}")
        if self.filled:
            self.checks += refill.put_back(self.raw, refill.LAST)
        write_postgres(self.raw, record)

    def capture(self, others: Sequence[Captured]) -> None:
        """Begin to note changes for the way back, those of `others` too; a transaction is open."""
        remove_capture(self.raw)
        install_log(self.raw)
        for number, table in enumerate(sorted(self.plan.tables, key=lambda table: table.target)):
            names = [column.target for column in table.columns if column.name in table.key]
            install_triggers(self.raw, number, table.target, names)
        for number, other in enumerate(others, len(self.plan.tables)):
            install_triggers(self.raw, number, other.table, [other.key])

    def arrive(self, record: Record) -> None:
        """After the decision: say that this is the home, and let everybody write.

        The record first, as whoever follows does it too: that way one of them waits for the other.
        """
        with self.raw.transaction():
            write_postgres(self.raw, record)
            open_fence(self.raw)

    def check(self) -> list[str]:
        """Check the foreign keys over all rows while the app works; those that do not hold stay NOT VALID."""
        return [problem for statement in self.checks if (problem := attempt(self.raw, statement))]

    def remove_fence(self) -> None:
        """Take away what is left of the fence of an earlier switch, as the app works; what cannot be stays, open."""
        with suppress(SwitchAborted):
            remove_fence(self.raw)
