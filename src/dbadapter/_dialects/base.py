"""How one backend's SQL differs from the other's, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from ..errors import UndefinedTable
from ..types import TableInfo

__all__ = ["BOOKKEEPING_PREFIX", "Dialect", "Rows"]

Rows = Sequence[Mapping[str, Any]]

BOOKKEEPING_PREFIX = "_dbadapter_"
"""Tables of that prefix are the library's own and stay out of every listing."""


@frozen
class Dialect:
    """One backend's quoting, its queries for introspection, and what sets it apart when tables are made.

    Attributes:
        name: ``sqlite`` or ``postgresql``.
        list_tables: a query without parameters; its column ``name`` holds the tables, sorted by code point.
        catalog: queries by part, each with the parameter ``:tbl`` (a table's name, or NULL for all tables).
            Run them all and hand their rows, as mappings, to `table_info` or to the schema reader.
        others: a query for what there is besides tables (views, triggers, ...): ``kind`` and ``name``.
        enums: a query for enumeration types (``name``, ``labels``, and ``users``, the tables that use it), or None
            where the backend has no such types.
        vectors: a query for whether the type of vectors is installed, or None where vectors need no type.
        serialize: a query that waits until nobody else creates tables, or None where a transaction does that.
        ignores_case: whether names of tables that differ only by case are the same.
        keeps_text: whether the catalog gives an expression back as it was written.
        drops_circles: whether one transaction can drop tables that refer to each other in a circle.
    """

    name: str
    list_tables: str = field(repr=False)
    catalog: Mapping[str, str] = field(repr=False)
    others: str = field(repr=False)
    enums: str | None = field(repr=False)
    vectors: str | None = field(repr=False)
    serialize: str | None = field(repr=False)
    ignores_case: bool = field(repr=False)
    keeps_text: bool = field(repr=False)
    drops_circles: bool = field(repr=False)
    _read: Callable[[str, Mapping[str, Rows]], TableInfo] = field(repr=False)

    def quote(self, identifier: str) -> str:
        """Quote a name (a table's, a column's), so that any name is taken literally."""
        if "\x00" in identifier:
            raise ValueError(f"a name cannot hold a NUL character: {identifier!r}")
        return '"' + identifier.replace('"', '""') + '"'

    def literal(self, text: str) -> str:
        """Write text as an SQL string literal."""
        if "\x00" in text:
            raise ValueError("an SQL literal cannot hold a NUL character")
        return "'" + text.replace("'", "''") + "'"

    def table_key(self, name: str) -> str:
        """What is equal for two names of one table."""
        return name.encode().lower().decode() if self.ignores_case else name  # of bytes: ASCII letters only

    def table_info(self, table: str, rows: Mapping[str, Rows]) -> TableInfo:
        """Read what the `catalog` queries gave for one table; UndefinedTable where they gave nothing."""
        if not rows["tables"]:
            raise UndefinedTable(
                f"there is no table {table!r}; list_tables() names those there are", sqlstate="42P01"
            )
        return self._read(table, rows)
