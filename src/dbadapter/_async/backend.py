"""The one place that names the backends: a config in, a pool with its dialect out."""

from __future__ import annotations

import importlib
from typing import Any

import attrs

from .._core.parsing import parse
from .._dialects import POSTGRESQL, SQLITE, Dialect
from ..config import DatabaseConfig, DatabaseType
from ..errors import DatabaseAdapterError, DatabaseUnavailable
from .pool import AsyncPool
from .postgres_pool import AsyncPostgresPool
from .sqlite_pool import AsyncSQLitePool

__all__ = ["AsyncBackend", "create_missing_database", "load_driver", "new_backend", "open_backend"]


@attrs.frozen(eq=False)
class AsyncBackend:
    """One database that is open for use."""

    config: DatabaseConfig
    pool: AsyncPool
    dialect: Dialect

    @property
    def db_type(self) -> DatabaseType:
        """Which of the two it is."""
        return self.config.db_type


async def open_backend(config: DatabaseConfig) -> AsyncBackend:
    """Open the database that `config` names. Raises `DatabaseUnavailable`."""
    backend = new_backend(config)
    await create_missing_database(config)
    await backend.pool.open()
    return backend


def load_driver(config: DatabaseConfig) -> None:
    """Import what speaks to the database of `config`: it is heavy, and otherwise imported when it is first used."""
    drivers = {DatabaseType.SQLITE: "sqlite_async", DatabaseType.POSTGRESQL: "postgres_async"}
    importlib.import_module(f".._drivers.{drivers[config.db_type]}", __package__)


def new_backend(config: DatabaseConfig) -> AsyncBackend:
    """The backend that `config` names, not open yet."""
    kinds: dict[DatabaseType, tuple[Any, Dialect]] = {
        DatabaseType.SQLITE: (AsyncSQLitePool, SQLITE),
        DatabaseType.POSTGRESQL: (AsyncPostgresPool, POSTGRESQL),
    }
    pool, dialect = kinds[config.db_type]
    return AsyncBackend(config, pool(config), dialect)


async def create_missing_database(config: DatabaseConfig) -> None:
    """Create the Postgres database if `config` says so and the server has none of that name.

    SQLite makes its file by itself. Raises `DatabaseUnavailable`.
    """
    if not config.create_database or config.db_type is not DatabaseType.POSTGRESQL:
        return
    name = config.pool.database
    maintenance = attrs.evolve(config.pool, database="postgres", min_connections=1, max_connections=1)
    async with AsyncPostgresPool(maintenance) as pool:
        connection = await pool.writer.acquire()
        try:
            if await _is_there(connection, name):
                return
            try:
                await connection.run(f"CREATE DATABASE {POSTGRESQL.quote(name)}")
            except DatabaseAdapterError as exc:
                if not await _is_there(connection, name):  # else another process has just done it
                    raise DatabaseUnavailable(
                        f"the database {name} is missing, and to create it failed: {exc}"
                    ) from exc
        finally:
            await pool.writer.release(connection)


async def _is_there(connection: Any, name: str) -> bool:
    _, found = await connection.fetch(
        parse("SELECT 1 FROM pg_catalog.pg_database WHERE datname = ?"), (name,), 1
    )
    return bool(found)
