"""Every error dbadapter raises: one root, the same class for the same failure on both backends.

A driver's own exception is always chained (``__cause__``), so nothing of it is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "CheckViolation",
    "CollectionExists",
    "CollectionNotFound",
    "ConfigError",
    "ConnectionLost",
    "DataError",
    "DatabaseAdapterError",
    "DatabaseBusy",
    "DatabaseMoved",
    "DatabaseUnavailable",
    "DeadlockDetected",
    "DimensionMismatch",
    "DuplicateID",
    "ForeignKeyViolation",
    "IntegrityError",
    "InvalidFilter",
    "NotNullViolation",
    "OutcomeUnknown",
    "ParameterError",
    "PoolClosed",
    "PoolExhausted",
    "QueryError",
    "ReadOnlyViolation",
    "RejectedRows",
    "RetryableError",
    "SQLSyntaxError",
    "SerializationFailure",
    "StatementTimeout",
    "SwitchAborted",
    "SwitchError",
    "SwitchInProgress",
    "TransactionFailed",
    "TransferError",
    "UndefinedColumn",
    "UndefinedTable",
    "UniqueViolation",
    "VectorError",
    "VerificationFailed",
]


class DatabaseAdapterError(Exception):
    """The root: ``except DatabaseAdapterError`` catches whatever this library raises."""


class ConfigError(DatabaseAdapterError, ValueError):
    """A setting is wrong; the message names the field and what it accepts."""


class DatabaseUnavailable(DatabaseAdapterError):
    """The database cannot be reached or opened, or went away before the work was done.

    Attributes:
        transient: trying again a moment later may help: the server was starting, stopping, full or out of reach.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class ConnectionLost(DatabaseUnavailable):
    """The connection broke while a statement was under way, so whether it was carried out is not known here."""


class PoolClosed(DatabaseAdapterError):
    """The pool or adapter is not open: never opened, already closed, or closed while waiting."""


class PoolExhausted(DatabaseAdapterError, TimeoutError):
    """No connection became free in time.

    Attributes:
        stats: the pool's ``get_stats()`` at that moment.
        holders: who held the connections: ``[{thread, task, seconds, where}]``.
    """

    def __init__(
        self,
        message: str,
        *,
        stats: Mapping[str, Any] | None = None,
        holders: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.stats = dict(stats or {})
        self.holders = [dict(holder) for holder in holders]


class QueryError(DatabaseAdapterError):
    """The database refused a statement.

    Attributes:
        statement: the SQL text as the caller wrote it (never its parameters), if known.
        sqlstate: the five-character SQLSTATE; on SQLite the one that Postgres would have given, or None.
    """

    def __init__(self, message: str, *, statement: str | None = None, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.statement = statement
        self.sqlstate = sqlstate


class SQLSyntaxError(QueryError):
    """The statement cannot be parsed by the database."""


class UndefinedTable(QueryError):
    """The statement names a table or view that does not exist."""


class UndefinedColumn(QueryError):
    """The statement names a column that does not exist."""


class ParameterError(QueryError):
    """A parameter is missing or surplus, or the two placeholder styles are mixed; the message names it."""


class DataError(QueryError):
    """A value cannot be held by the database or does not fit its column."""


class ReadOnlyViolation(QueryError):
    """A write was sent where only reads are allowed."""


class StatementTimeout(QueryError):
    """The statement ran longer than ``statement_timeout`` and was stopped."""


class TransactionFailed(QueryError):
    """An earlier statement of this transaction failed, so nothing more can be done in it but roll back."""


class IntegrityError(QueryError):
    """A constraint was violated.

    Attributes:
        table: the table whose constraint it is, or None where the database does not tell.
        columns: the constraint's columns, possibly empty.
        constraint: its name; where SQLite keeps none, the name Postgres would have given it.
    """

    def __init__(
        self,
        message: str,
        *,
        statement: str | None = None,
        sqlstate: str | None = None,
        table: str | None = None,
        columns: Sequence[str] = (),
        constraint: str | None = None,
    ) -> None:
        super().__init__(message, statement=statement, sqlstate=sqlstate)
        self.table = table
        self.columns = tuple(columns)
        self.constraint = constraint


class UniqueViolation(IntegrityError):
    """A row with the same unique key already exists."""


class ForeignKeyViolation(IntegrityError):
    """A referenced row is missing, or a row is still referenced."""


class NotNullViolation(IntegrityError):
    """A column that must not be NULL was given none."""


class CheckViolation(IntegrityError):
    """A CHECK constraint said no."""


class RetryableError(QueryError):
    """The transaction lost against another one; running it again may succeed (see ``run_transaction``)."""


class SerializationFailure(RetryableError):
    """The isolation level could not be kept; nothing was written."""


class DeadlockDetected(RetryableError):
    """Two transactions waited for each other and this one was chosen to give way."""


class DatabaseBusy(RetryableError):
    """Another connection or process held the lock for longer than we were willing to wait."""


class DatabaseMoved(RetryableError):
    """The data have moved to another database, and what would have been written here was refused.

    The adapter goes after the data by itself; this shows only where it cannot run the work again: in the middle of a
    transaction's body, in a stream, or on the driver's own connection.
    """


class OutcomeUnknown(DatabaseAdapterError):
    """The connection was lost while a write was being committed and its fate could not be learned."""


class SwitchError(DatabaseAdapterError):
    """A switch to another database went wrong: the base of the errors about switching."""


class SwitchAborted(SwitchError):
    """The switch did not happen; the old backend is still the one in use.

    Attributes:
        reason: why, in one sentence.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)  # as it was given, so that a copy made by pickling reads the same
        self.reason = reason

    def __str__(self) -> str:
        return f"switch aborted, the old database stays in use: {self.reason}"


class SwitchInProgress(SwitchError):
    """Another switch of this adapter is under way."""


class TransferError(DatabaseAdapterError):
    """Moving data between databases went wrong: the base of the errors about transfers."""


class RejectedRows(TransferError):
    """Rows could not be represented in the target and were set aside."""


class VerificationFailed(TransferError):
    """Source and target do not hold the same data."""


class VectorError(DatabaseAdapterError):
    """The base of the errors about vector collections."""


class CollectionNotFound(VectorError):
    """There is no collection of that name."""


class CollectionExists(VectorError):
    """A collection of that name exists already."""


class DimensionMismatch(VectorError):
    """A vector's length, or the model it comes from, is not the collection's."""


class InvalidFilter(VectorError, ValueError):
    """A ``where`` or ``where_document`` filter is malformed; the message says at which place."""


class DuplicateID(VectorError, ValueError):
    """The same id was given twice in one call."""
