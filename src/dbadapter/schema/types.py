"""Column types and default expressions, the same words for both backends.

``from dbadapter.schema import types as t``.

What a backend lacks is emulated so that a value the type cannot hold is refused on both (`DataError`). The
page "Schemas" of the documentation has the table of what each type becomes.
"""

from __future__ import annotations

import enum
from typing import Any

from attrs import field, frozen

from ..errors import ConfigError

__all__ = [
    "Array",
    "BigInteger",
    "Boolean",
    "Bytes",
    "Date",
    "Decimal",
    "DefaultExpression",
    "Enum",
    "Float",
    "Identity",
    "Integer",
    "Interval",
    "Json",
    "Native",
    "Now",
    "RandomUuid",
    "SmallInteger",
    "Sql",
    "Text",
    "Time",
    "Timestamp",
    "Type",
    "Uuid",
    "Varchar",
    "Vector",
    "now",
    "random_uuid",
    "sql",
]


class Type:
    """What a column holds. Equal when the kind and its arguments are equal."""

    __slots__ = ()


@frozen
class Identity(Type):
    """A 64-bit integer the database counts up by itself: the table's primary key.

    Args:
        autoincrement: on SQLite, never hand out a number again whose row was deleted (``AUTOINCREMENT``; a
            little slower). PostgreSQL never does.
    """

    autoincrement: bool = field(default=False, kw_only=True, eq=False)


@frozen
class SmallInteger(Type):
    """An integer of 16 bits."""


@frozen
class Integer(Type):
    """An integer of 32 bits."""


@frozen
class BigInteger(Type):
    """An integer of 64 bits."""


@frozen
class Boolean(Type):
    """True or false."""


@frozen
class Float(Type):
    """A floating-point number of 64 bits, infinities included."""


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


@frozen
class Decimal(Type):
    """An exact number.

    Args:
        precision: how many digits in all, 1 to 1000; None: as many as a value has.
        scale: how many of them stand after the point; PostgreSQL rounds values to it.
    """

    precision: int | None = None
    scale: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.precision is None:
            if self.scale is not None:
                raise ConfigError("Decimal(scale=...) needs a precision as well")
            return
        if not _whole(self.precision, 1, 1000):
            raise ConfigError(f"Decimal precision must be 1 to 1000 digits, not {self.precision!r}")
        if self.scale is None:
            object.__setattr__(self, "scale", 0)
        elif not _whole(self.scale, 0, self.precision):
            raise ConfigError(
                f"Decimal scale must be 0 to {self.precision} (the precision), not {self.scale!r}"
            )


@frozen
class Text(Type):
    """Text of any length."""


@frozen
class Varchar(Type):
    """Text of at most `length` characters (code points)."""

    length: int

    def __attrs_post_init__(self) -> None:
        if not _whole(self.length, 1, 10_485_760):
            raise ConfigError(f"Varchar length must be 1 to 10485760 characters, not {self.length!r}")


@frozen
class Bytes(Type):
    """Bytes of any length."""


@frozen
class Date(Type):
    """A calendar date."""


@frozen
class Time(Type):
    """A time of day without a zone, to the microsecond."""


@frozen
class Timestamp(Type):
    """A point in time to the microsecond.

    Args:
        tz: True: an instant, read and written as an aware datetime, in UTC; False: a naive datetime.
    """

    tz: bool = False


@frozen
class Interval(Type):
    """A duration to the microsecond (timedelta)."""


@frozen
class Uuid(Type):
    """A UUID."""


@frozen
class Json(Type):
    """A JSON document: dict or list."""


@frozen(init=False)
class Enum(Type):
    """One of the given texts.

    On PostgreSQL a type of its own, named ``{table}_{column}_enum`` unless `name` says otherwise.

    Args:
        values: the texts in their order, or one Python enumeration whose members' values are texts.
        name: the PostgreSQL type's name, to share one type between columns.
    """

    values: tuple[str, ...]
    name: str | None = field(default=None, eq=False)

    def __init__(self, *values: str | type[enum.Enum], name: str | None = None) -> None:
        texts: list[Any] = []
        for value in values:
            if isinstance(value, type) and issubclass(value, enum.Enum):
                texts += [member.value for member in value]
            else:
                texts.append(value.value if isinstance(value, enum.Enum) else value)
        if not texts:
            raise ConfigError("Enum needs at least one value")
        for text in texts:
            # 63 bytes: PostgreSQL's bound for a label.
            if not isinstance(text, str) or not 0 < len(text.encode()) <= 63 or "\0" in text:
                raise ConfigError(f"Enum values must be texts of 1 to 63 bytes, not {text!r}")
        if len(set(texts)) < len(texts):
            raise ConfigError(f"Enum values must differ from each other: {texts!r}")
        self.__attrs_init__(tuple(texts), name)


@frozen
class Array(Type):
    """A list of values of one type: a native array on PostgreSQL, a JSON array on SQLite."""

    of: Type

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.of, Type) or isinstance(self.of, (Array, Identity, Json, Vector, Native)):
            raise ConfigError(
                f"Array cannot hold {self.of!r}; it holds plain values such as Text() or Integer()"
            )


@frozen
class Vector(Type):
    """An embedding of `dimension` float32 numbers (numpy array; pgvector on PostgreSQL)."""

    dimension: int

    def __attrs_post_init__(self) -> None:
        if not _whole(self.dimension, 1, 16_000):
            raise ConfigError(f"Vector dimension must be 1 to 16000, not {self.dimension!r}")


@frozen
class Native(Type):
    """A type of PostgreSQL's with no counterpart here (``inet``, ``tsvector``, ...); text on SQLite."""

    postgresql: str


class DefaultExpression:
    """A default that the database computes for each row."""

    __slots__ = ()


@frozen
class Now(DefaultExpression):
    """The time of the insert, in UTC."""


@frozen
class RandomUuid(DefaultExpression):
    """A random UUID (version 4)."""


def _expression_key(text: str) -> object:
    from .expressions import expression_key

    return expression_key(text)


@frozen
class Sql(DefaultExpression):
    """Any SQL expression, spelled as PostgreSQL does; `sqlite` where SQLite needs other words."""

    text: str = field(eq=_expression_key)
    sqlite: str | None = field(default=None, eq=False)


def now() -> Now:
    """Default for Timestamp, Date and Time columns: the time of the insert, in UTC.

    PostgreSQL gives microseconds and the same time throughout a transaction; SQLite gives milliseconds.
    """
    return Now()


def random_uuid() -> RandomUuid:
    """Default for Uuid and text columns: a random UUID (version 4)."""
    return RandomUuid()


def sql(text: str, *, sqlite: str | None = None) -> Sql:
    """Default by any SQL expression, spelled as PostgreSQL does; `sqlite` where SQLite needs other words."""
    return Sql(text, sqlite)
