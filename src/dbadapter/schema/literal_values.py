"""SQL literals as Python values.

A literal is read by its column's type: ``'1'`` is a number in an integer column and text in a text column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from . import types as t
from .intervals import interval_from_text

__all__ = ["value_from_text"]


def value_from_text(kind: t.Type, text: str) -> Any:
    """The value whose literal's content is `text`; ValueError where it is none."""
    if isinstance(kind, (t.SmallInteger, t.Integer, t.BigInteger, t.Identity)):
        return int(text)
    if isinstance(kind, t.Boolean):
        return _boolean(text)
    if isinstance(kind, t.Float):
        return float(text)
    if isinstance(kind, t.Decimal):
        return _decimal(text)
    if isinstance(kind, t.Bytes):
        return bytes.fromhex(text[2:]) if text.startswith("\\x") else text.encode()
    if isinstance(kind, t.Uuid):
        return UUID(text)
    if isinstance(kind, t.Json):
        return json.loads(text)
    if isinstance(kind, t.Array):
        return _array(kind, text)
    if isinstance(kind, t.Vector):
        return tuple(float(item) for item in json.loads(text))
    return _moment(kind, text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number") from None


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered in ("true", "t", "1", "yes", "on", "y"):
        return True
    if lowered in ("false", "f", "0", "no", "off", "n"):
        return False
    raise ValueError(f"{text!r} is no boolean")


def _moment(kind: t.Type, text: str) -> Any:
    if isinstance(kind, t.Date):
        return date.fromisoformat(text)
    if isinstance(kind, t.Time):
        return time.fromisoformat(text)
    if isinstance(kind, t.Timestamp):
        found = datetime.fromisoformat(text)
        if kind.tz:
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        return found.replace(tzinfo=None)
    if isinstance(kind, t.Interval):
        interval = interval_from_text(text)
        if interval is None:
            raise ValueError(f"{text!r} is no interval")
        return interval
    return text


def _array(kind: t.Array, text: str) -> tuple[Any, ...]:
    if text.startswith("["):
        as_is = (t.Text, t.Varchar, t.Enum, t.Boolean)
        return tuple(
            item if isinstance(kind.of, as_is) else value_from_text(kind.of, _json_text(kind.of, item))
            for item in json.loads(text)
        )
    return tuple(value_from_text(kind.of, item) for item in _array_texts(text))


def _json_text(kind: t.Type, item: Any) -> str:
    if isinstance(kind, t.Interval):
        return f"{item} microseconds"
    return "\\x" + item if isinstance(kind, t.Bytes) else str(item)


_ITEM = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', re.DOTALL)


def _array_texts(text: str) -> Sequence[str]:
    if not (text.startswith("{") and text.endswith("}")) or "{" in text[1:2]:
        raise ValueError(f"{text!r} is no one-dimensional array")
    return [
        re.sub(r"\\(.)", r"\1", match.group(1), flags=re.DOTALL)
        if match.group(1) is not None
        else match.group(2)
        for match in _ITEM.finditer(text[1:-1])
    ]
