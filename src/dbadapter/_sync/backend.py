# Generated from src/dbadapter/_async/backend.py by tools/unasync.py; do not edit.
"""The one place that names the backends: a config in, a pool with its dialect out."""

from __future__ import annotations

import importlib
from typing import Any

import attrs

from .._dialects import POSTGRESQL, SQLITE, Dialect
from ..config import DatabaseConfig, DatabaseType
from .pool import Pool
from .postgres_pool import PostgresPool
from .sqlite_pool import SQLitePool

__all__ = ["Backend", "load_driver", "new_backend", "open_backend"]


@attrs.frozen(eq=False)
class Backend:
    """One database that is open for use."""

    config: DatabaseConfig
    pool: Pool
    dialect: Dialect

    @property
    def db_type(self) -> DatabaseType:
        """Which of the two it is."""
        return self.config.db_type


def open_backend(config: DatabaseConfig) -> Backend:
    """Open the database that `config` names. Raises `DatabaseUnavailable`."""
    backend = new_backend(config)
    if config.create_database:
        create_missing_database(backend)
    backend.pool.open()
    return backend


def load_driver(config: DatabaseConfig) -> None:
    """Import what speaks to the database of `config`: it is heavy, and otherwise imported when it is first used."""
    drivers = {DatabaseType.SQLITE: "sqlite", DatabaseType.POSTGRESQL: "postgres"}
    importlib.import_module(f".._drivers.{drivers[config.db_type]}", __package__)


def new_backend(config: DatabaseConfig) -> Backend:
    """The backend that `config` names, not open yet."""
    kinds: dict[DatabaseType, tuple[Any, Dialect]] = {
        DatabaseType.SQLITE: (SQLitePool, SQLITE),
        DatabaseType.POSTGRESQL: (PostgresPool, POSTGRESQL),
    }
    pool, dialect = kinds[config.db_type]
    return Backend(config, pool(config), dialect)


def create_missing_database(backend: Backend) -> None:
    """Create the Postgres database when the server has none of that name; SQLite makes its file by itself."""
    if not isinstance(backend.pool, PostgresPool):
        return
    name = backend.config.pool.database
    maintenance = attrs.evolve(backend.config.pool, database="postgres", min_connections=1, max_connections=1)
    pool = PostgresPool(maintenance)
    with pool:
        with pool.get_connection() as raw:
            found = raw.execute("SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", (name,))
            if found.fetchone() is None:
                raw.execute(f"CREATE DATABASE {backend.dialect.quote(name)}")
