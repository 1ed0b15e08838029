"""Primary keys, unique constraints, indexes and checks of an SQLite table in Postgres."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from .._dialects import POSTGRESQL, SQLITE, constraint_name
from ..errors import ConfigError
from ..schema.scan import scan
from ._expressions import is_datatype_check, postgres_expression
from ._index_text import index_condition, index_parts
from ._plan_context import PlanContext
from ._profile import TableProfile
from ._sqlite_catalog import SQLiteIndex, SQLiteTable
from ._types import canonical
from .plan import CheckPlan, ColumnPlan, IndexPlan, TablePlan

__all__ = ["plan_indexes_and_checks", "plan_primary_key"]


def plan_primary_key(
    context: PlanContext, table: SQLiteTable, planned: TablePlan, found: TableProfile
) -> None:
    """Plan a table's primary key and what tells its rows apart."""
    nulls = [name for name in table.primary_key if found.columns[name].classes["null"]]
    alias = table.rowid_alias
    by_name = {column.name: column for column in planned.columns}
    if alias is not None:
        planned.key = [alias]
        planned.next_identity = _next_identity(context.raw, table)
    elif table.primary_key and not nulls:
        planned.key = list(table.primary_key)
    if nulls and alias is None:
        reason = f"{', '.join(nulls)} has NULL in it, which a primary key in Postgres cannot; it is a UNIQUE constraint"
        context.drop("primary key", table.name, reason, table.name)
        planned.notes.append("the primary key has NULLs in SQLite: a UNIQUE constraint stands for it")
    planned.primary_key = [by_name[name].target for name in table.primary_key] if not nulls or alias else []
    for name in planned.key:
        by_name[name].nullable = False


def _next_identity(raw: sqlite3.Connection, table: SQLiteTable) -> int:
    """One more than any number given out so far."""
    name, quoted = SQLITE.quote(table.rowid_alias or ""), SQLITE.quote(table.name)
    row = raw.execute(f"SELECT max({name}) FROM {quoted}").fetchone()
    highest = row[0] or 0
    if table.autoincrement:
        row = raw.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
        if row and isinstance(row[0], int):
            highest = max(highest, row[0])
    return max(highest, 0) + 1


def plan_indexes_and_checks(
    context: PlanContext, table: SQLiteTable, planned: TablePlan, checked: Collection[str]
) -> None:
    """Plan a table's unique constraints, indexes and checks."""
    columns = {column.name.lower(): column for column in planned.columns}
    if planned.primary_key == [] and table.primary_key:
        key = [columns[name.lower()].target for name in table.primary_key]
        name = context.relation(constraint_name(planned.target, key, "key"))
        planned.indexes.append(
            IndexPlan(name=name, parts=[POSTGRESQL.quote(part) for part in key], unique=True, constraint=True)
        )
    folded = [name for name in table.primary_key if _fold(columns[name.lower()]) is not None]
    if folded:
        _add_folded(context, planned, [columns[name.lower()] for name in table.primary_key])
    for index in table.indexes:
        try:
            _index(context, planned, index, columns)
        except ConfigError as error:
            kind = "unique constraint" if index.constraint else "index"
            context.drop(kind, index.name, str(error), table.name, index.sql or "")
    _checks(context, table, planned, columns, checked)


def _fold(column: ColumnPlan, collation: str | None = None) -> str | None:
    """The expression that is equal where SQLite's collation says so; None for BINARY, and for what is no text."""
    collation = collation or column.collation
    name = POSTGRESQL.quote(column.target)
    if canonical(column.type)[0] not in ("text", "character varying", "character"):
        return None
    # In the collation C only ASCII letters have a case, as in NOCASE.
    return {"NOCASE": f'lower({name} COLLATE "C")', "RTRIM": f"rtrim({name}, ' ')"}.get(collation)


def _add_folded(context: PlanContext, planned: TablePlan, columns: Sequence[ColumnPlan]) -> None:
    name = constraint_name(planned.target, [column.target for column in columns], "idx")
    parts = [_fold(column) or POSTGRESQL.quote(column.target) for column in columns]
    planned.indexes.append(IndexPlan(name=context.relation(name), parts=parts, unique=True))


def _index(
    context: PlanContext, planned: TablePlan, index: SQLiteIndex, columns: dict[str, ColumnPlan]
) -> None:
    parts, folded = [], False
    texts = index_parts(index.sql) if index.sql else []
    for place, (name, descending, collation) in enumerate(index.parts):
        if name is None:
            text = f"({postgres_expression(texts[place], columns)})"
        else:
            column = columns.get(name.lower())
            if column is None:
                raise ConfigError(f"the column {name} is not moved")
            fold = _fold(column, collation)
            folded |= fold is not None
            if collation not in ("BINARY", "NOCASE", "RTRIM"):
                raise ConfigError(f"the collation {collation} is the app's own")
            text = fold or POSTGRESQL.quote(column.target)
        parts.append(text + (" DESC" if descending else ""))
    where = index_condition(index.sql) if index.sql else None
    if where is not None:
        where = postgres_expression(where, columns, condition=True)
    if index.constraint:
        names = [columns[(name or "").lower()].target for name, _, _ in index.parts]
        if folded:
            # A foreign key can refer to plain columns only, so those are kept unique as well.
            _add_folded(context, planned, [columns[(name or "").lower()] for name, _, _ in index.parts])
        name = context.relation(constraint_name(planned.target, names, "key"))
        plain = [POSTGRESQL.quote(target) for target in names]
        planned.indexes.append(IndexPlan(name=name, parts=plain, unique=True, constraint=True))
        return
    planned.indexes.append(
        IndexPlan(name=context.relation(index.name), parts=parts, unique=index.unique, where=where)
    )


def _checks(
    context: PlanContext,
    table: SQLiteTable,
    planned: TablePlan,
    columns: dict[str, ColumnPlan],
    checked: Collection[str],
) -> None:
    taken: set[str] = set()
    for name, expression in table.checks:
        if any(is_datatype_check(name, table.name, column) for column in checked):
            continue  # the column's type says the same
        if _implied(expression, columns):
            continue
        try:
            text = postgres_expression(expression, columns, condition=True)
        except ConfigError as error:
            context.drop("check", name or expression, str(error), table.name, expression)
            continue
        if name is None or name in taken:
            mentioned = [c.target for c in columns.values() if _mentions(expression, c.name)]
            name = constraint_name(planned.target, mentioned if len(mentioned) == 1 else (), "check", taken)
        taken.add(name)
        planned.checks.append(CheckPlan(name=name, expression=text, source=expression))


def _mentions(expression: str, column: str) -> bool:
    return any(
        token.kind in ("name", "word") and token.text.lower() == column.lower() for token in scan(expression)
    )


def _implied(expression: str, columns: dict[str, ColumnPlan]) -> bool:
    """``json_valid(x)`` of a column that is JSON in Postgres, with or without ``x IS NULL``."""
    tokens = [token for token in scan(expression) if token.kind in ("word", "name")]
    words = {token.text.lower() for token in tokens}
    if "json_valid" not in words or "and" in words or "not" in words:
        return False
    named = words - {"json_valid", "or", "is", "null"}
    column = columns.get(named.pop()) if len(named) == 1 else None
    return column is not None and column.conversion["kind"] == "json"
