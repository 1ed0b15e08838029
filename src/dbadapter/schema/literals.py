"""Python values as SQL literals of each backend."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from .._dialects import POSTGRESQL, SQLITE
from . import types as t
from .intervals import microseconds

__all__ = ["postgresql_literal", "sqlite_literal"]


def sqlite_literal(kind: t.Type, value: Any) -> str:
    """The literal that SQLite stores as the adapter would store the value."""
    from .._drivers.values import SQLITE_ENCODERS, encode_one, json_text

    if isinstance(kind, t.Vector):
        import numpy as np

        value = np.asarray(value, dtype="<f4")
    elif isinstance(kind, t.Array):
        value = [_json_item(item) for item in value]
    elif isinstance(kind, t.Json):
        return SQLITE.literal(json_text(value))
    stored = encode_one(value, SQLITE_ENCODERS)
    if isinstance(stored, bytes):
        return f"X'{stored.hex()}'"
    if isinstance(stored, str):
        return SQLITE.literal(stored)
    if isinstance(stored, float):
        return {float("inf"): "9e999", float("-inf"): "-9e999"}.get(stored) or repr(stored)
    return str(stored)


def _json_item(value: Any) -> Any:
    """An array's item as JSON holds it."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, timedelta):
        return microseconds(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    return value.hex() if isinstance(value, bytes) else value


def postgresql_literal(kind: t.Type, value: Any) -> str:
    """The literal; PostgreSQL takes a quoted one for the column's type."""
    if isinstance(kind, t.Json):
        return POSTGRESQL.literal(json.dumps(value, ensure_ascii=False))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"'{'-' if value < 0 else ''}Infinity'" if abs(value) == float("inf") else repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return POSTGRESQL.literal(_postgresql_text(kind, value))


def _postgresql_text(kind: t.Type, value: Any) -> str:
    if isinstance(kind, t.Vector):
        return "[" + ",".join(f"{item:.9g}" for item in value) + "]"
    if isinstance(kind, t.Array):
        return "{" + ",".join(_array_item(kind.of, item) for item in value) + "}"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, timedelta):
        return f"{'-' if value < timedelta(0) else ''}{_clock(abs(value))}"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def _clock(value: timedelta) -> str:
    hours, rest = divmod(microseconds(value), 3_600_000_000)
    minutes, micros = divmod(rest, 60_000_000)
    return f"{hours:02}:{minutes:02}:{micros // 1_000_000:02}" + (
        f".{micros % 1_000_000:06}" if micros % 1_000_000 else ""
    )


def _array_item(kind: t.Type, value: Any) -> str:
    text = _postgresql_text(kind, value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
