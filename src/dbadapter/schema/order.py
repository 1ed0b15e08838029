"""In which order tables can be made, so that each foreign key finds its table; cycles included."""

from __future__ import annotations

from collections.abc import Sequence

from .constraints import ForeignKey
from .table import Table

__all__ = ["creation_order", "late_foreign_keys"]


def creation_order(tables: Sequence[Table]) -> list[Table]:
    """Referenced tables first; otherwise, and within a cycle, the order given.

    Depth first over the references: a table comes after all it refers to, unless that leads back to itself.
    """
    by_name = {table.name: table for table in tables}
    ordered: list[Table] = []
    seen: set[str] = set()
    for table in tables:
        # An explicit stack: a chain of references may be longer than Python's.
        stack = [(table, iter(_references(table)))] if table.name not in seen else []
        seen.add(table.name)
        while stack:
            current, references = stack[-1]
            name = next(references, None)
            if name is None:
                ordered.append(current)
                stack.pop()
            elif name in by_name and name not in seen:
                seen.add(name)
                stack.append((by_name[name], iter(_references(by_name[name]))))
    return ordered


def _references(table: Table) -> list[str]:
    return [key.table for key in table.foreign_keys if key.table != table.name]


def late_foreign_keys(ordered: Sequence[Table]) -> list[tuple[Table, ForeignKey]]:
    """The foreign keys that refer to a table made later: PostgreSQL gets them afterwards."""
    place = {table.name: at for at, table in enumerate(ordered)}
    return [
        (table, key)
        for at, table in enumerate(ordered)
        for key in table.foreign_keys
        if place.get(key.table, -1) > at
    ]
