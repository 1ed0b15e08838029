"""The fence of an SQLite file whose data have moved: every write is refused by the file itself, whoever makes it.

The fence is closed or open for its own switch by one row, so that a later switch back can refill the file while
nobody else gets through: it opens the row and closes it again in the same transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from .._dialects import SQLITE

__all__ = ["MESSAGE", "fence", "is_fenced", "remove_fence", "set_closed"]

MESSAGE = "dbadapter: moved"
"""What the refusal begins with, on both backends."""

_CONTROL = "_dbadapter_fence"
_PREFIX = "_dbadapter_fence_"
_EVENTS = ("INSERT", "UPDATE", "DELETE")

quote = SQLITE.quote


def fence(raw: sqlite3.Connection, tables: Sequence[str], where: str) -> None:
    """Refuse all writes to `tables` from the end of this transaction on."""
    remove_fence(raw)  # one that a switch could not take away
    raw.execute(f"CREATE TABLE IF NOT EXISTS {_CONTROL} (closed INTEGER NOT NULL)")
    raw.execute(f"INSERT INTO {_CONTROL} VALUES (1)")
    text = SQLITE.literal(f"{MESSAGE}: the data of this file live in {where} now; it takes no more writes")
    for number, table in enumerate(tables):
        for event in _EVENTS:
            name = quote(f"{_PREFIX}{number}_{event.lower()}")
            raw.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {quote(table)} FOR EACH ROW "
                f"WHEN (SELECT closed FROM {_CONTROL}) BEGIN SELECT RAISE(ABORT, {text}); END"
            )


def is_fenced(raw: sqlite3.Connection) -> bool:
    """Whether there is a fence."""
    found = raw.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (_CONTROL,))
    return found.fetchone() is not None


def set_closed(raw: sqlite3.Connection, closed: bool) -> None:
    """Open the fence for the transaction that is open, or close it again before its end."""
    if is_fenced(raw):
        raw.execute(f"UPDATE {_CONTROL} SET closed = ?", (int(closed),))


def remove_fence(raw: sqlite3.Connection) -> None:
    """Take the fence away; nothing happens where there is none."""
    names = raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in names:
        if name.startswith(_PREFIX):
            raw.execute(f"DROP TRIGGER {quote(name)}")
    raw.execute(f"DROP TABLE IF EXISTS {_CONTROL}")
