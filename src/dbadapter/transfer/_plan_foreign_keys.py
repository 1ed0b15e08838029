"""Foreign keys of SQLite tables in Postgres."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from .._dialects import SQLITE
from ..errors import ConfigError
from ._index_text import index_condition
from ._plan_context import PlanContext
from ._sqlite_catalog import Catalog, SQLiteForeignKey, SQLiteTable
from ._types import canonical, family
from .plan import ColumnPlan, ForeignKeyPlan, TablePlan

__all__ = ["plan_foreign_keys", "referring_columns"]

# Types whose values can refer to each other.
_COMPARABLE = {
    "smallint": "integer", "bigint": "integer", "character varying": "text", "character": "text",
    "real": "double precision",
}  # fmt: skip


def referring_columns(tables: Sequence[SQLiteTable], catalog: Catalog) -> set[tuple[str, str]]:
    """The (table, column) pairs that are foreign keys to columns declared integers."""
    found = set()
    for table in tables:
        for key in table.foreign_keys:
            parent = _find(catalog, key.ref_table)
            for column, referred in zip(key.columns, _referred(key, parent) if parent else (), strict=False):
                assert parent
                declared = next(item.declared for item in parent.columns if item.name == referred)
                if family(declared) == "integer":
                    found.add((table.name, column))
    return found


def plan_foreign_keys(context: PlanContext, table: SQLiteTable, *, profile: bool) -> None:
    """Plan a table's foreign keys; all tables are planned already."""
    planned = context.plan.table(table.name)
    for key in table.foreign_keys:
        try:
            planned.foreign_keys.append(_foreign_key(context, table, planned, key, profile=profile))
        except ConfigError as error:
            name = f"({', '.join(key.columns)}) → {key.ref_table}"
            context.drop("foreign key", name, str(error), table.name)


def _foreign_key(
    context: PlanContext, table: SQLiteTable, planned: TablePlan, key: SQLiteForeignKey, *, profile: bool
) -> ForeignKeyPlan:
    parent = _find(context.catalog, key.ref_table)
    if parent is None:
        raise ConfigError(f"there is no table {key.ref_table}")
    referred = _referred(key, parent)
    if not referred:
        raise ConfigError(f"{parent.name} has no such columns, or no primary key of as many")
    if not _is_unique(parent, referred):
        raise ConfigError(f"{parent.name} ({', '.join(referred)}) is not unique, so it cannot be referred to")
    mine = _columns(planned, key.columns)
    ref_columns = _target_columns(context, parent, referred, mine)
    orphans = _orphans(context, table, parent, key, referred) if profile else 0
    return ForeignKeyPlan(
        columns=[column.target for column in mine],
        ref_table=context.names[parent.name],
        ref_columns=ref_columns,
        on_delete=key.on_delete,
        on_update=key.on_update,
        deferrable=key.deferrable,
        orphans=orphans,
        valid=orphans == 0,
    )


def _target_columns(
    context: PlanContext, parent: SQLiteTable, referred: Sequence[str], mine: Sequence[ColumnPlan]
) -> list[str]:
    """The names in the target of the columns that are referred to. Raises ConfigError if they cannot be by `mine`."""
    parent_plan = next((item for item in context.plan.tables if item.name == parent.name), None)
    if parent_plan is None:
        if context.names[parent.name] not in context.target.tables:
            raise ConfigError(f"{parent.name} is neither in this transfer nor in the target")
        return list(referred)
    theirs = _columns(parent_plan, referred)
    for column, other in zip(mine, theirs, strict=True):
        if _comparison(column) != _comparison(other):
            raise ConfigError(
                f"{column.name} is {column.type} and {other.name} is {other.type} in the target"
            )
    return [column.target for column in theirs]


def _find(catalog: Catalog, name: str) -> SQLiteTable | None:
    return next((table for table in catalog.tables if table.name.lower() == name.lower()), None)


def _referred(key: SQLiteForeignKey, parent: SQLiteTable) -> list[str]:
    """The parent's columns that a foreign key goes to, as they are spelled there; [] where there are none such."""
    wanted = key.ref_columns or parent.primary_key
    names = {column.name.lower(): column.name for column in parent.columns}
    found = [names.get(name.lower(), "") for name in wanted]
    return found if len(found) == len(key.columns) and all(found) else []


def _columns(planned: TablePlan, names: Sequence[str]) -> list[ColumnPlan]:
    by_name = {column.name.lower(): column for column in planned.columns}
    try:
        return [by_name[name.lower()] for name in names]
    except KeyError as error:
        raise ConfigError(f"the column {error.args[0]} is not moved") from None


def _comparison(column: ColumnPlan) -> str:
    kind = canonical(column.type)[0]
    return _COMPARABLE.get(kind, kind)


def _is_unique(parent: SQLiteTable, columns: Sequence[str]) -> bool:
    wanted = {name.lower() for name in columns}
    if {name.lower() for name in parent.primary_key} == wanted:
        return True
    for index in parent.indexes:
        plain = all(name is not None for name, _, _ in index.parts)
        partial = index.sql is not None and index_condition(index.sql) is not None
        if (
            index.unique
            and plain
            and not partial
            and {(n or "").lower() for n, _, _ in index.parts} == wanted
        ):
            return True
    return False


def _orphans(
    context: PlanContext,
    table: SQLiteTable,
    parent: SQLiteTable,
    key: SQLiteForeignKey,
    referred: Sequence[str],
) -> int:
    quote = SQLITE.quote
    present = " AND ".join(f"c.{quote(name)} IS NOT NULL" for name in key.columns)
    same = " AND ".join(
        f"p.{quote(theirs)} = c.{quote(mine)}" for mine, theirs in zip(key.columns, referred, strict=True)
    )
    query = (
        f"SELECT count(*) FROM {quote(table.name)} c WHERE {present} "
        f"AND NOT EXISTS (SELECT 1 FROM {quote(parent.name)} p WHERE {same})"
    )
    try:
        return int(context.raw.execute(query).fetchone()[0])
    except sqlite3.OperationalError as error:  # a collation of the app's own
        context.plan.notes.append(
            f"orphans of {table.name} ({', '.join(key.columns)}) cannot be counted: {error}"
        )
        return 0
