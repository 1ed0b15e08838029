"""Which constraint SQLite meant: its messages leave out names, and for foreign keys everything.

Where SQLite keeps no name, the one that Postgres would have chosen is given: ``t_pkey``, ``t_a_b_key``, ``t_a_fkey``.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import attrs

from .._core.statement import Statement
from .._dialects import SQLITE
from ..errors import ParameterError

__all__ = ["Trial", "foreign_key_at_fault", "unique_constraint_name"]

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


@attrs.frozen
class Trial:
    """How to find out more about a statement that failed.

    Attributes:
        again: runs the statement once more.
        briefly: a context in which a read that takes long is stopped.
    """

    again: Callable[[], object]
    briefly: Callable[[], AbstractContextManager[None]]


def foreign_key_at_fault(
    raw: sqlite3.Connection, statement: Statement | None, trial: Trial | None
) -> ForeignKey | None:
    """(table, columns, constraint) of the foreign key that was violated, as far as that can be known.

    With one candidate it is certain. Among several, the statement is tried again with the checks deferred, inside a
    savepoint that is rolled back, and SQLite asked which rows have no parent then that had one before; a COMMIT, which
    is no statement, leaves its transaction open, so the rows are still there. Where the tables are too large to be
    looked through at once, the columns stay unknown.
    """
    if trial is None:
        return None
    if statement is None:
        try:
            return next(iter(_orphans(raw, trial, [None])), None)
        except sqlite3.Error:
            return None  # too large
    if statement.table is None:
        return None
    match = _PLAIN_NAME.match(statement.table)
    table = match.group(1) if match else statement.table
    outgoing = [] if statement.verb == "delete" else list(_foreign_keys(raw, table).values())
    incoming = [] if statement.verb in ("insert", "replace") else list(_referencing(raw, table))
    candidates = outgoing + incoming
    if len(candidates) == 1:
        return candidates[0]
    tables = dict.fromkeys(candidate[0] for candidate in candidates)
    if found := _by_trial(raw, trial, list(tables)):
        return found
    return (next(iter(tables)), (), None) if len(tables) == 1 else None


def _by_trial(raw: sqlite3.Connection, trial: Trial, tables: Sequence[str]) -> ForeignKey | None:
    """The first foreign key, of those that `tables` declare, that the statement leaves a row without a parent for."""
    raw.execute("SAVEPOINT _dbadapter_trial")
    try:
        raw.execute("PRAGMA defer_foreign_keys = ON")
        before = _orphans(raw, trial, tables)
        trial.again()
        return next(iter(_orphans(raw, trial, tables) - before), None)
    except (sqlite3.Error, ValueError, ParameterError):
        return None  # a parent that is not there, RESTRICT, too large: told without the columns
    finally:
        if raw.in_transaction:
            raw.execute("ROLLBACK TO _dbadapter_trial")
            raw.execute("PRAGMA defer_foreign_keys = OFF")
            raw.execute("RELEASE _dbadapter_trial")


def _orphans(raw: sqlite3.Connection, trial: Trial, tables: Sequence[str | None]) -> Counter[ForeignKey]:
    """How many rows of `tables` (None: of all) have no parent, by foreign key."""
    found: Counter[tuple[str, int]] = Counter()
    with trial.briefly():
        for table in tables:
            check = "PRAGMA foreign_key_check" + (f"({quote(table)})" if table else "")
            found.update((row[0], row[3]) for row in raw.execute(check))
    return Counter({_foreign_keys(raw, table)[number]: count for (table, number), count in found.items()})


def _foreign_keys(raw: sqlite3.Connection, table: str) -> dict[int, ForeignKey]:
    """The foreign keys that `table` declares, by SQLite's number for them."""
    columns: dict[int, tuple[str, ...]] = {}
    asked = 'SELECT id, "from" FROM pragma_foreign_key_list(?) ORDER BY id, seq'
    for number, column in raw.execute(asked, (table,)).fetchall():
        columns[number] = (*columns.get(number, ()), column)
    return {
        number: (table, names, _declared_name(raw, table, r"FOREIGN\s+KEY", names))
        for number, names in columns.items()
    }


def _referencing(raw: sqlite3.Connection, table: str) -> Iterator[ForeignKey]:
    """The foreign keys of any table that point to `table`."""
    sql = """SELECT DISTINCT m.name, f.id FROM sqlite_master m, pragma_foreign_key_list(m.name) f
             WHERE m.type = 'table' AND lower(f."table") = lower(?) ORDER BY 1, 2"""
    for child, number in raw.execute(sql, (table,)).fetchall():
        yield _foreign_keys(raw, child)[number]
