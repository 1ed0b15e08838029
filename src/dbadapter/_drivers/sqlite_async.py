"""SQLite for tasks: each connection has a thread of its own, and each operation makes one trip to it and back."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from .._concurrency._fork import Gone
from .._core.rows import RowSet
from .._core.statement import Parameters, Statement
from ..types import Result
from . import sqlite
from .sqlite_catalog import SQLiteCatalog

__all__ = ["AsyncSQLiteConnection", "connect"]

T = TypeVar("T")


class _Worker:
    """A thread that runs what it is given, in order."""

    __slots__ = ("_jobs",)

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]] | None]
        self._jobs = queue.SimpleQueue()
        threading.Thread(target=self._run, name="dbadapter-sqlite", daemon=True).start()

    def submit(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        # The loop of this call: an app may run one after another, with a connection that outlives them.
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((future, function, args))
        return future

    def stop(self) -> None:
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, function, args = job
            try:
                outcome, error = function(*args), None
            except BaseException as exc:
                outcome, error = None, exc
            with suppress(RuntimeError):  # the loop was closed: nobody is waiting any more
                future.get_loop().call_soon_threadsafe(_settle, future, outcome, error)
            job = future = function = args = outcome = error = None  # type: ignore[assignment]  # free them now


def _settle(future: asyncio.Future[Any], outcome: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(outcome)
    elif isinstance(error, StopIteration):
        future.set_result(None)
    else:
        future.set_exception(error)


_STOP_AGAIN = 0.05  # seconds


async def connect(
    path: str,
    *,
    catalog: SQLiteCatalog,
    read_only: bool,
    busy_timeout: float,
    statement_timeout: float | None = None,
) -> AsyncSQLiteConnection:
    """Open a connection as `sqlite.connect` does, on a thread of its own."""
    worker = _Worker()

    def opened() -> sqlite.SQLiteConnection:
        return sqlite.connect(
            path,
            catalog=catalog,
            read_only=read_only,
            busy_timeout=busy_timeout,
            statement_timeout=statement_timeout,
        )

    try:
        return AsyncSQLiteConnection(await worker.submit(opened), worker)
    except BaseException:
        worker.stop()
        raise


class AsyncSQLiteConnection:
    """A `SQLiteConnection` on a thread of its own; one operation at a time."""

    __slots__ = (
        "_worker",
        "created_at",
        "expires_at",
        "held_since",
        "holder",
        "inner",
        "released_at",
        "where",
    )

    begins_late = False
    was_standby = False

    def __init__(self, inner: sqlite.SQLiteConnection, worker: _Worker) -> None:
        self.inner = inner
        self._worker = worker
        self.created_at = self.held_since = self.released_at = inner.created_at
        self.expires_at = float("inf")
        self.holder: Any = None
        self.where: str | None = None

    @property
    def raw(self) -> Any:
        """The sqlite3 connection."""
        return self.inner.raw

    async def _call(self, function: Callable[..., T], *args: Any) -> T:
        self.inner.held_since = self.held_since
        self.inner.is_stopped = False
        try:
            return await self._worker.submit(function, *args)
        except asyncio.CancelledError:
            await self._settle_down()
            raise

    async def _settle_down(self) -> None:
        """Stop the statement under way and wait for its end, so that nobody else meets it.

        It is stopped again until it ends: the thread may not have come to it yet.
        """
        ended = self._worker.submit(bool)
        while not ended.done():
            self.inner.interrupt()
            try:
                await asyncio.wait([ended], timeout=_STOP_AGAIN)
            except asyncio.CancelledError:
                continue

    async def fetch(self, statement: Statement, params: Parameters, limit: int | None) -> RowSet:
        """See `SQLiteConnection.fetch`."""
        return await self._call(self.inner.fetch, statement, params, limit)

    async def execute(self, statement: Statement, params: Parameters) -> Result:
        """See `SQLiteConnection.execute`."""
        return await self._call(self.inner.execute, statement, params)

    async def execute_many(self, statement: Statement, rows: Iterable[Parameters]) -> int:
        """See `SQLiteConnection.execute_many`."""
        return await self._call(self.inner.execute_many, statement, rows)

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]], on_conflict: str | None
    ) -> int:
        """See `SQLiteConnection.insert_many`."""
        return await self._call(self.inner.insert_many, table, columns, rows, on_conflict)

    async def stream(
        self, statement: Statement, params: Parameters, batch_size: int
    ) -> AsyncGenerator[RowSet, None]:
        """See `SQLiteConnection.stream`."""
        batches = self.inner.stream(statement, params, batch_size)
        try:
            while (batch := await self._call(next, batches, None)) is not None:
                yield batch
        finally:
            await self._call(batches.close)

    async def columns_of(self, table: str) -> list[str]:
        """See `SQLiteConnection.columns_of`."""
        return await self._call(self.inner.columns_of, table)

    async def begin(
        self, *, read_only: bool = False, isolation: str | None = None, writes: bool = True
    ) -> None:
        """See `SQLiteConnection.begin`."""
        await self._call(lambda: self.inner.begin(read_only=read_only, isolation=isolation))

    async def commit(self) -> None:
        """See `SQLiteConnection.commit`."""
        await self._call(self.inner.commit)

    async def rollback(self) -> None:
        """See `SQLiteConnection.rollback`."""
        await self._call(self.inner.rollback)

    async def run(self, sql: str) -> None:
        """See `SQLiteConnection.run`."""
        await self._call(self.inner.run, sql)

    async def learn_id(self) -> None:
        """See `SQLiteConnection.learn_id`."""

    async def is_standby(self) -> bool:
        """See `SQLiteConnection.is_standby`."""
        return False

    async def token(self) -> str:
        """See `SQLiteConnection.token`."""
        return self.inner.token()

    def disown(self, *, in_use: bool) -> bool:
        """See `SQLiteConnection.disown`; the thread has stayed with the parent."""
        self._worker = Gone()  # type: ignore[assignment]
        return self.inner.disown(in_use=in_use)

    def is_alive(self) -> bool:
        """See `SQLiteConnection.is_alive`."""
        return True

    def is_clean(self) -> bool:
        """See `SQLiteConnection.is_clean`."""
        return self.inner.is_clean()

    async def reset(self) -> bool:
        """See `SQLiteConnection.reset`."""
        return await self._call(self.inner.reset)

    async def lend(self) -> Any:
        """See `SQLiteConnection.lend`."""
        return await self._call(self.inner.lend)

    async def forget_session(self) -> None:
        """See `SQLiteConnection.forget_session`."""
        await self._call(self.inner.forget_session)

    async def ping(self) -> None:
        """See `SQLiteConnection.ping`."""
        await self._call(self.inner.ping)

    async def close(self) -> None:
        """Close the connection and end its thread."""
        try:
            await self._call(self.inner.close)
        finally:
            self._worker.stop()
