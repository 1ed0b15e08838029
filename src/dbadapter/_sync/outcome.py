# Generated from src/dbadapter/_async/outcome.py by tools/unasync.py; do not edit.
"""What became of a transaction whose COMMIT was sent and not answered."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, cast

from .._concurrency._threads import sleep
from .._drivers.postgres_errors import CommitInDoubt
from ..errors import ConnectionLost, DatabaseAdapterError, DatabaseUnavailable, OutcomeUnknown
from .pool import Pool

if TYPE_CHECKING:
    from .connection import ServerConnection

__all__ = ["learn_fate"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25
# A server that has not noticed that its client is gone keeps the transaction open; after this long (s) it is told.
_PATIENCE_IN_PROGRESS = 1.0


def learn_fate(pool: Pool, doubt: CommitInDoubt) -> None:
    """Ask the server until it tells, for at most ``connection_timeout``. Returns if the transaction was committed.

    Raises:
        ConnectionLost: it was rolled back, so it may be run again.
        OutcomeUnknown: nobody can tell.
    """
    if not doubt.transaction_id:
        raise OutcomeUnknown(f"{doubt}; the server had not been asked for its id") from doubt
    started, pause = perf_counter(), _FIRST_PAUSE
    fate: str | None = "in progress"
    while perf_counter() - started < pool.config.connection_timeout:
        try:
            fate = _ask(pool, doubt, perf_counter() - started > _PATIENCE_IN_PROGRESS)
        except DatabaseUnavailable as exc:
            if not exc.transient:
                break
        except DatabaseAdapterError:
            break
        if fate == "committed":
            return
        if fate == "aborted":
            raise ConnectionLost(
                "the connection was lost during COMMIT, and the transaction was rolled back", transient=True
            ) from doubt
        if fate is None:
            break
        sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    raise OutcomeUnknown(str(doubt)) from doubt


def _ask(pool: Pool, doubt: CommitInDoubt, is_late: bool) -> str | None:
    connection = cast("ServerConnection", pool.writer.visit())
    try:
        fate = connection.fate(doubt.transaction_id, doubt.server)
        if fate == "in progress" and is_late and doubt.pid:
            # With the transaction open, its process is still the one it was.
            connection.end_backend(doubt.pid)
    finally:
        connection.close()
    return fate
