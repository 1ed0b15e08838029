"""The library's own tables in the target: what was moved how, what was rejected, and how values were spelled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from attrs import frozen

from ._values import RawText, from_raw, to_raw

__all__ = [
    "ORIGINALS",
    "REJECTS",
    "SOURCE",
    "TABLES",
    "Odd",
    "create_statements",
    "key_text",
    "key_values",
    "odd_value",
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
class Odd:
    """A value that is not (or not alone) where it belongs: rejected with a reason, or an original spelling (None).

    Attributes:
        table: the table's name in the target.
        key: see `key_text`.
        column: the column's name in the source.
        storage: the value's storage class; for a value of Postgres its type.
        raw: its bytes.
        reason: why it was rejected.
    """

    table: str
    key: str
    column: str
    storage: str
    raw: bytes | None
    reason: str | None


def odd_value(table: str, key: str, column: str, value: Any, reason: str | None) -> Odd:
    """The entry for one value."""
    storage, raw = to_raw(value)
    return Odd(table, key, column, storage, raw, reason)


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
