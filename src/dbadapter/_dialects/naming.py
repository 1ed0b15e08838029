"""Constraint and index names, as PostgreSQL would choose them.

They are written out on both backends, so an error names the same constraint on both and a table made by hand
from the exported SQL has the same names.
"""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["DATATYPE_SUFFIX", "MAX_NAME_BYTES", "constraint_name", "datatype_constraint"]

MAX_NAME_BYTES = 63
"""PostgreSQL cuts longer names off (NAMEDATALEN - 1)."""

DATATYPE_SUFFIX = "datatype"
"""Ends the names of the CHECK constraints that stand for a column's type on SQLite.

A value they refuse does not fit its column's type: that is a DataError, as it is on PostgreSQL, and no
CheckViolation.
"""


def _clip(name: str, size: int) -> str:
    return name.encode()[:size].decode(errors="ignore")


def _join(first: str, second: str, label: str) -> str:
    """Fit ``first_second_label`` into 63 bytes by shortening the longer of the first two."""
    room = MAX_NAME_BYTES - len(label.encode()) - 1 - (1 if second else 0)
    one, two = len(first.encode()), len(second.encode())
    while one + two > room:
        if one > two:
            one -= 1
        else:
            two -= 1
    parts = [_clip(first, one), *([_clip(second, two)] if second else []), label]
    return "_".join(parts)


def _columns_part(columns: Collection[str]) -> str:
    joined = ""
    for column in columns:
        joined = f"{joined}_{column}" if joined else column
        if len(joined.encode()) > MAX_NAME_BYTES:
            break
    return _clip(joined, MAX_NAME_BYTES)


def constraint_name(table: str, columns: Collection[str], suffix: str, taken: Collection[str] = ()) -> str:
    """Choose ``{table}_{columns}_{suffix}``, cut to 63 bytes, with a number after it where that is taken.

    Args:
        table: the table's name.
        columns: the constraint's columns; none for a primary key or a check of several columns.
        suffix: ``pkey``, ``key``, ``fkey``, ``check`` or ``idx``.
        taken: names in use already.
    """
    second = _columns_part(columns)
    name, number = _join(table, second, suffix), 0
    while name in taken:
        number += 1
        name = _join(table, second, f"{suffix}{number}")
    return name


def datatype_constraint(table: str, column: str) -> str:
    """Name the CHECK that stands for the column's type on SQLite."""
    return constraint_name(table, (column,), DATATYPE_SUFFIX)
