"""The library's own tables in the target.

They say which tables were moved, by which plan and how far; which values were rejected; and how values were spelled
that arrived in another spelling.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from ._values import RawText, from_raw, to_raw
from .plan import TablePlan, TransferPlan, from_dict, table_from_dict

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "ORIGINALS",
    "REJECTS",
    "SOURCE",
    "TABLES",
    "SetAside",
    "create_statements",
    "key_text",
    "key_values",
    "recorded_in_postgres",
    "recorded_in_sqlite",
    "recorded_plan",
    "rowid_text",
    "set_aside",
]

REJECTS = "_dbadapter_rejects"
ORIGINALS = "_dbadapter_originals"
TABLES = "_dbadapter_tables"
SOURCE = "_dbadapter_source"


def create_statements(dialect: Literal["sqlite", "postgresql"]) -> list[str]:
    """The statements that make the tables where they are missing."""
    raw = "BLOB" if dialect == "sqlite" else "bytea"
    number = "INTEGER" if dialect == "sqlite" else "bigint"
    return [
        f"CREATE TABLE IF NOT EXISTS {REJECTS} (tbl text NOT NULL, key text NOT NULL, col text NOT NULL, "
        f"storage_class text NOT NULL, raw {raw}, reason text NOT NULL)",
        f"CREATE TABLE IF NOT EXISTS {ORIGINALS} (tbl text NOT NULL, key text NOT NULL, col text NOT NULL, "
        f"storage_class text NOT NULL, raw {raw})",
        f"CREATE TABLE IF NOT EXISTS {TABLES} (tbl text PRIMARY KEY, state text NOT NULL, cursor {number}, "
        f"rows {number} NOT NULL, plan text NOT NULL)",
        f"CREATE TABLE IF NOT EXISTS {SOURCE} (name text PRIMARY KEY, value text NOT NULL)",
    ]


@frozen
class SetAside:
    """A value that is kept beside its table: it was rejected, or it is how a value was spelled that arrived otherwise.

    Attributes:
        table: the table's name in the target.
        key: see `key_text`.
        column: the column's name in the source.
        storage: the value's storage class; for a value of Postgres its type.
        raw: its bytes.
        reason: why it was rejected; None for an original spelling.
    """

    table: str
    key: str
    column: str
    storage: str
    raw: bytes | None
    reason: str | None


def set_aside(table: str, key: str, column: str, value: Any, reason: str | None) -> SetAside:
    """The entry for one value; see `SetAside`."""
    storage, raw = to_raw(value)
    return SetAside(table, key, column, storage, raw, reason)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"blob": value.hex()}
    if isinstance(value, RawText):
        return {"text": value.data.hex()}
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return {"text": value.encode("utf-8", "surrogatepass").hex()}
        return {"text": value.encode().hex()} if "\0" in value else value
    return value


def key_text(values: Sequence[Any]) -> str:
    """A row's key as text: a JSON array of the key's values; bytes as ``{"blob": "00ff"}``."""
    return json.dumps([_plain(value) for value in values], ensure_ascii=False)


def rowid_text(rowid: int) -> str:
    """The key of a row that has none of its own."""
    return json.dumps({"rowid": rowid})


def key_values(text: str) -> list[Any] | None:
    """The values of a `key_text`; None for a row without a key."""
    found = json.loads(text)
    if not isinstance(found, list):
        return None
    return [_value(item) for item in found]


def _value(item: Any) -> Any:
    if isinstance(item, dict):
        kind, data = next(iter(item.items()))
        return bytes.fromhex(data) if kind == "blob" else from_raw("text", bytes.fromhex(data))
    return item


def recorded_in_postgres(raw: psycopg.Connection[Any]) -> dict[str, tuple[str, TablePlan]]:
    """The tables that a transfer brought to this Postgres database, by name there: (state, plan)."""
    row = raw.execute("SELECT to_regclass(%s) IS NOT NULL", (TABLES,)).fetchone()
    if not row or not row[0]:
        return {}
    rows = raw.execute(f"SELECT tbl, state, plan FROM {TABLES}".encode()).fetchall()
    return {name: (state, table_from_dict(json.loads(plan))) for name, state, plan in rows}


def recorded_in_sqlite(raw: sqlite3.Connection) -> dict[str, tuple[str, TablePlan]]:
    """The tables that a transfer brought to this SQLite database, by name there: (state, plan)."""
    if not raw.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (TABLES,)).fetchone():
        return {}
    rows = raw.execute(f"SELECT tbl, state, plan FROM {TABLES}").fetchall()
    return {name: (state, table_from_dict(json.loads(plan))) for name, state, plan in rows}


def recorded_plan(value: str) -> TransferPlan:
    """The plan of the last transfer, as the bookkeeping has it."""
    return from_dict(json.loads(value))
