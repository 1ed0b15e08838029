"""What takes a table's lock on Postgres while the app is at work: between its transactions, a moment at a time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from ..errors import SwitchAborted

if TYPE_CHECKING:
    import psycopg

__all__ = ["LOCK_TIMEOUT", "between", "call_vacuum_off", "is_lock_timeout"]

_PATIENCE, _REST = 10.0, 0.05  # seconds
# Shorter than the server waits before it looks for a deadlock (a second): it is never the app's statement that fails.
LOCK_TIMEOUT = "100ms"
_LOCK_NOT_AVAILABLE = "55P03"


def between(
    raw: psycopg.Connection[Any], act: Callable[[], Any], waited_for: str, table: str | None = None
) -> None:
    """Do something in a transaction that takes the lock of one `table`, between those of the app that hold it.

    Whoever waits for a lock holds up all that come later, so this asks for moments at a time. Two tables' locks could
    be taken crosswise by one who uses both.

    Args:
        raw: the connection.
        act: what is to be done.
        waited_for: who has the lock, for the error.
        table: the table, quoted, if an automatic vacuum may be working on it.

    Raises:
        SwitchAborted: the lock was not to be had for ten seconds.
    """
    deadline = monotonic() + _PATIENCE
    while True:
        try:
            with raw.transaction():
                if table is not None:
                    call_vacuum_off(raw, table)
                raw.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'".encode())
                act()
            return
        except Exception as error:
            if not is_lock_timeout(error):
                raise
            if monotonic() > deadline:
                raise SwitchAborted(f"{waited_for} has not ended for {_PATIENCE:g} s") from error
        sleep(_REST)


def is_lock_timeout(error: Exception) -> bool:
    """A lock was not to be had in time."""
    return getattr(error, "sqlstate", None) == _LOCK_NOT_AVAILABLE


def call_vacuum_off(raw: psycopg.Connection[Any], tables: str) -> None:
    """Wait until no vacuum works on tables, whose names are quoted; none begins before this transaction ends."""
    # This lock is in the way of no reader or writer, nor is whoever waits for it.
    raw.execute(f"SET LOCAL lock_timeout = '{_PATIENCE:g}s'".encode())
    raw.execute(f"LOCK TABLE {tables} IN SHARE UPDATE EXCLUSIVE MODE".encode())
