"""One database adapter for an app that starts on SQLite and grows to Postgres, and moves between them as it runs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ._async.adapter import AsyncDatabaseAdapter
    from ._async.postgres_pool import AsyncPostgresPool
    from ._async.sqlite_pool import AsyncSQLitePool
    from ._async.transaction import AsyncTransaction
    from ._sync.adapter import DatabaseAdapter
    from ._sync.postgres_pool import PostgresPool
    from ._sync.sqlite_pool import SQLitePool
    from ._sync.transaction import Transaction
    from .config import DatabaseConfig, DatabaseType, InsecureTLSWarning, PoolConfig
    from .types import ColumnInfo, ForeignKeyInfo, IndexInfo, Result, SwitchReport, TableInfo

_HOMES = {
    "._async.adapter": ("AsyncDatabaseAdapter",),
    "._async.postgres_pool": ("AsyncPostgresPool",),
    "._async.sqlite_pool": ("AsyncSQLitePool",),
    "._async.transaction": ("AsyncTransaction",),
    "._sync.adapter": ("DatabaseAdapter",),
    "._sync.postgres_pool": ("PostgresPool",),
    "._sync.sqlite_pool": ("SQLitePool",),
    "._sync.transaction": ("Transaction",),
    ".config": ("DatabaseConfig", "DatabaseType", "InsecureTLSWarning", "PoolConfig"),
    ".types": ("ColumnInfo", "ForeignKeyInfo", "IndexInfo", "Result", "SwitchReport", "TableInfo"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AsyncDatabaseAdapter",
    "AsyncPostgresPool",
    "AsyncSQLitePool",
    "AsyncTransaction",
    "ColumnInfo",
    "DatabaseAdapter",
    "DatabaseConfig",
    "DatabaseType",
    "ForeignKeyInfo",
    "IndexInfo",
    "InsecureTLSWarning",
    "PoolConfig",
    "PostgresPool",
    "Result",
    "SQLitePool",
    "SwitchReport",
    "TableInfo",
    "Transaction",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that an app pays for the half that it uses."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
