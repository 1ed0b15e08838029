"""Which constraint SQLite meant: its messages leave out names, and for foreign keys everything.

Where SQLite keeps no name, the one that Postgres would have chosen is given: ``t_pkey``, ``t_a_b_key``, ``t_a_fkey``.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator

from .._core.statement import Statement
from .._dialects import SQLITE
from ..errors import ParameterError

__all__ = ["foreign_key_at_fault", "unique_constraint_name"]

quote = SQLITE.quote

ForeignKey = tuple[str, tuple[str, ...], str | None]
_PLAIN_NAME = re.compile(r'(?:.*\.)?["`]?(.*?)["`]?$', re.DOTALL)


def unique_constraint_name(raw: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> str | None:
    """The name of the unique constraint or index over `columns` of `table`."""
    indexes = raw.execute('SELECT name, origin FROM pragma_index_list(?) WHERE "unique"', (table,)).fetchall()
    for name, origin in indexes:
        if set(columns) != {row[0] for row in raw.execute("SELECT name FROM pragma_index_info(?)", (name,))}:
            continue
        if origin == "c":
            return str(name)
        return f"{table}_pkey" if origin == "pk" else _declared_name(raw, table, "UNIQUE", columns)
    return f"{table}_pkey"  # an INTEGER PRIMARY KEY is the rowid itself: no index is listed for it


def _declared_name(raw: sqlite3.Connection, table: str, kind: str, columns: tuple[str, ...]) -> str:
    """The name given in CREATE TABLE as ``CONSTRAINT name UNIQUE (a, b)``, else Postgres' default."""
    row = raw.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    suffix = "key" if kind == "UNIQUE" else "fkey"
    listed = r"\s*,\s*".join(rf'["`\[]?{re.escape(column)}["`\]]?' for column in columns)
    pattern = rf'CONSTRAINT\s+("(?:[^"]|"")+"|[^\s"]+)\s+{kind}\s*\(\s*{listed}\s*\)'
    found = re.search(pattern, row[0], re.IGNORECASE) if row and row[0] else None
    return found.group(1).strip('"').replace('""', '"') if found else "_".join((table, *columns, suffix))


def foreign_key_at_fault(
    raw: sqlite3.Connection, statement: Statement | None, again: Callable[[], object] | None
) -> ForeignKey | None:
    """(table, columns, constraint) of the foreign key that `statement` violated, as far as that can be known.

    With one candidate it is certain. Among several, an INSERT is tried `again` with the checks deferred and its row
    looked at, all inside a savepoint that is rolled back; for other statements the columns stay unknown.
    """
    if statement is None or statement.table is None:
        return None
    match = _PLAIN_NAME.match(statement.table)
    table = match.group(1) if match else statement.table
    outgoing = [] if statement.verb == "delete" else list(_foreign_keys(raw, table))
    incoming = [] if statement.verb in ("insert", "replace") else list(_referencing(raw, table))
    candidates = outgoing + incoming
    if len(candidates) == 1:
        return candidates[0]
    if statement.inserts_values and again is not None and (found := _by_trial(raw, table, outgoing, again)):
        return found
    tables = {candidate[0] for candidate in candidates}
    return (tables.pop(), (), None) if len(tables) == 1 else None


def _by_trial(
    raw: sqlite3.Connection, table: str, candidates: list[ForeignKey], again: Callable[[], object]
) -> ForeignKey | None:
    """The first foreign key that the inserted row has no parent for."""
    parents = _parents(raw, table)
    raw.execute("SAVEPOINT _dbadapter_trial")
    try:
        raw.execute("PRAGMA defer_foreign_keys = ON")
        again()
        for candidate, (parent, keys) in zip(candidates, parents, strict=True):
            pairs = list(zip(candidate[1], keys, strict=True))
            given = " AND ".join(f"child.{quote(column)} IS NOT NULL" for column, _ in pairs)
            same = " AND ".join(f"parent.{quote(key)} = child.{quote(column)}" for column, key in pairs)
            orphan = f"""SELECT 1 FROM {quote(table)} child WHERE child.rowid = last_insert_rowid() AND {given}
                AND NOT EXISTS (SELECT 1 FROM {quote(parent)} parent WHERE {same})"""
            if raw.execute(orphan).fetchone():
                return candidate
    except (sqlite3.Error, ValueError, ParameterError):
        return None  # no rowid, a parent that is not there, a bulk load: told without the columns
    finally:
        raw.execute("ROLLBACK TO _dbadapter_trial")
        raw.execute("PRAGMA defer_foreign_keys = OFF")
        raw.execute("RELEASE _dbadapter_trial")
    return None


def _parents(raw: sqlite3.Connection, table: str) -> list[tuple[str, list[str]]]:
    """For each foreign key of `table`, in the order of `_foreign_keys`: the parent and the columns referred to."""
    rows = raw.execute(
        'SELECT id, "table", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq', (table,)
    ).fetchall()
    found = []
    for number in sorted({row[0] for row in rows}):
        parent = next(row[1] for row in rows if row[0] == number)
        keys = [row[2] for row in rows if row[0] == number]
        if keys[0] is None:  # it refers to the primary key
            primary = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
            keys = [row[0] for row in raw.execute(primary, (parent,))]
        found.append((parent, keys))
    return found


def _foreign_keys(raw: sqlite3.Connection, table: str) -> Iterator[ForeignKey]:
    """The foreign keys that `table` declares."""
    rows = raw.execute(
        'SELECT id, "from" FROM pragma_foreign_key_list(?) ORDER BY id, seq', (table,)
    ).fetchall()
    for number in sorted({row[0] for row in rows}):
        columns = tuple(row[1] for row in rows if row[0] == number)
        yield table, columns, _declared_name(raw, table, r"FOREIGN\s+KEY", columns)


def _referencing(raw: sqlite3.Connection, table: str) -> Iterator[ForeignKey]:
    """The foreign keys of any table that point to `table`."""
    sql = """SELECT DISTINCT m.name FROM sqlite_master m, pragma_foreign_key_list(m.name) f
             WHERE m.type = 'table' AND lower(f."table") = lower(?) ORDER BY 1"""
    for (child,) in raw.execute(sql, (table,)).fetchall():
        pointing = 'SELECT DISTINCT id FROM pragma_foreign_key_list(?) WHERE lower("table") = lower(?)'
        numbers = {row[0] for row in raw.execute(pointing, (child, table))}
        everything = list(_foreign_keys(raw, child))
        ids = sorted({row[0] for row in raw.execute("SELECT id FROM pragma_foreign_key_list(?)", (child,))})
        yield from (key for number, key in zip(ids, everything, strict=True) if number in numbers)
