"""A connection to an SQLite file through sqlite3: its transactions, its waiting for the write lock, and its end."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar

from .._concurrency._fork import Gone, abandon
from .._core.consistency import SQLITE_TOKEN
from .._core.statement import Parameters, Statement
from ..errors import DatabaseAdapterError, DatabaseBusy, DatabaseUnavailable
from .sqlite_catalog import SQLiteCatalog
from .sqlite_constraints import Trial
from .sqlite_errors import translate
from .sqlite_turns import is_taken, turns
from .values import POSTGRES_ENCODERS, SQLITE_ENCODERS, ValueRefused, encode, refusal

__all__ = ["FAILURES", "SQLiteLink"]

T = TypeVar("T")

FAILURES = (sqlite3.Error, sqlite3.Warning, OverflowError)
_DIAGNOSIS_SECONDS = 0.5
_NO_WAITING = "PRAGMA busy_timeout = 0"
_NEVER = float("inf")
_STEPS_BETWEEN_CLOCK_CHECKS = 10_000  # virtual machine instructions; about 0.1 ms


class SQLiteLink:
    """The connection itself; used by one thread at a time."""

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
        "is_stopped",
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
        self.expires_at = _NEVER
        self.holder: Any = None
        self.where: str | None = None
        self._catalog = catalog
        self._timeout = statement_timeout
        self._deadline = [0.0]  # a list, so that it can be compared, and changed, in place
        self._guarded = False
        self._patience = patience
        self._is_waiting = False
        self.is_stopped = False  # a batch under way is to end with its next row
        if patience:
            raw.execute(_NO_WAITING)
        if statement_timeout is not None:
            self._watch_clock()

    # -- transactions ----------------------------------------------------------------------------------------------

    def begin(self, *, read_only: bool = False, isolation: str | None = None, writes: bool = True) -> None:
        """Begin a transaction; a writing one takes the write lock at once, since an upgrade later fails at once.

        Every isolation level is met: SQLite's transactions are serializable.
        """
        self.run("BEGIN" if read_only else "BEGIN IMMEDIATE")
        if read_only and not self.read_only:
            self.run("PRAGMA query_only = ON")
            self._guarded = True

    def commit(self) -> None:
        """Commit; on failure the transaction is rolled back."""
        try:
            self.run("COMMIT")
        except DatabaseAdapterError:
            self.rollback()
            raise
        if self._guarded:
            self._end_guard()

    def rollback(self) -> None:
        """Roll back what there is to roll back."""
        self._catalog.clear()  # tables made in the transaction are gone again
        if self.raw.in_transaction:
            self.run("ROLLBACK")
        if self._guarded:
            self._end_guard()

    def _end_guard(self) -> None:
        """After a read-only transaction on a connection that also writes: let it do so again."""
        self._guarded = False
        self.run("PRAGMA query_only = OFF")

    def run(self, sql: str) -> None:
        """Run a statement of our own without parameters: savepoints and the like."""
        self._deadline[0] = perf_counter() + (self._timeout or 0)
        try:
            self.raw.execute(sql)
        except FAILURES as exc:
            if self._has_to_wait(exc):
                return self._in_turn(lambda: self.run(sql))
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
        except (DatabaseAdapterError, *FAILURES):
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
        except FAILURES:
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
        except FAILURES:
            pass
        abandon(raw)
        return False

    def interrupt(self) -> None:
        """Stop the statement or the batch that another thread is running here, or its waiting for the lock."""
        self._is_waiting = False
        self.is_stopped = True
        self.raw.interrupt()

    def ping(self) -> None:
        """Raise `DatabaseUnavailable` unless the database answers."""
        try:
            self.raw.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except FAILURES as exc:
            raise DatabaseUnavailable(str(translate(exc, None, None))) from exc

    def close(self) -> None:
        """Close the connection; closing again does nothing."""
        self.raw.close()

    def _watch_clock(self) -> None:
        """Have statements stopped at the deadline."""
        # What is called compares [deadline] with [the time]. It is no Python function, in which Ctrl-C would be raised,
        # since sqlite3 takes any exception there for the wish to stop, and no more.
        now = map(list, zip(iter(perf_counter, None), strict=True))
        self.raw.set_progress_handler(map(self._deadline.__lt__, now).__next__, _STEPS_BETWEEN_CLOCK_CHECKS)

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

        self._deadline[0] = _NEVER  # stopped while it writes, it would take the whole transaction with it
        trial = Trial(again, self._briefly)
        return translate(exc, statement, self.raw, query_only=self._is_query_only(), trial=trial)

    @contextmanager
    def _briefly(self) -> Iterator[None]:
        """Reads inside are stopped when they take long."""
        self._deadline[0] = perf_counter() + _DIAGNOSIS_SECONDS
        self._watch_clock()
        try:
            yield
        finally:
            self._deadline[0] = _NEVER
            if self._timeout is None:
                self.raw.set_progress_handler(None, 0)

    @property
    def is_guarded(self) -> bool:
        """Writes are refused: always, or while a read-only transaction is open."""
        return self.read_only or self._guarded

    def _is_query_only(self) -> bool:
        try:
            return bool(self.raw.execute("PRAGMA query_only").fetchone()[0])
        except FAILURES:
            return False
