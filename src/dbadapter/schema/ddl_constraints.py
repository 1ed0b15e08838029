"""Constraints as SQL that both backends read alike."""

from __future__ import annotations

from collections.abc import Sequence

from .._dialects import POSTGRESQL
from .constraints import ForeignKey, Unique
from .table import Table

__all__ = ["foreign_key", "primary_key", "unique"]

quote = POSTGRESQL.quote


def primary_key(table: Table) -> str:
    """The primary key of a table that has one."""
    return f"CONSTRAINT {quote(table.primary_key_name)} PRIMARY KEY ({_names(table.primary_key)})"


def unique(item: Unique) -> str:
    """A group of columns that never repeats."""
    return f"CONSTRAINT {quote(item.name or '')} UNIQUE ({_names(item.columns)})"


def foreign_key(key: ForeignKey) -> str:
    """A foreign key with its actions."""
    text = (
        f"CONSTRAINT {quote(key.name or '')} FOREIGN KEY ({_names(key.columns)}) "
        f"REFERENCES {quote(key.table)} ({_names(key.ref_columns)})"
    )
    if key.on_delete != "NO ACTION":
        text += f" ON DELETE {key.on_delete}"
    if key.on_update != "NO ACTION":
        text += f" ON UPDATE {key.on_update}"
    return text + (f" DEFERRABLE INITIALLY {key.deferrable.upper()}" if key.deferrable else "")


def _names(columns: Sequence[str]) -> str:
    return ", ".join(map(quote, columns))
