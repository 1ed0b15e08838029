"""The plan for moving a Postgres database to SQLite: back to what it was, where it came from there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from .._dialects import POSTGRESQL, SQLITE
from ..errors import ConfigError
from ..schema import types as t
from ..schema.adapting import adapted_table
from ..schema.ddl_sqlite import statements as sqlite_statements
from ..schema.from_catalog import read_catalog
from ..schema.references import resolved_leniently
from ..schema.sqlite_types import declared
from ..schema.table import Table
from ..schema.type_names import postgresql_type
from . import conversions as c
from ._arguments import Progress
from ._bookkeeping import SOURCE, recorded_in_postgres, recorded_plan
from ._postgres_catalog import PostgresColumn, PostgresTable, catalog_rows, read_others, read_tables
from ._sqlite_ddl import read_create_table
from ._types import canonical, conversion_for, natural_type
from .plan import ColumnPlan, Dropped, TablePlan, TransferPlan

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "next_identity",
    "plan_from_postgres",
]


def plan_from_postgres(
    raw: psycopg.Connection[Any],
    plan: TransferPlan,
    *,
    tables: Collection[str] | None,
    profile: bool,
    progress: Progress | None,
) -> None:
    """Fill the plan.

    Raises `ConfigError` where `tables` names one that is not there.
    """
    found = read_tables(raw)
    if missing := [name for name in tables or () if name not in found]:
        raise ConfigError(f"there is no table {missing[0]!r}; there are {', '.join(found)}")
    chosen = {name: table for name, table in found.items() if tables is None or name in tables}
    recorded = {name: table for name, (state, table) in recorded_in_postgres(raw).items() if state == "done"}
    kept = {
        name
        for name, before in recorded.items()
        if name in chosen and _has_same_columns(chosen[name], before)
    }
    made = _statements(raw, set(chosen) - kept, plan)
    _remember_source(raw, plan, whole=tables is None)
    for name, table in chosen.items():
        before = recorded.get(name)
        if before is not None and name in kept:
            planned = _as_it_was(before)
        else:
            planned = _new_table(table, before, made.get(name), plan)
        planned.next_identity = next_identity(raw, table)
        if profile:
            if progress:
                progress("profile", name, 0, -1)
            _profile(raw, table, planned)
            if progress:
                progress("profile", name, planned.rows, planned.rows)
        plan.tables.append(planned)
    for kind, name, owner, sql in read_others(raw):
        if tables is None or owner in chosen:
            reason = (
                "only the tables of the current schema are moved"
                if kind == "schema"
                else "it is Postgres' own"
            )
            plan.dropped.append(Dropped(kind=kind, name=name, reason=reason, table=owner, sql=sql))


def _remember_source(raw: psycopg.Connection[Any], plan: TransferPlan, *, whole: bool) -> None:
    """Facts of the SQLite database that this one came from, and its views, triggers and virtual tables."""
    row = raw.execute("SELECT to_regclass(%s) IS NOT NULL", (SOURCE,)).fetchone()
    if not row or not row[0]:
        return
    value = raw.execute(f"SELECT value FROM {SOURCE} WHERE name = 'plan'".encode()).fetchone()
    if not value:
        return
    earlier = recorded_plan(value[0])
    plan.facts = dict(earlier.facts)
    if whole:
        objects = [item for item in earlier.dropped if item.kind in ("view", "trigger", "virtual table")]
        plan.facts["objects"] = [{"kind": item.kind, "name": item.name, "sql": item.sql} for item in objects]


def _has_same_columns(table: PostgresTable, before: TablePlan) -> bool:
    """Whether the table has the columns that the transfer gave it, and no others."""
    mine = {column.name: canonical(column.type) for column in table.columns}
    theirs = {column.target: canonical(column.type) for column in before.columns}
    return mine == theirs


def _as_it_was(before: TablePlan) -> TablePlan:
    """The plan of a table that goes back to what it was in SQLite, from the plan that brought it."""
    computed = {
        name for name, text in read_create_table(before.create_sql or "").columns.items() if text.generated
    }
    return TablePlan(
        name=before.target,
        target=before.name,
        columns=[_back(column, generated=column.name.lower() in computed) for column in before.columns],
        key=[column.target for column in before.columns if column.name in before.key],
        primary_key=list(before.key),
        rowid=before.rowid,
        create_sql=before.create_sql,
        after_sql=list(before.after_sql),
        notes=["it came from SQLite and goes back as it was"],
    )


def _back(column: ColumnPlan, *, generated: bool) -> ColumnPlan:
    """The plan of a column that goes back, from the plan that brought it."""
    return ColumnPlan(
        name=column.target,
        target=column.name,
        declared=column.type,
        type=column.declared,
        conversion=column.conversion,
        nullable=column.nullable,
        identity=column.identity,
        generated="computed" if generated else None,
        reason="as it was in SQLite",
    )


# -- tables of Postgres' own ---------------------------------------------------------------------------------------


def _statements(raw: psycopg.Connection[Any], chosen: set[str], plan: TransferPlan) -> dict[str, list[str]]:
    """The statements that make each table in SQLite: CREATE TABLE, then its indexes."""
    tables, skipped = read_catalog(POSTGRESQL, catalog_rows(raw), [])
    tables = [_counting_on(table) for table in resolved_leniently(tables, skipped)]
    made: dict[str, list[str]] = {}
    for table in tables:
        if table.name not in chosen:
            continue
        kept, left_out = adapted_table(table, "sqlite")
        skipped += left_out
        try:
            made[table.name] = sqlite_statements([kept])
        except ConfigError as error:
            plan.notes.append(str(error))
    for item in skipped:
        kind, _, name = item.what.partition(" ")
        if kind != "table" or name in chosen:
            plan.dropped.append(Dropped(kind="part of a table", name=name, table=name, reason=item.reason))
    return made


def _counting_on(table: Table) -> Table:
    """The table, whose Identity column gives no number twice in SQLite either."""
    columns = [
        attrs.evolve(column, type=t.Identity(autoincrement=True))
        if isinstance(column.type, t.Identity)
        else column
        for column in table.columns
    ]
    return table.replace(columns=columns)


def _new_table(
    table: PostgresTable, before: TablePlan | None, statements: list[str] | None, plan: TransferPlan
) -> TablePlan:
    """A table that SQLite never had, or that was changed since it came from there."""
    known = {column.target: column for column in before.columns} if before else {}
    columns = []
    for column in table.columns:
        earlier = known.get(column.name)
        if earlier is not None and canonical(earlier.type) == canonical(column.type):
            planned = _back(earlier, generated=False)
            planned.nullable = not column.not_null
        else:
            planned = _column(column)
        columns.append(planned)
    if before is not None:
        # Its values are in their old spelling, which the checks of a new table would refuse.
        statements = None
        plan.notes.append(f"{table.name} was changed since it came from SQLite, so it is made anew")
    return TablePlan(
        name=table.name,
        target=table.name,
        columns=columns,
        key=table.primary_key,
        primary_key=table.primary_key,
        create_sql=statements[0] if statements else _plain_statement(table, columns),
        after_sql=statements[1:] if statements else [],
    )


def _column(column: PostgresColumn) -> ColumnPlan:
    kind = column.base or column.type
    conversion: c.Conversion = c.Text() if column.labels and not kind.endswith("[]") else conversion_for(kind)
    if isinstance(conversion, c.JsonArray) and column.labels:
        conversion = c.JsonArray()
    model = t.Text() if column.labels and not kind.endswith("[]") else postgresql_type(kind, {})
    reason = column.type if natural_type(conversion) != "text" else f"{column.type}, as text"
    return ColumnPlan(
        name=column.name,
        target=column.name,
        declared=column.type,
        type=declared(model),
        conversion=c.dump(conversion),
        nullable=not column.not_null,
        identity=column.identity,
        generated="computed" if column.generated else None,
        reason=reason,
    )


def _plain_statement(table: PostgresTable, columns: list[ColumnPlan]) -> str:
    """A table without checks and defaults, for what the model of schemas cannot hold."""
    quote = SQLITE.quote
    lines = []
    for column in columns:
        column.generated = None  # its values are copied
        alias = column.identity and table.primary_key == [column.name]
        kind = "INTEGER PRIMARY KEY AUTOINCREMENT" if alias else column.type
        null = "" if column.nullable or alias else " NOT NULL"
        lines.append(f"{quote(column.target)} {kind}{null}")
        if alias:
            column.type = "INTEGER"
    targets = {column.name: column.target for column in columns}

    def listed(names: Sequence[str]) -> str:
        return ", ".join(quote(targets[name]) for name in names)

    if table.primary_key and not any("AUTOINCREMENT" in line for line in lines):
        lines.append(f"PRIMARY KEY ({listed(table.primary_key)})")
    for row in table.constraints:
        if row["kind"] == "f" and row["ref_same_schema"]:
            there = ", ".join(map(quote, row["ref_cols"]))
            lines.append(f"FOREIGN KEY ({listed(row['cols'])}) REFERENCES {quote(row['ref_tbl'])} ({there})")
        elif row["kind"] == "u":
            lines.append(f"UNIQUE ({listed(row['cols'])})")
    return f"CREATE TABLE {quote(table.name)} (\n    " + ",\n    ".join(lines) + "\n)"


def next_identity(raw: psycopg.Connection[Any], table: PostgresTable) -> int | None:
    """What the identity column of a table counts up from; None if it has none."""
    for column in table.columns:
        if not column.identity:
            continue
        row = raw.execute(
            "SELECT pg_get_serial_sequence(%s, %s)", (POSTGRESQL.quote(table.name), column.name)
        ).fetchone()
        if row and row[0]:
            found = raw.execute(f"SELECT last_value, is_called FROM {row[0]}".encode()).fetchone()
            if found:
                return int(found[0]) + bool(found[1])
    return None


# -- profile -------------------------------------------------------------------------------------------------------

_SIZED = ("text", "character varying", "character", "bytea", "json", "jsonb")


def _profile(raw: psycopg.Connection[Any], table: PostgresTable, planned: TablePlan) -> None:
    """Count rows, NULLs and values that SQLite cannot hold, and measure the largest row."""
    quote = POSTGRESQL.quote
    parts = ["count(*)"]
    sizes = ["0"]
    for column in planned.columns:
        name = quote(column.name)
        parts.append(f"count({name})")
        refuses = c.load(column.conversion).refuses_sql(name)
        parts.append(f"count(*) FILTER (WHERE {refuses})" if refuses else "0")
        kind = canonical(column.declared)[0]
        if kind == "bytea":
            sizes.append(f"octet_length({name})")
        elif kind in _SIZED or not column.declared[0].isalpha() or kind.endswith("[]"):
            sizes.append(f"octet_length({name}::text)")
    total = "+".join(f"coalesce({size},0)" for size in sizes)
    query = f"SELECT {', '.join(parts)}, max({total}) FROM {quote(table.name)}"
    row = raw.execute(query.encode()).fetchone()
    assert row
    rows, *counts, largest = row
    planned.rows = rows
    planned.row_bytes = int(largest or 0) + 16 * len(planned.columns)
    for column, filled, refused in zip(planned.columns, counts[::2], counts[1::2], strict=True):
        column.values = {"filled": filled, "null": rows - filled}
        column.at_risk = refused
        if refused:
            column.reason += (
                f"; {refused} will be rejected: SQLite cannot hold them (NaN, infinity, years beyond 9999 …)"
            )
