"""A connection of our own as the vector collections want it: with an adapter's verbs, in its owner's transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from .._core.parsing import parse
from .._core.statement import Parameters
from .._dialects import POSTGRESQL, SQLITE, Dialect
from .._sync.transaction import insert_rows
from .._sync.vectors import VectorStore
from ..types import Result

if TYPE_CHECKING:
    import psycopg

__all__ = ["ConnectionExecutor", "postgres_executor", "sqlite_executor"]

Writing = Callable[[], AbstractContextManager[Any]]


class ConnectionExecutor:
    """What a `VectorStore` works on; see `DatabaseAdapter` for the verbs."""

    def __init__(self, connection: Any, dialect: Dialect, writing: Writing) -> None:
        """An executor over a connection of our drivers'.

        Args:
            connection: the connection; whoever made it closes it.
            dialect: the backend's.
            writing: begins a transaction, or a savepoint where one is open, for a with block.
        """
        self.dialect = dialect
        self._connection, self._writing = connection, writing

    @property
    def pool(self) -> ConnectionExecutor:
        """Whom caches are kept for."""
        return self

    @property
    def vectors(self) -> VectorStore:
        """The vector collections."""
        return VectorStore(self)

    def _settle(self) -> None:
        """There is but one backend."""

    @contextmanager
    def transaction(self) -> Iterator[ConnectionExecutor]:
        """A transaction, or a savepoint in the one that is open."""
        with self._writing():
            yield self

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """The driver's own connection."""
        yield self._connection.raw

    def execute(self, sql: str, params: Parameters = None) -> Result:
        """Run a statement for its effect."""
        done: Result = self._connection.execute(parse(sql), params)
        return done

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Run a statement for each row."""
        count: int = self._connection.execute_many(parse(sql), rows)
        return count

    def insert_many(
        self, table: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]], *, on_conflict: str | None = None
    ) -> int:
        """Insert rows in bulk."""
        return insert_rows(self._connection, table, rows, on_conflict)

    def fetch_all(self, sql: str, params: Parameters = None, *, row_type: type = dict) -> list[Any]:
        """All rows."""
        columns, rows = self._connection.fetch(parse(sql), params, None)
        found: list[Any] = columns.rows(row_type, rows)
        return found

    def fetch_one(self, sql: str, params: Parameters = None, *, row_type: type = dict) -> Any:
        """The first row, or None."""
        columns, rows = self._connection.fetch(parse(sql), params, 1)
        return columns.row(row_type, rows[0]) if rows else None

    def fetch_value(self, sql: str, params: Parameters = None) -> Any:
        """The first column of the first row, or None."""
        _, rows = self._connection.fetch(parse(sql), params, 1)
        return rows[0][0] if rows else None


def sqlite_executor(
    raw: sqlite3.Connection, writing: Writing | None = None, *, read_only: bool = False
) -> ConnectionExecutor:
    """An executor over a connection to a file; `writing` begins its transactions where none is open."""
    from .._drivers.sqlite import SQLiteConnection
    from .._drivers.sqlite_catalog import SQLiteCatalog

    connection = SQLiteConnection(raw, SQLiteCatalog(), read_only=read_only, statement_timeout=None)

    @contextmanager
    def immediate() -> Iterator[None]:
        connection.begin()
        try:
            yield
        except BaseException:
            connection.rollback()
            raise
        connection.commit()

    @contextmanager
    def savepoint() -> Iterator[None]:
        raw.execute("SAVEPOINT dbadapter_mover")
        try:
            yield
        except BaseException:
            raw.execute("ROLLBACK TO SAVEPOINT dbadapter_mover")
            raise
        finally:
            raw.execute("RELEASE SAVEPOINT dbadapter_mover")

    def begun() -> AbstractContextManager[Any]:
        return savepoint() if raw.in_transaction else (writing or immediate)()

    return ConnectionExecutor(connection, SQLITE, begun)


def postgres_executor(raw: psycopg.Connection[Any]) -> ConnectionExecutor:
    """An executor over a connection to Postgres."""
    from .._drivers.postgres import PostgresConnection
    from .._drivers.postgres_types import PostgresCatalog

    return ConnectionExecutor(PostgresConnection(raw, PostgresCatalog()), POSTGRESQL, raw.transaction)
