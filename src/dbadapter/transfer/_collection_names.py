"""Which vector collections a database has, asked without loading what works with them."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

__all__ = ["collection_names"]

_CATALOG = "_dbadapter_collections"
_ASKED = {  # whether there are any, ever
    True: f"SELECT count(*) FROM sqlite_master WHERE name = '{_CATALOG}'",
    False: f"SELECT count(to_regclass('{_CATALOG}'))",
}


def collection_names(raw: sqlite3.Connection | psycopg.Connection[Any]) -> list[str]:
    """The names of the collections that a database has."""
    is_sqlite = isinstance(raw, sqlite3.Connection)
    if raw.execute(_ASKED[is_sqlite]).fetchone() == (0,):
        return []
    from ..vectors.executor import postgres_executor, sqlite_executor

    executor = sqlite_executor(raw, read_only=True) if is_sqlite else postgres_executor(raw)
    return [collection.name for collection in executor.vectors.list_collections()]
