# Generated from src/dbadapter/_async/rows.py by tools/unasync.py; do not edit.
"""Row streams: the rows of a large result, a batch at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from .._core.statement import Parameters, Statement
from ..errors import ConfigError, DatabaseAdapterError
from ..querylog import QueryLog

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["RowStream", "StreamSource"]

_LARGEST_BATCH = 2_147_483_647  # drivers count rows in 32 bits


class StreamSource(Protocol):
    """Where a stream has its connection from: an adapter's pool, or an open transaction."""

    def acquire(self) -> Connection:
        """The connection to read on."""

    def failed(self, exc: DatabaseAdapterError, *, has_begun: bool) -> bool:
        """Reading failed; whether to begin anew on another connection, which is out of question if it `has_begun`."""

    def release(self, connection: Connection) -> None:
        """The stream is done with the connection."""


class RowStream:
    """An iterator of rows that holds a connection from the first row to the last.

    It gives the connection back at the end, when the loop over it is left, or when it is closed or used as a context
    manager.
    """

    def __init__(
        self,
        source: StreamSource,
        statement: Statement,
        params: Parameters,
        *,
        batch_size: int,
        row_type: type,
        log: QueryLog | None,
    ) -> None:
        if (
            isinstance(batch_size, bool)
            or not isinstance(batch_size, int)
            or not 1 <= batch_size <= _LARGEST_BATCH
        ):
            raise ConfigError(
                f"batch_size must be an integer of at least 1 and at most {_LARGEST_BATCH:,}, not {batch_size!r}"
            )
        self._rows = _read(source, statement, params, batch_size, row_type, log)

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def __next__(self) -> Any:
        return next(self._rows)

    def __enter__(self) -> RowStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and give the connection back; closing again does nothing."""
        self._rows.close()


def _read(
    source: StreamSource,
    statement: Statement,
    params: Parameters,
    batch_size: int,
    row_type: type,
    log: QueryLog | None,
) -> Generator[Any, None]:
    """The rows. No reference leads back to the `RowStream`, so that one which is dropped ends at once."""
    has_begun = False
    while True:
        connection = source.acquire()
        waited, since, failure = 0.0, perf_counter(), None
        try:
            batches = connection.stream(statement, params, batch_size)
            try:
                for columns, rows in batches:
                    waited += perf_counter() - since
                    for row in columns.rows(row_type, rows):
                        has_begun = True
                        yield row
                    since = perf_counter()
                waited += perf_counter() - since
                return
            except DatabaseAdapterError as exc:
                failure = exc
                if not source.failed(exc, has_begun=has_begun):
                    raise
            finally:
                batches.close()
        finally:
            if log is not None:
                log.note(statement.text, params, waited, failure)
            source.release(connection)
