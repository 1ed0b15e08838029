"""How SQLite keeps each type: the declared name, and the check that refuses what the type cannot hold.

The declared name tells the adapter how to read a value back, and its affinity must leave the stored form
alone. The checks accept exactly the forms in which the adapter stores values, so a row written by anyone else
reads and sorts like the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._dialects import SQLITE
from . import types as t

__all__ = ["datatype_check", "declared"]

_DECLARED: dict[type[t.Type], Callable[[Any], str]] = {
    t.Identity: lambda kind: "INTEGER",
    t.SmallInteger: lambda kind: "SMALLINT",
    t.Integer: lambda kind: "INTEGER",
    t.BigInteger: lambda kind: "BIGINT",
    t.Boolean: lambda kind: "BOOLEAN",
    t.Float: lambda kind: "REAL",
    t.Decimal: lambda kind: "DECIMAL" + (f"({kind.precision},{kind.scale})" if kind.precision else ""),
    t.Text: lambda kind: "TEXT",
    t.Varchar: lambda kind: f"VARCHAR({kind.length})",
    t.Enum: lambda kind: "TEXT",
    t.Bytes: lambda kind: "BLOB",
    t.Date: lambda kind: "DATE",
    t.Time: lambda kind: "TIME",
    t.Timestamp: lambda kind: "TIMESTAMPTZ" if kind.tz else "TIMESTAMP",
    t.Interval: lambda kind: "INTERVAL",
    t.Uuid: lambda kind: "UUID",
    t.Json: lambda kind: "JSON",
    # A quoted type name; SQLite and the adapter take it as it is. An enumeration's list is a list of text.
    t.Array: lambda kind: f'"{declared(kind.of)}[]"',
    t.Vector: lambda kind: f"VECTOR({kind.dimension})",
    t.Native: lambda kind: "TEXT",
}


def declared(kind: t.Type) -> str:
    """The type name to declare a column with."""
    return _DECLARED[type(kind)](kind)


def _whole(bits: int) -> Callable[[str, Any], str]:
    bound = 2 ** (bits - 1)
    within = f" AND {{0}} BETWEEN {-bound} AND {bound - 1}" if bits < 64 else ""
    return lambda column, kind: (f"typeof({{0}}) IN ('integer', 'null'){within}").format(column)


def _decimal(column: str, kind: t.Decimal) -> str:
    """Numbers, or the plain digits and an underscore where a number would not be exact."""
    digits = f"substr({column}, -1) = '_' AND {column} NOT GLOB '*[^-0-9._]*' AND {column} GLOB '*[0-9]*'"
    if kind.precision is None or kind.scale is None:
        return f"typeof({column}) <> 'blob' AND (typeof({column}) <> 'text' OR {digits})"
    whole = kind.precision - kind.scale
    # What PostgreSQL would round up to one digit more is too large already. ROUND() takes longer than the INSERT.
    bound = f"{'9' * whole or '0'}.{'9' * kind.scale}5"
    # Digits before the point, leading zeros left out; as text, since 1e20 is no exact bound for a number.
    length = f"instr(replace(ltrim({column}, '-0'), '_', '.'), '.') - 1"
    return (
        f"typeof({column}) <> 'text' AND {column} > -{bound} AND {column} < {bound} "
        f"OR typeof({column}) = 'text' AND {digits} AND {length} <= {whole}"
    )


_FRACTION = "'.[0-9][0-9][0-9][0-9][0-9][0-9]'"


def _moment(function: str, size: int) -> Callable[[str, Any], str]:
    """``datetime`` or ``time`` of the whole seconds gives them back unchanged; six digits or none follow.

    Only with a modifier does SQLite reckon, and find that there is no 30th of February.
    """
    return lambda column, kind: (
        f"length({column}) IN ({size}, {size + 7}) "
        f"AND {function}(substr({column}, 1, {size}), '+0 days') IS substr({column}, 1, {size}) "
        f"AND (length({column}) = {size} OR substr({column}, {size + 1}) GLOB {_FRACTION})"
    )


def _enum(column: str, kind: t.Enum) -> str:
    """For an IN with more than two values SQLite would build a table of them, again for each row."""
    return " OR ".join(f"{column} = {SQLITE.literal(value)}" for value in kind.values)


_CHECKS: dict[type[t.Type], Callable[[str, Any], str]] = {
    t.SmallInteger: _whole(16),
    t.Integer: _whole(32),
    t.BigInteger: _whole(64),
    t.Boolean: lambda column, kind: f"{column} IN (0, 1)",
    t.Float: lambda column, kind: f"typeof({column}) IN ('real', 'null')",
    t.Decimal: _decimal,
    t.Text: lambda column, kind: f"typeof({column}) IN ('text', 'null')",
    t.Varchar: lambda column, kind: (
        f"typeof({column}) IN ('text', 'null') AND length({column}) <= {kind.length}"
    ),
    t.Enum: _enum,
    t.Bytes: lambda column, kind: f"typeof({column}) IN ('blob', 'null')",
    t.Date: lambda column, kind: f"length({column}) = 10 AND date({column}, '+0 days') IS {column}",
    t.Time: _moment("time", 8),
    t.Timestamp: _moment("datetime", 19),
    t.Interval: _whole(64),
    t.Uuid: lambda column, kind: (
        f"{column} GLOB '????????-????-????-????-????????????' AND {column} NOT GLOB '*[^-0-9a-f]*'"
    ),
    # Older SQLites call NULL no valid JSON.
    t.Json: lambda column, kind: f"{column} IS NULL OR typeof({column}) <> 'blob' AND json_valid({column})",
    t.Array: lambda column, kind: (
        f"{column} IS NULL OR typeof({column}) = 'text' AND json_valid({column}) "
        f"AND json_type({column}) = 'array'"
    ),
    t.Vector: lambda column, kind: (
        f"typeof({column}) IN ('blob', 'null') AND length({column}) = {4 * kind.dimension}"
    ),
    t.Native: lambda column, kind: f"typeof({column}) IN ('text', 'null')",
}


def datatype_check(column: str, kind: t.Type) -> str | None:
    """The condition, as SQL, that a column's values must meet to be of the type; None for an Identity.

    Args:
        column: the column's name, unquoted.
        kind: its type.
    """
    make = _CHECKS.get(type(kind))
    return make(SQLITE.quote(column), kind) if make else None
