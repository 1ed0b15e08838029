"""Values that the adapter hands out: what a statement did, and what a table looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

__all__ = ["ColumnInfo", "ForeignKeyInfo", "IndexInfo", "Result", "SwitchReport", "TableInfo"]


@frozen
class Result:
    """What a statement did.

    Attributes:
        rowcount: rows changed, or returned by a statement that gives rows; -1 for one that does neither.
        last_id: the integer primary key of the last row that an ``INSERT … VALUES`` made; None where there is none.
    """

    rowcount: int
    last_id: int | None = None


@frozen
class ColumnInfo:
    """One column as the database declares it.

    Attributes:
        name: the column's name.
        type: the type in the backend's own words (``VARCHAR(500)``, ``character varying(500)``).
        nullable: whether NULL may be stored.
        default: the default as an SQL expression in the backend's own words, or None.
        primary_key: whether the column is part of the primary key.
        generated: whether its value is computed from other columns.
    """

    name: str
    type: str
    nullable: bool
    default: str | None
    primary_key: bool
    generated: bool = False


@frozen
class ForeignKeyInfo:
    """A foreign key.

    Attributes:
        columns: the referencing columns, in order.
        ref_table: the table referred to.
        ref_columns: the columns referred to, in the same order.
        on_delete: ``NO ACTION``, ``RESTRICT``, ``CASCADE``, ``SET NULL`` or ``SET DEFAULT``.
        on_update: the same for a changed key.
        name: the constraint's name; None on SQLite, whose catalog keeps none.
    """

    columns: tuple[str, ...]
    ref_table: str
    ref_columns: tuple[str, ...]
    on_delete: str
    on_update: str
    name: str | None = None


@frozen
class IndexInfo:
    """An index, those behind unique constraints included and the primary key's left out.

    Attributes:
        name: the index's name.
        columns: its columns in order; an expression stands as None.
        unique: whether it refuses duplicates.
        partial: whether it has a WHERE clause.
    """

    name: str
    columns: tuple[str | None, ...]
    unique: bool
    partial: bool = False


@frozen
class TableInfo:
    """A table: ``adapter.describe_table(name)``.

    Attributes:
        name: the table's name.
        columns: its columns in order.
        primary_key: the names of the key's columns in key order; empty without a key.
        foreign_keys: its foreign keys, in the order of their columns.
        indexes: its indexes, sorted by name.
    """

    name: str
    columns: tuple[ColumnInfo, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKeyInfo, ...]
    indexes: tuple[IndexInfo, ...]


@frozen
class SwitchReport:
    """What a switch did.

    Attributes:
        source: the backend before, ``sqlite`` or ``postgresql``.
        target: the backend after.
        epoch: how many times this app's data have changed their home.
        rows_copied: rows moved by the bulk copy; 0 without ``carry_data``.
        rounds: catch-up rounds after it.
        verified: source and target were compared and found equal.
        drained_ms: milliseconds until the work in flight on the old backend had ended.
        paused_ms: milliseconds during which new work had to wait.
        rejects: rows that the target could not hold, as ``{table, key, column, reason}``.
    """

    source: str
    target: str
    epoch: int
    rows_copied: int = 0
    rounds: int = 0
    verified: bool = False
    drained_ms: float = 0.0
    paused_ms: float = 0.0
    rejects: tuple[Mapping[str, Any], ...] = ()
