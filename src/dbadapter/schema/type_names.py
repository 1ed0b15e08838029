"""Type names as scripts and catalogs write them, as types of the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ..errors import ConfigError
from . import types as t

__all__ = ["SERIALS", "postgresql_type", "sqlite_type"]

Make = Callable[[Sequence[int]], t.Type]

SERIALS = frozenset(["serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"])
"""Types that stand for an integer with a sequence."""

_PARTS = re.compile(r"^(?P<before>[^(]*?)\s*(?:\((?P<arguments>[^)]*)\)\s*(?P<after>[^()\[]*))?$")


def _varchar(arguments: Sequence[int]) -> t.Type:
    return t.Varchar(arguments[0]) if arguments and 0 < arguments[0] <= 10_485_760 else t.Text()


def _char(arguments: Sequence[int]) -> t.Type:
    return _varchar(arguments or [1])


def _decimal(arguments: Sequence[int]) -> t.Type:
    """A number without bounds for the scales beyond 0 to the precision, which only PostgreSQL has."""
    try:
        return t.Decimal(*arguments[:2]) if arguments else t.Decimal()
    except ConfigError:
        return t.Decimal()


def _vector(arguments: Sequence[int]) -> t.Type:
    return t.Vector(arguments[0]) if arguments else t.Native("vector")


def _always(kind: t.Type) -> Make:
    return lambda arguments: kind


_POSTGRESQL: dict[str, Make] = {
    **dict.fromkeys(["smallint", "int2", "smallserial", "serial2"], _always(t.SmallInteger())),
    **dict.fromkeys(["integer", "int", "int4", "serial", "serial4"], _always(t.Integer())),
    **dict.fromkeys(["bigint", "int8", "bigserial", "serial8"], _always(t.BigInteger())),
    **dict.fromkeys(["boolean", "bool"], _always(t.Boolean())),
    **dict.fromkeys(["double precision", "float8", "float4", "real", "float"], _always(t.Float())),
    **dict.fromkeys(["numeric", "decimal", "dec"], _decimal),
    **dict.fromkeys(["text", "name"], _always(t.Text())),
    **dict.fromkeys(["character varying", "varchar", "national character varying"], _varchar),
    **dict.fromkeys(["character", "char"], _char),
    "bpchar": _varchar,
    "bytea": _always(t.Bytes()),
    "date": _always(t.Date()),
    **dict.fromkeys(["time", "time without time zone"], _always(t.Time())),
    **dict.fromkeys(["timestamp", "timestamp without time zone"], _always(t.Timestamp())),
    **dict.fromkeys(["timestamptz", "timestamp with time zone"], _always(t.Timestamp(tz=True))),
    "interval": _always(t.Interval()),
    "uuid": _always(t.Uuid()),
    **dict.fromkeys(["json", "jsonb"], _always(t.Json())),
    "vector": _vector,
}

# What SQLite databases in the wild declare; the rest goes by SQLite's own rules of affinity. A plain integer
# column holds 64 bits there, whatever it is called.
_SQLITE: dict[str, Make] = {
    **dict.fromkeys(["smallint", "int2", "tinyint", "tinyint unsigned"], _always(t.SmallInteger())),
    **dict.fromkeys(["boolean", "bool"], _always(t.Boolean())),
    **dict.fromkeys(["numeric", "decimal", "dec", "number"], _decimal),
    **dict.fromkeys(
        ["varchar", "character varying", "nvarchar", "varying character", "char", "nchar", "character",
         "native character", "varchar2", "nvarchar2"],
        _varchar,
    ),
    **dict.fromkeys(["text", "clob", "string", "longvarchar", "ntext", "guid", "enum", "set", ""], _always(t.Text())),
    **dict.fromkeys(["blob", "bytea", "binary", "varbinary", "image", "longblob"], _always(t.Bytes())),
    "date": _always(t.Date()),
    **dict.fromkeys(["time", "time without time zone"], _always(t.Time())),
    **dict.fromkeys(["datetime", "timestamp", "timestamp without time zone"], _always(t.Timestamp())),
    **dict.fromkeys(["timestamptz", "timestamp with time zone"], _always(t.Timestamp(tz=True))),
    "interval": _always(t.Interval()),
    "uuid": _always(t.Uuid()),
    **dict.fromkeys(["json", "jsonb"], _always(t.Json())),
    "vector": lambda arguments: t.Vector(arguments[0]) if arguments else t.Bytes(),
}  # fmt: skip


def _taken_apart(text: str) -> tuple[str, list[int]]:
    """Take ``Numeric (10, 2)`` apart into ``numeric`` and [10, 2]."""
    match = _PARTS.match(" ".join(text.lower().split()))
    if not match:
        return text.lower(), []
    words = f"{match['before']} {match['after'] or ''}".strip()
    arguments = [part.strip() for part in (match["arguments"] or "").split(",")]
    numbers = [int(part) for part in arguments if part.lstrip("-").isdigit()]
    return words, numbers


def postgresql_type(text: str, named: Mapping[str, t.Type]) -> t.Type:
    """The type PostgreSQL calls so; one the model does not know comes as `Native`.

    Args:
        text: the name with its arguments, as a script or ``format_type`` writes it.
        named: the schema's own types: enumerations and domains.
    """
    text = text.strip()
    if text.lower().endswith(" array"):
        text = text[: -len(" array")] + "[]"
    if text.endswith("]"):
        inner = postgresql_type(re.sub(r"(\s*\[\d*\])+$", "", text), named)
        try:
            return t.Array(inner)
        except ConfigError:
            return t.Native(text)
    bare = re.sub(r'^(?:"[^"]+"|\w+)\.', "", text)
    name = bare[1:-1].replace('""', '"') if bare.startswith('"') else bare.lower()
    if name in named:
        return named[name]
    words, arguments = _taken_apart(bare.replace('"', ""))
    if words.startswith("interval "):  # interval day to second, ...
        words = "interval"
    make = _POSTGRESQL.get(words)
    return make(arguments) if make else t.Native(text)


def sqlite_type(text: str) -> t.Type:
    """The type for what an SQLite column is declared to hold."""
    if text.endswith("[]"):  # written so by this library only, which says BIGINT where it means 64 bits
        try:
            return t.Array(t.Integer() if text == "INTEGER[]" else sqlite_type(text[:-2]))
        except ConfigError:
            return t.Json()
    words, arguments = _taken_apart(text)
    if make := _SQLITE.get(words):
        return make(arguments)
    for mark, kind in _AFFINITIES:
        if mark in words:
            return kind
    return t.Decimal()


_AFFINITIES: tuple[tuple[str, t.Type], ...] = (
    ("int", t.BigInteger()),
    ("char", t.Text()),
    ("clob", t.Text()),
    ("text", t.Text()),
    ("blob", t.Bytes()),
    ("real", t.Float()),
    ("floa", t.Float()),
    ("doub", t.Float()),
)
