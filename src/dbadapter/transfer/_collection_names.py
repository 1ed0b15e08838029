"""Which vector collections a database has, asked without loading what works with them."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

__all__ = ["collection_names"]

_CATALOG = "_dbadapter_collections"
_IN_SQLITE = f"SELECT count(*) FROM sqlite_master WHERE name = '{_CATALOG}'"
_IN_POSTGRES = f"SELECT count(to_regclass('{_CATALOG}'))"


def collection_names(raw: sqlite3.Connection | psycopg.Connection[Any]) -> list[str]:
    """The names of the collections that a database has."""
    if raw.execute(_IN_SQLITE if isinstance(raw, sqlite3.Connection) else _IN_POSTGRES).fetchone() == (0,):
        return []
    from ..vectors.executor import postgres_executor, sqlite_executor

    found = (
        sqlite_executor(raw, read_only=True)
        if isinstance(raw, sqlite3.Connection)
        else postgres_executor(raw)
    )
    return [collection.name for collection in found.vectors.list_collections()]
