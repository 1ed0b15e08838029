# Generated from src/dbadapter/_async/rows.py by tools/unasync.py; do not edit.
"""Row streams: the rows of a large result, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from .._core.statement import Parameters, Statement
from ..errors import ConfigError, DatabaseAdapterError
from ..querylog import QueryLog

__all__ = ["RowStream"]

_LARGEST_BATCH = 2_147_483_647  # drivers count rows in 32 bits


class RowStream:
    """An iterator of rows that holds a connection from the first row to the last.

    It gives the connection back at the end, when the loop over it is left, or when it is closed or used as a context
    manager.
    """

    def __init__(
        self,
        acquire: Callable[[], tuple[Any, Any]],
        statement: Statement,
        params: Parameters,
        batch_size: int,
        row_type: type,
        log: QueryLog | None = None,
        on_error: Callable[[BaseException], None] | None = None,
        again: Callable[[Any, DatabaseAdapterError], bool] | None = None,
    ) -> None:
        if (
            isinstance(batch_size, bool)
            or not isinstance(batch_size, int)
            or not 1 <= batch_size <= _LARGEST_BATCH
        ):
            raise ConfigError(
                f"batch_size must be an integer of at least 1 and at most {_LARGEST_BATCH:,}, not {batch_size!r}"
            )
        self._rows = self._generate(acquire, statement, params, batch_size, row_type, log, on_error, again)

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
        self._rows.close()  # type: ignore[attr-defined]

    @staticmethod
    def _generate(
        acquire: Callable[[], tuple[Any, Any]],
        statement: Statement,
        params: Parameters,
        batch_size: int,
        row_type: type,
        log: QueryLog | None,
        on_error: Callable[[BaseException], None] | None,
        again: Callable[[Any, DatabaseAdapterError], bool] | None,
    ) -> Iterator[Any]:
        has_begun = False
        while True:
            lane, connection = acquire()
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
                    if on_error is not None:
                        on_error(exc)
                    if has_begun or again is None or not again(lane, exc):
                        raise
                finally:
                    batches.close()
            finally:
                if log is not None:
                    log.note(statement.text, params, waited, failure)
                if lane is not None:
                    lane.release(connection)
                    if lane.cluster is not None and lane.serves_writes:
                        lane.cluster.note_write()
