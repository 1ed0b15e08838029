"""Making a plan's tables in Postgres, and their keys, indexes and checks once the rows are in.

What depends on translated SQL is tried inside a savepoint: where it fails it is listed, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .._dialects import POSTGRESQL
from ..errors import TransferError
from ._endpoints import settings
from ._postgres_ddl import (
    add_check,
    add_foreign_key,
    add_primary_key,
    create_index,
    create_table,
    foreign_key_name,
    preparations,
    set_defaults,
    set_identity,
)
from .plan import Dropped, ForeignKeyPlan, TablePlan, TransferPlan

if TYPE_CHECKING:
    import psycopg

__all__ = ["attempt", "create_tables", "drop_tables", "finish_table", "foreign_keys", "orphans"]

quote = POSTGRESQL.quote


class Refusal(str):
    """Why the server refused a statement, in its words, which may be of any language; and the code of that."""

    __slots__ = ("sqlstate",)

    sqlstate: str


# A relation, a constraint or type, a primary key: an interrupted run has made it.
_THERE_ALREADY = ("42P07", "42710", "42P16")
_NOT_THERE = "42704"


def attempt(raw: psycopg.Connection[Any], statement: str) -> Refusal | None:
    """Execute in a savepoint (or a transaction of its own); why not, if the server refuses."""
    import psycopg

    try:
        with raw.transaction():
            raw.execute(statement.encode())
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate[:2] in ("08", "53", "57", "58", "XX"):
            raise
        refusal = Refusal(error.diag.message_primary or error)
        refusal.sqlstate = error.sqlstate
        return refusal
    return None


def drop_tables(raw: psycopg.Connection[Any], plan: TransferPlan) -> None:
    """Drop the plan's tables and enumerations; TransferError if something else depends on them."""
    names = [table.target for table in plan.tables]
    rows = raw.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace "
        "AND c.relname = ANY(%s) AND c.relkind IN ('r', 'p')",
        (names,),
    ).fetchall()
    present = [name for (name,) in rows]
    for name in present:  # keys between them, in any direction
        keys = raw.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = to_regclass(%s) "
            "AND confrelid = ANY(SELECT to_regclass(quote_ident(n)) FROM unnest(%s::text[]) n)",
            (quote(name), present),
        ).fetchall()
        for (key,) in keys:
            raw.execute(f"ALTER TABLE {quote(name)} DROP CONSTRAINT {quote(key)}".encode())
    for name in present:
        if problem := attempt(raw, f"DROP TABLE {quote(name)} RESTRICT"):
            raise TransferError(f"cannot replace the table {name}: {problem}; drop what depends on it first")
    for name in plan.enums:
        attempt(raw, f"DROP TYPE IF EXISTS {quote(name)} RESTRICT")


def create_tables(raw: psycopg.Connection[Any], plan: TransferPlan) -> list[Dropped]:
    """Make the tables, without keys; what could not be made as planned. A transaction is open.

    A generated column that Postgres refuses becomes a plain one in the plan, so that its values are copied.
    """
    dropped: list[Dropped] = []
    for statement in preparations(plan):
        problem = attempt(raw, statement)
        if problem and problem.sqlstate not in _THERE_ALREADY:
            raise TransferError(f"cannot prepare the target: {problem} ({statement.split(' (')[0]})")
    for table in plan.tables:
        if not table.existing:
            dropped += _make_table(raw, table)
    return dropped


def _make_table(raw: psycopg.Connection[Any], table: TablePlan) -> list[Dropped]:
    """Make one table with its defaults; the generated columns and defaults that Postgres refuses."""
    dropped: list[Dropped] = []
    problem = attempt(raw, create_table(table))
    computed = [column for column in table.columns if column.generated is not None]
    if problem and computed:
        reason = f"Postgres refuses it ({problem}); its values are copied as they stand"
        for column in computed:
            dropped.append(_dropped("generated column", column.name, reason, table, column.generated))
            column.generated = None
        problem = attempt(raw, create_table(table))
    if problem:
        raise TransferError(f"cannot make the table {table.target}: {problem}")
    for column, statement in set_defaults(table):
        if refusal := attempt(raw, statement):
            dropped.append(_dropped("default", column.name, refusal, table, column.default))
    return dropped


def _dropped(kind: str, name: str, reason: str, table: TablePlan, sql: str | None) -> Dropped:
    return Dropped(kind=kind, name=name, reason=reason, table=table.name, sql=sql or "")


def finish_table(raw: psycopg.Connection[Any], table: TablePlan) -> list[Dropped]:
    """Identity, primary key, indexes and checks of a loaded table; what could not be made."""
    if statement := set_identity(table):
        raw.execute(statement.encode())
    if table.existing:
        return []
    dropped = []
    wanted = [("primary key", table.target, add_primary_key(table))] if table.primary_key else []
    for index in table.indexes:
        kind = "unique constraint" if index.constraint else "index"
        wanted.append((kind, index.name, create_index(table, index)))
    wanted += [("check", check.name, add_check(table, check)) for check in table.checks]
    for kind, name, statement in wanted:
        problem = attempt(raw, statement)
        if problem and problem.sqlstate not in _THERE_ALREADY:
            dropped.append(_dropped(kind, name, problem, table, statement))
    for check in table.checks:
        validate = f"ALTER TABLE {quote(table.target)} VALIDATE CONSTRAINT {quote(check.name)}"
        problem = attempt(raw, validate)
        if problem and problem.sqlstate != _NOT_THERE:
            reason = (
                f"rows violate it in SQLite already ({problem}); it is NOT VALID: it holds for new rows only"
            )
            dropped.append(_dropped("check", check.name, reason, table, check.source))
    return dropped


def foreign_keys(
    raw: psycopg.Connection[Any], table: TablePlan
) -> Iterator[tuple[ForeignKeyPlan, str, str | None, bool]]:
    """Add a loaded table's foreign keys: (key, its name, why it could not be added or None, whether it holds)."""
    for key in () if table.existing else table.foreign_keys:
        name = foreign_key_name(table, key)
        problem = attempt(raw, add_foreign_key(table, key))
        if problem and problem.sqlstate not in _THERE_ALREADY:
            yield key, name, problem, False
            continue
        valid = attempt(raw, f"ALTER TABLE {quote(table.target)} VALIDATE CONSTRAINT {quote(name)}") is None
        yield key, name, None, valid


def orphans(
    raw: psycopg.Connection[Any], table: TablePlan, key: ForeignKeyPlan, limit: int = 10
) -> tuple[int, list[str]]:
    """How many rows refer to no row, and the values with which the first of them do."""
    present = " AND ".join(f"c.{quote(name)} IS NOT NULL" for name in key.columns)
    same = " AND ".join(
        f"p.{quote(theirs)} = c.{quote(mine)}"
        for mine, theirs in zip(key.columns, key.ref_columns, strict=True)
    )
    where = (
        f"FROM {quote(table.target)} c WHERE {present} AND NOT EXISTS "
        f"(SELECT FROM {quote(key.ref_table)} p WHERE {same})"
    )
    with raw.transaction():
        settings(raw)
        row = raw.execute(f"SELECT count(*) {where}".encode()).fetchone()
        values = ", ".join(f"c.{quote(name)}::text" for name in key.columns)
        found = raw.execute(f"SELECT {values} {where} ORDER BY {values} LIMIT {limit}".encode()).fetchall()
    return int(row[0]) if row else 0, [", ".join(values) for values in found]
