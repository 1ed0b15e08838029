"""The settings of a connection to an SQLite file that we rely on."""

from __future__ import annotations

import sqlite3
from itertools import chain

from .sqlite_turns import is_taken, turns

__all__ = ["set_up"]

# Bytes. The log of one large load would keep its size for as long as the file is open; twice its usual size may stay.
_KEPT_LOG = 8 * 2**20


def set_up(raw: sqlite3.Connection, *, read_only: bool, patience: float) -> bool:
    """Make the settings; returns whether it is a connection that writes, and to a write-ahead log.

    Waits up to `patience` seconds for others that use the file.
    """
    raw.execute("PRAGMA schema_version").fetchone()  # reads the header: is it a database at all?
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA temp_store = MEMORY")
    raw.execute("PRAGMA synchronous = FULL")  # what is acknowledged survives a loss of power
    if read_only:
        raw.execute("PRAGMA query_only = ON")
        return False
    raw.execute(f"PRAGMA journal_size_limit = {_KEPT_LOG}")
    return _enter_wal(raw, patience)


def _enter_wal(raw: sqlite3.Connection, patience: float) -> bool:
    """Have the file keep a write-ahead log, as it will from then on for everybody; whether it does.

    The change begins as a read and ends as a write, an upgrade for which SQLite does not wait as `timeout` says: where
    others open or write a new file at the same moment it fails at once, so the waiting is done here.
    """
    for _ in chain((None,), turns(patience)):
        try:
            return bool(raw.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal")
        except sqlite3.OperationalError as exc:
            # A file we may only read keeps the journal it has; the first write says that it cannot be written.
            if (exc.sqlite_errorname or "").startswith("SQLITE_READONLY"):
                return False
            if not is_taken(exc, in_transaction=False):
                raise
            failure = exc
    raise failure
