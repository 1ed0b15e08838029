"""Driver errors during a transfer as one clear line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from .._drivers import postgres_errors, sqlite_errors
from ..errors import DatabaseAdapterError, DatabaseUnavailable, TransferError

__all__ = ["is_connection_loss", "reporting"]


@contextmanager
def reporting(doing: str) -> Iterator[None]:
    """Turn what a driver raises into `DatabaseUnavailable` or `TransferError`, beginning with `doing`.

    Errors of our own pass as they are.
    """
    try:
        yield
    except DatabaseAdapterError:
        raise
    except sqlite3.Error as error:
        found = sqlite_errors.translate(error, None, None)
        raise _ours(doing, found, _advice(error)) from error
    except OSError as error:
        raise DatabaseUnavailable(f"{doing}: {error.strerror or error}") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "psycopg":
            raise
        raise _ours(doing, postgres_errors.translate(error, None), "") from error


def _ours(doing: str, found: DatabaseAdapterError, advice: str) -> DatabaseAdapterError:
    kind = DatabaseUnavailable if isinstance(found, DatabaseUnavailable) else TransferError
    message = " ".join(str(found).split())
    return kind(f"{doing}: {message}{advice}")


def _advice(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorname", None) or ""
    if code.startswith("SQLITE_CORRUPT"):
        return " (sqlite3's .recover saves what can be read)"
    if code in ("SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY", "SQLITE_CANTOPEN_DIRTYWAL"):
        return " (it was not closed properly: open it once with its own program, then try again)"
    if code.startswith("SQLITE_BUSY"):
        return " (another program is writing to it)"
    return ""


def is_connection_loss(error: BaseException) -> bool:
    """Whether the server, or the connection to it, is gone."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        return type(error).__name__ in ("OperationalError", "InterfaceError")
    return bool(state[:2] in ("08", "57") or state in ("53100", "53200", "53300", "58030"))
