"""Columns that many tables have."""

from __future__ import annotations

from dbadapter.schema import Column
from dbadapter.schema import types as t


def identity() -> Column:
    """The key of a table."""
    return Column("id", t.Identity())


def belongs_to(table: str, name: str | None = None, *, nullable: bool = False) -> Column:
    """A reference that takes its rows along when the other row goes."""
    column = name or f"{table.removesuffix('s')}_id"
    return Column(column, t.BigInteger(), nullable=nullable, references=f"{table}.id", on_delete="cascade")


def mentions(table: str, name: str) -> Column:
    """A reference that is forgotten when the other row goes."""
    return Column(name, t.BigInteger(), references=f"{table}.id", on_delete="set null")


def created() -> Column:
    """When the row was made."""
    return Column("created_at", t.Timestamp(tz=True), nullable=False, default=t.now())


def updated() -> Column:
    """When the row was last changed; the apps set it."""
    return Column("updated_at", t.Timestamp(tz=True))


def details() -> Column:
    """Whatever one language wants to keep that the others need not know."""
    return Column("details", t.Json(), nullable=False, default={})
