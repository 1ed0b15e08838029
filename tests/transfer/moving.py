"""Makes SQLite files, moves them to Postgres and back, and looks at what they hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from attrs import define
from psycopg.conninfo import make_conninfo

from dbadapter import DatabaseConfig
from dbadapter.transfer import TransferPlan, TransferReport, plan_transfer, run_transfer
from dbadapter.transfer._read import read_batches, utf16_codec

Rows = Sequence[tuple[Any, ...]]


def make(path: Path, script: str, rows: dict[str, Rows] | None = None) -> DatabaseConfig:
    """An SQLite file from a script, with rows in its tables."""
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(script)
        for table, values in (rows or {}).items():
            if values:
                raw.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values[0]))})", values)
        raw.commit()
    return DatabaseConfig(sqlite_path=str(path))


def connect(config: DatabaseConfig) -> psycopg.Connection[Any]:
    """A connection to the Postgres database of a configuration."""
    pool = config.pool
    conninfo = make_conninfo(
        host=pool.host, port=pool.port, dbname=pool.database, user=pool.user, password=pool.current_password()
    )
    raw = psycopg.connect(conninfo, autocommit=True)
    raw.execute("SET TimeZone = 'UTC'")
    return raw


def move(
    source: DatabaseConfig, target: DatabaseConfig, **options: Any
) -> tuple[TransferPlan, TransferReport]:
    """Plan and carry out a transfer."""
    plan = plan_transfer(source, target)
    return plan, run_transfer(plan, **options)


def asked(config: DatabaseConfig, query: str, *params: Any) -> list[Any]:
    """The rows of a query in Postgres; values alone where there is one column."""
    with connect(config) as raw:
        rows = raw.execute(query.encode(), params or None).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


def pg_type(config: DatabaseConfig, table: str, column: str) -> str:
    """The type of a column in Postgres."""
    found = asked(
        config,
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s",
        f'"{table}"',
        column,
    )
    return str(found[0])


@define
class Content:
    """All that an SQLite file holds: rows as (class, value) with their table, and the schema."""

    rows: dict[str, list[Any]]
    schema: list[tuple[str, str, str | None]]


def content(config: DatabaseConfig) -> Content:
    """Read an SQLite file without what a transfer noted down in it."""
    with closing(sqlite3.connect(f"file:{config.sqlite_path}?mode=ro", uri=True)) as raw:
        utf16 = utf16_codec(raw.execute("PRAGMA encoding").fetchone()[0])
        master = raw.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        rows = {}
        for kind, name, _, sql in master:
            own = name.startswith("_dbadapter_") or "VIRTUAL TABLE" in (sql or "").upper()
            if kind != "table" or own:
                continue
            columns = [row[1] for row in raw.execute("SELECT * FROM pragma_table_xinfo(?)", (name,))]
            found = [row for batch in read_batches(raw, name, columns, utf16=utf16) for row in batch]
            rows[name] = sorted(([(type(v).__name__, v) for v in row] for row in found), key=repr)
        schema = [
            (kind, name, sql) for kind, name, table, sql in master if not table.startswith("_dbadapter_")
        ]
    return Content(rows, sorted(schema, key=repr))


def there_and_back(source: DatabaseConfig, postgres: DatabaseConfig) -> tuple[TransferPlan, TransferReport]:
    """Move to Postgres and back again; every value has its storage class and bytes, and the schema its text."""
    plan, report = move(source, postgres)
    assert report.verified, report.check
    returned = DatabaseConfig(sqlite_path=source.sqlite_path + ".back")
    _, back = move(postgres, returned)
    assert back.verified, back.check
    assert not back.rejects
    before, after = content(source), content(returned)
    for table, rows in before.rows.items():
        assert after.rows[table] == rows
    assert after.schema == before.schema
    return plan, report
