"""From what SQLite stores to the Python value: by a column's declaration, or by the parameter that was given."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from .values import EXACT_DIGITS

__all__ = ["decode_leniently", "sqlite_decoder", "sqlite_echo_decoder", "sqlite_sum_decoder"]


def _to_date(value: Any) -> Any:
    return date.fromisoformat(value[:10]) if isinstance(value, str) else value


def _to_time(value: Any) -> Any:
    return time.fromisoformat(value) if isinstance(value, str) else value


def _to_naive(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    parsed = datetime.fromisoformat(value)
    return parsed if parsed.tzinfo is None else parsed.astimezone(UTC).replace(tzinfo=None)


def _to_aware(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    parsed = datetime.fromisoformat(value)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _to_bool(value: Any) -> Any:
    return bool(value) if isinstance(value, int) else value


def _to_decimal(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    return Decimal(value) if isinstance(value, (int, str)) else value


def _to_rounded_decimal(value: Any) -> Any:
    """What SQLite computed in binary, without the digits that it got wrong."""
    return Decimal(format(value, f".{EXACT_DIGITS}g")) if isinstance(value, float) else _to_decimal(value)


def _to_scale(decoder: Callable[[Any], Any], scale: int) -> Callable[[Any], Any]:
    """With as many digits after the point as the column's declaration says, at least: 2.50, as Postgres gives it."""

    def decode(value: Any) -> Any:
        number = decoder(value)
        if not isinstance(number, Decimal) or not number.is_finite():
            return number
        sign, digits, exponent = number.as_tuple()
        zeros = scale + int(exponent)
        return Decimal((sign, digits + (0,) * zeros, -scale)) if zeros > 0 else number

    return decode


def _to_timedelta(value: Any) -> Any:
    return timedelta(microseconds=value) if isinstance(value, int) else value


def _to_uuid(value: Any) -> Any:
    return UUID(value) if isinstance(value, str) else value


def _to_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, (str, bytes)) else value


def _to_vector(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    import numpy as np

    return np.frombuffer(value, dtype="<f4")


def _to_list(item: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """An array: JSON, each item as a column of its type would hold it."""

    def decode(value: Any) -> Any:
        items = _to_json(value)
        return [item(part) for part in items] if item and isinstance(items, list) else items

    return decode


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "BOOL": _to_bool,
    "BOOLEAN": _to_bool,
    "DATE": _to_date,
    "DATETIME": _to_naive,
    "DECIMAL": _to_decimal,
    "INTERVAL": _to_timedelta,
    "JSON": _to_json,
    "JSONB": _to_json,
    "NUMERIC": _to_decimal,
    "TIME": _to_time,
    "TIME WITHOUT TIME ZONE": _to_time,
    "TIMESTAMP": _to_naive,
    "TIMESTAMP WITH TIME ZONE": _to_aware,
    "TIMESTAMP WITHOUT TIME ZONE": _to_naive,
    "TIMESTAMPTZ": _to_aware,
    "UUID": _to_uuid,
    "VECTOR": _to_vector,
}


_SUM_DECODERS: dict[str, Callable[[Any], Any]] = {
    "DECIMAL": _to_rounded_decimal,
    "INTERVAL": _to_timedelta,
    "NUMERIC": _to_rounded_decimal,
}


def sqlite_decoder(declared: str) -> Callable[[Any], Any] | None:
    """The function that makes a stored value of a column declared so the Python value; None: it is one already."""
    return _decoder(declared, _DECODERS)


def sqlite_sum_decoder(declared: str) -> Callable[[Any], Any] | None:
    """As `sqlite_decoder`, for a sum or the like of values of a column declared so."""
    return _decoder(declared, _SUM_DECODERS)


def _decoder(declared: str, decoders: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any] | None:
    name = " ".join(declared.upper().split())
    if name.endswith("[]"):
        return _to_list(_decoder(name[:-2], decoders))
    before, bracket, after = name.partition("(")
    if bracket:
        within, _, rest = after.partition(")")
        scale = within.partition(",")[2].strip()
        decoder = decoders.get(" ".join((before + " " + rest).split()))
        is_number = decoder in (_to_decimal, _to_rounded_decimal)
        return _to_scale(decoder, int(scale)) if decoder and is_number and scale.isdecimal() else decoder
    return decoders.get(name)


_ECHO_DECODERS: dict[type, Callable[[Any], Any]] = {
    bool: _to_bool,
    date: _to_date,
    time: _to_time,
    timedelta: _to_timedelta,
    Decimal: _to_decimal,
    UUID: _to_uuid,
    dict: _to_json,
    list: _to_json,
}


def sqlite_echo_decoder(value: Any) -> Callable[[Any], Any] | None:
    """The function that makes of `value`, as SQLite gives a parameter back, the Python value again; None: it is one."""
    if isinstance(value, enum.Enum):
        return sqlite_echo_decoder(value.value)
    if type(value).__module__ == "numpy":
        return _to_vector if hasattr(value, "shape") and value.shape else sqlite_echo_decoder(value.item())
    if isinstance(value, datetime):
        return _to_naive if value.tzinfo is None else _to_aware
    return next((decoder for kind, decoder in _ECHO_DECODERS.items() if isinstance(value, kind)), None)


def decode_leniently(decoder: Callable[[Any], Any], value: Any) -> Any:
    """`value` decoded, or as it is stored where that is not what its column's declaration says.

    SQLite lets any value stand in any column, and a file that others wrote must stay readable.
    """
    try:
        return decoder(value)
    except (ValueError, ArithmeticError, OverflowError):
        return value
