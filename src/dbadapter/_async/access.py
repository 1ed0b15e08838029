"""Reading and writing: on which connection a statement runs, and again on another one where that is safe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .._concurrency._aio import note_write
from .._concurrency._frames import caller_place
from .._core.parsing import parse_work
from .._core.routing import check_consistency
from .._core.rows import RowSet
from .._core.statement import Parameters, Statement
from ..errors import (
    ConnectionLost,
    DatabaseAdapterError,
    DatabaseMoved,
    DatabaseUnavailable,
    OutcomeUnknown,
    PoolClosed,
    QueryError,
    ReadOnlyViolation,
    SerializationFailure,
)
from ..querylog import QueryLog
from ..types import Result
from .backend import AsyncBackend
from .following import Watch, arrive, follow, look, may_lag
from .lane import AsyncLane, PoolMoved
from .pool import READ_RETRIES, AsyncPool
from .rows import AsyncRowStream

if TYPE_CHECKING:
    from .connection import AsyncConnection
    from .transaction import AsyncTransaction

__all__ = ["AsyncAccess"]

# How often a write is sent on to the next primary that turns out to be none.
_WRITE_RETRIES = 3


class AsyncAccess:
    """The part of the adapter that runs single statements, each on a connection of its own choice."""

    _backend: AsyncBackend
    _watch: Watch
    _is_open: bool
    _query_log: QueryLog | None

    # -- getting a connection --------------------------------------------------------------------------------------

    @property
    def _opened(self) -> AsyncBackend:
        if not self._is_open:
            raise PoolClosed("the adapter is not open: call initialize(), or use it in a with statement")
        return self._backend

    @property
    def _pool(self) -> AsyncPool:
        return self._opened.pool

    async def _acquire(
        self,
        *,
        read_only: bool = False,
        where: str | None = None,
        consistency: str | None = None,
        after: str | None = None,
    ) -> tuple[AsyncBackend, AsyncLane, AsyncConnection]:
        """A connection, the lane to give it back to, and the backend that both belong to.

        By the time this returns, another thread or task may have gone over to another backend.
        """
        failures = 0
        while True:
            backend = self._opened
            pool = backend.pool
            upsets = pool.upsets
            reads = read_only and failures < READ_RETRIES
            lane = pool.reading_lane(consistency, after) if reads else pool.writer
            try:
                connection = await lane.acquire(where)
            except PoolMoved:
                continue
            except DatabaseUnavailable:
                if lane is pool.writer:
                    raise
                failures += 1
                continue
            if not lane.serves_writes and upsets != pool.upsets:
                await lane.release(connection)
                continue
            if connection.held_since <= self._watch.due_after(lane):
                return backend, lane, connection
            if await self._is_home(backend, lane, connection):
                return backend, lane, connection

    async def _settle(self) -> None:
        """Go over to where the data live if that is to be looked up: before text is made for one of the backends."""
        if perf_counter() > self._watch.look_after:
            _, lane, connection = await self._acquire(read_only=True)
            await lane.release(connection)

    async def _is_home(self, backend: AsyncBackend, lane: AsyncLane, connection: AsyncConnection) -> bool:
        """Whether the data still live in `backend`; if not, `connection` is given back and the adapter moves on."""
        try:
            record = await look(self._watch, backend, connection, on_replica=may_lag(lane))
        except DatabaseAdapterError:
            return True  # whatever is wrong with the connection, its user will see
        except BaseException:
            await lane.release(connection)
            raise
        fenced = self._watch.stands_fenced()
        if record is None and not fenced:
            return True
        await lane.release(connection)
        if record is None:
            await arrive(backend, self._watch.trusted)
            return False
        await follow(self, backend, record)  # type: ignore[arg-type]
        return False

    # -- writing ---------------------------------------------------------------------------------------------------

    async def execute(self, sql: str, params: Parameters = None) -> Result:
        """Run one statement, committed when this returns.

        Args:
            sql: the statement, with placeholders ``:name`` or ``?``.
            params: a mapping for ``:name``, a sequence for ``?``; None where there are no placeholders.

        Returns:
            ``.rowcount`` rows changed (or returned; -1 for statements that do neither), and ``.last_id``, the integer
            primary key of the last row that an ``INSERT … VALUES`` made, else None.

        Raises:
            QueryError: the database refused the statement, or the parameters do not fit it; the subclass tells why.
            OutcomeUnknown: the connection was lost before the answer came.
            DatabaseUnavailable: no connection could be opened.
            PoolExhausted: no connection became free within ``connection_timeout``.
            PoolClosed: the adapter is not open.
        """
        statement = parse_work(sql)
        refusals, fenced_at = 0, 0.0
        while True:
            backend, lane, connection = await self._acquire()
            try:
                result = await connection.execute(statement, params)
                break
            except ReadOnlyViolation:
                # Refused, so nothing was done: it may run elsewhere.
                refusals += 1
                if refusals > _WRITE_RETRIES or not await self._has_stepped_down(lane, connection):
                    raise
            except DatabaseMoved:
                fenced_at = fenced_at or perf_counter()
                if not self._watch.is_met(fenced_at):
                    raise
            except ConnectionLost as exc:
                raise await self._unknown(lane, exc) from exc
            except QueryError as exc:
                self._log_failure(statement, params, connection, exc)
                raise
            finally:
                await lane.release(connection)
                if lane.cluster is not None:
                    lane.cluster.note_write()
                    if statement.changes_schema:
                        backend.pool.statements.forget()
        if self._query_log is not None:
            self._query_log.note(statement.text, params, connection.released_at - connection.held_since)
        return result

    def _log_failure(
        self, statement: Statement, params: Parameters, connection: AsyncConnection, exc: QueryError
    ) -> None:
        if self._query_log is not None:
            self._query_log.note(statement.text, params, perf_counter() - connection.held_since, exc)

    async def _has_stepped_down(self, lane: AsyncLane, connection: AsyncConnection) -> bool:
        """The server that refused a write was the primary and is a standby now; the next connection leads elsewhere."""
        with suppress(DatabaseAdapterError):
            if not await connection.is_standby():
                return False
        if lane.cluster is not None:
            await lane.cluster.demoted(lane)
            return True
        if connection.was_standby:
            return False
        await lane.evict("the server is a standby now")
        return True

    async def _unknown(self, lane: AsyncLane, exc: ConnectionLost) -> OutcomeUnknown:
        if lane.cluster is not None:
            await lane.cluster.doubts(lane)
        return OutcomeUnknown(f"the connection was lost while a statement was running: {exc}")

    async def execute_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Run one statement for each of `rows`, all or nothing.

        Args:
            sql: the statement, as for `execute`.
            rows: its parameters each time, as for `execute`; an iterator is read as it goes.

        Returns:
            The number of rows affected in all.

        Raises as `execute` does.
        """
        async with self.transaction() as tx:
            return await tx.execute_many(sql, rows)

    async def insert_many(
        self, table: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]], *, on_conflict: str | None = None
    ) -> int:
        """Insert rows in bulk (COPY on Postgres), all or nothing.

        Args:
            table: the table's name, unquoted.
            rows: mappings with the same keys, or sequences in the order of the table's columns; an iterator is read as
                it goes, so it may be larger than memory.
            on_conflict: what happens to a row whose key is there already: None (`UniqueViolation`), "ignore" (it is
                left out), or "update" (the row there takes its values; of equal keys the last one counts).

        Returns:
            The number of rows inserted or updated.

        Raises as `execute` does; `ParameterError` names a row with other columns than the first, `ConfigError` an
        unknown `on_conflict`.
        """
        async with self.transaction() as tx:
            return await tx.insert_many(table, rows, on_conflict=on_conflict)

    def transaction(
        self,
        *,
        read_only: bool = False,
        isolation: str | None = None,
        consistency: str | None = None,
        after: str | None = None,
    ) -> AsyncTransaction:
        """See `AsyncDatabaseAdapter.transaction`."""
        raise NotImplementedError

    # -- reading ---------------------------------------------------------------------------------------------------

    async def _read(
        self, sql: str, params: Parameters, limit: int | None, consistency: str | None, after: str | None
    ) -> RowSet:
        """Run a statement that is expected to read; where it turns out to write, on the writer.

        `_acquire` is written out here: a call of it would be felt in a read that takes microseconds.
        """
        statement = parse_work(sql)
        failures, on_primary, fenced_at = 0, False, 0.0
        while True:
            backend = self._opened
            pool = backend.pool
            cluster = pool.cluster
            upsets = 0 if cluster is None else cluster.topology.upsets
            lane = pool.writer if on_primary else pool.lane_for(statement, consistency, after)
            is_standby, guarded = not lane.serves_writes, False
            try:
                connection = await lane.acquire()
            except PoolMoved:
                continue
            except DatabaseUnavailable:
                if lane is pool.writer:
                    raise
                failures += 1
                on_primary = failures >= READ_RETRIES
                continue
            if cluster is not None and upsets != cluster.topology.upsets and is_standby:
                # The replica may have come back older than it was when it was chosen.
                await lane.release(connection)
                continue
            watch = self._watch
            is_due = connection.held_since > (watch.look_after if cluster is None else watch.due_after(lane))
            if is_due and not await self._is_home(backend, lane, connection):
                continue
            try:
                # On a standby the server itself sees to it that nothing is written; elsewhere a text that it has not
                # judged yet is run where it can, so that it may be run again, and that its writes are known.
                if not is_standby and (cluster is not None or failures):
                    guarded = not pool.statements.is_known(statement)
                if guarded:
                    await connection.begin(read_only=True)
                found = await connection.fetch(statement, params, limit)
                if guarded:
                    await connection.rollback()
                if cluster is not None and not pool.statements.reads(statement):
                    self._note_read(pool, statement)
            except ReadOnlyViolation as exc:
                if guarded or is_standby:
                    pool.statements.remember(statement)
                    if not failures:
                        continue
                    raise OutcomeUnknown(
                        "the connection was lost while a statement was running that may write"
                    ) from exc
                failures += 1
                if failures > READ_RETRIES or not await self._has_stepped_down(lane, connection):
                    raise
            except DatabaseMoved:
                fenced_at = fenced_at or perf_counter()
                if not self._watch.is_met(fenced_at):
                    raise
            except SerializationFailure:
                if not is_standby:
                    raise
                on_primary = True  # the replica had to go on replaying, and cancelled the query for it
            except DatabaseUnavailable as exc:
                if not pool.statements.may_read(statement):
                    if isinstance(exc, ConnectionLost):
                        raise await self._unknown(lane, exc) from exc
                    raise
                if cluster is not None:
                    await cluster.doubts(lane)
                failures += 1
                if not exc.transient or failures > READ_RETRIES:
                    raise
            except QueryError as exc:
                self._log_failure(statement, params, connection, exc)
                raise
            else:
                if self._query_log is not None:
                    self._query_log.note(statement.text, params, perf_counter() - connection.held_since)
                return found
            finally:
                await lane.release(connection)

    def _note_read(self, pool: AsyncPool, statement: Statement) -> None:
        """After a statement has run in a cluster: what the server's consent tells of it."""
        if pool.statements.may_read(statement):
            pool.statements.remember(statement, writes=False)
        else:
            note_write()

    async def fetch_all(
        self,
        sql: str,
        params: Parameters = None,
        *,
        row_type: type | None = None,
        consistency: str | None = None,
        after: str | None = None,
    ) -> list[Any]:
        """All rows of a statement (also of an ``INSERT … RETURNING``).

        Args:
            sql: the statement.
            params: a mapping for ``:name``, a sequence for ``?``.
            row_type: what a row is: dict (default), tuple, or an attrs class or dataclass with a field per column.
            consistency: with replicas: "session" (default; whatever this thread or task has written is seen), "strong"
                (asked of the primary) or "eventual" (any replica, however far behind).
            after: a `consistency_token`: the rows are at least as new as that.

        Returns:
            The rows in the statement's order; an empty list if there are none.

        Raises as `execute` does; `ConfigError` for an unknown `consistency`, `ParameterError` for an `after` that is no
        token or a `row_type` whose fields are not the columns.
        """
        columns, rows = await self._read(sql, params, None, consistency, after)
        return columns.rows(row_type or dict, rows)

    async def fetch_one(
        self,
        sql: str,
        params: Parameters = None,
        *,
        row_type: type | None = None,
        consistency: str | None = None,
        after: str | None = None,
    ) -> Any:
        """The first row, or None if there is none; arguments and errors as for `fetch_all`."""
        columns, rows = await self._read(sql, params, 1, consistency, after)
        return columns.row(row_type or dict, rows[0]) if rows else None

    async def fetch_value(
        self, sql: str, params: Parameters = None, *, consistency: str | None = None, after: str | None = None
    ) -> Any:
        """The first column of the first row, or None if there is none; arguments and errors as for `fetch_all`."""
        _, rows = await self._read(sql, params, 1, consistency, after)
        return rows[0][0] if rows else None

    def stream(
        self,
        sql: str,
        params: Parameters = None,
        *,
        batch_size: int = 1000,
        row_type: type | None = None,
        consistency: str | None = None,
        after: str | None = None,
    ) -> AsyncRowStream:
        """An iterator over the rows that holds `batch_size` of them in memory; it keeps a connection until it ends.

        Args:
            sql, params, row_type, consistency, after: as for `fetch_all`.
            batch_size: how many rows are asked for at a time, from 1 on.

        Raises `ConfigError` for a wrong `batch_size`; what `fetch_all` raises comes while iterating.
        """
        check_consistency(consistency, after)
        statement = parse_work(sql)
        source = _PoolSource(self, statement, caller_place(), consistency, after)
        return AsyncRowStream(
            source,
            statement,
            params,
            batch_size=batch_size,
            row_type=row_type or dict,
            log=self._query_log,
        )

    async def consistency_token(self) -> str:
        """What stands for everything written until now, for ``after=`` in another thread, task, process or request.

        It is short and made of letters, digits and hyphens, so it fits into a cookie. One round trip to the primary.
        Raises `DatabaseUnavailable`, `PoolExhausted` or `PoolClosed` where there is no connection to ask on.
        """
        _, lane, connection = await self._acquire()
        try:
            return await connection.token()
        finally:
            await lane.release(connection)


class _PoolSource:
    """A connection of the pool for a stream; another one, before its first row, where that is safe."""

    def __init__(
        self,
        access: AsyncAccess,
        statement: Statement,
        where: str | None,
        consistency: str | None,
        after: str | None,
    ) -> None:
        self._access, self._statement, self._where = access, statement, where
        self._consistency, self._after = consistency, after
        self._lane: AsyncLane  # of the connection that was acquired
        self._failures = 0

    async def acquire(self) -> AsyncConnection:
        statements = self._access._pool.statements
        _, self._lane, connection = await self._access._acquire(
            read_only=statements.may_read(self._statement) and self._failures < READ_RETRIES,
            where=self._where,
            consistency=self._consistency,
            after=self._after,
        )
        return connection

    async def failed(self, exc: DatabaseAdapterError, *, has_begun: bool) -> bool:
        if has_begun:
            return False
        lane = self._lane
        self._failures += 1
        statements = self._access._pool.statements
        if isinstance(exc, ReadOnlyViolation) and not lane.serves_writes:
            statements.remember(self._statement)
            return True
        if not isinstance(exc, ConnectionLost):
            return False
        if lane.cluster is not None:
            await lane.cluster.doubts(lane)
        is_safe = not lane.serves_writes or statements.is_harmless(self._statement)
        return is_safe and self._failures <= READ_RETRIES

    async def release(self, connection: AsyncConnection) -> None:
        lane = self._lane
        await lane.release(connection)
        if lane.cluster is not None and lane.serves_writes:
            lane.cluster.note_write()
