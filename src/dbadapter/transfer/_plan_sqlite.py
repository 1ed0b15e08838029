"""The plan for moving an SQLite database to Postgres."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from .._dialects import SQLITE, constraint_name
from ..errors import ConfigError
from ..schema.order import referenced_first
from ._arguments import Progress
from ._bookkeeping import recorded_in_sqlite
from ._candidates import candidates
from ._expressions import is_datatype_check
from ._names import Namer
from ._plan_columns import choose_types, plan_column, plan_defaults_and_generated, plan_enumerations
from ._plan_context import PlanContext, Target
from ._plan_foreign_keys import plan_foreign_keys, referring_columns
from ._plan_keys import plan_indexes_and_checks, plan_primary_key
from ._profile import ColumnProfile, TableProfile, profile_table
from ._read import utf16_codec
from ._sqlite_catalog import SQLiteColumn, SQLiteTable, read_catalog
from ._types import canonical
from .plan import TablePlan, TransferPlan

__all__ = ["plan_from_sqlite"]

_MOST_COLUMNS = 1600


def plan_from_sqlite(
    readers: Sequence[sqlite3.Connection],
    target: Target,
    plan: TransferPlan,
    *,
    tables: Collection[str] | None,
    profile: bool,
    encoding: str | None,
    progress: Progress | None,
) -> None:
    """Fill the plan; the readers see the source at one moment.

    Raises `ConfigError` where `tables` names one that is not there.
    """
    raw = readers[0]
    catalog = read_catalog(raw)
    plan.facts = {
        name: raw.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("encoding", "user_version", "application_id", "journal_mode")
    }
    context = PlanContext(
        readers,
        target,
        catalog,
        plan,
        utf16=utf16_codec(plan.facts["encoding"]),
        encoding=encoding,
        progress=progress,
        recorded={name: table for name, (state, table) in recorded_in_sqlite(raw).items() if state == "done"},
    )
    chosen = _chosen(catalog.tables, tables)
    context.relations.take(target.system)
    for table in catalog.tables:
        context.names[table.name] = context.relation(table.name)
    replaced = set(context.names.values())  # their indexes make room if the tables do
    context.relations.take(name for name, owner in target.indexes.items() if owner not in replaced)
    for table in chosen:
        context.relation(constraint_name(context.names[table.name], (), "pkey"))
    for other in catalog.others:
        if tables is None or other.table in tables:
            context.drop(other.kind, other.name, other.reason, other.table, other.sql)
    referring = referring_columns(chosen, catalog)
    for table in chosen:
        if planned := _plan_table(context, table, referring, profile=profile):
            plan.tables.append(planned)
    readable = {table.name for table in plan.tables}
    for table in chosen:
        if table.name in readable:
            plan_foreign_keys(context, table, profile=profile)
    plan.tables = _parents_first(plan.tables)


def _chosen(found: list[SQLiteTable], wanted: Collection[str] | None) -> list[SQLiteTable]:
    if wanted is None:
        return found
    by_name = {table.name.lower(): table for table in found}
    missing = [name for name in wanted if name.lower() not in by_name]
    if missing:
        raise ConfigError(f"there is no table {missing[0]!r}; there are {', '.join(t.name for t in found)}")
    names = {name.lower() for name in wanted}
    return [table for table in found if table.name.lower() in names]


def _plan_table(
    context: PlanContext, table: SQLiteTable, referring: set[tuple[str, str]], *, profile: bool
) -> TablePlan | None:
    """Plan a table without its foreign keys; None, and an entry among what is dropped, if Postgres cannot have it."""
    table.columns = _readable(context, table)
    if not table.columns or len(table.columns) > _MOST_COLUMNS:
        reason = f"Postgres tables have 1 to {_MOST_COLUMNS} columns, this has {len(table.columns)}"
        context.drop("table", table.name, reason, table.name, table.sql)
        return None
    checked = {
        column.name
        for column in table.columns
        for name, _ in table.checks
        if is_datatype_check(name, table.name, column.name)
    }
    found = _profile(context, table, checked) if profile else _unprofiled(context, table, checked)
    choices = choose_types(context, table, found, referring)
    planned = TablePlan(
        name=table.name,
        target=context.names[table.name],
        columns=[],
        rows=found.rows,
        row_bytes=found.row_bytes,
        rowid=table.rowid_name,
        create_sql=table.sql,
    )
    namer = Namer(columns=True)
    for column in table.columns:
        planned.columns.append(plan_column(context, table, column, found, choices[column.name], namer))
    plan_defaults_and_generated(context, table, planned)
    plan_primary_key(context, table, planned, found)
    plan_enumerations(context, table, planned, checked)
    plan_indexes_and_checks(context, table, planned, checked)
    planned.after_sql = [index.sql for index in table.indexes if index.sql]
    planned.existing = _is_there(context, planned)
    return planned


def _profile(context: PlanContext, table: SQLiteTable, checked: set[str]) -> TableProfile:
    """What the table holds, every value being read."""
    report = context.progress
    return profile_table(
        context.readers,
        table,
        checked=checked,
        utf16=context.utf16,
        encoding=context.encoding,
        progress=(lambda rows: report("profile", table.name, rows, -1)) if report else None,
    )


def _unprofiled(context: PlanContext, table: SQLiteTable, checked: set[str]) -> TableProfile:
    """A profile that goes by the declarations alone."""
    found = TableProfile(rows=-1, row_bytes=-1)
    for column in table.columns:
        tried = candidates(column.declared, checked=column.name in checked, encoding=context.encoding)
        found.columns[column.name] = ColumnProfile(tried=tried)
    return found


def _readable(context: PlanContext, table: SQLiteTable) -> list[SQLiteColumn]:
    """The table's columns without those that cannot be computed (a function of the app's own)."""
    kept = []
    for column in table.columns:
        try:
            context.raw.execute(f"SELECT {SQLITE.quote(column.name)} FROM {SQLITE.quote(table.name)} LIMIT 0")
        except sqlite3.OperationalError as error:
            context.drop("column", column.name, f"it cannot be read: {error}", table.name)
        else:
            kept.append(column)
    return kept


def _is_there(context: PlanContext, planned: TablePlan) -> bool:
    """Whether the target has the table already, empty and with the same columns."""
    found = context.target.tables.get(planned.target)
    if found is None or planned.target not in context.target.empty:
        return False
    mine = {column.target: canonical(column.type) for column in planned.columns}
    theirs = {column.name: canonical(column.type) for column in found.columns}
    return mine == theirs


def _parents_first(tables: Sequence[TablePlan]) -> list[TablePlan]:
    by_target = {table.target: table for table in tables}
    references = {table.target: [key.ref_table for key in table.foreign_keys] for table in tables}
    return [by_target[name] for name in referenced_first(references)]
