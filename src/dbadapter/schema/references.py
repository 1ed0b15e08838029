"""Checking that foreign keys find what they refer to, and that no two things of a schema have one name."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ..errors import ConfigError
from . import types as t
from .constraints import ForeignKey, Index, Part, Unique, with_name
from .drafts import Skipped
from .table import Table

__all__ = ["resolved", "resolved_leniently"]

# Types whose values compare; the others refer to their own kind only.
_FAMILIES: tuple[tuple[type[t.Type], ...], ...] = (
    (t.Identity, t.SmallInteger, t.Integer, t.BigInteger),
    (t.Text, t.Varchar),
    (t.Decimal, t.Float),
)


def resolved(tables: Sequence[Table]) -> tuple[Table, ...]:
    """The tables with every foreign key's columns filled in.

    Raises ConfigError naming the table and column of what fits nothing.
    """
    by_name = _by_name(tables)
    _distinct(tables)
    made = []
    for table in tables:
        keys = []
        for key in table.foreign_keys:
            found, problem = _resolve(table, key, by_name)
            if problem:
                where = f"column {key.columns[0]!r}" if len(key.columns) == 1 else f"columns {key.columns!r}"
                raise ConfigError(f"table {table.name!r}, {where}: {problem}")
            keys.append(found)
        made.append(_with_keys(table, keys))
    return tuple(made)


def resolved_leniently(tables: Sequence[Table], skipped: list[Skipped]) -> tuple[Table, ...]:
    """Like `resolved`, for tables read from a script or database: what does not fit is left out and reported."""
    by_name = _by_name(tables)
    folded = {name.lower(): name for name in by_name}
    made = []
    for table in tables:
        keys = []
        for key in table.foreign_keys:
            if key.table not in by_name and key.table.lower() in folded:
                key = attrs.evolve(key, table=folded[key.table.lower()])
            found, problem = _resolve(table, key, by_name)
            if problem:
                skipped.append(
                    Skipped(f"table {table.name}", f"the foreign key of {', '.join(key.columns)}: {problem}")
                )
            else:
                keys.append(found)
        made.append(_with_keys(table, keys))
    return tuple(_renamed(made, skipped))


def _by_name(tables: Sequence[Table]) -> dict[str, Table]:
    by_name: dict[str, Table] = {}
    for table in tables:
        if not isinstance(table, Table):
            raise ConfigError(f"a schema is made of Table values, not {table!r}")
        if table.name in by_name:
            raise ConfigError(f"there are two tables {table.name!r}")
        by_name[table.name] = table
    return by_name


def _with_keys(table: Table, keys: Sequence[ForeignKey]) -> Table:
    return table if tuple(keys) == table.foreign_keys else table.replace(foreign_keys=keys)


def _resolve(table: Table, key: ForeignKey, by_name: dict[str, Table]) -> tuple[ForeignKey, str | None]:
    target = by_name.get(key.table)
    if target is None:
        return key, f"it refers to the table {key.table!r}, which there is not"
    columns = key.ref_columns or target.primary_key
    if not columns:
        return key, f"it refers to the table {key.table!r}, which has no primary key: name the column"
    names = {name.lower(): name for name in target.column_names} | {
        name: name for name in target.column_names
    }
    found = tuple(names.get(name, names.get(name.lower(), "")) for name in columns)
    if "" in found:
        return key, f"it refers to {key.table}.{columns[found.index('')]}, a column which there is not"
    if len(found) != len(key.columns):
        return key, f"it refers to the key {found!r} of {key.table!r}, which has {len(found)} columns"
    if not any(set(found) == set(group) for group in target.keys):
        return key, f"it refers to {key.table}.{', '.join(found)}, which is no primary key and not unique"
    for own, other in zip(key.columns, found, strict=True):
        one, two = table.column(own).type, target.column(other).type
        if not _comparable(one, two):
            return key, f"{own!r} is {one!r}, but {key.table}.{other} is {two!r}"
    return attrs.evolve(key, ref_columns=found), None


def _comparable(one: t.Type, two: t.Type) -> bool:
    if type(one) is type(two):
        return not isinstance(one, t.Enum) or one == two
    return any(isinstance(one, family) and isinstance(two, family) for family in _FAMILIES)


def _distinct(tables: Sequence[Table]) -> None:
    """PostgreSQL keeps tables, indexes and keys in one space of names."""
    owners: dict[str, str] = {}
    for table in tables:
        for name in _relations(table):
            if name in owners:
                raise ConfigError(
                    f"table {table.name!r}: the name {name!r} is taken by the table {owners[name]!r}; "
                    "tables, indexes and keys need different names"
                )
            owners[name] = table.name


def _relations(table: Table) -> list[str]:
    named: list[Unique | Index] = [*table.unique, *table.indexes]
    names = [table.name, *(item.name or "" for item in named)]
    return [*names, table.primary_key_name] if table.primary_key else names


def _renamed(tables: Sequence[Table], skipped: list[Skipped]) -> list[Table]:
    """Keys and indexes whose name is taken get another one: on SQLite constraints may share a name."""
    taken = {table.name for table in tables}
    made = []
    for table in tables:
        key_name = _free(table.primary_key_name, taken)
        if table.primary_key:
            taken.add(key_name)
        unique = _with_free_names(table, table.unique, taken, skipped)
        indexes = _with_free_names(table, table.indexes, taken, skipped)
        made.append(table.replace(unique=unique, indexes=indexes, primary_key_name=key_name))
    return made


def _with_free_names(
    table: Table, items: Sequence[Part], taken: set[str], skipped: list[Skipped]
) -> list[Part]:
    made = []
    for item in items:
        name = _free(item.name or "", taken)
        if name != item.name:
            skipped.append(Skipped(f"table {table.name}", f"{item.name} is now called {name}"))
            item = with_name(item, name)
        taken.add(name)
        made.append(item)
    return made


def _free(name: str, taken: set[str]) -> str:
    number, found = 0, name
    while found in taken:
        number += 1
        found = f"{name}{number}"
    return found
