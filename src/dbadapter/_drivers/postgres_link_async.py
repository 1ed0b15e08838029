"""A connection to Postgres through psycopg: how it is opened, watched and closed, and its transactions."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Sequence
from time import perf_counter
from typing import Any, cast

import attrs
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.raw_cursor import AsyncRawCursor

from .._concurrency._fork import abandon
from .._core.consistency import Token, settled
from .._core.statement import Parameters, Statement
from .._core.topology import Sample
from ..config import PoolConfig
from ..errors import ConnectionLost, DatabaseAdapterError, DatabaseUnavailable
from .postgres_errors import CommitInDoubt, ends_connection, is_transient, translate
from .postgres_options import connection_arguments, why_refused, without_password
from .postgres_positions import IDENTITY, POSITION, TRANSACTION_FATE, WHOLE, read_sample
from .postgres_types import PostgresCatalog
from .postgres_vectors import register
from .postgres_waiting import WaitingConnection  # unasync: async-only
from .values import POSTGRES_ENCODERS, ValueRefused, refusal

__all__ = ["FAILURES", "AsyncPostgresLink", "open_raw"]

FAILURES = (psycopg.Error, psycopg.Warning, UnicodeError, OverflowError)
_Raw = WaitingConnection  # unasync: async-only
# _Raw = psycopg.Connection  # unasync: sync-only
_STALE_PLAN = "0A000"


async def open_raw(host: str, port: int, config: PoolConfig, timeout: float) -> psycopg.AsyncConnection[Any]:
    """Open a connection in autocommit mode, TimeZone UTC, to one server, in `timeout` seconds.

    Raises `DatabaseUnavailable` in the server's own words, `transient` if trying again may help.
    """
    arguments = connection_arguments(host, port, config, timeout)
    try:
        raw = await _Raw.connect(**arguments)
    except (psycopg.Error, OSError) as exc:
        arguments.clear()
        raise DatabaseUnavailable(
            f"cannot connect to Postgres at {host}:{port}: {why_refused(exc)}", transient=is_transient(exc)
        ) from without_password(exc)
    if config.pgbouncer:
        try:
            await raw.execute("SET TimeZone = 'UTC'")  # PgBouncer keeps this one for each client
        except BaseException as exc:
            await raw.close()
            if isinstance(exc, psycopg.Error):
                raise DatabaseUnavailable(
                    f"cannot use PgBouncer at {host}:{port}: {exc}", transient=is_transient(exc)
                ) from exc
            raise
    return raw


class AsyncPostgresLink:
    """The connection itself; used by one caller at a time."""

    __slots__ = (
        "__weakref__",
        "_asks_id",
        "_catalog",
        "_cursor",
        "_cursors",
        "_poll",
        "_transaction_id",
        "created_at",
        "expires_at",
        "held_since",
        "holder",
        "is_shared",
        "raw",
        "released_at",
        "server",
        "system",
        "was_standby",
        "where",
    )

    begins_late = True
    """A transaction may begin with its first statement: nothing is locked before."""

    def __init__(
        self, raw: psycopg.AsyncConnection[Any], catalog: PostgresCatalog, *, is_shared: bool = False
    ) -> None:
        self.raw = raw
        self.created_at = self.held_since = self.released_at = perf_counter()
        self.expires_at = float("inf")
        self.holder: Any = None
        self.where: str | None = None
        self._catalog = catalog
        register(raw)
        # One cursor for all statements: making one costs a tenth of a point read.
        self._cursor: AsyncRawCursor[Any] = AsyncRawCursor(raw)
        self._cursors = 0  # server-side ones declared so far, for their names
        poller = select.poll()
        poller.register(raw.fileno(), select.POLLIN)
        self._poll = poller.poll
        # Behind a PgBouncer another server connection may serve each transaction.
        self.is_shared = is_shared
        self.server, self.system = "", 0
        self._asks_id, self._transaction_id = False, ""
        self.was_standby = raw.info.parameter_status("in_hot_standby") == "on"

    # -- questions of our own ----------------------------------------------------------------------------------------

    async def _ask(self, query: str, values: Sequence[Any]) -> list[Any]:
        try:
            async with AsyncRawCursor(self.raw) as cursor:
                await cursor.execute(cast(Any, query), values)
                return await cursor.fetchall()
        except FAILURES as exc:
            raise self._error(exc, None, None) from exc

    async def run(self, text: str) -> None:
        """Run a statement of our own without parameters."""
        try:
            await self._cursor.execute(cast(Any, text))
        except FAILURES as exc:
            raise self._error(exc, None, None) from exc

    # -- transactions ----------------------------------------------------------------------------------------------

    async def begin(
        self, *, read_only: bool = False, isolation: str | None = None, writes: bool = False
    ) -> None:
        """Begin a transaction; one that `writes` at once is told its id in the same round trip."""
        level = f" ISOLATION LEVEL {isolation.upper()}" if isolation else ""
        text = f"BEGIN{level}{' READ ONLY' if read_only else ''}"
        self._transaction_id, self._asks_id = "", not read_only
        if writes and not read_only:
            await self.learn_id(f"{text}; ")
        else:
            await self.run(text)

    async def learn_id(self, before: str = "") -> None:
        """Ask for the id of the transaction that is about to write, so that its fate can be asked for."""
        if not self._asks_id:
            return
        self._asks_id = False
        known = self.server and not self.is_shared
        try:
            await self._cursor.execute(
                cast(Any, f"{before}SELECT pg_current_xact_id()::text, {'NULL' if known else IDENTITY}"),
                prepare=False,
            )
            if before:
                self._cursor.nextset()
            row: Any = await self._cursor.fetchone()
        except FAILURES as exc:
            raise self._error(exc, None, None) from exc
        self._transaction_id = row[0]
        self.server = row[1] or self.server

    async def commit(self) -> None:
        """Commit; if the answer does not arrive, `OutcomeUnknown`, with what is needed to ask for it elsewhere."""
        try:
            await self.run("COMMIT")
        except ConnectionLost as exc:
            pid = 0 if self.is_shared else self.raw.info.backend_pid
            raise CommitInDoubt(self._transaction_id, self.server, pid) from exc

    async def fate(self, transaction_id: str, server: str) -> str | None:
        """What became of a transaction of another connection, told on this one.

        "committed", "aborted", "in progress", or None where nobody can tell any more: an id that was never written down
        may have been given to another transaction after a crash, and by a promoted replica.
        """
        try:
            ((status, here),) = await self._ask(TRANSACTION_FATE, [transaction_id])
        except DatabaseAdapterError as exc:
            if "is in the future" in str(exc):
                return "aborted"
            raise
        return status if here == server or status == "aborted" else None

    async def end_backend(self, pid: int) -> None:
        """Have the server end another connection of ours that it has not noticed is gone."""
        await self._ask("SELECT pg_terminate_backend($1)", [pid])

    async def rollback(self) -> None:
        """Roll back what there is to roll back; a lost connection has done so by itself."""
        if not self.raw.closed and self.raw.info.transaction_status != TransactionStatus.IDLE:
            await self.run("ROLLBACK")

    # -- life ------------------------------------------------------------------------------------------------------

    def is_alive(self) -> bool:
        """The server has not hung up, as far as the socket tells; no round trip is made."""
        # An idle server says nothing: what there is to read is its farewell.
        return not self.raw.closed and not self._poll(0)

    def abort(self) -> None:
        """Make whoever waits for this connection's server fail at once; from any thread."""
        try:
            with socket.socket(fileno=os.dup(self.raw.fileno())) as ours:
                ours.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg.Error):
            pass  # it has ended already

    def disown(self, *, in_use: bool) -> bool:
        """In a forked child: leave the parent's socket alone, whatever is done with this object from now on."""
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, self.raw.fileno())
            os.close(nowhere)
        except (OSError, psycopg.Error):
            pass  # it was closed
        abandon(self.raw)
        return True

    def is_clean(self) -> bool:
        """Nothing is left open by the last user."""
        pgconn = self.raw.pgconn
        return bool(pgconn.transaction_status == TransactionStatus.IDLE)

    async def reset(self) -> bool:
        """Leave nothing of the last user behind; False if the connection is of no more use."""
        if self.raw.closed or self.raw.info.transaction_status == TransactionStatus.ACTIVE:
            return False
        try:
            await self.rollback()
        except DatabaseAdapterError:
            return False
        return self.is_clean()

    async def lend(self) -> Any:
        """The driver's own connection for somebody else, until `forget_session`."""
        return self.raw

    async def forget_session(self) -> None:
        """After its user had the driver's own connection: put back what the connection is set to."""
        self._catalog.clear()
        try:
            await self.rollback()
            if not self.raw.autocommit:
                await self.raw.set_autocommit(True)
            self.raw.row_factory = psycopg.rows.tuple_row
            await self.raw.execute("SET TimeZone = 'UTC'")
        except (DatabaseAdapterError, *FAILURES):
            await self.close()

    async def ping(self) -> None:
        """Raise `DatabaseUnavailable` unless the server answers."""
        try:
            await self.run("SELECT 1")
        except DatabaseAdapterError as exc:
            raise DatabaseUnavailable(str(exc)) from exc

    async def sample(self, *, whole: bool = True) -> Sample:
        """Role and position of the server; `whole`: also its timeline and its identity."""
        started = perf_counter()
        whole = whole or not self.system
        row = (await self._ask(WHOLE if whole else POSITION, []))[0]
        sample = read_sample(
            row, started=started, connected=self.created_at, server=self.server, system=self.system
        )
        if self.is_shared:
            sample = attrs.evolve(sample, server="")
        self.server, self.system = sample.server, sample.system
        return sample

    async def token(self) -> str:
        """What stands for the server's present position."""
        sample = await self.sample()
        return str(Token(sample.system, sample.timeline or 0, settled(sample.position)))

    async def is_standby(self) -> bool:
        """The server refuses writes because it is, or has become, a replica."""
        return bool((await self._ask("SELECT pg_is_in_recovery()", []))[0][0])

    async def close(self) -> None:
        """Close the connection; closing again does nothing."""
        await self.raw.close()

    # -- errors ----------------------------------------------------------------------------------------------------

    def _is_stale_plan(self, exc: Exception) -> bool:
        """A prepared statement whose table has changed since; outside a transaction it can be run again."""
        stale = getattr(exc, "sqlstate", None) == _STALE_PLAN and "cached plan" in str(exc)
        return stale and self.raw.info.transaction_status == TransactionStatus.IDLE

    def _error(self, exc: Exception, statement: Statement | None, params: Parameters) -> DatabaseAdapterError:
        if isinstance(exc, ValueRefused):
            assert statement is not None
            return refusal(exc, statement, params, POSTGRES_ENCODERS)
        found = translate(exc, statement)
        if isinstance(found, DatabaseUnavailable):
            if self.raw.closed or ends_connection(exc):
                return ConnectionLost(f"the connection to Postgres was lost: {found}", transient=True)
        elif self.raw.closed and ends_connection(exc):
            # Behind a PgBouncer both it and the server say goodbye, and psycopg complains of the second answer.
            return ConnectionLost(
                "the connection to Postgres was lost in the middle of an answer", transient=True
            )
        return found
