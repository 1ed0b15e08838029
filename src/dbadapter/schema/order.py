"""In which order tables can be made, so that each foreign key finds its table; cycles included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .constraints import ForeignKey
    from .table import Table

__all__ = ["creation_order", "late_foreign_keys", "referenced_first"]


def creation_order(tables: Sequence[Table]) -> list[Table]:
    """The tables, referenced ones first; otherwise, and within a cycle, in the order given."""
    by_name = {table.name: table for table in tables}
    references = {table.name: [key.table for key in table.foreign_keys] for table in tables}
    return [by_name[name] for name in referenced_first(references)]


def referenced_first(references: Mapping[str, Sequence[str]]) -> list[str]:
    """Names of tables in an order in which each comes after all it refers to, unless that leads back to itself.

    Args:
        references: by the name of each table the names of those it refers to; others than these tables do not count.
    """
    ordered: list[str] = []
    seen: set[str] = set()
    for table in references:
        # An explicit stack: a chain of references may be longer than Python's.
        stack = [(table, iter(references[table]))] if table not in seen else []
        seen.add(table)
        while stack:
            current, others = stack[-1]
            name = next(others, None)
            if name is None:
                ordered.append(current)
                stack.pop()
            elif name in references and name not in seen:
                seen.add(name)
                stack.append((name, iter(references[name])))
    return ordered


def late_foreign_keys(ordered: Sequence[Table]) -> list[tuple[Table, ForeignKey]]:
    """The foreign keys that refer to a table made later: PostgreSQL gets them afterwards."""
    place = {table.name: at for at, table in enumerate(ordered)}
    return [
        (table, key)
        for at, table in enumerate(ordered)
        for key in table.foreign_keys
        if place.get(key.table, -1) > at
    ]
