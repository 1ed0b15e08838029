"""The adapter: what a host app codes against, on whichever backend is in use at the moment."""

from __future__ import annotations

import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .._concurrency._aio import sleep
from .._concurrency._frames import caller_place
from .._core.bulk import check_name
from .._core.routing import check_consistency
from .._dialects import Dialect
from ..config import DatabaseConfig, DatabaseType
from ..errors import (
    ConfigError,
    ConnectionLost,
    DatabaseAdapterError,
    RetryableError,
    SwitchAborted,
    SwitchInProgress,
)
from ..querylog import QueryLog
from ..types import SwitchReport, TableInfo
from .access import AsyncAccess
from .backend import AsyncBackend, new_backend, open_backend
from .following import Watch, settled_backend
from .lane import PoolMoved
from .pool import AsyncPool
from .switch import Progress, check_wishes, switch_backend, target_config
from .transaction import AsyncTransaction

if TYPE_CHECKING:
    from ..schema import Schema
    from .vectors import AsyncVectorStore

__all__ = ["AsyncDatabaseAdapter"]

T = TypeVar("T")

_ISOLATION_LEVELS = ("read committed", "repeatable read", "serializable")
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.01, 0.5


class AsyncDatabaseAdapter(AsyncAccess):
    """One database for an app, embedded or a server, that can be changed for another one while the app runs.

    Safe to use from any number of callers at once. Statements take ``:name`` with a mapping or ``?`` with a sequence,
    the same text on both backends. Every error is a `dbadapter.errors.DatabaseAdapterError`.
    """

    _instance: ClassVar[AsyncDatabaseAdapter | None] = None

    def __init__(self, config: DatabaseConfig | None = None, *, schema: Schema | None = None) -> None:
        """An adapter that is not open yet.

        Args:
            config: what to connect to; default: the embedded SQLite file.
            schema: the app's tables, made on `initialize` where ``config.synchronize`` is set.
        """
        if config is not None and not isinstance(config, DatabaseConfig):
            raise ConfigError(f"config must be a DatabaseConfig, not {type(config).__name__}")
        self._backend = new_backend(config or DatabaseConfig())
        self._schema = schema
        self._query_log = QueryLog.wanted(self._backend.config)
        self._epoch = 0
        self._watch = Watch()
        self._switch_state: Mapping[str, Any] = {}
        self._follower: Any = None
        self._is_open = False
        self._opening = threading.Lock()
        self._switching = threading.Lock()

    # -- life ------------------------------------------------------------------------------------------------------

    async def initialize(self) -> None:
        """Open the database and check that it answers. Opening an open adapter does nothing.

        Raises `DatabaseUnavailable` saying what is wrong.
        """
        if self._is_open:
            return
        backend = await settled_backend(self, await open_backend(self._backend.config))
        with self._opening:
            came_second = self._is_open
            if not came_second:
                self._backend, self._is_open = backend, True
        if came_second:
            await backend.pool.close()
            return
        if self._schema is not None and self.config.synchronize:
            try:
                await self.create_tables(self._schema)
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Close all connections; those in use are closed when they are given back. Closing again does nothing."""
        self._is_open = False
        if (follower := self._follower) is not None:
            from ..switching._aio import run_mover

            self._follower = None
            await run_mover(follower.stop, follower.cancel)
        await self._watch.ahead.close()
        await self._backend.pool.close()

    async def __aenter__(self) -> AsyncDatabaseAdapter:
        await self.initialize()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @classmethod
    async def get_instance(cls) -> AsyncDatabaseAdapter:
        """The process-wide adapter; on first use it is made from the environment and opened.

        Raises `ConfigError` for a wrong environment, and `DatabaseUnavailable`.
        """
        if cls._instance is None:
            adapter = cls(DatabaseConfig.from_env())
            await adapter.initialize()
            if cls._instance is None:
                cls._instance = adapter
            else:
                await adapter.close()
        return cls._instance

    @classmethod
    def set_instance(cls, adapter: AsyncDatabaseAdapter | None) -> None:
        """Set the process-wide adapter; None forgets it (and does not close it).

        Raises `ConfigError` for anything else.
        """
        if adapter is not None and not isinstance(adapter, cls):
            raise ConfigError(
                f"adapter must be of class {cls.__name__} or None, not {type(adapter).__name__}"
            )
        cls._instance = adapter

    # -- transactions ----------------------------------------------------------------------------------------------

    def transaction(
        self,
        *,
        read_only: bool = False,
        isolation: str | None = None,
        consistency: str | None = None,
        after: str | None = None,
    ) -> AsyncTransaction:
        """A transaction for a with block; see `AsyncTransaction`.

        Args:
            read_only: it only reads, and so may run on a replica; a write raises `ReadOnlyViolation`.
            isolation: "read committed" (Postgres' default), "repeatable read" or "serializable" (all that SQLite has).
            consistency, after: of a read-only transaction, as for `fetch_all`.

        Raises `ConfigError` for an unknown `isolation` or `consistency`, `ParameterError` for an `after` that is no
        token. Entering the block raises what `execute` raises where there is no connection, leaving it
        `TransactionFailed` after a failed statement, `RetryableError` and `OutcomeUnknown`.
        """
        if isolation is not None and (
            not isinstance(isolation, str) or isolation.lower() not in _ISOLATION_LEVELS
        ):
            raise ConfigError(f"isolation must be one of {', '.join(_ISOLATION_LEVELS)}, not {isolation!r}")
        check_consistency(consistency, after)
        if isolation is not None and isolation.lower() == "serializable":
            consistency = "strong"  # a standby cannot give it
        return AsyncTransaction(
            self,
            read_only=read_only,
            isolation=isolation,
            where=caller_place(),
            consistency=consistency,
            after=after,
        )

    async def run_transaction(
        self,
        fn: Callable[[AsyncTransaction], Awaitable[T]],
        *,
        retries: int = 3,
        isolation: str | None = None,
    ) -> T:
        """Run ``fn(tx)`` in a transaction and commit it, again where it was rolled back for no fault of its own.

        It is run again when it lost against another transaction (`RetryableError`) or lost its connection before COMMIT
        (`ConnectionLost`), after a pause that doubles from 10 ms up to 0.5 s.

        Args:
            fn: does the work with the transaction it is given. It may run several times, so it should do nothing
                outside the database that cannot be undone.
            retries: how often it is run again at most.
            isolation: as for `transaction`.

        Returns:
            What `fn` returned.

        Raises:
            ConfigError: `retries` is not an integer of at least 0.
            RetryableError, ConnectionLost: the last one, when the retries are used up.
            OutcomeUnknown: the connection was lost during COMMIT, and whether it was done could not be learned.
            Exception: whatever `fn` raises; the transaction is rolled back.
        """
        if not isinstance(retries, int) or retries < 0:
            raise ConfigError(f"retries must be an integer of at least 0, not {retries!r}")
        backoff = _FIRST_BACKOFF
        for attempt in range(retries + 1):
            try:
                async with self.transaction(isolation=isolation) as tx:
                    return await fn(tx)
            except (RetryableError, ConnectionLost):
                # A lost COMMIT is neither, but OutcomeUnknown: to run that again could do the work twice.
                if attempt == retries:
                    raise
            # Spread out, so that two that collided do not collide again.
            await sleep(backoff * random.uniform(0.5, 1.5))
            backoff = min(backoff * 2, _LONGEST_BACKOFF)
        raise AssertionError("unreachable: the last attempt returns or raises")

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """The driver's own connection (sqlite3 or psycopg, in autocommit mode) for the length of a with block.

        What is left uncommitted at the end is rolled back, and settings we rely on are put back. Raises
        `DatabaseUnavailable`, `PoolExhausted` or `PoolClosed` where there is none.
        """
        _, lane, connection = await self._acquire(where=caller_place())
        try:
            yield await connection.lend()
        finally:
            await connection.forget_session()
            await lane.release(connection)
            if lane.cluster is not None:
                lane.cluster.note_write()

    # -- tables ----------------------------------------------------------------------------------------------------

    async def list_tables(self) -> list[str]:
        """The names of the tables, sorted; our own bookkeeping is left out."""
        await self._settle()
        return [row["name"] for row in await self.fetch_all(self.dialect.list_tables)]

    async def describe_table(self, name: str) -> TableInfo:
        """Columns, keys and indexes of the table `name`. Raises `UndefinedTable` if there is none of that name."""
        check_name("the table", name)
        await self._settle()
        rows = {part: await self.fetch_all(sql, {"tbl": name}) for part, sql in self.dialect.catalog.items()}
        return self.dialect.table_info(name, rows)

    async def create_tables(self, schema: Schema) -> None:
        """Create the tables of `schema` that are missing, in dependency order and one transaction.

        Tables that exist stay as they are; `Schema.check` tells what differs. Raises `ConfigError` for what is no
        `Schema` or does not fit the backend, and `QueryError` where the database refuses.
        """
        from .schema import create_tables

        await create_tables(self, schema)

    async def drop_tables(self, schema: Schema) -> None:
        """Drop the tables of `schema` that exist, dependents first, in one transaction.

        Raises `ForeignKeyViolation` or another `QueryError` where something else still depends on one of them.
        """
        from .schema import drop_tables

        await drop_tables(self, schema)

    # -- switching -------------------------------------------------------------------------------------------------

    async def switch_database(
        self,
        target: DatabaseType | DatabaseConfig,
        *,
        carry_data: bool = False,
        drain_timeout: float = 30.0,
        follow_back: bool = False,
        progress: Progress | None = None,
    ) -> SwitchReport:
        """Go over to another database while the app runs; callers see a short wait and no error.

        Args:
            target: the other backend of this adapter's config, or another config.
            carry_data: move rows and vectors too; else the target's own data are used. The way back to a backend that
                `follow_back` keeps up to date always brings what is still to be brought.
            drain_timeout: seconds that work in flight is given to end on the old backend.
            follow_back: keep the old backend up to date afterwards, so that switching back loses nothing.
            progress: called with a mapping that has at least ``phase``.

        Raises:
            ConfigError: an argument is wrong; nothing was done.
            SwitchAborted: it did not happen, and the old backend is still the one in use.
            SwitchInProgress: another switch is under way.
        """
        check_wishes(target, drain_timeout, progress, carry_data=carry_data, follow_back=follow_back)
        if not self._switching.acquire(blocking=False):
            raise SwitchInProgress("another switch of this adapter is under way; wait for it to end")
        try:
            self._pool.require_open()
            if carry_data or follow_back:
                await self._go_to_data()
            config = target_config(self.config, target)
            if config == self.config:
                raise SwitchAborted(f"the target is the {self.db_type.value} database already in use")
            if carry_data or follow_back or self._is_followed_by(config):
                from .carry import switch_with_data

                return await switch_with_data(self, config, drain_timeout, follow_back, progress)
            return await switch_backend(self, config, drain_timeout=drain_timeout, progress=progress)
        finally:
            self._switch_state = {}
            self._switching.release()

    async def rehearse_switch(
        self,
        target: DatabaseType | DatabaseConfig,
        *,
        drain_timeout: float = 30.0,
        progress: Progress | None = None,
    ) -> SwitchReport:
        """Do all of a switch with its data but the decision, against a scratch database that is thrown away.

        Args:
            target: as for `switch_database`; on Postgres the role needs the right to create a database.
            drain_timeout: seconds to wait for the lock in which the last round would run.
            progress: as for `switch_database`.

        Returns:
            ``rows_copied``, ``rounds``, ``verified``, and in ``paused_ms`` the pause that is to be expected.

        Raises:
            SwitchAborted: what a switch would refuse, with the reason. SwitchInProgress: a switch is under way.
        """
        check_wishes(target, drain_timeout, progress)
        if not self._switching.acquire(blocking=False):
            raise SwitchInProgress("another switch of this adapter is under way; wait for it to end")
        try:
            self._pool.require_open()
            await self._go_to_data()
            from .carry import rehearse_switch

            return await rehearse_switch(self, target_config(self.config, target), drain_timeout, progress)
        finally:
            self._switching.release()

    async def _go_to_data(self) -> None:
        """Go over to where the data live, if another process has moved them since that was looked up."""
        self._watch.look_soon()
        try:
            await self._settle()
        except DatabaseAdapterError as exc:
            raise SwitchAborted(f"the database in use cannot be asked where the data live: {exc}") from exc

    def _is_followed_by(self, config: DatabaseConfig) -> bool:
        """Whether the database of `config` is the old one that is kept up to date."""
        follower = self._follower
        return follower is not None and follower.leads_to(config)

    def _adopt(self, backend: AsyncBackend) -> None:
        """Use `backend` from now on."""
        backend.pool.adopted()
        self._backend = backend
        self._query_log = QueryLog.wanted(backend.config)
        self._epoch += 1

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def config(self) -> DatabaseConfig:
        """The config in use; after a switch, the target's."""
        return self._backend.config

    @property
    def db_type(self) -> DatabaseType:
        """The backend in use."""
        return self._backend.db_type

    @property
    def dialect(self) -> Dialect:
        """The backend's quoting and catalog."""
        return self._backend.dialect

    @property
    def pool(self) -> AsyncPool:
        """The backend's pool; another one after a switch, which serves those that ask the old one, too."""
        return self._backend.pool

    @property
    def vectors(self) -> AsyncVectorStore:
        """The vector collections."""
        from .vectors import AsyncVectorStore

        return AsyncVectorStore(self)

    def get_stats(self) -> dict[str, Any]:
        """The pool's figures, see `AsyncPool.get_stats`, with ``db_type`` and ``epoch``."""
        return {**self._backend.pool.get_stats(), "db_type": self.db_type.value, "epoch": self._epoch}

    async def health(self) -> dict[str, Any]:
        """Whether the database answers, within a second.

        Returns:
            ``{"status": "healthy" | "degraded" | "unhealthy", "main_pool": bool, "read_pool": bool, "db_type": …}``:
            degraded if only one of the two kinds of connections answers.
        """
        answers = {"main_pool": False, "read_pool": False}
        while self._is_open:
            try:
                answers = await self._backend.pool.health()
                break
            except PoolMoved:
                continue
        status = "healthy" if all(answers.values()) else "degraded" if any(answers.values()) else "unhealthy"
        return {"status": status, **answers, "db_type": self.db_type.value}

    async def status(self) -> dict[str, Any]:
        """What is in use and how it fares, for people: backend, place, epoch, whether a switch runs, health, pool."""
        config, follower = self.config, self._follower
        place = (
            config.sqlite_path
            if config.db_type is DatabaseType.SQLITE
            else f"{config.pool.host}:{config.pool.port}"
        )
        return {
            "db_type": self.db_type.value,
            "database": place,
            "open": self._is_open,
            "epoch": self._epoch,
            "switching": self._switching.locked(),
            "switch": dict(self._switch_state),
            "follow_back": None if follower is None else follower.state(),
            "health": await self.health(),
            "pool": self._backend.pool.get_stats(),
        }
