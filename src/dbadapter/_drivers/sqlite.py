"""SQLite through the standard library's sqlite3: a connection's statements, and what is known of their results."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from time import perf_counter
from typing import Any, TypeVar

from .._core.parsing import parse
from .._core.rows import NO_COLUMNS, RowSet
from .._core.statement import Parameters, Statement
from .._dialects import SQLITE
from ..errors import DatabaseUnavailable
from ..types import Result
from .sqlite_catalog import SQLiteCatalog
from .sqlite_errors import translate
from .sqlite_link import FAILURES, SQLiteLink
from .sqlite_setup import set_up
from .values import SQLITE_ENCODERS, ValueRefused, encode

__all__ = ["SQLiteConnection", "connect"]

T = TypeVar("T")

_BATCHED = frozenset({"insert", "update", "delete", "replace"})  # what sqlite3's executemany takes


def connect(
    path: str,
    *,
    catalog: SQLiteCatalog,
    read_only: bool,
    busy_timeout: float,
    statement_timeout: float | None = None,
) -> SQLiteConnection:
    """Open a connection to the file at `path`, making it and its directory when missing.

    Raises `DatabaseUnavailable` saying what is wrong with the file.
    """
    try:
        if path != ":memory:" and (directory := os.path.dirname(path)):
            os.makedirs(directory, exist_ok=True)
        raw = sqlite3.connect(
            path, timeout=busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=512
        )
    except (OSError, *FAILURES) as exc:
        raise DatabaseUnavailable(f"cannot open the SQLite file {path}: {exc}") from exc
    try:
        has_log = set_up(raw, read_only=read_only, patience=busy_timeout)
    except FAILURES as exc:
        raw.close()
        raise DatabaseUnavailable(f"cannot use the SQLite file {path}: {translate(exc, None, None)}") from exc
    # With a write-ahead log, all that is ever waited for is the lock that writers take.
    patience = busy_timeout if has_log else 0.0
    return SQLiteConnection(
        raw, catalog, read_only=read_only, statement_timeout=statement_timeout, patience=patience
    )


class SQLiteConnection(SQLiteLink):
    """A connection in autocommit mode with its statements; used by one thread at a time."""

    __slots__ = ()

    def fetch(self, statement: Statement, params: Parameters, limit: int | None) -> RowSet:
        """The first `limit` rows (None: all) as tuples, and their columns."""
        text, values = statement.bind_plain(params)
        if self._timeout is not None:
            self._deadline[0] = perf_counter() + self._timeout
        try:
            cursor = self.raw.execute(text, encode(values, SQLITE_ENCODERS))
            if limit == 1:
                row = cursor.fetchone()
                rows = [] if row is None else [row]
            else:
                rows = cursor.fetchall()
            description = cursor.description
            if statement.writes:
                cursor.fetchall()  # a RETURNING statement does its work as it is read
        except (ValueRefused, *FAILURES) as exc:
            if self._has_to_wait(exc):
                return self._in_turn(lambda: self.fetch(statement, params, limit))
            raise self._error(exc, statement, params) from exc
        del cursor  # ends the read transaction of a statement that was not read to its end
        if description is None:
            return NO_COLUMNS, []
        catalog = self._catalog
        shape = catalog.shapes.known.get(text)
        if shape is None or self.held_since > catalog.recheck_at or shape.description != description:
            shape = catalog.shape(self, statement, text, description)
        if shape.echoes:
            shape = shape.of(values)
        return shape.columns, shape.decode(rows) if shape.decoders else rows

    def execute(self, statement: Statement, params: Parameters) -> Result:
        """Run a statement for its effect."""
        text, values = statement.bind_plain(params)
        if self._timeout is not None:
            self._deadline[0] = perf_counter() + self._timeout
        try:
            key = self._catalog.integer_key(self, statement.table) if statement.inserts_values else None
            # What lastrowid tells is the key only if that is the rowid, and if a row was inserted, not updated.
            asks = key is not None and statement.returning < 0 and (statement.upserts or not key[1])
            if key is not None and asks:
                text = f"{text}\nRETURNING {SQLITE.quote(key[0])}"
            cursor = self.raw.execute(text, encode(values, SQLITE_ENCODERS))
            rows = [] if cursor.description is None else cursor.fetchall()
            rowcount = cursor.rowcount if cursor.description is None else len(rows)
            if rowcount < 0 and statement.verb == "with":
                # sqlite3 counts only what begins with INSERT and the like.
                rowcount = self.raw.execute("SELECT changes()").fetchone()[0]
            if statement.changes_schema:
                self._catalog.clear()
            last_id = None
            if key is not None and rowcount > 0:
                if cursor.description is None:
                    last_id = cursor.lastrowid if key[1] else None
                else:
                    names, name = [column[0].lower() for column in cursor.description], key[0].lower()
                    last_id = rows[-1][names.index(name)] if name in names else None
        except (ValueRefused, *FAILURES) as exc:
            if self._has_to_wait(exc):
                return self._in_turn(lambda: self.execute(statement, params))
            raise self._error(exc, statement, params) from exc
        return Result(rowcount=rowcount, last_id=last_id)

    def execute_many(self, statement: Statement, rows: Iterable[Parameters]) -> int:
        """Run a statement once for each row, all or nothing; the number of rows affected."""
        rows, current = self._until_stopped(rows), None

        def bound() -> Iterator[Sequence[Any]]:
            nonlocal current
            for current in rows:
                yield encode(statement.bind_plain(current)[1], SQLITE_ENCODERS)

        try:
            with self._atomically():
                if statement.plain is None or statement.returning >= 0 or statement.verb not in _BATCHED:
                    return sum(max(self.execute(statement, row).rowcount, 0) for row in rows)
                return max(self.raw.executemany(statement.plain, bound()).rowcount, 0)
        except (ValueRefused, *FAILURES) as exc:
            raise self._error(exc, statement, current) from exc

    def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]], on_conflict: str | None
    ) -> int:
        """Insert rows in bulk, all or nothing; the number of rows affected."""
        sql = self._catalog.bulk_insert(self.raw, table, columns, on_conflict)
        current: tuple[Any, ...] = ()

        def encoded() -> Iterator[Sequence[Any]]:
            nonlocal current
            for current in self._until_stopped(rows):
                yield encode(current, SQLITE_ENCODERS)

        try:
            with self._atomically():
                return max(self.raw.executemany(sql, encoded()).rowcount, 0)
        except (ValueRefused, *FAILURES) as exc:
            if isinstance(exc, (ValueRefused, OverflowError)):
                raise self._error(exc, parse(sql), dict(zip(columns, current, strict=False))) from exc
            raise self._error(exc, parse(sql), current) from exc

    def _until_stopped(self, rows: Iterable[T]) -> Iterator[T]:
        """`rows`, until the batch is to stop: SQLite interrupts a statement, and between two of them there is none."""
        for row in rows:
            if self.is_stopped:
                raise sqlite3.OperationalError("interrupted")
            yield row

    @contextmanager
    def _atomically(self) -> Iterator[None]:
        """A transaction of its own, or a savepoint in the one that is open already."""
        if self.raw.in_transaction:
            self.run("SAVEPOINT dbadapter_batch")
            try:
                yield
            except BaseException:
                if self.raw.in_transaction:  # SQLite ends it by itself when the disk is full
                    self.run("ROLLBACK TO SAVEPOINT dbadapter_batch")
                    self.run("RELEASE SAVEPOINT dbadapter_batch")
                raise
            self.run("RELEASE SAVEPOINT dbadapter_batch")
            return
        self.begin()
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def stream(
        self, statement: Statement, params: Parameters, batch_size: int
    ) -> Generator[RowSet, None, None]:
        """The rows in batches of `batch_size`, read as they are asked for."""
        text, values = statement.bind_plain(params)
        try:
            self._deadline[0] = perf_counter() + (self._timeout or 0)
            with closing(self._opened(text, encode(values, SQLITE_ENCODERS))) as cursor:
                rows = cursor.fetchmany(batch_size)
                if cursor.description is None:
                    return
                shape = self._catalog.shape(self, statement, text, cursor.description).of(values)
                while rows:
                    yield shape.columns, shape.decode(rows) if shape.decoders else rows
                    self._deadline[0] = perf_counter() + (self._timeout or 0)
                    rows = cursor.fetchmany(batch_size)
        except (ValueRefused, *FAILURES) as exc:
            raise self._error(exc, statement, params) from exc

    def _opened(self, text: str, values: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self.raw.execute(text, values)
        except FAILURES as exc:
            if not self._has_to_wait(exc):
                raise
            return self._in_turn(lambda: self.raw.execute(text, values))

    def columns_of(self, table: str) -> list[str]:
        """The names of a table's columns that can be written, in order."""
        return self._catalog.columns_of(self.raw, table)
