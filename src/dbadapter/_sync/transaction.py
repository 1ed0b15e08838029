# Generated from src/dbadapter/_async/transaction.py by tools/unasync.py; do not edit.
"""Transactions: one connection from BEGIN to COMMIT, with savepoints inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .._core.bulk import bulk_rows, check_conflict_rule, check_name, checked_rows
from .._core.parsing import parse_work
from .._core.rows import RowSet
from .._core.statement import Parameters, Statement
from .._dialects import Dialect
from .._drivers.postgres_errors import CommitInDoubt
from .._drivers.values import ValueRefused
from ..config import DatabaseType
from ..errors import ConnectionLost, DatabaseAdapterError, DatabaseMoved, TransactionFailed
from ..types import Result
from .backend import Backend
from .following import pass_gate
from .lane import Lane
from .outcome import learn_fate
from .rows import RowStream

if TYPE_CHECKING:
    from .adapter import DatabaseAdapter
    from .connection import Connection
    from .vectors import VectorStore

__all__ = ["Transaction"]

# Statements that say how the transaction is to be, or what it is to wait for, before it takes its snapshot.
_BEFORE_ANY_QUERY = frozenset({"lock", "set"})


class Transaction:
    """What ``with adapter.transaction() as tx:`` gives; commits at the end of the block, rolls back on an exception.

    After a statement has failed in the database, the transaction can only be rolled back, on both backends alike: a
    further statement raises `TransactionFailed`, and so does the end of the block if the failure was swallowed. To go
    on after a failure, put the statement into ``with tx.transaction():``, which is a savepoint.
    """

    def __init__(
        self,
        adapter: DatabaseAdapter,
        *,
        read_only: bool,
        isolation: str | None,
        where: str | None,
        consistency: str | None = None,
        after: str | None = None,
    ) -> None:
        self._adapter = adapter
        self._read_only = read_only
        self._isolation = isolation
        self._where = where
        self._consistency, self._after = consistency, after
        self._is_used = False  # a `with` statement has taken it
        self._has_begun = False
        self._is_unprepared = False  # BEGIN, or asking for the transaction's id, was put off: see `_prepare`
        self._backend: Backend = adapter._backend
        self._lane: Lane | None = None
        self._connection: Connection | None = None
        self._failure: BaseException | None = None  # of an earlier statement: only a rollback is left
        self._depth = 0  # of savepoints

    # -- life ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Transaction:
        self._claim()
        connection = self._acquire()
        try:
            if connection.begins_late:
                self._is_unprepared = True
            else:
                self._begin(writes=not self._read_only)
        except BaseException:
            self._give_back()
            raise
        return self

    def _claim(self) -> None:
        """Take the transaction for a with statement. Raises `TransactionFailed` if another one has had it."""
        if self._is_used:
            raise TransactionFailed(
                "a transaction is for one with statement: transaction() gives another one", sqlstate="25001"
            )
        self._is_used = True

    def _acquire(self) -> Connection:
        self._backend, self._lane, connection = self._adapter._acquire(
            read_only=self._read_only, where=self._where, consistency=self._consistency, after=self._after
        )
        self._connection = connection
        return connection

    def _begin(self, *, writes: bool, is_setting: bool = False) -> None:
        """BEGIN, on a connection to the database where the data live by then.

        `is_setting`: the first statement has to come before any query, so nothing can be asked after BEGIN.
        """
        while True:
            if is_setting and not self._was_home():
                continue
            connection = self._connection
            assert connection is not None
            connection.begin(read_only=self._read_only, isolation=self._isolation, writes=writes)
            if not self._is_due() or self._is_home(connection, may_ask=not is_setting):
                break
            self._acquire()
        self._has_begun = True

    def _was_home(self) -> bool:
        """Whether the data live where the transaction is about to begin; if not, it has another connection now."""
        adapter, lane, connection = self._adapter, self._lane, self._connection
        assert lane is not None
        assert connection is not None
        if perf_counter() <= adapter._watch.due_after(lane):
            return True
        self._connection = None  # `_is_home` gives it back, unless the data are there
        if not adapter._is_home(self._backend, lane, connection):
            self._acquire()
            return False
        self._connection = connection
        return True

    def _is_due(self) -> bool:
        """Whether it has to be looked up, now that the transaction has begun, where the data live.

        The body may have been at other things since it got its connection, and waiting for SQLite's lock may have taken
        long. In this order: whoever has gone over to another backend meanwhile has looked at that one since.
        """
        return self._adapter._watch.is_due() or self._adapter._backend is not self._backend

    def _is_home(self, connection: Connection, *, may_ask: bool) -> bool:
        """Whether the data live, and stay, where the transaction was begun; if not, nothing was done yet."""
        adapter, backend, lane = self._adapter, self._backend, self._lane
        assert lane is not None
        if adapter._backend is backend and pass_gate(
            adapter._watch, backend, lane, connection, read_only=self._read_only, may_ask=may_ask
        ):
            return True
        connection.rollback()
        self._give_back()
        adapter._watch.look_soon()  # the next connection is looked at, and followed from
        return False

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        connection = self._connection if self._has_begun else None
        try:
            if connection is not None:
                if exc is None and self._failure is None:
                    self._commit(connection)
                else:
                    self._roll_back(connection, exc)
        finally:
            self._give_back()
        if exc is None and self._failure is not None:
            raise self._failed()

    def _commit(self, connection: Connection) -> None:
        try:
            connection.commit()
        except CommitInDoubt as doubt:
            if not self._read_only:
                learn_fate(self._backend.pool, doubt)

    def _roll_back(self, connection: Connection, exc: BaseException | None) -> None:
        try:
            connection.rollback()
        except DatabaseAdapterError:
            # The connection is gone, and the transaction with it; what is under way says more than this.
            if exc is None and self._failure is None:
                raise

    def _give_back(self) -> None:
        connection, self._connection, self._has_begun = self._connection, None, False
        if self._lane is not None and connection is not None:
            self._lane.release(connection)
            if self._lane.cluster is not None and not self._read_only:
                self._lane.cluster.note_write()

    def _failed(self) -> TransactionFailed:
        error = TransactionFailed(
            f"an earlier statement of this transaction failed ({type(self._failure).__name__}: {self._failure}), so it "
            "was rolled back; to go on after a failure, run the statement in `with tx.transaction():`",
            sqlstate="25P02",
        )
        error.__cause__ = self._failure
        return error

    def _ready(self, *, writes: bool = True, is_setting: bool = False) -> Connection:
        """The connection, for a statement that may write. Raises `TransactionFailed` if none can be run any more."""
        if self._failure is not None:
            raise self._failed()
        if self._connection is None:
            if self._is_used:
                raise TransactionFailed("this transaction has ended; begin another one", sqlstate="25P01")
            raise TransactionFailed(
                "this transaction has not begun: use it in a with statement", sqlstate="25P01"
            )
        if self._is_unprepared:
            return self._prepare(self._connection, writes, is_setting)
        return self._connection

    def _settle(self) -> None:
        """Begin if that is still to be done: only then is it certain on which backend."""
        self._ready(writes=False)

    def _prepare(self, connection: Connection, writes: bool, is_setting: bool) -> Connection:
        """Begin, if that was put off, and learn the transaction's id before its first write; returns the connection."""
        if self._has_begun:
            if writes:
                self._is_unprepared = False
                connection.learn_id()
            return connection
        try:
            self._begin(writes=writes, is_setting=is_setting)
        except ConnectionLost:
            # Nothing had been done yet, so another connection will do.
            self._give_back()
            self._acquire()
            self._begin(writes=writes, is_setting=is_setting)
        self._is_unprepared = not (writes or self._read_only)
        assert self._connection is not None
        return self._connection

    def _log(
        self, text: str, params: Parameters, started: float, failure: BaseException | None = None
    ) -> None:
        if self._adapter._query_log is not None:
            self._adapter._query_log.note(text, params, perf_counter() - started, failure)

    def _note_failure(self, exc: BaseException) -> None:
        """Remember a failure that the database itself saw; what was refused before it was sent changes nothing."""
        if exc.__cause__ is not None and not isinstance(exc.__cause__, (ValueRefused, OverflowError)):
            self._failure = exc
        if isinstance(exc, DatabaseMoved):
            self._adapter._watch.is_met(perf_counter())

    # -- statements ------------------------------------------------------------------------------------------------

    def execute(self, sql: str, params: Parameters = None) -> Result:
        """See `DatabaseAdapter.execute`."""
        statement, started = parse_work(sql), perf_counter()
        is_setting = statement.verb in _BEFORE_ANY_QUERY
        connection = self._ready(writes=not is_setting, is_setting=is_setting)
        try:
            result = connection.execute(statement, params)
        except DatabaseAdapterError as exc:
            self._note_failure(exc)
            self._log(sql, params, started, exc)
            raise
        self._log(sql, params, started)
        return result

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """See `DatabaseAdapter.execute_many`."""
        statement, given = parse_work(sql), checked_rows(rows)
        return self._in_bulk(sql, lambda connection: connection.execute_many(statement, given))

    def insert_many(
        self, table: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]], *, on_conflict: str | None = None
    ) -> int:
        """See `DatabaseAdapter.insert_many`."""
        return self._in_bulk(
            f"insert_many into {table}",
            lambda connection: insert_rows(connection, table, rows, on_conflict),
        )

    def _in_bulk(self, text: str, work: Callable[[Connection], int]) -> int:
        connection, started = self._ready(), perf_counter()
        try:
            count = work(connection)
        except DatabaseAdapterError as exc:
            self._note_failure(exc)
            self._log(text, None, started, exc)
            raise
        self._log(text, None, started)
        return count

    def _read(self, sql: str, params: Parameters, limit: int | None) -> RowSet:
        statement, started = parse_work(sql), perf_counter()
        connection = self._ready(writes=statement.writes)
        try:
            found = connection.fetch(statement, params, limit)
        except DatabaseAdapterError as exc:
            self._note_failure(exc)
            self._log(sql, params, started, exc)
            raise
        self._log(sql, params, started)
        return found

    def fetch_all(self, sql: str, params: Parameters = None, *, row_type: type = dict) -> list[Any]:
        """See `DatabaseAdapter.fetch_all`."""
        columns, rows = self._read(sql, params, None)
        return columns.rows(row_type or dict, rows)

    def fetch_one(self, sql: str, params: Parameters = None, *, row_type: type = dict) -> Any:
        """See `DatabaseAdapter.fetch_one`."""
        columns, rows = self._read(sql, params, 1)
        return columns.row(row_type or dict, rows[0]) if rows else None

    def fetch_value(self, sql: str, params: Parameters = None) -> Any:
        """See `DatabaseAdapter.fetch_value`."""
        _, rows = self._read(sql, params, 1)
        return rows[0][0] if rows else None

    def stream(
        self, sql: str, params: Parameters = None, *, batch_size: int = 1000, row_type: type = dict
    ) -> RowStream:
        """See `DatabaseAdapter.stream`; other statements of the transaction may run in between."""
        statement = parse_work(sql)
        return RowStream(
            _TransactionSource(self, statement),
            statement,
            params,
            batch_size=batch_size,
            row_type=row_type or dict,
            log=self._adapter._query_log,
        )

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """The driver's own connection, with this transaction open on it; leave committing to us."""
        yield self._ready().raw

    # -- nesting ---------------------------------------------------------------------------------------------------

    def transaction(self, *, read_only: bool = False, isolation: str | None = None) -> Savepoint:
        """A savepoint: undone alone if its block fails, kept with the rest otherwise.

        `read_only` and `isolation` are the outer transaction's; they are accepted so that a function can be given an
        adapter or a transaction alike.
        """
        return Savepoint(self)

    # -- what it belongs to ----------------------------------------------------------------------------------------

    @property
    def db_type(self) -> DatabaseType:
        """The backend that this transaction runs on."""
        return self._backend.db_type

    @property
    def dialect(self) -> Dialect:
        """That backend's quoting and catalog."""
        return self._backend.dialect

    @property
    def vectors(self) -> VectorStore:
        """The vector collections; what is changed through it commits with the rows."""
        from .vectors import VectorStore

        return VectorStore(self)


class Savepoint(Transaction):
    """A transaction inside another one."""

    def __init__(self, outer: Transaction) -> None:
        super().__init__(outer._adapter, read_only=outer._read_only, isolation=None, where=None)
        self._outer = outer
        self._depth = outer._depth + 1
        self._name = f"dbadapter_{self._depth}"

    def __enter__(self) -> Transaction:
        self._claim()
        self._connection = self._outer._ready(writes=False)
        self._backend = self._outer._backend
        self._connection.run(f"SAVEPOINT {self._name}")
        return self

    def _ready(self, *, writes: bool = True, is_setting: bool = False) -> Connection:
        connection = super()._ready(writes=writes, is_setting=is_setting)
        if self._outer._failure is None:
            self._outer._ready(writes=writes)
        return connection

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if exc is not None or self._failure is not None:
                connection.run(f"ROLLBACK TO SAVEPOINT {self._name}")
            connection.run(f"RELEASE SAVEPOINT {self._name}")
        except DatabaseAdapterError as error:
            # The outer transaction is broken as well: SQLite has ended it, or the connection was lost.
            self._outer._failure = exc or self._failure or error
            if exc is None:
                raise
        if exc is None and self._failure is not None:
            raise self._failed()


class _TransactionSource:
    """A transaction's own connection for a stream; there is no other one to try."""

    def __init__(self, tx: Transaction, statement: Statement) -> None:
        self._tx, self._statement = tx, statement

    def acquire(self) -> Connection:
        return self._tx._ready(writes=self._statement.writes)

    def failed(self, exc: DatabaseAdapterError, *, has_begun: bool) -> bool:
        self._tx._note_failure(exc)
        return False

    def release(self, connection: Connection) -> None:
        """The transaction keeps it."""


def insert_rows(
    connection: Connection,
    table: str,
    rows: Iterable[Mapping[str, Any] | Sequence[Any]],
    on_conflict: str | None,
) -> int:
    """Load rows through a connection; of an empty load the conflict rule is still checked."""
    check_name("the table", table)
    check_conflict_rule(on_conflict)
    first = next(iter(rows), None) if isinstance(rows, Sequence) else None
    known = connection.columns_of(table) if first is None or not isinstance(first, Mapping) else ()
    names, values = bulk_rows(rows, known)
    if not names:
        return 0
    return connection.insert_many(table, names, values, on_conflict)
