"""Type names of both sides: what family a declaration belongs to, and which type goes with which conversion."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import ConfigError
from . import conversions as c

if TYPE_CHECKING:
    from .plan import ColumnPlan, TablePlan

__all__ = ["affinity", "conversion_for", "family", "natural_type", "settle", "type_words"]

_PARTS = re.compile(r"^(?P<before>[^(]*)(?:\((?P<arguments>[^)]*)\))?(?P<after>.*)$", re.DOTALL)


def type_words(declared: str) -> tuple[str, list[int]]:
    """``Decimal (10, 2)`` as (``DECIMAL``, [10, 2])."""
    match = _PARTS.match(declared)
    assert match
    words = " ".join(f"{match['before']} {match['after']}".upper().split())
    numbers = re.findall(r"-?\d+", match["arguments"] or "")
    return words, [int(number) for number in numbers]


def affinity(declared: str) -> str:
    """SQLite's own rule: INTEGER, TEXT, BLOB, REAL or NUMERIC."""
    name = declared.upper()
    if "INT" in name:
        return "INTEGER"
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in name or not name:
        return "BLOB"
    return "REAL" if any(part in name for part in ("REAL", "FLOA", "DOUB")) else "NUMERIC"


_FAMILIES = {
    "boolean": ("BOOL", "BOOLEAN"),
    "decimal": ("DECIMAL", "NUMERIC", "DEC", "NUMBER", "MONEY", "CURRENCY"),
    "float": ("REAL", "FLOAT", "FLOAT4", "FLOAT8", "DOUBLE", "DOUBLE PRECISION"),
    "text": (
        "TEXT", "CLOB", "STRING", "LONGVARCHAR", "LONGTEXT", "MEDIUMTEXT", "TINYTEXT", "NTEXT", "ENUM", "SET",
        "XML", "CITEXT",
    ),
    "varchar": (
        "VARCHAR", "CHAR", "CHARACTER", "NVARCHAR", "NCHAR", "CHARACTER VARYING", "VARYING CHARACTER",
        "NATIVE CHARACTER", "VARCHAR2", "NVARCHAR2", "BPCHAR",
    ),
    "bytes": ("BLOB", "BYTEA", "BINARY", "VARBINARY", "IMAGE", "LONGBLOB", "MEDIUMBLOB", "TINYBLOB"),
    "date": ("DATE",),
    "time": ("TIME", "TIME WITHOUT TIME ZONE"),
    "timestamp": ("DATETIME", "TIMESTAMP", "TIMESTAMP WITHOUT TIME ZONE", "DATETIME2", "SMALLDATETIME"),
    "timestamptz": ("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", "DATETIMEOFFSET"),
    "json": ("JSON", "JSONB"),
    "uuid": ("UUID", "GUID", "UNIQUEIDENTIFIER"),
    "interval": ("INTERVAL",),
    "vector": ("VECTOR",),
}  # fmt: skip
_FAMILY_OF = {name: found for found, names in _FAMILIES.items() for name in names}


def family(declared: str) -> str:
    """The kind of values a declaration promises: a name of `_FAMILIES`, ``integer``, ``array`` or ``any``."""
    if declared.endswith("[]"):
        return "array"
    words, _ = type_words(declared)
    if words in _FAMILY_OF:
        return _FAMILY_OF[words]
    # An unknown word counts for what SQLite makes of it; NUMERIC there is no promise at all.
    return {"INTEGER": "integer", "TEXT": "text", "REAL": "float"}.get(affinity(declared), "any")


# Types of Postgres by the conversion that suits them, whatever the source declared.
_PG_FAMILIES: dict[str, Callable[[list[int]], c.Conversion]] = {
    "smallint": lambda _: c.Integer(bits=16),
    "integer": lambda _: c.Integer(bits=32),
    "bigint": lambda _: c.Integer(),
    "real": lambda _: c.Float(),
    "double precision": lambda _: c.Float(),
    "boolean": lambda _: c.Boolean(),
    "text": lambda _: c.Text(),
    "character varying": lambda numbers: c.Text(length=numbers[0] if numbers else None),
    "character": lambda numbers: c.Text(length=numbers[0] if numbers else 1, padded=True),
    "bytea": lambda _: c.Bytes(),
    "date": lambda _: c.Temporal(target="date", format="YYYY-MM-DD"),
    "time without time zone": lambda _: c.Temporal(target="time", format="HH24:MI:SS[.US]"),
    "timestamp without time zone": lambda _: c.Temporal(
        target="timestamp", format="YYYY-MM-DD HH24:MI:SS[.US]"
    ),
    "timestamp with time zone": lambda _: c.Temporal(
        target="timestamptz", format="YYYY-MM-DD HH24:MI:SS[.US]"
    ),
    "interval": lambda _: c.Interval(),
    "uuid": lambda _: c.Uuid(),
    "json": lambda _: c.Json(),
    "jsonb": lambda _: c.Json(binary=True),
    "vector": lambda numbers: c.Vector(dimension=numbers[0] if numbers else None),
}
_ALIASES = {
    "int": "integer", "int4": "integer", "int2": "smallint", "int8": "bigint", "float8": "double precision",
    "float4": "real", "bool": "boolean", "varchar": "character varying", "char": "character",
    "bpchar": "character", "time": "time without time zone", "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone", "decimal": "numeric",
}  # fmt: skip


def canonical(pg_type: str) -> tuple[str, list[int]]:
    """A Postgres type as (the name `format_type` gives, its arguments)."""
    words, numbers = type_words(pg_type)
    name = words.lower().replace('"', "")
    return _ALIASES.get(name, name), numbers


def conversion_for(pg_type: str, *, house_decimals: bool = True) -> c.Conversion:
    """The conversion for a column of that Postgres type, when nothing is known of the values in SQLite."""
    if pg_type.endswith("[]"):
        return c.JsonArray(element=canonical(pg_type[:-2])[0])
    name, numbers = canonical(pg_type)
    if name == "numeric":
        precision, scale = ([*numbers, 0][:2]) if numbers else (None, None)
        if precision is not None and not 0 <= (scale or 0) <= precision:
            precision = scale = None  # 'numeric(3,-2)' rounds; its values are not bounded by digits
        return (c.Decimal if house_decimals else c.Number)(precision=precision, scale=scale)
    make = _PG_FAMILIES.get(name)
    return make(numbers) if make else c.PostgresText()


def natural_type(conversion: c.Conversion) -> str:
    """The Postgres type that a conversion is made for."""
    if isinstance(conversion, c.Integer):
        return {16: "smallint", 32: "integer", 64: "bigint"}[conversion.bits]
    if isinstance(conversion, c.Text):
        return f"varchar({conversion.length})" if conversion.length else "text"
    if isinstance(conversion, (c.Number, c.Decimal)):
        return (
            f"numeric({conversion.precision},{conversion.scale or 0})" if conversion.precision else "numeric"
        )
    if isinstance(conversion, c.Temporal):
        return conversion.target
    if isinstance(conversion, c.Json):
        return "jsonb" if conversion.binary else "json"
    if isinstance(conversion, c.Vector):
        return f"vector({conversion.dimension})" if conversion.dimension else "vector"
    if isinstance(conversion, c.JsonArray):
        return conversion.element + "[]"
    return {
        c.Anything: "text", c.Boolean: "boolean", c.Bytes: "bytea", c.Epoch: "timestamptz",
        c.Float: "double precision", c.Interval: "interval", c.Uuid: "uuid", c.PostgresText: "text",
    }[type(conversion)]  # fmt: skip


def settle(direction: str, table: TablePlan, column: ColumnPlan) -> None:
    """After a person edited a plan: a column whose type no longer suits its conversion gets one that does.

    Raises `ConfigError` naming the column.
    """
    try:
        conversion = c.load(column.conversion)
    except ConfigError as error:
        raise ConfigError(f"table {table.name!r}, column {column.name!r}: {error}") from None
    if direction != "sqlite-postgresql" or isinstance(conversion, c.PostgresText):
        return
    wanted, has = canonical(column.type), canonical(natural_type(conversion))
    if wanted == has or (wanted[0], has[0]) == ("text", "character varying"):
        return
    if isinstance(conversion, c.Epoch) and wanted[0] == "timestamp with time zone":
        return
    if wanted[0] == has[0] == "numeric":
        house = isinstance(conversion, c.Decimal)
        column.conversion = c.dump(conversion_for(column.type, house_decimals=house))
    elif wanted[0] != has[0] or isinstance(conversion, (c.Text, c.Vector)):
        replacement = conversion_for(column.type, house_decimals=False)
        if isinstance(conversion, c.Temporal) and isinstance(replacement, c.Temporal):
            replacement = c.Temporal(replacement.target, conversion.format, conversion.digits)
        column.conversion = c.dump(replacement)
