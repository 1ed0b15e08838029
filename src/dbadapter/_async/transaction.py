"""Transactions: one connection from BEGIN to COMMIT, with savepoints inside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
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
from .backend import AsyncBackend
from .following import pass_gate
from .lane import AsyncLane
from .outcome import learn_fate
from .rows import AsyncRowStream

if TYPE_CHECKING:
    from .adapter import AsyncDatabaseAdapter
    from .connection import AsyncConnection
    from .vectors import AsyncVectorStore

__all__ = ["AsyncTransaction"]

# Statements that say how the transaction is to be, or what it is to wait for, before it takes its snapshot.
_BEFORE_ANY_QUERY = frozenset({"lock", "set"})


class AsyncTransaction:
    """What ``with adapter.transaction() as tx:`` gives; commits at the end of the block, rolls back on an exception.

    After a statement has failed in the database, the transaction can only be rolled back, on both backends alike: a
    further statement raises `TransactionFailed`, and so does the end of the block if the failure was swallowed. To go
    on after a failure, put the statement into ``with tx.transaction():``, which is a savepoint.
    """

    def __init__(
        self,
        adapter: AsyncDatabaseAdapter,
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
        self._backend: AsyncBackend = adapter._backend
        self._lane: AsyncLane | None = None
        self._connection: AsyncConnection | None = None
        self._failure: BaseException | None = None  # of an earlier statement: only a rollback is left
        self._depth = 0  # of savepoints

    # -- life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> AsyncTransaction:
        self._claim()
        connection = await self._acquire()
        try:
            if connection.begins_late:
                self._is_unprepared = True
            else:
                await self._begin(writes=not self._read_only)
        except BaseException:
            await self._give_back()
            raise
        return self

    def _claim(self) -> None:
        """Take the transaction for a with statement. Raises `TransactionFailed` if another one has had it."""
        if self._is_used:
            raise TransactionFailed(
                "a transaction is for one with statement: transaction() gives another one", sqlstate="25001"
            )
        self._is_used = True

    async def _acquire(self) -> AsyncConnection:
        self._backend, self._lane, connection = await self._adapter._acquire(
            read_only=self._read_only, where=self._where, consistency=self._consistency, after=self._after
        )
        self._connection = connection
        return connection

    async def _begin(self, *, writes: bool, is_setting: bool = False) -> None:
        """BEGIN, on a connection to the database where the data live by then.

        `is_setting`: the first statement has to come before any query, so nothing can be asked after BEGIN.
        """
        while True:
            if is_setting and not await self._was_home():
                continue
            connection = self._connection
            assert connection is not None
            await connection.begin(read_only=self._read_only, isolation=self._isolation, writes=writes)
            if not self._is_due() or await self._is_home(connection, may_ask=not is_setting):
                break
            await self._acquire()
        self._has_begun = True

    async def _was_home(self) -> bool:
        """Whether the data live where the transaction is about to begin; if not, it has another connection now."""
        adapter, lane, connection = self._adapter, self._lane, self._connection
        assert lane is not None
        assert connection is not None
        if perf_counter() <= adapter._watch.due_after(lane):
            return True
        self._connection = None  # `_is_home` gives it back, unless the data are there
        if not await adapter._is_home(self._backend, lane, connection):
            await self._acquire()
            return False
        self._connection = connection
        return True

    def _is_due(self) -> bool:
        """Whether it has to be looked up, now that the transaction has begun, where the data live.

        The body may have been at other things since it got its connection, and waiting for SQLite's lock may have taken
        long. In this order: whoever has gone over to another backend meanwhile has looked at that one since.
        """
        return self._adapter._watch.is_due() or self._adapter._backend is not self._backend

    async def _is_home(self, connection: AsyncConnection, *, may_ask: bool) -> bool:
        """Whether the data live, and stay, where the transaction was begun; if not, nothing was done yet."""
        adapter, backend, lane = self._adapter, self._backend, self._lane
        assert lane is not None
        if adapter._backend is backend and await pass_gate(
            adapter._watch, backend, lane, connection, read_only=self._read_only, may_ask=may_ask
        ):
            return True
        await connection.rollback()
        await self._give_back()
        adapter._watch.look_soon()  # the next connection is looked at, and followed from
        return False

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: object
    ) -> None:
        connection = self._connection if self._has_begun else None
        try:
            if connection is not None:
                if exc is None and self._failure is None:
                    await self._commit(connection)
                else:
                    await self._roll_back(connection, exc)
        finally:
            await self._give_back()
        if exc is None and self._failure is not None:
            raise self._failed()

    async def _commit(self, connection: AsyncConnection) -> None:
        try:
            await connection.commit()
        except CommitInDoubt as doubt:
            if not self._read_only:
                await learn_fate(self._backend.pool, doubt)

    async def _roll_back(self, connection: AsyncConnection, exc: BaseException | None) -> None:
        try:
            await connection.rollback()
        except DatabaseAdapterError:
            # The connection is gone, and the transaction with it; what is under way says more than this.
            if exc is None and self._failure is None:
                raise

    async def _give_back(self) -> None:
        connection, self._connection, self._has_begun = self._connection, None, False
        if self._lane is not None and connection is not None:
            await self._lane.release(connection)
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

    async def _ready(self, *, writes: bool = True, is_setting: bool = False) -> AsyncConnection:
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
            return await self._prepare(self._connection, writes, is_setting)
        return self._connection

    async def _settle(self) -> None:
        """Begin if that is still to be done: only then is it certain on which backend."""
        await self._ready(writes=False)

    async def _prepare(self, connection: AsyncConnection, writes: bool, is_setting: bool) -> AsyncConnection:
        """Begin, if that was put off, and learn the transaction's id before its first write; returns the connection."""
        if self._has_begun:
            if writes:
                self._is_unprepared = False
                await connection.learn_id()
            return connection
        try:
            await self._begin(writes=writes, is_setting=is_setting)
        except ConnectionLost:
            # Nothing had been done yet, so another connection will do.
            await self._give_back()
            await self._acquire()
            await self._begin(writes=writes, is_setting=is_setting)
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

    async def execute(self, sql: str, params: Parameters = None) -> Result:
        """See `AsyncDatabaseAdapter.execute`."""
        statement, started = parse_work(sql), perf_counter()
        is_setting = statement.verb in _BEFORE_ANY_QUERY
        connection = await self._ready(writes=not is_setting, is_setting=is_setting)
        try:
            result = await connection.execute(statement, params)
        except DatabaseAdapterError as exc:
            self._note_failure(exc)
            self._log(sql, params, started, exc)
            raise
        self._log(sql, params, started)
        return result

    async def execute_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """See `AsyncDatabaseAdapter.execute_many`."""
        statement, given = parse_work(sql), checked_rows(rows)
        return await self._in_bulk(sql, lambda connection: connection.execute_many(statement, given))

    async def insert_many(
        self, table: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]], *, on_conflict: str | None = None
    ) -> int:
        """See `AsyncDatabaseAdapter.insert_many`."""
        return await self._in_bulk(
            f"insert_many into {table}",
            lambda connection: insert_rows(connection, table, rows, on_conflict),
        )

    async def _in_bulk(self, text: str, work: Callable[[AsyncConnection], Awaitable[int]]) -> int:
        connection, started = await self._ready(), perf_counter()
        try:
            count = await work(connection)
        except DatabaseAdapterError as exc:
            self._note_failure(exc)
            self._log(text, None, started, exc)
            raise
        self._log(text, None, started)
        return count

    async def _read(self, sql: str, params: Parameters, limit: int | None) -> RowSet:
        statement, started = parse_work(sql), perf_counter()
        connection = await self._ready(writes=statement.writes)
        try:
            found = await connection.fetch(statement, params, limit)
        except DatabaseAdapterError as exc:
            self._note_failure(exc)
            self._log(sql, params, started, exc)
            raise
        self._log(sql, params, started)
        return found

    async def fetch_all(self, sql: str, params: Parameters = None, *, row_type: type = dict) -> list[Any]:
        """See `AsyncDatabaseAdapter.fetch_all`."""
        columns, rows = await self._read(sql, params, None)
        return columns.rows(row_type or dict, rows)

    async def fetch_one(self, sql: str, params: Parameters = None, *, row_type: type = dict) -> Any:
        """See `AsyncDatabaseAdapter.fetch_one`."""
        columns, rows = await self._read(sql, params, 1)
        return columns.row(row_type or dict, rows[0]) if rows else None

    async def fetch_value(self, sql: str, params: Parameters = None) -> Any:
        """See `AsyncDatabaseAdapter.fetch_value`."""
        _, rows = await self._read(sql, params, 1)
        return rows[0][0] if rows else None

    def stream(
        self, sql: str, params: Parameters = None, *, batch_size: int = 1000, row_type: type = dict
    ) -> AsyncRowStream:
        """See `AsyncDatabaseAdapter.stream`; other statements of the transaction may run in between."""
        statement = parse_work(sql)
        return AsyncRowStream(
            _TransactionSource(self, statement),
            statement,
            params,
            batch_size=batch_size,
            row_type=row_type or dict,
            log=self._adapter._query_log,
        )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """The driver's own connection, with this transaction open on it; leave committing to us."""
        yield (await self._ready()).raw

    # -- nesting ---------------------------------------------------------------------------------------------------

    def transaction(self, *, read_only: bool = False, isolation: str | None = None) -> AsyncSavepoint:
        """A savepoint: undone alone if its block fails, kept with the rest otherwise.

        `read_only` and `isolation` are the outer transaction's; they are accepted so that a function can be given an
        adapter or a transaction alike.
        """
        return AsyncSavepoint(self)

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
    def vectors(self) -> AsyncVectorStore:
        """The vector collections; what is changed through it commits with the rows."""
        from .vectors import AsyncVectorStore

        return AsyncVectorStore(self)


class AsyncSavepoint(AsyncTransaction):
    """A transaction inside another one."""

    def __init__(self, outer: AsyncTransaction) -> None:
        super().__init__(outer._adapter, read_only=outer._read_only, isolation=None, where=None)
        self._outer = outer
        self._depth = outer._depth + 1
        self._name = f"dbadapter_{self._depth}"

    async def __aenter__(self) -> AsyncTransaction:
        self._claim()
        self._connection = await self._outer._ready(writes=False)
        self._backend = self._outer._backend
        await self._connection.run(f"SAVEPOINT {self._name}")
        return self

    async def _ready(self, *, writes: bool = True, is_setting: bool = False) -> AsyncConnection:
        connection = await super()._ready(writes=writes, is_setting=is_setting)
        if self._outer._failure is None:
            await self._outer._ready(writes=writes)
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: object
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if exc is not None or self._failure is not None:
                await connection.run(f"ROLLBACK TO SAVEPOINT {self._name}")
            await connection.run(f"RELEASE SAVEPOINT {self._name}")
        except DatabaseAdapterError as error:
            # The outer transaction is broken as well: SQLite has ended it, or the connection was lost.
            self._outer._failure = exc or self._failure or error
            if exc is None:
                raise
        if exc is None and self._failure is not None:
            raise self._failed()


class _TransactionSource:
    """A transaction's own connection for a stream; there is no other one to try."""

    def __init__(self, tx: AsyncTransaction, statement: Statement) -> None:
        self._tx, self._statement = tx, statement

    async def acquire(self) -> AsyncConnection:
        return await self._tx._ready(writes=self._statement.writes)

    async def failed(self, exc: DatabaseAdapterError, *, has_begun: bool) -> bool:
        self._tx._note_failure(exc)
        return False

    async def release(self, connection: AsyncConnection) -> None:
        """The transaction keeps it."""


async def insert_rows(
    connection: AsyncConnection,
    table: str,
    rows: Iterable[Mapping[str, Any] | Sequence[Any]],
    on_conflict: str | None,
) -> int:
    """Load rows through a connection; of an empty load the conflict rule is still checked."""
    check_name("the table", table)
    check_conflict_rule(on_conflict)
    first = next(iter(rows), None) if isinstance(rows, Sequence) else None
    known = await connection.columns_of(table) if first is None or not isinstance(first, Mapping) else ()
    names, values = bulk_rows(rows, known)
    if not names:
        return 0
    return await connection.insert_many(table, names, values, on_conflict)
