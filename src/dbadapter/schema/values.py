"""Python values of a column's type: brought into one form, and checked."""

from __future__ import annotations

import enum
import re
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from . import types as t

__all__ = ["fault", "normalized"]

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
    """What is wrong with a value of the right Python type; None if nothing is."""
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
