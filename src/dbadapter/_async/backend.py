"""The one place that names the backends: a config in, a pool with its dialect out."""

from __future__ import annotations

import importlib
from typing import Any

import attrs

from .._dialects import POSTGRESQL, SQLITE, Dialect
from ..config import DatabaseConfig, DatabaseType
from .pool import AsyncPool
from .postgres_pool import AsyncPostgresPool
from .sqlite_pool import AsyncSQLitePool

__all__ = ["AsyncBackend", "load_driver", "new_backend", "open_backend"]


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
    if config.create_database:
        await create_missing_database(backend)
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


async def create_missing_database(backend: AsyncBackend) -> None:
    """Create the Postgres database when the server has none of that name; SQLite makes its file by itself."""
    if not isinstance(backend.pool, AsyncPostgresPool):
        return
    name = backend.config.pool.database
    maintenance = attrs.evolve(backend.config.pool, database="postgres", min_connections=1, max_connections=1)
    pool = AsyncPostgresPool(maintenance)
    async with pool:
        async with pool.get_connection() as raw:
            found = await raw.execute("SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", (name,))
            if await found.fetchone() is None:
                await raw.execute(f"CREATE DATABASE {backend.dialect.quote(name)}")
