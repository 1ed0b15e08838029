"""Default values as SQL literals, and SQL literals as values.

A literal is read by its column's type: ``'1'`` is a number in an integer column and text in a text column.
"""

from __future__ import annotations

import enum
import json
import re
import struct
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from .._dialects import SQLITE
from . import types as t

__all__ = [
    "fault",
    "interval_from_text",
    "microseconds",
    "normalized",
    "postgresql_literal",
    "sqlite_literal",
    "value_from_text",
]

_KINDS: dict[type[t.Type], tuple[type, ...]] = {
    t.SmallInteger: (int,),
    t.Integer: (int,),
    t.BigInteger: (int,),
    t.Boolean: (bool,),
    t.Float: (float, int),
    t.Decimal: (Decimal, int, float),
    t.Text: (str,),
    t.Varchar: (str,),
    t.Enum: (str,),
    t.Bytes: (bytes,),
    t.Date: (date,),
    t.Time: (time,),
    t.Timestamp: (datetime,),
    t.Interval: (timedelta,),
    t.Uuid: (UUID,),
    t.Json: (dict, list, str, int, float, bool),
    t.Array: (tuple,),
    t.Vector: (tuple,),
    t.Native: (str, int, float, bool),
}
_BITS: dict[type[t.Type], int] = {t.SmallInteger: 16, t.Integer: 32, t.BigInteger: 64}


def normalized(kind: t.Type, value: Any) -> Any:
    """The value as a model keeps it, equal whichever way it was written (a list or array as a tuple, ...)."""
    if isinstance(value, enum.Enum):
        value = value.value
    if (
        isinstance(kind, (t.Array, t.Vector))
        and not isinstance(value, (str, bytes))
        and hasattr(value, "__iter__")
    ):
        if isinstance(kind, t.Vector):
            # What float32 keeps of each number.
            return tuple(struct.unpack("<f", struct.pack("<f", item))[0] for item in value)
        return tuple(normalized(kind.of, item) for item in value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(kind, t.Uuid) and isinstance(value, str):
        return UUID(value) if re.fullmatch(r"[0-9a-fA-F-]{32,36}", value) else value
    if isinstance(kind, t.Decimal) and isinstance(value, (int, float)) and not isinstance(value, bool):
        return Decimal(str(value))
    if isinstance(kind, t.Timestamp) and isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(kind, t.Float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def fault(kind: t.Type, value: Any) -> str | None:
    """What is wrong with `value` as a value of that type; None if nothing is."""
    accepted = _KINDS.get(type(kind), ())
    wrong_bool = isinstance(value, bool) and bool not in accepted
    wrong_date = isinstance(kind, t.Date) and isinstance(value, datetime)
    if wrong_bool or wrong_date or not issubclass(type(value), accepted):
        return f"{value!r} is no value of {kind!r}"
    return _misfit(kind, value)


def _misfit(kind: t.Type, value: Any) -> str | None:
    """The same for a value of the right kind."""
    if type(kind) in _BITS:
        bound = 2 ** (_BITS[type(kind)] - 1)
        return None if -bound <= value < bound else f"{value!r} does not fit {kind!r}"
    if isinstance(kind, t.Varchar) and len(value) > kind.length:
        return f"{value!r} is longer than {kind.length} characters"
    if isinstance(kind, t.Enum) and value not in kind.values:
        return f"{value!r} is none of {', '.join(map(repr, kind.values))}"
    if isinstance(kind, t.Timestamp) and (value.tzinfo is not None) is not kind.tz:
        return f"{value!r} must {'be aware' if kind.tz else 'be naive'} for {kind!r}"
    if isinstance(kind, t.Decimal) and (not value.is_finite() or not _fits_decimal(kind, value)):
        return f"{value!r} does not fit {kind!r}"
    if isinstance(kind, t.Vector) and len(value) != kind.dimension:
        return f"a vector of {len(value)} numbers does not fit {kind!r}"
    if isinstance(kind, t.Array):
        return next((found for item in value if (found := fault(kind.of, item))), None)
    if isinstance(value, str) and "\0" in value:
        return f"{value!r} holds a NUL character, which PostgreSQL cannot"
    if isinstance(value, float) and value != value:
        return "NaN is refused by SQLite"
    return None


def _fits_decimal(kind: t.Decimal, value: Decimal) -> bool:
    if kind.precision is None:
        return True
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    assert kind.scale is not None
    return (not value or value.adjusted() < kind.precision - kind.scale) and -exponent <= kind.scale


# -- to SQL --------------------------------------------------------------------------------------------------


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
        return SQLITE.literal(json.dumps(value, ensure_ascii=False))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"'{'-' if value < 0 else ''}Infinity'" if abs(value) == float("inf") else repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return SQLITE.literal(_postgresql_text(kind, value))


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


# -- from SQL ------------------------------------------------------------------------------------------------


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


_UNITS: dict[str, Decimal | int] = {
    "year": 365 * 86400,
    "month": 30 * 86400,
    "mon": 30 * 86400,
    "week": 7 * 86400,
    "day": 86400,
    "hour": 3600,
    "hr": 3600,
    "h": 3600,
    "minute": 60,
    "min": 60,
    "m": 60,
    "second": 1,
    "sec": 1,
    "s": 1,
    "millisecond": Decimal("0.001"),
    "microsecond": Decimal("0.000001"),
}
_PART = re.compile(
    r"([+-]?\d+(?:\.\d+)?)\s*([a-z]+)|([+-]?)(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?", re.IGNORECASE
)


def interval_from_text(text: str) -> timedelta | None:
    """Read ``1 day 02:03:04.5`` or ``36 hours``; a month counts 30 days and a year 365, as in psycopg."""
    seconds, end = Decimal(0), 0
    for match in _PART.finditer(text):
        if text[end : match.start()].strip(" @"):
            return None
        end = match.end()
        if match.group(2):
            unit = match.group(2).lower()
            size = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
            if size is None:
                return None
            seconds += Decimal(match.group(1)) * size
        else:
            clock = int(match.group(4)) * 3600 + int(match.group(5)) * 60 + Decimal(match.group(6) or 0)
            seconds += -clock if match.group(3) == "-" else clock
    if not end or text[end:].strip():
        return None
    return timedelta(microseconds=int(seconds * 1_000_000))


def microseconds(value: timedelta) -> int:
    """A duration as SQLite keeps it."""
    return value // timedelta(microseconds=1)
