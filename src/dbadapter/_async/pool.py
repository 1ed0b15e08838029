"""The pools: SQLite's and Postgres' connections under one set of limits and figures."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .._concurrency._aio import Periodic, Waiter, current_holder
from .._concurrency._frames import caller_place
from .._core.pool_state import Grant
from .._core.pool_stats import LaneFigures, NodeFigures, pool_stats
from .._core.routing import WriteMemory
from .._core.statement import Statement
from ..config import DatabaseConfig, PoolConfig
from ..errors import DatabaseAdapterError, DatabaseUnavailable, PoolClosed
from .lane import AsyncLane, PoolMoved

__all__ = ["AsyncPool", "AsyncPostgresPool", "AsyncSQLitePool"]

_LONGEST_UPKEEP_INTERVAL = 10.0
# How long a health check waits for a connection.
_HEALTH_PATIENCE = 1.0


class AsyncPool:
    """What both pools are: lanes that share a lock, their upkeep, and their figures."""

    def __init__(self, config: PoolConfig) -> None:
        self.config = config
        self.writes = WriteMemory()
        self.writer: AsyncLane
        self.reader: AsyncLane
        self._lock = threading.Lock()
        self._lanes: list[AsyncLane] = []
        self._drained: Waiter | None = None
        self._is_open = False
        self._upkeep: Periodic | None = None

    # -- life ------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the minimum of connections and check that the database answers.

        Raises `DatabaseUnavailable`. Opening an open pool does nothing.
        """
        if self._is_open:
            return
        self._lanes = self._make_lanes()
        self._is_open = True
        try:
            for lane in self._lanes:
                await lane.fill()
            await self._check()
        except BaseException:
            await self.close()
            raise
        interval = min(self.config.idle_timeout / 2, self.config.max_lifetime / 2, _LONGEST_UPKEEP_INTERVAL)
        self._upkeep = Periodic(self._keep_house, max(interval, 0.05), "dbadapter-pool")
        await self._upkeep.start()

    async def close(self) -> None:
        """Close all connections: idle ones now, those in use when they are given back. Waiting callers get `PoolClosed`.

        Closing again does nothing.
        """
        await self._stop(Grant.CLOSED)

    async def _stop(self, grant: Grant) -> None:
        self._is_open = False
        upkeep, self._upkeep = self._upkeep, None
        if upkeep is not None:
            await upkeep.stop()
        for lane in self._lanes:
            await lane.refuse(grant)

    async def __aenter__(self) -> Any:
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def _make_lanes(self) -> list[AsyncLane]:
        raise NotImplementedError

    def _lane(self, name: str, connect: Any, minimum: int, maximum: int) -> AsyncLane:
        return AsyncLane(
            name,
            connect,
            self.config,
            minimum=minimum,
            maximum=maximum,
            lock=self._lock,
            on_release=self._note_release,
            entitled=self._is_holder,
        )

    async def _check(self) -> None:
        """Raise `DatabaseUnavailable` unless the database answers."""
        connection = await self.writer.acquire()
        try:
            await connection.ping()
        finally:
            await self.writer.release(connection)

    async def _keep_house(self) -> None:
        for lane in self._lanes:
            await lane.keep_house()

    # -- connections -----------------------------------------------------------------------------------------------

    def lane_for(self, statement: Statement) -> AsyncLane:
        """Where a statement that is expected to read runs."""
        return self.reader if self.writes.may_read(statement) else self.writer

    def require_open(self) -> None:
        """Raise `PoolClosed` unless the pool is open."""
        if not self._is_open and not self._lanes:
            raise PoolClosed("the pool is not open: call open(), or use it in a with statement")

    @asynccontextmanager
    async def get_connection(self, read_only: bool = False) -> AsyncIterator[Any]:
        """The driver's own connection (sqlite3 or psycopg, in autocommit mode) for the length of a with block.

        Args:
            read_only: a connection for reading will do.

        What is left uncommitted at the end is rolled back. Raises `PoolExhausted`, `PoolClosed` or
        `DatabaseUnavailable`.
        """
        self.require_open()
        lane = self.reader if read_only else self.writer
        connection = await lane.acquire(caller_place())
        try:
            yield connection.raw
        finally:
            await connection.forget_session()
            await lane.release(connection)

    # -- switching -------------------------------------------------------------------------------------------------

    def _is_holder(self, holder: Any) -> bool:
        return any(connection.holder == holder for lane in self._lanes for connection in lane.state.active)

    def _note_release(self) -> None:
        drained = self._drained
        if drained is not None and not drained.delivered and not self._is_busy():
            drained.deliver(None)

    def _is_busy(self) -> bool:
        return any(lane.state.is_busy for lane in self._lanes)

    async def drain(self, timeout: float) -> bool:
        """Let new callers wait and those in the middle of something finish; False if that took too long.

        Afterwards, call `resume` or `hand_over`.
        """
        drained = Waiter()
        with self._lock:
            for lane in self._lanes:
                lane.state.pause(self._is_holder)
            if not self._is_busy():
                return True
            self._drained = drained
        try:
            await drained.wait(timeout)
        finally:
            self._drained = None
        return drained.delivered

    def resume(self) -> None:
        """End a pause: everything goes on as before."""
        with self._lock:
            for lane in self._lanes:
                lane.state.resume()

    async def hand_over(self) -> None:
        """End a pause for good: those that waited ask the new backend, and this pool is closed."""
        await self._stop(Grant.MOVED)

    # -- figures ---------------------------------------------------------------------------------------------------

    def get_stats(self) -> dict[str, Any]:
        """The pool's figures as a plain dictionary, cheap enough to ask for every second.

        Keys: ``active idle created utilization min max waiting requests requests_waited wait_ms timeouts errors
        recycled leaks nodes holders``; times in ``wait_ms`` are milliseconds, ``utilization`` is active / max.
        """
        holders = [holder for lane in self._lanes for holder in lane.holders()]
        with self._lock:
            figures = [LaneFigures.of(lane.state) for lane in self._lanes]
        return pool_stats(self.config, figures, self._nodes(figures), holders)

    def _nodes(self, figures: list[LaneFigures]) -> list[NodeFigures]:
        raise NotImplementedError

    async def health(self) -> dict[str, bool]:
        """Whether writing and reading connections answer: ``{"main_pool": …, "read_pool": …}``."""
        return {"main_pool": await self._answers(self.writer), "read_pool": await self._answers(self.reader)}

    async def _answers(self, lane: AsyncLane) -> bool:
        try:
            connection = await lane.acquire(patience=_HEALTH_PATIENCE)
        except PoolMoved:
            raise
        except DatabaseAdapterError:
            return False
        try:
            await connection.ping()
        except DatabaseUnavailable:
            return False
        finally:
            await lane.release(connection)
        return True


class AsyncSQLitePool(AsyncPool):
    """One writer behind a fair queue, and readers that never wait for it (write-ahead log)."""

    def __init__(
        self,
        config: DatabaseConfig | PoolConfig | str | None = None,
        path: str | None = None,
    ) -> None:
        """A pool on the file of a `DatabaseConfig`, or on `path` with the limits of a `PoolConfig`.

        Args:
            config: a `DatabaseConfig`; or a `PoolConfig` for the limits; or the path itself.
            path: the file, or ":memory:", where `config` does not say it.
        """
        if isinstance(config, str):
            config, path = None, config
        if isinstance(config, DatabaseConfig):
            path = config.sqlite_path if path is None else path
            config = config.pool
        super().__init__(config or PoolConfig())
        self.path = DatabaseConfig(sqlite_path=path).sqlite_path if path else DatabaseConfig().sqlite_path

    def _make_lanes(self) -> list[AsyncLane]:
        from .._drivers.sqlite_async import connect
        from .._drivers.sqlite_catalog import SQLiteCatalog

        catalog = SQLiteCatalog()

        def connecting(*, read_only: bool) -> Any:
            async def opened() -> Any:
                return await connect(
                    self.path,
                    catalog=catalog,
                    read_only=read_only,
                    busy_timeout=self.config.connection_timeout,
                    statement_timeout=self.config.statement_timeout,
                )

            return opened

        limits = self.config
        # Each connection to ":memory:" is a database of its own, so there is one; and one is all that a limit of 1 allows.
        alone = self.path == ":memory:" or limits.max_connections == 1
        self.writer = self._lane(f"SQLite {self.path} (writer)", connecting(read_only=False), 1, 1)
        if alone:
            self.writer.state.idle_timeout = self.writer.state.max_lifetime = float("inf")
            self.reader = self.writer
            return [self.writer]
        readers = limits.max_connections - 1
        minimum = min(max(limits.min_connections - 1, 0), readers)
        self.reader = self._lane(
            f"SQLite {self.path} (readers)", connecting(read_only=True), minimum, readers
        )
        return [self.writer, self.reader]

    def _nodes(self, figures: list[LaneFigures]) -> list[NodeFigures]:
        return [NodeFigures.of("primary", None, None, healthy=self._is_open, lanes=figures)]


class AsyncPostgresPool(AsyncPool):
    """Connections to a Postgres server."""

    def __init__(self, config: PoolConfig | DatabaseConfig | None = None) -> None:
        """A pool on the server that `config` names; nothing is opened yet."""
        if isinstance(config, DatabaseConfig):
            config = config.pool
        super().__init__(config or PoolConfig())

    def _make_lanes(self) -> list[AsyncLane]:
        from .._drivers.postgres_async import connect
        from .._drivers.postgres_types import PostgresCatalog

        catalog = PostgresCatalog()
        host, port = self.config.primary_nodes[0]

        async def opened() -> Any:
            return await connect(host, port, self.config, catalog)

        limits = self.config
        self.writer = self._lane(
            f"Postgres {host}:{port}", opened, limits.min_connections, limits.max_connections
        )
        self.reader = self.writer
        return [self.writer]

    def _nodes(self, figures: list[LaneFigures]) -> list[NodeFigures]:
        host, port = self.config.primary_nodes[0]
        return [NodeFigures.of("primary", host, port, healthy=self._is_open, lanes=figures)]
