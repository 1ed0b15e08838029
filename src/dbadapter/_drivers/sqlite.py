"""SQLite through the standard library's sqlite3: one connection, its statements, and what is known of their results."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from time import perf_counter
from typing import Any, TypeVar

from .._concurrency._fork import Gone, abandon
from .._core.consistency import SQLITE_TOKEN
from .._core.parsing import parse
from .._core.rows import NO_COLUMNS, Columns
from .._core.statement import Parameters, Statement
from .._dialects import SQLITE
from ..errors import DatabaseAdapterError, DatabaseBusy, DatabaseUnavailable
from ..types import Result
from .sqlite_catalog import SQLiteCatalog
from .sqlite_constraints import Trial
from .sqlite_errors import translate
from .sqlite_setup import set_up
from .sqlite_turns import is_taken, turns
from .values import POSTGRES_ENCODERS, SQLITE_ENCODERS, ValueRefused, encode, refusal

__all__ = ["SQLiteConnection", "connect"]

T = TypeVar("T")

_FAILURES = (sqlite3.Error, sqlite3.Warning, OverflowError)
_BATCHED = frozenset({"insert", "update", "delete", "replace"})  # what sqlite3's executemany takes
_DIAGNOSIS_SECONDS = 0.5
_NO_WAITING = "PRAGMA busy_timeout = 0"
_STEPS_BETWEEN_CLOCK_CHECKS = 10_000  # virtual machine instructions; about 0.1 ms


def connect(
    path: str,
    *,
    catalog: SQLiteCatalog,
    read_only: bool,
    busy_timeout: float,
    statement_timeout: float | None = None,
    synchronous: str = "full",
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
    except (OSError, *_FAILURES) as exc:
        raise DatabaseUnavailable(f"cannot open the SQLite file {path}: {exc}") from exc
    try:
        has_log = set_up(raw, read_only=read_only, synchronous=synchronous, patience=busy_timeout)
    except _FAILURES as exc:
        raw.close()
        raise DatabaseUnavailable(f"cannot use the SQLite file {path}: {translate(exc, None, None)}") from exc
    # With a write-ahead log, all that is ever waited for is the lock that writers take.
    patience = busy_timeout if has_log else 0.0
    return SQLiteConnection(
        raw, catalog, read_only=read_only, statement_timeout=statement_timeout, patience=patience
    )


class SQLiteConnection:
    """A connection in autocommit mode; used by one thread at a time."""

    __slots__ = (
        "__weakref__",
        "_catalog",
        "_deadline",
        "_guarded",
        "_is_waiting",
        "_patience",
        "_timeout",
        "created_at",
        "expires_at",
        "held_since",
        "holder",
        "raw",
        "read_only",
        "released_at",
        "where",
    )

    begins_late = False
    """A transaction that writes takes the lock when it begins."""
    was_standby = False

    def __init__(
        self,
        raw: sqlite3.Connection,
        catalog: SQLiteCatalog,
        *,
        read_only: bool,
        statement_timeout: float | None,
        patience: float = 0.0,
    ) -> None:
        """A connection that is set up.

        Args:
            raw: the driver's own.
            catalog: shared by the connections of a pool.
            read_only: writes are refused.
            statement_timeout: seconds that a statement may take.
            patience: seconds that we wait for the write lock ourselves, see `turns`; 0: SQLite does, as `raw` says.
        """
        self.raw = raw
        self.read_only = read_only
        self.created_at = self.held_since = self.released_at = perf_counter()
        self.expires_at = float("inf")
        self.holder: Any = None
        self.where: str | None = None
        self._catalog = catalog
        self._timeout = statement_timeout
        self._deadline = 0.0
        self._guarded = False
        self._patience = patience
        self._is_waiting = False
        if patience:
            raw.execute(_NO_WAITING)
        if statement_timeout is not None:
            raw.set_progress_handler(self._late, _STEPS_BETWEEN_CLOCK_CHECKS)

    # -- statements ------------------------------------------------------------------------------------------------

    def fetch(self, statement: Statement, params: Parameters, limit: int | None) -> tuple[Columns, list[Any]]:
        """The first `limit` rows (None: all) as tuples, and their columns."""
        text, values = statement.bind_plain(params)
        if self._timeout is not None:
            self._deadline = perf_counter() + self._timeout
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
        except (ValueRefused, *_FAILURES) as exc:
            if self._has_to_wait(exc):
                return self._in_turn(lambda: self.fetch(statement, params, limit))
            raise self._error(exc, statement, params) from exc
        del cursor  # ends the read transaction of a statement that was not read to its end
        if description is None:
            return NO_COLUMNS, []
        catalog = self._catalog
        shape = catalog.shapes.get(text)
        if shape is None or self.held_since > catalog.recheck_at or shape.description != description:
            shape = catalog.shape(self, statement, text, description)
        if shape.echoes:
            shape = shape.of(values)
        return shape.columns, shape.decode(rows) if shape.decoders else rows

    def execute(self, statement: Statement, params: Parameters) -> Result:
        """Run a statement for its effect."""
        text, values = statement.bind_plain(params)
        if self._timeout is not None:
            self._deadline = perf_counter() + self._timeout
        try:
            key = self._catalog.integer_key(self, statement.table) if statement.inserts_values else None
            # What lastrowid tells is the key only if that is the rowid, and if a row was inserted, not updated.
            asks = key is not None and statement.returning < 0 and (statement.upserts or not key[1])
            if key is not None and asks:
                text = f"{text}\nRETURNING {SQLITE.quote(key[0])}"
            cursor = self.raw.execute(text, encode(values, SQLITE_ENCODERS))
            rows = [] if cursor.description is None else cursor.fetchall()
            rowcount = cursor.rowcount if cursor.description is None else len(rows)
            if (
                rowcount < 0 and statement.verb == "with"
            ):  # sqlite3 counts only what begins with INSERT and the like
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
        except (ValueRefused, *_FAILURES) as exc:
            if self._has_to_wait(exc):
                return self._in_turn(lambda: self.execute(statement, params))
            raise self._error(exc, statement, params) from exc
        return Result(rowcount=rowcount, last_id=last_id)

    def execute_many(self, statement: Statement, rows: Iterable[Parameters]) -> int:
        """Run a statement once for each row, all or nothing; the number of rows affected."""
        current: Parameters = None

        def bound() -> Iterator[Sequence[Any]]:
            nonlocal current
            for current in rows:
                yield encode(statement.bind_plain(current)[1], SQLITE_ENCODERS)

        try:
            with self._atomically():
                if statement.plain is None or statement.returning >= 0 or statement.verb not in _BATCHED:
                    return sum(max(self.execute(statement, row).rowcount, 0) for row in rows)
                return max(self.raw.executemany(statement.plain, bound()).rowcount, 0)
        except (ValueRefused, *_FAILURES) as exc:
            raise self._error(exc, statement, current) from exc

    def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]], on_conflict: str | None
    ) -> int:
        """Insert rows in bulk, all or nothing; the number of rows affected."""
        sql = self._catalog.bulk_insert(self.raw, table, columns, on_conflict)
        current: tuple[Any, ...] = ()

        def encoded() -> Iterator[Sequence[Any]]:
            nonlocal current
            for current in rows:
                yield encode(current, SQLITE_ENCODERS)

        try:
            with self._atomically():
                return max(self.raw.executemany(sql, encoded()).rowcount, 0)
        except (ValueRefused, *_FAILURES) as exc:
            if isinstance(exc, (ValueRefused, OverflowError)):
                raise self._error(exc, parse(sql), dict(zip(columns, current, strict=False))) from exc
            raise self._error(exc, parse(sql), current) from exc

    @contextmanager
    def _atomically(self) -> Iterator[None]:
        """A transaction of its own, or a savepoint in the one that is open already."""
        if self.raw.in_transaction:
            self._run("SAVEPOINT dbadapter_batch")
            try:
                yield
            except BaseException:
                if self.raw.in_transaction:  # SQLite ends it by itself when the disk is full
                    self._run("ROLLBACK TO SAVEPOINT dbadapter_batch")
                    self._run("RELEASE SAVEPOINT dbadapter_batch")
                raise
            self._run("RELEASE SAVEPOINT dbadapter_batch")
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
    ) -> Iterator[tuple[Columns, list[tuple[Any, ...]]]]:
        """The rows in batches of `batch_size`, read as they are asked for."""
        text, values = statement.bind_plain(params)
        try:
            self._deadline = perf_counter() + (self._timeout or 0)
            with closing(self._opened(text, encode(values, SQLITE_ENCODERS))) as cursor:
                rows = cursor.fetchmany(batch_size)
                if cursor.description is None:
                    return
                shape = self._catalog.shape(self, statement, text, cursor.description).of(values)
                while rows:
                    yield shape.columns, shape.decode(rows) if shape.decoders else rows
                    self._deadline = perf_counter() + (self._timeout or 0)
                    rows = cursor.fetchmany(batch_size)
        except (ValueRefused, *_FAILURES) as exc:
            raise self._error(exc, statement, params) from exc

    def _opened(self, text: str, values: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self.raw.execute(text, values)
        except _FAILURES as exc:
            if not self._has_to_wait(exc):
                raise
            return self._in_turn(lambda: self.raw.execute(text, values))

    def columns_of(self, table: str) -> list[str]:
        """The names of a table's columns that can be written, in order."""
        return self._catalog.columns_of(self.raw, table)

    # -- transactions ----------------------------------------------------------------------------------------------

    def begin(self, *, read_only: bool = False, isolation: str | None = None, writes: bool = True) -> None:
        """Begin a transaction; a writing one takes the write lock at once, since an upgrade later fails at once.

        Every isolation level is met: SQLite's transactions are serializable.
        """
        self._run("BEGIN" if read_only else "BEGIN IMMEDIATE")
        if read_only and not self.read_only:
            self._run("PRAGMA query_only = ON")
            self._guarded = True

    def commit(self) -> None:
        """Commit; on failure the transaction is rolled back."""
        try:
            self._run("COMMIT")
        except DatabaseAdapterError:
            self.rollback()
            raise
        if self._guarded:
            self._end_guard()

    def rollback(self) -> None:
        """Roll back what there is to roll back."""
        self._catalog.clear()  # tables made in the transaction are gone again
        if self.raw.in_transaction:
            self._run("ROLLBACK")
        if self._guarded:
            self._end_guard()

    def _end_guard(self) -> None:
        """After a read-only transaction on a connection that also writes: let it do so again."""
        self._guarded = False
        self._run("PRAGMA query_only = OFF")

    def run(self, sql: str) -> None:
        """Run a statement of our own without parameters: savepoints and the like."""
        self._run(sql)

    def _run(self, sql: str) -> None:
        self._deadline = perf_counter() + (self._timeout or 0)
        try:
            self.raw.execute(sql)
        except _FAILURES as exc:
            if self._has_to_wait(exc):
                return self._in_turn(lambda: self._run(sql))
            trial = Trial(lambda: None, self._briefly)  # to COMMIT again would say nothing new
            raise translate(exc, None, self.raw, query_only=self._is_query_only(), trial=trial) from exc

    # -- the write lock --------------------------------------------------------------------------------------------

    def _has_to_wait(self, exc: Exception) -> bool:
        """What failed because others were writing is to be tried again, and nobody is doing so yet."""
        return (
            self._patience > 0
            and not self._is_waiting
            and is_taken(exc, in_transaction=self.raw.in_transaction)
        )

    def _in_turn(self, function: Callable[[], T]) -> T:
        """What `function` gives, or raises, once it no longer finds the database locked."""
        self._is_waiting = True
        try:
            for _ in turns(self._patience):
                if not self._is_waiting:
                    break  # interrupted
                try:
                    return function()
                except (DatabaseBusy, sqlite3.OperationalError) as exc:
                    if not is_taken(exc.__cause__ or exc, in_transaction=self.raw.in_transaction):
                        raise
            self._is_waiting = True
            return function()
        finally:
            self._is_waiting = False

    # -- life ------------------------------------------------------------------------------------------------------

    def lend(self) -> sqlite3.Connection:
        """The driver's own connection for somebody else, until `forget_session`: it waits for locks by itself."""
        if self._patience:
            self.raw.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")
        return self.raw

    def is_alive(self) -> bool:
        """The connection can still be used; a file does not hang up."""
        return True

    def is_clean(self) -> bool:
        """Nothing is left open by the last user."""
        try:
            return not self.raw.in_transaction
        except sqlite3.Error:  # it was closed
            return False

    def reset(self) -> bool:
        """Leave nothing of the last user behind; False if the connection is of no more use."""
        try:
            if self.raw.in_transaction:
                self.rollback()
        except (DatabaseAdapterError, *_FAILURES):
            return False
        return True

    def forget_session(self) -> None:
        """After its user had the driver's own connection: put back what the connection is set to."""
        self._catalog.clear()
        try:
            # First of all: neither PRAGMA works inside a transaction, and setting isolation_level commits it.
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
            self.raw.execute("PRAGMA foreign_keys = ON")
            self.raw.execute(f"PRAGMA query_only = {'ON' if self.read_only else 'OFF'}")
            self.raw.row_factory = None
            self.raw.isolation_level = None
            if self._patience:
                self.raw.execute(_NO_WAITING)
        except _FAILURES:
            self.close()

    def learn_id(self) -> None:
        """A COMMIT to a file is never left unanswered, so nothing is to be noted."""

    def is_standby(self) -> bool:
        """A file that refuses writes does so for good."""
        return False

    def token(self) -> str:
        """Whoever reads the file sees what was committed before."""
        return SQLITE_TOKEN

    def disown(self, *, in_use: bool) -> bool:
        """In a forked child: let go of the parent's file. False if it cannot be used from here any more.

        An unused connection can be closed: it holds no lock. What is in the middle of something is left as it is for
        good, and with it what SQLite, which keeps one account per process, believes to be locked.
        """
        raw, self.raw = self.raw, Gone()  # type: ignore[assignment]
        try:
            if not in_use and not raw.in_transaction:
                raw.close()
                return True
        except _FAILURES:
            pass
        abandon(raw)
        return False

    def interrupt(self) -> None:
        """Stop the statement that another thread is running here, or its waiting for the lock."""
        self._is_waiting = False
        self.raw.interrupt()

    def ping(self) -> None:
        """Raise `DatabaseUnavailable` unless the database answers."""
        try:
            self.raw.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except _FAILURES as exc:
            raise DatabaseUnavailable(str(translate(exc, None, None))) from exc

    def close(self) -> None:
        """Close the connection; closing again does nothing."""
        self.raw.close()

    def _late(self) -> bool:
        return perf_counter() > self._deadline

    # -- errors ----------------------------------------------------------------------------------------------------

    def _error(self, exc: Exception, statement: Statement, params: Parameters) -> DatabaseAdapterError:
        if isinstance(exc, OverflowError):
            # sqlite3 told before anything was done; Postgres' encoders know which parameter it is.
            refused = ValueRefused("is an integer beyond 64 bits; use Decimal or text")
            return refusal(refused, statement, params, POSTGRES_ENCODERS)
        if isinstance(exc, ValueRefused):
            return refusal(exc, statement, params, SQLITE_ENCODERS)

        def again() -> None:
            text, values = statement.bind_plain(params)
            self.raw.execute(text, encode(values, SQLITE_ENCODERS)).fetchall()

        self._deadline = float("inf")  # stopped while it writes, it would take the whole transaction with it
        trial = Trial(again, self._briefly)
        return translate(exc, statement, self.raw, query_only=self._is_query_only(), trial=trial)

    @contextmanager
    def _briefly(self) -> Iterator[None]:
        """Reads inside are stopped when they take long."""
        self._deadline = perf_counter() + _DIAGNOSIS_SECONDS
        self.raw.set_progress_handler(self._late, _STEPS_BETWEEN_CLOCK_CHECKS)
        try:
            yield
        finally:
            self._deadline = float("inf")
            if self._timeout is None:
                self.raw.set_progress_handler(None, 0)

    @property
    def is_guarded(self) -> bool:
        """Writes are refused: always, or while a read-only transaction is open."""
        return self.read_only or self._guarded

    def _is_query_only(self) -> bool:
        try:
            return bool(self.raw.execute("PRAGMA query_only").fetchone()[0])
        except _FAILURES:
            return False
