"""Columns of an SQLite table in Postgres: types, conversions, defaults, generated columns and enumerations."""

from __future__ import annotations

import re
from collections.abc import Collection

from .._dialects import constraint_name
from ..errors import ConfigError
from ..schema.scan import scan
from . import conversions as c
from ._choose import Choice, Circumstances, choose, proposals
from ._expressions import is_datatype_check, postgres_default, postgres_generated
from ._names import Namer
from ._plan_context import PlanContext
from ._profile import TableProfile, try_on_all
from ._sqlite_catalog import SQLiteColumn, SQLiteTable
from ._types import family
from .plan import ColumnPlan, TablePlan

__all__ = ["choose_types", "plan_column", "plan_defaults_and_generated", "plan_enumerations"]


def choose_types(
    context: PlanContext, table: SQLiteTable, profile: TableProfile, referring: set[tuple[str, str]]
) -> dict[str, Choice]:
    """The type and conversion of each column, by its name.

    Args:
        context: what the steps of planning share.
        table: the table.
        profile: what the table holds.
        referring: see `referring_columns`.
    """
    around = _circumstances(context, table, profile, referring)
    tried = {
        column.name: proposals(column, profile.columns[column.name], around[column.name])
        for column in table.columns
    }
    guesses = {
        name: guessed
        for name, tallies in tried.items()
        if (guessed := [each for each in tallies if each.guess])
    }
    if guesses and profile.rows > 0:
        try_on_all(context.raw, table, guesses, utf16=context.utf16)
    return {
        column.name: choose(column, profile.columns[column.name], tried[column.name], around[column.name])
        for column in table.columns
    }


def _circumstances(
    context: PlanContext, table: SQLiteTable, profile: TableProfile, referring: set[tuple[str, str]]
) -> dict[str, Circumstances]:
    linked = set(table.primary_key)
    for index in table.indexes:
        linked |= {name for name, _, _ in index.parts if index.unique and name is not None}
    for key in table.foreign_keys:
        linked |= set(key.columns)
    has_key = bool(table.primary_key) and not any(
        profile.columns[name].classes["null"] for name in table.primary_key
    )
    target = context.names[table.name]
    forced: dict[str, str] = {}
    if target in context.target.empty and target in context.target.tables:
        forced = {column.name: column.type for column in context.target.tables[target].columns}
    return {
        column.name: Circumstances(
            linked=column.name in linked,
            keyless=table.rowid_alias is None and not has_key,
            refers_to_integer=(table.name, column.name) in referring,
            vectors=context.target.vectors,
            forced=forced.get(column.name),
            before=_before(context, table.name, column.name),
        )
        for column in table.columns
    }


def _before(context: PlanContext, table: str, column: str) -> tuple[str, c.Conversion] | None:
    """The type that the column had in Postgres, where it came from there and the target has such a type."""
    recorded = context.recorded.get(table)
    found = next((col for col in recorded.columns if col.target == column), None) if recorded else None
    if found is None or _bare(found.declared) not in context.target.types:
        return None
    return found.declared, c.load(found.conversion)


def _bare(pg_type: str) -> str:
    """A type's name without its arguments."""
    return re.sub(r"\([^)]*\)", "", pg_type)


def plan_column(
    context: PlanContext,
    table: SQLiteTable,
    column: SQLiteColumn,
    found: TableProfile,
    choice: Choice,
    namer: Namer,
) -> ColumnPlan:
    """Plan a column, without its default and what it is computed from; `namer` gives its name in the target."""
    profile = found.columns[column.name]
    alias = column.name == table.rowid_alias
    nullable = not (column.not_null or alias)
    if profile.classes["null"] and not nullable:
        nullable = True
        reason = f"it is NOT NULL, but {profile.classes['null']} rows have NULL"
        context.drop("not null", column.name, reason, table.name)
    planned = ColumnPlan(
        name=column.name,
        target=namer.name(column.name),
        declared=column.declared,
        type=choice.type,
        conversion=c.dump(choice.conversion),
        nullable=nullable,
        identity=alias,
        collation=column.collation,
        reason=choice.reason,
        at_risk=choice.at_risk,
        kept=choice.kept,
        values={name: count for name, count in sorted(profile.classes.items()) if count},
    )
    if column.collation != "BINARY":
        reason = f"text compares by the collation {column.collation} in SQLite, byte by byte in Postgres"
        context.drop("collation", column.name, reason, table.name)
    return planned


def plan_defaults_and_generated(context: PlanContext, table: SQLiteTable, planned: TablePlan) -> None:
    """Plan the columns' defaults, and the expressions of those that are computed."""
    columns = {column.name.lower(): column for column in planned.columns}
    for column, plan in zip(table.columns, planned.columns, strict=True):
        if column.default is not None and not plan.identity:
            try:
                plan.default = postgres_default(column.default, plan)
            except ConfigError as error:
                context.drop("default", column.name, str(error), table.name, column.default)
        if column.generated is not None:
            try:
                plan.generated = postgres_generated(column.generated, columns)
            except ConfigError as error:
                reason = f"{error}; its values are copied as they stand"
                context.drop("generated column", column.name, reason, table.name, column.generated)


def plan_enumerations(
    context: PlanContext, table: SQLiteTable, planned: TablePlan, checked: Collection[str]
) -> None:
    """Columns that the adapter's own DDL makes an enumeration by a check are one in Postgres."""
    for column in planned.columns:
        if column.name not in checked or family(column.declared) != "text" or column.at_risk:
            continue
        expression = next(
            text for name, text in table.checks if is_datatype_check(name, table.name, column.name)
        )
        values = _alternatives(expression, column.name)
        if not values:
            continue
        name = constraint_name(planned.target, (column.target,), "enum")
        context.plan.enums[name] = values
        column.type = f'"{name}"'
        column.reason += "; an enumeration by its check"


def _alternatives(expression: str, column: str) -> list[str]:
    """The texts of a check that a column is one of several, however it says so; none if it is another check."""
    values = []
    for token in scan(expression):
        if token.kind == "string":
            values.append(token.text)
        elif not (token.text == column or token.is_word("OR", "IN") or token.text in ("=", "(", ")", ",")):
            return []
    return values
