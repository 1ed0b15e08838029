"""Which table of SQLite is which of Postgres, and how their columns correspond."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from . import conversions as c
from ._bookkeeping import TABLES
from .plan import TablePlan, TransferPlan, from_dict, table_from_dict

if TYPE_CHECKING:
    import psycopg

    from ._digest import Match

__all__ = ["match_of", "recorded_in_postgres", "recorded_in_sqlite", "recorded_plan"]


def match_of(table: TablePlan, direction: str) -> Match:
    """A table of a plan as a pair."""
    from ._digest import Match

    if direction == "sqlite-postgresql":
        columns = tuple((col.name, col.target, c.load(col.conversion), col.type) for col in table.copied)
        names = {column[0] for column in columns}
        key = tuple(table.key) if set(table.key) <= names else ()
        return Match(table.name, table.target, columns, key, table.rowid)
    columns = tuple((col.target, col.name, c.load(col.conversion), col.declared) for col in table.copied)
    by_source = {column[1]: column[0] for column in columns}
    key = tuple(by_source[name] for name in table.key) if set(table.key) <= set(by_source) else ()
    return Match(table.target, table.name, columns, key, table.rowid)


def recorded_in_postgres(raw: psycopg.Connection[Any]) -> dict[str, tuple[str, TablePlan]]:
    """The tables that a transfer brought to this Postgres database, by name there: (state, plan)."""
    row = raw.execute("SELECT to_regclass(%s) IS NOT NULL", (TABLES,)).fetchone()
    if not row or not row[0]:
        return {}
    rows = raw.execute(f"SELECT tbl, state, plan FROM {TABLES}".encode()).fetchall()
    return {name: (state, table_from_dict(json.loads(plan))) for name, state, plan in rows}


def recorded_in_sqlite(raw: sqlite3.Connection) -> dict[str, tuple[str, TablePlan]]:
    """The tables that a transfer brought to this SQLite database, by name there: (state, plan)."""
    if not raw.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (TABLES,)).fetchone():
        return {}
    rows = raw.execute(f"SELECT tbl, state, plan FROM {TABLES}").fetchall()
    return {name: (state, table_from_dict(json.loads(plan))) for name, state, plan in rows}


def recorded_plan(value: str) -> TransferPlan:
    """The plan of the last transfer, as the bookkeeping has it."""
    return from_dict(json.loads(value))
