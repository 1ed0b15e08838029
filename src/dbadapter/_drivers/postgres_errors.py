"""psycopg's exceptions as ours, by SQLSTATE. psycopg itself is not needed: its exceptions carry all that is asked."""

from __future__ import annotations

import re
from typing import Any

from .. import errors
from .._core.statement import Statement

__all__ = ["CommitInDoubt", "ends_connection", "is_full", "is_transient", "translate"]

_BY_STATE: dict[str, type[errors.QueryError]] = {
    "DBMOV": errors.DatabaseMoved,  # the fence of a database whose data a live switch has moved
    "07001": errors.ParameterError,
    "21000": errors.DataError,
    "25006": errors.ReadOnlyViolation,
    "25P02": errors.TransactionFailed,
    "40001": errors.SerializationFailure,
    "40P01": errors.DeadlockDetected,
    "42601": errors.SQLSyntaxError,
    "42703": errors.UndefinedColumn,
    "42804": errors.DataError,
    "42P01": errors.UndefinedTable,
    "42P02": errors.ParameterError,
    "42P08": errors.ParameterError,
    "42P18": errors.ParameterError,
    "55P03": errors.DatabaseBusy,
    "57014": errors.StatementTimeout,
}
_INTEGRITY: dict[str, type[errors.IntegrityError]] = {
    "23001": errors.ForeignKeyViolation,
    "23502": errors.NotNullViolation,
    "23503": errors.ForeignKeyViolation,
    "23505": errors.UniqueViolation,
    "23514": errors.CheckViolation,
}
# Connection exceptions, out of resources, the operator's hand, no such database, not let in, internal trouble.
_UNAVAILABLE_CLASSES = ("08", "28", "3D", "53", "58", "XX")
_UNAVAILABLE_STATES = ("57P01", "57P02", "57P03", "57P04", "57P05")
# What passes by itself: the server starts, stops or is out of connections.
_TRANSIENT = ("08000", "08001", "08003", "08006", "53300", "57P01", "57P02", "57P03", "57P05")
# The server's function that reports `q.id` without a q in FROM, with the SQLSTATE of an undefined table.
_UNKNOWN_QUALIFIER = "errorMissingRTE"
_KEY_IN_DETAIL = re.compile(r"\((?P<columns>.+?)\)=\(", re.DOTALL)


def translate(exc: Exception, statement: Statement | None) -> errors.DatabaseAdapterError:
    """Our exception for `exc`; raise it ``from exc``."""
    text = statement.text if statement else None
    state: str | None = getattr(exc, "sqlstate", None)
    diag = getattr(exc, "diag", None)
    message = (diag.message_primary if diag else None) or str(exc).strip() or type(exc).__name__
    kind = type(exc).__name__
    if isinstance(exc, UnicodeError):
        return errors.DataError("a parameter is text with a lone surrogate", statement=text, sqlstate="22021")
    if state is None:
        if kind == "DataError":
            return errors.DataError(message, statement=text, sqlstate="22000")
        if kind in (
            "OperationalError",
            "InterfaceError",
            "PipelineAborted",
            "AdminShutdown",
            "ConnectionTimeout",
        ):
            return errors.DatabaseUnavailable(message)
        return errors.QueryError(message, statement=text)
    if state in _UNAVAILABLE_STATES or state[:2] in _UNAVAILABLE_CLASSES:
        return errors.DatabaseUnavailable(message)
    if state[:2] == "23":
        return _integrity(_INTEGRITY.get(state, errors.IntegrityError), message, text, state, diag)
    if getattr(diag, "source_function", None) == _UNKNOWN_QUALIFIER:
        return errors.UndefinedColumn(message, statement=text, sqlstate="42703")
    found = _BY_STATE.get(state) or (errors.DataError if state[:2] == "22" else errors.QueryError)
    return found(message, statement=text, sqlstate=state)


def _integrity(
    kind: type[errors.IntegrityError], message: str, text: str | None, state: str, diag: Any
) -> errors.IntegrityError:
    columns: tuple[str, ...] = (diag.column_name,) if diag.column_name else ()
    # Keys stand only in the detail: "Key (a, b)=(1, 2) already exists.", in whatever language.
    detail = _KEY_IN_DETAIL.search(diag.message_detail or "")
    told = diag.message_detail or ""
    if kind is errors.ForeignKeyViolation and f'"{diag.table_name}"' in told and "not present" not in told:
        detail = None  # the row is still referenced, and the columns told are those of the table referred to
    if not columns and detail and kind in (errors.UniqueViolation, errors.ForeignKeyViolation):
        columns = tuple(part.strip('"').replace('""', '"') for part in detail.group("columns").split(", "))
    return kind(
        message,
        statement=text,
        sqlstate=state,
        table=diag.table_name,
        columns=columns,
        constraint=diag.constraint_name,
    )


class CommitInDoubt(errors.OutcomeUnknown):
    """The answer to COMMIT did not come; what is needed to learn it.

    Attributes:
        transaction_id: as ``pg_xact_status`` takes it; empty if it is not known.
        server: the run of the server that was to commit.
        pid: of its process for the lost connection; 0 if it is not known.
    """

    def __init__(self, transaction_id: str, server: str, pid: int) -> None:
        super().__init__("the connection was lost during COMMIT; the transaction may or may not be there")
        self.transaction_id, self.server, self.pid = transaction_id, server, pid


def ends_connection(exc: BaseException) -> bool:
    """The server, or the network, has ended the connection with this."""
    if getattr(exc, "sqlstate", None) is None:
        return True
    diag = getattr(exc, "diag", None)
    return getattr(diag, "severity_nonlocalized", None) in ("FATAL", "PANIC")


def is_full(exc: BaseException) -> bool:
    """The server, or the role, has no room for one more connection; libpq gives no SQLSTATE while connecting."""
    words = str(exc)
    return any(
        part in words
        for part in (
            "too many connections",
            "too many clients",
            "remaining connection slots",
            "no more connections",
        )
    )


def is_transient(exc: BaseException) -> bool:
    """A failed connection attempt that may succeed a moment later: refused, timed out, starting up, full."""
    state = getattr(exc, "sqlstate", None)
    if state is not None:
        return state in _TRANSIENT
    words = str(exc)
    if is_full(exc):
        return True
    lasting = (
        "could not translate host name",
        "authentication failed",
        "no password supplied",
        "does not exist",
        "certificate",
        "SSL",
        "pg_hba.conf",
        "role ",
    )
    starting = "No such file or directory"  # the socket of a server that is not up yet
    return starting in words or not any(word in words for word in lasting)
