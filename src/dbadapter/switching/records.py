"""The home record in its table, through the drivers' own connections; see `dbadapter._core.switching`."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from .._core.switching import Record

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "TABLE",
    "forget_postgres",
    "forget_sqlite",
    "read_postgres",
    "read_sqlite",
    "write_postgres",
    "write_sqlite",
]

TABLE = "_dbadapter_epoch"
HAS_SQLITE = f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{TABLE}'"
HAS_POSTGRES = f"SELECT 1 WHERE to_regclass('{TABLE}') IS NOT NULL"
READ = f"SELECT record FROM {TABLE}"
_CREATE = f"CREATE TABLE IF NOT EXISTS {TABLE} (record TEXT NOT NULL)"
_CLEAR = f"DELETE FROM {TABLE}"


def read_sqlite(raw: sqlite3.Connection) -> Record | None:
    """The record of an SQLite file."""
    if raw.execute(HAS_SQLITE).fetchone() is None:
        return None
    row = raw.execute(READ).fetchone()
    return Record.from_text(row[0]) if row else None


def write_sqlite(raw: sqlite3.Connection, record: Record) -> None:
    """Write the record, in the transaction that is open."""
    raw.execute(_CREATE)
    raw.execute(_CLEAR)
    raw.execute(f"INSERT INTO {TABLE} VALUES (?)", (record.to_text(),))


def forget_sqlite(raw: sqlite3.Connection) -> None:
    """Take the record away, of a database that never took part in a switch that was decided."""
    raw.execute(f"DROP TABLE IF EXISTS {TABLE}")


def read_postgres(raw: psycopg.Connection[Any]) -> Record | None:
    """The record of a Postgres database."""
    if raw.execute(HAS_POSTGRES.encode()).fetchone() is None:
        return None
    row = raw.execute(READ.encode()).fetchone()
    return Record.from_text(row[0]) if row else None


def write_postgres(raw: psycopg.Connection[Any], record: Record) -> None:
    """Write the record, in the transaction that is open; roles of all processes may read it."""
    if raw.execute(HAS_POSTGRES.encode()).fetchone() is None:
        raw.execute(_CREATE.encode())
        raw.execute(f"GRANT SELECT ON {TABLE} TO PUBLIC".encode())
    raw.execute(_CLEAR.encode())
    raw.execute(f"INSERT INTO {TABLE} VALUES (%s)".encode(), (record.to_text(),))


def forget_postgres(raw: psycopg.Connection[Any]) -> None:
    """See `forget_sqlite`."""
    raw.execute(f"DROP TABLE IF EXISTS {TABLE}".encode())
