"""Python values: what both backends refuse, and how each of them is handed the rest.

An encoder table maps a type to the function that makes it ready for the driver, or to None where the driver takes it as
it is. What no backend could give back as it was is refused before anything is sent (`ValueRefused`, which the drivers
turn into a `DataError` naming the parameter).
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from .._core.statement import Parameters, Statement
from ..errors import DataError

__all__ = [
    "COPY_AS_IS",
    "COPY_ENCODERS",
    "POSTGRES_ENCODERS",
    "SQLITE_ENCODERS",
    "Encoder",
    "PackedVector",
    "ValueRefused",
    "encode",
    "encoder_for",
    "refusal",
]

Encoder = Callable[[Any], Any] | None

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_MICROSECOND = timedelta(microseconds=1)
# SQLite keeps a number of at most this many significant digits exactly in a REAL (IEEE 754 double: DBL_DIG).
EXACT_DIGITS = 15


class ValueRefused(Exception):
    """A value that cannot be held; the message completes "parameter x …"."""


class PackedVector:
    """A float32 array without NaN for Postgres only, sent in binary; it has to stand in ``CAST(? AS vector)``.

    The rows of a statement that it is bound to come in binary too: integers, text and bytes are the same either way.
    """

    __slots__ = ("numbers",)

    def __init__(self, numbers: Any) -> None:
        self.numbers = numbers


# A string, to be passed over, or a number with a positive exponent.
_JSON_EXPONENT = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<number>-?\d+(?:\.\d+)?e\+\d+)')


# -- both ----------------------------------------------------------------------------------------------------------


def _int(value: int) -> int:
    if INT64_MIN <= value <= INT64_MAX:
        return value
    raise ValueRefused("is an integer beyond 64 bits; use Decimal or text")


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueRefused("is text with a NUL character, which Postgres cannot hold; use bytes")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueRefused("is text with a lone surrogate, which is no valid Unicode; use bytes") from None
    return value


def _ascii_text(value: str) -> str:
    """`_text` for the common case: what is ASCII has no surrogates."""
    return value if value.isascii() and "\0" not in value else _text(value)


def _decimal(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueRefused(f"is a Decimal that is no number ({value})")
    # Postgres' own limits for numeric: 131,072 digits before the point, 16,383 after it.
    if value.adjusted() > 131_071 or -value.as_tuple().exponent > 16_383:  # type: ignore[operator]
        raise ValueRefused("is a Decimal with more than 131,072 digits before or 16,383 after the point")
    return value


def _datetime(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueRefused("is a datetime that falls outside the years 1 to 9999 in UTC") from None


def _time(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueRefused("is a time with a zone, which means nothing without a date; use a datetime")
    return value


def _timedelta(value: timedelta) -> timedelta:
    if INT64_MIN <= value // _MICROSECOND <= INT64_MAX:
        return value
    raise ValueRefused("is a timedelta beyond 292,000 years")


def json_text(value: Any) -> str:
    """`value` as JSON text, refusing what would not come back as it was."""
    try:
        _check_json(value)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        raise ValueRefused("holds NaN or an infinity, or itself, which JSON cannot") from None
    except (TypeError, RecursionError) as error:
        raise ValueRefused(f"cannot be JSON: {error}") from None
    if "e+" in text:
        text = _JSON_EXPONENT.sub(_without_exponent, text)
    _text(text)
    return text


def _without_exponent(match: re.Match[str]) -> str:
    """A large float with a point and no exponent: jsonb keeps ``1e+16`` as the integer 10000000000000000."""
    number = match.group("number")
    return f"{float(number):.1f}" if number else match.group()


def _check_json(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueRefused("holds text with a NUL character, which Postgres cannot hold in JSON")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError("a key is not text")
            _check_json(key)
            _check_json(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_json(item)


def _unknown(value: Any) -> Any:
    raise ValueRefused(f"is a {type(value).__name__}, which no column can hold")


def _vector(value: Any) -> Any:
    """A numpy array of numbers as one-dimensional float32."""
    if value.ndim != 1 or value.dtype.kind not in "fiu":
        raise ValueRefused(
            f"is an array of shape {value.shape} and type {value.dtype}; a vector has one dimension"
        )
    vector = value.astype("<f4")
    # A sum is finite only if every term is (or two infinities cancel to NaN, which is caught as well).
    if not (abs(vector) < float("inf")).all():
        raise ValueRefused("is a vector with NaN or an infinity")
    return vector


# -- SQLite --------------------------------------------------------------------------------------------------------


def _sqlite_float(value: float) -> float:
    if value != value:
        raise ValueRefused("is NaN, which SQLite would turn into NULL")
    return value


def sqlite_decimal(value: Decimal) -> int | float | str:
    """A number where that is exact, so that SQL compares and sums it; else text that numeric affinity leaves alone.

    The text is the plain digits and an underscore: SQLite takes it for no number (or for its leading digits, in
    arithmetic), and ``Decimal()`` reads it as it is.
    """
    _decimal(value)
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    significant = "".join(map(str, digits)).lstrip("0")
    stripped = significant.rstrip("0")
    exponent += len(significant) - len(stripped)
    if exponent >= 0 and value.adjusted() < 18:
        return int(value)
    if len(stripped) <= EXACT_DIGITS and -290 < value.adjusted() < 290:
        return float(value)
    exact = Decimal((sign, tuple(map(int, stripped)) or (0,), exponent))
    return format(exact, "f") + "_"


def _sqlite_datetime(value: datetime) -> str:
    return _datetime(value).replace(tzinfo=None).isoformat(" ")


def _sqlite_bytes(value: Any) -> bytes:
    return bytes(value)


SQLITE_ENCODERS: dict[type, Encoder] = {
    type(None): None,
    bool: int,
    int: None,  # sqlite3 itself refuses what is beyond 64 bits, before anything is done
    float: _sqlite_float,
    str: _ascii_text,
    bytes: None,
    bytearray: _sqlite_bytes,
    memoryview: _sqlite_bytes,
    Decimal: sqlite_decimal,
    date: date.isoformat,
    time: lambda value: _time(value).isoformat(),
    datetime: _sqlite_datetime,
    timedelta: lambda value: _timedelta(value) // _MICROSECOND,
    UUID: str,
    dict: json_text,
    list: json_text,
}


# -- Postgres ------------------------------------------------------------------------------------------------------


@cache
def _int4() -> Any:
    from psycopg.types.numeric import Int4

    return Int4


def _postgres_int(value: int) -> Any:
    """A small integer as int4: psycopg would send smallint, where 300 * 300 is out of range."""
    return _int4()(value) if -(2**15) <= value < 2**15 else _int(value)


def _jsonb(value: Any) -> Any:
    from psycopg.types.json import Jsonb

    text = json_text(value)
    return Jsonb(value, dumps=lambda _: text)


def _vector_text(value: Any) -> str:
    return "[" + ",".join(map(repr, _vector(value).tolist())) + "]"


POSTGRES_ENCODERS: dict[type, Encoder] = {
    type(None): None,
    bool: None,
    int: _postgres_int,
    float: None,
    str: _ascii_text,
    bytes: None,
    bytearray: _sqlite_bytes,
    memoryview: _sqlite_bytes,
    Decimal: _decimal,
    date: None,
    time: _time,
    datetime: _datetime,
    timedelta: _timedelta,
    UUID: None,
    dict: _jsonb,
    list: _jsonb,
    PackedVector: None,
}

# What COPY may be given without a look at each value: the server, or psycopg, refuses the bad ones itself and the
# whole load with them.
COPY_AS_IS = frozenset({type(None), bool, float, str, bytes, date})
# psycopg writes a UUID without its dashes, which a column of type text would keep so.
COPY_ENCODERS: dict[type, Encoder] = {**POSTGRES_ENCODERS, UUID: str}


def _numpy_moment(value: Any) -> Any:
    """A datetime64 or timedelta64 as datetime's type, which `item` gives only for some units: else an integer."""
    exact = value.astype(f"{value.dtype.kind}8[us]")
    found = value.item() if value.dtype.name.endswith("[D]") and value.dtype.kind == "M" else exact.item()
    if isinstance(found, int) or (exact != value and found is not None):
        raise ValueRefused(f"is a {value.dtype} that no datetime or timedelta can hold")
    return found


# -- picking an encoder --------------------------------------------------------------------------------------------


# A value of a subclass as one of the type itself, whose text and arithmetic are known.
_PLAIN: dict[type, Callable[[Any], Any]] = {int: int.__int__, float: float.__float__, str: str.__str__}


def _as_it_is(value: Any) -> Any:
    return value


def encoder_for(kind: type, encoders: dict[type, Encoder]) -> Encoder:
    """The encoder of a type that is not in the table itself: enumerations, subclasses and numpy's types."""
    if issubclass(kind, enum.Enum):
        return lambda value: encode_one(value.value, encoders)
    if kind.__module__ == "numpy":
        if kind.__name__ == "ndarray":
            return (lambda value: _vector(value).tobytes()) if encoders is SQLITE_ENCODERS else _vector_text
        if kind.__name__ in ("datetime64", "timedelta64"):
            return lambda value: encode_one(_numpy_moment(value), encoders)
        return lambda value: encode_one(value.item(), encoders) if hasattr(value, "item") else _unknown(value)
    for base in (bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, UUID, dict, list):
        if issubclass(kind, base):
            found = encoders[base]
            plain = _PLAIN.get(base)
            if plain is not None:
                return lambda value: encode_one(plain(value), encoders)
            return found or _as_it_is
    return _unknown


def encode_one(value: Any, encoders: dict[type, Encoder]) -> Any:
    """One value, ready for the driver. Raises `ValueRefused`."""
    kind = type(value)
    encoder = encoders[kind] if kind in encoders else encoder_for(kind, encoders)
    return value if encoder is None else encoder(value)


def encode(values: Sequence[Any], encoders: dict[type, Encoder]) -> Sequence[Any]:
    """All values of a statement, ready for the driver. Raises `ValueRefused`."""
    result = []
    for value in values:
        try:
            encoder = encoders[type(value)]
        except KeyError:
            encoder = encoder_for(type(value), encoders)
        result.append(value if encoder is None else encoder(value))
    return result


def refusal(
    exc: ValueRefused, statement: Statement, params: Parameters, encoders: dict[type, Encoder]
) -> DataError:
    """The `DataError` that names the parameter which `exc` is about; raise it ``from exc``."""
    slots = {slot.key: slot for slot in statement.slots if slot.expands}
    items = params.items() if isinstance(params, Mapping) else enumerate(params or (), 1)
    for name, value in items:
        try:
            slot = slots.get(name - 1 if isinstance(name, int) else name)
            encode(list(value) if slot and slot.spreads(value) else (value,), encoders)
        except ValueRefused:
            shown = f":{name}" if isinstance(params, Mapping) and statement.named else name
            return DataError(f"parameter {shown} {exc}", statement=statement.text, sqlstate="22000")
    return DataError(f"a parameter {exc}", statement=statement.text, sqlstate="22000")
