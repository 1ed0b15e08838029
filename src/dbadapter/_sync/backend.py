# Generated from src/dbadapter/_async/backend.py by tools/unasync.py; do not edit.
"""The one place that names the backends: a config in, a pool with its dialect out."""

from __future__ import annotations

import importlib
from typing import Any

import attrs

from .._core.parsing import parse
from .._dialects import POSTGRESQL, SQLITE, Dialect
from ..config import DatabaseConfig, DatabaseType
from ..errors import DatabaseAdapterError, DatabaseUnavailable
from .pool import Pool
from .postgres_pool import PostgresPool
from .sqlite_pool import SQLitePool

__all__ = ["Backend", "create_missing_database", "load_driver", "new_backend", "open_backend"]


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
    create_missing_database(config)
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


def create_missing_database(config: DatabaseConfig) -> None:
    """Create the Postgres database if `config` says so and the server has none of that name.

    SQLite makes its file by itself. Raises `DatabaseUnavailable`.
    """
    if not config.create_database or config.db_type is not DatabaseType.POSTGRESQL:
        return
    name = config.pool.database
    maintenance = attrs.evolve(config.pool, database="postgres", min_connections=1, max_connections=1)
    with PostgresPool(maintenance) as pool:
        connection = pool.writer.acquire()
        try:
            if _is_there(connection, name):
                return
            try:
                connection.run(f"CREATE DATABASE {POSTGRESQL.quote(name)}")
            except DatabaseAdapterError as exc:
                if not _is_there(connection, name):  # else another process has just done it
                    raise DatabaseUnavailable(
                        f"the database {name} is missing, and to create it failed: {exc}"
                    ) from exc
        finally:
            pool.writer.release(connection)


def _is_there(connection: Any, name: str) -> bool:
    _, found = connection.fetch(parse("SELECT 1 FROM pg_catalog.pg_database WHERE datname = ?"), (name,), 1)
    return bool(found)
