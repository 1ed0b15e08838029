"""sqlite3's exceptions as ours: the class that Postgres' failure of the same kind has, with the constraint named."""

from __future__ import annotations

import re
import sqlite3

from .. import errors
from .._core.statement import Statement
from .._dialects import DATATYPE_SUFFIX
from .sqlite_constraints import Trial, foreign_key_at_fault, unique_constraint_name

__all__ = ["translate"]

_BY_CODE: dict[str, tuple[type[errors.QueryError], str]] = {
    "SQLITE_BUSY": (errors.DatabaseBusy, "55P03"),
    "SQLITE_LOCKED": (errors.DatabaseBusy, "55P03"),
    "SQLITE_TOOBIG": (errors.DataError, "54000"),
    "SQLITE_MISMATCH": (errors.DataError, "42804"),
    "SQLITE_CONSTRAINT_DATATYPE": (errors.DataError, "42804"),
    "SQLITE_RANGE": (errors.ParameterError, "07001"),
    "SQLITE_INTERRUPT": (errors.StatementTimeout, "57014"),
    "SQLITE_CONSTRAINT_TRIGGER": (errors.QueryError, "P0001"),
}
_MOVED = "dbadapter: moved"  # what the fence of a file says whose data a live switch has moved
_UNAVAILABLE = {
    "SQLITE_CANTOPEN": "the file cannot be opened",
    "SQLITE_CORRUPT": "the file is damaged",
    "SQLITE_FULL": "the disk is full; nothing of the statement was kept",
    "SQLITE_IOERR": "the file cannot be read or written",
    "SQLITE_NOTADB": "the file is not a SQLite database (or is encrypted)",
    "SQLITE_PERM": "access to the file is denied",
    "SQLITE_NOLFS": "the file is too large for this system",
}
_BY_MESSAGE: tuple[tuple[re.Pattern[str], type[errors.QueryError], str], ...] = tuple(
    (re.compile(pattern), kind, state)
    for pattern, kind, state in (
        (r"no such table|no such view", errors.UndefinedTable, "42P01"),
        (r"no such column|has no column named|unknown column", errors.UndefinedColumn, "42703"),
        (
            r"syntax error|unrecognized token|incomplete input|one statement at a time",
            errors.SQLSyntaxError,
            "42601",
        ),
        (r"number of bindings|binding", errors.ParameterError, "07001"),
        (r"no such function|wrong number of arguments to function", errors.QueryError, "42883"),
        (r"(table|view|index) .* already exists|there is already", errors.QueryError, "42P07"),
        (r"ambiguous column name", errors.QueryError, "42702"),
        (r"misuse of (aggregate|window function)", errors.QueryError, "42803"),
        (
            r"values for \d+ columns|values were supplied|must have the same number of terms",
            errors.SQLSyntaxError,
            "42601",
        ),
        (r"cannot store \w+ value in", errors.DataError, "22P02"),  # a STRICT table
        (r"malformed JSON|integer overflow", errors.DataError, "22000"),
    )
)


_UNDECODABLE = re.compile(r"Could not decode to UTF-8 column '(.*)' with text ", re.DOTALL)


def _code(exc: BaseException) -> str:
    return getattr(exc, "sqlite_errorname", None) or ""


def translate(
    exc: Exception,
    statement: Statement | None,
    raw: sqlite3.Connection | None,
    *,
    query_only: bool = False,
    trial: Trial | None = None,
) -> errors.DatabaseAdapterError:
    """Our exception for `exc`; raise it ``from exc``.

    Args:
        exc: what sqlite3 raised.
        statement: the statement it was raised for.
        raw: the connection, to look up which constraint was violated.
        query_only: the connection is for reads only, so a refused write is the statement's fault, not the file's.
        trial: to find out which foreign key it was.
    """
    text = statement.text if statement else None
    code, message = _code(exc), str(exc)
    primary = "_".join(code.split("_")[:2])
    if isinstance(exc, OverflowError):
        return errors.DataError("a parameter is an integer beyond 64 bits", statement=text, sqlstate="22003")
    if primary == "SQLITE_READONLY":
        if query_only:
            return errors.ReadOnlyViolation(message, statement=text, sqlstate="25006")
        return errors.DatabaseUnavailable(f"the database file cannot be written: {message}")
    if primary in _UNAVAILABLE:
        return errors.DatabaseUnavailable(f"{_UNAVAILABLE[primary]}: {message}")
    if "closed database" in message:
        return errors.DatabaseUnavailable("the connection was closed")
    if primary == "SQLITE_CONSTRAINT" and (found := _constraint(code, message, statement, raw, trial)):
        return found
    if code == "SQLITE_CONSTRAINT_TRIGGER" and message.startswith(_MOVED):
        return errors.DatabaseMoved(message, statement=text, sqlstate="DBMOV")
    if undecodable := _UNDECODABLE.match(message):
        # Not a DataError: neither the statement nor a parameter is at fault.
        return errors.QueryError(
            f"column {undecodable.group(1)} holds text that is no valid UTF-8: CAST it AS BLOB to read its bytes",
            statement=text,
            sqlstate="22021",
        )
    for known in (code, primary):
        if known in _BY_CODE:
            kind, state = _BY_CODE[known]
            return kind(message, statement=text, sqlstate=state)
    for pattern, kind, state in _BY_MESSAGE:
        if pattern.search(message):
            return kind(message, statement=text, sqlstate=state)
    return errors.QueryError(message, statement=text)


def _constraint(
    code: str,
    message: str,
    statement: Statement | None,
    raw: sqlite3.Connection | None,
    trial: Trial | None,
) -> errors.QueryError | None:
    """The violated constraint: sqlite3 tells it only in the words of its message."""
    text = statement.text if statement else None
    detail = message.partition(": ")[2]
    if code in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID"):
        if detail.startswith("index "):
            name = detail[len("index ") :].strip("'")
            return errors.UniqueViolation(
                message, statement=text, sqlstate="23505", constraint=name, table=_owner(raw, name)
            )
        table, columns = _columns(detail)
        return errors.UniqueViolation(
            message,
            statement=text,
            sqlstate="23505",
            table=table,
            columns=columns,
            constraint=unique_constraint_name(raw, table, columns) if raw and table else None,
        )
    if code == "SQLITE_CONSTRAINT_NOTNULL":
        table, columns = _columns(detail)
        return errors.NotNullViolation(
            message, statement=text, sqlstate="23502", table=table, columns=columns
        )
    if code == "SQLITE_CONSTRAINT_CHECK" and detail.endswith("_" + DATATYPE_SUFFIX):
        # It stands for the column's type: what PostgreSQL says to a value that its types cannot hold.
        return errors.DataError(
            f"a value does not fit its column's type ({detail})", statement=text, sqlstate="22000"
        )
    if code == "SQLITE_CONSTRAINT_CHECK":
        checked = _plain(statement.table) if statement and statement.table else None
        return errors.CheckViolation(
            message, statement=text, sqlstate="23514", table=checked, constraint=detail
        )
    # RESTRICT refuses by way of an internal trigger.
    restricted = code == "SQLITE_CONSTRAINT_TRIGGER" and message == "FOREIGN KEY constraint failed"
    if code == "SQLITE_CONSTRAINT_FOREIGNKEY" or restricted:
        found = foreign_key_at_fault(raw, statement, trial) if raw else None
        child, child_columns, label = found or (None, (), None)
        return errors.ForeignKeyViolation(
            message, statement=text, sqlstate="23503", table=child, columns=child_columns, constraint=label
        )
    return None


def _columns(detail: str) -> tuple[str | None, tuple[str, ...]]:
    """``t.a, t.b`` as (table, columns); the names come unquoted, so a dot in one of them is taken as it falls."""
    parts = [part.partition(".") for part in detail.split(", ")]
    return (parts[0][0] or None) if parts else None, tuple(part[2] for part in parts if part[2])


def _owner(raw: sqlite3.Connection | None, index: str) -> str | None:
    if raw is None:
        return None
    row = raw.execute(
        "SELECT tbl_name FROM sqlite_master WHERE type = 'index' AND name = ?", (index,)
    ).fetchone()
    return row[0] if row else None


def _plain(name: str) -> str:
    return name.rpartition(".")[2].strip('"`')
