"""Drop SQLite tables that refer to each other in a circle.

With foreign keys enforced they cannot be dropped one by one: SQLite deletes a table's rows first, and for that compiles
the ON DELETE actions of its children, whose other parents may be gone already. So enforcement is off meanwhile, and
what is left is checked at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from .._dialects import SQLITE
from ..errors import ForeignKeyViolation
from .sqlite_errors import translate

__all__ = ["drop_circle"]


def drop_circle(raw: sqlite3.Connection, tables: Sequence[str]) -> None:
    """Drop the tables, all or none of them, on a connection in autocommit mode.

    Raises ForeignKeyViolation where rows of a table that stays refer to one of them.
    """
    try:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("BEGIN IMMEDIATE")
        for table in tables:
            raw.execute(f"DROP TABLE IF EXISTS {SQLITE.quote(table)}")
        gone = {table.lower() for table in tables}
        left = [row for row in raw.execute("PRAGMA foreign_key_check").fetchall() if row[2].lower() in gone]
        if left:
            child, _, parent, _ = left[0]
            raise ForeignKeyViolation(
                f"rows of table {child} refer to table {parent}, which was to be dropped",
                sqlstate="23503",
                table=child,
            )
        raw.execute("COMMIT")
    except sqlite3.Error as exc:
        raise translate(exc, None, raw) from exc
    finally:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raw.execute("PRAGMA foreign_keys = ON")
